/*  redis_mode - mode redis: acks from Redis, while the ledger is not written

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
#include "cache/pending_list.h"
#include "base/clock.h"
#include "wire/event_codec.h"

#define EVENTS_MAX 1000000          // Only in Redis, and in memory here: some kilobytes each
#define FOLLOW_US 1000000           // For the live records of one batch
#define PAGE_EVENTS 5000            // Of an element, where all is told again,
#define PAGE_BYTES  (8 << 20)       // and where it ends early

//  Whose events (first .. last) are: none of them is of somebody else
typedef struct { int64_t first, last; const stele_roster_entry_t *member; } s_owner_t;

struct stele_redis_mode {
    stele_pending_list_t *list;
    stele_cache_t *cache;           // Keeps the live records; its reader is the writer's
    int64_t since;                  // Tells this detour from others
    int64_t elements;               // Of the list
    bool lost;                      // Redis lost some of them, and was not yet told all again
    s_owner_t *owners;              // All since the ledger was last written
    size_t owner_count, owner_room;
    stele_pack_t *pack;
};

bool
stele_writer_in_redis_mode (const stele_writer_t *self)
{
    return self->redis_mode != NULL;
}

int64_t
stele_writer_redis_mode_events (const stele_writer_t *self)
{
    return self->redis_mode? stele_ledger_last (self->ledger) - stele_ledger_head (self->ledger): 0;
}

void
stele_writer_drop_redis_mode (stele_writer_t *self)
{
    struct stele_redis_mode *detour = self->redis_mode;
    self->redis_mode = NULL;
    if (!detour)
        return;
    stele_cache_destroy (&detour->cache);
    stele_pending_list_destroy (&detour->list);
    stele_pack_destroy (&detour->pack);
    free (detour->owners);
    free (detour);
}

static stele_pending_list_t *
s_list (stele_writer_t *self, stele_refusal_t *refusal)
{
    return stele_pending_list_new (self->settings->redis, self->settings->redis_prefix,
        stele_ledger_id (self->ledger), refusal);
}

static int
s_add (stele_writer_t *self)
{
    struct stele_redis_mode *detour = self->redis_mode;
    int code = stele_pending_list_add (detour->list, detour->elements,
        stele_pack_data (detour->pack), stele_pack_size (detour->pack));
    if (code == 0)
        detour->elements++;
    return code;
}

//  -- in and out ------------------------------------------------------------------------

int
stele_writer_enter_redis_mode (stele_writer_t *self, stele_refusal_t *refusal)
{
    struct stele_redis_mode *detour = calloc (1, sizeof *detour);
    assert (detour);
    detour->pack = stele_pack_new ();
    detour->since = stele_clock_us ();
    stele_cache_options_t options = {
        .url = self->settings->redis, .prefix = self->settings->redis_prefix,
        .legacy_keys = self->settings->legacy_keys, .terminal_ttl_s = self->settings->terminal_ttl_s
    };
    self->redis_mode = detour;
    detour->list = s_list (self, refusal);
    detour->cache = detour->list? stele_cache_new (&options, refusal): NULL;
    int code = detour->cache? 0: STELE_EINVALID_FIELD;
    if (code == 0 && stele_pending_list_clear (detour->list))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_pending_list_error (detour->list));
    //  An element that says nothing: a list that is gone is not one that is empty
    stele_pack_map (detour->pack, 1);
    stele_pack_key_integer (detour->pack, "since", detour->since);
    if (code == 0 && s_add (self))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_pending_list_error (detour->list));
    if (code == 0) {
        code = stele_ledger_suspend (self->ledger, detour->since);
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
    //  What stays in the list is known by its 'since'
    stele_pending_list_clear (self->redis_mode->list);
    stele_writer_drop_redis_mode (self);
    return 0;
}

//  -- telling -----------------------------------------------------------------------------

void
stele_writer_note_owner (stele_writer_t *self, int64_t first, int64_t last,
    const stele_roster_entry_t *member)
{
    struct stele_redis_mode *detour = self->redis_mode;
    //  A batch that was taken back comes again with the same positions
    while (detour->owner_count && detour->owners [detour->owner_count - 1].last >= first) {
        s_owner_t *again = &detour->owners [detour->owner_count - 1];
        again->last = first - 1;
        if (again->first > again->last)
            detour->owner_count--;
    }
    s_owner_t *before = detour->owner_count? &detour->owners [detour->owner_count - 1]: NULL;
    if (last < first)
        return;
    if (before && before->member == member && before->last + 1 == first) {
        before->last = last;
        return;
    }
    if (detour->owner_count == detour->owner_room) {
        detour->owner_room = detour->owner_room? detour->owner_room * 2: 64;
        detour->owners = realloc (detour->owners, detour->owner_room * sizeof *detour->owners);
        assert (detour->owners);
    }
    detour->owners [detour->owner_count++] = (s_owner_t) { first, last, member };
}

typedef struct { stele_pack_t *pack; size_t count, size_max; int64_t last; } s_rows_t;

static int
s_count_row (const stele_record_t *row, void *arg)
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
        //  Told again is what was acked: what the open batch adds comes with its own element
        const stele_producer_t *now = all? &member->durable: &member->now;
        if ((!all && !member->touched) || now->id == 0)
            continue;
        stele_pack_map (pack, 6);
        stele_pack_key_string (pack, "producer", now->name);
        stele_pack_key_string (pack, "instance", now->instance);
        stele_pack_key_integer (pack, "sequence", now->sequence);
        stele_pack_key_integer (pack, "lease_ms", now->lease_ms);
        stele_pack_key_integer (pack, "status", now->status);
        stele_pack_key_integer (pack, "seen_at", now->seen_at);
        count++;
    }
    stele_pack_close (pack, mark, count);
}

static void
s_pack_owners (const struct stele_redis_mode *detour, int64_t after, int64_t upto)
{
    stele_pack_string (detour->pack, "owners");
    size_t mark = stele_pack_open_array (detour->pack);
    size_t count = 0;
    //  The newest are at the end
    size_t from = detour->owner_count;
    while (from > 0 && detour->owners [from - 1].last > after)
        from--;
    for (; from < detour->owner_count && detour->owners [from].first <= upto; from++) {
        const s_owner_t *owner = &detour->owners [from];
        stele_pack_map (detour->pack, 3);
        stele_pack_key_integer (detour->pack, "first", owner->first);
        stele_pack_key_integer (detour->pack, "last", owner->last);
        stele_pack_key_string (detour->pack, "producer", owner->member->now.name);
        count++;
    }
    stele_pack_close (detour->pack, mark, count);
}

//  An element: the events in (after, *upto], what was refused after that number. One of a page ends
//  early where it becomes large; *upto says where.
static int
s_pack_element (stele_writer_t *self, int64_t after, int64_t *upto, int64_t rejected, bool page)
{
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    stele_pack_t *pack = self->redis_mode->pack;
    stele_pack_clear (pack);
    stele_pack_map (pack, 5);
    stele_pack_key_integer (pack, "since", self->redis_mode->since);
    s_pack_producers (self, page);
    s_pack_owners (self->redis_mode, after, *upto);
    stele_pack_string (pack, "events");
    size_t mark = stele_pack_open_array (pack);
    s_rows_t rows = { .pack = pack, .size_max = page? PAGE_BYTES: SIZE_MAX, .last = *upto };
    int code = *upto > after?
        stele_reader_events (reader, after, *upto - after, 0, s_count_row, &rows): 0;
    stele_pack_close (pack, mark, rows.count);
    if (page)
        *upto = rows.last;
    stele_pack_string (pack, "rejected");
    mark = stele_pack_open_array (pack);
    rows = (s_rows_t) { .pack = pack, .size_max = SIZE_MAX };
    int64_t next;
    if (code >= 0)
        code = stele_reader_rejected (reader, NULL, false, rejected, INT32_MAX, s_count_row, &rows, &next);
    stele_pack_close (pack, mark, rows.count);
    return code < 0? code: 0;
}

//  Redis lost the list: tell all of it that is through, from the first event
static int
s_tell_again (stele_writer_t *self, int64_t upto)
{
    int64_t after = stele_ledger_head (self->ledger);
    int64_t rejected = stele_ledger_durable_rejected (self->ledger);
    int code = 0;
    self->redis_mode->elements = 0;
    do {
        int64_t page = after + PAGE_EVENTS < upto? after + PAGE_EVENTS: upto;
        code = s_pack_element (self, after, &page, rejected, true);
        if (code == 0)
            code = s_add (self);
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
    struct stele_redis_mode *detour = self->redis_mode;
    if (stele_writer_redis_mode_events (self) > EVENTS_MAX) {
        snprintf (self->redis_mode_error, sizeof self->redis_mode_error,
            "mode redis: more than %d events are not in the ledger: set mode dual", EVENTS_MAX);
        return STELE_EBUSY;
    }
    int code = stele_ledger_flush (self->ledger);
    //  What the ledger cannot say is no matter of Redis
    if (code == 0)
        code = s_pack_batch (self);
    if (code)
        return code;
    if (!detour->lost)
        code = s_add (self);
    //  Until all of it is told again, no batch is added to a part of it
    if (detour->lost || code == STELE_ELEDGER) {
        detour->lost = true;
        code = s_tell_again (self, self->batch_after);
        detour->lost = code != 0;
        if (code == 0)
            code = s_pack_batch (self);
        if (code == 0)
            code = s_add (self);
        detour->lost |= code == STELE_ELEDGER;
    }
    if (code == 0)
        return 0;
    snprintf (self->redis_mode_error, sizeof self->redis_mode_error, "mode redis: %s",
        stele_pending_list_error (detour->list));
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
