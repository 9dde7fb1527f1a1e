/*  log_buckets - logarithmic buckets for durations

    Each value below 16 has its own bucket. Above, each power of two is divided into sixteen equal buckets, so
    the upper end of a bucket is at most one sixteenth above the values in it. Files of a rollup
    (ledger/rollup.h) contain the numbers of the buckets: never change them.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LOG_BUCKETS_H_INCLUDED
#define STELE_LOG_BUCKETS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

#define STELE_BUCKET_PART_BITS 4
#define STELE_BUCKET_PARTS (1 << STELE_BUCKET_PART_BITS)
#define STELE_BUCKET_POWERS 40      // 2^40 microseconds are 12 days
#define STELE_BUCKET_VALUE_MAX (((int64_t) 1 << STELE_BUCKET_POWERS) - 1)
#define STELE_BUCKETS ((STELE_BUCKET_POWERS - STELE_BUCKET_PART_BITS + 1) * STELE_BUCKET_PARTS)

/*  The bucket of a value from 0 to STELE_BUCKET_VALUE_MAX. The power of two selects a row of buckets,
    and the bits after the leading one select a bucket in it.                */
static inline size_t
stele_bucket_of (int64_t value)
{
    if (value < STELE_BUCKET_PARTS)
        return (size_t) value;
    int power = 63 - __builtin_clzll ((unsigned long long) value);
    int shift = power - STELE_BUCKET_PART_BITS;
    return (size_t) (shift + 1) * STELE_BUCKET_PARTS + (size_t) ((value >> shift) - STELE_BUCKET_PARTS);
}

/*  The largest value of a bucket.                                           */
static inline int64_t
stele_bucket_top (size_t bucket)
{
    if (bucket < STELE_BUCKET_PARTS)
        return (int64_t) bucket;
    int shift = (int) (bucket / STELE_BUCKET_PARTS) - 1;
    int64_t lead = STELE_BUCKET_PARTS + (int64_t) (bucket % STELE_BUCKET_PARTS);
    return ((lead + 1) << shift) - 1;
}

#endif
