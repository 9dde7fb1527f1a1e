/*  redis_keys - read the keys that an earlier system left in a Redis; writes nothing

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache/redis/redis_keys.h"
#include "cache/redis/redis.h"
#include "stele_error.h"
#include "base/clock.h"
#include "base/memory.h"

#define SCAN_COUNT 1000
#define EXPIRY_ROUND_MS 1000        // Rounding, if Redis reports only the time to live

typedef struct { char *text; size_t size; } s_key_t;

typedef struct {
    stele_redis_t *redis;
    s_key_t *keys;
    size_t count, room;
} s_keys_t;

static int
s_compare (const void *one, const void *other)
{
    const s_key_t *a = one, *b = other;
    int rc = memcmp (a->text, b->text, a->size < b->size? a->size: b->size);
    return rc? rc: (a->size > b->size) - (a->size < b->size);
}

static void
s_add (s_keys_t *self, const redisReply *key)
{
    self->keys = stele_array_must_grow (self->keys, &self->room, self->count + 1, sizeof *self->keys);
    self->keys [self->count++] = (s_key_t) {
        stele_memory_copy (key->str, (size_t) key->len), (size_t) key->len
    };
}

static int
s_scan (s_keys_t *self, const char *pattern)
{
    char cursor [32] = "0";
    do {
        redisReply *reply = stele_redis_scan (self->redis, NULL, cursor, pattern, SCAN_COUNT);
        if (!reply)
            return STELE_EUNAVAILABLE;
        snprintf (cursor, sizeof cursor, "%s", reply->element [0]->str);
        for (size_t i = 0; i < reply->element [1]->elements; i++)
            s_add (self, reply->element [1]->element [i]);
        freeReplyObject (reply);
    } while (strcmp (cursor, "0") != 0);
    if (self->count)
        qsort (self->keys, self->count, sizeof *self->keys, s_compare);
    return 0;
}

static bool
s_has (const s_keys_t *self, const char *text)
{
    s_key_t key = { (char *) text, strlen (text) };
    return bsearch (&key, self->keys, self->count, sizeof *self->keys, s_compare) != NULL;
}

//  Remove the keys that start so. They are adjacent, in the order of the keys.
static void
s_remove (s_keys_t *self, const char *start)
{
    size_t size = strlen (start), kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->keys [i].size >= size && memcmp (self->keys [i].text, start, size) == 0)
            free (self->keys [i].text);
        else
            self->keys [kept++] = self->keys [i];
    self->count = kept;
}

//  A pattern may also match the keys of a broker of Stele: those of each PREFIX that has a
//  PREFIX:ledger and a PREFIX:position (protocol section 7)
static void
s_remove_own (s_keys_t *self)
{
    static const char ledger [] = ":ledger";
    for (size_t i = self->count; i-- > 0; ) {
        const s_key_t *key = &self->keys [i];
        if (key->size < strlen (ledger) || memcmp (key->text + key->size - strlen (ledger), ledger, strlen (ledger)))
            continue;
        size_t size = key->size - strlen (ledger);
        char position [256];
        if (size + sizeof ":position" > sizeof position)
            continue;           // Longer than the prefix of a broker
        snprintf (position, sizeof position, "%.*s:position", (int) size, key->text);
        if (s_has (self, position)) {
            position [size + 1] = 0;
            s_remove (self, position);
            i = i < self->count? i: self->count;
        }
    }
}

static void
s_queue_query (stele_redis_t *redis, const char *word, const s_key_t *key)
{
    stele_redis_word (redis, word);
    stele_redis_bytes (redis, key->text, key->size);
    stele_redis_end (redis);
}

//  Redis before 7 reports only the time to live: add it to the clock, and round
static int64_t
s_expires_ms (const redisReply *moment, const redisReply *left)
{
    if (moment->type == REDIS_REPLY_INTEGER)
        return moment->integer > 0? moment->integer: 0;
    if (left->type != REDIS_REPLY_INTEGER || left->integer < 0)
        return 0;
    int64_t at = stele_clock_us () / 1000 + left->integer;
    return (at + EXPIRY_ROUND_MS / 2) / EXPIRY_ROUND_MS * EXPIRY_ROUND_MS;
}

//  Read one key. Returns 0, what fn returned, or STELE_EUNAVAILABLE
static int
s_read (s_keys_t *self, const s_key_t *key, stele_redis_key_fn *fn, void *arg)
{
    s_queue_query (self->redis, "GET", key);
    s_queue_query (self->redis, "PEXPIRETIME", key);
    s_queue_query (self->redis, "PTTL", key);
    redisReply *value = stele_redis_reply (self->redis);
    redisReply *moment = value? stele_redis_reply (self->redis): NULL;
    redisReply *left = moment? stele_redis_reply (self->redis): NULL;
    int rc = 0;
    if (!left)
        rc = STELE_EUNAVAILABLE;
    else
    if (value->type != REDIS_REPLY_NIL) {
        bool is_text = value->type == REDIS_REPLY_STRING;
        stele_redis_key_t found = {
            .key = key->text, .key_size = key->size,
            .text = is_text? value->str: NULL, .size = is_text? (size_t) value->len: 0,
            .expires_ms = s_expires_ms (moment, left)
        };
        rc = fn (&found, arg);
    }
    freeReplyObject (value);
    freeReplyObject (moment);
    freeReplyObject (left);
    return rc;
}

int
stele_redis_keys (const char *url, const char *pattern, int timeout_ms,
    stele_redis_key_fn *fn, void *arg, char *error, size_t error_size)
{
    stele_redis_url_t parsed;
    stele_refusal_t refusal;
    int rc = stele_redis_url_parse (&parsed, url, &refusal);
    if (rc) {
        snprintf (error, error_size, "%s", refusal.message);
        return rc;
    }
    s_keys_t self = { .redis = stele_redis_new (&parsed, timeout_ms) };
    rc = stele_redis_connect (self.redis);
    if (rc == 0)
        rc = s_scan (&self, pattern);
    if (rc == 0)
        s_remove_own (&self);
    for (size_t i = 0; rc == 0 && i < self.count; i++)
        if (i == 0 || s_compare (&self.keys [i - 1], &self.keys [i]) != 0)
            rc = s_read (&self, &self.keys [i], fn, arg);
    if (rc == STELE_EUNAVAILABLE)
        snprintf (error, error_size, "Redis: %s", stele_redis_error (self.redis));
    for (size_t i = 0; i < self.count; i++)
        free (self.keys [i].text);
    free (self.keys);
    stele_redis_destroy (&self.redis);
    return rc;
}
