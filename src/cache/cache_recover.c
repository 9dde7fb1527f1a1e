/*  cache_recover - restore records in Redis from the ledger, on request

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "wire/event/event_codec.h"
#include "wire/quote.h"

#define READY_MS 2000
#define PAGE_RECORDS STELE_BATCH_RECORDS

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
    char shown [STELE_QUOTE_SIZE];
    if (rc == 0)
        return stele_refuse (refusal, STELE_ENOT_FOUND, "task_id", "there is no task '%s'",
            stele_quote (shown, task_id, size));
    stele_item_t *item = &self->batch->items [0];
    if (rc > 0)
        rc = stele_cache_set_expiry (self, reader, item);
    if (rc < 0) {
        stele_batch_clear (self->batch);
        return stele_cache_refuse_failed (self, stele_cache_ledger_failed (self, reader, rc), refusal);
    }
    size_t mark = stele_pack_size (pack);
    stele_pack_key (pack, "task");
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

//  Restore the terminal tasks whose last event is in (after, upto], the piece of the log that
//  was read: so each task is restored once.

static int
s_recover_changed (s_recovery_t *recovery, stele_reader_t *reader, int64_t after, int64_t upto)
{
    stele_cache_t *self = recovery->cache;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->changed_count; i++) {
        stele_item_t *item = NULL;
        if (!self->changed [i].is_task)
            continue;
        rc = stele_cache_read_record (self, reader, &self->changed [i], &item);
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
        int64_t last = stele_cache_changed_keys (self, reader, after, upto);
        if (last < 0)
            return (int) last;
        if (last == after)
            break;
        rc = s_recover_changed (recovery, reader, after, last);
        if (rc == 0)
            rc = stele_cache_must_stop (self);
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
    stele_pack_key (pack, "by_state");
    stele_pack_map_begin (pack);
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        if (recovery.by_state [state])
            stele_pack_key_integer (pack, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE,
                state), recovery.by_state [state]);
    stele_pack_map_end (pack);
    return 2;
}
