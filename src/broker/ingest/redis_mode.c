/*  redis_mode - mode redis: push each batch to Redis while the ledger is not written

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/ingest/redis_mode.h"
#include "cache/cache.h"
#include "cache/records/pending_list.h"
#include "base/clock.h"
#include "base/memory.h"
#include "wire/event/event_codec.h"

#define EVENTS_MAX 1000000          // Only in Redis; in memory here, some kilobytes each
#define FOLLOW_US 1000000           // Longest time to update the live records of one batch
#define PAGE_EVENTS 5000            // Most events per element when all are pushed again
#define PAGE_BYTES  (8 << 20)       // Such an element ends early at this size

//  Positions that all belong to one producer
typedef struct { int64_t first, last; const stele_roster_entry_t *member; } s_range_t;

struct stele_redis_mode {
    stele_pending_list_t *list;
    stele_cache_t *cache;           // Keeps the live records; reads through the writer's reader
    int64_t since;                  // Wall clock, and the id of this period of mode redis
    int64_t elements;               // Length of the list
    bool lost;                      // Redis lost some elements, and not all were pushed again yet
    s_range_t *ranges;              // All since the ledger was last written
    size_t range_count, range_room;
    stele_pack_t *pack;
};

int64_t
stele_writer_redis_mode_events (const stele_writer_t *self)
{
    return self->redis_mode? stele_ledger_last (self->ledger) - stele_ledger_head (self->ledger): 0;
}

void
stele_writer_drop_redis_mode (stele_writer_t *self)
{
    struct stele_redis_mode *redis = self->redis_mode;
    self->redis_mode = NULL;
    if (!redis)
        return;
    stele_cache_destroy (&redis->cache);
    stele_pending_list_destroy (&redis->list);
    stele_pack_destroy (&redis->pack);
    free (redis->ranges);
    free (redis);
}

static stele_pending_list_t *
s_list (stele_writer_t *self, stele_refusal_t *refusal)
{
    return stele_pending_list_new (self->settings->redis, self->settings->redis_prefix,
        stele_ledger_id (self->ledger), refusal);
}

static int
s_push (stele_writer_t *self)
{
    struct stele_redis_mode *redis = self->redis_mode;
    int code = stele_pending_list_add (redis->list, redis->elements,
        stele_pack_data (redis->pack), stele_pack_size (redis->pack));
    if (code == 0)
        redis->elements++;
    return code;
}

//  -- enter and leave --------------------------------------------------------------------

int
stele_writer_enter_redis_mode (stele_writer_t *self, stele_refusal_t *refusal)
{
    struct stele_redis_mode *redis = STELE_NEW (struct stele_redis_mode);
    redis->pack = stele_pack_new ();
    redis->since = stele_clock_us ();
    stele_cache_options_t options = {
        .url = self->settings->redis, .prefix = self->settings->redis_prefix,
        .legacy_keys = self->settings->legacy_keys, .terminal_ttl_s = self->settings->terminal_ttl_s
    };
    self->redis_mode = redis;
    redis->list = s_list (self, refusal);
    redis->cache = redis->list? stele_cache_new (&options, refusal): NULL;
    int code = redis->cache? 0: STELE_EINVALID_FIELD;
    if (code == 0 && stele_pending_list_clear (redis->list))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_pending_list_error (redis->list));
    //  An element without events, so that a lost list differs from an empty one
    stele_pack_map_begin (redis->pack);
    stele_pack_key_integer (redis->pack, "since", redis->since);
    stele_pack_map_end (redis->pack);
    if (code == 0 && s_push (self))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_pending_list_error (redis->list));
    if (code == 0) {
        code = stele_ledger_suspend (self->ledger, redis->since);
        if (code)
            stele_refuse (refusal, code, "mode", "%s", stele_ledger_error (self->ledger));
    }
    if (code)
        stele_writer_drop_redis_mode (self);
    else
        stele_writer_update_live_records (self);
    return code;
}

int
stele_writer_leave_redis_mode (stele_writer_t *self, stele_refusal_t *refusal)
{
    int code = stele_ledger_resume (self->ledger, self->redis_mode->since);
    if (code)
        return stele_refuse (refusal, code, "mode", "%s", stele_ledger_error (self->ledger));
    //  If this fails, recovery skips the list: 'since' shows that it is in the ledger
    stele_pending_list_clear (self->redis_mode->list);
    stele_writer_drop_redis_mode (self);
    return 0;
}

//  -- push ---------------------------------------------------------------------------------

void
stele_writer_note_producer (stele_writer_t *self, int64_t first, int64_t last,
    const stele_roster_entry_t *member)
{
    struct stele_redis_mode *redis = self->redis_mode;
    //  A batch that was rolled back runs again with the same positions
    while (redis->range_count && redis->ranges [redis->range_count - 1].last >= first) {
        s_range_t *again = &redis->ranges [redis->range_count - 1];
        again->last = first - 1;
        if (again->first > again->last)
            redis->range_count--;
    }
    s_range_t *before = redis->range_count? &redis->ranges [redis->range_count - 1]: NULL;
    if (last < first)
        return;
    if (before && before->member == member && before->last + 1 == first) {
        before->last = last;
        return;
    }
    redis->ranges = stele_array_must_grow (redis->ranges, &redis->range_room, redis->range_count + 1,
        sizeof *redis->ranges);
    redis->ranges [redis->range_count++] = (s_range_t) { first, last, member };
}

typedef struct { stele_pack_t *pack; size_t count, size_max; int64_t last; } s_rows_t;

static int
s_pack_row (const stele_record_t *row, void *arg)
{
    s_rows_t *rows = arg;
    rows->count++;
    rows->last = stele_record_integer (row, STELE_POSITION, 0);
    stele_record_pack (row, rows->pack);
    return stele_pack_size (rows->pack) > rows->size_max;
}

static void
s_pack_producers (stele_writer_t *self, bool all)
{
    stele_pack_t *pack = self->redis_mode->pack;
    stele_pack_string (pack, "producers");
    size_t mark = stele_pack_open_array (pack);
    size_t count = 0;
    stele_roster_entry_t *member = stele_roster_next (self->roster, NULL);
    for (; member; member = stele_roster_next (self->roster, member)) {
        //  If all are pushed again, it is what was acked: the open batch has its own element
        const stele_producer_t *now = all? &member->durable: &member->now;
        if ((!all && !member->touched) || now->id == 0)
            continue;
        stele_pack_map_begin (pack);
        stele_pack_key_string (pack, "producer", now->name);
        stele_pack_key_string (pack, "instance", now->instance);
        stele_pack_key_integer (pack, "sequence", now->sequence);
        stele_pack_key_integer (pack, "lease_ms", now->lease_ms);
        stele_pack_key_integer (pack, "status", now->status);
        stele_pack_key_integer (pack, "seen_at", now->seen_at);
        stele_pack_map_end (pack);
        count++;
    }
    stele_pack_close (pack, mark, count);
}

static void
s_pack_ranges (const struct stele_redis_mode *redis, int64_t after, int64_t upto)
{
    stele_pack_string (redis->pack, "owners");
    size_t mark = stele_pack_open_array (redis->pack);
    size_t count = 0;
    //  The newest ranges are at the end
    size_t from = redis->range_count;
    while (from > 0 && redis->ranges [from - 1].last > after)
        from--;
    for (; from < redis->range_count && redis->ranges [from].first <= upto; from++) {
        const s_range_t *range = &redis->ranges [from];
        stele_pack_map_begin (redis->pack);
        stele_pack_key_integer (redis->pack, "first", range->first);
        stele_pack_key_integer (redis->pack, "last", range->last);
        stele_pack_key_string (redis->pack, "producer", range->member->now.name);
        stele_pack_map_end (redis->pack);
        count++;
    }
    stele_pack_close (redis->pack, mark, count);
}

//  Pack an element: the events in (after, *upto], and the rejected events after that number. A page
//  ends early if it becomes large; then *upto is its last event.
static int
s_pack_element (stele_writer_t *self, int64_t after, int64_t *upto, int64_t rejected, bool page)
{
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    stele_pack_t *pack = self->redis_mode->pack;
    stele_pack_clear (pack);
    //  Counted by hand: stele_record_pack writes keys of maps that were not begun
    stele_pack_map (pack, 6);
    stele_pack_key_integer (pack, "since", self->redis_mode->since);
    stele_pack_key_integer (pack, "time", self->commit_us);
    s_pack_producers (self, page);
    s_pack_ranges (self->redis_mode, after, *upto);
    stele_pack_string (pack, "events");
    size_t mark = stele_pack_open_array (pack);
    s_rows_t rows = { .pack = pack, .size_max = page? PAGE_BYTES: SIZE_MAX, .last = *upto };
    int code = *upto > after?
        stele_reader_events (reader, after, *upto - after, 0, s_pack_row, &rows): 0;
    stele_pack_close (pack, mark, rows.count);
    if (page)
        *upto = rows.last;
    stele_pack_string (pack, "rejected");
    mark = stele_pack_open_array (pack);
    rows = (s_rows_t) { .pack = pack, .size_max = SIZE_MAX };
    int64_t next;
    if (code >= 0)
        code = stele_reader_rejected (reader, NULL, false, rejected, INT32_MAX, s_pack_row, &rows, &next);
    stele_pack_close (pack, mark, rows.count);
    return code < 0? code: 0;
}

//  Redis lost the list: push all acked events again, from the first one
static int
s_push_all (stele_writer_t *self, int64_t upto)
{
    int64_t after = stele_ledger_head (self->ledger);
    int64_t rejected = stele_ledger_durable_rejected (self->ledger);
    int code = 0;
    self->redis_mode->elements = 0;
    do {
        int64_t page = after + PAGE_EVENTS < upto? after + PAGE_EVENTS: upto;
        code = s_pack_element (self, after, &page, rejected, true);
        if (code == 0)
            code = s_push (self);
        after = page;
        rejected = stele_ledger_last_rejected (self->ledger);
    } while (code == 0 && after < upto);
    return code;
}

static int
s_pack_batch (stele_writer_t *self)
{
    int64_t upto = stele_ledger_last (self->ledger);
    return s_pack_element (self, self->batch_after, &upto, stele_ledger_last_rejected (self->ledger), false);
}

int
stele_writer_push_to_redis (stele_writer_t *self)
{
    struct stele_redis_mode *redis = self->redis_mode;
    if (stele_writer_redis_mode_events (self) > EVENTS_MAX) {
        snprintf (self->redis_mode_error, sizeof self->redis_mode_error,
            "mode redis: more than %d events are not in the ledger; set mode dual", EVENTS_MAX);
        return STELE_EBUSY;
    }
    int code = stele_ledger_flush (self->ledger);
    //  An error of the ledger is returned as it is, not as one of Redis
    if (code == 0)
        code = s_pack_batch (self);
    if (code)
        return code;
    if (!redis->lost)
        code = s_push (self);
    //  Until all elements are pushed again, no batch is added to an incomplete list
    if (redis->lost || code == STELE_ELEDGER) {
        redis->lost = true;
        code = s_push_all (self, self->batch_after);
        redis->lost = code != 0;
        if (code == 0)
            code = s_pack_batch (self);
        if (code == 0)
            code = s_push (self);
        redis->lost |= code == STELE_ELEDGER;
    }
    if (code == 0)
        return 0;
    snprintf (self->redis_mode_error, sizeof self->redis_mode_error, "mode redis: %s",
        stele_pending_list_error (redis->list));
    return STELE_EBUSY;
}

void
stele_writer_update_live_records (stele_writer_t *self)
{
    stele_cache_t *cache = self->redis_mode->cache;
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    int64_t until_us = stele_clock_steady_us () + FOLLOW_US;
    int wait_ms;
    do
        wait_ms = stele_cache_step (cache, reader, stele_clock_us ());
    while (wait_ms == 0 && stele_clock_steady_us () < until_us
        && (stele_cache_state (cache) != STELE_CACHE_LIVE
            || stele_cache_position (cache) < stele_ledger_last (self->ledger)));
}
