/*  lead_follow - follow a shared log, and take over

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "broker/common/log.h"
#include "broker/common/node.h"
#include "broker/common/standing.h"
#include "broker/ingest/lead_internal.h"

#define LOOK_MS 250                 // Between two looks at the head, and attempts to lead
#define SLICE_US 2000               // Of folding, between which messages are answered, and readers learn of what was folded
#define NOTE_MS 1000                // Between two notes of this node
#define RESIGN_MS 1000              // For the last one
#define ANNOUNCE_US 2000            // Between two announcements while batches follow each other

//  -- trouble -----------------------------------------------------------------------------

void
stele_lead_trouble (stele_lead_t *self, const char *text)
{
    if (strcmp (self->trouble, text) && *text)
        stele_log_warning ("shared_log_away", "shared log: %s", text);
    if (*self->trouble && !*text)
        stele_log_info ("shared_log_back", "shared log: follows again, at batch %" PRId64, self->end.number);
    if (!*self->trouble)
        self->trouble_ms = stele_clock_steady_ms ();
    snprintf (self->trouble, sizeof self->trouble, "%s", text);
}

//  The server answers
static void
s_clear (stele_lead_t *self)
{
    if (!self->stopped && !self->full)
        stele_lead_trouble (self, "");
}

static int
s_make_room (stele_writer_t *writer)
{
    int code = stele_ledger_make_room (writer->ledger);
    if (stele_error_is_transient (code))
        return 0;
    snprintf (writer->error_text, sizeof writer->error_text, "%s", stele_ledger_error (writer->ledger));
    return code;
}

//  The log cannot be folded: 'code' with the refusal. Returns 0: this node serves what it has; or the code.
static int
s_stop (stele_writer_t *writer, int code, const stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    self->failed_ms = stele_clock_steady_ms ();
    if (code == STELE_EUNAVAILABLE) {
        self->full = refusal->code == code;
        stele_lead_trouble (self, self->full? refusal->message: stele_shared_log_error (self->log));
        return 0;
    }
    if (code == STELE_EPROTOCOL) {
        self->stopped = true;
        stele_lead_trouble (self, refusal->message);
        return 0;
    }
    if (stele_error_is_transient (code)) {
        self->full = true;
        stele_lead_trouble (self, refusal->message);
        return code == STELE_EFULL? s_make_room (writer): 0;
    }
    snprintf (writer->error_text, sizeof writer->error_text, "shared log: %s", refusal->message);
    return code;
}

//  Let the other nodes know of this one, and learn of them. Returns whether that is on its way.
static bool
s_note (stele_lead_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms - self->noted_ms < NOTE_MS)
        return false;
    self->noted_ms = now_ms;
    const stele_job_input_t input = { .role = self->leads? "writer": "follower", .end = self->end };
    stele_lead_job_start (self->job, STELE_JOB_NOTE, &input);
    return true;
}

void
stele_lead_take_note (stele_lead_t *self, const stele_job_result_t *result)
{
    if (result->kind != STELE_JOB_NOTE || result->code < 0)
        return;
    memcpy (self->nodes, stele_lead_job_nodes (self->job), (size_t) result->code * sizeof *self->nodes);
    self->node_count = result->code;
    self->listed_ms = self->noted_ms;
}

//  -- fold --------------------------------------------------------------------------------

static int
s_fold_one (stele_writer_t *writer, const stele_batch_t *batch, stele_refusal_t *refusal)
{
    stele_lead_t *self = writer->lead;
    int code = stele_fold_batch (self->fold, batch, refusal);
    if (code)
        return code;
    //  The upkeep of the ledger while it catches up; what fails for now is tried again later
    code = stele_ledger_idle (writer->ledger, 0);
    code = stele_error_is_transient (code)? 0: code;
    if (code == 0)
        stele_batch_advance (batch, &self->end);
    return code;
}

//  How far to read while the last page is folded. 0: another job is due, which needs the log.
static int64_t
s_upto (const stele_writer_t *writer)
{
    const stele_lead_t *self = writer->lead;
    int64_t now_ms = stele_clock_steady_ms ();
    //  While it takes over, the next sign of life waits for one page, not for two
    if (self->takes_over)
        return 0;
    return now_ms - self->looked_ms < LOOK_MS && now_ms - self->noted_ms < NOTE_MS? stele_shared_log_safe (self->log): 0;
}

static void
s_read_on (const stele_writer_t *writer)
{
    const stele_lead_t *self = writer->lead;
    if (!stele_lead_job_may_read_on (self->job))
        return;
    int64_t upto = s_upto (writer);
    if (upto > stele_log_page_last (stele_lead_job_page (self->job)))
        stele_lead_job_read_on (self->job, upto);
}

//  If the job READ has ended, fold what a slice of time permits of the batches that it has brought, and take it after the last.
//  0 or a code.
static int
s_fold (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    if (!stele_lead_job_done (self->job))
        return 0;
    stele_log_page_t *page = stele_lead_job_page (self->job);
    stele_job_result_t result;
    stele_batch_t batch;
    stele_refusal_t refusal = { 0 };
    int64_t until_us = stele_clock_steady_us () + SLICE_US;
    int code = 0;
    if (self->skips) {
        self->skips = false;
        stele_lead_job_take (self->job, &result);
        return 0;
    }
    while (page && code == 0 && (code = stele_log_page_next (page, &self->end, &batch, &refusal)) == 1) {
        s_read_on (writer);
        code = s_fold_one (writer, &batch, &refusal);
        if (code == 0 && stele_clock_steady_us () >= until_us)
            return 0;
    }
    stele_lead_job_take (self->job, &result);
    if (!page)
        return s_stop (writer, result.code, &result.refusal);
    self->skips = code && stele_lead_job_busy (self->job);
    self->full = self->full && code;
    self->reads = self->reads || code == 0;
    return code? s_stop (writer, code, &refusal): 0;
}

//  Read batches up to that number. False: it has them, or could not fold them a moment ago.
static bool
s_read (stele_lead_t *self, int64_t upto)
{
    bool rests = self->failed_ms && stele_clock_steady_ms () - self->failed_ms < LOOK_MS;
    if (self->end.number >= upto || self->stopped || rests)
        return false;
    const stele_job_input_t input = { .end = self->end, .upto = upto };
    self->failed_ms = 0;
    stele_lead_job_start (self->job, STELE_JOB_READ, &input);
    return true;
}

//  Is that log a continuation of what the ledger has? A standby from which this node reads may be behind it; a log
//  that a later writer leads is not, nor is one that this node leads: 'complete'.
static int
s_compare (stele_writer_t *writer, const stele_log_head_t *head, bool complete)
{
    const stele_lead_t *self = writer->lead;
    bool ahead = self->end.number > head->end.number;
    if (self->end.number == head->end.number && self->end.position != head->end.position
    &&  memcmp (self->end.hash, head->end.hash, STELE_BATCH_HASH) == 0) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: the log and the ledger of this node have diverged: after "
            "batch %" PRId64 " the log ends at position %" PRId64 ", the ledger at %" PRId64 ". Was it written without shared-log? "
            "Start this node from a snapshot of another one", head->end.number, head->end.position, self->end.position);
        return STELE_ELEDGER;
    }
    if (ahead && !complete && head->end.epoch <= self->end.epoch)
        return 0;
    if (!ahead && (self->end.number < head->end.number || memcmp (self->end.hash, head->end.hash, STELE_BATCH_HASH) == 0))
        return 0;
    //  A primary that was replaced, and came back, may end with a batch that no standby had
    if (!ahead && !complete && head->safe < head->end.number)
        return 0;
    snprintf (writer->error_text, sizeof writer->error_text, "shared log: the log and the ledger of this node have diverged: the log "
        "ends with batch %" PRId64 ", the ledger has batch %" PRId64 "%s. The log lost batches that were acked: restore it, or "
        "start this node from a snapshot", head->end.number, self->end.number, ahead? "": " with another hash");
    return STELE_ELEDGER;
}

//  -- roles -------------------------------------------------------------------------------

//  Show to the threads that answer requests whether this node leads
static void
s_show (const stele_writer_t *writer, int64_t epoch)
{
    atomic_store (&writer->settings->standing->epoch, epoch);
    atomic_store (&writer->settings->standing->leads, writer->lead->leads);
}

void
stele_lead_follow (stele_writer_t *writer, const stele_log_head_t *head)
{
    stele_lead_t *self = writer->lead;
    bool other = strcmp (self->writer_name, head->writer) != 0;
    if (self->leads || (other && *head->writer))
        stele_log_info ("following", "shared log: this node follows; %s leads, at batch %" PRId64, *head->writer? head->writer:
            "no node", head->end.number);
    snprintf (self->writer_name, sizeof self->writer_name, "%s", head->writer);
    stele_node_split (head->endpoints, self->writer_events, self->writer_requests);
    self->known = head->end.number;
    self->expired = head->expired;
    if (self->leads)
        self->current_ms = stele_clock_steady_ms ();
    self->leads = false;
    s_show (writer, head->end.epoch);
    stele_ledger_record (writer->ledger, false);
}

//  The producers are those of the ledger now: their connections send hello again
static int
s_reload (stele_writer_t *writer)
{
    stele_refusal_t refusal = { 0 };
    stele_roster_t *roster = stele_roster_new (writer->ledger, writer->settings->lease_grace_ms);
    stele_screen_t *screen = roster? stele_screen_new (writer->settings, stele_ledger_reader (writer->ledger), &refusal): NULL;
    if (!screen) {
        stele_roster_destroy (&roster);
        snprintf (writer->error_text, sizeof writer->error_text, "%s", *refusal.message? refusal.message:
            stele_ledger_error (writer->ledger));
        return STELE_EIO;
    }
    stele_roster_destroy (&writer->roster);
    stele_screen_destroy (&writer->screen);
    writer->roster = roster;
    writer->screen = screen;
    stele_roster_show (writer->roster, writer->settings->presence);
    return 0;
}

//  The first batch of a log has what makes the ledgers of all nodes one
static int
s_found (stele_writer_t *writer)
{
    int code = stele_writer_begin (writer);
    if (code == 0)
        code = stele_ledger_record_identity (writer->ledger);
    return code? code: stele_writer_commit (writer);
}

//  The ledger has all of the log: decide what follows
static int
s_begin (stele_writer_t *writer, const stele_log_head_t *head)
{
    stele_lead_t *self = writer->lead;
    int code = s_compare (writer, head, true);
    //  A leader that had lost its connection, and nothing else, keeps the producers that are connected
    if (code == 0 && !self->leads)
        code = s_reload (writer);
    if (code == 0)
        code = stele_ledger_record (writer->ledger, true);
    if (code)
        return code;
    self->leads = true;
    self->replicated = stele_shared_log_replicated (self->log);
    self->end.epoch = head->end.epoch;
    s_show (writer, self->end.epoch);
    self->alive_ms = stele_clock_steady_ms ();
    snprintf (self->writer_name, sizeof self->writer_name, "%s", head->writer);
    stele_node_split (head->endpoints, self->writer_events, self->writer_requests);
    stele_log_info ("leading", "shared log: this node leads, epoch %" PRId64 ", after batch %" PRId64 ", position %" PRId64,
        self->end.epoch, self->end.number, self->end.position);
    return self->end.number == 0? s_found (writer): 0;
}

int
stele_lead_take_over (stele_writer_t *writer, const stele_log_head_t *head)
{
    stele_lead_t *self = writer->lead;
    self->may_lead = false;
    if (self->end.number >= head->end.number)
        return s_begin (writer, head);
    self->leads = false;
    s_show (writer, head->end.epoch);
    stele_ledger_record (writer->ledger, false);
    self->takes_over = true;
    self->target = *head;
    self->failed_ms = 0;
    self->alive_ms = stele_clock_steady_ms ();
    //  Messages wait, as those of the batch that led to this
    if (!writer->holding)
        writer->holding_since_us = stele_clock_steady_us ();
    writer->holding = true;
    return stele_lead_catch_up (writer);
}

//  It could not fold all of it, and follows; another node, or one of a later version, may lead at once
static int
s_stand_back (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    self->takes_over = false;
    *self->writer_name = *self->writer_events = *self->writer_requests = 0;
    stele_lead_job_start (self->job, STELE_JOB_RESIGN, NULL);
    return 0;
}

int
stele_lead_catch_up (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    stele_job_result_t result = { 0 };
    int64_t now_ms = stele_clock_steady_ms ();
    bool reads = stele_lead_job_runs (self->job, STELE_JOB_READ);
    int code = reads? s_fold (writer): 0;
    if (!reads && stele_lead_job_take (self->job, &result))
        stele_lead_take_note (self, &result);
    if (code || stele_lead_job_busy (self->job))
        return code;
    if (self->end.number >= self->target.end.number) {
        self->takes_over = false;
        return s_begin (writer, &self->target);
    }
    if ((reads && self->failed_ms) || (result.kind == STELE_JOB_RENEW && result.code))
        return s_stand_back (writer);
    if (now_ms - self->alive_ms >= writer->settings->shared_log_lease_ms / 3) {
        self->alive_ms = now_ms;
        stele_lead_job_start (self->job, STELE_JOB_RENEW, NULL);
        return 0;
    }
    return s_read (self, self->target.end.number)? 0: s_stand_back (writer);
}

void
stele_lead_try (stele_lead_t *self)
{
    stele_job_input_t input = { .end = self->end, .doubted = self->in_doubt? self->batch.number: 0 };
    memcpy (input.hash, self->batch.hash, sizeof input.hash);
    self->may_lead = false;
    stele_lead_job_start (self->job, STELE_JOB_LEAD, &input);
}

//  This node has tried to lead: 'leads' as stele_shared_log_lead. 0 or a code.
static int
s_take_lead (stele_writer_t *writer, int leads, const stele_log_head_t *head)
{
    stele_lead_t *self = writer->lead;
    if (leads < 0) {
        stele_lead_trouble (self, stele_shared_log_error (self->log));
        return 0;
    }
    s_clear (self);
    if (leads == 1)
        return stele_lead_take_over (writer, head);
    stele_lead_follow (writer, head);
    return 0;
}

int
stele_lead_take_look (stele_writer_t *writer, int found, const stele_log_head_t *head)
{
    stele_lead_t *self = writer->lead;
    self->may_lead = false;
    if (found <= 0) {
        stele_lead_trouble (self, found? stele_shared_log_error (self->log): "there is no log of that name in this database");
        return 0;
    }
    s_clear (self);
    if (strcmp (head->ledger_id, stele_ledger_id (writer->ledger))) {
        snprintf (writer->error_text, sizeof writer->error_text, "shared log: the log is that of ledger %s now, not of this one",
            head->ledger_id);
        return STELE_ELEDGER;
    }
    stele_lead_follow (writer, head);
    self->may_lead = strcmp (writer->settings->role, "auto") == 0 && !self->stopped && !self->full;
    return s_compare (writer, head, false);
}

//  -- the loop ----------------------------------------------------------------------------

static int
s_live (stele_writer_t *writer, bool drained)
{
    stele_lead_t *self = writer->lead;
    int64_t now_us = stele_clock_steady_us ();
    //  Notices that the connection has ended
    stele_shared_log_safe (self->log);
    if (drained || now_us - self->announced_us >= ANNOUNCE_US) {
        stele_shared_log_announce (self->log);
        self->announced_us = now_us;
    }
    bool leads = stele_shared_log_leads (self->log);
    if (leads && s_note (self))
        return 0;
    if (now_us / 1000 - self->alive_ms < (leads? writer->settings->shared_log_lease_ms / 3: LOOK_MS))
        return 0;
    self->alive_ms = now_us / 1000;
    //  Nothing is in doubt: whatever the log has is folded, and this node leads again, or follows
    if (leads)
        stele_lead_job_start (self->job, STELE_JOB_RENEW, NULL);
    else
        stele_lead_try (self);
    return 0;
}

//  The job has ended: what follows from it
static int
s_take_result (stele_writer_t *writer, const stele_job_result_t *result)
{
    if (result->kind == STELE_JOB_LEAD)
        return s_take_lead (writer, result->code, &result->head);
    if (result->kind == STELE_JOB_LOOK)
        return stele_lead_take_look (writer, result->code, &result->head);
    stele_lead_take_note (writer->lead, result);
    if (result->kind == STELE_JOB_RENEW && result->code)
        stele_lead_try (writer->lead);
    return 0;
}

//  Of a node that follows, while no job runs
static void
s_follow (stele_lead_t *self)
{
    int64_t safe = stele_shared_log_safe (self->log), now_ms = stele_clock_steady_ms ();
    if (self->end.number >= self->known)
        self->current_ms = now_ms;
    if (self->may_lead && self->end.number >= safe)
        stele_lead_try (self);
    else
    if (now_ms - self->looked_ms >= LOOK_MS) {
        self->looked_ms = now_ms;
        stele_lead_job_start (self->job, STELE_JOB_LOOK, NULL);
    }
    else
    //  To connect is for the next look at the head. A node that has much to read is known, too: the log keeps what it lacks. Not
    //  one that cannot follow, for which it would keep all for a day.
    if (stele_shared_log_fd (self->log) >= 0) {
        bool notes = self->reads && !*self->trouble && s_note (self);
        if (!notes && !s_read (self, safe) && !*self->trouble)
            s_note (self);
    }
}

int
stele_lead_tick (stele_writer_t *writer, bool drained)
{
    stele_lead_t *self = writer->lead;
    if (!self || writer->open || writer->holding || self->resigned)
        return 0;
    stele_job_result_t result;
    int code = 0;
    if (stele_lead_job_runs (self->job, STELE_JOB_READ))
        code = s_fold (writer);
    else
    if (stele_lead_job_take (self->job, &result))
        code = s_take_result (writer, &result);
    if (code || writer->holding || stele_lead_job_busy (self->job))
        return code;
    if (self->leads)
        return s_live (writer, drained);
    s_follow (self);
    return 0;
}

void
stele_lead_resign (stele_writer_t *writer)
{
    stele_lead_t *self = writer->lead;
    if (!self)
        return;
    self->resigned = true;
    stele_job_result_t result;
    if (!self->leads || self->in_doubt)
        return;
    if (stele_lead_job_wait (self->job, RESIGN_MS))
        stele_lead_job_take (self->job, &result);
    if (stele_lead_job_busy (self->job))
        return;
    stele_log_info ("resigned", "shared log: this node does not lead any more, after batch %" PRId64, self->end.number);
    //  If PostgreSQL does not answer, the end of the process is notice enough
    stele_lead_job_start (self->job, STELE_JOB_RESIGN, NULL);
    if (stele_lead_job_wait (self->job, RESIGN_MS))
        stele_lead_job_take (self->job, &result);
    self->leads = false;
    s_show (writer, self->end.epoch);
}
