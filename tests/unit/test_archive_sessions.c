/*  test_archive_sessions - sessions that move to an archive after their tasks, and back; migrated, erased, of a history that was lost

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "archive_fixture.h"
#include "sqlite/archive/archive_file.h"
#include "earlier_schema.h"
#include "ledger/erase.h"
#include "ledger/snapshot.h"

#define YEAR_US 31536000000000LL     // 1971-01-01T00:00:00Z

//  A command and the end of the session, which has three events then
static void
s_end_session (fixture_t *self)
{
    fixture_append (self, "{'type':'session.command_executed','time':7,'session_id':'s','command':'make','exit_code':1}");
    fixture_append (self, "{'type':'session.state_changed','time':8,'session_id':'s','state':'completed'}");
}

//  Move its task, and then the session
static void
s_archive_session (fixture_t *self)
{
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    archive_tasks (self);
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    assert_true (step.sessions);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    assert_int_equal (fixture_ask (self, "SELECT sum (sessions) FROM archives"), 1);
}

//  All that is read of the session. Caller owns it.
static json_t *
s_session (fixture_t *self)
{
    int64_t next;
    json_t *rows = json_array ();
    stele_chain_filter_t all = { .limit = 10 };
    stele_session_times_t times = { 0 };
    assert_int_equal (stele_reader_session (self->reader, "s", 1, fixture_add, rows), 1);
    assert_int_equal (stele_reader_sessions (self->reader, 0, (stele_span_t) { "t", 1 }, 0, 10, fixture_add, rows, &next), 0);
    assert_int_equal (stele_reader_sessions (self->reader, 0, (stele_span_t) { NULL, 0 }, 0, 10, fixture_add, rows, &next), 0);
    assert_int_equal (stele_reader_chain (self->reader, STELE_CHAIN_COMMANDS, "s", 1, &all, fixture_add, rows, &next), 1);
    assert_int_equal (stele_reader_commands (self->reader, true, 0, 0, 0, 10, fixture_add, rows, &next), 0);
    for (int64_t at = 3; at <= 8; at++)
        assert_int_equal (stele_reader_table (self->reader, STELE_TABLE_SESSIONS, 0, at, 10, fixture_add, rows, &next), 0);
    assert_int_equal (stele_reader_table (self->reader, STELE_TABLE_COMMANDS, 0, 8, 10, fixture_add, rows, &next), 0);
    assert_int_equal (stele_reader_session_times (self->reader, "s", 1, &times), 1);
    json_array_append_new (rows, json_pack ("[I, I, I]", (json_int_t) times.wall_us, (json_int_t) times.commands,
        (json_int_t) times.by_state_us [STELE_SESSION_INITIALIZING]));
    return rows;
}

static void
test_archive_moved_session_is_read_as_before_and_comes_back (void **state)
{
    fixture_t *self = *state;
    stele_ledger_stats_t stats;
    s_end_session (self);
    json_t *before = s_session (self), *log = fixture_events (self, 0, 100, 0);
    assert_int_equal (json_array_size (before), 1 + 1 + 1 + 1 + 1 + 6 + 1 + 1);
    s_archive_session (self);
    archive_assert_events (self, 8, 7);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions"), 0);
    json_t *again = s_session (self);
    assert_true (json_equal (before, again));
    json_decref (again);
    assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
    assert_int_equal (stats.sessions, 1);
    assert_string_equal (stats.storage [4].name, "archived_sessions");
    assert_int_equal (stats.storage [4].value, 1);
    //  The task alone comes back; then the session does, and both move again
    fixture_append (self, "{'type':'task.output_added','time':9,'task_id':'t','output_type':'stdout','content':'late'}");
    archive_assert_events (self, 9, 3);
    again = s_session (self);
    assert_true (json_equal (before, again));
    json_decref (again);
    fixture_append (self, "{'type':'session.command_executed','time':10,'session_id':'s','command':'make check'}");
    archive_assert_events (self, 10, 0);
    assert_int_equal (fixture_ask (self, "SELECT sum (sessions) + sum (tasks) FROM archives"), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions WHERE id = 3 AND command_count = 2 AND last_command = 10"), 1);
    assert_int_equal (fixture_ask (self, "SELECT previous FROM cli_session_commands WHERE position = 10"), 7);
    again = fixture_events (self, 0, 8, 0);
    assert_true (json_equal (log, again));
    json_decref (again);
    json_decref (log);
    json_decref (before);
    s_archive_session (self);
    archive_assert_events (self, 10, 9);
    assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
    assert_int_equal (stats.sessions, 1);
    fixture_assert_intact (self);
}

static void
test_archive_session_that_changed_meanwhile_stays (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    archive_tasks (self);
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    fixture_append (self, "{'type':'session.state_changed','time':7,'session_id':'s','state':'running'}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    archive_assert_events (self, 7, 4);
    //  And one whose task came back: it may have been erased
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    fixture_append (self, "{'type':'task.output_added','time':8,'task_id':'t','output_type':'stdout','content':'late'}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    archive_assert_events (self, 8, 0);
    //  A rollback, of the move and of the way back
    archive_tasks (self);
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    stele_ledger_begin (self->ledger);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    stele_ledger_rollback (self->ledger);
    archive_assert_events (self, 8, 5);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    archive_assert_events (self, 8, 8 - 1);
    stele_ledger_begin (self->ledger);
    self->in_batch = true;
    fixture_append (self, "{'type':'session.state_changed','time':9,'session_id':'s','state':'completed'}");
    stele_ledger_rollback (self->ledger);
    self->in_batch = false;
    archive_assert_events (self, 8, 8 - 1);
}

static void
test_archive_sessions_without_an_archived_task_stay (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    fixture_append (self, "{'type':'session.started','time':7,'session_id':'alone','cli_tool':'c','mode':'m','current_directory':'/'}");
    fixture_append (self, "{'type':'session.started','time':7,'session_id':'live','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'live'}");
    fixture_append (self, "{'type':'session.started','time':7,'session_id':'none','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'none'}");
    fixture_append (self, "{'type':'session.started','time':%d,'session_id':'new','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'t'}", LONG_AFTER + 1);
    archive_tasks (self);
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    assert_int_equal (archive_copy (self, &step, &refusal), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions WHERE session_id IN ('alone', 'live', 'none', 'new')"), 4);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM archived_sessions WHERE session_id = 's'"), 1);
    archive_assert_events (self, 10, 5);
}

static int
s_leaf (const stele_record_t *event, char leaf [STELE_ERASED_LEAF_SIZE + 1], void *arg)
{
    (void) event;
    (void) arg;
    memset (leaf, '0', STELE_ERASED_LEAF_SIZE);
    leaf [STELE_ERASED_LEAF_SIZE] = '\0';
    return 0;
}

//  The file as schema 10 had it, which archived tasks without their sessions
static void
s_become_earlier (const char *path)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int rc = sqlite3_exec (db, "BEGIN;" SCHEMA_10 "PRAGMA user_version = 10; COMMIT", NULL, NULL, NULL);
    if (rc)
        fail_msg ("%s", sqlite3_errmsg (db));
    sqlite3_close (db);
}

//  A backup of these files holds, with its one archived task
static void
s_assert_snapshot (const char *path, const char *archive_path)
{
    stele_refusal_t refusal = { 0 };
    stele_snapshot_facts_t facts;
    stele_snapshot_archive_t archives [STELE_SNAPSHOT_ARCHIVES];
    stele_snapshot_verify (path, NULL, NULL, &facts, &refusal);
    assert_string_equal (refusal.message, "");
    assert_int_equal (stele_snapshot_archives (path, archives, &refusal), 1);
    assert_int_equal (archives [0].tasks, 1);
    stele_snapshot_verify_archive (archive_path, path, &archives [0], NULL, NULL, &refusal);
    assert_string_equal (refusal.message, "");
}

static void
test_archive_sessions_of_tasks_that_an_earlier_version_archived_move (void **state)
{
    fixture_t *self = *state;
    char name [160];
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    archive_tasks (self);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    s_become_earlier (self->path);
    s_become_earlier (name);
    s_assert_snapshot (self->path, name);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    archive_assert_events (self, 6, 4);
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    archive_assert_events (self, 6, 5);
    fixture_assert_intact (self);
    s_assert_snapshot (self->path, name);
}

//  Rows of the session in the archive
static int64_t
s_ask_archive (const fixture_t *self, const char *sql)
{
    char name [160];
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (name, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int64_t answer = stele_sql_integer (db, sql, -1);
    sqlite3_close (db);
    return answer;
}

#define ARCHIVED_ROWS "SELECT (SELECT count (*) FROM cli_sessions) + (SELECT count (*) FROM cli_session_history)" \
    " + (SELECT count (*) FROM cli_session_commands) + (SELECT count (*) FROM archived_sessions)"

//  A task that ended in 1971, and its session
static void
s_archive_next_year (fixture_t *self)
{
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    stele_archiver_t *archiver = stele_archiver_new (self->path, 0600, self->reader);
    for (int sessions = 0; sessions < 2; sessions++) {
        assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 1);
        assert_int_equal (step.sessions, sessions);
        assert_int_equal (step.year, 1971);
        fixture_begin (self);
        assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
        fixture_commit (self);
    }
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 0);
    stele_archiver_destroy (&archiver);
}

//  Erase the task, and give the session another one before the files are scrubbed
static void
s_erase (fixture_t *self, int64_t events)
{
    stele_refusal_t refusal = { 0 };
    stele_erasure_t erasure = { .time_us = 20, .reason = "r" };
    fixture_begin (self);
    assert_int_equal (stele_ledger_erase (self->ledger, "t", 1, s_leaf, NULL, &erasure, &refusal), events);
    fixture_commit (self);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM archived_sessions"), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_session_commands WHERE command = '(erased)'"), 1);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_session_history WHERE extra GLOB '{\"erased_leaf\":*'"), 2);
    fixture_append (self, "{'type':'session.started','time':30,'session_id':'s','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'live'}");
    assert_int_equal (s_ask_archive (self, ARCHIVED_ROWS), 1 + 3);
    assert_int_equal (stele_ledger_scrub (self->ledger, true), 0);
    assert_int_equal (s_ask_archive (self, ARCHIVED_ROWS), 0);
    assert_int_equal (s_ask_archive (self, "SELECT (SELECT count (*) FROM tasks) + (SELECT count (*) FROM task_history)"), 0);
    fixture_assert_intact (self);
}

static void
test_archive_erased_task_has_no_session_left_in_the_archive (void **state)
{
    s_end_session (*state);
    s_archive_session (*state);
    s_erase (*state, 7);
}

static void
test_archive_erased_task_that_came_back_alone_has_no_session_left_there (void **state)
{
    fixture_t *self = *state;
    s_end_session (self);
    s_archive_session (self);
    fixture_append (self, "{'type':'task.output_added','time':9,'task_id':'t','output_type':'log','content':'late'}");
    s_erase (self, 8);
}

//  The same, but the session follows its other task to another archive before the files are scrubbed
static void
test_archive_session_in_another_archive_leaves_no_copy_of_an_erased_one (void **state)
{
    fixture_t *self = *state;
    stele_refusal_t refusal = { 0 };
    stele_erasure_t erasure = { .time_us = 20, .reason = "r" };
    s_end_session (self);
    s_archive_session (self);
    fixture_begin (self);
    assert_int_equal (stele_ledger_erase (self->ledger, "t", 1, s_leaf, NULL, &erasure, &refusal), 7);
    fixture_commit (self);
    fixture_append (self, "{'type':'task.state_changed','time':%lld,'task_id':'live','state':'failed'}", YEAR_US);
    fixture_append (self, "{'type':'session.started','time':%lld,'session_id':'s','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'live'}", YEAR_US);
    s_archive_next_year (self);
    assert_int_equal (s_ask_archive (self, ARCHIVED_ROWS), 1 + 3);
    //  Not while the archiver writes
    assert_true (stele_archive_begin (true));
    assert_int_equal (stele_ledger_scrub (self->ledger, false), STELE_EBUSY);
    stele_archive_end ();
    assert_int_equal (stele_ledger_scrub (self->ledger, false), 0);
    assert_int_equal (s_ask_archive (self, ARCHIVED_ROWS), 0);
    assert_int_equal (fixture_ask (self, "SELECT archive FROM archived_sessions WHERE session_id = 's'"), 1971);
    archive_assert_events (self, 10, 6);
    fixture_assert_intact (self);
}

//  An archive that cannot be written holds up neither tasks nor the sessions of others
static void
test_archive_sessions_that_cannot_move_hold_up_nothing (void **state)
{
    fixture_t *self = *state;
    char name [160];
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    sqlite3 *db;
    archive_tasks (self);
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    assert_int_equal (sqlite3_open_v2 (name, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal (stele_sql_exec (db, "BEGIN IMMEDIATE"), 0);
    stele_archiver_t *archiver = stele_archiver_new (self->path, 0600, self->reader);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), STELE_EBUSY);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 0);
    fixture_append (self, "{'type':'task.state_changed','time':%lld,'task_id':'live','state':'failed'}", YEAR_US);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 1);
    assert_int_equal (step.year, 1971);
    assert_false (step.sessions);
    //  And in the next pass they move
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), STELE_EBUSY);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 0);
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 1);
    assert_int_equal (stele_archiver_copy (archiver, YEAR_US + 1, &step, &refusal), 1);
    assert_true (step.sessions);
    stele_archiver_destroy (&archiver);
}

//  Sessions of tasks that are in an archive of an earlier id of the ledger are no failure: they stay, and others move
static void
test_archive_session_of_a_history_that_was_lost_stays (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    archive_tasks (self);
    assert_int_equal (stele_ledger_give_up (self->ledger, "test", &refusal), 0);
    stele_reader_close (&self->reader);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    assert_int_equal (archive_copy (self, &step, &refusal), 0);
    archive_assert_events (self, 6, 4);
    //  A task that ends in another year moves to an archive of the new id, and so does its session
    fixture_append (self, "{'type':'task.state_changed','time':%lld,'task_id':'live','state':'failed'}", YEAR_US);
    fixture_append (self, "{'type':'session.started','time':%lld,'session_id':'other','cli_tool':'c','mode':'m',"
        "'current_directory':'/','task_id':'live'}", YEAR_US);
    s_archive_next_year (self);
    archive_assert_events (self, 8, 7);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions WHERE session_id = 's'"), 1);
    fixture_assert_intact (self);
}

int
main (void)
{
#define TEST(test) cmocka_unit_test_setup_teardown (test, archive_new, archive_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_archive_moved_session_is_read_as_before_and_comes_back),
        TEST (test_archive_session_that_changed_meanwhile_stays),
        TEST (test_archive_sessions_without_an_archived_task_stay),
        TEST (test_archive_sessions_of_tasks_that_an_earlier_version_archived_move),
        TEST (test_archive_erased_task_has_no_session_left_in_the_archive),
        TEST (test_archive_erased_task_that_came_back_alone_has_no_session_left_there),
        TEST (test_archive_session_in_another_archive_leaves_no_copy_of_an_erased_one),
        TEST (test_archive_sessions_that_cannot_move_hold_up_nothing),
        TEST (test_archive_session_of_a_history_that_was_lost_stays)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
