/*  request_stats - counters and a histogram an operation

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "broker/common/histogram.h"
#include "broker/requests/request_stats.h"

typedef struct {
    int64_t count;
    int64_t errors;
    stele_histogram_t *times;
} s_op_tally_t;

#define CODES 32                    // More than the codes of stele_error.h

struct stele_request_stats {
    int64_t total;
    int64_t errors;
    int64_t by_code [CODES];
    s_op_tally_t *ops;              // As many as stele_operations
};

stele_request_stats_t *
stele_request_stats_new (void)
{
    stele_request_stats_t *self = calloc (1, sizeof *self);
    assert (self);
    self->ops = calloc (stele_operation_count, sizeof *self->ops);
    assert (self->ops);
    for (size_t i = 0; i < stele_operation_count; i++)
        self->ops [i].times = stele_histogram_new ();
    return self;
}

void
stele_request_stats_destroy (stele_request_stats_t **self_p)
{
    assert (self_p);
    stele_request_stats_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < stele_operation_count; i++)
        stele_histogram_destroy (&self->ops [i].times);
    free (self->ops);
    free (self);
    *self_p = NULL;
}

void
stele_request_stats_record (stele_request_stats_t *self, const stele_operation_t *op, int code, int64_t time_us)
{
    self->total++;
    if (code) {
        assert (code < 0 && code > -CODES);
        self->errors++;
        self->by_code [-code]++;
    }
    if (op) {
        s_op_tally_t *tally = &self->ops [op - stele_operations];
        tally->count++;
        tally->errors += code != 0;
        if (time_us >= 0)
            stele_histogram_record (tally->times, time_us);
    }
}

size_t
stele_request_stats_pack (const stele_request_stats_t *self, stele_pack_t *pack)
{
    stele_pack_key_integer (pack, "total", self->total);
    stele_pack_key_integer (pack, "errors", self->errors);
    stele_pack_string (pack, "by_op");
    size_t mark = stele_pack_open_map (pack);
    size_t count = 0;
    for (size_t i = 0; i < stele_operation_count; i++) {
        const s_op_tally_t *tally = &self->ops [i];
        if (tally->count == 0)
            continue;
        count++;
        stele_pack_string (pack, stele_operations [i].name);
        stele_pack_map (pack, 4);
        stele_pack_key_integer (pack, "count", tally->count);
        stele_pack_key_integer (pack, "errors", tally->errors);
        stele_pack_key_integer (pack, "p50", stele_histogram_percentile (tally->times, 50));
        stele_pack_key_integer (pack, "p99", stele_histogram_percentile (tally->times, 99));
    }
    stele_pack_close (pack, mark, count);

    stele_pack_string (pack, "by_error");
    mark = stele_pack_open_map (pack);
    count = 0;
    for (int code = 1; code < CODES; code++)
        if (self->by_code [code]) {
            count++;
            stele_pack_key_integer (pack, stele_error_name (-code), self->by_code [code]);
        }
    stele_pack_close (pack, mark, count);
    return 4;
}
