/*  derived - the rows that follow from the events, as they are stored

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger/derived.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/codes.h"
#include "sqlite/sql/event_tables.h"

_Static_assert (STELE_ZONE_POSITIONS == STELE_ZONE, "as the writer has them");

int64_t
stele_reader_event_key (const stele_reader_t *self)
{
    stele_subject_t subject = reader_source_subject (self->event_source);
    return subject == STELE_SUBJECT_TASK || subject == STELE_SUBJECT_SESSION? self->event_subject: 0;
}

static stele_span_t
s_text (sqlite3_stmt *statement, int column)
{
    stele_span_t text = { (const char *) sqlite3_column_text (statement, column), 0 };
    text.size = (size_t) sqlite3_column_bytes (statement, column);
    return text;
}

#define WORD(column) "(SELECT word FROM words WHERE id = s." column ")"

int
stele_reader_task_rows (stele_reader_t *self, stele_task_row_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_TASK_ROWS,
        "SELECT t.id, t.created, s.task, s.state, s.flags, " WORD ("role") ", " WORD ("provider") ", " WORD ("model")
        ", s.created_at, s.updated_at, s.started_at, s.completed_at, s.error_count, s.interruptions, s.retries,"
        " s.last_error_at, s.last_history, s.last_output, s.last_metric, s.owner,"
        " (SELECT word FROM words WHERE id = t.user_id), t.target_dir IS NOT NULL, t.full_access IS NOT NULL"
        " FROM tasks t LEFT JOIN states_plain s ON s.task = t.id ORDER BY t.id");
    while (rc == 0 && reader_step (self, statement) == 1) {
        stele_task_row_t row = {
            .key = sqlite3_column_int64 (statement, 0), .created = sqlite3_column_int64 (statement, 1),
            .has_state = sqlite3_column_type (statement, 2) != SQLITE_NULL,
            .state = sqlite3_column_int (statement, 3), .flags = sqlite3_column_int (statement, 4),
            .role = s_text (statement, 5), .provider = s_text (statement, 6), .model = s_text (statement, 7),
            .created_at = sqlite3_column_int64 (statement, 8), .updated_at = sqlite3_column_int64 (statement, 9),
            .started_at = sqlite3_column_int64 (statement, 10), .completed_at = sqlite3_column_int64 (statement, 11),
            .error_count = sqlite3_column_int64 (statement, 12), .interruptions = sqlite3_column_int64 (statement, 13),
            .retries = sqlite3_column_int64 (statement, 14), .last_error = sqlite3_column_int64 (statement, 15),
            .last_history = sqlite3_column_int64 (statement, 16), .last_output = sqlite3_column_int64 (statement, 17),
            .last_metric = sqlite3_column_int64 (statement, 18), .owner = sqlite3_column_int64 (statement, 19),
            .user = s_text (statement, 20), .target_dir = sqlite3_column_int (statement, 21) != 0,
            .full_access = sqlite3_column_int (statement, 22) != 0
        };
        rc = fn (&row, arg);
    }
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int
stele_reader_session_rows (stele_reader_t *self, stele_session_row_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_SESSION_ROWS,
        "SELECT id, started, last_history, last_command, user_id FROM cli_sessions ORDER BY id");
    while (rc == 0 && reader_step (self, statement) == 1) {
        stele_session_row_t row = {
            sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1), sqlite3_column_int64 (statement, 2),
            sqlite3_column_int64 (statement, 3), s_text (statement, 4)
        };
        rc = fn (&row, arg);
    }
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int
stele_reader_links (stele_reader_t *self, stele_link_table_t table, stele_link_fn *fn, void *arg)
{
    static const char *const sql [] = {
        [STELE_LINK_HISTORY] = "SELECT position, position - task_back, position - previous_back, state_from, state_to,"
            " ifnull (owner, -1), kind, (kind > 2 AND changes IS NOT NULL) OR (kind = 2 AND coalesce (provider, model) IS NOT NULL)"
            " FROM task_history ORDER BY position",
        [STELE_LINK_OUTPUTS] = "SELECT position, position - task_back, position - previous_back, 0, 0, -1, 1, 0 FROM task_outputs"
            " ORDER BY position",
        [STELE_LINK_METRICS] = "SELECT position, position - task_back, position - previous_back, 0, 0, -1, 1, 0 FROM task_metrics"
            " ORDER BY position",
        [STELE_LINK_SESSIONS] = "SELECT position, session, previous, state_from, state_to, -1, kind,"
            " kind > 1 AND fields IS NOT NULL FROM cli_session_history"
            " ORDER BY position",
        [STELE_LINK_COMMANDS] = "SELECT position, session, previous, 0, 0, -1, 1, 0 FROM cli_session_commands ORDER BY position"
    };
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_LINKS + (int) table, sql [table]);
    while (rc == 0 && reader_step (self, statement) == 1) {
        stele_link_t link = {
            .position = sqlite3_column_int64 (statement, 0), .key = sqlite3_column_int64 (statement, 1),
            .previous = sqlite3_column_int64 (statement, 2), .state_from = sqlite3_column_int (statement, 3),
            .state_to = sqlite3_column_int (statement, 4), .owner = sqlite3_column_int64 (statement, 5),
            .kind = sqlite3_column_int (statement, 6), .stray = sqlite3_column_int (statement, 7) != 0
        };
        rc = fn (&link, arg);
    }
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int
stele_reader_zone_rows (stele_reader_t *self, stele_zone_row_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_ZONES_STORED,
        "SELECT zone, min_time, max_time, min_created, max_created, min_task FROM zones ORDER BY zone");
    while (rc == 0 && reader_step (self, statement) == 1) {
        stele_zone_row_t row = {
            sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1), sqlite3_column_int64 (statement, 2),
            sqlite3_column_int64 (statement, 3), sqlite3_column_int64 (statement, 4), sqlite3_column_int64 (statement, 5)
        };
        rc = fn (&row, arg);
    }
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int
stele_reader_unordered (stele_reader_t *self, stele_key_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_UNORDERED_STORED, "SELECT task FROM unordered_tasks ORDER BY task");
    while (rc == 0 && reader_step (self, statement) == 1)
        rc = fn (sqlite3_column_int64 (statement, 0), arg);
    return (int) reader_leave (self, rc < 0? rc: 0);
}

#define COUNTED "SELECT state, ifnull (role, 0), ifnull (provider, 0), ifnull (model, 0), count (*) FROM task_states GROUP BY 1, 2, 3, 4"
#define COUNTS "SELECT state, role, provider, model, count FROM task_counts WHERE count <> 0"
//  Materialized: the states of all tasks are grouped once
#define WRONG_COUNTS \
    "WITH a AS MATERIALIZED (" COUNTED "), b AS MATERIALIZED (" COUNTS ")" \
    " SELECT (SELECT count (*) FROM (SELECT * FROM a EXCEPT SELECT * FROM b))" \
    " + (SELECT count (*) FROM (SELECT * FROM b EXCEPT SELECT * FROM a))"
#define STRAY_COMMITS \
    "SELECT count (*) FROM (SELECT first, lag (last, 1, 0) OVER (ORDER BY first) AS before FROM commits) WHERE first <> before + 1"

//  Columns that are NULL for "none", and are never written as 0: questions would take both for the same
#define ZEROS \
    "SELECT (SELECT count (*) FROM tasks WHERE created = 0 OR user_id = 0)" \
    " + (SELECT count (*) FROM task_states WHERE role = 0 OR provider = 0 OR model = 0 OR owner = 0 OR interruptions = 0 OR retries = 0)" \
    " + (SELECT count (*) FROM cli_sessions WHERE started = 0 OR completed_at = 0 OR last_history = 0 OR last_command = 0)" \
    " + (SELECT count (*) FROM cli_session_history WHERE previous = 0 OR state_from = 0)" \
    " + (SELECT count (*) FROM cli_session_commands WHERE previous = 0)"

#define ALL_ROWS(name, table, subject) " + (SELECT count (*) FROM " table ")"
#define MAIN_ROWS(name, table, subject) " + (SELECT count (*) FROM main." table ")"

int64_t
stele_reader_derived_count (stele_reader_t *self, stele_derived_count_t which)
{
    static const char *const sql [] = {
        [STELE_DERIVED_STRAY_STATES] = "SELECT count (*) FROM task_states s WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = s.task)",
        [STELE_DERIVED_WRONG_COUNTS] = WRONG_COUNTS,
        [STELE_DERIVED_STRAY_COMMITS] = STRAY_COMMITS,
        [STELE_DERIVED_SESSIONS] = "SELECT count (*) FROM cli_sessions",
        [STELE_DERIVED_PREFERENCES] = "SELECT count (*) FROM user_preferences",
        [STELE_DERIVED_WRONG_STUBS] = "SELECT (SELECT count (*) FROM archived_tasks x LEFT JOIN tasks t ON t.id = x.id"
            " WHERE t.task_id IS NOT x.task_id OR t.user_id IS NOT x.user_id)"
            " + (SELECT count (*) FROM archived_sessions x LEFT JOIN cli_sessions s ON s.id = x.id"
            " WHERE s.session_id IS NOT x.session_id OR s.user_id IS NOT x.user_id)"
            " + (SELECT count (*) FROM archives a WHERE tasks <> (SELECT count (*) FROM archived_tasks WHERE archive = a.id))"
            " + (SELECT count (*) FROM archives a WHERE sessions <> (SELECT count (*) FROM archived_sessions WHERE archive = a.id))"
            " + abs ((SELECT ifnull (sum (events), 0) FROM archived_tasks) + (SELECT ifnull (sum (events), 0) FROM archived_sessions)"
            " - (0" STELE_EVENT_TABLES (ALL_ROWS) ") + (0" STELE_EVENT_TABLES (MAIN_ROWS) "))",
        [STELE_DERIVED_ZEROS] = ZEROS
    };
    int rc = reader_enter_unbound (self);
    return rc? rc: reader_leave (self, reader_integer (self,
        reader_statement (self, SLOT_DERIVED_COUNT + (int) which, sql [which]), 0));
}
