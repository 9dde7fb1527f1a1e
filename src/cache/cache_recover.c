/*  cache_recover - from the ledger to Redis, on request

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "wire/event_codec.h"

#define READY_MS 2000
#define PAGE_RECORDS STELE_BATCH_RECORDS

int
stele_cache_ready (stele_cache_t *self, stele_reader_t *reader, stele_refusal_t *refusal)
{
    int64_t until_ms = stele_clock_steady_ms () + READY_MS;
    do {
        stele_cache_step (self, reader, stele_clock_us ());
        if (self->phase == STELE_PHASE_FOLLOWING && self->at_head)
            return 0;
        if (self->phase == STELE_PHASE_AWAY)
            return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "%s", self->last_error);
    } while (stele_clock_steady_ms () < until_ms);
    return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
        "Redis at %s is not caught up yet (position %" PRId64 " of %" PRId64 "): ask again later",
        self->url, stele_cache_position (self), self->head);
}

void
stele_cache_end_when (stele_cache_t *self, stele_cache_ends_fn *fn, void *arg)
{
    self->ends = fn;
    self->ends_arg = arg;
}

int
stele_cache_ends (stele_cache_t *self)
{
    if (!self->ends || !self->ends (self->ends_arg))
        return 0;
    snprintf (self->last_error, sizeof self->last_error, "the broker ends");
    return STELE_EUNAVAILABLE;
}

int
stele_cache_refuse_failed (stele_cache_t *self, int rc, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, rc, NULL, "%s", self->last_error);
}

static int
s_add_task (const stele_record_t *row, void *arg)
{
    stele_cache_t *self = arg;
    stele_batch_add (self->batch, row, true);
    return 0;
}

int
stele_cache_recover_task (stele_cache_t *self, stele_reader_t *reader,
    const char *task_id, size_t size, stele_pack_t *pack, stele_refusal_t *refusal)
{
    int rc = stele_cache_ready (self, reader, refusal);
    if (rc)
        return rc;
    rc = stele_reader_task_live (reader, task_id, size, s_add_task, self);
    if (rc == 0)
        return stele_refuse (refusal, STELE_ENOT_FOUND, "task_id", "no task '%.*s'",
            (int) (size < 100? size: 100), task_id);
    stele_item_t *item = &self->batch->items [0];
    if (rc > 0)
        rc = stele_cache_set_expiry (self, reader, item);
    if (rc < 0) {
        stele_batch_clear (self->batch);
        return stele_cache_refuse_failed (self, stele_cache_ledger_failed (self, reader, rc), refusal);
    }
    size_t mark = stele_pack_size (pack);
    stele_pack_string (pack, "task");
    stele_record_pack (item->record, pack);
    rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    if (rc) {
        stele_pack_rewind (pack, mark);
        return stele_cache_refuse_failed (self, rc, refusal);
    }
    return 1;
}

typedef struct {
    stele_cache_t *cache;
    int rc;
    int64_t restored;
    int64_t by_state [STELE_TASK_STATE_END];
} s_recovery_t;

static void
s_count (s_recovery_t *recovery, const stele_record_t *task)
{
    recovery->restored++;
    recovery->by_state [task->values [STELE_STATE].integer]++;
}

static int
s_recover_row (const stele_record_t *row, void *arg)
{
    s_recovery_t *recovery = arg;
    stele_cache_t *self = recovery->cache;
    if (recovery->rc)
        return 0;
    if (stele_batch_full (self->batch))
        recovery->rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    if (recovery->rc == 0) {
        stele_batch_add (self->batch, row, true);
        s_count (recovery, row);
    }
    return 0;
}

static int
s_recover_active (s_recovery_t *recovery, stele_reader_t *reader)
{
    stele_cache_t *self = recovery->cache;
    int64_t after = 0;
    int64_t last = 0;
    do {
        after = last;
        last = stele_reader_active (reader, after, PAGE_RECORDS, s_recover_row, recovery);
        if (last < 0)
            return stele_cache_ledger_failed (self, reader, (int) last);
        if (recovery->rc == 0)
            recovery->rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    } while (recovery->rc == 0 && last > after);
    return recovery->rc;
}

//  Terminal ones whose last event is in (after, upto], the piece of the log that was
//  looked at: so each task is restored once.

static int
s_recover_touched (s_recovery_t *recovery, stele_reader_t *reader, int64_t after, int64_t upto)
{
    stele_cache_t *self = recovery->cache;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->touched_count; i++) {
        stele_item_t *item = NULL;
        if (!self->touched [i].is_task)
            continue;
        rc = stele_cache_read_touch (self, reader, &self->touched [i], &item);
        if (rc || !item)
            continue;
        int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
        if (!item->expires_ms || stele_cache_expired (self, item)
        ||  position <= after || position > upto)
            stele_batch_drop (self->batch);
        else {
            s_count (recovery, item->record);
            if (stele_batch_full (self->batch))
                rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
        }
    }
    return rc? rc: stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
}

static int
s_recover_terminal (s_recovery_t *recovery, stele_reader_t *reader)
{
    stele_cache_t *self = recovery->cache;
    int64_t upto = self->head;
    int64_t after = stele_reader_position_at (reader, self->now_us - self->terminal_ttl_us);
    if (after < 0)
        return stele_cache_ledger_failed (self, reader, (int) after);
    int rc = 0;
    while (rc == 0 && after < upto) {
        int64_t last = stele_cache_touched (self, reader, after, upto);
        if (last < 0)
            return (int) last;
        if (last == after)
            break;
        rc = s_recover_touched (recovery, reader, after, last);
        if (rc == 0)
            rc = stele_cache_ends (self);
        after = last;
    }
    return rc;
}

int
stele_cache_recover (stele_cache_t *self, stele_reader_t *reader, bool all,
    stele_pack_t *pack, stele_refusal_t *refusal)
{
    int rc = stele_cache_ready (self, reader, refusal);
    if (rc)
        return rc;
    STELE_FAULT (recover_before);
    s_recovery_t recovery = { .cache = self };
    rc = s_recover_active (&recovery, reader);
    if (rc == 0 && all)
        rc = s_recover_terminal (&recovery, reader);
    stele_batch_clear (self->batch);
    if (rc)
        return stele_cache_refuse_failed (self, rc, refusal);

    stele_pack_key_integer (pack, "restored", recovery.restored);
    stele_pack_string (pack, "by_state");
    size_t mark = stele_pack_open_map (pack);
    size_t count = 0;
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        if (recovery.by_state [state]) {
            stele_pack_key_integer (pack, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE,
                state), recovery.by_state [state]);
            count++;
        }
    stele_pack_close (pack, mark, count);
    return 2;
}
