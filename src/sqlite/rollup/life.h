/*  life - what the counts need to know about a task, as of a position

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIFE_H_INCLUDED
#define STELE_LIFE_H_INCLUDED

#include "sqlite/reader/reader_internal.h"

typedef struct {
    int64_t task;                   // Key; 0: none
    int64_t role, provider, model;  // words, 0: none
    int64_t queued_at;              // When the attempt began: creation or retry; 0: not known
    int64_t started_at;             // When it ran first, in this attempt; 0: it did not
} rollup_life_t;

//  A row of task_history
typedef struct {
    int64_t position, task;
    int kind, from, to;             // 'from' 0: the first event about the task
    int64_t time;
    int64_t provider, model;        // As the event gave them
    bool replaces;                  // It changed fields
} rollup_change_t;

//  Columns of a statement that reads such rows from history_plain h, in the order of rollup_change_fill
#define ROLLUP_CHANGE_COLUMNS "h.position, h.task, h.kind, h.state_from, h.state_to, h.time, h.provider, h.model," \
    " h.replaced IS NOT NULL"
#define ROLLUP_CHANGE_COUNT 9

void
    rollup_change_fill (rollup_change_t *self, sqlite3_stmt *statement);

//  Is this a change of state, to that of the row?
static inline bool
rollup_change_moves (const rollup_change_t *self)
{
    return self->to != self->from;
}

//  Apply a change of state to the times of the life.
void
    rollup_life_move (rollup_life_t *self, const rollup_change_t *change);

//  Set role, provider and model to those that the JSON of a column has, as far as it has them.
void
    rollup_life_take (stele_reader_t *reader, sqlite3_stmt *statement, int column, rollup_life_t *life);

//  Read the life of a task after its event at 'position'. Returns the status of the call.
int
    rollup_life_read (stele_reader_t *reader, int64_t task, int64_t position, rollup_life_t *life);

#endif
