/*  append_output - the rows of outputs and metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/write/append_internal.h"

void
stele_append_touch (stele_append_t *self)
{
    self->task->position = self->ledger->next;
    self->task->updated_at = self->time;
    stele_task_cache_touch (self->ledger->tasks, self->task);
}

int
stele_append_output (stele_append_t *self)
{
    stele_ledger_t *ledger = self->ledger;
    int code = self->task? 0: stele_append_row_add (self, false);
    if (code)
        return code;
    const stele_value_t *values = self->event->values;
    sqlite3_stmt *stmt = ledger->sql.output;
    stele_append_bind_back (self, stmt, self->task->last_output);
    stele_sql_bind_value (stmt, 4, &values [STELE_OUTPUT_TYPE]);
    sqlite3_bind_int64 (stmt, 5, stele_append_elapsed (self));
    stele_sql_bind_key (stmt, 6, self->user);
    stele_sql_bind_value (stmt, 7, &values [STELE_FILE_PATH]);
    stele_sql_bind_value (stmt, 8, &values [STELE_FILE_SIZE]);
    code = stele_ledger_bind_word (ledger, stmt, 9, &values [STELE_MIME_TYPE]);
    if (code)
        return code;
    stele_ledger_bind_id (stmt, 10, &values [STELE_COMMIT_HASH]);
    stele_sql_bind_value (stmt, 11, &values [STELE_BRANCH]);
    //  Before the content: this binding is copied, the content then stays in the buffer they share
    stele_content_bind (ledger->content, stmt, 12, &self->event->extra);
    const void *data;
    size_t size;
    stele_encoding_t encoding = stele_content_pack (ledger->content, &values [STELE_CONTENT], &data, &size);
    sqlite3_bind_int (stmt, 13, encoding);
    if (encoding == STELE_ENCODING_PLAIN)
        stele_sql_bind_value (stmt, 14, &values [STELE_CONTENT]);
    else
        sqlite3_bind_blob (stmt, 14, data, (int) size, SQLITE_STATIC);
    code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    self->task->last_output = ledger->next;
    stele_append_touch (self);
    return 1;
}

int
stele_append_metric (stele_append_t *self)
{
    stele_ledger_t *ledger = self->ledger;
    int code = self->task? 0: stele_append_row_add (self, false);
    if (code)
        return code;
    const stele_value_t *values = self->event->values;
    sqlite3_stmt *stmt = ledger->sql.metric;
    stele_append_bind_back (self, stmt, self->task->last_metric);
    stele_sql_bind_value (stmt, 5, &values [STELE_VALUE]);
    code = stele_ledger_bind_word (ledger, stmt, 4, &values [STELE_NAME]);
    if (code == 0)
        code = stele_ledger_bind_word (ledger, stmt, 6, &values [STELE_UNIT]);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 7, stele_append_elapsed (self));
    stele_sql_bind_key (stmt, 8, self->user);
    stele_content_bind (ledger->content, stmt, 9, &self->event->extra);
    code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    self->task->last_metric = ledger->next;
    stele_append_touch (self);
    return 1;
}
