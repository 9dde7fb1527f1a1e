/*  writer_request - publish and rejected.retry by request, followers' cursors, the
    pipeline, statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/ingest/redis_mode.h"
#include "broker/common/mode.h"
#include "broker/ingest/writer.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "wire/event_codec.h"

//  -- answers of requests -------------------------------------------------------

static int
s_refused (stele_writer_t *self, const stele_refusal_t *refusal, int64_t expected)
{
    bool has_field = *refusal->field != 0;
    //  What is wrong with an event has its own code; a request as such is a bad one
    int code = refusal->code;
    if (code == STELE_EMALFORMED || code == STELE_EMISSING_FIELD || code == STELE_EINVALID_FIELD)
        code = STELE_EBAD_REQUEST;
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 2);
    stele_pack_key_bool (self->pack, "ok", false);
    stele_pack_string (self->pack, "error");
    stele_pack_map (self->pack, 2 + (has_field? 1: 0) + (expected? 1: 0));
    stele_pack_key_string (self->pack, "code", stele_error_name (code));
    stele_pack_key_string (self->pack, "message", refusal->message);
    if (has_field)
        stele_pack_key_string (self->pack, "field", refusal->field);
    if (expected)
        stele_pack_key_integer (self->pack, "expected", expected);
    stele_writer_answer (self);
    return 0;
}

//  The refused events of one request, packed while they are found: one request runs at a
//  time, and its answer is put together when all events are through.
typedef struct {
    stele_pack_t *pack;
    size_t count;
} s_refused_list_t;

static void
s_list_refused (s_refused_list_t *list, const char *key, int64_t number,
    const stele_refusal_t *refusal)
{
    bool has_field = *refusal->field != 0;
    stele_pack_map (list->pack, has_field? 4: 3);
    stele_pack_key_integer (list->pack, key, number);
    stele_pack_key_string (list->pack, "code", stele_error_name (refusal->code));
    stele_pack_key_string (list->pack, "message", refusal->message);
    if (has_field)
        stele_pack_key_string (list->pack, "field", refusal->field);
    list->count++;
}

static void
s_collect (stele_writer_t *self, size_t index, int64_t sequence, const stele_refusal_t *refusal)
{
    (void) sequence;
    s_list_refused (self->refused, "index", (int64_t) index, refusal);
}

//  -- publish -----------------------------------------------------------------

static int
s_admit (stele_writer_t *self, const stele_message_t *message, const stele_roster_entry_t *member,
    int64_t *expected, stele_refusal_t *refusal)
{
    if ((int64_t) message->event_count > self->settings->message_events)
        return stele_refuse (refusal, STELE_ETOO_LARGE, "events",
            "%zu events in one request, the limit is %lld: split it",
            message->event_count, (long long) self->settings->message_events);
    if (message->sequence > member->now.sequence + 1) {
        *expected = member->now.sequence + 1;
        return stele_refuse (refusal, STELE_EGAP, "sequence",
            "expected sequence %lld, got %lld: resend from there",
            (long long) *expected, (long long) message->sequence);
    }
    return 0;
}

static int
s_publish (stele_writer_t *self)
{
    stele_message_t message;
    stele_refusal_t refusal;
    if (stele_message_decode_publish (self->input->data, self->input->size, &message, &refusal))
        return s_refused (self, &refusal, 0);
    stele_roster_entry_t *member = stele_roster_entry (self->roster, message.producer);
    stele_roster_touch (self->roster, member);
    int64_t expected = 0;
    if (s_admit (self, &message, member, &expected, &refusal))
        return s_refused (self, &refusal, expected);

    int code = stele_writer_begin (self);
    if (code)
        return code;
    member->now.seen_at = stele_clock_us ();
    if (member->now.id == 0)
        code = stele_ledger_producer_save (self->ledger, &member->now);
    if (code)
        return code;
    int64_t first = message.sequence? message.sequence: member->now.sequence + 1;
    int64_t skip = member->now.sequence + 1 - first;
    if (skip > (int64_t) message.event_count)
        skip = (int64_t) message.event_count;

    int64_t duplicates = self->counts.duplicates;
    int64_t accepted = self->counts.events;
    int64_t position;
    s_refused_list_t list = { stele_pack_new (), 0 };
    self->refused = &list;
    code = stele_writer_store (self, &message, (size_t) skip, member, s_collect, &position);
    self->refused = NULL;
    if (code == 0 && !message.sequence) {
        member->given_first = member->given_first? member->given_first: first;
        member->given_last = member->now.sequence;
    }
    if (code == 0) {
        self->counts.duplicates += skip;
        stele_pack_clear (self->pack);
        stele_pack_map (self->pack, 6);
        stele_pack_key_bool (self->pack, "ok", true);
        stele_pack_key_integer (self->pack, "position", stele_ledger_last (self->ledger));
        stele_pack_key_integer (self->pack, "accepted", self->counts.events - accepted);
        stele_pack_key_integer (self->pack, "duplicates", self->counts.duplicates - duplicates);
        stele_pack_key_integer (self->pack, "sequence", member->now.sequence);
        stele_pack_string (self->pack, "rejected");
        stele_pack_array (self->pack, list.count);
        stele_pack_packed (self->pack, stele_pack_data (list.pack), stele_pack_size (list.pack));
        stele_writer_answer (self)->received_us = self->input->received_us;
    }
    stele_pack_destroy (&list.pack);
    return code;
}

//  -- rejected.retry ------------------------------------------------------------

//  A refused event, copied: storing it may use the reader that found it
typedef struct {
    bool retried;
    bool is_packed;
    int64_t time;
    char *event;
    size_t size;
} s_rejected_t;

static int
s_copy_rejected (const stele_record_t *row, void *arg)
{
    s_rejected_t *rejected = arg;
    const stele_value_t *event = &row->values [STELE_EVENT];
    rejected->retried = stele_record_has (row, STELE_RETRIED_AT);
    rejected->is_packed = event->kind == STELE_VALUE_PACKED;
    rejected->time = stele_record_integer (row, STELE_TIME, 0);
    rejected->size = event->size;
    rejected->event = malloc (event->size + 1);
    assert (rejected->event);
    memcpy (rejected->event, event->text, event->size);
    return 0;
}

//  1 stored, 0 a duplicate, a refusal, or a storage error.
static int
s_store_rejected (stele_writer_t *self, const s_rejected_t *rejected, int64_t *position,
    stele_refusal_t *refusal)
{
    if (rejected->retried)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "id",
            "it was accepted by an earlier retry");
    if (!rejected->is_packed)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "its bytes are not msgpack");
    stele_record_clear (self->event);
    int code = stele_event_decode_record (rejected->event, rejected->size, self->event, refusal);
    if (code)
        return code;
    //  What had no time of its own happened when it came
    if (!stele_record_has (self->event, STELE_TIME)) {
        stele_record_set_integer (self->event, STELE_TIME, rejected->time);
        self->event->time_assumed = true;
    }
    return stele_ledger_append (self->ledger, self->event, 0, position, refusal);
}

static int
s_retry_one (stele_writer_t *self, int64_t id, s_refused_list_t *list, int64_t *accepted)
{
    STELE_FAULT (retry_before);
    s_rejected_t rejected = { 0 };
    stele_refusal_t refusal = { 0 };
    stele_reader_t *reader = stele_ledger_reader (self->ledger);
    int code = stele_reader_rejected_one (reader, id, s_copy_rejected, &rejected);
    if (code < 0)
        return code;
    int64_t position = 0;
    if (code == 0)
        code = stele_refuse (&refusal, STELE_ENOT_FOUND, "id", "there is no rejected event %lld",
            (long long) id);
    else
        code = s_store_rejected (self, &rejected, &position, &refusal);
    free (rejected.event);
    if (code < 0 && refusal.code == code) {
        s_list_refused (list, "id", id, &refusal);
        return 0;
    }
    if (code < 0)
        return code;
    self->counts.events += code;
    ++*accepted;
    return stele_ledger_rejected_done (self->ledger, id, stele_clock_us (), position);
}

static int
s_retry (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    const void *ids;
    size_t ids_size;
    stele_token_t token = stele_scan_find (input->data, input->size, "id", &ids, &ids_size);
    if (token.kind == STELE_SCAN_END || token.kind == STELE_SCAN_NIL)
        token = stele_scan_find (input->data, input->size, "ids", &ids, &ids_size);
    stele_scan_t scan = stele_scan_start (ids, token.kind == STELE_SCAN_END? 0: ids_size);
    size_t count = 1;
    stele_refusal_t refusal;
    if (token.kind == STELE_SCAN_ARRAY && token.count <= 1000) {
        stele_scan_next (&scan);
        count = token.count;
    }
    else
    if (token.kind != STELE_SCAN_INTEGER) {
        stele_refuse (&refusal, STELE_EBAD_REQUEST, "id",
            "rejected.retry takes id, a number of rejected.list, or ids, at most 1000 of them");
        return s_refused (self, &refusal, 0);
    }
    if (self->redis_mode) {
        stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
            "in mode redis refused events are not taken again: set mode dual first");
        return s_refused (self, &refusal, 0);
    }
    int code = stele_writer_begin (self);
    if (code)
        return code;
    s_refused_list_t list = { stele_pack_new (), 0 };
    int64_t accepted = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        stele_token_t id = stele_scan_next (&scan);
        code = s_retry_one (self, id.kind == STELE_SCAN_INTEGER? id.integer: 0, &list, &accepted);
    }
    if (code == 0) {
        stele_pack_clear (self->pack);
        stele_pack_map (self->pack, 4);
        stele_pack_key_bool (self->pack, "ok", true);
        stele_pack_key_integer (self->pack, "position", stele_ledger_last (self->ledger));
        stele_pack_key_integer (self->pack, "accepted", accepted);
        stele_pack_string (self->pack, "rejected");
        stele_pack_array (self->pack, list.count);
        stele_pack_packed (self->pack, stele_pack_data (list.pack), stele_pack_size (list.pack));
        stele_writer_answer (self);
    }
    stele_pack_destroy (&list.pack);
    return code;
}

//  -- producer.get --------------------------------------------------------------------

static void
s_pack_producer (stele_pack_t *pack, const stele_roster_entry_t *member, int64_t now_us)
{
    static const char *const words [] = { "unknown", "present", "left", "expired" };
    stele_pack_map (pack, 6);
    stele_pack_key_string (pack, "producer", member->now.name);
    stele_pack_key_integer (pack, "sequence", member->durable.sequence);
    stele_pack_key_string (pack, "instance", *member->now.instance? member->now.instance: NULL);
    stele_pack_key_string (pack, "status", words [member->now.status]);
    stele_pack_key_integer (pack, "lease_ms", member->now.lease_ms);
    stele_pack_string (pack, "silent_ms");
    if (member->heard_us)
        stele_pack_integer (pack, (now_us - member->heard_us) / 1000);
    else
        stele_pack_nil (pack);
}

static int
s_producer (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    stele_token_t name = stele_scan_find (input->data, input->size, "producer", NULL, NULL);
    stele_refusal_t refusal;
    if (name.kind != STELE_SCAN_TEXT || name.size == 0) {
        stele_refuse (&refusal, STELE_EBAD_REQUEST, "producer", "producer.get takes producer, a name");
        return s_refused (self, &refusal, 0);
    }
    stele_roster_entry_t *member = stele_roster_next (self->roster, NULL);
    while (member && (strlen (member->now.name) != name.size
        || memcmp (member->now.name, name.data, name.size) != 0))
        member = stele_roster_next (self->roster, member);
    if (!member || member->durable.id == 0) {
        stele_refuse (&refusal, STELE_ENOT_FOUND, "producer", "no producer of that name has published");
        return s_refused (self, &refusal, 0);
    }
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 3);
    stele_pack_key_bool (self->pack, "ok", true);
    stele_pack_key_integer (self->pack, "position", stele_ledger_last (self->ledger));
    stele_pack_string (self->pack, "producer");
    s_pack_producer (self->pack, member, stele_clock_steady_us ());
    stele_writer_answer (self);
    return 0;
}

//  -- the cursor of a follower ----------------------------------------------------

static int
s_follower (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    stele_token_t name = stele_scan_find (input->data, input->size, "name", NULL, NULL);
    stele_token_t position = stele_scan_find (input->data, input->size, "position", NULL, NULL);
    char text [64];
    snprintf (text, sizeof text, "%.*s", (int) name.size, name.data);
    int code = stele_writer_begin (self);
    if (code == 0)
        code = stele_ledger_follower_save (self->ledger, text, position.integer, stele_clock_us ());
    if (code)
        return code;
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 1);
    stele_pack_key_bool (self->pack, "ok", true);
    stele_writer_answer (self);
    return 0;
}

int
stele_writer_run_request (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    stele_token_t op = stele_scan_find (input->data, input->size, "op", NULL, NULL);
    if (op.kind == STELE_SCAN_TEXT && op.size == 7 && memcmp (op.data, "publish", 7) == 0)
        return s_publish (self);
    if (op.kind == STELE_SCAN_TEXT && op.size == 14 && memcmp (op.data, "rejected.retry", 14) == 0)
        return s_retry (self);
    if (op.kind == STELE_SCAN_TEXT && op.size == 12 && memcmp (op.data, "producer.get", 12) == 0)
        return s_producer (self);
    if (op.kind == STELE_SCAN_TEXT && op.size == 8 && memcmp (op.data, "follower", 8) == 0)
        return s_follower (self);
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNKNOWN_OP, "op", "the writer does not know that operation");
    return s_refused (self, &refusal, 0);
}

//  -- pipeline ------------------------------------------------------------------

static void
s_say_nothing (stele_writer_t *self, size_t index, int64_t sequence, const stele_refusal_t *refusal)
{
    (void) self;
    (void) index;
    (void) sequence;
    (void) refusal;
}

int
stele_writer_run_pipeline (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_message_t message;
    stele_refusal_t refusal;
    const char *why;
    if (input->size > (size_t) self->settings->message_bytes)
        stele_refuse (&refusal, STELE_ETOO_LARGE, NULL, "%zu bytes in one message, more than message-bytes %lld",
            input->size, (long long) self->settings->message_bytes);
    else
    if (stele_scan_check (input->data, input->size, input->size, &why))
        stele_refuse (&refusal, STELE_EMALFORMED, NULL, "not one msgpack object: %s", why);
    else
    if (stele_message_decode_pipeline (input->data, input->size, &message, &refusal))
        {}                          // The refusal says why
    else
    if ((int64_t) message.event_count > self->settings->message_events)
        stele_refuse (&refusal, STELE_ETOO_LARGE, "events", "%zu events in one message, the limit is %lld: split it",
            message.event_count, (long long) self->settings->message_events);
    else {
        int64_t position;
        return stele_writer_store (self, &message, 0, NULL, s_say_nothing, &position);
    }
    self->counts.rejected++;
    return stele_ledger_reject (self->ledger, 0, 0, &refusal, stele_clock_us (),
        input->data, input->size, NULL);
}

//  -- statistics ------------------------------------------------------------------

void
stele_writer_pack_stats (stele_writer_t *self, stele_pack_t *pack)
{
    const stele_writer_counts_t *counts = &self->counts;
    int64_t now_us = stele_clock_steady_us ();
    double seconds = (double) (now_us - self->started_us) / 1e6;
    stele_pack_map (pack, 2);
    stele_pack_string (pack, "ingest");
    stele_pack_map (pack, 20);
    stele_pack_key_string (pack, "mode", stele_mode_word ((stele_mode_t) self->mode));
    stele_pack_key_integer (pack, "only_in_redis", stele_writer_redis_mode_events (self));
    stele_pack_key_integer (pack, "events", counts->events);
    stele_pack_key_integer (pack, "duplicates", counts->duplicates);
    stele_pack_key_integer (pack, "rejected", counts->rejected);
    stele_pack_key_integer (pack, "interrupted", counts->interrupted);
    stele_pack_key_integer (pack, "batches", counts->batches);
    stele_pack_key_integer (pack, "batch_events_max", counts->batch_events_max);
    stele_pack_key_integer (pack, "messages", counts->messages);
    stele_pack_key_integer (pack, "bytes", counts->bytes);
    stele_pack_key_integer (pack, "errors", counts->errors);
    stele_pack_key_integer (pack, "behind", counts->behind);
    stele_pack_key_integer (pack, "undeliverable", counts->undeliverable);
    stele_pack_key_integer (pack, "held_back", counts->held_back);
    stele_pack_key_bool (pack, "holding", self->holding);
    stele_pack_key_string (pack, "trouble", *self->error_text? self->error_text: NULL);
    stele_pack_key_real (pack, "events_per_second", seconds > 0? (double) counts->events / seconds: 0);
    stele_pack_key_integer (pack, "peers", (int64_t) stele_roster_connection_count (self->roster));
    stele_pack_string (pack, "ack_us");
    stele_pack_map (pack, 4);
    stele_pack_key_integer (pack, "p50", stele_histogram_percentile (self->ack_us, 50));
    stele_pack_key_integer (pack, "p99", stele_histogram_percentile (self->ack_us, 99));
    stele_pack_key_integer (pack, "max", stele_histogram_max (self->ack_us));
    stele_pack_key_integer (pack, "count", stele_histogram_count (self->ack_us));

    const stele_stages_t *stages = &self->stages;
    stele_pack_string (pack, "stages_us");
    stele_pack_map (pack, 6);
    stele_pack_key_integer (pack, "receive", stages->receive / 1000);
    stele_pack_key_integer (pack, "decode", stages->decode / 1000);
    stele_pack_key_integer (pack, "store", stages->store / 1000);
    stele_pack_key_integer (pack, "commit", stages->commit / 1000);
    stele_pack_key_integer (pack, "ack", stages->ack / 1000);
    stele_pack_key_integer (pack, "checkpoint", stages->checkpoint / 1000);

    //  At most a thousand: all of them are in the view producers_view
    stele_pack_string (pack, "producers");
    size_t mark = stele_pack_open_array (pack);
    size_t count = 0;
    for (stele_roster_entry_t *member = stele_roster_next (self->roster, NULL);
        member && count < 1000; member = stele_roster_next (self->roster, member)) {
        s_pack_producer (pack, member, now_us);
        count++;
    }
    stele_pack_close (pack, mark, count);
}
