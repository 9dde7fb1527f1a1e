/*  counts - what is counted in one step of a series, and its form in a row

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COUNTS_H_INCLUDED
#define STELE_COUNTS_H_INCLUDED

#include <stdbool.h>
#include "ledger/rollup.h"

//  Durations in buckets of base/log_buckets.h, only those that have any, ascending
typedef struct {
    size_t bucket;
    int64_t count;
} rollup_bucket_t;

typedef struct {
    int64_t count, sum, max;        // Microseconds
    rollup_bucket_t *buckets;
    size_t used, room;
    int64_t *dense;                 // Instead of these, all of them: to add up many rows; NULL: it is not dense
} rollup_spread_t;

//  Whole numbers, by their place in the row: only add at the end, and raise STELE_ROLLUP_VERSION
typedef enum {
    ROLLUP_CREATED, ROLLUP_STARTED, ROLLUP_INTERRUPTED, ROLLUP_REJECTED,
    ROLLUP_ENTERED,                 // One per state, by its code
    ROLLUP_NUMBERS = ROLLUP_ENTERED + STELE_TASK_STATE_END
} rollup_number_t;

//  Sums of metrics
typedef enum { ROLLUP_TOKENS_IN, ROLLUP_TOKENS_OUT, ROLLUP_COST, ROLLUP_SUMS } rollup_sum_t;

typedef struct {
    int64_t numbers [ROLLUP_NUMBERS];
    double sums [ROLLUP_SUMS];
    rollup_spread_t wait, run;
} rollup_counts_t;

//  Make counts dense. Dense ones have no form in a row. Returns 0, or STELE_ENO_MEMORY.
int
    rollup_counts_widen (rollup_counts_t *self);

void
    rollup_counts_free (rollup_counts_t *self);

//  Set all to zero, and keep the memory.
void
    rollup_counts_clear (rollup_counts_t *self);

//  Count one duration; a negative one counts as 0. Returns 0, or STELE_ENO_MEMORY.
int
    rollup_spread_add (rollup_spread_t *self, int64_t time_us);

//  Add all of the other, which is not dense, to self. Returns 0, or STELE_ENO_MEMORY.
int
    rollup_counts_add (rollup_counts_t *self, const rollup_counts_t *other);

//  The form in a row: at most rollup_counts_size bytes. Returns how many.
size_t
    rollup_counts_size (const rollup_counts_t *self);
size_t
    rollup_counts_encode (const rollup_counts_t *self, unsigned char *bytes);

//  Add what a row has. Returns 0, STELE_ELEDGER if it is damaged, or STELE_ENO_MEMORY.
int
    rollup_counts_decode (rollup_counts_t *self, const unsigned char *bytes, size_t size);

//  For people: percentiles are the upper ends of their buckets, at most the largest value.
void
    rollup_counts_report (const rollup_counts_t *self, stele_series_point_t *point);

#endif
