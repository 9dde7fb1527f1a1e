/*  table_export - a whole table, row after row, as of one position

    For exports. Rows come in the order of their keys, which are positions. Rows of
    event tables never change, so it is enough to stop at the requested position;
    tasks and sessions that changed after it are read as they were.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

#define SKIPPED_MAX 65536           // Rows of other users that a page skips

//  -- a session as of a position --------------------------------------------------------

typedef struct {
    stele_reader_t *reader;
    int64_t key, at;
    int64_t last_history, last_command;
    int state;                      // 0: not known yet
    bool started;
} s_session_t;

static int
s_find_session (s_session_t *session)
{
    static const reader_column_t columns [] = {
        { STELE_SESSION_ID, COLUMN_TEXT }, { STELE_COMMAND_COUNT, COLUMN_INTEGER }
    };
    stele_reader_t *self = session->reader;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_TABLE_SESSION,
        "SELECT session_id, command_count, last_history, last_command FROM cli_sessions"
        " WHERE id = ?1", session->key);
    if (reader_step (self, statement) != 1)
        return self->status;
    READER_FILL (self, statement, 0, columns);
    session->last_history = sqlite3_column_int64 (statement, 2);
    session->last_command = sqlite3_column_int64 (statement, 3);
    return self->status;
}

static bool
s_has_user (const s_session_t *session)
{
    return session->reader->row->values [STELE_USER_ID].kind != STELE_VALUE_NONE;
}

//  A session.started gave all fields that a session has, but for the user: one without leaves that of earlier ones
static void
s_take_start (s_session_t *session, sqlite3_stmt *statement)
{
    static const reader_column_t user [] = { { STELE_USER_ID, COLUMN_WORD } };
    stele_reader_t *self = session->reader;
    if (session->started) {
        READER_FILL (self, statement, 4, user);
        return;
    }
    size_t size;
    const char *text = reader_column_text (self, statement, 5, &size);
    int code = text? stele_json_fields_set (text, size, STELE_VOCABULARY_SESSION_STATE, self->row): 0;
    if (code)
        reader_fail_json (self, code);
    READER_FILL (self, statement, 4, user);
    stele_record_set_integer (self->row, STELE_CREATED_AT, sqlite3_column_int64 (statement, 1));
    session->started = true;
}

//  Newest first: the newest row in range has the state, the newest start in range the fields
static void
s_read_history (s_session_t *session)
{
    stele_reader_t *self = session->reader;
    int64_t position = session->last_history;
    while (position > 0 && !(session->started && s_has_user (session))) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_TABLE_SESSION_HISTORY,
            "SELECT previous, time, state_to, kind, user_id, fields FROM cli_session_history"
            " WHERE position = ?1", position);
        if (reader_step (self, statement) != 1 || reader_overdue (self))
            return;
        if (position <= session->at) {
            int64_t time = sqlite3_column_int64 (statement, 1);
            if (session->state == 0) {
                session->state = sqlite3_column_int (statement, 2);
                stele_record_set_integer (self->row, STELE_POSITION, position);
                stele_record_set_integer (self->row, STELE_UPDATED_AT, time);
                if (session->state >= STELE_SESSION_TERMINAL_FROM)
                    stele_record_set_integer (self->row, STELE_COMPLETED_AT, time);
            }
            if (sqlite3_column_int (statement, 3) == STELE_HISTORY_CREATED)
                s_take_start (session, statement);
        }
        position = sqlite3_column_int64 (statement, 0);
    }
}

//  Commands after the position do not count; the newest one before it may be the last event
static void
s_read_commands (s_session_t *session)
{
    stele_reader_t *self = session->reader;
    stele_record_t *row = self->row;
    int64_t position = session->last_command;
    while (position > 0) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_TABLE_SESSION_COMMAND,
            "SELECT previous, time FROM cli_session_commands WHERE position = ?1", position);
        if (reader_step (self, statement) != 1 || reader_overdue (self))
            return;
        if (position <= session->at) {
            if (position > stele_record_integer (row, STELE_POSITION, 0)) {
                stele_record_set_integer (row, STELE_POSITION, position);
                stele_record_set_integer (row, STELE_UPDATED_AT, sqlite3_column_int64 (statement, 1));
            }
            return;
        }
        row->values [STELE_COMMAND_COUNT].integer--;
        position = sqlite3_column_int64 (statement, 0);
    }
}

static int
s_session_as_of (stele_reader_t *self, int64_t key, int64_t at)
{
    s_session_t session = { .reader = self, .key = key, .at = at };
    stele_record_clear (self->row);
    if (s_find_session (&session))
        return self->status;
    s_read_history (&session);
    s_read_commands (&session);
    stele_record_set_word (self->row, STELE_STATE, STELE_VOCABULARY_SESSION_STATE,
        session.state? session.state: STELE_SESSION_INITIALIZING);
    if (!session.started || !s_has_user (&session)) {
        //  Its first event created it without a start, or named its user
        static const reader_column_t first [] = { { STELE_USER_ID, COLUMN_WORD }, { STELE_CREATED_AT, COLUMN_INTEGER } };
        sqlite3_stmt *statement = reader_with_key (self, SLOT_TABLE_SESSION_FIRST,
            "SELECT user_id, time FROM cli_session_history WHERE position = ?1 UNION ALL"
            " SELECT user_id, time FROM cli_session_commands WHERE position = ?1", key);
        if (reader_step (self, statement) == 1)
            reader_fill (self, statement, 0, first, session.started? 1: 2);
    }
    reader_default_text (self, STELE_USER_ID, "default");
    return self->status;
}

//  -- tables --------------------------------------------------------------------------

//  Tasks or sessions: their key is the position of their first event
static sqlite3_stmt *
s_keys (stele_reader_t *self, stele_table_t table, int64_t after, int64_t at)
{
    sqlite3_stmt *statement = table == STELE_TABLE_TASKS?
        reader_with_key (self, SLOT_TABLE_TASKS,
            "SELECT t.id, s.position, t.task_id FROM tasks t JOIN states_plain s ON s.task = t.id"
            " WHERE t.id > ?1 AND t.id <= ?2 ORDER BY t.id", after):
        reader_with_key (self, SLOT_TABLE_SESSIONS,
            "SELECT id, position FROM cli_sessions WHERE id > ?1 AND id <= ?2 ORDER BY id", after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, at);
    return statement;
}

static int
s_fill (stele_reader_t *self, stele_table_t table, sqlite3_stmt *statement, int64_t at)
{
    int64_t key = sqlite3_column_int64 (statement, 0);
    bool changed = sqlite3_column_int64 (statement, 1) > at;
    stele_record_clear (self->row);
    if (table == STELE_TABLE_SESSIONS) {
        if (changed)
            return s_session_as_of (self, key, at);
        reader_session_row (self, key);
    }
    else
    if (changed) {
        char room [STELE_ID_TEXT];
        size_t size = 0;
        const char *task_id = stele_id_column (statement, 2, room, &size);
        reader_task_as_of (self, task_id? task_id: "", size, at);
    }
    else
        reader_task_row (self, key, false);
    //  A restored ledger has equal tables, but its tasks belong to no producer
    self->row->values [STELE_PRODUCER].kind = STELE_VALUE_NONE;
    return self->status;
}

static int
s_records (stele_reader_t *self, stele_table_t table, int64_t after, int64_t at, int64_t limit,
    stele_row_fn *fn, void *arg, int64_t *next)
{
    sqlite3_stmt *statement = s_keys (self, table, after, at);
    int64_t last = after, skipped = 0;
    int rc = 0;
    for (int64_t count = 0; rc == 0 && reader_step (self, statement) == 1;) {
        if (count == limit || skipped == SKIPPED_MAX) {
            *next = last;
            break;
        }
        int64_t key = sqlite3_column_int64 (statement, 0);
        if (!(table == STELE_TABLE_TASKS? reader_scope_has_task (self, key): reader_scope_has_session (self, key))) {
            last = key;
            skipped++;
            continue;
        }
        count++;
        if (s_fill (self, table, statement, at))
            break;
        rc = fn (self->row, arg);
        last = key;
    }
    return rc;
}

static int
s_rows (stele_reader_t *self, reader_source_t source, int64_t after, int64_t at, int64_t limit,
    stele_row_fn *fn, void *arg, int64_t *next)
{
    sqlite3_stmt *statement = reader_log_statement (self, source, after);
    int rc = 0;
    int64_t last = after, skipped = 0;
    for (int64_t count = 0; rc == 0 && reader_step (self, statement) == 1;) {
        int64_t position = sqlite3_column_int64 (statement, 0);
        if (position > at)
            break;
        if (count == limit || skipped == SKIPPED_MAX) {
            *next = last;
            break;
        }
        if (!reader_row_in_scope (self, source, statement)) {
            last = position;
            skipped++;
            continue;
        }
        count++;
        stele_record_clear (self->row);
        if (reader_fill_record (self, source, statement))
            break;
        rc = fn (self->row, arg);
        last = position;
    }
    return rc;
}

int
stele_reader_table (stele_reader_t *self, stele_table_t table, int64_t after, int64_t at,
    int64_t limit, stele_row_fn *fn, void *arg, int64_t *next)
{
    static const reader_source_t sources [] = {
        [STELE_TABLE_HISTORY] = SOURCE_HISTORY, [STELE_TABLE_OUTPUTS] = SOURCE_OUTPUTS,
        [STELE_TABLE_METRICS] = SOURCE_METRICS, [STELE_TABLE_COMMANDS] = SOURCE_COMMANDS,
        [STELE_TABLE_AUDIT] = SOURCE_AUDIT
    };
    int rc = reader_enter (self);
    if (rc)
        return rc;
    int64_t cursor = 0;
    if (table == STELE_TABLE_TASKS || table == STELE_TABLE_SESSIONS)
        rc = s_records (self, table, after, at, limit, fn, arg, &cursor);
    else
        rc = s_rows (self, sources [table], after, at, limit, fn, arg, &cursor);
    int64_t result = reader_leave (self, rc < 0? rc: 0);
    if (result == 0)
        *next = cursor;
    return (int) result;
}
