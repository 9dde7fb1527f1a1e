/*  detour - mode redis: acks from Redis, while the ledger is not written

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/detour.h"
#include "cache/cache.h"
#include "cache/detour.h"
#include "model/clock.h"
#include "wire/event.h"

#define EVENTS_MAX 1000000          // Only in Redis, and in memory here: some kilobytes each
#define FOLLOW_US 1000000           // For the live records of one batch
#define PAGE_EVENTS 5000            // Of an element, where all is told again

//  Whose events (first .. last) are: none of them is of somebody else
typedef struct { int64_t first, last; const stele_member_t *member; } s_owner_t;

struct stele_detour_state {
    stele_detour_t *list;
    stele_cache_t *cache;           // Keeps the live records; its reader is the writer's
    int64_t since;                  // Tells this detour from others
    int64_t elements;               // Of the list
    s_owner_t *owners;              // All since the ledger was last written
    size_t owner_count, owner_room;
    stele_pack_t *pack;
};

bool
stele_writer_on_detour (const stele_writer_t *self)
{
    return self->detour != NULL;
}

int64_t
stele_writer_detour_events (const stele_writer_t *self)
{
    return self->detour? stele_ledger_last (self->ledger) - stele_ledger_head (self->ledger): 0;
}

void
stele_writer_drop_detour (stele_writer_t *self)
{
    struct stele_detour_state *detour = self->detour;
    self->detour = NULL;
    if (!detour)
        return;
    stele_cache_destroy (&detour->cache);
    stele_detour_destroy (&detour->list);
    stele_pack_destroy (&detour->pack);
    free (detour->owners);
    free (detour);
}

static stele_detour_t *
s_list (stele_writer_t *self, stele_refusal_t *refusal)
{
    return stele_detour_new (self->settings->redis, self->settings->redis_prefix,
        stele_ledger_id (self->ledger), refusal);
}

static int
s_add (stele_writer_t *self)
{
    struct stele_detour_state *detour = self->detour;
    int code = stele_detour_add (detour->list, detour->elements,
        stele_pack_data (detour->pack), stele_pack_size (detour->pack));
    if (code == 0)
        detour->elements++;
    return code;
}

//  -- in and out ------------------------------------------------------------------------

int
stele_writer_enter_detour (stele_writer_t *self, stele_refusal_t *refusal)
{
    struct stele_detour_state *detour = calloc (1, sizeof *detour);
    assert (detour);
    detour->pack = stele_pack_new ();
    detour->since = stele_clock_us ();
    stele_cache_options_t options = {
        .url = self->settings->redis, .prefix = self->settings->redis_prefix,
        .legacy_keys = self->settings->legacy_keys, .terminal_ttl_s = self->settings->terminal_ttl_s
    };
    self->detour = detour;
    detour->list = s_list (self, refusal);
    detour->cache = detour->list? stele_cache_new (&options, refusal): NULL;
    int code = detour->cache? 0: STELE_EINVALID_FIELD;
    if (code == 0 && stele_detour_clear (detour->list))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_detour_error (detour->list));
    //  An element that says nothing: a list that is gone is not one that is empty
    stele_pack_map (detour->pack, 1);
    stele_pack_key_integer (detour->pack, "since", detour->since);
    if (code == 0 && s_add (self))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "%s", stele_detour_error (detour->list));
    if (code == 0) {
        code = stele_ledger_suspend (self->ledger, detour->since);
        if (code)
            stele_refuse (refusal, code, "mode", "%s", stele_ledger_error (self->ledger));
    }
    if (code)
        stele_writer_drop_detour (self);
    else
        stele_writer_follow_detour (self);
    return code;
}

int
stele_writer_leave_detour (stele_writer_t *self, stele_refusal_t *refusal)
{
    int code = stele_ledger_resume (self->ledger, self->detour->since);
    if (code)
        return stele_refuse (refusal, code, "mode", "%s", stele_ledger_error (self->ledger));
    //  What stays in the list is known by its 'since'
    stele_detour_clear (self->detour->list);
    stele_writer_drop_detour (self);
    return 0;
}

//  -- telling -----------------------------------------------------------------------------

void
stele_writer_note_owner (stele_writer_t *self, int64_t first, int64_t last,
    const stele_member_t *member)
{
    struct stele_detour_state *detour = self->detour;
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

static int
s_pack_row (const stele_record_t *row, void *pack)
{
    stele_record_pack (row, pack);
    return 0;
}

typedef struct { stele_pack_t *pack; size_t count; int64_t upto; } s_rows_t;

static int
s_count_row (const stele_record_t *row, void *arg)
{
    s_rows_t *rows = arg;
    rows->count++;
    return s_pack_row (row, rows->pack);
}

static void
s_pack_producers (stele_writer_t *self, bool all)
{
    stele_pack_t *pack = self->detour->pack;
    stele_pack_string (pack, "producers");
    size_t mark = stele_pack_open_array (pack);
    size_t count = 0;
    stele_member_t *member = stele_roster_next (self->roster, NULL);
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
s_pack_owners (const struct stele_detour_state *detour, int64_t after, int64_t upto)
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

//  An element: the events in (after, upto], what was refused after that number
static int
s_pack_element (stele_writer_t *self, int64_t after, int64_t upto, int64_t rejected, bool all)
{
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    stele_pack_t *pack = self->detour->pack;
    stele_pack_clear (pack);
    stele_pack_map (pack, 5);
    stele_pack_key_integer (pack, "since", self->detour->since);
    s_pack_producers (self, all);
    s_pack_owners (self->detour, after, upto);
    stele_pack_string (pack, "events");
    size_t mark = stele_pack_open_array (pack);
    s_rows_t rows = { .pack = pack };
    int code = upto > after?
        stele_reader_events (reader, after, upto - after, 0, s_count_row, &rows): 0;
    stele_pack_close (pack, mark, rows.count);
    stele_pack_string (pack, "rejected");
    mark = stele_pack_open_array (pack);
    rows.count = 0;
    int64_t next;
    if (code == 0)
        code = stele_reader_rejected (reader, NULL, false, rejected, INT32_MAX, s_count_row, &rows, &next);
    stele_pack_close (pack, mark, rows.count);
    return code;
}

//  Redis lost the list: tell all of it that is through, from the first event
static int
s_tell_again (stele_writer_t *self, int64_t upto)
{
    int64_t after = stele_ledger_head (self->ledger);
    int64_t rejected = stele_ledger_durable_rejected (self->ledger);
    int code = 0;
    self->detour->elements = 0;
    do {
        int64_t page = after + PAGE_EVENTS < upto? after + PAGE_EVENTS: upto;
        code = s_pack_element (self, after, page, rejected, true);
        if (code == 0)
            code = s_add (self);
        after = page;
        rejected = stele_ledger_last_rejected (self->ledger);
    } while (code == 0 && after < upto);
    return code;
}

int
stele_writer_tell_detour (stele_writer_t *self)
{
    int64_t upto = stele_ledger_last (self->ledger);
    if (stele_writer_detour_events (self) > EVENTS_MAX) {
        snprintf (self->detour_trouble, sizeof self->detour_trouble,
            "mode redis: more than %d events are not in the ledger: set mode dual", EVENTS_MAX);
        return STELE_EBUSY;
    }
    int code = stele_ledger_flush (self->ledger);
    if (code)
        return code;
    code = s_pack_element (self, self->batch_after, upto,
        stele_ledger_last_rejected (self->ledger), false);
    if (code)
        return code;
    code = s_add (self);
    if (code == STELE_ELEDGER) {
        code = s_tell_again (self, self->batch_after);
        if (code == 0)
            code = s_pack_element (self, self->batch_after, upto,
                stele_ledger_last_rejected (self->ledger), false);
        if (code == 0)
            code = s_add (self);
    }
    if (code == 0)
        return 0;
    snprintf (self->detour_trouble, sizeof self->detour_trouble, "mode redis: %s",
        stele_detour_error (self->detour->list));
    return STELE_EBUSY;
}

void
stele_writer_follow_detour (stele_writer_t *self)
{
    stele_cache_t *cache = self->detour->cache;
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    int64_t until_us = stele_clock_steady_us () + FOLLOW_US;
    int wait_ms;
    do
        wait_ms = stele_cache_step (cache, reader, stele_clock_us ());
    while (wait_ms == 0 && stele_clock_steady_us () < until_us
        && (stele_cache_state (cache) != STELE_CACHE_LIVE
            || stele_cache_position (cache) < stele_ledger_last (self->ledger)));
}

//  -- bringing it home ------------------------------------------------------------------------

typedef struct {
    stele_writer_t *writer;
    int64_t resumed;                // The last detour that is over
    int64_t since;                  // Of the elements
    int64_t appended;
    stele_refusal_t *refusal;
} s_recovery_t;

static int
s_unfit (s_recovery_t *self, const char *what, int64_t number)
{
    return stele_refuse (self->refusal, STELE_ELEDGER, "mode",
        "what was acked in mode redis does not fit the ledger: %s %lld. The list PREFIX-pending:%s in Redis has it; "
        "nothing was changed", what, (long long) number, stele_ledger_id (self->writer->ledger));
}

static stele_scan_t
s_array (const void *map, size_t size, const char *key, size_t *count)
{
    const void *data = NULL;
    size_t data_size = 0;
    stele_token_t token = stele_scan_find (map, size, key, &data, &data_size);
    *count = token.kind == STELE_SCAN_ARRAY? token.count: 0;
    stele_scan_t scan = stele_scan_start (data, *count? data_size: 0);
    if (*count)
        stele_scan_next (&scan);
    return scan;
}

static int64_t
s_integer (const void *map, size_t size, const char *key)
{
    stele_token_t token = stele_scan_find (map, size, key, NULL, NULL);
    return token.kind == STELE_SCAN_INTEGER? token.integer: 0;
}

static void
s_text (const void *map, size_t size, const char *key, char *text, size_t text_size)
{
    stele_token_t token = stele_scan_find (map, size, key, NULL, NULL);
    snprintf (text, text_size, "%.*s", token.kind == STELE_SCAN_TEXT? (int) token.size: 0,
        token.kind == STELE_SCAN_TEXT? token.data: "");
}

static int
s_take_producers (s_recovery_t *self, const void *element, size_t size)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, size, "producers", &count);
    int code = 0;
    while (count-- > 0 && code == 0) {
        const void *map;
        size_t map_size;
        stele_scan_skip (&scan, &map, &map_size);
        char name [STELE_LIMIT_ID + 1], instance [STELE_LIMIT_ID + 1];
        s_text (map, map_size, "producer", name, sizeof name);
        s_text (map, map_size, "instance", instance, sizeof instance);
        stele_member_t *member = stele_roster_member (writer->roster, name);
        stele_roster_touch (writer->roster, member);
        stele_producer_t *now = &member->now;
        if (s_integer (map, map_size, "sequence") < now->sequence)
            continue;               // It is in the ledger, and more
        bool replaced = *now->instance && strcmp (now->instance, instance) != 0;
        if (replaced && now->status != STELE_PRODUCER_LEFT)
            code = stele_ledger_fence (writer->ledger, now->id, now->instance, stele_clock_us ());
        snprintf (now->instance, sizeof now->instance, "%s", instance);
        now->sequence = s_integer (map, map_size, "sequence");
        now->lease_ms = s_integer (map, map_size, "lease_ms");
        now->status = (stele_producer_status_t) s_integer (map, map_size, "status");
        now->seen_at = s_integer (map, map_size, "seen_at");
        if (code == 0)
            code = stele_ledger_producer_save (writer->ledger, now);
        stele_roster_resume (writer->roster, member);
    }
    return code;
}

//  Id of the producer whose event it was, 0: of none
static int64_t
s_owner_of (s_recovery_t *self, const void *element, size_t size, int64_t position)
{
    size_t count;
    stele_scan_t scan = s_array (element, size, "owners", &count);
    while (count-- > 0) {
        const void *map;
        size_t map_size;
        stele_scan_skip (&scan, &map, &map_size);
        if (position < s_integer (map, map_size, "first") || position > s_integer (map, map_size, "last"))
            continue;
        char name [STELE_LIMIT_ID + 1];
        s_text (map, map_size, "producer", name, sizeof name);
        return stele_roster_member (self->writer->roster, name)->now.id;
    }
    return 0;
}

static int
s_take_events (s_recovery_t *self, const void *element, size_t size)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, size, "events", &count);
    while (count-- > 0) {
        const void *event;
        size_t event_size;
        stele_scan_skip (&scan, &event, &event_size);
        int64_t number = s_integer (event, event_size, "position");
        if (number <= stele_ledger_last (writer->ledger))
            continue;
        stele_record_clear (writer->event);
        int64_t position = 0;
        int rc = stele_event_decode_restored (event, event_size, writer->event, self->refusal);
        if (rc == 0)
            rc = stele_ledger_append (writer->ledger, writer->event,
                s_owner_of (self, element, size, number), &position, self->refusal);
        if (rc != 1 || position != number)
            return rc < 0 && self->refusal->code != rc? rc: s_unfit (self, "event", number);
        self->appended++;
    }
    return 0;
}

static int
s_take_rejected (s_recovery_t *self, const void *element, size_t size)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, size, "rejected", &count);
    int code = 0;
    while (count-- > 0 && code == 0) {
        const void *map, *event = NULL;
        size_t map_size, event_size = 0;
        stele_scan_skip (&scan, &map, &map_size);
        if (s_integer (map, map_size, "id") <= stele_ledger_last_rejected (writer->ledger))
            continue;
        char name [STELE_LIMIT_ID + 1], code_name [64];
        stele_refusal_t why = { 0 };
        s_text (map, map_size, "producer", name, sizeof name);
        s_text (map, map_size, "code", code_name, sizeof code_name);
        s_text (map, map_size, "field", why.field, sizeof why.field);
        s_text (map, map_size, "message", why.message, sizeof why.message);
        why.code = stele_error_code (code_name);
        stele_token_t token = stele_scan_find (map, map_size, "event", &event, &event_size);
        if (token.kind == STELE_SCAN_BYTES) {
            event = token.data;
            event_size = token.size;
        }
        code = stele_ledger_reject (writer->ledger,
            *name? stele_roster_member (writer->roster, name)->now.id: 0,
            s_integer (map, map_size, "sequence"), &why, s_integer (map, map_size, "time"),
            event, event_size, NULL);
    }
    return code;
}

static int
s_take_element (const void *data, size_t size, void *arg)
{
    s_recovery_t *self = arg;
    stele_writer_t *writer = self->writer;
    const char *why;
    if (stele_scan_check (data, size, size, &why))
        return s_unfit (self, "an element that is damaged, after event",
            stele_ledger_last (writer->ledger));
    self->since = s_integer (data, size, "since");
    if (self->since == self->resumed)
        return 0;                   // It came home, and only the list was left
    int code = stele_ledger_begin (writer->ledger);
    if (code == 0)
        code = s_take_producers (self, data, size);
    if (code == 0)
        code = s_take_events (self, data, size);
    if (code == 0)
        code = s_take_rejected (self, data, size);
    if (code == 0)
        code = stele_ledger_commit (writer->ledger, stele_clock_us ());
    if (code) {
        stele_ledger_rollback (writer->ledger);
        stele_roster_rollback (writer->roster);
        if (self->refusal->code != code)
            stele_refuse (self->refusal, code, "ledger", "%s", stele_ledger_error (writer->ledger));
        return code;
    }
    stele_roster_commit (writer->roster);
    return 0;
}

int64_t
stele_writer_recover_detour (stele_writer_t *self, stele_refusal_t *refusal)
{
    int64_t marked = stele_ledger_left_suspended (self->ledger);
    int64_t resumed = stele_ledger_last_resumed (self->ledger);
    if (marked < 0 || resumed < 0)
        return stele_refuse (refusal, marked < 0? (int) marked: (int) resumed, "ledger", "%s",
            stele_ledger_error (self->ledger));
    bool has_redis = strcmp (self->settings->redis, "none") != 0;
    if (!has_redis && !marked)
        return 0;
    stele_detour_t *list = has_redis? s_list (self, refusal): NULL;
    if (has_redis && !list)
        return refusal->code;
    int64_t length = list? stele_detour_length (list): STELE_EUNAVAILABLE;
    int64_t code = 0;
    s_recovery_t recovery = { .writer = self, .resumed = resumed, .since = marked, .refusal = refusal };
    if (length > 0)
        code = stele_detour_each (list, s_take_element, &recovery);
    if (length >= 0 && code == STELE_EUNAVAILABLE)
        stele_refuse (refusal, STELE_EUNAVAILABLE, "redis", "%s", stele_detour_error (list));
    if (length == 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EBEHIND, "redis",
            "the ledger was left in mode redis, and the Redis that had what was acked since then has lost it: put its "
            "data back, or give it up with accept-loss");
    if (length < 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "redis",
            "the ledger was left in mode redis, and what was acked since then is in that Redis, which does not answer "
            "(%s): start it first, or give it up with accept-loss", list? stele_detour_error (list): "redis is none");
    if (code == 0 && recovery.since && recovery.since != resumed)
        code = stele_ledger_settle_suspended (self->ledger, recovery.since);
    if (code == 0 && length > 0)
        stele_detour_clear (list);
    stele_detour_destroy (&list);
    return code? code: recovery.appended;
}
