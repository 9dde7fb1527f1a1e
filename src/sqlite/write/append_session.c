/*  append_session - the rows of an event about a CLI session or a preference

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/write/ledger_internal.h"

typedef struct {
    int64_t key;
    int state;
    int64_t last_history;
    int64_t last_command;
    bool started;
} s_session_t;

#define SESSION_FIELDS ((stele_field_known (STELE_SESSION_STARTED) \
    & ~(STELE_FIELD_BIT (STELE_TIME) | STELE_FIELD_BIT (STELE_USER_ID) | STELE_FIELD_BIT (STELE_SESSION_ID))))

#define PREFERENCE_FIELDS (stele_field_any_of (STELE_PREFERENCE_SET))

static bool
s_terminal (int state)
{
    return state >= STELE_SESSION_TERMINAL_FROM;
}

//  Returns 1, 0 the ledger itself does not have it, or a storage error
static int
s_read (stele_ledger_t *self, const stele_value_t *id, s_session_t *session)
{
    sqlite3_stmt *stmt = self->sql.session_find;
    stele_ledger_bind_id (stmt, 1, id);
    int rc = stele_sql_step (stmt);
    if (rc == SQLITE_ROW) {
        session->key = sqlite3_column_int64 (stmt, 0);
        session->state = sqlite3_column_int (stmt, 1);
        session->last_history = sqlite3_column_int64 (stmt, 2);
        session->last_command = sqlite3_column_int64 (stmt, 3);
        session->started = sqlite3_column_type (stmt, 4) != SQLITE_NULL;
    }
    sqlite3_reset (stmt);
    return rc == SQLITE_ROW? 1: rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

//  The session of the event, which may be archived; a placeholder where it was never started. Returns 0 or a code.
static int
s_find (stele_ledger_t *self, const stele_record_t *event, s_session_t *session, stele_refusal_t *refusal)
{
    const stele_value_t *id = &event->values [STELE_SESSION_ID];
    int found = s_read (self, id, session);
    if (found == 0 && self->archives && (found = stele_ledger_recall_session (self, id, refusal)) == 1)
        found = s_read (self, id, session);
    if (found)
        return found < 0? found: 0;
    *session = (s_session_t) { .key = self->next, .state = STELE_SESSION_INITIALIZING };
    sqlite3_stmt *stmt = self->sql.session_insert;
    sqlite3_bind_int64 (stmt, 1, session->key);
    stele_ledger_bind_id (stmt, 2, id);
    sqlite3_bind_int (stmt, 3, session->state);
    sqlite3_bind_int64 (stmt, 4, event->values [STELE_TIME].integer);
    //  A user that its first event names stays, unless its session.started names another
    stele_sql_bind_value (stmt, 5, &event->values [STELE_USER_ID]);
    return stele_ledger_run (self, stmt);
}

static int
s_write_history (stele_ledger_t *self, const stele_record_t *event, const s_session_t *session,
    int kind, int state_to, const stele_value_t *fields)
{
    sqlite3_stmt *stmt = self->sql.session_history;
    sqlite3_bind_int64 (stmt, 1, self->next);
    sqlite3_bind_int64 (stmt, 2, session->key);
    stele_sql_bind_key (stmt, 3, session->last_history);
    sqlite3_bind_int (stmt, 4, kind);
    stele_sql_bind_key (stmt, 5, session->key == self->next? 0: session->state);
    sqlite3_bind_int (stmt, 6, state_to);
    stele_sql_bind_value (stmt, 7, &event->values [STELE_TIME]);
    int code = stele_ledger_bind_word (self, stmt, 8, &event->values [STELE_USER_ID]);
    if (code)
        return code;
    stele_content_bind (self->content, stmt, 9, fields);
    stele_content_bind (self->content, stmt, 10, &event->extra);
    code = stele_ledger_run (self, stmt);
    return code? code: 1;
}

static int
s_started (stele_ledger_t *self, const stele_record_t *event, const s_session_t *session)
{
    const stele_value_t *values = event->values;
    //  A state that arrived before the start (its producers race) stays
    bool raced = session->last_history && !session->started;
    int state = raced? session->state:
        (int) stele_record_integer (event, STELE_STATE, STELE_SESSION_INITIALIZING);
    sqlite3_stmt *stmt = self->sql.session_start;
    sqlite3_bind_int64 (stmt, 1, session->key);
    sqlite3_bind_int64 (stmt, 2, self->next);
    sqlite3_bind_int (stmt, 3, state);
    stele_sql_bind_value (stmt, 4, &values [STELE_CLI_TOOL]);
    stele_sql_bind_value (stmt, 5, &values [STELE_MODE]);
    stele_sql_bind_value (stmt, 6, &values [STELE_CURRENT_DIRECTORY]);
    stele_sql_bind_value (stmt, 7, &values [STELE_PID]);
    stele_sql_bind_value (stmt, 8, &values [STELE_AUTHENTICATION_REQUIRED]);
    stele_sql_bind_value (stmt, 9, &values [STELE_AUTH_PROMPT]);
    stele_ledger_bind_id (stmt, 10, &values [STELE_TASK_ID]);
    stele_sql_bind_value (stmt, 11, &values [STELE_USER_ID]);
    stele_sql_bind_value (stmt, 12, &values [STELE_TIME]);
    stele_sql_bind_key (stmt, 13, s_terminal (state)? values [STELE_TIME].integer: 0);
    int code = stele_ledger_run (self, stmt);
    stele_value_t fields;
    if (code == 0)
        code = stele_ledger_fields_json (self, event, SESSION_FIELDS, false, &fields);
    if (code)
        return code;
    return s_write_history (self, event, session, STELE_HISTORY_CREATED, state, &fields);
}

static int
s_state_changed (stele_ledger_t *self, const stele_record_t *event, const s_session_t *session)
{
    int state = (int) event->values [STELE_STATE].integer;
    sqlite3_stmt *stmt = self->sql.session_state;
    sqlite3_bind_int64 (stmt, 1, session->key);
    sqlite3_bind_int (stmt, 2, state);
    stele_sql_bind_key (stmt, 3, s_terminal (state)? event->values [STELE_TIME].integer: 0);
    stele_sql_bind_value (stmt, 4, &event->values [STELE_TIME]);
    sqlite3_bind_int64 (stmt, 5, self->next);
    int code = stele_ledger_run (self, stmt);
    if (code)
        return code;
    stele_value_t none = { .kind = STELE_VALUE_NONE };
    return s_write_history (self, event, session, STELE_HISTORY_STATE_CHANGED, state, &none);
}

static int
s_command_executed (stele_ledger_t *self, const stele_record_t *event, const s_session_t *session)
{
    const stele_value_t *values = event->values;
    sqlite3_stmt *stmt = self->sql.session_ran;
    sqlite3_bind_int64 (stmt, 1, session->key);
    stele_sql_bind_value (stmt, 2, &values [STELE_TIME]);
    sqlite3_bind_int64 (stmt, 3, self->next);
    int code = stele_ledger_run (self, stmt);
    if (code)
        return code;

    const void *data = NULL;
    size_t size = 0;
    stele_encoding_t encoding = STELE_ENCODING_PLAIN;
    stmt = self->sql.command;
    //  These first: they are copied, and the output then stays in the buffer they share
    stele_content_bind (self->content, stmt, 9, &values [STELE_COMMAND]);
    stele_content_bind (self->content, stmt, 8, &event->extra);
    if (stele_record_has (event, STELE_OUTPUT))
        encoding = stele_content_pack (self->content, &values [STELE_OUTPUT], &data, &size);
    sqlite3_bind_int64 (stmt, 1, self->next);
    sqlite3_bind_int64 (stmt, 2, session->key);
    stele_sql_bind_key (stmt, 3, session->last_command);
    stele_sql_bind_value (stmt, 4, &values [STELE_TIME]);
    code = stele_ledger_bind_word (self, stmt, 5, &values [STELE_USER_ID]);
    if (code)
        return code;
    stele_sql_bind_value (stmt, 6, &values [STELE_EXECUTION_TIME_MS]);
    stele_sql_bind_value (stmt, 7, &values [STELE_EXIT_CODE]);
    sqlite3_bind_int (stmt, 10, encoding);
    if (encoding == STELE_ENCODING_PLAIN)
        stele_sql_bind_value (stmt, 11, &values [STELE_OUTPUT]);
    else
        sqlite3_bind_blob (stmt, 11, data, (int) size, SQLITE_STATIC);
    code = stele_ledger_run (self, stmt);
    return code? code: 1;
}

int
stele_ledger_append_session (stele_ledger_t *self, const stele_record_t *event, stele_refusal_t *refusal)
{
    s_session_t session;
    int code = s_find (self, event, &session, refusal);
    if (code)
        return code;
    switch ((stele_event_type_t) event->type) {
        case STELE_SESSION_STARTED:
            return s_started (self, event, &session);
        case STELE_SESSION_STATE_CHANGED:
            return s_state_changed (self, event, &session);
        case STELE_SESSION_COMMAND_EXECUTED:
            return s_command_executed (self, event, &session);
        default:
            assert (false);
            return STELE_EINTERNAL;
    }
}

int
stele_ledger_append_preference (stele_ledger_t *self, const stele_record_t *event)
{
    const stele_value_t *values = event->values;
    sqlite3_stmt *stmt = self->sql.preference;
    if (stele_record_has (event, STELE_USER_ID))
        stele_sql_bind_value (stmt, 1, &values [STELE_USER_ID]);
    else
        sqlite3_bind_text (stmt, 1, "default", -1, SQLITE_STATIC);
    stele_sql_bind_value (stmt, 2, &values [STELE_PREFERRED_PROVIDER]);
    stele_sql_bind_value (stmt, 3, &values [STELE_PREFERRED_MODEL]);
    stele_sql_bind_value (stmt, 4, &values [STELE_FULL_ACCESS_PREFERRED]);
    stele_sql_bind_value (stmt, 5, &values [STELE_ROLE_PREFERENCES]);
    stele_sql_bind_value (stmt, 6, &values [STELE_TIME]);
    sqlite3_bind_int64 (stmt, 7, self->next);
    int code = stele_ledger_run (self, stmt);
    stele_value_t fields;
    if (code == 0)
        code = stele_ledger_fields_json (self, event, PREFERENCE_FIELDS, false, &fields);
    if (code)
        return code;
    stmt = self->sql.preference_history;
    sqlite3_bind_int64 (stmt, 1, self->next);
    code = stele_ledger_bind_word (self, stmt, 2, &values [STELE_USER_ID]);
    if (code)
        return code;
    stele_sql_bind_value (stmt, 3, &values [STELE_TIME]);
    stele_content_bind (self->content, stmt, 4, &fields);
    stele_content_bind (self->content, stmt, 5, &event->extra);
    code = stele_ledger_run (self, stmt);
    return code? code: 1;
}
