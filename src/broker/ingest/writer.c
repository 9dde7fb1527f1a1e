/*  writer - the batch: begin, store, answer, commit, roll back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/ingest/lead.h"
#include "broker/ingest/redis_mode.h"
#include "broker/ingest/writer.h"
#include "cache/cache.h"
#include "cache/records/pending_list.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "base/memory.h"
#include "wire/event/event_codec.h"

stele_input_t *
stele_input_new (stele_source_t source, const void *id, size_t id_size,
    const void *token, size_t token_size, const void *data, size_t size)
{
    stele_input_t *self = stele_memory_new (sizeof *self + id_size + token_size + size);
    *self = (stele_input_t) {
        .source = source, .connection = -1, .identity = &stele_identity_local, .received_us = stele_clock_steady_us (),
        .id_size = id_size, .token_size = token_size, .size = size
    };
    self->id = (char *) (self + 1);
    self->token = self->id + id_size;
    self->data = self->token + token_size;
    if (id_size)
        memcpy (self->id, id, id_size);
    if (token_size)
        memcpy (self->token, token, token_size);
    if (size)
        memcpy (self->data, data, size);
    return self;
}

static int64_t
s_last_position (const char *ledger_id, char *name, size_t name_size, void *arg)
{
    const stele_settings_t *settings = arg;
    stele_cache_options_t options = { .url = settings->redis, .prefix = settings->redis_prefix };
    //  Events that mode redis left there are written to the ledger later in the start
    stele_refusal_t refusal;
    stele_pending_list_t *list = stele_pending_list_new (settings->redis, settings->redis_prefix, ledger_id, &refusal);
    int64_t pending = list? stele_pending_list_length (list): 0;
    stele_pending_list_destroy (&list);
    if (pending > 0)
        return 0;
    return stele_cache_last_position (&options, ledger_id, name, name_size);
}

static stele_ledger_t *
s_open_ledger (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    const char *check = settings->integrity;
    stele_ledger_options_t options = {
        .check = strcmp (check, "full") == 0? STELE_CHECK_FULL:
            strcmp (check, "none") == 0? STELE_CHECK_NONE: STELE_CHECK_QUICK,
        .last_position = strcmp (settings->redis, "none") == 0? NULL: s_last_position,
        .last_position_arg = (void *) settings,
        .accept_loss = settings->accept_loss,
        .file_mode = (mode_t) strtoul (settings->file_mode, NULL, 8),
        .log_bytes = settings->wal_bytes,
        .shared = strcmp (settings->shared_log, "none") != 0
    };
    return stele_ledger_open_with (settings->ledger, &options, refusal);
}

static int
s_take_previous_id (const stele_lost_t *lost, void *arg)
{
    stele_writer_t *self = arg;
    if (strcmp (lost->ledger_id, stele_ledger_id (self->ledger)) != 0)
        snprintf (self->previous_ledger_id, sizeof self->previous_ledger_id, "%s", lost->ledger_id);
    return 1;
}

stele_writer_t *
stele_writer_new (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    stele_writer_t *self = STELE_NEW (stele_writer_t);
    self->settings = settings;
    self->inputs_tail = &self->inputs;
    self->answers_tail = &self->answers;
    self->batch_number = 1;
    self->event = stele_record_new ();
    assert (self->event);
    self->pack = stele_pack_new ();
    self->audit = stele_pack_new ();
    assert (self->pack && self->audit);
    self->ack_us = stele_histogram_new ();
    self->news = stele_news_new ();
    self->started_us = stele_clock_steady_us ();
    bool shared = strcmp (settings->shared_log, "none") != 0;
    if (shared)
        self->lead = stele_lead_new (settings, refusal);
    if (!shared || self->lead)
        self->ledger = s_open_ledger (settings, refusal);
    if (self->ledger) {
        stele_reader_losses (stele_ledger_reader (self->ledger), 1, s_take_previous_id, self);
        self->roster = stele_roster_new (self->ledger, settings->lease_grace_ms);
        if (!self->roster)
            stele_refuse (refusal, STELE_EIO, "ledger", "%s", stele_ledger_error (self->ledger));
        else
            stele_roster_show (self->roster, settings->presence);
        if (self->roster)
            self->screen = stele_screen_new (settings, stele_ledger_reader (self->ledger), refusal);
    }
    if (!self->screen)
        stele_writer_destroy (&self);
    return self;
}

static void
s_drop (stele_input_t **inputs)
{
    while (*inputs) {
        stele_input_t *next = (*inputs)->next;
        free (*inputs);
        *inputs = next;
    }
}

static void
s_drop_inputs (stele_writer_t *self)
{
    s_drop (&self->inputs);
    self->inputs_tail = &self->inputs;
}

void
stele_writer_sent (stele_writer_t *self)
{
    while (self->answers) {
        stele_answer_t *next = self->answers->next;
        free (self->answers);
        self->answers = next;
    }
    self->answers_tail = &self->answers;
    self->batch_number++;
}

void
stele_writer_destroy (stele_writer_t **self_p)
{
    assert (self_p);
    stele_writer_t *self = *self_p;
    if (!self)
        return;
    s_drop_inputs (self);
    s_drop (&self->later);
    stele_writer_sent (self);
    self->answers = self->kept_answers;
    stele_writer_sent (self);
    stele_writer_drop_redis_mode (self);
    stele_lead_destroy (&self->lead);
    stele_screen_destroy (&self->screen);
    stele_roster_destroy (&self->roster);
    stele_news_destroy (&self->news);
    stele_ledger_close (&self->ledger);
    stele_record_destroy (&self->event);
    stele_pack_destroy (&self->pack);
    stele_pack_destroy (&self->audit);
    stele_histogram_destroy (&self->ack_us);
    free (self);
    *self_p = NULL;
}

int
stele_writer_begin (stele_writer_t *self)
{
    if (self->open)
        return 0;
    int code = stele_ledger_begin (self->ledger);
    //  What a broker alone writes no shared log has: the ledger has no place in one any more
    if (code == 0 && !self->lead && !self->unmarked
    && (code = stele_ledger_replay_note (self->ledger, "log", "\xc0", 1)))
        stele_ledger_rollback (self->ledger);
    self->open = code == 0;
    self->retried_bytes = 0;
    self->batch_interrupted = 0;
    self->batch_after = stele_ledger_last (self->ledger);
    return code;
}

static stele_answer_t *
s_answer_new (const stele_input_t *input, const void *id, size_t id_size, const stele_pack_t *pack)
{
    size_t size = stele_pack_size (pack);
    stele_answer_t *answer = stele_memory_new (sizeof *answer + id_size + input->token_size + size);
    *answer = (stele_answer_t) {
        .to = input->source, .id_size = id_size, .token_size = input->token_size, .size = size
    };
    answer->id = (char *) (answer + 1);
    answer->token = answer->id + id_size;
    answer->data = answer->token + input->token_size;
    memcpy (answer->id, id, id_size);
    memcpy (answer->token, input->token, input->token_size);
    memcpy (answer->data, stele_pack_data (pack), size);
    return answer;
}

stele_answer_t *
stele_writer_answer_to (stele_writer_t *self, const void *id, size_t id_size)
{
    stele_answer_t *answer = s_answer_new (self->input, id, id_size, self->pack);
    *self->answers_tail = answer;
    self->answers_tail = &answer->next;
    return answer;
}

stele_answer_t *
stele_writer_answer (stele_writer_t *self)
{
    return stele_writer_answer_to (self, self->input->id, self->input->id_size);
}

//  Store one event of a message. Returns 1, or 0 for a duplicate, or a code (with a refusal). Running
//  tasks that are imported from an export have no producer: theirs published to another ledger.
static int
s_store_one (stele_writer_t *self, const void *data, size_t size, bool restore, int64_t producer,
    int64_t *position, stele_refusal_t *refusal)
{
    bool timed = self->batch_events % STELE_STAGE_SAMPLE == 0;
    int64_t begun_ns = timed? stele_clock_steady_ns (): 0;
    stele_record_clear (self->event);
    refusal->code = 0;
    int code = restore?
        stele_event_decode_restored (data, size, self->event, refusal):
        stele_event_decode_record (data, size, self->event, refusal);
    if (code)
        return code;
    //  It was recorded by another ledger
    if (self->event->type == STELE_AUDIT_RECORDED)
        stele_record_set_bool (self->event, STELE_IMPORTED, true);
    if (!stele_record_has (self->event, STELE_TIME)) {
        stele_record_set_integer (self->event, STELE_TIME, stele_clock_us ());
        self->event->time_assumed = true;
    }
    if (self->identity->user_count
    && (code = stele_ledger_confine (self->ledger, self->event, self->identity->users, self->identity->user_count,
            refusal)))
        return code;
    if (!restore && self->identity->user_count == 0) {
        self->event->source = data;
        self->event->source_size = size;
    }
    int64_t decoded_ns = timed? stele_clock_steady_ns (): 0;
    code = stele_ledger_append (self->ledger, self->event, restore? 0: producer, position,
        refusal);
    if (timed) {
        self->stages.decode += (decoded_ns - begun_ns) * STELE_STAGE_SAMPLE;
        self->stages.store += (stele_clock_steady_ns () - decoded_ns) * STELE_STAGE_SAMPLE;
    }
    return code;
}

//  Was the event refused, or did storage fail?
static bool
s_is_refusal (int code, const stele_refusal_t *refusal)
{
    return code < 0 && refusal->code == code;
}

bool
stele_writer_keeps_refused (const stele_writer_t *self, int code)
{
    return code != STELE_EUNAUTHORIZED && self->identity->user_count == 0;
}

int
stele_writer_store (stele_writer_t *self, const stele_message_t *message, size_t skip,
    stele_roster_entry_t *member, stele_refused_fn *fn, int64_t *last_position)
{
    stele_scan_t scan = message->events;
    int64_t producer = member? member->now.id: 0;
    *last_position = 0;
    int64_t before = stele_ledger_last (self->ledger);
    for (size_t i = 0; i < message->event_count; i++) {
        const void *data;
        size_t size;
        stele_scan_skip (&scan, &data, &size);
        if (i < skip)
            continue;
        int64_t position = 0;
        int64_t sequence = member? member->now.sequence + 1: 0;
        stele_refusal_t refusal;
        //  From here on, no secret of this event reaches a file, Redis, the log or an answer
        int code = stele_screen_event (self->screen, &data, &size, &refusal);
        if (code == 0)
            code = s_store_one (self, data, size, message->restore, producer, &position, &refusal);
        stele_screen_stored (self->screen, member? member->now.name: NULL, code == 1? position: 0, data, size);
        if (s_is_refusal (code, &refusal)) {
            bool kept = stele_writer_keeps_refused (self, code);
            if (code == STELE_EUNAUTHORIZED) {
                stele_access_note_user (stele_writer_access (self), self->identity, &refusal);
                stele_writer_denied (self, "publish", &refusal);
            }
            code = stele_ledger_reject (self->ledger, producer, sequence, &refusal,
                stele_clock_us (), kept? data: "", kept? size: 0, NULL);
            if (code == 0)
                fn (self, i, sequence, &refusal);
            stele_news_refused (self->news, member? member->now.name: NULL, &refusal);
            self->counts.rejected++;
        }
        else
        if (code == 0)
            self->counts.duplicates++;
        else
        if (code == 1) {
            self->counts.events++;
            stele_clock_watch_event (&self->clock, stele_record_integer (self->event, STELE_TIME, 0),
                member? member->now.name: NULL);
        }
        if (code < 0)
            return code;
        if (member)
            member->now.sequence = sequence;
        *last_position = position;
        self->batch_events++;
    }
    if (self->redis_mode && member && !message->restore)
        stele_writer_note_producer (self, before + 1, stele_ledger_last (self->ledger), member);
    return 0;
}

void
stele_writer_rollback (stele_writer_t *self)
{
    snprintf (self->error_text, sizeof self->error_text, "%s", stele_ledger_error (self->ledger));
    stele_ledger_rollback (self->ledger);
    stele_roster_rollback (self->roster);
    stele_news_rollback (self->news);
    stele_screen_rollback (self->screen);
    stele_writer_sent (self);
    self->open = false;
    self->full = false;
    self->doubted_tail = NULL;
    self->batch_events = 0;
    self->counts = self->counts_before;
    self->counts.held_back++;
    if (!self->holding)
        self->holding_since_us = stele_clock_steady_us ();
    self->holding = true;
    STELE_FAULT (rollback_after);
}

//  The shared log has the batch, so its answers hold: they are sent when the ledger has folded it
static void
s_keep_answers (stele_writer_t *self)
{
    stele_answer_t *answers = self->answers;
    //  What arrived while it was in doubt is not a part of it
    stele_input_t **tail = self->doubted_tail? self->doubted_tail: self->inputs_tail;
    self->answers = NULL;
    stele_writer_rollback (self);
    self->kept_answers = answers;
    self->doubted_tail = tail;
}

//  Those of the batch that go on in the next one, and those that arrived while it was in doubt, wait behind those that wait
//  already, since storage failed while they were taken
static void
s_keep_for_later (stele_writer_t *self)
{
    stele_input_t *doubted = self->doubted_tail? *self->doubted_tail: NULL;
    if (doubted)
        *self->doubted_tail = NULL;
    stele_input_t **later = &self->later, **input = &self->inputs;
    while (*later)
        later = &(*later)->next;
    while (*input) {
        stele_input_t *kept = *input;
        if (kept->again) {
            *input = kept->next;
            kept->next = NULL;
            *later = kept;
            later = &kept->next;
        }
        else
            input = &kept->next;
    }
    *later = doubted;
    self->doubted_tail = NULL;
    self->full = false;
}

//  Commit the ledger after what comes before it, whose result is 'code'
static int
s_finish (stele_writer_t *self, int code)
{
    if (self->open) {
        int64_t begun_ns = stele_clock_steady_ns ();
        if (code == 0)
            code = stele_ledger_commit (self->ledger, self->commit_us);
        self->stages.commit += stele_clock_steady_ns () - begun_ns;
        if (code && stele_lead_is_ahead (self->lead))
            s_keep_answers (self);
        else
        if (code)
            stele_writer_rollback (self);
        if (code) {
            if (*self->redis_mode_error)
                snprintf (self->error_text, sizeof self->error_text, "%s", self->redis_mode_error);
            *self->redis_mode_error = 0;
            return code;
        }
        self->open = false;
        self->unmarked = true;
        stele_lead_committed (self->lead);
        if (self->redis_mode)
            stele_writer_update_live_records (self);
        self->counts.batches++;
        if (self->batch_events > self->counts.batch_events_max)
            self->counts.batch_events_max = self->batch_events;
    }
    stele_roster_commit (self->roster);
    s_keep_for_later (self);
    s_drop_inputs (self);
    self->batch_events = 0;
    self->batch_bytes = 0;
    self->holding = false;
    return 0;
}

//  It may be in the shared log: keep the transaction open, and decide nothing more, until that is known
static int
s_doubt (stele_writer_t *self)
{
    if (!self->holding)
        self->holding_since_us = stele_clock_steady_us ();
    self->holding = true;
    self->counts.held_back++;
    if (!self->doubted_tail)
        self->doubted_tail = self->inputs_tail;
    return STELE_EBUSY;
}

int
stele_writer_commit (stele_writer_t *self)
{
    assert (!stele_lead_in_doubt (self->lead));
    int code = 0;
    if (self->open) {
        int64_t begun_ns = stele_clock_steady_ns ();
        code = stele_roster_advance (self->roster, self->ledger);
        self->commit_us = stele_clock_us ();
        if (code == 0 && self->redis_mode)
            code = stele_writer_push_to_redis (self);
        //  A node that follows decides nothing: it may have moved tasks to an archive
        if (code == 0 && self->lead && stele_lead_leads (self->lead))
            code = stele_lead_append (self);
        self->stages.commit += stele_clock_steady_ns () - begun_ns;
    }
    if (stele_lead_in_doubt (self->lead))
        return s_doubt (self);
    return s_finish (self, code);
}

int
stele_writer_finish (stele_writer_t *self, int code)
{
    if (code == 0 && self->kept_answers) {
        assert (!self->answers);
        self->answers = self->kept_answers;
        self->kept_answers = NULL;
        while (*self->answers_tail)
            self->answers_tail = &(*self->answers_tail)->next;
    }
    return s_finish (self, code);
}
