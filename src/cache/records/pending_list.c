/*  pending_list - events acked in mode redis and not yet in the ledger, as a list in Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include "base/memory.h"
#include "cache/records/pending_list.h"
#include "cache/redis/redis.h"
#include "stele_error.h"

#define TIMEOUT_MS 1000             // Per answer of Redis
#define PAGE 16                     // Elements per read; each may have some megabytes

struct stele_pending_list {
    stele_redis_t *redis;
    char key [256];
    bool in_step;                   // Every element so far was confirmed on this connection
    char error [256];
};

stele_pending_list_t *
stele_pending_list_new (const char *url, const char *prefix, const char *ledger_id,
    stele_refusal_t *refusal)
{
    stele_redis_url_t parsed;
    if (stele_redis_url_parse (&parsed, url, refusal))
        return NULL;
    stele_pending_list_t *self = STELE_NEW (stele_pending_list_t);
    self->redis = stele_redis_new (&parsed, TIMEOUT_MS);
    snprintf (self->key, sizeof self->key, "%s-pending:%s", prefix, ledger_id);
    return self;
}

void
stele_pending_list_destroy (stele_pending_list_t **self_p)
{
    stele_pending_list_t *self = *self_p;
    if (!self)
        return;
    stele_redis_destroy (&self->redis);
    free (self);
    *self_p = NULL;
}

const char *
stele_pending_list_error (const stele_pending_list_t *self)
{
    return self->error;
}

//  Record why a reply is not of the expected kind
static void
s_note_error (stele_pending_list_t *self, const redisReply *reply)
{
    snprintf (self->error, sizeof self->error, "Redis: %s",
        reply && reply->type == REDIS_REPLY_ERROR? reply->str: stele_redis_error (self->redis));
}

//  Read an integer reply; close the connection after anything else
static int64_t
s_integer (stele_pending_list_t *self)
{
    redisReply *reply = stele_redis_reply (self->redis);
    int64_t value = reply && reply->type == REDIS_REPLY_INTEGER? reply->integer: -1;
    if (value < 0)
        s_note_error (self, reply);
    freeReplyObject (reply);
    if (value < 0) {
        stele_redis_disconnect (self->redis);
        self->in_step = false;
    }
    return value < 0? STELE_EUNAVAILABLE: value;
}

int64_t
stele_pending_list_length (stele_pending_list_t *self)
{
    if (!stele_redis_connected (self->redis)) {
        self->in_step = false;
        if (stele_redis_connect (self->redis)) {
            snprintf (self->error, sizeof self->error, "Redis: %s", stele_redis_error (self->redis));
            return STELE_EUNAVAILABLE;
        }
    }
    stele_redis_command (self->redis, "LLEN", self->key, NULL);
    return s_integer (self);
}

//  Drop the elements beyond the first 'count': they were never acked
static int
s_truncate (stele_pending_list_t *self, int64_t count)
{
    if (count == 0)
        return stele_pending_list_clear (self);
    stele_redis_word (self->redis, "LTRIM");
    stele_redis_word (self->redis, self->key);
    stele_redis_integer (self->redis, 0);
    stele_redis_integer (self->redis, count - 1);
    stele_redis_end (self->redis);
    redisReply *reply = stele_redis_reply (self->redis);
    bool done = reply && reply->type == REDIS_REPLY_STATUS;
    if (!done)
        s_note_error (self, reply);
    freeReplyObject (reply);
    return done? 0: STELE_EUNAVAILABLE;
}

int
stele_pending_list_add (stele_pending_list_t *self, int64_t count, const void *data, size_t size)
{
    int64_t length = self->in_step && stele_redis_connected (self->redis)?
        count: stele_pending_list_length (self);
    if (length < 0)
        return STELE_EUNAVAILABLE;
    if (length < count)
        return STELE_ELEDGER;
    if (length > count && s_truncate (self, count))
        return STELE_EUNAVAILABLE;
    stele_redis_word (self->redis, "RPUSH");
    stele_redis_word (self->redis, self->key);
    stele_redis_bytes (self->redis, data, size);
    stele_redis_end (self->redis);
    length = s_integer (self);
    if (length < 0)
        return STELE_EUNAVAILABLE;
    //  False if Redis was restarted or flushed between two answers
    self->in_step = length == count + 1;
    return self->in_step? 0: STELE_ELEDGER;
}

int
stele_pending_list_each (stele_pending_list_t *self, stele_pending_list_fn *fn, void *arg)
{
    int64_t length = stele_pending_list_length (self);
    int rc = length < 0? STELE_EUNAVAILABLE: 0;
    for (int64_t from = 0; from < length && rc == 0; from += PAGE) {
        stele_redis_word (self->redis, "LRANGE");
        stele_redis_word (self->redis, self->key);
        stele_redis_integer (self->redis, from);
        stele_redis_integer (self->redis, from + PAGE - 1);
        stele_redis_end (self->redis);
        redisReply *reply = stele_redis_reply (self->redis);
        if (!reply || reply->type != REDIS_REPLY_ARRAY) {
            s_note_error (self, reply);
            rc = STELE_EUNAVAILABLE;
        }
        for (size_t i = 0; rc == 0 && i < reply->elements; i++)
            rc = fn (reply->element [i]->str, (size_t) reply->element [i]->len, arg);
        freeReplyObject (reply);
    }
    return rc;
}

int
stele_pending_list_clear (stele_pending_list_t *self)
{
    if (!stele_redis_connected (self->redis) && stele_pending_list_length (self) < 0)
        return STELE_EUNAVAILABLE;
    stele_redis_command (self->redis, "DEL", self->key, NULL);
    return s_integer (self) < 0? STELE_EUNAVAILABLE: 0;
}
