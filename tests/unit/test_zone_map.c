/*  test_zone_map - the bounds of a zone hold at every commit, and are rarely written

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include <sqlite3.h>

#define START_US 1700000000000000
#define ZONE 1024

//  Rows of zones that do not hold the time of an event, the creation of its task, or the task; and those
//  that are wider than these by more than 'slack_us'
#define ZONES(condition) \
    "SELECT count(*) FROM (SELECT position / 1024 AS zone, min (time) AS low, max (time) AS high," \
    " min (created_at) AS created_low, max (created_at) AS created_high, min (e.task) AS task" \
    " FROM (SELECT position, time, task FROM history_plain UNION ALL SELECT position, time, task FROM metrics_plain) e" \
    " JOIN task_states s ON s.task = e.task GROUP BY 1) LEFT JOIN zones z USING (zone) WHERE " condition
#define NARROW "min_time IS NULL OR min_time > low OR max_time < high OR min_created > created_low" \
    " OR max_created < created_high OR min_task > task"
#define WIDE "zone < %d AND (max_time > high OR max_created > created_high)"

static int64_t
s_integer (sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_step (stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64 (stmt, 0);
    sqlite3_finalize (stmt);
    return value;
}

//  One event per commit, 0.1 s apart; every seventh creates a task, and some come late. Returns how many commits
//  wrote a zone: the pages of its table that are in the log.
static int
s_publish (fixture_t *self, sqlite3 *db, int from, int to)
{
    int written = 0;
    int64_t before = s_integer (db, "SELECT sum (max_time + max_created - min_time) FROM zones");
    for (int i = from; i < to; i++) {
        int64_t time = START_US + (int64_t) i * 100000 - (i % 50 == 49? 3000000: 0);
        if (i % 7 == 0)
            fixture_append (self, "{'type':'task.created','time':%lld,'task_id':'t%d','title':'a','description':'b','role':'r'}", (long long) time, i);
        else
            fixture_append (self, "{'type':'task.metric_recorded','time':%lld,'task_id':'t%d','name':'n','value':1}",
                (long long) time, i / 7 * 7);
        int64_t after = s_integer (db, "SELECT sum (max_time + max_created - min_time) FROM zones");
        written += after != before;
        before = after;
        if (i % 25 == 0)
            assert_int_equal (s_integer (db, ZONES (NARROW)), 0);
    }
    return written;
}

static void
test_zones_hold_and_are_written_ahead_of_time (void **state)
{
    fixture_t *self = *state;
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int written = s_publish (self, db, 0, ZONE + 200);
    //  Once a minute, for late events, and at the border
    assert_in_range (written, 2, 80);
    assert_int_equal (s_integer (db, ZONES (NARROW)), 0);
    char sql [1200];
    snprintf (sql, sizeof sql, ZONES (WIDE), 1);
    assert_int_equal (s_integer (db, sql), 0);
    sqlite3_close (db);
}

//  A rollback, and another run, go on from what the table has
static void
test_zones_hold_after_a_rollback_and_a_restart (void **state)
{
    fixture_t *self = *state;
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    s_publish (self, db, 0, 60);
    fixture_begin (self);
    fixture_append (self, "{'type':'task.created','time':%lld,'task_id':'z','title':'a','description':'b','role':'r'}", START_US + 900000000LL);
    stele_ledger_rollback (self->ledger);
    self->in_batch = false;
    s_publish (self, db, 60, 120);
    sqlite3_close (db);
    stele_refusal_t refusal = { 0 };
    stele_ledger_close (&self->ledger);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_NONE, &refusal);
    assert_string_equal (refusal.message, "");
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    s_publish (self, db, 120, ZONE + 30);
    assert_int_equal (s_integer (db, ZONES (NARROW)), 0);
    sqlite3_close (db);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_zones_hold_and_are_written_ahead_of_time),
        TEST (test_zones_hold_after_a_rollback_and_a_restart)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
