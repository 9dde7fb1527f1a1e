/*  append_internal - one event about a task, shared by append_task, append_row and append_facts

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_APPEND_INTERNAL_H_INCLUDED
#define STELE_APPEND_INTERNAL_H_INCLUDED

#include "sqlite/write/ledger_internal.h"

typedef struct {
    stele_ledger_t *ledger;
    const stele_record_t *event;
    stele_task_t *task;
    int64_t time;
    int64_t user;                   // words
    int64_t producer;
    int64_t owner_before;           // Of the task; 0: no producer
} stele_append_t;

//  Insert the row of a task that is seen for the first time. 'created': the event is its
//  task.created; else the row is a placeholder without fields. Returns 0 or a storage
//  error. (append_row.c)
int
    stele_append_row_add (stele_append_t *self, bool created);

//  Update that row to 'values', with 'created' as the position of its task.created.
int
    stele_append_row_update (stele_append_t *self, const stele_record_t *values, int64_t created);

//  Read the current fields of the task, from tasks and task_states, into 'record'.
int
    stele_append_row_read (stele_append_t *self, stele_record_t *record, int64_t *created);

//  Set a field of the record to the text of a word (0: leave it).
int
    stele_append_row_word (stele_append_t *self, int64_t number, stele_record_t *record,
        stele_field_t field);

//  Note that the task has one more event; its row of task_states will be written.
void
    stele_append_touch (stele_append_t *self);

//  Bind the first columns of an event's row: its position, and how many positions back the task's
//  first event and its previous row (0: none) are.
static inline void
stele_append_bind_back (stele_append_t *self, sqlite3_stmt *stmt, int64_t previous)
{
    int64_t position = self->ledger->next;
    sqlite3_bind_int64 (stmt, 1, position);
    sqlite3_bind_int64 (stmt, 2, position - self->task->key);
    stele_sql_bind_key (stmt, 3, previous? position - previous: 0);
}

//  Time of the event as the row stores it: microseconds after the base of its task.
static inline int64_t
stele_append_elapsed (const stele_append_t *self)
{
    return self->time - self->task->since * 1000000;
}

//  Append an output or a metric. Return as stele_ledger_append. (append_facts.c)
int
    stele_append_output (stele_append_t *self);
int
    stele_append_metric (stele_append_t *self);

#endif
