/*  histogram - durations in logarithmic buckets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "base/memory.h"
#include "broker/common/histogram.h"

#define PART_BITS 4
#define PARTS (1 << PART_BITS)
#define POWERS 40                   // 2^40 microseconds are 12 days
#define VALUE_MAX (((int64_t) 1 << POWERS) - 1)

struct stele_histogram {
    int64_t count;
    int64_t max;
    int64_t sum;
    int64_t buckets [(POWERS - PART_BITS + 1) * PARTS];
};

#define BUCKETS (sizeof ((stele_histogram_t *) 0)->buckets / sizeof (int64_t))

stele_histogram_t *
stele_histogram_new (void)
{
    return STELE_NEW (stele_histogram_t);
}

void
stele_histogram_destroy (stele_histogram_t **self_p)
{
    assert (self_p);
    free (*self_p);
    *self_p = NULL;
}

//  Each value below PARTS has its own bucket. Above, the power of two selects a row of PARTS buckets, and
//  the PART_BITS bits after the leading one select a bucket in it.

static size_t
s_bucket (int64_t value)
{
    if (value < PARTS)
        return (size_t) value;
    int power = 63 - __builtin_clzll ((unsigned long long) value);
    int shift = power - PART_BITS;
    return (size_t) (shift + 1) * PARTS + (size_t) ((value >> shift) - PARTS);
}

static int64_t
s_bucket_top (size_t bucket)
{
    if (bucket < PARTS)
        return (int64_t) bucket;
    int shift = (int) (bucket / PARTS) - 1;
    int64_t lead = PARTS + (int64_t) (bucket % PARTS);
    return ((lead + 1) << shift) - 1;
}

void
stele_histogram_record (stele_histogram_t *self, int64_t time_us)
{
    if (time_us < 0)
        time_us = 0;
    if (time_us > VALUE_MAX)
        time_us = VALUE_MAX;
    self->buckets [s_bucket (time_us)]++;
    self->count++;
    self->sum += time_us;
    if (time_us > self->max)
        self->max = time_us;
}

int64_t
stele_histogram_percentile (const stele_histogram_t *self, double percent)
{
    if (self->count == 0)
        return 0;
    double wanted = (double) self->count * percent / 100.0;
    int64_t seen = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += self->buckets [bucket];
        if (self->buckets [bucket] && (double) seen >= wanted) {
            int64_t top = s_bucket_top (bucket);
            return top < self->max? top: self->max;
        }
    }
    return self->max;
}

int64_t
stele_histogram_count (const stele_histogram_t *self)
{
    return self->count;
}

int64_t
stele_histogram_max (const stele_histogram_t *self)
{
    return self->max;
}

void
stele_histogram_pack (const stele_histogram_t *self, stele_pack_t *pack)
{
    stele_pack_key_integer (pack, "sum", self->sum);
    stele_pack_key (pack, "buckets");
    stele_pack_array (pack, STELE_HISTOGRAM_POWER_MAX - STELE_HISTOGRAM_POWER_MIN + 1);
    int64_t below = 0;
    size_t bucket = 0;
    for (int power = STELE_HISTOGRAM_POWER_MIN; power <= STELE_HISTOGRAM_POWER_MAX; power++) {
        //  A power of two is the start of a row, so no bucket has durations on both sides of it
        for (size_t end = s_bucket ((int64_t) 1 << power); bucket < end; bucket++)
            below += self->buckets [bucket];
        stele_pack_integer (pack, below);
    }
}
