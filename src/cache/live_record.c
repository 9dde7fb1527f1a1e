/*  live_record - read one live record, or several, in one round trip

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cache/cache.h"
#include "cache/records/layout.h"
#include "cache/redis/redis.h"
#include "base/clock.h"
#include "base/memory.h"

#define TIMEOUT_MS 50
#define RETRY_MS 1000

typedef struct {
    char task_id [STELE_LIMIT_ID];  // Without a NUL
    size_t size;
    redisReply *hash;               // NULL: none, or not read yet
} s_wanted_t;

struct stele_live {
    stele_layout_t layout;
    stele_redis_t *redis;
    int64_t retry_ms;               // Monotonic: no query before
    s_wanted_t wanted [STELE_LIVE_EXPECTED];
    size_t count;
    bool asked;                     // They were read,
    int64_t position;               //    when Redis was at least there; -1: they cannot be used
};

stele_live_t *
stele_live_new (const stele_cache_options_t *options, stele_refusal_t *refusal)
{
    stele_redis_url_t url;
    stele_live_t *self = STELE_NEW (stele_live_t);
    if (stele_redis_url_parse (&url, options->url, refusal)
    ||  stele_layout_init (&self->layout, options->prefix, refusal)) {
        free (self);
        return NULL;
    }
    self->redis = stele_redis_new (&url, TIMEOUT_MS);
    return self;
}

void
stele_live_destroy (stele_live_t **self_p)
{
    assert (self_p);
    stele_live_t *self = *self_p;
    if (!self)
        return;
    stele_live_forget (self);
    stele_redis_destroy (&self->redis);
    free (self);
    *self_p = NULL;
}

//  Does the broker of that file keep this Redis? The epoch of a shared log may follow
static bool
s_is_holder (const stele_live_source_t *source, const redisReply *reply)
{
    char holder [STELE_LAYOUT_HOLDER_MAX];
    stele_layout_holder (source->ledger_id, source->file_id, 0, holder);
    size_t size = strlen (holder);
    return reply && reply->type == REDIS_REPLY_STRING && strncmp (reply->str, holder, size) == 0
        && (!reply->str [size] || reply->str [size] == ' ');
}

static const s_wanted_t *
s_find (const stele_live_t *self, const char *task_id, size_t size)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->wanted [i].size == size && memcmp (self->wanted [i].task_id, task_id, size) == 0)
            return &self->wanted [i];
    return NULL;
}

//  Redis is asked for each once: it makes all answers before it sends the first
void
stele_live_expect (stele_live_t *self, const char *task_id, size_t size)
{
    if (self->count == STELE_LIVE_EXPECTED || self->asked || size > STELE_LIMIT_ID || s_find (self, task_id, size))
        return;
    s_wanted_t *wanted = &self->wanted [self->count++];
    memcpy (wanted->task_id, task_id, size);
    wanted->size = size;
    wanted->hash = NULL;
}

void
stele_live_forget (stele_live_t *self)
{
    while (self->count)
        freeReplyObject (self->wanted [--self->count].hash);
    self->asked = false;
}

//  Read the hashes last: so they are at least as new as the position

static void
s_query (stele_live_t *self, const stele_live_source_t *source)
{
    stele_redis_command (self->redis, "GET", self->layout.ledger.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.holder.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.position.data, NULL);
    for (size_t i = 0; i < self->count; i++) {
        stele_key_t key;
        stele_layout_task (&self->layout, self->wanted [i].task_id, self->wanted [i].size, &key);
        stele_redis_word (self->redis, "HGETALL");
        stele_redis_bytes (self->redis, key.data, key.size);
        stele_redis_end (self->redis);
    }

    redisReply *reply = stele_redis_reply (self->redis);
    bool usable = stele_reply_is_text (reply, source->ledger_id);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    usable = usable && s_is_holder (source, reply);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    int64_t position = stele_reply_integer (reply, -1);
    freeReplyObject (reply);
    for (size_t i = 0; i < self->count; i++)
        self->wanted [i].hash = stele_redis_reply (self->redis);
    self->position = usable? position: -1;
}

//  Redis may have closed an idle connection: try once more

static void
s_ask (stele_live_t *self, const stele_live_source_t *source)
{
    self->asked = true;
    self->position = -1;
    bool was_connected = stele_redis_connected (self->redis);
    if (was_connected || stele_redis_connect (self->redis) == 0)
        s_query (self, source);
    if (was_connected && !stele_redis_connected (self->redis)
    &&  !stele_redis_timed_out (self->redis) && stele_redis_connect (self->redis) == 0) {
        for (size_t i = 0; i < self->count; i++)
            freeReplyObject (self->wanted [i].hash);
        s_query (self, source);
    }
    if (!stele_redis_connected (self->redis)) {
        self->position = -1;
        self->retry_ms = stele_clock_steady_ms () + RETRY_MS;
    }
}

//  A record that cannot be parsed counts as missing: the ledger has it

static int
s_parse (const redisReply *hash, const char *task_id, size_t size, stele_record_t *record)
{
    if (!hash || hash->type != REDIS_REPLY_ARRAY || hash->elements == 0)
        return 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i + 1 < hash->elements; i += 2) {
        const redisReply *name = hash->element [i];
        const redisReply *value = hash->element [i + 1];
        rc = name->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING?
            stele_layout_parse (record, name->str, name->len, value->str, value->len):
            STELE_EMALFORMED;
    }
    const stele_value_t *id = &record->values [STELE_TASK_ID];
    //  Without attempt it is one of an earlier version, which is not rebuilt yet
    if (rc == 0 && stele_record_has (record, STELE_STATE)
    &&  stele_record_has (record, STELE_POSITION) && stele_record_has (record, STELE_ATTEMPT)
    &&  id->kind == STELE_VALUE_TEXT && id->size == size && memcmp (id->text, task_id, size) == 0)
        return 1;
    stele_record_clear (record);
    return 0;
}

int
stele_live_task (stele_live_t *self, const stele_live_source_t *source, const char *task_id,
    size_t size, int64_t min_position, stele_record_t *record)
{
    if (stele_clock_steady_ms () < self->retry_ms || size > STELE_LIMIT_ID)
        return 0;
    const s_wanted_t *wanted = s_find (self, task_id, size);
    bool alone = !wanted;
    if (alone) {
        stele_live_forget (self);
        stele_live_expect (self, task_id, size);
        wanted = self->wanted;
    }
    if (!self->asked)
        s_ask (self, source);
    int found = self->position >= 0 && self->position >= min_position? s_parse (wanted->hash, task_id, size, record): 0;
    if (alone)
        stele_live_forget (self);
    return found;
}
