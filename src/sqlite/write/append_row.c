/*  append_row - a task's row in the table tasks

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/write/append_internal.h"

//  Columns of tasks from ?4 on, in the order of task_insert, task_update and task_select
typedef enum { COLUMN_PLAIN, COLUMN_WORD, COLUMN_REPEATED, COLUMN_ID, COLUMN_LARGE } s_how_t;

static const struct { stele_field_t field; s_how_t how; } s_columns [] = {
    { STELE_USER_ID, COLUMN_WORD }, { STELE_TITLE, COLUMN_PLAIN }, { STELE_DESCRIPTION, COLUMN_LARGE },
    { STELE_BRANCH, COLUMN_PLAIN }, { STELE_WORKTREE_PATH, COLUMN_PLAIN },
    { STELE_BASE_BRANCH, COLUMN_REPEATED }, { STELE_COMMIT_HASH, COLUMN_ID },
    { STELE_TARGET_DIR, COLUMN_REPEATED }, { STELE_FULL_ACCESS, COLUMN_PLAIN },
    { STELE_PROVIDER_OVERRIDE, COLUMN_REPEATED }, { STELE_REPOSITORY_URL, COLUMN_REPEATED },
    { STELE_ACCEPTANCE_CRITERIA, COLUMN_LARGE }, { STELE_METADATA, COLUMN_LARGE },
    { STELE_PARENT_ID, COLUMN_ID }
};
#define REPEATED_MAX 255            // Bytes of a text that may become a word
#define COLUMN_COUNT (sizeof s_columns / sizeof s_columns [0])

//  A text that many tasks share, or that is different in each (a folder): a word costs pages of an
//  index, so only a text that repeats gets one. An update repeats the task's own text,
//  which does not count.
static int
s_bind_repeated (stele_append_t *self, sqlite3_stmt *stmt, int index, const stele_value_t *value)
{
    stele_ledger_t *ledger = self->ledger;
    int64_t number = 0;
    if (value->kind != STELE_VALUE_NONE && value->size > 0 && value->size <= REPEATED_MAX) {
        int code = stmt == ledger->sql.task_update?
            stele_intern_known (ledger->words, value->text, value->size, &number):
            stele_intern_repeated (ledger->words, value->text, value->size, &number);
        if (code)
            return stele_ledger_fail (ledger, code);
    }
    if (number)
        sqlite3_bind_int64 (stmt, index, number);
    else
        stele_content_bind (ledger->content, stmt, index, value);
    return 0;
}

static int
s_bind (stele_append_t *self, sqlite3_stmt *stmt, int index, s_how_t how, const stele_value_t *value)
{
    switch (how) {
        case COLUMN_WORD:
            return stele_ledger_bind_word (self->ledger, stmt, index, value);
        case COLUMN_REPEATED:
            return s_bind_repeated (self, stmt, index, value);
        case COLUMN_ID:
            stele_ledger_bind_id (stmt, index, value);
            return 0;
        case COLUMN_LARGE:
            stele_content_bind (self->ledger->content, stmt, index, value);
            return 0;
        default:
            stele_sql_bind_value (stmt, index, value);
            return 0;
    }
}

static int
s_write (stele_append_t *self, sqlite3_stmt *stmt, const stele_record_t *values, int64_t created)
{
    sqlite3_bind_int64 (stmt, 1, self->task->key);
    stele_sql_bind_key (stmt, 3, created);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        int code = s_bind (self, stmt, (int) i + 4, s_columns [i].how,
            &values->values [s_columns [i].field]);
        if (code)
            return code;
    }
    return stele_ledger_run (self->ledger, stmt);
}

//  The whole seconds of a time
static int64_t
s_seconds (int64_t time_us)
{
    return time_us / 1000000 - (time_us % 1000000 < 0);
}

int
stele_append_row_add (stele_append_t *self, bool created)
{
    stele_ledger_t *ledger = self->ledger;
    const stele_value_t *id = &self->event->values [STELE_TASK_ID];
    self->task = stele_task_cache_add (ledger->tasks, id->text, id->size, ledger->next);
    if (!self->task)
        return stele_ledger_fail (ledger, STELE_ENO_MEMORY);
    self->task->created_at = self->time;
    self->task->since = s_seconds (self->time);
    stele_id_bind (ledger->sql.task_insert, 2, id->text, id->size);
    sqlite3_bind_int64 (ledger->sql.task_insert, 18, self->task->since);
    if (created)
        return s_write (self, ledger->sql.task_insert, self->event, ledger->next);
    //  The task belongs to the user of its first event, until its task.created
    stele_record_t *values = stele_record_new ();
    if (!values)
        return stele_ledger_fail (ledger, STELE_ENO_MEMORY);
    values->values [STELE_USER_ID] = self->event->values [STELE_USER_ID];
    int code = s_write (self, ledger->sql.task_insert, values, 0);
    stele_record_destroy (&values);
    return code;
}

int
stele_append_row_update (stele_append_t *self, const stele_record_t *values, int64_t created)
{
    return s_write (self, self->ledger->sql.task_update, values, created);
}

int
stele_append_row_word (stele_append_t *self, int64_t number, stele_record_t *record, stele_field_t field)
{
    if (number == 0)
        return 0;
    sqlite3_stmt *stmt = self->ledger->sql.word;
    sqlite3_bind_int64 (stmt, 1, number);
    int rc = sqlite3_step (stmt);
    if (rc == SQLITE_ROW) {
        size_t size = (size_t) sqlite3_column_bytes (stmt, 0);
        const unsigned char *text = sqlite3_column_text (stmt, 0);
        char *copy = text? stele_record_alloc (record, size + 1): NULL;
        if (copy) {
            memcpy (copy, text, size);
            stele_record_set_text (record, field, copy, size);
        }
        else
            rc = SQLITE_NOMEM;
    }
    sqlite3_reset (stmt);
    int code = stele_sql_code (rc);
    return code? stele_ledger_fail (self->ledger, code): 0;
}

//  A column that is not NULL into its field
static int
s_read (stele_append_t *self, sqlite3_stmt *stmt, int column, stele_field_t field, s_how_t how,
    stele_record_t *record)
{
    size_t size;
    const char *text;
    if (how == COLUMN_ID) {
        char *room = stele_record_alloc (record, STELE_ID_TEXT);
        if (!room)
            return STELE_ENO_MEMORY;
        text = stele_id_column (stmt, column, room, &size);
    }
    else
        text = stele_content_column (self->ledger->content, stmt, column, record, &size);
    if (!text && how == COLUMN_ID)
        return sqlite3_errcode (self->ledger->db) == SQLITE_NOMEM? STELE_ENO_MEMORY: STELE_ELEDGER;
    if (!text)
        return stele_content_error (self->ledger->content);
    if (stele_field_kind (field) == STELE_KIND_BOOL)
        stele_record_set_bool (record, field, sqlite3_column_int (stmt, column));
    else
    if (stele_field_kind (field) == STELE_KIND_MAP)
        stele_record_set_json (record, field, text, size);
    else
        stele_record_set_text (record, field, text, size);
    return 0;
}

int
stele_append_row_read (stele_append_t *self, stele_record_t *record, int64_t *created)
{
    sqlite3_stmt *stmt = self->ledger->sql.task_select;
    sqlite3_bind_int64 (stmt, 1, self->task->key);
    int rc = sqlite3_step (stmt);
    int code = 0;
    if (rc == SQLITE_ROW) {
        *created = sqlite3_column_int64 (stmt, 0);
        for (size_t i = 0; i < COLUMN_COUNT && code == 0; i++)
            if (sqlite3_column_type (stmt, (int) i + 1) != SQLITE_NULL)
                code = s_read (self, stmt, (int) i + 1, s_columns [i].field, s_columns [i].how, record);
        if (code == 0)
            code = stele_record_own (record);
    }
    sqlite3_reset (stmt);
    if (rc != SQLITE_ROW)
        code = rc == SQLITE_DONE? STELE_ELEDGER: stele_sql_code (rc);
    if (code)
        return stele_ledger_fail (self->ledger, code);
    stele_record_set_word (record, STELE_STATE, STELE_VOCABULARY_TASK_STATE, self->task->life.state);
    code = stele_append_row_word (self, self->task->role, record, STELE_ROLE);
    if (code == 0)
        code = stele_append_row_word (self, self->task->provider, record, STELE_PROVIDER);
    if (code == 0)
        code = stele_append_row_word (self, self->task->model, record, STELE_MODEL);
    return code;
}
