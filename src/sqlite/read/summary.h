/*  summary - the narrow row of a task (table task_states)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SUMMARY_H_INCLUDED
#define STELE_SUMMARY_H_INCLUDED

#include "sqlite/read/reader_internal.h"

//  0 is NULL
typedef struct {
    int64_t key;
    int state;
    int64_t role, provider, model;  // words
    int flags;
    int64_t created_at, updated_at, started_at, completed_at;
    int64_t error_count;
    int64_t position;
    int64_t last_error_at;
    int64_t owner;                  // producers
} reader_summary_t;

#define READER_SUMMARY_COUNT 14
#define READER_SUMMARY_COLUMNS "s.task, s.state, s.role, s.provider, s.model, s.flags," \
    " s.created_at, s.updated_at, s.started_at, s.completed_at, s.error_count, s.position, s.last_error_at, s.owner"

//  Fill it from the columns first, first + 1, ... of a statement, which are READER_SUMMARY_COLUMNS.
void
    reader_summary_fill (reader_summary_t *summary, sqlite3_stmt *statement, int first);

//  Read that of a task: 1, 0 no such task, or an error.
int
    reader_summary (stele_reader_t *self, int64_t key, reader_summary_t *summary);

//  The time that an order sorts by; 0: the task is not in that order.
int64_t
    reader_summary_time (const reader_summary_t *summary, stele_order_t order);

#endif
