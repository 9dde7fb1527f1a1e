/*  cache_apply - read the records that the next events changed, and write them to Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "cache/cache_internal.h"

#define FILL_EVENTS 15000           // Most events of the log per step after a rebuild
#define FILL_RECORDS 250            // Per transaction: they fit into a socket's buffer, so that Redis works
                                    //    while the next ones are read

static int
s_keep_key (bool is_task, int64_t key, void *arg)
{
    stele_cache_t *self = arg;
    self->changed = stele_array_must_grow (self->changed, &self->changed_room,
        self->changed_count + 1, sizeof *self->changed);
    self->changed [self->changed_count++] = (stele_changed_key_t) { is_task, key };
    return 0;
}

int64_t
stele_cache_changed_keys (stele_cache_t *self, stele_reader_t *reader, int64_t after, int64_t upto)
{
    self->changed_count = 0;
    int64_t last = stele_reader_touched (reader, after, upto, STELE_CACHE_STEP_EVENTS, true,
        s_keep_key, self);
    if (last < 0)
        return stele_cache_ledger_failed (self, reader, (int) last);
    return last;
}

typedef struct {
    stele_cache_t *cache;
    bool is_task;
    stele_item_t *item;
} s_adding_t;

static int
s_add_row (const stele_record_t *row, void *arg)
{
    s_adding_t *adding = arg;
    adding->item = stele_batch_add (adding->cache->batch, row, adding->is_task);
    return 0;
}

int
stele_cache_read_record (stele_cache_t *self, stele_reader_t *reader,
    const stele_changed_key_t *changed, stele_item_t **item)
{
    s_adding_t adding = { self, changed->is_task, NULL };
    int rc = changed->is_task
        ? stele_reader_task_by_key (reader, changed->key, s_add_row, &adding)
        : stele_reader_session_by_key (reader, changed->key, s_add_row, &adding);
    if (rc >= 0 && adding.item)
        rc = stele_cache_set_expiry (self, reader, adding.item);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    *item = adding.item;
    return 0;
}

int
stele_cache_set_expiry (stele_cache_t *self, stele_reader_t *reader, stele_item_t *item)
{
    item->expires_ms = 0;
    if (!stele_batch_ended (item->record, item->is_task))
        return 0;
    int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
    int64_t committed_us = stele_reader_commit_time (reader, position);
    if (committed_us < 0)
        return (int) committed_us;
    //  A commit in the future is one by a wrong clock
    if (committed_us > self->now_us)
        committed_us = self->now_us;
    item->expires_ms = (committed_us + self->terminal_ttl_us) / 1000;
    if (item->expires_ms < 1)
        item->expires_ms = 1;       // 0 is "never"
    return 0;
}

//  After a rebuild has filled in the active records, the log up to the head at that time
//  serves only those that have ended: each is written once. Every other record that these
//  events changed is in Redis as it is now, or is written later.

static int
s_add_ended (const stele_record_t *row, void *arg)
{
    stele_cache_t *self = arg;
    stele_batch_add (self->batch, row, true);
    return self->batch->count == FILL_RECORDS || stele_batch_full (self->batch);
}

//  The next tasks that have ended, into the empty batch. *at is moved to the position read up to.
static int
s_read_ended (stele_cache_t *self, stele_reader_t *reader, int64_t *at, int64_t upto)
{
    int rc = stele_reader_begin (reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    int64_t last = stele_reader_ended (reader, *at, upto, self->rebuild_start, self->rebuild_head,
        s_add_ended, self);
    rc = last < 0? (int) last: 0;
    for (size_t i = 0; i < self->batch->count && rc == 0; i++)
        rc = stele_cache_set_expiry (self, reader, &self->batch->items [i]);
    if (rc < 0)
        stele_cache_ledger_failed (self, reader, rc);
    stele_reader_end (reader);
    *at = last;
    return rc;
}

//  Write the tasks that ended after the cursor; the last ones stay in the batch.
static int
s_fill_tasks (stele_cache_t *self, stele_reader_t *reader, int64_t upto)
{
    int64_t at = self->position;
    int rc = s_read_ended (self, reader, &at, upto);
    while (rc == 0 && at < upto) {
        rc = stele_cache_write_send (self, STELE_WRITE_FILL, NULL, 0);
        if (rc)
            break;
        rc = s_read_ended (self, reader, &at, upto);
        int written = stele_cache_write_wait (self);
        rc = written? written: rc;
    }
    return rc;
}

//  A session that these events changed, and that needs no writing
static bool
s_is_filled (const stele_cache_t *self, const stele_item_t *item)
{
    return !item->is_task && (!stele_batch_ended (item->record, false)
        || stele_record_integer (item->record, STELE_POSITION, 0) > self->rebuild_head
        || stele_cache_expired (self, item));
}

//  Copy records into the batch until it is full or all changed keys are read.

static int
s_fill_batch (stele_cache_t *self, stele_reader_t *reader, size_t *next, bool filling)
{
    int rc = self->in_snapshot? 0: stele_reader_begin (reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    while (rc == 0 && *next < self->changed_count && !stele_batch_full (self->batch)) {
        stele_item_t *item = NULL;
        const stele_changed_key_t *changed = &self->changed [(*next)++];
        rc = stele_cache_read_record (self, reader, changed, &item);
        if (rc == 0 && item && filling && s_is_filled (self, item))
            stele_batch_drop (self->batch);
    }
    if (!self->in_snapshot)
        stele_reader_end (reader);
    return rc;
}

static int
s_note_commit (stele_cache_t *self, stele_reader_t *reader, int64_t position)
{
    self->committed_us = stele_reader_commit_recorded (reader, position);
    return self->committed_us < 0? stele_cache_ledger_failed (self, reader, (int) self->committed_us): 0;
}

int
stele_cache_apply (stele_cache_t *self, stele_reader_t *reader, int64_t head)
{
    bool filling = self->position < self->rebuild_head;
    if (filling)
        head = self->rebuild_head;
    self->changed_count = 0;
    int64_t upto = filling? stele_reader_touched (reader, self->position, head, FILL_EVENTS, false, s_keep_key, self):
        stele_cache_changed_keys (self, reader, self->position, head);
    if (upto <= self->position)
        return stele_cache_ledger_failed (self, reader, upto < 0? (int) upto: STELE_ELEDGER);

    //  Records that do not fit into one transaction are written before it, without the cursor:
    //  a record may be newer than the cursor, but never older.
    stele_write_t how = filling? STELE_WRITE_FILL: STELE_WRITE_REPLACE;
    size_t next = 0;
    int rc = filling? s_fill_tasks (self, reader, upto): 0;
    while (rc == 0 && next < self->changed_count) {
        rc = s_fill_batch (self, reader, &next, filling);
        if (rc == 0 && next < self->changed_count)
            rc = stele_cache_write (self, how, NULL, 0);
    }
    if (rc == 0)
        rc = s_note_commit (self, reader, upto);
    if (rc == 0)
        rc = stele_cache_write (self, how, &self->layout.position, upto);
    stele_batch_clear (self->batch);
    if (rc == 0)
        self->position = upto;
    return rc;
}
