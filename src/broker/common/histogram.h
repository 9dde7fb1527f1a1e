/*  histogram - how long things took, in buckets that keep their proportion

    Each power of two is cut into sixteen equal parts, so a percentile is at most
    a sixteenth too high, whether it is 40 microseconds or 40 seconds.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HISTOGRAM_H_INCLUDED
#define STELE_HISTOGRAM_H_INCLUDED

#include <stdint.h>

typedef struct stele_histogram stele_histogram_t;

/*  An empty one. Caller owns return value.                                  */
stele_histogram_t *
    stele_histogram_new (void);

void
    stele_histogram_destroy (stele_histogram_t **self_p);

/*  Count one value, in microseconds. Below 0 counts as 0.                   */
void
    stele_histogram_record (stele_histogram_t *self, int64_t time_us);

/*  The value that 'percent' (0 to 100) of what was recorded does not exceed: the upper
    end of its bucket, and never more than the largest value. 0 when empty.  */
int64_t
    stele_histogram_percentile (const stele_histogram_t *self, double percent);

int64_t
    stele_histogram_count (const stele_histogram_t *self);

int64_t
    stele_histogram_max (const stele_histogram_t *self);

#endif
