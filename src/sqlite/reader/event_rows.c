/*  event_rows - the rows of the event tables, as events and as records

    Per source there is one text with its columns, for all statements that read
    its rows, and next to it the table that maps each column to a field. Position
    and time are filled as in an event; a record calls them id and timestamp.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/reader/reader_internal.h"

//  Columns of history that are not filled by the table
enum { HISTORY_KIND = 6, HISTORY_FROM = 8, HISTORY_TO, HISTORY_TASK = 12, HISTORY_CHANGES, HISTORY_REPLACED, HISTORY_OWNER };

//  Columns with the key of the task; of commands, with its id
enum { OUTPUTS_TASK = 13, METRICS_TASK = 8, COMMANDS_TASK = 10, COMMANDS_STARTED, COMMANDS_HISTORY, COMMANDS_SESSION };

static const reader_column_t s_history [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_TASK_ID, COLUMN_ID },
    { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_PROVIDER, COLUMN_WORD }, { STELE_MODEL, COLUMN_WORD }, { 0, COLUMN_SKIP },
    { STELE_ERROR_MESSAGE, COLUMN_TEXT }, { STELE_STATE_FROM, COLUMN_TASK_STATE },
    { STELE_STATE_TO, COLUMN_TASK_STATE }, { STELE_DETAILS, COLUMN_JSON },
    { 0, COLUMN_EXTRA }
};
#define HISTORY_SQL \
    "SELECT e.position, e.task_id, e.time, e.user_id, e.provider, e.model, e.kind," \
    " e.error_message, e.state_from, e.state_to, e.details, e.extra, e.task, e.changes," \
    " e.replaced, e.owner FROM history_plain e "

static const reader_column_t s_outputs [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_TASK_ID, COLUMN_ID },
    { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_OUTPUT_TYPE, COLUMN_OUTPUT_TYPE }, { STELE_FILE_PATH, COLUMN_TEXT },
    { STELE_FILE_SIZE, COLUMN_INTEGER }, { STELE_MIME_TYPE, COLUMN_WORD },
    { STELE_COMMIT_HASH, COLUMN_ID }, { STELE_BRANCH, COLUMN_TEXT },
    { 0, COLUMN_EXTRA }, { 0, COLUMN_SKIP }, { STELE_CONTENT, COLUMN_CONTENT }, { 0, COLUMN_SKIP }
};
#define OUTPUTS_SQL \
    "SELECT e.position, e.task_id, e.time, e.user_id, e.output_type, e.file_path, e.file_size," \
    " e.mime_type, e.commit_hash, e.branch, e.extra, e.encoding, e.content, e.task" \
    " FROM outputs_plain e "

static const reader_column_t s_metrics [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_TASK_ID, COLUMN_ID },
    { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_NAME, COLUMN_WORD }, { STELE_VALUE, COLUMN_NUMBER }, { STELE_UNIT, COLUMN_WORD },
    { 0, COLUMN_EXTRA }, { 0, COLUMN_SKIP }
};
#define METRICS_SQL \
    "SELECT e.position, e.task_id, e.time, e.user_id, e.name, e.value, e.unit, e.extra, e.task" \
    " FROM metrics_plain e "

//  Columns of sessions that are not filled by the table
enum { SESSIONS_KIND = 5, SESSIONS_TO, SESSIONS_FIELDS, SESSIONS_SESSION };

static const reader_column_t s_sessions [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_SESSION_ID, COLUMN_ID },
    { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD }, { 0, COLUMN_EXTRA }
};
#define SESSIONS_SQL \
    "SELECT e.position, e.session_id, e.time, e.user_id, e.extra, e.kind, e.state_to, e.fields, e.session" \
    " FROM session_history_plain e "

static const reader_column_t s_commands [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_SESSION_ID, COLUMN_ID },
    { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_COMMAND, COLUMN_TEXT }, { STELE_EXECUTION_TIME_MS, COLUMN_NUMBER },
    { STELE_EXIT_CODE, COLUMN_INTEGER }, { 0, COLUMN_EXTRA },
    { 0, COLUMN_SKIP }, { STELE_OUTPUT, COLUMN_CONTENT }, { 0, COLUMN_SKIP },
    { 0, COLUMN_SKIP }, { 0, COLUMN_SKIP }
};
#define COMMANDS_SQL \
    "SELECT e.position, e.session_id, e.time, e.user_id, e.command, e.execution_time_ms," \
    " e.exit_code, e.extra, e.encoding, e.output, e.task_id, e.started, e.last_history, e.session" \
    " FROM session_commands_plain e "

enum { PREFERENCES_USER = 2, PREFERENCES_FIELDS = 4 };

static const reader_column_t s_preferences [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_TIME, COLUMN_INTEGER },
    { STELE_USER_ID, COLUMN_WORD }, { 0, COLUMN_EXTRA }
};
#define PREFERENCES_SQL \
    "SELECT e.position, e.time, e.user_id, e.extra, e.fields FROM user_preference_history e "

static const reader_column_t s_audit [] = {
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_TIME, COLUMN_INTEGER }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_WHO, COLUMN_WORD }, { STELE_OPERATION, COLUMN_WORD }, { STELE_OUTCOME, COLUMN_WORD },
    { STELE_TARGET, COLUMN_TEXT }, { STELE_PEER, COLUMN_TEXT }, { STELE_REQUEST_ID, COLUMN_TEXT },
    { STELE_COUNT, COLUMN_INTEGER }, { STELE_IMPORTED, COLUMN_BOOL }, { STELE_DETAILS, COLUMN_JSON },
    { 0, COLUMN_EXTRA }
};
#define AUDIT_SQL \
    "SELECT e.position, e.time, e.user_id, e.who, e.operation, e.outcome, e.target, e.peer, e.request_id," \
    " e.count, e.imported, e.details, e.extra FROM audit_events e "

#define COLUMNS(table) table, (int) (sizeof table / sizeof table [0])
#define LOG "WHERE e.position > ?1 ORDER BY e.position"
#define ROW "WHERE e.position = ?1"

static const struct {
    const reader_column_t *columns;
    int count;
    const char *log;
    const char *row;
} s_sources [SOURCE_COUNT] = {
    [SOURCE_HISTORY] = { COLUMNS (s_history), HISTORY_SQL LOG, HISTORY_SQL ROW },
    [SOURCE_OUTPUTS] = { COLUMNS (s_outputs), OUTPUTS_SQL LOG, OUTPUTS_SQL ROW },
    [SOURCE_METRICS] = { COLUMNS (s_metrics), METRICS_SQL LOG, METRICS_SQL ROW },
    [SOURCE_SESSIONS] = { COLUMNS (s_sessions), SESSIONS_SQL LOG, SESSIONS_SQL ROW },
    [SOURCE_COMMANDS] = { COLUMNS (s_commands), COMMANDS_SQL LOG, COMMANDS_SQL ROW },
    [SOURCE_PREFERENCES] = { COLUMNS (s_preferences), PREFERENCES_SQL LOG, PREFERENCES_SQL ROW },
    [SOURCE_AUDIT] = { COLUMNS (s_audit), AUDIT_SQL LOG, AUDIT_SQL ROW }
};

_Static_assert (SOURCE_COUNT == 7, "a new table of events needs a row in s_sources and in reader_row_subject, and a case in reader_fill_event");

stele_subject_t
reader_source_subject (reader_source_t source)
{
#define SOURCE_SUBJECT(name, table, subject) [SOURCE_##name] = subject,
    static const stele_subject_t subjects [] = { STELE_EVENT_TABLES (SOURCE_SUBJECT) };
#undef SOURCE_SUBJECT
    return subjects [source];
}

uint32_t
reader_sources_of (uint32_t types)
{
    uint32_t sources = 0;
#define TYPE_SOURCE(type, name) sources |= types & 1u << type? 1u << SOURCE_##name: 0;
    STELE_EVENT_TYPE_TABLES (TYPE_SOURCE)
#undef TYPE_SOURCE
    return sources;
}

sqlite3_stmt *
reader_log_statement (stele_reader_t *self, reader_source_t source, int64_t after)
{
    return reader_with_key (self, SLOT_LOG + (int) source, s_sources [source].log, after);
}

sqlite3_stmt *
reader_row_statement (stele_reader_t *self, reader_source_t source, int64_t position)
{
    return reader_with_key (self, SLOT_ROW + (int) source, s_sources [source].row, position);
}

int64_t
reader_row_subject (reader_source_t source, sqlite3_stmt *statement)
{
    static const int columns [SOURCE_COUNT] = {
        [SOURCE_HISTORY] = HISTORY_TASK, [SOURCE_OUTPUTS] = OUTPUTS_TASK, [SOURCE_METRICS] = METRICS_TASK,
        [SOURCE_SESSIONS] = SESSIONS_SESSION, [SOURCE_COMMANDS] = COMMANDS_SESSION,
        [SOURCE_PREFERENCES] = PREFERENCES_USER
    };
    return sqlite3_column_int64 (statement, columns [source]);
}

int64_t
reader_row_owner (reader_source_t source, sqlite3_stmt *statement)
{
    return source != SOURCE_HISTORY || sqlite3_column_type (statement, HISTORY_OWNER) == SQLITE_NULL? -1:
        sqlite3_column_int64 (statement, HISTORY_OWNER);
}

bool
reader_row_in_scope (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement)
{
    if (self->scope.count == 0)
        return true;
    int64_t subject = reader_row_subject (source, statement);
    switch (reader_source_subject (source)) {
        case STELE_SUBJECT_TASK:
            return reader_scope_has_task (self, subject);
        case STELE_SUBJECT_SESSION:
            return reader_scope_has_session (self, subject);
        default:
            return source == SOURCE_PREFERENCES && reader_scope_has_word (self, subject);
    }
}

int
reader_row_type (reader_source_t source, sqlite3_stmt *statement)
{
    switch (source) {
        case SOURCE_HISTORY:
            switch (sqlite3_column_int (statement, HISTORY_KIND)) {
                case STELE_HISTORY_CREATED:
                    return STELE_TASK_CREATED;
                case STELE_HISTORY_UPDATED:
                    return STELE_TASK_UPDATED;
                default:
                    return STELE_TASK_STATE_CHANGED;
            }
        case SOURCE_OUTPUTS:
            return STELE_TASK_OUTPUT_ADDED;
        case SOURCE_METRICS:
            return STELE_TASK_METRIC_RECORDED;
        case SOURCE_SESSIONS:
            return sqlite3_column_int (statement, SESSIONS_KIND) == STELE_HISTORY_CREATED?
                STELE_SESSION_STARTED: STELE_SESSION_STATE_CHANGED;
        case SOURCE_COMMANDS:
            return STELE_SESSION_COMMAND_EXECUTED;
        case SOURCE_PREFERENCES:
            return STELE_PREFERENCE_SET;
        case SOURCE_AUDIT:
            return STELE_AUDIT_RECORDED;
        //  No default: the compiler reports a source without a case
        case SOURCE_COUNT:
            break;
    }
    assert (false);
    return 0;
}

//  -- as an event ------------------------------------------------------------------

//  The members of a JSON column become fields
static void
s_fill_members (stele_reader_t *self, sqlite3_stmt *statement, int column)
{
    size_t size;
    const char *text = reader_column_text (self, statement, column, &size);
    int code = text? stele_json_fields_set (text, size, stele_record_state_vocabulary (self->row->type), self->row): 0;
    if (code)
        reader_fail_json (self, code);
}

//  The values of task.created are in tasks, except for fields that a placeholder had already: those
//  are in this row
static void
s_fill_created (stele_reader_t *self, sqlite3_stmt *statement)
{
    stele_record_set_word (self->row, STELE_STATE, STELE_VOCABULARY_TASK_STATE,
        sqlite3_column_int (statement, HISTORY_TO));
    reader_created_t created = {
        .task = sqlite3_column_int64 (statement, HISTORY_TASK),
        .position = sqlite3_column_int64 (statement, 0),
        .filled = reader_created_fields (self, statement, HISTORY_FROM, HISTORY_REPLACED)
    };
    reader_fill_created (self, &created, 0);
    s_fill_members (self, statement, HISTORY_CHANGES);
}

static void
s_fill_history_event (stele_reader_t *self, sqlite3_stmt *statement)
{
    stele_record_t *row = self->row;
    row->values [STELE_STATE_FROM].kind = STELE_VALUE_NONE;
    row->values [STELE_STATE_TO].kind = STELE_VALUE_NONE;
    switch (sqlite3_column_int (statement, HISTORY_KIND)) {
        case STELE_HISTORY_CREATED:
            s_fill_created (self, statement);
            break;
        case STELE_HISTORY_UPDATED:
            s_fill_members (self, statement, HISTORY_CHANGES);
            break;
        case STELE_HISTORY_INTERRUPTED:
            stele_record_set_bool (row, STELE_INTERRUPTED, true);
            //  Fall through
        default:
            stele_record_set_word (row, STELE_STATE, STELE_VOCABULARY_TASK_STATE,
                sqlite3_column_int (statement, HISTORY_TO));
    }
}

int
reader_fill_event (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement)
{
    stele_record_t *row = self->row;
    row->type = reader_row_type (source, statement);
    reader_fill (self, statement, 0, s_sources [source].columns, s_sources [source].count);
    if (source == SOURCE_HISTORY)
        s_fill_history_event (self, statement);
    else
    if (source == SOURCE_SESSIONS) {
        if (row->type == STELE_SESSION_STARTED)
            s_fill_members (self, statement, SESSIONS_FIELDS);
        else
            stele_record_set_word (row, STELE_STATE, STELE_VOCABULARY_SESSION_STATE,
                sqlite3_column_int (statement, SESSIONS_TO));
    }
    else
    if (source == SOURCE_PREFERENCES)
        s_fill_members (self, statement, PREFERENCES_FIELDS);
    return self->status;
}

//  -- as a record ------------------------------------------------------------------

//  The task_id that a session had at a position, in self->text; false: none. Newest first: the first
//  session.started before the position gave all fields that the session had.
static bool
s_find_task_id (stele_reader_t *self, int64_t last_history, int64_t position)
{
    int64_t at = last_history;
    while (at > 0 && !reader_overdue (self)) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_ATTEMPT_SESSION,
            "SELECT previous, kind, fields FROM cli_session_history WHERE position = ?1", at);
        if (reader_step (self, statement) != 1)
            return false;
        if (at < position && sqlite3_column_int (statement, 1) == STELE_HISTORY_CREATED) {
            size_t size;
            const char *text = reader_column_text (self, statement, 2, &size);
            int code = text? stele_json_fields_set (text, size, STELE_VOCABULARY_SESSION_STATE, self->text): 0;
            if (code)
                reader_fail_json (self, code);
            return stele_record_has (self->text, STELE_TASK_ID);
        }
        at = sqlite3_column_int64 (statement, 0);
    }
    return false;
}

//  Key of the task of a command's session; 0: none. As of the command: later events change nothing of it.
static int64_t
s_task_of_command (stele_reader_t *self, sqlite3_stmt *statement)
{
    int64_t position = sqlite3_column_int64 (statement, 0), started = sqlite3_column_int64 (statement, COMMANDS_STARTED);
    sqlite3_stmt *task = reader_statement (self, SLOT_ATTEMPT_TASK, "SELECT id FROM tasks WHERE task_id = ?1");
    if (started == 0 || !task)
        return 0;
    if (started < position)
        sqlite3_bind_value (task, 1, sqlite3_column_value (statement, COMMANDS_TASK));
    else
    if (s_find_task_id (self, sqlite3_column_int64 (statement, COMMANDS_HISTORY), position))
        reader_bind_id (task, 1, self->text->values [STELE_TASK_ID].text, self->text->values [STELE_TASK_ID].size);
    else
        return 0;
    int64_t key = reader_integer (self, task, 0);
    return key > 0 && key < position && reader_scope_has_task (self, key)? key: 0;
}

//  Key of the task of a row; 0: none
static int64_t
s_task_of (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement)
{
    switch (source) {
        case SOURCE_HISTORY:
            return sqlite3_column_int64 (statement, HISTORY_TASK);
        case SOURCE_OUTPUTS:
            return sqlite3_column_int64 (statement, OUTPUTS_TASK);
        case SOURCE_METRICS:
            return sqlite3_column_int64 (statement, METRICS_TASK);
        default:
            return s_task_of_command (self, statement);
    }
}

//  Number of the attempt that a row belongs to. Pages have rows in the order of their positions, so
//  only the retries since the row before are counted.
static void
s_set_attempt (stele_reader_t *self, int64_t task, int64_t position)
{
    reader_attempt_t *last = &self->attempt;
    if (task <= 0)
        return;
    if (last->task != task)
        *last = (reader_attempt_t) { .task = task, .position = 0, .number = 1 };
    bool later = position > last->position;
#define RETRIES(indexed) "SELECT count (*) FROM task_history" indexed " WHERE position - task_back = ?1" \
        " AND position > ?2 AND position <= ?3 AND " STELE_SQL_IS_RETRY
    sqlite3_stmt *statement = reader_with_key (self, SLOT_ATTEMPT, self->archives? RETRIES (""):
        RETRIES (" INDEXED BY task_retries"), task);
    if (!statement)
        return;
    sqlite3_bind_int64 (statement, 2, later? last->position: position);
    sqlite3_bind_int64 (statement, 3, later? position: last->position);
    int64_t retries = reader_integer (self, statement, 0);
    *last = (reader_attempt_t) { task, position, last->number + (later? retries: -retries) };
    if (self->status == 0)
        stele_record_set_integer (self->row, STELE_ATTEMPT, last->number);
}

int
reader_fill_record (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement)
{
    static const reader_column_t changes [] = { { STELE_CHANGES, COLUMN_JSON } };
    assert (source != SOURCE_SESSIONS && source != SOURCE_PREFERENCES);
    stele_record_t *row = self->row;
    reader_fill (self, statement, 0, s_sources [source].columns, s_sources [source].count);
    row->values [STELE_ID] = row->values [STELE_POSITION];
    row->values [STELE_POSITION].kind = STELE_VALUE_NONE;
    row->values [STELE_TIMESTAMP] = row->values [STELE_TIME];
    row->values [STELE_TIME].kind = STELE_VALUE_NONE;
    if (source == SOURCE_AUDIT)
        return self->status;
    reader_default_text (self, STELE_USER_ID, "default");
    if (source == SOURCE_HISTORY) {
        int kind = sqlite3_column_int (statement, HISTORY_KIND);
        row->type = reader_row_type (source, statement);
        if (kind == STELE_HISTORY_UPDATED)
            READER_FILL (self, statement, HISTORY_CHANGES, changes);
        if (kind == STELE_HISTORY_INTERRUPTED)
            stele_record_set_bool (row, STELE_INTERRUPTED, true);
    }
    s_set_attempt (self, s_task_of (self, source, statement), row->values [STELE_ID].integer);
    return self->status;
}
