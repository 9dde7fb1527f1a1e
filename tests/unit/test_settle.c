/*  test_settle - the sequences of producers and the counts of tasks are right at every commit, and rarely written

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include <sqlite3.h>
#include "earlier_schema.h"
#include "sqlite/write/ledger_internal.h"

#define SETTLED_MAX 64

//  Groups of tasks, with their numbers, by the first query and not by the other
#define STATED "SELECT state, ifnull (role, 0), ifnull (provider, 0), ifnull (model, 0), count (*) FROM task_states GROUP BY 1, 2, 3, 4"
#define COUNTED "SELECT state, role, provider, model, count FROM task_counts WHERE count != 0"
#define EXCEPT(one, other) "(SELECT count (*) FROM (" one " EXCEPT " other "))"

//  On the writer's connection, between batches: this is asked thousands of times
static int64_t
s_ask (const fixture_t *self, const char *sql)
{
    return stele_sql_integer (self->ledger->db, sql, -1);
}

//  The counts and the producers' sequences hold; no reader scans more rows of commits than that
static void
s_assert_right (fixture_t *self, const stele_producer_t *producers, int count)
{
    assert_int_equal (s_ask (self, "SELECT " EXCEPT (STATED, COUNTED) " + " EXCEPT (COUNTED, STATED)), 0);
    assert_true (s_ask (self, "SELECT count (*) FROM commits WHERE first > (SELECT first FROM settled)") < SETTLED_MAX);
    for (int i = 0; i < count; i++) {
        char sql [80];
        snprintf (sql, sizeof sql, "SELECT sequence FROM producers WHERE name = '%s'", producers [i].name);
        assert_int_equal (s_ask (self, sql), producers [i].sequence);
    }
}

static stele_producer_t
s_producer (fixture_t *self, const char *name)
{
    stele_producer_t producer = { .status = STELE_PRODUCER_PRESENT, .seen_at = 1 };
    snprintf (producer.name, sizeof producer.name, "%s", name);
    fixture_begin (self);
    assert_int_equal (stele_ledger_producer_save (self->ledger, &producer), 0);
    fixture_commit (self);
    return producer;
}

static void
s_advance (fixture_t *self, stele_producer_t *producer)
{
    assert_int_equal (stele_ledger_producer_advance (self->ledger, producer->id, ++producer->sequence), 0);
}

//  The next event of many tasks that run at the same time, as the producer's next one
static void
s_event (fixture_t *self, int number)
{
    int step = number / 4 % 4, task = number / 16 * 4 + number % 4, time = number + 1;
    if (step == 0)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'t%d','title':'a','description':'b','role':'r%d'}",
            time, task, task % 3);
    else
    if (step == 1)
        fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t%d','state':'running','model':'m%d'}",
            time, task, task % 2);
    else
    if (step == 2)
        fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'t%d','name':'n','value':1}", time, task);
    else
        fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t%d','state':'%s'}", time, task,
            task % 5? "passed": "failed");
}

static void
s_publish (fixture_t *self, stele_producer_t *producer, int number)
{
    fixture_begin (self);
    s_event (self, number);
    s_advance (self, producer);
    fixture_commit (self);
}

static void
s_reopen (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
}

//  What one table has of all that its view shows
#define SUM_SEQUENCE "SELECT sum (sequence) FROM "
#define SUM_COUNTS "SELECT sum (state * count) FROM "

static void
test_each_commit_of_one_event_is_right_and_writes_neither_table (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producer = s_producer (self, "p");
    int64_t sequence = 0, counts = 0;
    int written_sequence = 0, written_counts = 0;
    for (int i = 0; i < 400; i++) {
        s_publish (self, &producer, i);
        s_assert_right (self, &producer, 1);
        int64_t now = s_ask (self, SUM_SEQUENCE "producer_rows");
        written_sequence += now != sequence;
        sequence = now;
        now = s_ask (self, SUM_COUNTS "task_count_rows");
        written_counts += now != counts;
        counts = now;
        if (i % 150 == 149)
            s_reopen (self);
    }
    //  Once after so many commits, and at each of three starts; and a new row for each new group of tasks
    assert_in_range (written_sequence, 400 / SETTLED_MAX, 400 / SETTLED_MAX + 4);
    assert_in_range (written_counts, 400 / SETTLED_MAX, 400 / SETTLED_MAX + 4 + s_ask (self, "SELECT count (*) FROM task_counts"));
    fixture_assert_intact (self);
    assert_int_equal (fixture_ask (self, "SELECT sequence FROM producers"), 400);
}

static void
test_larger_batches_are_right (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producers [] = { s_producer (self, "p"), s_producer (self, "q"), s_producer (self, "unused") };
    for (int i = 0; i < 300; i++) {
        fixture_begin (self);
        for (int j = i * (i - 1) / 2 % 7; j >= 0; j--)
            s_event (self, i * 8 + j);
        s_advance (self, &producers [i % 2]);
        //  Of a second one, or again of the same
        if (i % 3)
            s_advance (self, &producers [i % 3 == 1]);
        fixture_commit (self);
        s_assert_right (self, producers, 3);
    }
    assert_int_equal (s_ask (self, "SELECT count (*) FROM producers"), 3);
}

static void
test_sequence_of_a_batch_without_an_event_is_written (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producer = s_producer (self, "p");
    for (int i = 0; i < 3; i++) {
        s_publish (self, &producer, i);
        fixture_begin (self);
        s_advance (self, &producer);
        fixture_commit (self);
        s_assert_right (self, &producer, 1);
        assert_int_equal (s_ask (self, SUM_SEQUENCE "producer_rows"), producer.sequence);
    }
}

static int
s_refuse (void *arg)
{
    (void) arg;
    return 1;
}

static void
test_rolled_back_batch_leaves_nothing (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producer = s_producer (self, "p");
    for (int i = 0; i < 140; i++) {
        fixture_begin (self);
        s_event (self, i);
        assert_int_equal (stele_ledger_producer_advance (self->ledger, producer.id, 100000), 0);
        //  Some of them when everything was written, even to the tables
        if (i % 5 == 0) {
            sqlite3_commit_hook (self->ledger->db, s_refuse, NULL);
            assert_int_not_equal (stele_ledger_commit (self->ledger, 1), 0);
            sqlite3_commit_hook (self->ledger->db, NULL, NULL);
        }
        stele_ledger_rollback (self->ledger);
        s_assert_right (self, &producer, 1);
        s_publish (self, &producer, i);
        s_assert_right (self, &producer, 1);
    }
}

static void
test_deferred_batches_are_right_once_they_are_home (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producer = s_producer (self, "p");
    for (int i = 0; i < 100; i++)
        s_publish (self, &producer, i);
    assert_int_equal (stele_ledger_suspend (self->ledger, 7), 0);
    for (int i = 100; i < 300; i++)
        s_publish (self, &producer, i);
    assert_int_equal (stele_ledger_resume (self->ledger, 7), 0);
    s_assert_right (self, &producer, 1);
    s_publish (self, &producer, 300);
    s_assert_right (self, &producer, 1);
}

static void
test_many_commits_in_one_transaction_are_right (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producer = s_producer (self, "p");
    fixture_begin (self);
    for (int i = 0; i < 300; i++) {
        s_event (self, i);
        assert_int_equal (stele_ledger_replay_commit (self->ledger, i + 1), 0);
    }
    fixture_commit (self);
    assert_int_equal (s_ask (self, "SELECT count (*) FROM commits"), 300);
    s_assert_right (self, &producer, 1);
    s_publish (self, &producer, 300);
    s_assert_right (self, &producer, 1);
}

//  As schema 9 kept them
static void
test_ledger_of_schema_9_is_migrated (void **state)
{
    fixture_t *self = *state;
    stele_producer_t producers [] = { s_producer (self, "p"), s_producer (self, "q") };
    for (int i = 0; i < 100; i++)
        s_publish (self, &producers [i % 2], i);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    sqlite3 *db;
    assert_int_equal (sqlite3_open (self->path, &db), SQLITE_OK);
    assert_int_equal (stele_sql_exec (db, "BEGIN;" SCHEMA_10
        "CREATE TABLE p AS SELECT * FROM producers; CREATE TABLE c AS SELECT * FROM task_counts;"
        "DROP VIEW producers; DROP VIEW task_counts; DROP VIEW unsettled_sequences; DROP VIEW unsettled_counts; DROP TABLE settled;"
        "DROP TABLE task_count_rows; DROP VIEW producers_view; ALTER TABLE producer_rows RENAME TO producers;"
        "UPDATE producers SET sequence = (SELECT sequence FROM p WHERE p.id = producers.id);"
        "CREATE VIEW producers_view AS SELECT * FROM producers;"
        "CREATE TABLE task_counts (state, role, provider, model, count, PRIMARY KEY (state, role, provider, model)) WITHOUT ROWID;"
        "INSERT INTO task_counts SELECT * FROM c; DROP TABLE p; DROP TABLE c;"
        "ALTER TABLE commits DROP COLUMN producer; ALTER TABLE commits DROP COLUMN sequence;"
        "ALTER TABLE commits DROP COLUMN count_more; ALTER TABLE commits DROP COLUMN count_less;"
        "PRAGMA user_version = 9; COMMIT"), 0);
    sqlite3_close (db);
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    s_assert_right (self, producers, 2);
    assert_int_equal (s_ask (self, "SELECT count (*) FROM producers_view WHERE sequence = 50"), 2);
    s_publish (self, &producers [0], 100);
    s_assert_right (self, producers, 2);
    fixture_assert_intact (self);
}

int
main (void)
{
#define IN_LEDGER(test) cmocka_unit_test_setup_teardown (test, fixture_new, fixture_destroy)
    const struct CMUnitTest tests [] = {
        IN_LEDGER (test_each_commit_of_one_event_is_right_and_writes_neither_table),
        IN_LEDGER (test_larger_batches_are_right),
        IN_LEDGER (test_sequence_of_a_batch_without_an_event_is_written),
        IN_LEDGER (test_rolled_back_batch_leaves_nothing),
        IN_LEDGER (test_deferred_batches_are_right_once_they_are_home),
        IN_LEDGER (test_many_commits_in_one_transaction_are_right),
        IN_LEDGER (test_ledger_of_schema_9_is_migrated)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
