/*  cache_sweep - remove expired terminal tasks from their sets

    Their hashes expire in Redis, members of a sorted set do not: the log from PREFIX:swept
    to the last position older than terminal_ttl identifies the expired ones.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cache/cache_internal.h"
#include "fault/fault.h"

//  Only those whose last event is old enough: the others are swept later, or are active again.

static int
s_collect (stele_cache_t *self, stele_reader_t *reader, size_t *next)
{
    int rc = 0;
    while (rc == 0 && *next < self->changed_count && !stele_batch_full (self->batch)) {
        stele_item_t *item = NULL;
        rc = stele_cache_read_record (self, reader, &self->changed [(*next)++], &item);
        if (rc == 0 && item && !stele_cache_expired (self, item))
            stele_batch_drop (self->batch);
    }
    return rc;
}

int
stele_cache_sweep (stele_cache_t *self, stele_reader_t *reader)
{
    int64_t cutoff = stele_reader_position_at (reader, self->now_us - self->terminal_ttl_us);
    if (cutoff < 0)
        return stele_cache_ledger_failed (self, reader, (int) cutoff);
    if (cutoff > self->position)
        cutoff = self->position;
    if (cutoff <= self->swept)
        return 1;
    int64_t upto = stele_cache_changed_keys (self, reader, self->swept, cutoff);
    if (upto < 0)
        return (int) upto;

    STELE_FAULT (sweep_before);
    size_t next = 0;
    int rc = 0;
    while (rc == 0 && next < self->changed_count) {
        rc = s_collect (self, reader, &next);
        if (rc == 0 && next < self->changed_count)
            rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    }
    if (rc == 0)
        rc = stele_cache_write (self, STELE_WRITE_REPLACE, &self->layout.swept, upto);
    stele_batch_clear (self->batch);
    if (rc)
        return rc;
    self->swept = upto;
    STELE_FAULT (sweep_after);
    return upto >= cutoff;
}
