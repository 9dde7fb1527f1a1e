/*  cache_apply - records into Redis, together with the cursor

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "base/clock.h"

//  -- the guard --------------------------------------------------------------------

//  Two round trips a transaction: the first looks whether Redis stands where this
//  cache left it and watches that it stays so until EXEC. So a Redis that was
//  flushed, restored or written by another broker is noticed before it is written.

static void
s_guard_send (stele_cache_t *self, bool watch)
{
    stele_redis_t *redis = self->redis;
    if (self->phase == STELE_PHASE_FOLLOWING) {
        if (watch)
            stele_redis_command (redis, "WATCH", self->layout.ledger.data,
                self->layout.position.data);
        stele_redis_command (redis, "GET", self->layout.ledger.data, NULL);
        stele_redis_command (redis, "GET", self->layout.position.data, NULL);
    }
    else {
        if (watch)
            stele_redis_command (redis, "WATCH", self->layout.rebuilding.data, NULL);
        stele_redis_command (redis, "GET", self->layout.rebuilding.data, NULL);
    }
}

static int
s_guard_check (stele_cache_t *self, bool watch)
{
    bool right = true;
    if (watch)
        freeReplyObject (stele_redis_reply (self->redis));
    redisReply *reply = stele_redis_reply (self->redis);
    if (self->phase == STELE_PHASE_FOLLOWING) {
        right = stele_reply_is_text (reply, self->ledger_id);
        freeReplyObject (reply);
        reply = stele_redis_reply (self->redis);
        right = right && stele_reply_integer (reply, -1) == self->position;
    }
    else
        right = stele_reply_is_text (reply, self->token);
    freeReplyObject (reply);

    if (!stele_redis_connected (self->redis))
        return stele_cache_lost (self);
    if (!right)
        return stele_cache_doubt (self, "Redis at %s is not where it was left: "
            "it was flushed, restored, or somebody else writes the keys %s:*",
            self->url, self->layout.prefix);
    self->checked_ms = stele_clock_steady_ms ();
    return 0;
}

int
stele_cache_verify (stele_cache_t *self)
{
    s_guard_send (self, false);
    return s_guard_check (self, false);
}

//  -- one transaction ----------------------------------------------------------------

bool
stele_cache_expired (const stele_cache_t *self, const stele_item_t *item)
{
    return item->expires_ms && item->expires_ms <= self->now_us / 1000;
}

static void
s_queue_legacy (stele_cache_t *self, const stele_record_t *task)
{
    const stele_value_t *id = &task->values [STELE_TASK_ID];
    stele_key_t key;
    stele_layout_legacy (id->text, id->size, &key);
    char *json = stele_layout_legacy_json (task, self->scratch);
    stele_redis_word (self->redis, "SET");
    stele_redis_bytes (self->redis, key.data, key.size);
    stele_redis_word (self->redis, json);
    stele_redis_word (self->redis, "EX");
    stele_redis_integer (self->redis, STELE_LAYOUT_LEGACY_TTL_S);
    stele_redis_end (self->redis);
    free (json);
}

static void
s_queue_item (stele_cache_t *self, const stele_item_t *item, stele_write_t how)
{
    stele_redis_t *redis = self->redis;
    stele_key_t key;
    stele_item_key (item, &self->layout, &key);
    if (stele_cache_expired (self, item)) {
        stele_redis_word (redis, "DEL");
        stele_redis_bytes (redis, key.data, key.size);
        stele_redis_end (redis);
        return;
    }
    if (how == STELE_WRITE_FILL)
        stele_layout_fill (redis, &key, item->record);
    else
        stele_layout_replace (redis, &key, item->record);
    if (item->expires_ms) {
        stele_redis_word (redis, "PEXPIREAT");
        stele_redis_bytes (redis, key.data, key.size);
        stele_redis_integer (redis, item->expires_ms);
        stele_redis_end (redis);
    }
    if (self->legacy_keys && item->is_task)
        s_queue_legacy (self, item->record);
}

//  In which set does it have to be afterwards? 0: in none.

static int
s_set_of (const stele_cache_t *self, const stele_item_t *item)
{
    return item->is_task && !stele_cache_expired (self, item)?
        (int) item->record->values [STELE_STATE].integer: 0;
}

//  One ZREM and one ZADD a set for all tasks of the batch: cheaper than to ask
//  Redis which set each one is in, and right whatever it is in.

static void
s_queue_set (stele_cache_t *self, int state, bool leave)
{
    stele_redis_t *redis = self->redis;
    const char *verb = leave? "ZREM": "ZADD";
    size_t count = 0;
    for (size_t i = 0; i < self->batch->count; i++) {
        const stele_item_t *item = &self->batch->items [i];
        bool belongs = s_set_of (self, item) == state;
        if (!item->is_task || belongs == leave)
            continue;
        if (count++ == 0) {
            stele_redis_word (redis, verb);
            stele_redis_bytes (redis, self->layout.sets [state].data,
                self->layout.sets [state].size);
        }
        if (!leave)
            stele_redis_integer (redis,
                stele_record_integer (item->record, STELE_UPDATED_AT, 0));
        const stele_value_t *id = stele_item_id (item);
        stele_redis_bytes (redis, id->text, id->size);
    }
    if (count)
        stele_redis_end (redis);
}

static int
s_commit (stele_cache_t *self)
{
    switch (stele_redis_exec (self->redis)) {
        case STELE_EXEC_DONE:
            self->applied += self->batch->count;
            self->batches++;
            return 0;
        case STELE_EXEC_CHANGED:
            return stele_cache_doubt (self, "Redis at %s was written by somebody else: "
                "is another broker using the keys %s:*?", self->url, self->layout.prefix);
        case STELE_EXEC_REFUSED:
            return stele_cache_doubt (self, "Redis at %s refuses to write: %s",
                self->url, stele_redis_error (self->redis));
        case STELE_EXEC_BROKEN:
            self->must_rebuild = true;
            return stele_cache_doubt (self, "Redis at %s did a transaction only in part, "
                "it has to be rebuilt: %s", self->url, stele_redis_error (self->redis));
        case STELE_EXEC_LOST:
            break;
    }
    return stele_cache_lost (self);
}

int
stele_cache_write (stele_cache_t *self, stele_write_t how, const stele_key_t *cursor,
    int64_t value)
{
    if (self->batch->count == 0 && !cursor) {
        stele_batch_clear (self->batch);
        return 0;
    }
    s_guard_send (self, true);
    int rc = s_guard_check (self, true);
    if (rc == 0) {
        stele_redis_multi (self->redis);
        for (size_t i = 0; i < self->batch->count; i++)
            s_queue_item (self, &self->batch->items [i], how);
        for (int state = 1; state < STELE_TASK_STATE_END; state++) {
            if (how == STELE_WRITE_REPLACE)
                s_queue_set (self, state, true);
            s_queue_set (self, state, false);
        }
        if (cursor) {
            stele_redis_word (self->redis, "SET");
            stele_redis_bytes (self->redis, cursor->data, cursor->size);
            stele_redis_integer (self->redis, value);
            stele_redis_end (self->redis);
        }
        rc = s_commit (self);
    }
    stele_batch_clear (self->batch);
    return rc;
}

//  -- from the ledger ----------------------------------------------------------------

static int
s_keep_touch (bool is_task, int64_t key, void *arg)
{
    stele_cache_t *self = arg;
    if (self->touched_count == self->touched_max) {
        self->touched_max = self->touched_max? self->touched_max * 2: 256;
        self->touched = realloc (self->touched, self->touched_max * sizeof *self->touched);
        assert (self->touched);
    }
    self->touched [self->touched_count++] = (stele_touch_t) { is_task, key };
    return 0;
}

int64_t
stele_cache_touched (stele_cache_t *self, stele_reader_t *reader, int64_t after, int64_t upto)
{
    self->touched_count = 0;
    int64_t last = stele_reader_touched (reader, after, upto, STELE_CACHE_STEP_EVENTS,
        s_keep_touch, self);
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
stele_cache_read_touch (stele_cache_t *self, stele_reader_t *reader,
    const stele_touch_t *touch, stele_item_t **item)
{
    s_adding_t adding = { self, touch->is_task, NULL };
    int rc = touch->is_task
        ? stele_reader_task_by_key (reader, touch->key, s_add_row, &adding)
        : stele_reader_session_by_key (reader, touch->key, s_add_row, &adding);
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
    item->expires_ms = (committed_us + self->terminal_ttl_us) / 1000;
    if (item->expires_ms < 1)
        item->expires_ms = 1;       // 0 is "never"
    return 0;
}

//  After a rebuild has filled Redis with what is active, the log up to the head of then
//  is there for the terminal ones: each is written once, where its last event is.
//  Whatever else these events touched is in Redis as it is now, or comes later.

static bool
s_filled_already (const stele_cache_t *self, const stele_item_t *item, int64_t upto)
{
    if (upto > self->rebuild_head)
        return false;
    int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
    return !stele_batch_ended (item->record, item->is_task)
        || position > upto || stele_cache_expired (self, item);
}

//  The same of a task before its record is read: most touches are not the last of their task.
//  1, 0 or an error.

static int
s_filled_before (stele_cache_t *self, stele_reader_t *reader, const stele_touch_t *touch,
    int64_t upto)
{
    int state = 0;
    int64_t position = 0;
    if (upto > self->rebuild_head || !touch->is_task)
        return 0;
    int rc = stele_reader_task_state (reader, touch->key, &state, &position);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    return rc == 1 && (position > upto || !stele_lifecycle_terminal ((stele_task_state_t) state));
}

//  Copy records into the batch until it is full or all touches are read.

static int
s_fill_batch (stele_cache_t *self, stele_reader_t *reader, size_t *next, int64_t upto)
{
    int rc = self->in_snapshot? 0: stele_reader_begin (reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    while (rc == 0 && *next < self->touched_count && !stele_batch_full (self->batch)) {
        stele_item_t *item = NULL;
        const stele_touch_t *touch = &self->touched [(*next)++];
        rc = s_filled_before (self, reader, touch, upto);
        if (rc) {
            rc = rc < 0? rc: 0;
            continue;
        }
        rc = stele_cache_read_touch (self, reader, touch, &item);
        if (rc == 0 && item && s_filled_already (self, item, upto))
            stele_batch_drop (self->batch);
    }
    if (!self->in_snapshot)
        stele_reader_end (reader);
    return rc;
}

int
stele_cache_apply (stele_cache_t *self, stele_reader_t *reader, int64_t head)
{
    int64_t upto = stele_cache_touched (self, reader, self->position, head);
    if (upto < 0)
        return (int) upto;
    if (upto <= self->position)
        return stele_cache_ledger_failed (self, reader, STELE_ELEDGER);

    //  What does not fit one transaction is written first, without the cursor: a
    //  record that is newer than the cursor is no harm, a cursor ahead of one is.
    stele_write_t how = upto <= self->rebuild_head? STELE_WRITE_FILL: STELE_WRITE_REPLACE;
    size_t next = 0;
    int rc = 0;
    do {
        rc = s_fill_batch (self, reader, &next, upto);
        if (rc == 0 && next < self->touched_count)
            rc = stele_cache_write (self, how, NULL, 0);
    } while (rc == 0 && next < self->touched_count);
    if (rc == 0)
        rc = stele_cache_write (self, how, &self->layout.position, upto);
    stele_batch_clear (self->batch);
    if (rc == 0)
        self->position = upto;
    return rc;
}
