/*  fold - count a portion of the log in memory

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FOLD_H_INCLUDED
#define STELE_FOLD_H_INCLUDED

#include <uthash.h>
#include "model/fingerprint.h"
#include "sqlite/rollup/counts.h"
#include "sqlite/rollup/life.h"

//  Where something is counted
typedef struct {
    int64_t step;                   // stele_step_t
    int64_t time;                   // Start of the step
    int64_t by;                     // stele_series_by_t
    int64_t key;                    // A word; ROLLUP_NONE, ROLLUP_OTHER
} rollup_place_t;

#define ROLLUP_NONE 0
#define ROLLUP_OTHER -1

typedef struct {
    UT_hash_handle hh;
    rollup_place_t place;
    rollup_counts_t counts;
} rollup_cell_t;

typedef struct {
    int64_t time;                   // Within the bounds of ledger/rollup.h
    int64_t task;                   // Key
    size_t size;
    char fingerprint [STELE_FINGERPRINT_MAX];
} rollup_failure_t;

//  Tasks whose life is remembered between portions. What is not there is read from the ledger.
#define ROLLUP_LIVES 65536

typedef struct {
    stele_reader_t *reader;
    int64_t newest_us;              // Commit of the newest event of the ledger
    rollup_cell_t *cells;           // In the order in which they were first needed
    rollup_failure_t *failures;     // In the order of the log
    size_t failure_count, failure_room;
    int64_t rejected;               // Id of the last refused event that is counted
    rollup_life_t *lives;           // ROLLUP_LIVES, each in the place of its hash
} rollup_fold_t;

//  The earliest time that is kept in a step.
int64_t
    rollup_since (stele_step_t step, int64_t newest_us);

//  Open, and free all of it. Returns 0, or STELE_ENO_MEMORY.
int
    rollup_fold_open (rollup_fold_t *self, stele_reader_t *reader);
void
    rollup_fold_close (rollup_fold_t *self);

//  Forget the cells and failures of the portion; 'lives': also what is remembered of tasks.
void
    rollup_fold_clear (rollup_fold_t *self, bool lives);

//  Count the events in (after, upto], and the events refused after self->rejected, at most a portion. Each in its shortest
//  step, then the longer ones. Returns 0, or an error of the reader.
int
    rollup_fold_read (rollup_fold_t *self, int64_t after, int64_t upto);

#endif
