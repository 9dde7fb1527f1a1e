/*  request_stats - number, outcomes and latencies of requests

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUEST_STATS_H_INCLUDED
#define STELE_REQUEST_STATS_H_INCLUDED

#include "broker/operations/operations.h"

typedef struct stele_request_stats stele_request_stats_t;

stele_request_stats_t *
    stele_request_stats_new (void);

void
    stele_request_stats_destroy (stele_request_stats_t **self_p);

/*  Count an answer: 'operation' NULL where it is unknown, 'code' 0 or STELE_E..., time_us negative
    for a request that was turned away, whose time does not count.           */
void
    stele_request_stats_record (stele_request_stats_t *self, const stele_operation_t *operation,
        int code, int64_t time_us);

/*  Pack the keys total, errors, by_op {op: {count, errors, p50, p99, sum, buckets}} (microseconds; operations
    that were requested) and by_error {code: count} into a map that was begun. */
void
    stele_request_stats_pack (const stele_request_stats_t *self, stele_pack_t *pack);

#endif
