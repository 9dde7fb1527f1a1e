/*  record_check - compare one record of the ledger with Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "cache/records/record_check.h"

static bool
s_reply_equals (const redisReply *reply, const char *text, size_t size)
{
    return reply->type == REDIS_REPLY_STRING && reply->len == size
        && memcmp (reply->str, text, size) == 0;
}

//  Redis returns a small hash in the order in which it was written, that of the fields:
//  so the search starts where the last one ended.

static bool
s_same_fields (const stele_record_t *record, const redisReply *hash)
{
    char digits [STELE_LAYOUT_DIGITS];
    size_t pairs = hash->elements / 2;
    size_t held = 0;
    size_t at = 0;
    for (int field = 0; field < STELE_FIELD_COUNT; field++) {
        if (!stele_layout_holds (record, field))
            continue;
        const char *name = stele_field_name (field);
        const char *text;
        size_t size = stele_layout_text (&record->values [field], digits, &text);
        size_t tries = 0;
        while (tries < pairs && !s_reply_equals (hash->element [at * 2], name, strlen (name))) {
            at = (at + 1) % pairs;
            tries++;
        }
        if (tries == pairs || !s_reply_equals (hash->element [at * 2 + 1], text, size))
            return false;
        at = (at + 1) % pairs;
        held++;
    }
    return held == pairs;
}

void
stele_record_check_queue (stele_redis_t *redis, const stele_layout_t *layout, const stele_item_t *item)
{
    stele_key_t key;
    stele_item_key (item, layout, &key);
    stele_redis_word (redis, "HGETALL");
    stele_redis_bytes (redis, key.data, key.size);
    stele_redis_end (redis);
    stele_redis_word (redis, "PTTL");
    stele_redis_bytes (redis, key.data, key.size);
    stele_redis_end (redis);
    if (item->is_task) {
        const stele_value_t *id = stele_item_id (item);
        const stele_key_t *set = &layout->sets [item->record->values [STELE_STATE].integer];
        stele_redis_word (redis, "ZSCORE");
        stele_redis_bytes (redis, set->data, set->size);
        stele_redis_bytes (redis, id->text, id->size);
        stele_redis_end (redis);
    }
}

static stele_verdict_t
s_check_hash (const stele_item_t *item, const redisReply *hash)
{
    if (!hash || hash->type != REDIS_REPLY_ARRAY)
        return STELE_VERDICT_MISMATCHED;    // A key of another type
    if (hash->elements == 0)
        return STELE_VERDICT_MISSING;
    return s_same_fields (item->record, hash)? STELE_VERDICT_EQUAL: STELE_VERDICT_MISMATCHED;
}

stele_verdict_t
stele_record_check_read (stele_redis_t *redis, const stele_item_t *item, int64_t ttl_max_ms)
{
    redisReply *reply = stele_redis_reply (redis);
    stele_verdict_t verdict = s_check_hash (item, reply);
    freeReplyObject (reply);

    reply = stele_redis_reply (redis);
    if (verdict == STELE_VERDICT_EQUAL && reply
    &&  (item->expires_ms? reply->integer < 0 || reply->integer > ttl_max_ms: reply->integer != -1))
        verdict = STELE_VERDICT_MISMATCHED;
    freeReplyObject (reply);
    if (!item->is_task)
        return verdict;

    reply = stele_redis_reply (redis);
    double score = (double) stele_record_integer (item->record, STELE_UPDATED_AT, 0);
    if (verdict == STELE_VERDICT_EQUAL && reply
    &&  (reply->type != REDIS_REPLY_STRING || strtod (reply->str, NULL) != score))
        verdict = STELE_VERDICT_MISMATCHED;
    freeReplyObject (reply);
    return verdict;
}
