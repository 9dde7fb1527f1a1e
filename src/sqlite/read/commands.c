/*  commands - the commands of all sessions, and how a session spent its time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

#define ROWS_MAX 200000             // Rows read for one page
#define CHECK_EVERY 64              // Rows between checks of the deadline

int
stele_reader_commands (stele_reader_t *self, bool failed, int64_t from_us, int64_t to_us,
    int64_t before, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_COMMANDS,
        "SELECT position, time, exit_code, session FROM cli_session_commands WHERE position < ?1"
        " ORDER BY position DESC", before? before: INT64_MAX);
    int64_t count = 0, seen = 0, last = 0, cursor = 0;
    while (reader_step (self, statement) == 1) {
        if (count == limit || seen++ == ROWS_MAX) {
            cursor = last;
            break;
        }
        int64_t time = sqlite3_column_int64 (statement, 1);
        last = sqlite3_column_int64 (statement, 0);
        if ((failed && sqlite3_column_int64 (statement, 2) == 0)
        || (from_us && time < from_us) || (to_us && time > to_us)
        ||  !reader_scope_has_session (self, sqlite3_column_int64 (statement, 3)))
            continue;
        sqlite3_stmt *row = reader_row_statement (self, SOURCE_COMMANDS, last);
        stele_record_clear (self->row);
        if (reader_step (self, row) != 1 || reader_fill_record (self, SOURCE_COMMANDS, row))
            break;
        count++;
        rc = fn (self->row, arg);
        if (rc)
            break;
    }
    int64_t result = reader_leave (self, rc < 0? rc: 0);
    if (result == 0)
        *next = cursor;
    return (int) result;
}

//  -- times of a session ------------------------------------------------------------

//  Newest first: the state that a row set lasted until the row after it
static void
s_add_states (stele_reader_t *self, int64_t position, int64_t until, stele_session_times_t *times)
{
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_SESSION_HISTORY,
            "SELECT previous, state_to, time FROM cli_session_history WHERE position = ?1", position);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        int state = sqlite3_column_int (statement, 1);
        int64_t time = sqlite3_column_int64 (statement, 2);
        if (state > 0 && state < STELE_SESSION_STATE_END && until > time)
            times->by_state_us [state] += until - time;
        until = time;
        position = sqlite3_column_int64 (statement, 0);
    }
}

static void
s_add_commands (stele_reader_t *self, int64_t position, stele_session_times_t *times)
{
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_SESSION_RAN,
            "SELECT previous, exit_code, execution_time_ms FROM cli_session_commands WHERE position = ?1",
            position);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        times->commands++;
        times->failed += sqlite3_column_int64 (statement, 1) != 0;
        if (sqlite3_column_type (statement, 2) != SQLITE_TEXT)
            times->execution_ms += sqlite3_column_double (statement, 2);
        position = sqlite3_column_int64 (statement, 0);
    }
}

int
stele_reader_session_times (stele_reader_t *self, const char *session_id, size_t size,
    stele_session_times_t *times)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_SESSION_TIMES,
        "SELECT created_at, ifnull (completed_at, updated_at), last_history, last_command, id"
        " FROM cli_sessions WHERE session_id = ?1");
    reader_bind_id (statement, 1, session_id, size);
    stele_session_times_t found = { 0 };
    rc = reader_step (self, statement);
    if (rc == 1 && !reader_scope_has_session (self, sqlite3_column_int64 (statement, 4)))
        rc = 0;
    if (rc == 1) {
        int64_t until = sqlite3_column_int64 (statement, 1);
        found.wall_us = until - sqlite3_column_int64 (statement, 0);
        s_add_states (self, sqlite3_column_int64 (statement, 2), until, &found);
        s_add_commands (self, sqlite3_column_int64 (statement, 3), &found);
    }
    rc = (int) reader_leave (self, rc);
    if (rc == 1)
        *times = found;
    return rc;
}
