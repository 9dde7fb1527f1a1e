/*  histogram - durations in logarithmic buckets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "base/log_buckets.h"
#include "base/memory.h"
#include "broker/common/histogram.h"

struct stele_histogram {
    int64_t count;
    int64_t max;
    int64_t sum;
    int64_t buckets [STELE_BUCKETS];
};

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

void
stele_histogram_record (stele_histogram_t *self, int64_t time_us)
{
    if (time_us < 0)
        time_us = 0;
    if (time_us > STELE_BUCKET_VALUE_MAX)
        time_us = STELE_BUCKET_VALUE_MAX;
    self->buckets [stele_bucket_of (time_us)]++;
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
    for (size_t bucket = 0; bucket < STELE_BUCKETS; bucket++) {
        seen += self->buckets [bucket];
        if (self->buckets [bucket] && (double) seen >= wanted) {
            int64_t top = stele_bucket_top (bucket);
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
        for (size_t end = stele_bucket_of ((int64_t) 1 << power); bucket < end; bucket++)
            below += self->buckets [bucket];
        stele_pack_integer (pack, below);
    }
}
