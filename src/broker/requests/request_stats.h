/*  request_stats - how many requests were answered, how, and how long it took

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUEST_STATS_H_INCLUDED
#define STELE_REQUEST_STATS_H_INCLUDED

#include "broker/operations/query.h"

typedef struct stele_request_stats stele_request_stats_t;

stele_request_stats_t *
    stele_request_stats_new (void);

void
    stele_request_stats_destroy (stele_request_stats_t **self_p);

/*  Count an answer: 'op' NULL where the request named none, 'code' 0 or STELE_E..., time_us
    negative where it was turned away, which is no measure of the operation's time. */
void
    stele_request_stats_record (stele_request_stats_t *self, const stele_operation_t *op, int code, int64_t time_us);

/*  Packs the entries total, errors, by_op {op: {count, errors, p50, p99}} (in
    microseconds, of those that were asked) and by_error {code: count}. Returns
    their number.                                                            */
size_t
    stele_request_stats_pack (const stele_request_stats_t *self, stele_pack_t *pack);

#endif
