/*  settle - what rows of commits hold for the tables of producers and counts (sql/010-settled.sql)

    A commit of one event would write a page of each of these tables for a number or two. Its own row
    has them instead, and the tables get them after at most SETTLE_AFTER commits: readers scan no more
    rows than that. All of it is in the transactions of the batches.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"

#define SETTLE_AFTER 64

void
stele_ledger_settle_soon (stele_ledger_t *self)
{
    self->unsettled = (stele_unsettled_t) { 0 };
    self->unsettled_commits = SETTLE_AFTER;
}

static int
s_write_sequence (stele_ledger_t *self, int64_t producer, int64_t sequence)
{
    sqlite3_bind_int64 (self->sql.producer_sequence, 1, producer);
    sqlite3_bind_int64 (self->sql.producer_sequence, 3, sequence);
    return stele_ledger_run (self, self->sql.producer_sequence);
}

int
stele_ledger_note_sequence (stele_ledger_t *self, int64_t producer, int64_t sequence)
{
    stele_unsettled_t *unsettled = &self->unsettled;
    if (unsettled->producer && unsettled->producer != producer)
        return s_write_sequence (self, producer, sequence);
    unsettled->producer = producer;
    unsettled->sequence = sequence;
    return 0;
}

int
stele_ledger_bind_unsettled (stele_ledger_t *self, sqlite3_stmt *row)
{
    stele_unsettled_t *unsettled = &self->unsettled;
    int code = row? stele_task_cache_count (self->tasks, &unsettled->count_more, &unsettled->count_less):
        stele_task_cache_count (self->tasks, NULL, NULL);
    if (code)
        return stele_ledger_fail (self, code);
    if (row) {
        stele_sql_bind_key (row, 4, unsettled->producer);
        stele_sql_bind_key (row, 5, unsettled->producer? unsettled->sequence: 0);
        stele_sql_bind_key (row, 6, unsettled->count_more);
        stele_sql_bind_key (row, 7, unsettled->count_less);
    }
    else
    if (unsettled->producer)
        code = s_write_sequence (self, unsettled->producer, unsettled->sequence);
    self->unsettled = (stele_unsettled_t) { 0 };
    return code;
}

int
stele_ledger_settle (stele_ledger_t *self)
{
    if (++self->unsettled_commits < SETTLE_AFTER)
        return 0;
    int code = STELE_FAULT_CODE (settle_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_run (self, self->sql.settle_sequences);
    if (code == 0)
        code = stele_ledger_run (self, self->sql.settle_counts);
    if (code == 0)
        code = stele_ledger_run (self, self->sql.settled);
    if (code == 0)
        self->unsettled_commits = 0;
    STELE_FAULT (settle_after);
    return code;
}
