/*  cache_check - is Redis what the ledger says, key by key?

    First every record of the ledger that Redis has to hold, field by field with its
    expiry and its place in the sets; then every key of Redis that no record stands
    for. Page by page: for each one the follower catches up inside a read transaction
    first, so that both sides stand at the same position, and the transaction
    stays short however many pages there are.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "cache/look.h"

#define EXAMPLES_MAX 20
#define PAGE_RECORDS STELE_BATCH_RECORDS
#define PAGE_KEYS 500
#define EXPIRY_MARGIN_MS 1000       // Who leaves about now may be there or not

typedef struct {
    char text [STELE_LAYOUT_KEY_MAX];
    size_t size;
} s_example_t;

typedef struct {
    stele_cache_t *cache;
    stele_reader_t *reader;
    bool repair;
    bool is_task;                   // What the rows of this read are
    int rc;                         // First error of a row function
    int64_t began_ms;
    int64_t tasks;
    int64_t sessions;
    int64_t missing;
    int64_t extra;
    int64_t mismatched;
    int64_t repaired;
    s_example_t examples [EXAMPLES_MAX];
    size_t example_count;
} s_check_t;

static void
s_add_example (s_check_t *check, const char *text, size_t size)
{
    if (check->example_count == EXAMPLES_MAX || size >= STELE_LAYOUT_KEY_MAX)
        return;
    for (size_t i = 0; i < check->example_count; i++)
        if (check->examples [i].size == size
        &&  memcmp (check->examples [i].text, text, size) == 0)
            return;
    s_example_t *example = &check->examples [check->example_count++];
    memcpy (example->text, text, size);
    example->size = size;
}

//  -- one position on both sides -------------------------------------------------------

static int
s_end (s_check_t *check, int rc)
{
    stele_reader_end (check->reader);
    check->cache->in_snapshot = false;
    return rc;
}

static int
s_begin (s_check_t *check)
{
    stele_cache_t *self = check->cache;
    int rc = stele_reader_begin (check->reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, check->reader, rc);
    self->in_snapshot = true;
    self->now_us = stele_cache_now_us ();
    int64_t head = stele_reader_head (check->reader);
    if (head < 0)
        rc = stele_cache_ledger_failed (self, check->reader, (int) head);
    else
        self->head = head;
    while (rc == 0 && self->position < head)
        rc = stele_cache_apply (self, check->reader, head);
    return rc? s_end (check, rc): 0;
}

//  -- pages of records ------------------------------------------------------------------

static bool
s_leaves_now (const stele_cache_t *self, const stele_item_t *item)
{
    return item->expires_ms && item->expires_ms <= self->now_us / 1000 + EXPIRY_MARGIN_MS;
}

static void
s_note_verdict (s_check_t *check, const stele_item_t *item, stele_verdict_t verdict)
{
    check->missing += verdict == STELE_VERDICT_MISSING;
    check->mismatched += verdict == STELE_VERDICT_MISMATCHED;
    if (verdict != STELE_VERDICT_RIGHT) {
        const stele_value_t *id = stele_item_id (item);
        s_add_example (check, id->text, id->size);
    }
}

//  Compare what is in the batch, repair what differs, and leave the batch empty

static int
s_compare (s_check_t *check)
{
    stele_cache_t *self = check->cache;
    bool keep [STELE_BATCH_RECORDS];
    size_t wrong = 0;
    for (size_t i = 0; i < self->batch->count; i++)
        keep [i] = !s_leaves_now (self, &self->batch->items [i]);
    stele_batch_keep (self->batch, keep);
    for (size_t i = 0; i < self->batch->count; i++)
        stele_look_queue (self->redis, &self->layout, &self->batch->items [i]);
    for (size_t i = 0; i < self->batch->count; i++) {
        const stele_item_t *item = &self->batch->items [i];
        stele_verdict_t verdict = stele_look_read (self->redis, item);
        if (!stele_redis_connected (self->redis))
            return stele_cache_lost (self);
        s_note_verdict (check, item, verdict);
        check->tasks += item->is_task;
        check->sessions += !item->is_task;
        keep [i] = verdict != STELE_VERDICT_RIGHT;
        wrong += keep [i];
    }
    stele_batch_keep (self->batch, keep);
    if (!check->repair || wrong == 0) {
        stele_batch_clear (self->batch);
        return 0;
    }
    int rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    if (rc == 0)
        check->repaired += wrong;
    return rc;
}

//  -- from the ledger's side ---------------------------------------------------------------

static int
s_check_row (const stele_record_t *row, void *arg)
{
    s_check_t *check = arg;
    if (check->rc == 0 && stele_batch_full (check->cache->batch))
        check->rc = s_compare (check);
    if (check->rc == 0)
        stele_batch_add (check->cache->batch, row, check->is_task);
    return 0;
}

static int
s_check_active (s_check_t *check)
{
    int64_t last = 0;
    int64_t after;
    check->is_task = true;
    do {
        int rc = s_begin (check);
        if (rc)
            return rc;
        after = last;
        last = stele_reader_active (check->reader, after, PAGE_RECORDS, s_check_row, check);
        if (last < 0)
            return s_end (check, stele_cache_ledger_failed (check->cache, check->reader,
                (int) last));
        s_end (check, 0);
        rc = check->rc? check->rc: s_compare (check);
        if (rc)
            return rc;
    } while (last > after);
    return 0;
}

static int
s_check_open_sessions (s_check_t *check)
{
    const uint32_t ended = 1u << STELE_SESSION_COMPLETED | 1u << STELE_SESSION_ERROR
        | 1u << STELE_SESSION_TERMINATED;
    const uint32_t all = (1u << STELE_SESSION_STATE_END) - 2;
    int64_t next = 0;
    check->is_task = false;
    do {
        int rc = s_begin (check);
        if (rc)
            return rc;
        int64_t before = next;
        next = 0;
        rc = stele_reader_sessions (check->reader, all & ~ended, (stele_span_t) { NULL, 0 },
            before, PAGE_RECORDS, s_check_row, check, &next);
        if (rc < 0)
            return s_end (check, stele_cache_ledger_failed (check->cache, check->reader, rc));
        s_end (check, 0);
        rc = check->rc? check->rc: s_compare (check);
        if (rc)
            return rc;
    } while (next);
    return 0;
}

//  Ended ones whose last event is in this piece of the log, (after, upto]

static int
s_check_touched (s_check_t *check, int64_t after, int64_t upto)
{
    stele_cache_t *self = check->cache;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->touched_count; i++) {
        stele_item_t *item = NULL;
        rc = stele_cache_read_touch (self, check->reader, &self->touched [i], &item);
        if (rc || !item)
            continue;
        int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
        if (!item->expires_ms || position <= after || position > upto)
            stele_batch_drop (self->batch);
        if (stele_batch_full (self->batch))
            rc = s_compare (check);
    }
    return rc;
}

static int
s_check_ended (s_check_t *check)
{
    stele_cache_t *self = check->cache;
    int64_t upto = self->head;
    int64_t after = stele_reader_position_at (check->reader,
        self->now_us - self->terminal_ttl_us);
    if (after < 0)
        return stele_cache_ledger_failed (self, check->reader, (int) after);
    while (after < upto) {
        int rc = s_begin (check);
        if (rc)
            return rc;
        int64_t last = stele_cache_touched (self, check->reader, after, upto);
        rc = last < 0? (int) last: s_check_touched (check, after, last);
        s_end (check, rc);
        if (rc == 0)
            rc = s_compare (check);
        if (rc || last == after)
            return rc;
        after = last;
    }
    return 0;
}

//  -- from Redis's side ------------------------------------------------------------------

static int
s_add_known (const stele_record_t *row, void *arg)
{
    s_check_t *check = arg;
    stele_batch_add (check->cache->batch, row, check->is_task);
    return 0;
}

//  Does the ledger know a record that Redis has to hold, of a task in the set 'state'
//  (0: any)? 1, 0 or an error.

static int
s_known (s_check_t *check, bool is_task, const char *id, size_t size, int state)
{
    stele_cache_t *self = check->cache;
    check->is_task = is_task;
    int rc = is_task? stele_reader_task_live (check->reader, id, size, s_add_known, check):
        stele_reader_session (check->reader, id, size, s_add_known, check);
    if (rc > 0) {
        stele_item_t *item = &self->batch->items [0];
        rc = stele_cache_set_expiry (self, check->reader, item);
        if (rc == 0)
            rc = (!item->expires_ms || item->expires_ms > check->began_ms - EXPIRY_MARGIN_MS)
                && (!state || item->record->values [STELE_STATE].integer == state);
    }
    stele_batch_clear (self->batch);
    return rc < 0? stele_cache_ledger_failed (self, check->reader, rc): rc;
}

static void
s_note_extra (s_check_t *check, const char *text, size_t size)
{
    check->extra++;
    s_add_example (check, text, size);
}

//  Is this key of a SCAN of the layout, but of no record? Then its removal is queued.

static int
s_check_key (s_check_t *check, const redisReply *key)
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
    int rc = s_known (check, is_task, id, size, 0);
    if (rc)
        return rc < 0? rc: 0;
    s_note_extra (check, id, size);
    if (check->repair) {
        stele_redis_word (self->redis, "UNLINK");
        stele_redis_bytes (self->redis, key->str, key->len);
        stele_redis_end (self->redis);
        check->repaired++;
    }
    return 0;
}

//  The same for a member of the set of a state

static int
s_check_member (s_check_t *check, int state, const redisReply *member)
{
    stele_cache_t *self = check->cache;
    int rc = s_known (check, true, member->str, member->len, state);
    if (rc)
        return rc < 0? rc: 0;
    s_note_extra (check, member->str, member->len);
    if (check->repair) {
        stele_redis_word (self->redis, "ZREM");
        stele_redis_bytes (self->redis, self->layout.sets [state].data,
            self->layout.sets [state].size);
        stele_redis_bytes (self->redis, member->str, member->len);
        stele_redis_end (self->redis);
        check->repaired++;
    }
    return 0;
}

//  All keys of the prefix (state 0), or all members of the set of a state

static int
s_check_scan (s_check_t *check, int state)
{
    stele_cache_t *self = check->cache;
    char cursor [24] = "0";
    char pattern [STELE_LAYOUT_PREFIX_MAX * 2 + 8];
    stele_layout_pattern (&self->layout, pattern);
    do {
        int rc = s_begin (check);
        if (rc)
            return rc;
        redisReply *page = stele_redis_scan (self->redis,
            state? self->layout.sets [state].data: NULL, cursor, state? NULL: pattern, PAGE_KEYS);
        if (!page)
            return s_end (check, stele_cache_lost (self));
        snprintf (cursor, sizeof cursor, "%s", page->element [0]->str);
        const redisReply *found = page->element [1];
        for (size_t i = 0; rc == 0 && i < found->elements; i += state? 2: 1)
            rc = state? s_check_member (check, state, found->element [i]):
                s_check_key (check, found->element [i]);
        freeReplyObject (page);
        stele_redis_drain (self->redis);
        s_end (check, 0);
        if (rc == 0 && !stele_redis_connected (self->redis))
            rc = stele_cache_lost (self);
        if (rc)
            return rc;
    } while (strcmp (cursor, "0") != 0);
    return 0;
}

//  A set that is of another type would make every write of that state fail

static int
s_check_sets (s_check_t *check, bool *usable)
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
        return stele_cache_lost (self);
    for (int state = 1; state < STELE_TASK_STATE_END; state++) {
        if (usable [state])
            continue;
        const stele_key_t *set = &self->layout.sets [state];
        s_note_extra (check, set->data, set->size);
        if (check->repair) {
            stele_redis_command (self->redis, "UNLINK", set->data, NULL);
            stele_redis_drain (self->redis);
            usable [state] = true;
            check->repaired++;
        }
    }
    return stele_redis_connected (self->redis)? 0: stele_cache_lost (self);
}

//  -- the request ------------------------------------------------------------------------------

static int
s_check_all (s_check_t *check)
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
        rc = s_check_active (check);
    if (rc == 0)
        rc = s_check_open_sessions (check);
    if (rc == 0)
        rc = s_check_ended (check);
    if (rc == 0)
        rc = s_check_scan (check, 0);
    for (int state = 1; rc == 0 && state < STELE_TASK_STATE_END; state++)
        if (usable [state])
            rc = s_check_scan (check, state);
    return rc;
}

static int
s_pack (const s_check_t *check, stele_pack_t *pack)
{
    int64_t wrong = check->missing + check->mismatched + check->extra;
    int64_t all = check->tasks + check->sessions + check->extra;
    stele_pack_key_integer (pack, "checked", check->tasks);
    stele_pack_key_integer (pack, "sessions", check->sessions);
    stele_pack_key_integer (pack, "missing", check->missing);
    stele_pack_key_integer (pack, "extra", check->extra);
    stele_pack_key_integer (pack, "mismatched", check->mismatched);
    stele_pack_key_integer (pack, "repaired", check->repaired);
    stele_pack_string (pack, "examples");
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
    s_check_t *check = calloc (1, sizeof *check);
    if (!check)
        return stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
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
