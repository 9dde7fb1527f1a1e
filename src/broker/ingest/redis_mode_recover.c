/*  redis_mode_recover - write events that an earlier run acked in mode redis to the ledger

    The list in Redis is appended to the ledger element by element, each in a transaction that also
    stores how many are done. So the next start resumes an interrupted recovery, and a start
    without that Redis is refused.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "broker/common/log.h"
#include "broker/ingest/redis_mode.h"
#include "cache/records/pending_list.h"
#include "base/clock.h"
#include "wire/event/event_codec.h"
#include "wire/map.h"

typedef struct {
    stele_writer_t *writer;
    int64_t resumed;                // Id of the last period of mode redis that is in the ledger
    int64_t since;                  // Id of the period of the elements
    int64_t element;                // Number of this one, from 1
    int64_t recovered;              // Elements that are in the ledger already
    int64_t appended;               // Events
    bool misfit;                    // An element does not continue the ledger
    stele_refusal_t *refusal;
} s_recovery_t;

static int
s_misfit (s_recovery_t *self, const char *what, int64_t number)
{
    self->misfit = true;
    return stele_refuse (self->refusal, STELE_ELEDGER, "mode",
        "the events acked in mode redis do not continue the ledger: %s %lld. The list PREFIX-pending:%s in Redis has "
        "all of them; --accept-loss starts without the rest", what, (long long) number, stele_ledger_id (self->writer->ledger));
}

static int64_t
s_integer (const stele_map_t *map, const char *key)
{
    int64_t value = 0;
    stele_map_integer (map, key, &value);
    return value;
}

//  The array at that key. Its elements are maps, for s_next_map; count is 0 if it is absent.
static stele_scan_t
s_array (const stele_map_t *map, const char *key, size_t *count)
{
    const void *data = NULL;
    size_t size = 0;
    stele_token_t token = stele_scan_find (map->data, map->size, key, &data, &size);
    *count = token.kind == STELE_SCAN_ARRAY? token.count: 0;
    stele_scan_t scan = stele_scan_start (data, *count? size: 0);
    if (*count)
        stele_scan_next (&scan);
    return scan;
}

static stele_map_t
s_next_map (stele_scan_t *scan)
{
    stele_map_t map;
    stele_scan_skip (scan, &map.data, &map.size);
    return map;
}

static int
s_take_producers (s_recovery_t *self, const stele_map_t *element)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, "producers", &count);
    int code = 0;
    while (count-- > 0 && code == 0) {
        stele_map_t map = s_next_map (&scan);
        char name [STELE_LIMIT_ID + 1] = "", instance [STELE_LIMIT_ID + 1] = "";
        stele_map_text (&map, "producer", name, sizeof name);
        stele_map_text (&map, "instance", instance, sizeof instance);
        stele_roster_entry_t *member = stele_roster_entry (writer->roster, name);
        if (!member)
            return stele_roster_error (writer->roster);
        stele_roster_touch (writer->roster, member);
        stele_producer_t *now = &member->now;
        if (s_integer (&map, "sequence") < now->sequence)
            continue;               // Elements that were pushed again all have the final state
        bool replaced = *now->instance && strcmp (now->instance, instance) != 0;
        if (replaced && now->status != STELE_PRODUCER_LEFT && now->status != STELE_PRODUCER_ENDED)
            code = stele_ledger_fence (writer->ledger, now->id, now->instance, stele_clock_us ());
        snprintf (now->instance, sizeof now->instance, "%s", instance);
        now->sequence = s_integer (&map, "sequence");
        now->lease_ms = s_integer (&map, "lease_ms");
        now->status = (stele_producer_status_t) s_integer (&map, "status");
        now->seen_at = s_integer (&map, "seen_at");
        if (code == 0)
            code = stele_ledger_producer_save (writer->ledger, now);
        stele_roster_resume (writer->roster, member);
    }
    return code;
}

//  Id of the producer of the event at that position; 0: none
static int64_t
s_producer_of (s_recovery_t *self, const stele_map_t *element, int64_t position)
{
    size_t count;
    stele_scan_t scan = s_array (element, "owners", &count);
    while (count-- > 0) {
        stele_map_t map = s_next_map (&scan);
        if (position < s_integer (&map, "first") || position > s_integer (&map, "last"))
            continue;
        char name [STELE_LIMIT_ID + 1] = "";
        stele_map_text (&map, "producer", name, sizeof name);
        //  The element has its producers too, which were taken before
        const stele_roster_entry_t *member = stele_roster_lookup (self->writer->roster, name);
        return member? member->now.id: 0;
    }
    return 0;
}

static int
s_take_events (s_recovery_t *self, const stele_map_t *element)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, "events", &count);
    while (count-- > 0) {
        stele_map_t event = s_next_map (&scan);
        int64_t number = s_integer (&event, "position");
        stele_map_t masked = event;
        stele_screen_kept (writer->screen, &masked.data, &masked.size);
        stele_record_clear (writer->event);
        int64_t position = 0;
        int rc = stele_event_decode_restored (masked.data, masked.size, writer->event, self->refusal);
        if (rc) {
            //  It was acked: a mask that makes a field too long must not lose it
            memset (self->refusal, 0, sizeof *self->refusal);
            stele_screen_kept_fit (writer->screen, &event.data, &event.size);
            stele_record_clear (writer->event);
            rc = stele_event_decode_restored (event.data, event.size, writer->event, self->refusal);
        }
        if (rc == 0)
            rc = stele_ledger_append (writer->ledger, writer->event,
                s_producer_of (self, element, number), &position, self->refusal);
        if (rc != 1 || position != number)
            return rc < 0 && self->refusal->code != rc? rc: s_misfit (self, "event", number);
        self->appended++;
    }
    return 0;
}

static int
s_take_rejected (s_recovery_t *self, const stele_map_t *element)
{
    stele_writer_t *writer = self->writer;
    size_t count;
    stele_scan_t scan = s_array (element, "rejected", &count);
    int code = 0;
    while (count-- > 0 && code == 0) {
        stele_map_t map = s_next_map (&scan);
        const void *event = NULL;
        size_t event_size = 0;
        if (s_integer (&map, "id") <= stele_ledger_last_rejected (writer->ledger))
            continue;
        char name [STELE_LIMIT_ID + 1] = "";
        stele_refusal_t why = { 0 };
        stele_map_text (&map, "producer", name, sizeof name);
        stele_map_text (&map, "field", why.field, sizeof why.field);
        stele_map_text (&map, "message", why.message, sizeof why.message);
        why.code = stele_map_code (&map, "code");
        stele_token_t token = stele_scan_find (map.data, map.size, "event", &event, &event_size);
        if (token.kind == STELE_SCAN_BYTES) {
            event = token.data;
            event_size = token.size;
        }
        stele_screen_kept (writer->screen, &event, &event_size);
        const stele_roster_entry_t *member = stele_roster_lookup (writer->roster, name);
        code = stele_ledger_reject (writer->ledger, member? member->now.id: 0,
            s_integer (&map, "sequence"), &why, s_integer (&map, "time"),
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
        return s_misfit (self, "a damaged element, after event",
            stele_ledger_last (writer->ledger));
    stele_map_t element = { data, size };
    self->since = s_integer (&element, "since");
    if (self->since == self->resumed)
        return 0;                   // It is in the ledger; only the list was not removed
    if (++self->element <= self->recovered)
        return 0;
    int code = stele_ledger_begin (writer->ledger);
    if (code == 0)
        code = s_take_producers (self, &element);
    if (code == 0)
        code = s_take_events (self, &element);
    if (code == 0)
        code = s_take_rejected (self, &element);
    if (code == 0)
        code = stele_ledger_note_recovered (writer->ledger, self->since, self->element);
    //  At the time of the first commit: what Redis holds is of this history
    int64_t time_us = s_integer (&element, "time");
    if (code == 0)
        code = stele_ledger_commit (writer->ledger, time_us? time_us: stele_clock_us ());
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

static int
s_accept_loss (stele_writer_t *self, stele_refusal_t *refusal)
{
    snprintf (self->previous_ledger_id, sizeof self->previous_ledger_id, "%s", stele_ledger_id (self->ledger));
    int code = stele_ledger_give_up (self->ledger, "events acked in mode redis that could not be recovered from Redis",
        refusal);
    if (code == 0)
        stele_log_warning ("loss_accepted", "%s", stele_ledger_loss (self->ledger));
    return code;
}

int64_t
stele_writer_recover_redis_mode (stele_writer_t *self, stele_refusal_t *refusal)
{
    int64_t marked = stele_ledger_left_suspended (self->ledger);
    int64_t resumed = stele_ledger_last_resumed (self->ledger);
    int64_t recovered = stele_ledger_recovered (self->ledger);
    if (marked < 0 || resumed < 0 || recovered < 0)
        return stele_refuse (refusal, (int) (marked < 0? marked: resumed < 0? resumed: recovered), "ledger", "%s",
            stele_ledger_error (self->ledger));
    //  What the list has would be written to this ledger, and not to the log
    if (marked && self->lead)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "shared-log", "the ledger was left in mode redis: start it once without "
            "shared-log, so that the events acked since then are written to it");
    bool has_redis = strcmp (self->settings->redis, "none") != 0;
    if (!has_redis && !marked)
        return 0;
    stele_pending_list_t *list = has_redis? stele_pending_list_new (self->settings->redis, self->settings->redis_prefix,
        stele_ledger_id (self->ledger), refusal): NULL;
    if (has_redis && !list)
        return refusal->code;
    int64_t length = list? stele_pending_list_length (list): STELE_EUNAVAILABLE;
    int64_t code = 0;
    s_recovery_t recovery = {
        .writer = self, .resumed = resumed, .since = marked, .recovered = recovered, .refusal = refusal
    };
    if (length > 0)
        code = stele_pending_list_each (list, s_take_element, &recovery);
    if (self->settings->accept_loss && (recovery.misfit || (length <= 0 && marked)))
        code = s_accept_loss (self, refusal);
    if (length >= 0 && code == STELE_EUNAVAILABLE)
        stele_refuse (refusal, STELE_EUNAVAILABLE, "redis", "%s", stele_pending_list_error (list));
    if (length == 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EBEHIND, "redis",
            "the ledger was left in mode redis, and Redis has lost the events acked since then: restore its data, or "
            "start without them with --accept-loss");
    if (length < 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "redis",
            "the ledger was left in mode redis, and the events acked since then are in Redis, which does not answer "
            "(%s): start it first, or start without them with --accept-loss", list? stele_pending_list_error (list): "redis is none");
    if (code == 0 && recovery.since && recovery.since != resumed)
        code = stele_ledger_settle_suspended (self->ledger, recovery.since);
    if (code == 0 && length > 0)
        stele_pending_list_clear (list);
    stele_pending_list_destroy (&list);
    return code? code: recovery.appended;
}
