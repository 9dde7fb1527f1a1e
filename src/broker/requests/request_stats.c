/*  request_stats - number, outcomes and latencies of requests

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "base/memory.h"
#include "broker/common/histogram.h"
#include "broker/requests/request_stats.h"

typedef struct {
    int64_t count;
    int64_t errors;
    stele_histogram_t *times;
} s_counts_t;

#define CODES 32                    // More than the codes of stele_error.h

struct stele_request_stats {
    int64_t total;
    int64_t errors;
    int64_t by_code [CODES];
    s_counts_t operations [STELE_OPERATION_REQUESTS];
};

stele_request_stats_t *
stele_request_stats_new (void)
{
    stele_request_stats_t *self = STELE_NEW (stele_request_stats_t);
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++)
        self->operations [i].times = stele_histogram_new ();
    return self;
}

void
stele_request_stats_destroy (stele_request_stats_t **self_p)
{
    assert (self_p);
    stele_request_stats_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++)
        stele_histogram_destroy (&self->operations [i].times);
    free (self);
    *self_p = NULL;
}

void
stele_request_stats_record (stele_request_stats_t *self, const stele_operation_t *operation, int code, int64_t time_us)
{
    self->total++;
    if (code) {
        assert (code < 0 && code > -CODES);
        self->errors++;
        self->by_code [-code]++;
    }
    if (operation) {
        s_counts_t *counts = &self->operations [operation - stele_operations];
        counts->count++;
        counts->errors += code != 0;
        if (time_us >= 0)
            stele_histogram_record (counts->times, time_us);
    }
}

void
stele_request_stats_pack (const stele_request_stats_t *self, stele_pack_t *pack)
{
    stele_pack_key_integer (pack, "total", self->total);
    stele_pack_key_integer (pack, "errors", self->errors);
    stele_pack_key (pack, "by_op");
    stele_pack_map_begin (pack);
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++) {
        const s_counts_t *counts = &self->operations [i];
        if (counts->count == 0)
            continue;
        stele_pack_key (pack, stele_operations [i].name);
        stele_pack_map_begin (pack);
        stele_pack_key_integer (pack, "count", counts->count);
        stele_pack_key_integer (pack, "errors", counts->errors);
        stele_pack_key_integer (pack, "p50", stele_histogram_percentile (counts->times, 50));
        stele_pack_key_integer (pack, "p99", stele_histogram_percentile (counts->times, 99));
        stele_histogram_pack (counts->times, pack);
        stele_pack_map_end (pack);
    }
    stele_pack_map_end (pack);

    stele_pack_key (pack, "by_error");
    stele_pack_map_begin (pack);
    for (int code = 1; code < CODES; code++)
        if (self->by_code [code])
            stele_pack_key_integer (pack, stele_error_name (-code), self->by_code [code]);
    stele_pack_map_end (pack);
}
