/*  test_archive - tasks and sessions that move to an archive, between the copy and the commit, and back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sys/stat.h>
#include "ledger_fixture.h"
#include "ledger/archive.h"
#include "ledger/erase.h"
#include "sqlite/write/ledger_internal.h"

#define LONG_AFTER 1000000

static int
s_new (void **state)
{
    fixture_new (state);
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'T','description':'','role':'r','user_id':'ann'}");
    fixture_append (self, "{'type':'task.output_added','time':2,'task_id':'t','output_type':'stdout','content':'a'}");
    fixture_append (self, "{'type':'session.started','time':3,'session_id':'s','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'t'}");
    fixture_append (self, "{'type':'task.metric_recorded','time':4,'task_id':'t','name':'n','value':1}");
    fixture_append (self, "{'type':'task.state_changed','time':5,'task_id':'t','state':'failed','error_message':'e'}");
    fixture_append (self, "{'type':'task.created','time':6,'task_id':'live','title':'L','description':'','role':'r'}");
    return 0;
}

static int
s_destroy (void **state)
{
    fixture_t *self = *state;
    static const char *const suffixes [] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes [0]; i++) {
        char name [160];
        snprintf (name, sizeof name, "%s.archive-1970%s", self->path, suffixes [i]);
        unlink (name);
    }
    return fixture_destroy (state);
}

//  Copy what ended. Returns what stele_archiver_copy does.
static int
s_copy (fixture_t *self, stele_archive_step_t *step, stele_refusal_t *refusal)
{
    stele_archiver_t *archiver = stele_archiver_new (self->path, 0600, self->reader);
    assert_non_null (archiver);
    int count = stele_archiver_copy (archiver, LONG_AFTER, step, refusal);
    stele_archiver_destroy (&archiver);
    return count;
}

static void
s_archive (fixture_t *self)
{
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
}

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
    s_archive (self);
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    assert_true (step.sessions);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    assert_int_equal (fixture_ask (self, "SELECT sum (sessions) FROM archives"), 1);
}

//  Each position once, and so many events here and in the archive
static void
s_assert_events (fixture_t *self, int64_t events, int64_t archived)
{
    json_t *log = fixture_events (self, 0, 100, 0);
    assert_int_equal (json_array_size (log), events);
    for (int64_t i = 0; i < events; i++)
        assert_int_equal (json_integer_value (json_object_get (json_array_get (log, (size_t) i), "position")), i + 1);
    json_decref (log);
    assert_int_equal (fixture_ask (self, "SELECT (SELECT ifnull (sum (events), 0) FROM archived_tasks)"
        " + (SELECT ifnull (sum (events), 0) FROM archived_sessions)"), archived);
    assert_int_equal (fixture_ask (self, "SELECT (SELECT count (*) FROM task_history) + (SELECT count (*) FROM task_outputs)"
        " + (SELECT count (*) FROM task_metrics) + (SELECT count (*) FROM cli_session_history)"
        " + (SELECT count (*) FROM cli_session_commands)"), events - archived);
    assert_int_equal (fixture_ask (self, "SELECT sum (count) FROM task_counts"), 2);
}

static void
test_archive_moved_task_is_read_and_comes_back (void **state)
{
    fixture_t *self = *state;
    s_archive (self);
    s_assert_events (self, 6, 4);
    //  The writer had it in memory
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    s_assert_events (self, 7, 0);
    s_archive (self);
    s_assert_events (self, 7, 5);
    fixture_append (self, "{'type':'task.state_changed','time':8,'task_id':'t','state':'queued'}");
    s_assert_events (self, 8, 0);
    assert_int_equal (fixture_ask (self, "SELECT tasks FROM archives"), 0);
    fixture_assert_intact (self);
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
    s_assert_events (self, 8, 7);
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
    s_assert_events (self, 9, 3);
    again = s_session (self);
    assert_true (json_equal (before, again));
    json_decref (again);
    fixture_append (self, "{'type':'session.command_executed','time':10,'session_id':'s','command':'make check'}");
    s_assert_events (self, 10, 0);
    assert_int_equal (fixture_ask (self, "SELECT sum (sessions) + sum (tasks) FROM archives"), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions WHERE id = 3 AND command_count = 2 AND last_command = 10"), 1);
    assert_int_equal (fixture_ask (self, "SELECT previous FROM cli_session_commands WHERE position = 10"), 7);
    again = fixture_events (self, 0, 8, 0);
    assert_true (json_equal (log, again));
    json_decref (again);
    json_decref (log);
    json_decref (before);
    s_archive_session (self);
    s_assert_events (self, 10, 9);
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
    s_archive (self);
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    fixture_append (self, "{'type':'session.state_changed','time':7,'session_id':'s','state':'running'}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    s_assert_events (self, 7, 4);
    //  And one whose task came back: it may have been erased
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    fixture_append (self, "{'type':'task.output_added','time':8,'task_id':'t','output_type':'stdout','content':'late'}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    s_assert_events (self, 8, 0);
    //  A rollback, of the move and of the way back
    s_archive (self);
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    stele_ledger_begin (self->ledger);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    stele_ledger_rollback (self->ledger);
    s_assert_events (self, 8, 5);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    s_assert_events (self, 8, 8 - 1);
    stele_ledger_begin (self->ledger);
    self->in_batch = true;
    fixture_append (self, "{'type':'session.state_changed','time':9,'session_id':'s','state':'completed'}");
    stele_ledger_rollback (self->ledger);
    self->in_batch = false;
    s_assert_events (self, 8, 8 - 1);
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
    s_archive (self);
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    assert_int_equal (s_copy (self, &step, &refusal), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM cli_sessions WHERE session_id IN ('alone', 'live', 'none', 'new')"), 4);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM archived_sessions WHERE session_id = 's'"), 1);
    s_assert_events (self, 10, 5);
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
    int rc = sqlite3_exec (db, "BEGIN; DROP VIEW session_history_plain; DROP VIEW session_commands_plain;"
        "DROP TRIGGER cli_session_history_no_delete; DROP TRIGGER cli_session_commands_no_delete; DROP TABLE archived_sessions;"
        "ALTER TABLE archives DROP COLUMN sessions;"
        "CREATE TRIGGER cli_session_history_no_delete BEFORE DELETE ON cli_session_history"
        " BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;"
        "CREATE TRIGGER cli_session_commands_no_delete BEFORE DELETE ON cli_session_commands"
        " BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END; PRAGMA user_version = 10; COMMIT", NULL, NULL, NULL);
    if (rc)
        fail_msg ("%s", sqlite3_errmsg (db));
    sqlite3_close (db);
}

static void
test_archive_sessions_of_tasks_that_an_earlier_version_archived_move (void **state)
{
    fixture_t *self = *state;
    char name [160];
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    snprintf (name, sizeof name, "%s.archive-1970", self->path);
    s_archive (self);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    s_become_earlier (self->path);
    s_become_earlier (name);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    s_assert_events (self, 6, 4);
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
    s_assert_events (self, 6, 5);
    fixture_assert_intact (self);
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

static void
test_archive_rollback_leaves_the_task_in_the_ledger (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    stele_ledger_begin (self->ledger);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    stele_ledger_rollback (self->ledger);
    s_assert_events (self, 6, 0);
    s_archive (self);
    //  And of the way back, in the archive
    stele_ledger_begin (self->ledger);
    self->in_batch = true;
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    stele_ledger_rollback (self->ledger);
    self->in_batch = false;
    s_assert_events (self, 6, 4);
    fixture_append (self, "{'type':'task.output_added','time':7,'task_id':'t','output_type':'stdout','content':'late'}");
    s_assert_events (self, 7, 0);
}

static void
test_archive_task_that_changed_meanwhile_stays (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (s_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    //  In the same batch, not written to its row yet
    fixture_append (self, "{'type':'task.metric_recorded','time':7,'task_id':'t','name':'n','value':2}");
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 0);
    fixture_commit (self);
    s_assert_events (self, 7, 0);
    s_archive (self);
    s_assert_events (self, 7, 5);
}

static void
test_archive_ledger_keeps_its_event_tables_append_only (void **state)
{
    fixture_t *self = *state;
    static const char *const tables [] = { "task_history", "cli_session_history", "cli_session_commands" };
    fixture_append (self, "{'type':'session.command_executed','time':7,'session_id':'s','command':'make'}");
    s_archive (self);
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
    s_assert_events (self, 7, 4);
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
            s_archive (self);
        if (archived == 1) {
            assert_int_equal (s_copy (self, &step, &refusal), 1);
            fixture_begin (self);
            assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
            fixture_commit (self);
        }
    }
    s_assert_events (self, 6, 5);
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
    s_assert_events (self, 7, 0);
    assert_int_equal (s_copy (self, &step, &refusal), 2);
}

static void
test_archive_of_an_earlier_id_of_the_ledger_gets_nothing_more (void **state)
{
    fixture_t *self = *state;
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    s_archive (self);
    assert_int_equal (stele_ledger_give_up (self->ledger, "test", &refusal), 0);
    fixture_append (self, "{'type':'task.state_changed','time':8,'task_id':'live','state':'failed'}");
    stele_reader_close (&self->reader);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->reader);
    assert_int_equal (s_copy (self, &step, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "the end of its history was lost"));
    s_assert_events (self, 7, 4);
}

//  Twice as long after each try that failed, at most five minutes
static void
test_archive_that_cannot_be_scrubbed_is_tried_less_and_less_often (void **state)
{
    fixture_t *self = *state;
    char name [160], aside [168];
    int64_t since_ms, delay_ms = 1000;
    s_archive (self);
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
#define TEST(test) cmocka_unit_test_setup_teardown (test, s_new, s_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_archive_moved_task_is_read_and_comes_back),
        TEST (test_archive_moved_session_is_read_as_before_and_comes_back),
        TEST (test_archive_session_that_changed_meanwhile_stays),
        TEST (test_archive_sessions_without_an_archived_task_stay),
        TEST (test_archive_sessions_of_tasks_that_an_earlier_version_archived_move),
        TEST (test_archive_erased_task_has_no_session_left_in_the_archive),
        TEST (test_archive_erased_task_that_came_back_alone_has_no_session_left_there),
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
