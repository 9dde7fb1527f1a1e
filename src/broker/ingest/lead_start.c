/*  lead_start - the start of a node in a shared log: join it, and fold what it has

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "broker/common/log.h"
#include "broker/common/poll.h"
#include "broker/ingest/lead_internal.h"

#define START_MS 2000               // For the first answer, if the ledger has something to serve
#define PROGRESS_MS 3000            // Between two reports
#define WAIT_MS 100                 // For news of the log

//  A ledger without events has a place in every log. But its producers and refused events, if a broker wrote them
//  without the log, have numbers that the log assigns to others. Returns 1: it is empty; 0; or a code.
static int
s_is_empty (stele_writer_t *writer, stele_refusal_t *refusal)
{
    stele_batch_end_t end;
    int code = stele_fold_end (writer->ledger, stele_ledger_id (writer->ledger), &end, refusal);
    if (code)
        return code;
    int blank = stele_ledger_is_blank (writer->ledger);
    if (blank < 0)
        return stele_refuse (refusal, blank, "ledger", "%s", stele_ledger_error (writer->ledger));
    if (blank || end.number || stele_ledger_head (writer->ledger))
        return blank;
    return stele_refuse (refusal, STELE_ELEDGER, "ledger", "this ledger has no events, but producers or refused events that no shared "
        "log has: it was written without shared-log. Start this node with a new ledger");
}

//  An empty ledger becomes one of the log; another one has to be
static int
s_join (stele_writer_t *writer, bool empty, const stele_log_head_t *head, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    if (empty && strcmp (stele_ledger_id (writer->ledger), head->ledger_id)) {
        int code = stele_ledger_replay_id (writer->ledger, head->ledger_id, refusal);
        if (code)
            return code;
    }
    return stele_fold_end (writer->ledger, head->ledger_id, &self->end, refusal);
}

//  PostgreSQL does not answer: a ledger that has a part of the log serves it until it does
static int
s_start_alone (stele_writer_t *writer, int code, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    int ended = stele_fold_end (writer->ledger, stele_ledger_id (writer->ledger), &self->end, refusal);
    if (ended)
        return ended;
    if (self->end.number == 0)
        return stele_refuse (refusal, code, "shared-log", "shared-log: %s", stele_shared_log_error (self->log));
    stele_lead_trouble (self, stele_shared_log_error (self->log));
    return 0;
}

//  Wait for news of the log. STELE_EUNAVAILABLE with a refusal: this start is to end.
static int
s_wait (const stele_lead_t *self, zsock_t *pipe, int64_t wait_ms, stele_refusal_t *refusal)
{
    zmq_pollitem_t items [] = { { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 }, { NULL, stele_lead_fd (self), ZMQ_POLLIN, 0 } };
    int rc = stele_poll (items, items [1].fd < 0? 1: 2, wait_ms);
    char *command = rc > 0 && (items [0].revents & ZMQ_POLLIN)? zstr_recv (pipe): NULL;
    bool ends = rc < 0 || (command && streq (command, "STOP"));
    zstr_free (&command);
    return ends? stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "stopped before the start was complete, with batch %" PRId64 " of the "
        "shared log", self->end.number): 0;
}

//  Run a job that reads the head. As its function; STELE_EBUSY: there is no answer within 'wait_ms'. With a refusal: this start is
//  to end.
static int
s_look (stele_writer_t *writer, zsock_t *pipe, stele_job_kind_t kind, int64_t wait_ms, stele_log_head_t *head, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    stele_job_result_t result;
    stele_job_input_t input = { .end = { .position = stele_ledger_head (writer->ledger) } };
    snprintf (input.ledger_id, sizeof input.ledger_id, "%s", stele_ledger_id (writer->ledger));
    stele_lead_job_start (self->job, kind, &input);
    int64_t begun_ms = stele_clock_steady_ms ();
    while (!stele_lead_job_take (self->job, &result)) {
        if (stele_clock_steady_ms () - begun_ms >= wait_ms)
            return STELE_EBUSY;
        int code = s_wait (self, pipe, WAIT_MS, refusal);
        if (code)
            return code;
    }
    *head = result.head;
    return result.code;
}

//  Read the head; create the log if there is none. A ledger that has some of the log serves it if there is no answer for long:
//  STELE_EBUSY.
static int
s_first_look (stele_writer_t *writer, zsock_t *pipe, stele_log_head_t *head, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    stele_refusal_t ignored;
    bool may = strcmp (writer->settings->role, "auto") == 0;
    bool serves = stele_fold_end (writer->ledger, stele_ledger_id (writer->ledger), &self->end, &ignored) == 0 && self->end.number;
    int found = s_look (writer, pipe, STELE_JOB_LOOK, serves? START_MS: INT64_MAX, head, refusal);
    return found == 0 && may? s_look (writer, pipe, STELE_JOB_CREATE, INT64_MAX, head, refusal): found;
}

//  Is all folded that was safe, and does this node lead if no other one does? The latter, and a first batch in doubt, are left to
//  the loop of the actor when it is late.
static bool
s_is_current (const stele_lead_t *self, int64_t safe, bool late)
{
    bool tries = !self->leads && (self->may_lead || stele_lead_job_runs (self->job, STELE_JOB_LEAD));
    return *self->trouble || (self->end.number >= safe && !self->takes_over && (late || !(self->in_doubt || tries)));
}

//  What the loop of the actor does, until this node is current
static int
s_catch_up (stele_writer_t *writer, zsock_t *pipe, int64_t safe, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    int64_t now_ms = stele_clock_steady_ms (), reported_ms = now_ms, folded_ms = now_ms;
    while (!s_is_current (self, safe, now_ms - folded_ms >= writer->settings->shared_log_timeout_ms)) {
        int code = writer->holding? stele_writer_again (writer): stele_lead_tick (writer, true);
        if (code && !stele_error_is_transient (code))
            return stele_refuse (refusal, code, "shared-log", "%s", writer->error_text);
        code = s_wait (self, pipe, stele_lead_has_answer (self)? 0: WAIT_MS, refusal);
        if (code)
            return code;
        now_ms = stele_clock_steady_ms ();
        if (self->end.number < safe || self->takes_over)
            folded_ms = now_ms;
        if (now_ms - reported_ms < PROGRESS_MS)
            continue;
        reported_ms = now_ms;
        stele_log_info ("catching_up", "shared log: this node has batch %" PRId64 " of %" PRId64 ", up to position %" PRId64,
            self->end.number, self->known, self->end.position);
    }
    return 0;
}

int
stele_lead_start (stele_writer_t *writer, zsock_t *pipe, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    stele_log_head_t head;
    self->current_ms = stele_clock_steady_ms ();
    self->fold = stele_fold_new (writer->ledger);
    int code = stele_ledger_share (writer->ledger);
    if (code)
        return stele_refuse (refusal, code, "ledger", "%s", stele_ledger_error (writer->ledger));
    int empty = s_is_empty (writer, refusal);
    if (empty < 0)
        return empty;
    *refusal = (stele_refusal_t) { 0 };
    int found = s_first_look (writer, pipe, &head, refusal);
    if (refusal->code)
        return refusal->code;
    if (found == STELE_EBUSY) {
        stele_lead_trouble (self, "PostgreSQL has not answered yet");
        return 0;
    }
    if (found == 0)
        return stele_refuse (refusal, STELE_ENOT_FOUND, "shared-log-name", "there is no log of the name '%s' in that database, and a "
            "node with role = follower creates none", writer->settings->shared_log_name);
    if (found < 0)
        return s_start_alone (writer, found, refusal);
    code = s_join (writer, empty, &head, refusal);
    if (code)
        return code;
    code = stele_lead_take_look (writer, found, &head);
    if (code)
        return stele_refuse (refusal, code, "shared-log", "%s", writer->error_text);
    self->looked_ms = stele_clock_steady_ms ();
    code = s_catch_up (writer, pipe, head.safe, refusal);
    self->cold = self->leads && (!*head.writer || head.expired || strcmp (head.writer, self->writer_name) == 0);
    self->current_ms = stele_clock_steady_ms ();
    return code;
}

int
stele_lead_settle (stele_writer_t *writer, zsock_t *pipe, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    if (!self)
        return 0;
    int64_t until_ms = stele_clock_steady_ms () + writer->settings->shared_log_timeout_ms + STELE_LEAD_PATIENCE_MS;
    int ended = s_wait (self, pipe, 0, refusal);
    while (ended == 0 && writer->holding && stele_clock_steady_ms () < until_ms) {
        int code = stele_writer_again (writer);
        if (code && !stele_error_is_transient (code))
            return stele_refuse (refusal, code, "shared-log", "%s", writer->error_text);
        ended = s_wait (self, pipe, writer->holding && !stele_lead_has_answer (self)? WAIT_MS: 0, refusal);
    }
    return ended;
}
