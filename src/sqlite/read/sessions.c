/*  sessions - CLI sessions and preferences

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

static const reader_column_t s_session [] = {
    { 0, COLUMN_SKIP }, { STELE_SESSION_ID, COLUMN_ID }, { STELE_STATE, COLUMN_SESSION_STATE },
    { STELE_CLI_TOOL, COLUMN_TEXT }, { STELE_MODE, COLUMN_TEXT },
    { STELE_CURRENT_DIRECTORY, COLUMN_TEXT }, { STELE_PID, COLUMN_INTEGER },
    { STELE_AUTHENTICATION_REQUIRED, COLUMN_BOOL }, { STELE_AUTH_PROMPT, COLUMN_TEXT },
    { STELE_TASK_ID, COLUMN_ID }, { STELE_USER_ID, COLUMN_TEXT },
    { STELE_CREATED_AT, COLUMN_INTEGER }, { STELE_UPDATED_AT, COLUMN_INTEGER },
    { STELE_COMPLETED_AT, COLUMN_INTEGER }, { STELE_COMMAND_COUNT, COLUMN_INTEGER },
    { STELE_POSITION, COLUMN_INTEGER }
};
#define SESSION_SQL \
    "SELECT id, session_id, state, cli_tool, mode, current_directory, pid," \
    " authentication_required, auth_prompt, task_id, user_id, created_at, updated_at," \
    " completed_at, command_count, position FROM cli_sessions "
enum { SESSION_ID, SESSION_STATE = 2 };

//  Fill the row from the statement's next row: 1, 0 no more rows, or an error
static int
s_read (stele_reader_t *self, sqlite3_stmt *statement)
{
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    READER_FILL (self, statement, 0, s_session);
    reader_default_text (self, STELE_USER_ID, "default");
    return self->status? self->status: 1;
}

int
reader_session_row (stele_reader_t *self, int64_t key)
{
    return s_read (self, reader_with_key (self, SLOT_SESSION_BY_KEY,
        SESSION_SQL "WHERE id = ?1", key));
}

int
stele_reader_session (stele_reader_t *self, const char *session_id, size_t size,
    stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_SESSION,
        SESSION_SQL "WHERE session_id = ?1");
    reader_bind_id (statement, 1, session_id, size);
    int found = s_read (self, statement);
    if (found == 1 && !reader_scope_has_session (self, sqlite3_column_int64 (statement, SESSION_ID)))
        found = 0;
    return reader_return_row (self, found, fn, arg);
}

int
stele_reader_session_by_key (stele_reader_t *self, int64_t key, stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    return reader_return_row (self, reader_session_row (self, key), fn, arg);
}

#define SKIPPED_MAX 65536           // Sessions of other users that a page skips

//  -- list -----------------------------------------------------------------------

static sqlite3_stmt *
s_list (stele_reader_t *self, uint32_t states, stele_span_t task_id, int64_t before)
{
    sqlite3_stmt *statement = reader_statement (self,
        task_id.text? SLOT_SESSIONS_OF_TASK: SLOT_SESSIONS,
        task_id.text?
            SESSION_SQL "WHERE task_id = ?3 AND id < ?1 AND (1 << state) & ?2 ORDER BY id DESC":
            SESSION_SQL "WHERE id < ?1 AND (1 << state) & ?2 ORDER BY id DESC");
    if (!statement)
        return NULL;
    sqlite3_bind_int64 (statement, 1, before? before: INT64_MAX);
    sqlite3_bind_int64 (statement, 2, states? states: UINT32_MAX);
    if (task_id.text)
        reader_bind_id (statement, 3, task_id.text, task_id.size);
    return statement;
}

int
stele_reader_sessions (stele_reader_t *self, uint32_t states, stele_span_t task_id,
    int64_t before, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = s_list (self, states, task_id, before);
    int64_t last = 0, cursor = 0, skipped = 0;
    for (int64_t count = 0; reader_step (self, statement) == 1;) {
        if (count == limit || skipped == SKIPPED_MAX) {
            cursor = last;
            break;
        }
        last = sqlite3_column_int64 (statement, SESSION_ID);
        if (!reader_scope_has_session (self, last)) {
            skipped++;
            continue;
        }
        count++;
        stele_record_clear (self->row);
        if (READER_FILL (self, statement, 0, s_session))
            break;
        reader_default_text (self, STELE_USER_ID, "default");
        rc = fn (self->row, arg);
        if (rc)
            break;
    }
    int64_t result = reader_leave (self, rc < 0? rc: 0);
    if (result == 0)
        *next = cursor;
    return (int) result;
}

//  -- preferences -------------------------------------------------------------------

int
stele_reader_preferences (stele_reader_t *self, const char *user_id, size_t size,
    stele_row_fn *fn, void *arg)
{
    static const reader_column_t columns [] = {
        { STELE_USER_ID, COLUMN_TEXT }, { STELE_PREFERRED_PROVIDER, COLUMN_TEXT },
        { STELE_PREFERRED_MODEL, COLUMN_TEXT }, { STELE_FULL_ACCESS_PREFERRED, COLUMN_BOOL },
        { STELE_ROLE_PREFERENCES, COLUMN_JSON }, { STELE_CREATED_AT, COLUMN_INTEGER },
        { STELE_UPDATED_AT, COLUMN_INTEGER }, { STELE_POSITION, COLUMN_INTEGER }
    };
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_PREFERENCES,
        "SELECT user_id, preferred_provider, preferred_model, full_access_preferred,"
        " role_preferences, created_at, updated_at, position"
        " FROM user_preferences WHERE user_id = ?1");
    reader_bind_text (statement, 1, user_id, size);
    int found = reader_scope_has_name (self, user_id, size)? reader_step (self, statement): 0;
    if (found == 1)
        READER_FILL (self, statement, 0, columns);
    return reader_return_row (self, self->status? self->status: found, fn, arg);
}
