/*  cache_apply - read the records that the next events changed, and write them to Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "cache/cache_internal.h"

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
    int64_t last = stele_reader_touched (reader, after, upto, STELE_CACHE_STEP_EVENTS,
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
//  serves only the terminal ones: each is written once, at its last event. Every other
//  record that these events changed is in Redis as it is now, or is written later.

static bool
s_filled_already (const stele_cache_t *self, const stele_item_t *item, int64_t upto)
{
    if (upto > self->rebuild_head)
        return false;
    int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
    return !stele_batch_ended (item->record, item->is_task)
        || position > upto || stele_cache_expired (self, item);
}

//  The same for a task before its record is read: most changes are not the last of their task.
//  Returns 1, 0 or an error.

static int
s_filled_before (stele_cache_t *self, stele_reader_t *reader, const stele_changed_key_t *changed,
    int64_t upto)
{
    int state = 0;
    int64_t position = 0;
    if (upto > self->rebuild_head || !changed->is_task)
        return 0;
    int rc = stele_reader_task_state (reader, changed->key, &state, &position);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    return rc == 1 && (position > upto || !stele_lifecycle_terminal ((stele_task_state_t) state));
}

//  Copy records into the batch until it is full or all changed keys are read.

static int
s_fill_batch (stele_cache_t *self, stele_reader_t *reader, size_t *next, int64_t upto)
{
    int rc = self->in_snapshot? 0: stele_reader_begin (reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    while (rc == 0 && *next < self->changed_count && !stele_batch_full (self->batch)) {
        stele_item_t *item = NULL;
        const stele_changed_key_t *changed = &self->changed [(*next)++];
        rc = s_filled_before (self, reader, changed, upto);
        if (rc) {
            rc = rc < 0? rc: 0;
            continue;
        }
        rc = stele_cache_read_record (self, reader, changed, &item);
        if (rc == 0 && item && s_filled_already (self, item, upto))
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
    int64_t upto = stele_cache_changed_keys (self, reader, self->position, head);
    if (upto < 0)
        return (int) upto;
    if (upto <= self->position)
        return stele_cache_ledger_failed (self, reader, STELE_ELEDGER);

    //  Records that do not fit into one transaction are written before it, without the cursor:
    //  a record may be newer than the cursor, but never older.
    stele_write_t how = upto <= self->rebuild_head? STELE_WRITE_FILL: STELE_WRITE_REPLACE;
    size_t next = 0;
    int rc = 0;
    do {
        rc = s_fill_batch (self, reader, &next, upto);
        if (rc == 0 && next < self->changed_count)
            rc = stele_cache_write (self, how, NULL, 0);
    } while (rc == 0 && next < self->changed_count);
    if (rc == 0)
        rc = s_note_commit (self, reader, upto);
    if (rc == 0)
        rc = stele_cache_write (self, how, &self->layout.position, upto);
    stele_batch_clear (self->batch);
    if (rc == 0)
        self->position = upto;
    return rc;
}
