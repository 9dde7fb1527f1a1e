/*  live_record - read one live record in one round trip

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

struct stele_live {
    stele_layout_t layout;
    stele_redis_t *redis;
    int64_t retry_ms;               // Monotonic: no query before
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

//  Read the hash last: so it is at least as new as the position

static redisReply *
s_query (stele_live_t *self, const stele_live_source_t *source, const stele_key_t *key, int64_t min_position)
{
    stele_redis_command (self->redis, "GET", self->layout.ledger.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.holder.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.position.data, NULL);
    stele_redis_word (self->redis, "HGETALL");
    stele_redis_bytes (self->redis, key->data, key->size);
    stele_redis_end (self->redis);

    redisReply *reply = stele_redis_reply (self->redis);
    bool usable = stele_reply_is_text (reply, source->ledger_id);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    usable = usable && s_is_holder (source, reply);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    int64_t position = stele_reply_integer (reply, -1);
    usable = usable && position >= 0 && position >= min_position;
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    if (usable && reply && reply->type == REDIS_REPLY_ARRAY && reply->elements)
        return reply;
    freeReplyObject (reply);
    return NULL;
}

//  A record that cannot be parsed counts as missing: the ledger has it

static int
s_parse (const redisReply *hash, const char *task_id, size_t size, stele_record_t *record)
{
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
    stele_key_t key;
    stele_layout_task (&self->layout, task_id, size, &key);

    //  Redis may have closed an idle connection: try once more
    bool was_connected = stele_redis_connected (self->redis);
    redisReply *hash = NULL;
    if (was_connected || stele_redis_connect (self->redis) == 0)
        hash = s_query (self, source, &key, min_position);
    if (was_connected && !stele_redis_connected (self->redis)
    &&  !stele_redis_timed_out (self->redis) && stele_redis_connect (self->redis) == 0)
        hash = s_query (self, source, &key, min_position);
    if (!stele_redis_connected (self->redis))
        self->retry_ms = stele_clock_steady_ms () + RETRY_MS;

    int found = hash? s_parse (hash, task_id, size, record): 0;
    freeReplyObject (hash);
    return found;
}
