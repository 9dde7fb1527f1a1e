/*  last_position - read the position of a ledger from Redis at the start

    Redis only ever applies committed events, so if its position is beyond the end of the
    ledger, the ledger lost events.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "cache/cache.h"
#include "cache/records/layout.h"
#include "cache/redis/redis.h"

#define TIMEOUT_MS 1000             // Longest delay of a start by a Redis that hangs

static int64_t
s_position (stele_redis_t *redis, const stele_layout_t *layout, const char *ledger_id)
{
    stele_redis_command (redis, "GET", layout->ledger.data, NULL);
    stele_redis_command (redis, "GET", layout->position.data, NULL);
    redisReply *ledger = stele_redis_reply (redis);
    redisReply *position = stele_redis_reply (redis);
    int64_t known = 0;
    if (ledger && stele_reply_is_text (ledger, ledger_id))
        known = stele_reply_integer (position, 0);
    freeReplyObject (ledger);
    freeReplyObject (position);
    return known > 0? known: 0;
}

int64_t
stele_cache_last_position (const stele_cache_options_t *options, const char *ledger_id,
    char *name, size_t name_size)
{
    stele_redis_url_t url;
    stele_layout_t layout;
    //  Invalid settings are refused where Redis is needed
    if (stele_redis_url_parse (&url, options->url, NULL)
    ||  stele_layout_init (&layout, options->prefix, NULL))
        return 0;
    char place [300];
    stele_redis_url_print (&url, place, sizeof place);
    snprintf (name, name_size, "Redis at %s", place);
    stele_redis_t *redis = stele_redis_new (&url, TIMEOUT_MS);
    int64_t known = 0;
    if (stele_redis_connect (redis) == 0)
        known = s_position (redis, &layout, ledger_id);
    stele_redis_destroy (&redis);
    return known;
}
