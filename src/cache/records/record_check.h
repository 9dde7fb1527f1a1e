/*  record_check - compare one record of the ledger with Redis

    Its hash field by field, its expiry, and its membership in the set of its state.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RECORD_CHECK_H_INCLUDED
#define STELE_RECORD_CHECK_H_INCLUDED

#include "cache/records/record_batch.h"
#include "cache/records/layout.h"
#include "cache/redis/redis.h"

typedef enum {
    STELE_VERDICT_EQUAL,
    STELE_VERDICT_MISSING,          // No hash
    STELE_VERDICT_MISMATCHED
} stele_verdict_t;

/*  Queue the commands that read an item, for any number of items; then read each verdict in the
    same order. No key may live longer than 'ttl_max_ms'. After a lost connection verdicts are
    meaningless.                                                             */
void
    stele_record_check_queue (stele_redis_t *redis, const stele_layout_t *layout,
        const stele_item_t *item);
stele_verdict_t
    stele_record_check_read (stele_redis_t *redis, const stele_item_t *item, int64_t ttl_max_ms);

#endif
