/*  redis_mode_recover - bring home what an earlier run acked in mode redis

    The list in Redis is appended to the ledger, element by element, each in a transaction that
    also says how many are through: a start that breaks off goes on there, and one without
    that Redis is refused.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "broker/ingest/redis_mode.h"
#include "cache/pending_list.h"
#include "base/clock.h"
#include "wire/event_codec.h"

typedef struct {
    stele_writer_t *writer;
    int64_t resumed;                // The last detour that is over
    int64_t since;                  // Of the elements
    int64_t element;                // Which one it is, from 1
    int64_t recovered;              // So many are in the ledger already
    int64_t appended;
    bool unfit;                     // It does not follow what the ledger has
    stele_refusal_t *refusal;
} s_recovery_t;

static int
s_unfit (s_recovery_t *self, const char *what, int64_t number)
{
    self->unfit = true;
    return stele_refuse (self->refusal, STELE_ELEDGER, "mode",
        "what was acked in mode redis does not fit the ledger: %s %lld. The list PREFIX-pending:%s in Redis has all of it; "
        "--accept-loss gives up what follows", what, (long long) number, stele_ledger_id (self->writer->ledger));
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
        stele_roster_entry_t *member = stele_roster_entry (writer->roster, name);
        stele_roster_touch (writer->roster, member);
        stele_producer_t *now = &member->now;
        if (s_integer (map, map_size, "sequence") < now->sequence)
            continue;               // What was told again says it of the end, in every element
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
        return stele_roster_entry (self->writer->roster, name)->now.id;
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
            *name? stele_roster_entry (writer->roster, name)->now.id: 0,
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
    if (++self->element <= self->recovered)
        return 0;
    int code = stele_ledger_begin (writer->ledger);
    if (code == 0)
        code = s_take_producers (self, data, size);
    if (code == 0)
        code = s_take_events (self, data, size);
    if (code == 0)
        code = s_take_rejected (self, data, size);
    if (code == 0)
        code = stele_ledger_note_recovered (writer->ledger, self->since, self->element);
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

static int
s_give_up (stele_writer_t *self, stele_refusal_t *refusal)
{
    snprintf (self->previous_ledger_id, sizeof self->previous_ledger_id, "%s", stele_ledger_id (self->ledger));
    int code = stele_ledger_give_up (self->ledger, "what was acked in mode redis, and did not come back from there",
        refusal);
    if (code == 0)
        zsys_warning ("%s", stele_ledger_loss (self->ledger));
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
    bool given_up = self->settings->accept_loss && (recovery.unfit || (length <= 0 && marked));
    if (given_up)
        code = s_give_up (self, refusal);
    if (length >= 0 && code == STELE_EUNAVAILABLE)
        stele_refuse (refusal, STELE_EUNAVAILABLE, "redis", "%s", stele_pending_list_error (list));
    if (length == 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EBEHIND, "redis",
            "the ledger was left in mode redis, and the Redis that had what was acked since then has lost it: put its "
            "data back, or give it up with --accept-loss");
    if (length < 0 && marked && !self->settings->accept_loss)
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "redis",
            "the ledger was left in mode redis, and what was acked since then is in that Redis, which does not answer "
            "(%s): start it first, or give it up with --accept-loss", list? stele_pending_list_error (list): "redis is none");
    if (code == 0 && recovery.since && recovery.since != resumed)
        code = stele_ledger_settle_suspended (self->ledger, recovery.since);
    if (code == 0 && length > 0)
        stele_pending_list_clear (list);
    stele_pending_list_destroy (&list);
    return code? code: recovery.appended;
}
