/*  counts - what is counted in one step of a series, and its form in a row

    A row has variable-length numbers of seven bits per byte, the lowest first: those of rollup_number_t; then a
    byte with a bit per sum that is not zero, and these as eight bytes; then the two spreads: the number of their
    buckets and, if there are any, sum, maximum, and per bucket the distance from the one before and the count.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/log_buckets.h"
#include "base/memory.h"
#include "sqlite/rollup/counts.h"
#include "stele_error.h"

#define NUMBER_MAX 10               // Bytes of one number

void
rollup_counts_free (rollup_counts_t *self)
{
    free (self->wait.buckets);
    free (self->wait.dense);
    free (self->run.buckets);
    free (self->run.dense);
}

static int
s_widen (rollup_spread_t *self)
{
    if (!self->dense)
        self->dense = calloc (STELE_BUCKETS, sizeof *self->dense);
    for (size_t i = 0; i < self->used && self->dense; i++)
        self->dense [self->buckets [i].bucket] += self->buckets [i].count;
    self->used = self->dense? 0: self->used;
    return self->dense? 0: STELE_ENO_MEMORY;
}

int
rollup_counts_widen (rollup_counts_t *self)
{
    int code = s_widen (&self->wait);
    return code? code: s_widen (&self->run);
}

static void
s_clear_spread (rollup_spread_t *self)
{
    *self = (rollup_spread_t) { .buckets = self->buckets, .room = self->room, .dense = self->dense };
    if (self->dense)
        memset (self->dense, 0, STELE_BUCKETS * sizeof *self->dense);
}

void
rollup_counts_clear (rollup_counts_t *self)
{
    memset (self->numbers, 0, sizeof self->numbers);
    memset (self->sums, 0, sizeof self->sums);
    s_clear_spread (&self->wait);
    s_clear_spread (&self->run);
}

//  -- adding ----------------------------------------------------------------------------

static int
s_add_to_bucket (rollup_spread_t *self, size_t bucket, int64_t count)
{
    if (self->dense) {
        self->dense [bucket] += count;
        return 0;
    }
    size_t at = self->used;
    while (at > 0 && self->buckets [at - 1].bucket > bucket)
        at--;
    if (at > 0 && self->buckets [at - 1].bucket == bucket) {
        self->buckets [at - 1].count += count;
        return 0;
    }
    rollup_bucket_t *buckets = stele_array_grow (self->buckets, &self->room, self->used + 1, sizeof *buckets);
    if (!buckets)
        return STELE_ENO_MEMORY;
    self->buckets = buckets;
    memmove (buckets + at + 1, buckets + at, (self->used - at) * sizeof *buckets);
    buckets [at] = (rollup_bucket_t) { bucket, count };
    self->used++;
    return 0;
}

static void
s_add_totals (rollup_spread_t *self, int64_t count, int64_t sum, int64_t max)
{
    self->count += count;
    self->sum += sum;
    if (max > self->max)
        self->max = max;
}

int
rollup_spread_add (rollup_spread_t *self, int64_t time_us)
{
    time_us = time_us < 0? 0: time_us;
    int64_t held = time_us < STELE_BUCKET_VALUE_MAX? time_us: STELE_BUCKET_VALUE_MAX;
    int code = s_add_to_bucket (self, stele_bucket_of (held), 1);
    if (code == 0)
        s_add_totals (self, 1, time_us, time_us);
    return code;
}

static int
s_add_spread (rollup_spread_t *self, const rollup_spread_t *other)
{
    int code = 0;
    for (size_t i = 0; i < other->used && code == 0; i++)
        code = s_add_to_bucket (self, other->buckets [i].bucket, other->buckets [i].count);
    s_add_totals (self, other->count, other->sum, other->max);
    return code;
}

int
rollup_counts_add (rollup_counts_t *self, const rollup_counts_t *other)
{
    for (size_t i = 0; i < ROLLUP_NUMBERS; i++)
        self->numbers [i] += other->numbers [i];
    for (size_t i = 0; i < ROLLUP_SUMS; i++)
        self->sums [i] += other->sums [i];
    int code = s_add_spread (&self->wait, &other->wait);
    return code? code: s_add_spread (&self->run, &other->run);
}

//  -- the form in a row -------------------------------------------------------------------

size_t
rollup_counts_size (const rollup_counts_t *self)
{
    return (ROLLUP_NUMBERS + 3 + 3 + 2 * (self->wait.used + self->run.used)) * NUMBER_MAX + 1 + sizeof self->sums;
}

static unsigned char *
s_put (unsigned char *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *at++ = (unsigned char) (value | 0x80);
    *at++ = (unsigned char) value;
    return at;
}

static unsigned char *
s_put_spread (unsigned char *at, const rollup_spread_t *spread)
{
    at = s_put (at, spread->used);
    if (spread->used == 0)
        return at;
    at = s_put (at, (uint64_t) spread->sum);
    at = s_put (at, (uint64_t) spread->max);
    size_t before = 0;
    for (size_t i = 0; i < spread->used; i++) {
        at = s_put (at, spread->buckets [i].bucket - before);
        at = s_put (at, (uint64_t) spread->buckets [i].count);
        before = spread->buckets [i].bucket;
    }
    return at;
}

size_t
rollup_counts_encode (const rollup_counts_t *self, unsigned char *bytes)
{
    unsigned char *at = bytes;
    for (size_t i = 0; i < ROLLUP_NUMBERS; i++)
        at = s_put (at, (uint64_t) self->numbers [i]);
    unsigned char *set = at++;
    *set = 0;
    for (size_t i = 0; i < ROLLUP_SUMS; i++)
        if (self->sums [i] != 0) {
            *set |= (unsigned char) (1 << i);
            memcpy (at, &self->sums [i], sizeof self->sums [i]);
            at += sizeof self->sums [i];
        }
    at = s_put_spread (at, &self->wait);
    at = s_put_spread (at, &self->run);
    return (size_t) (at - bytes);
}

typedef struct {
    const unsigned char *next, *end;
    bool damaged;
} s_bytes_t;

static int64_t
s_take (s_bytes_t *bytes)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (bytes->next == bytes->end)
            break;
        unsigned char byte = *bytes->next++;
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t) value;
    }
    bytes->damaged = true;
    return 0;
}

static int
s_take_spread (s_bytes_t *bytes, rollup_spread_t *spread)
{
    int64_t used = s_take (bytes);
    if (used == 0 || bytes->damaged)
        return 0;
    int64_t sum = s_take (bytes), max = s_take (bytes), count = 0;
    uint64_t bucket = 0;
    for (int64_t i = 0; i < used && !bytes->damaged; i++) {
        bucket += (uint64_t) s_take (bytes);
        int64_t here = s_take (bytes);
        if (bucket >= STELE_BUCKETS)
            bytes->damaged = true;
        else
        if (s_add_to_bucket (spread, (size_t) bucket, here))
            return STELE_ENO_MEMORY;
        count += here;
    }
    s_add_totals (spread, count, sum, max);
    return 0;
}

int
rollup_counts_decode (rollup_counts_t *self, const unsigned char *data, size_t size)
{
    s_bytes_t bytes = { .next = data, .end = data + size };
    for (size_t i = 0; i < ROLLUP_NUMBERS; i++)
        self->numbers [i] += s_take (&bytes);
    unsigned char set = bytes.next < bytes.end? *bytes.next++: 0;
    for (size_t i = 0; i < ROLLUP_SUMS; i++)
        if (set & 1 << i) {
            double sum;
            if ((size_t) (bytes.end - bytes.next) < sizeof sum)
                return STELE_ELEDGER;
            memcpy (&sum, bytes.next, sizeof sum);
            bytes.next += sizeof sum;
            self->sums [i] += sum;
        }
    int code = s_take_spread (&bytes, &self->wait);
    if (code == 0)
        code = s_take_spread (&bytes, &self->run);
    return code? code: bytes.damaged? STELE_ELEDGER: 0;
}

//  -- for people ---------------------------------------------------------------------------

//  By nearest rank, for each of three percents, ascending
static void
s_percentiles (const rollup_spread_t *self, int64_t values [3])
{
    static const int64_t percents [3] = { 50, 90, 99 };
    size_t end = self->dense? STELE_BUCKETS: self->used;
    int64_t seen = 0;
    for (size_t i = 0, next = 0; i < end && next < 3; i++) {
        seen += self->dense? self->dense [i]: self->buckets [i].count;
        int64_t top = stele_bucket_top (self->dense? i: self->buckets [i].bucket);
        for (; next < 3 && seen >= (self->count * percents [next] + 99) / 100; next++)
            values [next] = top < self->max? top: self->max;
    }
}

static stele_series_spread_t
s_report (const rollup_spread_t *self)
{
    int64_t values [3] = { 0, 0, 0 };
    if (self->count)
        s_percentiles (self, values);
    return (stele_series_spread_t) {
        .spread = { .p50 = values [0], .p90 = values [1], .p99 = values [2], .max = self->max, .count = self->count },
        .sum = self->sum
    };
}

void
rollup_counts_report (const rollup_counts_t *self, stele_series_point_t *point)
{
    point->created = self->numbers [ROLLUP_CREATED];
    point->started = self->numbers [ROLLUP_STARTED];
    point->interrupted = self->numbers [ROLLUP_INTERRUPTED];
    point->rejected = self->numbers [ROLLUP_REJECTED];
    for (int state = 0; state < STELE_TASK_STATE_END; state++)
        point->entered [state] = self->numbers [ROLLUP_ENTERED + state];
    point->tokens_in = self->sums [ROLLUP_TOKENS_IN];
    point->tokens_out = self->sums [ROLLUP_TOKENS_OUT];
    point->cost = self->sums [ROLLUP_COST];
    point->wait = s_report (&self->wait);
    point->run = s_report (&self->run);
}
