/*  cache_write - write a batch of records and the cursor in one transaction of Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "base/clock.h"

//  -- the guard --------------------------------------------------------------------

//  Two round trips per transaction: the first verifies that Redis is in the state this
//  cache left it in, and watches its keys until EXEC. So a Redis that was flushed,
//  restored or written by another broker is detected before it is written, and so is a later writer of a
//  shared log.

static void
s_guard_send (stele_cache_t *self, bool watch)
{
    stele_redis_t *redis = self->redis;
    if (self->epoch) {
        if (watch)
            stele_redis_command (redis, "WATCH", self->layout.epoch.data, NULL);
        stele_redis_command (redis, "GET", self->layout.epoch.data, NULL);
    }
    if (self->phase == STELE_PHASE_FOLLOWING) {
        if (watch)
            stele_redis_command (redis, "WATCH", self->layout.ledger.data,
                self->layout.position.data);
        stele_redis_command (redis, "GET", self->layout.ledger.data, NULL);
        stele_redis_command (redis, "GET", self->layout.position.data, NULL);
    }
    else
    if (self->phase > STELE_PHASE_ALIGNING) {
        if (watch)
            stele_redis_command (redis, "WATCH", self->layout.rebuilding.data, NULL);
        stele_redis_command (redis, "GET", self->layout.rebuilding.data, NULL);
    }
}

static bool
s_check_text (stele_cache_t *self, const char *text)
{
    redisReply *reply = stele_redis_reply (self->redis);
    bool right = stele_reply_is_text (reply, text);
    freeReplyObject (reply);
    return right;
}

//  0, or an error after which the cache is away
static int
s_check_epoch (stele_cache_t *self, bool watch, bool *right)
{
    if (self->epoch == 0)
        return 0;
    if (watch)
        freeReplyObject (stele_redis_reply (self->redis));
    redisReply *reply = stele_redis_reply (self->redis);
    *right = stele_reply_is_text (reply, self->epoch_text);
    int rc = stele_cache_deposed (self, reply);
    freeReplyObject (reply);
    return rc;
}

static int
s_guard_check (stele_cache_t *self, bool watch)
{
    bool right = true;
    if (s_check_epoch (self, watch, &right))
        return STELE_EUNAVAILABLE;
    if (watch && self->phase > STELE_PHASE_ALIGNING)
        freeReplyObject (stele_redis_reply (self->redis));
    if (self->phase == STELE_PHASE_FOLLOWING) {
        right = s_check_text (self, self->ledger_id) && right;
        redisReply *reply = stele_redis_reply (self->redis);
        right = right && stele_reply_integer (reply, -1) == self->position;
        freeReplyObject (reply);
    }
    else
    if (self->phase > STELE_PHASE_ALIGNING)
        right = s_check_text (self, self->token) && right;

    if (!stele_redis_connected (self->redis))
        return stele_cache_connection_lost (self);
    if (!right)
        return stele_cache_disconnect (self, "Redis at %s is not where it was left: "
            "it was flushed, restored, or another program writes the keys %s:*",
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

int
stele_cache_guard (stele_cache_t *self)
{
    s_guard_send (self, true);
    return s_guard_check (self, true);
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
        //  What is left, since the clock of Redis may be another one
        stele_redis_word (redis, "PEXPIRE");
        stele_redis_bytes (redis, key.data, key.size);
        stele_redis_integer (redis, item->expires_ms - self->now_us / 1000);
        stele_redis_end (redis);
    }
    if (self->legacy_keys && item->is_task)
        s_queue_legacy (self, item->record);
}

//  State of the set that must hold the item afterwards; 0: none

static int
s_set_of (const stele_cache_t *self, const stele_item_t *item)
{
    return item->is_task && !stele_cache_expired (self, item)?
        (int) item->record->values [STELE_STATE].integer: 0;
}

//  One ZREM and one ZADD per set for all tasks of the batch: cheaper than to query
//  which set each one is in, and correct whatever it is in.

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

static void
s_queue_committed (stele_cache_t *self)
{
    stele_redis_word (self->redis, "SET");
    stele_redis_bytes (self->redis, self->layout.committed.data, self->layout.committed.size);
    stele_redis_integer (self->redis, self->committed_us);
    stele_redis_end (self->redis);
}

int
stele_cache_outcome (stele_cache_t *self, stele_exec_t outcome, const char *refuses)
{
    switch (outcome) {
        case STELE_EXEC_DONE:
            self->failing = false;
            return 0;
        case STELE_EXEC_CHANGED:
            return stele_cache_disconnect (self, "Redis at %s was written by another program: "
                "is another broker using the keys %s:*?", self->url, self->layout.prefix);
        case STELE_EXEC_REFUSED:
            return stele_cache_refused (self, refuses);
        case STELE_EXEC_BROKEN:
            self->must_rebuild = true;
            return stele_cache_disconnect (self, "Redis at %s executed a transaction only in part, "
                "it will be rebuilt: %s", self->url, stele_redis_error (self->redis));
        case STELE_EXEC_LOST:
            break;
    }
    return stele_cache_connection_lost (self);
}

int
stele_cache_write_wait (stele_cache_t *self)
{
    int rc = stele_cache_outcome (self, stele_redis_exec_wait (self->redis), "refuses to write");
    if (rc == 0) {
        self->applied += self->sent;
        self->batches++;
    }
    return rc;
}

int
stele_cache_write_send (stele_cache_t *self, stele_write_t how, const stele_key_t *cursor,
    int64_t value)
{
    int rc = stele_cache_guard (self);
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
            if (cursor == &self->layout.position)
                s_queue_committed (self);
        }
        stele_redis_exec_send (self->redis);
        self->sent = self->batch->count;
    }
    stele_batch_clear (self->batch);
    return rc;
}

int
stele_cache_write (stele_cache_t *self, stele_write_t how, const stele_key_t *cursor,
    int64_t value)
{
    if (self->batch->count == 0 && !cursor) {
        stele_batch_clear (self->batch);
        return 0;
    }
    int rc = stele_cache_write_send (self, how, cursor, value);
    return rc? rc: stele_cache_write_wait (self);
}
