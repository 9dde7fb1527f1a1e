/*  cache_check - compare all of Redis with the ledger, on request

    First every record that Redis must hold, field by field, with its expiry and its
    membership in the sets; then every key of Redis that has no record. Page by page,
    both sides at the same position for each page.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cache/page_check.h"
#include "fault/fault.h"

#define PAGE_KEYS 500

//  -- keys of Redis ----------------------------------------------------------------------

static int
s_add_row (const stele_record_t *row, void *arg)
{
    stele_page_check_t *check = arg;
    stele_batch_add (check->cache->batch, row, check->is_task);
    return 0;
}

//  Does the ledger have a record of that id that Redis must hold, in that state (0: any)?
//  Returns 1, 0 or an error.

static int
s_ledger_has (stele_page_check_t *check, bool is_task, const char *id, size_t size, int state)
{
    stele_cache_t *self = check->cache;
    check->is_task = is_task;
    int rc = is_task? stele_reader_task_live (check->reader, id, size, s_add_row, check):
        stele_reader_session (check->reader, id, size, s_add_row, check);
    if (rc > 0) {
        stele_item_t *item = &self->batch->items [0];
        rc = stele_cache_set_expiry (self, check->reader, item);
        if (rc == 0)
            rc = (!item->expires_ms || item->expires_ms > check->began_ms - STELE_PAGE_CHECK_MARGIN_MS)
                && (!state || item->record->values [STELE_STATE].integer == state);
    }
    stele_batch_clear (self->batch);
    return rc < 0? stele_cache_ledger_failed (self, check->reader, rc): rc;
}

static void
s_count_extra (stele_page_check_t *check, const char *text, size_t size)
{
    check->extra++;
    stele_page_check_example (check, text, size);
}

//  Queue the removal of what is extra in one transaction, for which stele_cache_guard has watched
static void
s_queue_removal (stele_page_check_t *check, const char *verb, const stele_key_t *set, const redisReply *extra)
{
    stele_redis_t *redis = check->cache->redis;
    if (!check->removing)
        stele_redis_multi (redis);
    check->removing = true;
    stele_redis_word (redis, verb);
    if (set)
        stele_redis_bytes (redis, set->data, set->size);
    stele_redis_bytes (redis, extra->str, extra->len);
    stele_redis_end (redis);
    check->repaired++;
}

static int
s_remove (stele_page_check_t *check)
{
    if (!check->removing)
        return 0;
    check->removing = false;
    return stele_cache_outcome (check->cache, stele_redis_exec (check->cache->redis), "refuses to write");
}

//  Check a key of a SCAN. Queues its removal if it has no record.

static int
s_check_key (stele_page_check_t *check, const redisReply *key)
{
    stele_cache_t *self = check->cache;
    size_t size;
    bool is_task = true;
    const char *id = stele_layout_id (&self->layout.task, key->str, key->len, &size);
    if (!id) {
        is_task = false;
        id = stele_layout_id (&self->layout.session, key->str, key->len, &size);
    }
    if (!id)
        return 0;
    int rc = s_ledger_has (check, is_task, id, size, 0);
    if (rc)
        return rc < 0? rc: 0;
    s_count_extra (check, id, size);
    if (check->repair)
        s_queue_removal (check, "UNLINK", NULL, key);
    return 0;
}

//  The same for a member of the set of a state.

static int
s_check_member (stele_page_check_t *check, int state, const redisReply *member)
{
    int rc = s_ledger_has (check, true, member->str, member->len, state);
    if (rc)
        return rc < 0? rc: 0;
    s_count_extra (check, member->str, member->len);
    if (check->repair)
        s_queue_removal (check, "ZREM", &check->cache->layout.sets [state], member);
    return 0;
}

//  Check all keys of the prefix (state 0), or all members of the set of a state

static int
s_check_scan (stele_page_check_t *check, int state)
{
    stele_cache_t *self = check->cache;
    char cursor [24] = "0";
    char pattern [STELE_LAYOUT_PREFIX_MAX * 2 + 8];
    stele_layout_pattern (&self->layout, pattern);
    do {
        int rc = stele_page_check_begin (check);
        if (rc)
            return rc;
        if (check->repair && (rc = stele_cache_guard (self)))
            return stele_page_check_end (check, rc);
        redisReply *page = stele_redis_scan (self->redis,
            state? self->layout.sets [state].data: NULL, cursor, state? NULL: pattern, PAGE_KEYS);
        if (!page)
            return stele_page_check_end (check, stele_cache_connection_lost (self));
        snprintf (cursor, sizeof cursor, "%s", page->element [0]->str);
        const redisReply *found = page->element [1];
        for (size_t i = 0; rc == 0 && i < found->elements; i += state? 2: 1)
            rc = state? s_check_member (check, state, found->element [i]):
                s_check_key (check, found->element [i]);
        freeReplyObject (page);
        int removed = s_remove (check);
        rc = rc? rc: removed;
        stele_page_check_end (check, 0);
        if (rc)
            return rc;
    } while (strcmp (cursor, "0") != 0);
    return 0;
}

//  A key of another type in the place of a set would make every write of that state fail

static int
s_check_sets (stele_page_check_t *check, bool *usable)
{
    stele_cache_t *self = check->cache;
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        stele_redis_command (self->redis, "TYPE", self->layout.sets [state].data, NULL);
    for (int state = 1; state < STELE_TASK_STATE_END; state++) {
        redisReply *reply = stele_redis_reply (self->redis);
        usable [state] = reply && reply->type == REDIS_REPLY_STATUS
            && (strcmp (reply->str, "zset") == 0 || strcmp (reply->str, "none") == 0);
        freeReplyObject (reply);
    }
    if (!stele_redis_connected (self->redis))
        return stele_cache_connection_lost (self);
    for (int state = 1; state < STELE_TASK_STATE_END; state++) {
        if (usable [state])
            continue;
        const stele_key_t *set = &self->layout.sets [state];
        s_count_extra (check, set->data, set->size);
        if (!check->repair)
            continue;
        int rc = stele_cache_guard (self);
        if (rc)
            return rc;
        const redisReply name = { .str = (char *) set->data, .len = set->size };
        s_queue_removal (check, "UNLINK", NULL, &name);
        if ((rc = s_remove (check)))
            return rc;
        usable [state] = true;
    }
    return 0;
}

//  -- the request ------------------------------------------------------------------------------

//  Check every record that Redis must hold

static int
s_check_ledger (stele_page_check_t *check)
{
    stele_cache_t *self = check->cache;
    int64_t task = 0, session = 0;
    int rc;
    while ((rc = stele_page_check_active (check, &task)) == 0) {}
    while (rc >= 0 && (rc = stele_page_check_open_sessions (check, &session)) == 0) {}
    int64_t upto = self->head;
    int64_t after = rc < 0? 0: stele_reader_position_at (check->reader,
        self->now_us - self->terminal_ttl_us);
    if (after < 0)
        return stele_cache_ledger_failed (self, check->reader, (int) after);
    while (rc >= 0 && (rc = stele_page_check_ended (check, &after, upto)) == 0) {}
    return rc < 0? rc: 0;
}

static int
s_check_all (stele_page_check_t *check)
{
    bool usable [STELE_TASK_STATE_END];
    int rc;
    do
        rc = stele_cache_sweep (check->cache, check->reader);
    while (rc == 0);
    if (rc < 0)
        return rc;
    rc = s_check_sets (check, usable);
    if (rc == 0)
        rc = s_check_ledger (check);
    if (rc == 0)
        rc = s_check_scan (check, 0);
    for (int state = 1; rc == 0 && state < STELE_TASK_STATE_END; state++)
        if (usable [state])
            rc = s_check_scan (check, state);
    return rc;
}

static int
s_pack (const stele_page_check_t *check, stele_pack_t *pack)
{
    int64_t wrong = check->missing + check->mismatched + check->extra;
    int64_t all = check->tasks + check->sessions + check->extra;
    stele_pack_key_integer (pack, "checked", check->tasks);
    stele_pack_key_integer (pack, "sessions", check->sessions);
    stele_pack_key_integer (pack, "missing", check->missing);
    stele_pack_key_integer (pack, "extra", check->extra);
    stele_pack_key_integer (pack, "mismatched", check->mismatched);
    stele_pack_key_integer (pack, "repaired", check->repaired);
    stele_pack_key (pack, "examples");
    stele_pack_array (pack, check->example_count);
    for (size_t i = 0; i < check->example_count; i++)
        stele_pack_text (pack, check->examples [i].text, check->examples [i].size);
    stele_pack_key_real (pack, "consistent", all? (double) (all - wrong) / (double) all: 1.0);
    return 8;
}

int
stele_cache_check (stele_cache_t *self, stele_reader_t *reader, bool repair,
    stele_pack_t *pack, stele_refusal_t *refusal)
{
    int rc = stele_cache_ready (self, reader, refusal);
    if (rc)
        return rc;
    stele_page_check_t *check = STELE_NEW (stele_page_check_t);
    check->cache = self;
    check->reader = reader;
    check->repair = repair;
    check->began_ms = self->now_us / 1000;
    STELE_FAULT (compare_before);
    rc = s_check_all (check);
    STELE_FAULT (compare_after);
    stele_batch_clear (self->batch);
    rc = rc? stele_cache_refuse_failed (self, rc, refusal): s_pack (check, pack);
    free (check);
    return rc;
}
