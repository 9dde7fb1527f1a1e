/*  task_record - the columns of a task's record, for task.get and task.list

    Also reads all active tasks, and those that ended.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/filter/summary.h"

#define TASK_FLAGS 0

static const reader_column_t s_task [] = {
    { 0, COLUMN_SKIP }, { STELE_TASK_ID, COLUMN_ID }, { STELE_USER_ID, COLUMN_WORD },
    { STELE_TITLE, COLUMN_TEXT }, { STELE_DESCRIPTION, COLUMN_TEXT },
    { STELE_BRANCH, COLUMN_TEXT }, { STELE_WORKTREE_PATH, COLUMN_TEXT },
    { STELE_BASE_BRANCH, COLUMN_WORD }, { STELE_COMMIT_HASH, COLUMN_ID },
    { STELE_TARGET_DIR, COLUMN_WORD }, { STELE_FULL_ACCESS, COLUMN_BOOL },
    { STELE_PROVIDER_OVERRIDE, COLUMN_WORD }, { STELE_REPOSITORY_URL, COLUMN_WORD },
    { STELE_ACCEPTANCE_CRITERIA, COLUMN_JSON }, { STELE_METADATA, COLUMN_JSON },
    { STELE_PARENT_ID, COLUMN_ID },
    { STELE_STATE, COLUMN_TASK_STATE }, { STELE_ROLE, COLUMN_WORD },
    { STELE_PROVIDER, COLUMN_WORD }, { STELE_MODEL, COLUMN_WORD },
    { STELE_CREATED_AT, COLUMN_INTEGER }, { STELE_UPDATED_AT, COLUMN_INTEGER },
    { STELE_STARTED_AT, COLUMN_INTEGER }, { STELE_COMPLETED_AT, COLUMN_INTEGER },
    { STELE_ERROR_COUNT, COLUMN_INTEGER }, { STELE_LAST_ERROR, COLUMN_TEXT },
    { STELE_INTERRUPTIONS, COLUMN_INTEGER }, { STELE_ATTEMPT, COLUMN_INTEGER },
    { STELE_POSITION, COLUMN_INTEGER }, { STELE_PRODUCER, COLUMN_TEXT }
};
#define TASK_COLUMN_COUNT ((int) (sizeof s_task / sizeof s_task [0]))
#define TASK_COLUMNS(description, criteria, metadata) \
    "SELECT s.flags, t.task_id, t.user_id, t.title, " description ", t.branch, t.worktree_path," \
    " t.base_branch, t.commit_hash, t.target_dir, t.full_access, t.provider_override," \
    " t.repository_url, " criteria ", " metadata ", t.parent_id, s.state, s.role, s.provider," \
    " s.model, s.created_at, s.updated_at, s.started_at, s.completed_at, s.error_count," \
    " (SELECT error_message FROM history_plain WHERE position = s.last_error_at)," \
    " s.interruptions, s.attempt, s.position, (SELECT name FROM producers WHERE id = s.owner)"
#define TASK_SQL(description, criteria, metadata, condition) \
    TASK_COLUMNS (description, criteria, metadata) " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE " condition
#define FULL_SQL(condition) \
    TASK_SQL ("t.description", "t.acceptance_criteria", "t.metadata", condition)
#define LIVE_SQL(condition) TASK_SQL ("NULL", "NULL", "NULL", condition)

void
reader_task_defaults (stele_reader_t *self)
{
    reader_default_text (self, STELE_USER_ID, "default");
    reader_default_text (self, STELE_TARGET_DIR, ".");
    if (!stele_record_has (self->row, STELE_FULL_ACCESS))
        stele_record_set_bool (self->row, STELE_FULL_ACCESS, false);
}

//  Fill the row from the statement's next row: 1, 0 there is none, or an error
static int
s_read (stele_reader_t *self, sqlite3_stmt *statement)
{
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    stele_record_clear (self->row);
    if (READER_FILL (self, statement, 0, s_task))
        return self->status;
    reader_task_defaults (self);
    if (sqlite3_column_int (statement, TASK_FLAGS) & STELE_TASK_FLAG_INTERRUPTED)
        stele_record_set_bool (self->row, STELE_INTERRUPTED, true);
    return 1;
}

//  The same, if it may be seen
static int
s_read_own (stele_reader_t *self, sqlite3_stmt *statement)
{
    int rc = s_read (self, statement);
    return rc == 1? reader_scope_has_row (self): rc;
}

int
reader_task_row (stele_reader_t *self, int64_t key, bool live)
{
    return s_read (self, live?
        reader_with_key (self, SLOT_LIVE_BY_KEY, LIVE_SQL ("t.id = ?1"), key):
        reader_with_key (self, SLOT_TASK_BY_KEY, FULL_SQL ("t.id = ?1"), key));
}

int
stele_reader_task (stele_reader_t *self, const char *task_id, size_t size,
    stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_TASK, FULL_SQL ("t.task_id = ?1"));
    reader_bind_id (statement, 1, task_id, size);
    return reader_return_row (self, s_read_own (self, statement), fn, arg);
}

int
stele_reader_task_live (stele_reader_t *self, const char *task_id, size_t size,
    stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_LIVE, LIVE_SQL ("t.task_id = ?1"));
    reader_bind_id (statement, 1, task_id, size);
    return reader_return_row (self, s_read_own (self, statement), fn, arg);
}

int
stele_reader_task_by_key (stele_reader_t *self, int64_t key, stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    return reader_return_row (self, reader_task_row (self, key, true), fn, arg);
}

//  By key, since no index has active tasks in that order: all pages together read each row of
//  task_states once
int64_t
stele_reader_active (stele_reader_t *self, int64_t after, int64_t limit,
    stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_ACTIVE,
        "SELECT task FROM states_plain WHERE task > ?1 AND +state < ?2 ORDER BY task", after);
    if (statement)
        sqlite3_bind_int (statement, 2, STELE_TASK_PASSED);
    int64_t last = after;
    while (limit-- > 0 && reader_step (self, statement) == 1) {
        int64_t key = sqlite3_column_int64 (statement, 0);
        stele_record_clear (self->row);
        if (reader_task_row (self, key, true) != 1)
            break;
        last = key;
        rc = fn (self->row, arg);
        if (rc)
            break;
    }
    return reader_leave (self, rc < 0? rc: last);
}

//  Tasks that began before ?3 may have ended before the range, and have outputs or metrics in it
#define ENDED(table, condition) TASK_COLUMNS ("NULL", "NULL", "NULL") ", e.position AS at" \
    " FROM " table " e JOIN states_plain s ON s.task = e.position - e.task_back JOIN tasks t ON t.id = s.task" \
    " WHERE e.position > ?1 AND e.position <= ?2 AND s.position <= ?4" \
    " AND s.state >= " STELE_SQL_CODE (STELE_CODE_TASK_TERMINAL_FROM) " AND " condition
#define ENDED_BEFORE(table) ENDED (table, "e.position - e.task_back <= ?3 AND s.last_history <= ?3" \
    " AND s.position = e.position")

int64_t
stele_reader_ended (stele_reader_t *self, int64_t after, int64_t upto, int64_t since, int64_t head,
    stele_row_fn *fn, void *arg)
{
    int64_t rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_ENDED,
        ENDED ("task_history", "e.state_to >= " STELE_SQL_CODE (STELE_CODE_TASK_TERMINAL_FROM)
            " AND s.last_history = e.position")
        " UNION ALL " ENDED_BEFORE ("task_outputs") " UNION ALL " ENDED_BEFORE ("task_metrics")
        " ORDER BY at", after);
    if (statement) {
        sqlite3_bind_int64 (statement, 2, upto);
        sqlite3_bind_int64 (statement, 3, since);
        sqlite3_bind_int64 (statement, 4, head);
    }
    int64_t last = upto;
    while (s_read (self, statement) == 1) {
        rc = fn (self->row, arg);
        if (rc == 0)
            continue;
        last = sqlite3_column_int64 (statement, TASK_COLUMN_COUNT);
        break;
    }
    return reader_leave (self, rc < 0? rc: last);
}
