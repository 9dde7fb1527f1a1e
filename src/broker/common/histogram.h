/*  histogram - durations in logarithmic buckets

    Each power of two is divided into sixteen equal buckets, so a percentile is at most one
    sixteenth too high, for microseconds as for minutes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HISTOGRAM_H_INCLUDED
#define STELE_HISTOGRAM_H_INCLUDED

#include <stdint.h>
#include "wire/pack.h"

/*  Bounds of the buckets that stele_histogram_pack reports: powers of two, from 2^6 (64 us) to 2^24 (16.8 s) */
#define STELE_HISTOGRAM_POWER_MIN 6
#define STELE_HISTOGRAM_POWER_MAX 24

typedef struct stele_histogram stele_histogram_t;

/*  An empty one. Caller owns return value.                                  */
stele_histogram_t *
    stele_histogram_new (void);

void
    stele_histogram_destroy (stele_histogram_t **self_p);

/*  Count one duration in microseconds; a negative one counts as 0.          */
void
    stele_histogram_record (stele_histogram_t *self, int64_t time_us);

/*  The percentile (0 to 100), in microseconds: the upper end of its bucket, at most the largest
    value. 0 if empty.                                                       */
int64_t
    stele_histogram_percentile (const stele_histogram_t *self, double percent);

int64_t
    stele_histogram_count (const stele_histogram_t *self);

int64_t
    stele_histogram_max (const stele_histogram_t *self);

/*  Pack the keys "sum" (microseconds) and "buckets" into a map that was begun. "buckets" is an array: how many
    durations were below 64 us, 128 us, ... 2^24 us, each including the ones before. */
void
    stele_histogram_pack (const stele_histogram_t *self, stele_pack_t *pack);

#endif
