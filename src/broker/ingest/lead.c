/*  lead - append as the writer of a shared log, resolve doubts

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/answer.h"
#include "broker/common/log.h"
#include "broker/common/node.h"
#include "broker/ingest/lead_internal.h"

#define LEVEL 1                     // Of zstd
#define NO_ANSWER "PostgreSQL has not answered yet whether this node leads"
#define NO_OUTCOME "PostgreSQL, or its standby, has not confirmed the last batch yet"
#define LACKS "the ledger does not have all that other nodes have written yet"

stele_lead_t *
stele_lead_new (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    stele_shared_log_t *log = stele_node_log (settings, refusal);
    if (!log)
        return NULL;
    stele_lead_t *self = STELE_NEW (stele_lead_t);
    self->log = log;
    self->job = stele_lead_job_new (log);
    self->append_us = stele_histogram_new ();
    return self;
}

void
stele_lead_destroy (stele_lead_t **self_p)
{
    assert (self_p);
    stele_lead_t *self = *self_p;
    if (!self)
        return;
    bool appends = stele_lead_job_runs (self->job, STELE_JOB_APPEND);
    bool ended = stele_lead_job_destroy (&self->job);
    stele_fold_destroy (&self->fold);
    stele_histogram_destroy (&self->append_us);
    //  Its thread uses the batch until the process ends
    if (ended || !appends) {
        free (self->frame);
        free (self);
    }
    *self_p = NULL;
}

bool
stele_lead_leads (const stele_lead_t *self)
{
    return !self || self->leads;
}

bool
stele_lead_is_cold (const stele_lead_t *self)
{
    return !self || self->cold;
}

int64_t
stele_lead_epoch (const stele_lead_t *self)
{
    return self && self->leads? self->end.epoch: 0;
}

bool
stele_lead_in_doubt (const stele_lead_t *self)
{
    return self && self->in_doubt;
}

bool
stele_lead_is_ahead (const stele_lead_t *self)
{
    return self && self->ahead;
}

bool
stele_lead_is_unsettled (const stele_lead_t *self)
{
    return self && (self->in_doubt || self->ahead || self->takes_over);
}

void
stele_lead_committed (stele_lead_t *self)
{
    if (self)
        self->ahead = false;
}

int
stele_lead_fd (const stele_lead_t *self)
{
    //  Of a node that stops nothing takes what arrives
    if (!self || (self->resigned && !stele_lead_is_unsettled (self)))
        return -1;
    if (stele_lead_job_busy (self->job))
        return stele_lead_job_fd (self->job);
    return self->in_doubt? -1: stele_shared_log_fd (self->log);
}

bool
stele_lead_has_answer (const stele_lead_t *self)
{
    return self && stele_lead_job_done (self->job);
}

//  -- append ------------------------------------------------------------------------------

//  It is not known yet whether the log has the batch, or whether this node leads
static int
s_wait_longer (stele_writer_t *writer, const char *why)
{
    snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s", why);
    stele_lead_t *self = writer->lead;
    self->doubted_ms = self->in_doubt? self->doubted_ms: stele_clock_steady_ms ();
    self->in_doubt = true;
    return STELE_EUNAVAILABLE;
}

static int
s_doubt (stele_writer_t *writer, const char *why)
{
    writer->lead->doubts++;
    return s_wait_longer (writer, why);
}

//  The log has the batch. If the ledger cannot take it now, it folds it later.
static int
s_appended (stele_lead_t *self)
{
    stele_histogram_record (self->append_us, stele_clock_steady_us () - self->sent_us);
    stele_batch_advance (&self->batch, &self->end);
    self->alive_ms = stele_clock_steady_ms ();
    self->in_doubt = false;
    self->ahead = true;
    return self->stored? self->stored: 1;
}

//  The ledger notes that it has the open batch, unless it has failed for it already
static void
s_mark (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    if (self->stored == 0)
        self->stored = stele_fold_mark (writer->ledger, &self->batch);
}

//  Whether the server confirms it soon, or stands still: a thread waits for that, so that this actor answers requests
static int
s_leave_to_job (stele_writer_t *writer, bool sent)
{
    stele_lead_t *self = writer->lead;
    const stele_job_input_t input = { .batch = sent? NULL: &self->batch };
    stele_lead_job_start (self->job, STELE_JOB_APPEND, &input);
    return s_wait_longer (writer, NO_OUTCOME);
}

//  Send the batch, write its rows while it travels, and wait. 1 durable, or as stele_lead_append.
static int
s_send (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    stele_job_result_t result;
    //  A sign of life, or a note of this node: its failure is that of the next statement. What an attempt to lead has
    //  found is for stele_lead_resolve: others may have appended meanwhile.
    if (stele_lead_job_busy (self->job) && !stele_lead_job_runs (self->job, STELE_JOB_LEAD)
    &&  stele_lead_job_wait (self->job, STELE_LEAD_PATIENCE_MS) && stele_lead_job_take (self->job, &result))
        stele_lead_take_note (self, &result);
    if (stele_lead_job_busy (self->job))
        return s_wait_longer (writer, NO_OUTCOME);
    self->sent_us = stele_clock_steady_us ();
    if (!stele_shared_log_settled (self->log, STELE_LEAD_PATIENCE_MS))
        return s_leave_to_job (writer, false);
    int code = stele_shared_log_send (self->log, &self->batch);
    if (code == 0) {
        s_mark (writer);
        if (self->stored == 0)
            self->stored = stele_ledger_flush (writer->ledger);
        code = stele_shared_log_poll (self->log, STELE_LEAD_PATIENCE_MS);
        if (code == 0)
            return s_leave_to_job (writer, true);
    }
    return code == 1? s_appended (self): s_doubt (writer, stele_shared_log_error (self->log));
}

//  Free what the last batch needed, and compress what the open one decided. 1, 0 if that is nothing, or a code.
//  It has less than STELE_BATCH_BYTES_MAX: 32 MB of messages and one more, of at most SHARED_MESSAGE_BYTES (settings_check.c),
//  RETRY_BYTES of retried events (writer_request.c) or one more, and what is decided about each, which is far less.
static int
s_prepare (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    size_t size, count;
    const void *operations = stele_ledger_decisions (writer->ledger, &size, &count);
    if (!operations)
        return STELE_ENO_MEMORY;
    if (count == 0)
        return 0;
    free (self->frame);
    self->stored = 0;
    self->batch = (stele_batch_t) {
        .last = stele_ledger_last (writer->ledger), .time_us = writer->commit_us, .format = STELE_BATCH_FORMAT
    };
    self->frame = stele_batch_compress (operations, size, LEVEL, &self->batch.size);
    self->batch.data = self->frame;
    return 1;
}

int
stele_lead_append (stele_writer_t *writer)
{
    int code = s_prepare (writer);
    if (code == 1)
        code = s_send (writer);
    return code == 1? 0: code;
}

//  -- doubt -------------------------------------------------------------------------------

static bool
s_is_end (const stele_batch_end_t *end, int64_t number, const unsigned char *hash)
{
    return end->number == number && memcmp (end->hash, hash, STELE_BATCH_HASH) == 0;
}

static int
s_unavailable (stele_writer_t *writer)
{
    snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s", stele_shared_log_error (writer->lead->log));
    return STELE_EUNAVAILABLE;
}

//  The log does not have the batch, and another node leads, or has led: roll back
static int
s_give_up (stele_writer_t *writer)
{
    writer->lead->in_doubt = false;
    stele_writer_rollback (writer);
    return 0;
}

//  Nothing more is decided before the ledger has what other nodes have written. As stele_lead_resolve.
static int
s_catch_up (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    bool ahead = self->ahead;
    int code = self->takes_over? stele_lead_catch_up (writer): 0;
    if (code == 0 && self->takes_over) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s", LACKS);
        return STELE_EUNAVAILABLE;
    }
    if (code == 0)
        self->ahead = false;
    return code? code: ahead;
}

//  The ledger has rolled back what the log has: it is behind, like one that was just opened. As stele_lead_resolve.
static int
s_step_back (stele_writer_t *writer, const stele_job_result_t *result)
{
    stele_lead_t *self = writer->lead;
    stele_refusal_t refusal;
    self->leads = false;
    int code = stele_fold_end (writer->ledger, stele_ledger_id (writer->ledger), &self->end, &refusal);
    if (code == 0 && result->code < 0)
        return s_unavailable (writer);
    if (code == 0 && result->code == 0)
        stele_lead_follow (writer, &result->head);
    if (code == 0 && result->code == 1)
        code = stele_lead_take_over (writer, &result->head);
    return code? code: s_catch_up (writer);
}

//  A job that is not LEAD has ended, as which the batch waits. As stele_lead_resolve.
static int
s_resume (stele_writer_t *writer, const stele_job_result_t *result)
{
    stele_lead_t *self = writer->lead;
    if (result->kind != STELE_JOB_APPEND) {
        stele_lead_take_note (self, result);
        return s_send (writer);
    }
    //  Its number was not known before
    if (result->code == 1) {
        s_mark (writer);
        return s_appended (self);
    }
    s_doubt (writer, stele_shared_log_error (self->log));
    stele_lead_try (self);
    return STELE_EUNAVAILABLE;
}

//  The job LEAD has ended while a batch was in doubt. As stele_lead_resolve.
static int
s_resolve (stele_writer_t *writer, const stele_job_result_t *result)
{
    stele_lead_t *self = writer->lead;
    stele_log_head_t head = result->head;
    int leads = result->code;
    if (leads < 0)
        return s_unavailable (writer);
    //  Who leads after this node has a higher epoch. A primary that was replaced, and came back, knows nothing of the batch
    if (leads == 0 && head.end.epoch <= self->end.epoch) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: the log of this PostgreSQL ends before that of this "
            "node: was another server promoted?");
        return STELE_EUNAVAILABLE;
    }
    bool last = s_is_end (&head.end, self->batch.number, self->batch.hash);
    int has = last? 1: result->has;
    if (has == STELE_EUNAVAILABLE)
        return s_unavailable (writer);
    if (has < 0) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s", result->refusal.message);
        return has;
    }
    if (has && head.safe < self->batch.number) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: it is not known yet whether a standby has the last batch");
        return STELE_EUNAVAILABLE;
    }
    if (has && !(leads && last)) {
        //  Its answers hold. The ledger folds it, with those after it
        self->in_doubt = false;
        self->ahead = true;
        return STELE_EBUSY;
    }
    if (leads == 0) {
        stele_lead_follow (writer, &head);
        return s_give_up (writer);
    }
    self->in_doubt = false;
    self->replicated = stele_shared_log_replicated (self->log);
    if (last) {
        stele_log_info ("doubt_resolved", "shared log: batch %" PRId64 " was appended before the connection was lost",
            self->batch.number);
        self->end = head.end;
        self->ahead = true;
        s_mark (writer);
        return self->stored? self->stored: 1;
    }
    if (s_is_end (&head.end, self->end.number, self->end.hash)) {
        stele_log_info ("doubt_resolved", "shared log: batch %" PRId64 " was not appended, and is appended again",
            self->end.number + 1);
        self->end.epoch = head.end.epoch;
        return s_send (writer);
    }
    s_give_up (writer);
    int code = stele_lead_take_over (writer, &head);
    return code? code: s_catch_up (writer);
}

int
stele_lead_resolve (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    stele_job_result_t result;
    //  This node stops, and does not lead again: its answers hold, and its ledger folds that batch at the next start
    if (self->resigned && self->ahead) {
        self->leads = self->takes_over = self->ahead = false;
        return 1;
    }
    if (self->takes_over)
        return s_catch_up (writer);
    if (!stele_lead_job_busy (self->job))
        stele_lead_try (self);
    if (!stele_lead_job_take (self->job, &result)) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s",
            stele_lead_job_runs (self->job, STELE_JOB_LEAD)? NO_ANSWER: NO_OUTCOME);
        return STELE_EUNAVAILABLE;
    }
    if (self->ahead && result.kind == STELE_JOB_LEAD)
        return s_step_back (writer, &result);
    if (result.kind != STELE_JOB_LEAD)
        return s_resume (writer, &result);
    return s_resolve (writer, &result);
}

//  -- answers -----------------------------------------------------------------------------

int
stele_lead_refuse (stele_writer_t *writer)
{
    const stele_lead_t *self = writer->lead;
    const char *known = *self->writer_events? self->writer_events: "not known";
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_ENOT_WRITER, NULL, "this node follows the shared log; its writer is %s (%s)",
        *self->writer_name? self->writer_name: "not known", known);
    writer->counts.errors++;
    if (writer->input->source == STELE_FROM_PIPELINE)
        return 0;
    if (writer->input->source == STELE_FROM_MAILBOX) {
        stele_answer_not_writer (writer->pack, &refusal, self->writer_requests);
        stele_writer_answer (writer);
        return 0;
    }
    stele_pack_clear (writer->pack);
    stele_pack_map_begin (writer->pack);
    stele_pack_key_string (writer->pack, "op", "error");
    stele_pack_key_string (writer->pack, "code", stele_error_name (refusal.code));
    stele_pack_key_string (writer->pack, "message", refusal.message);
    if (*self->writer_events)
        stele_pack_key_string (writer->pack, "writer", self->writer_events);
    stele_pack_map_end (writer->pack);
    stele_writer_answer (writer)->is_error = true;
    return 0;
}

static const char *
s_state (const stele_lead_t *self)
{
    return self->in_doubt? "in_doubt": self->stopped? "stopped": self->full? "full": *self->trouble? "away": "live";
}

static void
s_pack_nodes (const stele_lead_t *self, stele_pack_t *pack)
{
    int64_t known = self->leads? self->end.number: self->known, passed_ms = stele_clock_steady_ms () - self->listed_ms;
    stele_pack_key (pack, "nodes");
    stele_pack_array (pack, (size_t) self->node_count);
    for (int i = 0; i < self->node_count; i++) {
        const stele_log_node_t *node = &self->nodes [i];
        char events [STELE_NODE_ENDPOINTS_MAX + 1], requests [STELE_NODE_ENDPOINTS_MAX + 1];
        stele_node_split (node->endpoints, events, requests);
        stele_pack_map_begin (pack);
        stele_pack_key_string (pack, "node", node->name);
        stele_pack_key_string (pack, "role", node->role);
        stele_pack_key_string (pack, "endpoints", *events? events: NULL);
        stele_pack_key_string (pack, "requests", *requests? requests: NULL);
        stele_pack_key_string (pack, "version", node->version);
        stele_pack_key_integer (pack, "epoch", node->epoch);
        stele_pack_key_integer (pack, "number", node->number);
        stele_pack_key_integer (pack, "position", node->position);
        stele_pack_key_integer (pack, "lag_batches", node->number < known? known - node->number: 0);
        stele_pack_key_integer (pack, "silent_ms", node->silent_ms + passed_ms);
        stele_pack_map_end (pack);
    }
}

void
stele_lead_key_node (const stele_writer_t *writer, stele_pack_t *pack)
{
    const stele_lead_t *self = writer->lead;
    stele_node_key (stele_shared_log_node (self->log), self->leads, self->end.epoch, pack);
}

void
stele_lead_pack_stats (const stele_writer_t *writer, stele_pack_t *pack)
{
    const stele_lead_t *self = writer->lead;
    int64_t now_ms = stele_clock_steady_ms ();
    bool behind = !self->leads && self->known > self->end.number;
    int64_t since_ms = self->in_doubt? self->doubted_ms: *self->trouble? self->trouble_ms: now_ms;
    stele_pack_map_begin (pack);
    stele_lead_key_node (writer, pack);
    stele_pack_key_string (pack, "state", s_state (self));
    stele_pack_key_integer (pack, "state_ms", now_ms - since_ms);
    stele_pack_key_string (pack, "writer", *self->writer_name? self->writer_name: NULL);
    stele_pack_key_string (pack, "endpoints", *self->writer_events? self->writer_events: NULL);
    stele_pack_key_string (pack, "requests", *self->writer_requests? self->writer_requests: NULL);
    stele_pack_key_integer (pack, "number", self->end.number);
    stele_pack_key_integer (pack, "lag_batches", behind? self->known - self->end.number: 0);
    stele_pack_key_integer (pack, "lag_ms", behind? now_ms - self->current_ms: 0);
    stele_pack_key_bool (pack, "no_writer", !self->leads && self->expired);
    if (self->leads)
        stele_pack_key_bool (pack, "replicated", self->replicated);
    stele_pack_key_bool (pack, "in_doubt", self->in_doubt);
    stele_pack_key_integer (pack, "doubts", self->doubts);
    stele_pack_key_string (pack, "trouble", *self->trouble? self->trouble: NULL);
    stele_pack_key (pack, "append_us");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "p50", stele_histogram_percentile (self->append_us, 50));
    stele_pack_key_integer (pack, "p99", stele_histogram_percentile (self->append_us, 99));
    stele_pack_key_integer (pack, "max", stele_histogram_max (self->append_us));
    stele_histogram_pack (self->append_us, pack);
    stele_pack_key_integer (pack, "count", stele_histogram_count (self->append_us));
    stele_pack_map_end (pack);
    s_pack_nodes (self, pack);
    stele_pack_map_end (pack);
}
