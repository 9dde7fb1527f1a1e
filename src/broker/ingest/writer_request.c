/*  writer_request - publish and rejected.retry by request, followers' cursors, the
    pipeline, statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/access/access.h"
#include "broker/common/answer.h"
#include "broker/common/mode.h"
#include "broker/ingest/lead.h"
#include "broker/ingest/redis_mode.h"
#include "broker/ingest/writer.h"
#include "broker/operations/audit.h"
#include "fault/fault.h"
#include "ledger/erase.h"
#include "wire/event/event_codec.h"

#define STATS_HEARD_US (INT64_C (30) * 86400 * 1000000)     // Producers heard since then are in the statistics
#define STATS_CHECKS 100            // Of others, for tasks in progress
#define STATS_PRODUCERS 1000        // Most in the statistics; the view producers_view has all
#define RETRY_BYTES (32 * 1024 * 1024)  // Of a batch of the shared log (log/batch.h); a larger event is retried alone

//  -- answers of requests -------------------------------------------------------

static int
s_refused (stele_writer_t *self, const stele_refusal_t *refusal, int64_t expected)
{
    stele_answer_refuse (self->pack, refusal, NULL, expected);
    stele_writer_answer (self);
    return 0;
}

//  The refused events of one request, packed as they are found: one request runs at a time, and
//  its answer is packed after all of its events.
typedef struct {
    stele_pack_t *pack;
    size_t count;
} s_refused_list_t;

static void
s_list_refused (s_refused_list_t *list, const char *key, int64_t number,
    const stele_refusal_t *refusal)
{
    stele_pack_map_begin (list->pack);
    stele_pack_key_integer (list->pack, key, number);
    stele_answer_key_refusal (list->pack, refusal->code, refusal);
    stele_pack_map_end (list->pack);
    list->count++;
}

static void
s_pack_rejected (stele_pack_t *pack, const s_refused_list_t *list)
{
    stele_pack_key (pack, "rejected");
    stele_pack_array (pack, list->count);
    stele_pack_packed (pack, stele_pack_data (list->pack), stele_pack_size (list->pack));
}

//  Begin an answer; s_answer ends and keeps it
static void
s_begin_answer (stele_writer_t *self)
{
    stele_pack_clear (self->pack);
    stele_answer_begin (self->pack, stele_ledger_last (self->ledger));
}

static stele_answer_t *
s_answer (stele_writer_t *self)
{
    stele_pack_map_end (self->pack);
    return stele_writer_answer (self);
}

static void
s_collect (stele_writer_t *self, size_t index, int64_t sequence, const stele_refusal_t *refusal)
{
    (void) sequence;
    s_list_refused (self->refused, "index", (int64_t) index, refusal);
}

//  -- publish -----------------------------------------------------------------

//  The parameters of a publish are those of the events socket: one decoder reads both
static int
s_publish (stele_writer_t *self, stele_params_t *params)
{
    stele_message_t message;
    stele_refusal_t refusal;
    //  The refusal of another name quotes it
    if (stele_message_decode_publish (self->input->data, self->input->size, &message, &refusal)
    ||  stele_screen_name (self->screen, "producer", message.producer, &refusal)
    ||  stele_access_check_producer (stele_writer_access (self), params->identity, message.producer, strlen (message.producer),
            &refusal))
        return s_refused (self, &refusal, 0);
    stele_roster_entry_t *member = stele_roster_entry (self->roster, message.producer);
    if (!member)
        return stele_roster_error (self->roster);
    stele_roster_touch (self->roster, member);
    int64_t expected = 0;
    if (stele_writer_check_sequence (self, &message, member, &expected, &refusal))
        return s_refused (self, &refusal, expected);

    int code = stele_writer_begin (self);
    if (code)
        return code;
    member->now.seen_at = stele_clock_us ();
    stele_roster_noticed (self->roster, member);
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
        s_begin_answer (self);
        stele_pack_key_integer (self->pack, "accepted", self->counts.events - accepted);
        stele_pack_key_integer (self->pack, "duplicates", self->counts.duplicates - duplicates);
        stele_pack_key_integer (self->pack, "sequence", member->now.sequence);
        s_pack_rejected (self->pack, &list);
        s_answer (self)->received_us = self->input->received_us;
    }
    stele_pack_destroy (&list.pack);
    return code;
}

//  -- rejected.retry ------------------------------------------------------------

//  A rejected event, copied: to store it may need the reader that found it
typedef struct {
    bool retried;
    bool is_packed;
    char producer [STELE_LIMIT_ID + 1];     // "": it came by the pipeline
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
    const stele_value_t *producer = &row->values [STELE_PRODUCER];
    if (producer->kind == STELE_VALUE_TEXT)
        snprintf (rejected->producer, sizeof rejected->producer, "%.*s", (int) producer->size, producer->text);
    rejected->time = stele_record_integer (row, STELE_TIME, 0);
    rejected->size = event->size;
    rejected->event = stele_memory_copy (event->text, event->size);
    return 0;
}

//  1: stored, 0: a duplicate. Below 0: the code in the refusal, or of a storage error.
static int
s_store_rejected (stele_writer_t *self, const s_rejected_t *rejected, int64_t *position,
    stele_refusal_t *refusal)
{
    if (rejected->retried)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "id",
            "it was accepted by an earlier retry");
    if (rejected->size == 0)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "its bytes were not kept (an event that its key may not "
            "publish, or of a key that is bound to users): its producer has to publish it again");
    if (!rejected->is_packed)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "its bytes are not msgpack");
    //  An earlier version, or another setting, may have kept it with its secrets
    const void *event = rejected->event;
    size_t size = rejected->size;
    stele_record_clear (self->event);
    int code = stele_screen_event (self->screen, &event, &size, refusal);
    if (code == 0)
        code = stele_event_decode_record (event, size, self->event, refusal);
    if (code == 0)
        code = stele_screen_ids (self->event, refusal);
    if (code)
        return code;
    //  An event without a time happened when it arrived
    if (!stele_record_has (self->event, STELE_TIME)) {
        stele_record_set_integer (self->event, STELE_TIME, rejected->time);
        self->event->time_assumed = true;
    }
    //  A task whose state it sets belongs to its producer, as if it had been accepted at first
    stele_roster_entry_t *member = *rejected->producer? stele_roster_entry (self->roster, rejected->producer): NULL;
    if (*rejected->producer && !member)
        return stele_roster_error (self->roster);
    return stele_ledger_append (self->ledger, self->event, member? member->now.id: 0, position, refusal);
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
    if (self->lead && self->retried_bytes && self->retried_bytes + rejected.size > RETRY_BYTES)
        code = stele_refuse (&refusal, STELE_ETOO_LARGE, "id", "one batch of the shared log takes at most %d bytes of retried events, "
            "and others come before it: retry it again", RETRY_BYTES);
    else
        code = s_store_rejected (self, &rejected, &position, &refusal);
    free (rejected.event);
    if (code >= 0)
        self->retried_bytes += rejected.size;
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

static void
s_pack_retry (stele_writer_t *self, int64_t accepted, const s_refused_list_t *list)
{
    s_begin_answer (self);
    stele_pack_key_integer (self->pack, "accepted", accepted);
    s_pack_rejected (self->pack, list);
    stele_pack_map_end (self->pack);
}

static int
s_retry (stele_writer_t *self, stele_params_t *params)
{
    bool one = stele_params_has (params, "id");
    if (!one && !stele_params_has (params, "ids"))
        stele_params_fail (params, STELE_EBAD_REQUEST, "id",
            "rejected.retry takes id, a number of rejected.list, or ids, an array of them");
    if (self->redis_mode)
        stele_params_fail (params, STELE_EUNAVAILABLE, NULL,
            "rejected events cannot be retried in mode redis: set mode dual first");
    stele_scan_t scan;
    size_t count = stele_params_numbers (params, one? "id": "ids", &scan);
    if (params->refusal.code)
        return stele_writer_audit_refusal (self, params);
    int code = stele_writer_begin (self);
    if (code)
        return code;
    s_refused_list_t list = { stele_pack_new (), 0 };
    int64_t accepted = 0;
    while (count-- && code == 0)
        code = s_retry_one (self, stele_scan_next (&scan).integer, &list, &accepted);
    if (code == 0) {
        s_pack_retry (self, accepted, &list);
        code = stele_writer_audit_request (self, params, self->pack);
    }
    if (code == 0) {
        //  Again: its position is that of the audit event now
        s_pack_retry (self, accepted, &list);
        stele_writer_answer (self);
    }
    stele_pack_destroy (&list.pack);
    return code;
}

//  -- producer.get --------------------------------------------------------------------

static void
s_pack_producer (stele_pack_t *pack, const stele_roster_entry_t *member, int64_t now_us)
{
    stele_pack_map_begin (pack);
    stele_presence_pack (pack, &member->now, member->durable.sequence, member->heard_us, now_us);
    stele_pack_map_end (pack);
}

static int
s_producer (stele_writer_t *self, stele_params_t *params)
{
    stele_span_t name = stele_params_text (params, "producer");
    char text [STELE_LIMIT_ID + 1] = "";
    if (params->refusal.code == 0 && name.size <= STELE_LIMIT_ID && !memchr (name.text, 0, name.size))
        memcpy (text, name.text, name.size);
    //  The refusal of another name quotes it. A text that can be no name is not found.
    if (*text && (stele_screen_name (self->screen, "producer", text, &params->refusal)
    ||  stele_access_check_producer (stele_writer_access (self), params->identity, name.text, name.size, &params->refusal)))
        return s_refused (self, &params->refusal, 0);
    //  The roster is that of the node that leads
    const stele_roster_entry_t *member = stele_lead_leads (self->lead)? stele_roster_lookup (self->roster, text): NULL;
    stele_roster_entry_t gone = { .heard_us = 0 };
    int found = member || !*text? 0: stele_ledger_producer_find (self->ledger, text, &gone.now);
    if (found < 0)
        return found;
    if (found) {
        //  An anonymous one has left memory
        gone.durable = gone.now;
        member = &gone;
    }
    if (!member || member->durable.id == 0)
        stele_params_fail (params, STELE_ENOT_FOUND, "producer", "no producer of that name has published");
    if (params->refusal.code)
        return s_refused (self, &params->refusal, 0);
    s_begin_answer (self);
    stele_pack_key (self->pack, "producer");
    s_pack_producer (self->pack, member, stele_clock_steady_us ());
    s_answer (self);
    return 0;
}

//  -- the cursor of a follower ----------------------------------------------------

static int
s_follower (stele_writer_t *self, stele_params_t *params)
{
    stele_span_t name = stele_params_id (params, "name");
    int64_t position = stele_params_number (params, "position", 0, 0, INT64_MAX);
    char text [64];
    snprintf (text, sizeof text, "%.*s", (int) name.size, name.text);
    int code = stele_writer_begin (self);
    if (code == 0)
        code = stele_ledger_follower_save (self->ledger, text, position, stele_clock_us ());
    if (code)
        return code;
    s_begin_answer (self);
    s_answer (self);
    return 0;
}

//  -- dispatch --------------------------------------------------------------------

typedef int (s_handler_fn) (stele_writer_t *self, stele_params_t *params);

int
stele_writer_run_request (stele_writer_t *self)
{
    static s_handler_fn *const handlers [STELE_OPERATION_COUNT] = {
        [STELE_OPERATION_PUBLISH] = s_publish,
        [STELE_OPERATION_REJECTED_RETRY] = s_retry,
        [STELE_OPERATION_PRODUCER_GET] = s_producer,
        [STELE_OPERATION_FOLLOWER] = s_follower,
        [STELE_OPERATION_AUDIT] = stele_writer_run_audit,
        [STELE_OPERATION_ARCHIVE] = stele_writer_run_archive,
        [STELE_OPERATION_TASK_ERASE] = stele_writer_run_erase
    };
    stele_params_t params;
    stele_params_start (&params, self->input->data, self->input->size);
    params.identity = stele_delegate_identity (&self->delegate, self->input->identity, self->input->data,
        self->input->size, &params.refusal);
    if (!params.identity)
        return s_refused (self, &params.refusal, 0);
    stele_operation_id_t id = stele_operation_id (self->input->data, self->input->size);
    if (id >= 0 && id < STELE_OPERATION_REQUESTS && stele_operation_check_scope (&stele_operations [id], &params))
        return s_refused (self, &params.refusal, 0);
    self->identity = params.identity;
    if (id >= 0 && handlers [id])
        return handlers [id] (self, &params);
    //  The router has sent it to a node that followed, to be refused
    if (id >= 0 && id < STELE_OPERATION_REQUESTS && stele_operations [id].route == STELE_ROUTE_CACHE)
        stele_params_fail (&params, STELE_EUNAVAILABLE, NULL, "this node has begun to lead meanwhile: repeat the request");
    else
        stele_params_fail (&params, STELE_EUNKNOWN_OP, "op", "the writer has no such operation");
    return s_refused (self, &params.refusal, 0);
}

//  -- pipeline ------------------------------------------------------------------

static void
s_drop_refusal (stele_writer_t *self, size_t index, int64_t sequence, const stele_refusal_t *refusal)
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
    stele_message_t message;
    stele_refusal_t refusal;
    const char *why;
    //  Events of the pipeline have no producer, so a key that is bound to some may not send any. Nothing is kept of
    //  what is not allowed.
    if (stele_access_check (stele_writer_access (self), input->identity, STELE_ROLE_PUBLISH, "pipeline-in", &refusal)
    ||  stele_access_check_producer (stele_writer_access (self), input->identity, "", 0, &refusal)) {
        self->counts.errors++;
        stele_writer_denied (self, "pipeline-in", &refusal);
        return 0;
    }
    int code = stele_writer_begin (self);
    if (code)
        return code;
    if (input->size > (size_t) self->settings->message_bytes)
        stele_refuse (&refusal, STELE_ETOO_LARGE, NULL, "%zu bytes in one message, more than message-bytes %lld",
            input->size, (long long) self->settings->message_bytes);
    else
    if (stele_scan_check (input->data, input->size, input->size, &why))
        stele_refuse (&refusal, STELE_EMALFORMED, NULL, "not one msgpack object: %s", why);
    else
    if (stele_message_decode_pipeline (input->data, input->size, &message, &refusal))
        {}                          // The refusal contains the reason
    else
    if ((int64_t) message.event_count > self->settings->message_events)
        stele_refuse (&refusal, STELE_ETOO_LARGE, "events", "%zu events in one message, the limit is %lld: split it",
            message.event_count, (long long) self->settings->message_events);
    else {
        int64_t position;
        return stele_writer_store (self, &message, 0, NULL, s_drop_refusal, &position);
    }
    self->counts.rejected++;
    const void *kept = input->data;
    size_t size = stele_writer_keeps_refused (self, refusal.code)? input->size: 0;
    stele_screen_kept (self->screen, &kept, &size);
    return stele_ledger_reject (self->ledger, 0, 0, &refusal, stele_clock_us (), kept, size, NULL);
}

//  -- statistics ------------------------------------------------------------------

//  A producer and when it was last heard, on the steady clock
typedef struct {
    const stele_roster_entry_t *member;
    bool present;
    int64_t heard_us;
} s_listed_t;

//  Present ones first, then the last heard; at last by name
static int
s_compare_listed (const void *one, const void *other)
{
    const s_listed_t *a = one, *b = other;
    if (a->present != b->present)
        return b->present - a->present;
    if (a->heard_us != b->heard_us)
        return a->heard_us < b->heard_us? 1: -1;
    return strcmp (a->member->now.name, b->member->now.name);
}

//  One that was not heard for long is listed only while it owns tasks in progress; each check of that is a query
static bool
s_is_listed (stele_writer_t *self, const stele_roster_entry_t *member, int64_t silent_us, int *checks)
{
    return member->now.status == STELE_PRODUCER_PRESENT || silent_us < STATS_HEARD_US
        || ((*checks)-- > 0 && stele_ledger_producer_owns (self->ledger, member->now.id) == 1);
}

//  There can be very many: the first STATS_PRODUCERS of those so far are kept, and half of the room is for
//  the next ones
static void
s_pack_producers (stele_writer_t *self, stele_pack_t *pack, int64_t now_us)
{
    s_listed_t *listed = stele_memory_new (2 * STATS_PRODUCERS * sizeof *listed);
    int64_t total = 0, wall_us = stele_clock_us ();
    size_t count = 0;
    int checks = STATS_CHECKS;
    stele_roster_entry_t *member = stele_roster_next (self->roster, NULL);
    for (; member; member = stele_roster_next (self->roster, member)) {
        if (member->durable.id == 0)
            continue;
        total++;
        int64_t silent_us = member->heard_us? now_us - member->heard_us: wall_us - member->now.seen_at;
        if (!s_is_listed (self, member, silent_us, &checks))
            continue;
        //  From an earlier run of the broker only the wall clock is known
        listed [count++] = (s_listed_t) {
            .member = member, .present = member->now.status == STELE_PRODUCER_PRESENT,
            .heard_us = now_us - silent_us
        };
        if (count == 2 * STATS_PRODUCERS) {
            qsort (listed, count, sizeof *listed, s_compare_listed);
            count = STATS_PRODUCERS;
        }
    }
    qsort (listed, count, sizeof *listed, s_compare_listed);
    count = count < STATS_PRODUCERS? count: STATS_PRODUCERS;
    stele_pack_key_integer (pack, "producers_total", total);
    stele_pack_key (pack, "producers");
    size_t mark = stele_pack_open_array (pack);
    for (size_t i = 0; i < count; i++)
        s_pack_producer (pack, listed [i].member, now_us);
    stele_pack_close (pack, mark, count);
    free (listed);
}

void
stele_writer_pack_stats (stele_writer_t *self, stele_pack_t *pack)
{
    const stele_writer_counts_t *counts = &self->counts;
    int64_t now_us = stele_clock_steady_us (), scrub_since_ms;
    const char *scrub_error = stele_ledger_scrub_error (self->ledger, &scrub_since_ms);
    double seconds = (double) (now_us - self->started_us) / 1e6;
    stele_pack_map_begin (pack);
    if (self->lead) {
        stele_pack_key (pack, "shared_log");
        stele_lead_pack_stats (self, pack);
    }
    stele_pack_key (pack, "ingest");
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "mode", stele_mode_word ((stele_mode_t) self->mode));
    stele_pack_key_integer (pack, "mode_ms", (now_us - self->mode_since_us) / 1000);
    stele_pack_key_integer (pack, "only_in_redis", stele_writer_redis_mode_events (self));
    stele_pack_key_integer (pack, "events", counts->events);
    stele_pack_key_integer (pack, "duplicates", counts->duplicates);
    stele_pack_key_integer (pack, "rejected", counts->rejected);
    stele_pack_key_integer (pack, "interrupted", counts->interrupted);
    stele_pack_key_integer (pack, "audited", counts->audited);
    stele_pack_key_integer (pack, "batches", counts->batches);
    stele_pack_key_integer (pack, "batch_events_max", counts->batch_events_max);
    stele_pack_key_integer (pack, "messages", counts->messages);
    stele_pack_key_integer (pack, "bytes", counts->bytes);
    stele_pack_key_integer (pack, "errors", counts->errors);
    stele_pack_key_integer (pack, "behind", counts->behind);
    stele_pack_key_integer (pack, "undeliverable", counts->undeliverable);
    stele_pack_key_integer (pack, "held_back", counts->held_back);
    stele_pack_key_bool (pack, "holding", self->holding);
    if (self->holding)
        stele_pack_key_integer (pack, "holding_ms", (now_us - self->holding_since_us) / 1000);
    stele_pack_key_string (pack, "trouble", *self->error_text? self->error_text: NULL);
    if (scrub_error) {
        stele_pack_key_integer (pack, "erase_failing_ms", now_us / 1000 - scrub_since_ms);
        stele_pack_key_string (pack, "erase_error", scrub_error);
    }
    stele_pack_key_real (pack, "events_per_second", seconds > 0? (double) counts->events / seconds: 0);
    stele_pack_key_integer (pack, "peers", (int64_t) stele_roster_connection_count (self->roster));
    stele_pack_key (pack, "ack_us");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "p50", stele_histogram_percentile (self->ack_us, 50));
    stele_pack_key_integer (pack, "p99", stele_histogram_percentile (self->ack_us, 99));
    stele_pack_key_integer (pack, "max", stele_histogram_max (self->ack_us));
    stele_histogram_pack (self->ack_us, pack);
    stele_pack_key_integer (pack, "count", stele_histogram_count (self->ack_us));
    stele_pack_map_end (pack);

    const stele_stages_t *stages = &self->stages;
    stele_screen_pack (self->screen, pack);
    stele_pack_key (pack, "stages_us");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "receive", stages->receive / 1000);
    stele_pack_key_integer (pack, "decode", stages->decode / 1000);
    stele_pack_key_integer (pack, "store", stages->store / 1000);
    stele_pack_key_integer (pack, "commit", stages->commit / 1000);
    stele_pack_key_integer (pack, "ack", stages->ack / 1000);
    stele_pack_key_integer (pack, "checkpoint", stages->checkpoint / 1000);
    stele_pack_map_end (pack);
    stele_pack_map_end (pack);

    stele_disk_space_refresh (&self->disk, now_us, self->settings->ledger);
    stele_disk_space_pack (&self->disk, pack);
    stele_clock_watch_pack (&self->clock, now_us, pack);
    s_pack_producers (self, pack, now_us);
    stele_pack_map_end (pack);
}
