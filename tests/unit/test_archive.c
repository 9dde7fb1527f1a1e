/*  test_archive - tasks that move to an archive, between the copy and the commit, and back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sys/stat.h>
#include "archive_fixture.h"

static void
test_archive_moved_task_is_read_and_comes_back (void **state)
{
    fixture_t *self = *state;
    archive_tasks (self);
    archive_assert_events (self, 6, 4);
    //  The writer had it in memory
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    archive_assert_events (self, 7, 0);
    archive_tasks (self);
    archive_assert_events (self, 7, 5);
    fixture_append (self, "{'type':'task.state_changed','time':8,'task_id':'t','state':'queued'}");
    archive_assert_events (self, 8, 0);
    assert_int_equal (fixture_ask (self, "SELECT tasks FROM archives"), 0);
    fixture_assert_intact (self);
}

static void
test_archive_rollback_leaves_the_task_in_the_ledger (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    stele_ledger_begin (self->ledger);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    stele_ledger_rollback (self->ledger);
    archive_assert_events (self, 6, 0);
    archive_tasks (self);
    //  And of the way back, in the archive
    stele_ledger_begin (self->ledger);
    self->in_batch = true;
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    stele_ledger_rollback (self->ledger);
    self->in_batch = false;
    archive_assert_events (self, 6, 4);
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    archive_assert_events (self, 7, 0);
}

static void
test_archive_task_that_changed_meanwhile_stays (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    //  In the same batch, not written to its row yet
    fixture_append (self, "{'type':'task.metric_recorded','time':7,'task_id':'t','name':'n','value':2}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    archive_assert_events (self, 7, 0);
    archive_tasks (self);
    archive_assert_events (self, 7, 5);
}

static void
test_archive_ledger_keeps_its_event_tables_append_only (void **state)
{
    fixture_t *self = *state;
    static const char *const tables [] = { "task_history", "cli_session_history", "cli_session_commands" };
    fixture_append (self, "{'type':'session.command_executed','time':7,'session_id':'s','command':'make'}");
    archive_tasks (self);
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof tables [0]; i++) {
        char sql [80], error [80];
        snprintf (sql, sizeof sql, "DELETE FROM %s", tables [i]);
        snprintf (error, sizeof error, "%s is append-only", tables [i]);
        assert_int_not_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_string_equal (sqlite3_errmsg (db), error);
    }
    sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close (db);
    archive_assert_events (self, 7, 4);
}

//  What stele_ledger_confine says of an event of a key that is bound to bob
static int
s_confine (fixture_t *self, const char *text)
{
    static const stele_span_t bob = { "bob", 3 };
    char copy [400];
    stele_refusal_t refusal = { 0 };
    snprintf (copy, sizeof copy, "%s", text);
    fixture_decode (self, copy);
    stele_ledger_begin (self->ledger);
    int code = stele_ledger_confine (self->ledger, self->event, &bob, 1, &refusal);
    stele_ledger_rollback (self->ledger);
    return code;
}

static void
test_archive_users_keep_what_is_archived (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    for (int archived = 0; archived < 3; archived++) {
        assert_int_equal (s_confine (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'log',"
            "'content':''}"), STELE_EUNAUTHORIZED);
        assert_int_equal (s_confine (self, "{'type':'session.state_changed','time':7,'session_id':'s','state':'completed'}"),
            STELE_EUNAUTHORIZED);
        assert_int_equal (s_confine (self, "{'type':'task.created','time':7,'task_id':'child','title':'C','description':'',"
            "'role':'r','parent_id':'t'}"), STELE_EUNAUTHORIZED);
        if (archived == 0)
            archive_tasks (self);
        if (archived == 1) {
            assert_int_equal (archive_copy (self, &step, &refusal), 1);
            fixture_begin (self);
            assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
            fixture_commit (self);
        }
    }
    archive_assert_events (self, 6, 5);
}

static void
test_archive_that_was_removed_gets_nothing_more (void **state)
{
    fixture_t *self = *state;
    char name [160];
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    stele_archiver_t *archiver = stele_archiver_new (self->path, 0600, self->reader);
    assert_int_equal (stele_archiver_copy (archiver, LONG_AFTER, &step, &refusal), 1);
    fixture_append (self, "{'type':'task.state_changed','time':8,'task_id':'live','state':'failed'}");
    assert_int_equal (unlink (name), 0);
    assert_int_equal (stele_archiver_copy (archiver, LONG_AFTER, &step, &refusal), STELE_EIO);
    assert_non_null (strstr (refusal.message, name));
    stele_archiver_destroy (&archiver);
    //  The ledger does not know it yet, so another one may be made
    archive_assert_events (self, 7, 0);
    assert_int_equal (archive_copy (self, &step, &refusal), 2);
}

static void
test_archive_of_an_earlier_id_of_the_ledger_gets_nothing_more (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    archive_tasks (self);
    assert_int_equal (stele_ledger_give_up (self->ledger, "test", &refusal), 0);
    fixture_append (self, "{'type':'task.state_changed','time':8,'task_id':'live','state':'failed'}");
    stele_reader_close (&self->reader);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->reader);
    assert_int_equal (archive_copy (self, &step, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "the end of its history was lost"));
    archive_assert_events (self, 7, 4);
}

//  Twice as long after each try that failed, at most five minutes
static void
test_archive_that_cannot_be_scrubbed_is_tried_less_and_less_often (void **state)
{
    fixture_t *self = *state;
    char name [160], aside [168];
    int64_t since_ms, delay_ms = 1000;
    archive_tasks (self);
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    snprintf (aside, sizeof aside, "%s.aside", name);
    assert_int_equal (rename (name, aside), 0);
    assert_int_equal (mkdir (name, 0700), 0);
    assert_null (stele_ledger_scrub_error (self->ledger, &since_ms));
    self->ledger->scrub = true;
    for (int tries = 0; tries < 20; tries++) {
        self->ledger->scrub_ms = 0;
        assert_int_equal (stele_ledger_scrub_step (self->ledger), 0);
        if (tries == 0)
            self->ledger->scrub_since_ms -= 60000;
        const char *error = stele_ledger_scrub_error (self->ledger, &since_ms);
        assert_non_null (error);
        assert_non_null (strstr (error, name));
        assert_int_equal (self->ledger->scrub_delay_ms, delay_ms);
        delay_ms = 2 * delay_ms < 300000? 2 * delay_ms: 300000;
    }
    assert_int_equal (rmdir (name), 0);
    assert_int_equal (rename (aside, name), 0);
    //  Not before it is due, but sooner after another erasure
    assert_int_equal (stele_ledger_scrub_step (self->ledger), 0);
    assert_non_null (stele_ledger_scrub_error (self->ledger, &since_ms));
    int64_t due_ms = self->ledger->scrub_ms;
    stele_ledger_scrub_soon (self->ledger);
    assert_true (self->ledger->scrub_ms < due_ms - 200000);
    self->ledger->scrub_ms = 0;
    assert_int_equal (stele_ledger_scrub_step (self->ledger), 0);
    assert_null (stele_ledger_scrub_error (self->ledger, &since_ms));
    assert_false (self->ledger->scrub);
}

int
main (void)
{
#define TEST(test) cmocka_unit_test_setup_teardown (test, archive_new, archive_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_archive_moved_task_is_read_and_comes_back),
        TEST (test_archive_rollback_leaves_the_task_in_the_ledger),
        TEST (test_archive_task_that_changed_meanwhile_stays),
        TEST (test_archive_ledger_keeps_its_event_tables_append_only),
        TEST (test_archive_users_keep_what_is_archived),
        TEST (test_archive_that_was_removed_gets_nothing_more),
        TEST (test_archive_of_an_earlier_id_of_the_ledger_gets_nothing_more),
        TEST (test_archive_that_cannot_be_scrubbed_is_tried_less_and_less_often)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
