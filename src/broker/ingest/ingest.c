/*  ingest - the actor that writes: its sockets and its loop

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/common/actor.h"
#include "broker/ingest/redis_mode.h"
#include "broker/common/endpoint.h"
#include "broker/common/log.h"
#include "broker/ingest/ingest.h"
#include "broker/ingest/ingest_internal.h"
#include "broker/ingest/lead.h"
#include "broker/common/poll.h"
#include "broker/ingest/writer.h"
#include "fault/fault.h"
#include "ledger/erase.h"
#include "base/clock.h"
#include "base/thread.h"

//  Longest time to fill a batch while messages keep arriving
#define ALIVE_US (5 * 1000000)      // Between two signs of life
#define ANNOUNCE_US 500000          // At most between two announcements of a node of a shared log
#define FILL_US         20000
//  Most messages taken from one socket before the others have their turn
#define TURN_MESSAGES   64
#define RETRY_MS_MIN    100
#define RETRY_MS_MAX    2000
#define TICK_MS         100
//  Most unread bytes of errors per peer, and of all peers; further errors are not sent
#define ERRORS_PEER     (64 * 1024)
#define ERRORS_ALL      (32 * 1024 * 1024)
#define LATE_US         1000000
#define SAY_MODE_US     60000000
//  A pass of the loop that took longer was a stall: SIGSTOP, or slow storage
#define STALL_US        (2 * TICK_MS * 1000)
//  Under a load that leaves the sockets no pause, a lease ends that much later
#define LOADED_US       5000000

static stele_announcement_t
s_latest (const stele_ingest_t *self)
{
    const stele_writer_t *writer = self->writer;
    return (stele_announcement_t) {
        .head = stele_ledger_head (writer->ledger), .leads = stele_lead_leads (writer->lead), .epoch = stele_lead_epoch (writer->lead)
    };
}

static void
s_announce (stele_ingest_t *self)
{
    stele_announcement_t latest = s_latest (self);
    int64_t now_us = self->writer->lead? stele_clock_steady_us (): 0;
    //  A follower that connects late has missed it: the next commit may be long in coming, and which node leads
    //  must not be missed
    if (memcmp (&latest, &self->announced, sizeof latest) == 0 && now_us - self->announced_us < ANNOUNCE_US)
        return;
    self->announced = latest;
    self->announced_us = now_us;
    STELE_FAULT (announce_before);
    zmq_send (zsock_resolve (self->head), &latest, sizeof latest, ZMQ_DONTWAIT);
    STELE_FAULT (announce_after);
}

//  -- the batch ------------------------------------------------------------------------

//  The watchdog expects a sign of life while a removed ledger is copied
static void
s_sign_of_life (void *arg)
{
    stele_ingest_t *self = arg;
    int64_t now_us = stele_clock_steady_us ();
    if (now_us - self->alive_us < ALIVE_US)
        return;
    self->alive_us = now_us;
    zstr_send (self->pipe, "PONG");
}

static void
s_fail (stele_ingest_t *self)
{
    self->failed = true;
    char saved [2400];
    stele_log_error ("storage_failed", "storage failed, no more acks: %s", self->writer->error_text);
    if (stele_ledger_begin_rescue (self->writer->ledger))
        stele_log_error ("rescuing", "files of the ledger were removed while it was open: saving them, do not stop or kill "
            "this process");
    if (stele_ledger_rescue (self->writer->ledger, s_sign_of_life, self, saved, sizeof saved)) {
        stele_log_error ("ledger_rescued", "%s", saved);
        zstr_sendm (self->pipe, "FAILED");
        zstr_sendf (self->pipe, "%s; %s", self->writer->error_text, saved);
    }
    else
        zstr_sendx (self->pipe, "FAILED", self->writer->error_text, NULL);
}

//  Hold back on a transient storage error; stop on any other.
static void
s_hold_back_or_fail (stele_ingest_t *self, int code)
{
    if (!stele_error_is_transient (code)) {
        s_fail (self);
        return;
    }
    self->is_full = code == STELE_EFULL;
    int64_t now_us = stele_clock_steady_us ();
    self->retry_ms = self->retry_ms == 0? RETRY_MS_MIN: self->retry_ms * 2 > RETRY_MS_MAX? RETRY_MS_MAX: self->retry_ms * 2;
    self->retry_us = now_us + self->retry_ms * 1000;
    //  The answer of a shared log may only be late
    if (self->holding_reported || (self->writer->lead && code == STELE_EBUSY && now_us - self->writer->holding_since_us < LATE_US))
        return;
    self->holding_reported = true;
    stele_log_warning ("holding_back", "storage cannot take writes, holding back acks and retrying: %s (%s)",
        self->writer->error_text, stele_error_name (code));
}

static void
s_settle (stele_ingest_t *self, int code)
{
    int64_t events = self->writer->batch_events;
    int64_t begun_us = stele_clock_steady_us ();
    if (code == 0 && STELE_CONTROL (ack_before_commit))
        stele_ingest_send_answers (self);
    if (code == 0)
        code = stele_writer_commit (self->writer);
    if (code) {
        s_hold_back_or_fail (self, code);
        return;
    }
    if (self->holding_reported)
        stele_log_info ("resumed", "storage takes writes again");
    if (self->retry_ms)
        *self->writer->error_text = 0;
    self->retry_ms = 0;
    self->holding_reported = false;
    if (events && stele_log_has (STELE_LOG_DEBUG))
        stele_log (STELE_LOG_DEBUG, "committed", NULL, "committed %lld events, head %lld, %.3f ms", (long long) events,
            (long long) stele_ledger_head (self->writer->ledger),
            (double) (stele_clock_steady_us () - begun_us) / 1e3);
    //  Acks first: publishing the head wakes every follower
    stele_ingest_send_answers (self);
    s_announce (self);
    stele_news_commit (self->writer->news, stele_clock_steady_us ());
    stele_screen_commit (self->writer->screen, stele_clock_steady_us ());
}

//  Expire leases, once everything that waited was read: one of those messages may renew a lease just in time.
//  Time in which the broker itself was stalled does not count against producers.
static int
s_expire (stele_ingest_t *self, bool drained)
{
    int64_t now_us = stele_clock_steady_us ();
    if (self->listened_us && now_us - self->listened_us > STALL_US)
        stele_roster_extend (self->writer->roster, now_us - self->listened_us);
    self->listened_us = now_us;
    if (drained)
        self->drained_us = now_us;
    return drained || now_us - self->drained_us > LOADED_US? stele_writer_expire (self->writer): 0;
}

static void
s_mode_has_changed (stele_ingest_t *self)
{
    if (self->mode_failed && !self->failed)
        s_fail (self);
    self->retry_us = 0;
    s_announce (self);
    stele_ingest_say_mode (self);
}

//  Between batches, and while a batch is held back
static void
s_run_mode_request (stele_ingest_t *self)
{
    if (!self->mode_request)
        return;
    int before = self->writer->mode;
    stele_ingest_answer_mode (self);
    if (self->mode_failed || self->writer->mode != before)
        s_mode_has_changed (self);
    //  The answer waits for its audit event, which is committed in the new mode; but not for storage that takes
    //  no writes, which this request did not change
    bool holding = self->writer->holding;
    bool waits = !holding || self->writer->mode != before;
    int code = 0;
    bool recorded = !self->failed && stele_ingest_audit_mode (self, waits, &code);
    if (!recorded || !waits)
        stele_ingest_answer (self, self->mode_request);
    if (recorded && !holding)
        s_settle (self, code);
    free (self->mode_request);
    self->mode_request = NULL;
}

static bool
s_is_full (const stele_ingest_t *self)
{
    return self->writer->batch_events >= self->settings->batch_events
        || self->writer->batch_bytes >= STELE_BATCH_BYTES;
}

//  Take waiting messages from each socket in turn, until none is left or a bound is reached.
static void
s_fill (stele_ingest_t *self)
{
    int64_t until_us = stele_clock_steady_us () + FILL_US;
    bool leads = stele_lead_leads (self->writer->lead);
    int code = stele_writer_take_later (self->writer);
    bool any = true;
    while (any && code == 0 && !self->mode_request) {
        int taken = 0;
        while (taken < TURN_MESSAGES && code == 0 && !self->paused && !s_is_full (self)
        &&     stele_ingest_take_event (self, &code))
            taken++;
        any = taken == TURN_MESSAGES;
        if (code == 0 && !self->paused && leads && stele_ingest_take_pipeline (self, &code))
            any = true;
        if (code == 0 && stele_ingest_take_request (self, &code))
            any = true;
        if (s_is_full (self) || (any && stele_clock_steady_us () >= until_us))
            break;
    }
    //  Of a node that follows, no time was a stall
    if (!leads)
        self->listened_us = 0;
    if (code == 0 && !self->paused && leads)
        code = s_expire (self, !any && !self->ahead && !s_is_full (self));
    if (code == 0 && !self->paused && leads)
        code = stele_writer_audit_denials (self->writer);
    s_settle (self, code);
    s_run_mode_request (self);
}

static void
s_hold (stele_ingest_t *self)
{
    int code = 0;
    //  Requests are kept with the batch, so that requests for statistics and the mode, which may
    //  follow them, are answered
    for (int i = 0; i < TURN_MESSAGES && !self->mode_request; i++)
        if (!stele_ingest_take_request (self, &code))
            break;
    s_run_mode_request (self);
    if (self->failed)
        return;
    if (stele_clock_steady_us () < self->retry_us && !stele_lead_has_answer (self->writer->lead))
        return;
    code = self->is_full? stele_ledger_make_room (self->writer->ledger): 0;
    if (!stele_error_is_transient (code))
        snprintf (self->writer->error_text, sizeof self->writer->error_text, "%s",
            stele_ledger_error (self->writer->ledger));
    else
        code = stele_writer_again (self->writer);
    if (code)
        s_hold_back_or_fail (self, code);
    else
        s_settle (self, 0);
}

//  Between batches: what a node of a shared log has to do
static void
s_share (stele_ingest_t *self)
{
    int code = stele_lead_tick (self->writer, self->drained_us == self->listened_us);
    if (code)
        s_hold_back_or_fail (self, code);
    s_announce (self);
}

//  Once, and when it is over
static void
s_report_scrub (stele_ingest_t *self)
{
    int64_t since_ms;
    const char *error = stele_ledger_scrub_error (self->writer->ledger, &since_ms);
    if (error && !self->scrub_reported)
        stele_log_warning ("erase_failing", "contents of erased tasks are still in a file, retrying: %s", error);
    else
    if (!error && self->scrub_reported) {
        if (stele_ledger_erase_wait_ms (self->writer->ledger) >= 0)
            return;                 // The steps go on
        stele_log_info ("erase_failing", "contents of erased tasks are gone from all files");
    }
    self->scrub_reported = error != NULL;
}

//  Upkeep that fails for a transient reason is postponed: the ledger works on without it.
static void
s_upkeep (stele_ingest_t *self, int64_t spare_us)
{
    const char *error = stele_ledger_error (self->writer->ledger);
    int64_t begun_ns = stele_clock_steady_ns ();
    int code = stele_writer_erase_step (self->writer);
    code = code? code: stele_ledger_idle (self->writer->ledger, spare_us);
    self->writer->stages.checkpoint += stele_clock_steady_ns () - begun_ns;
    s_report_scrub (self);
    if (code == STELE_EFULL || code == STELE_ENO_MEMORY) {
        if (!self->postponed_reported)
            stele_log_warning ("upkeep_postponed", "upkeep of the ledger is postponed, and its files grow: %s", error);
        self->postponed_reported = true;
    }
    else
    if (code) {
        snprintf (self->writer->error_text, sizeof self->writer->error_text, "%s", error);
        s_fail (self);
    }
}

static void
s_command (stele_ingest_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command || streq (command, "$TERM"))
        self->terminated = true;
    else
    if (streq (command, "DISCARD"))
        stele_ledger_discard (self->writer->ledger);
    else
    if (streq (command, "PAUSE")) {
        self->retry_us = 0;
        if (self->writer->holding)
            s_hold (self);
        else
            s_fill (self);
        //  A stop writes the events of mode redis to the ledger; if that fails, the next start does
        stele_refusal_t refusal;
        if (self->writer->mode == STELE_MODE_REDIS && !self->failed && !self->writer->holding) {
            stele_ingest_set_mode (self, STELE_MODE_SQLITE, &refusal);
            s_mode_has_changed (self);
        }
        self->paused = true;
        stele_lead_resign (self->writer);
        s_announce (self);
        zstr_send (self->pipe, "PAUSED");
    }
    else
    if (streq (command, "PING"))
        zstr_send (self->pipe, "PONG");
    zstr_free (&command);
}

static void
s_watch_clock (stele_ingest_t *self)
{
    int64_t step_us = stele_clock_watch_look (&self->writer->clock);
    if (step_us)
        stele_log_warning ("clock_stepped", "the clock of this machine was set %s by %lld s: times before and after "
            "it do not compare", step_us < 0? "back": "forward", (long long) (step_us < 0? -step_us: step_us) / 1000000);
}

//  Until there is something to do besides messages
static int
s_tick_ms (const stele_ingest_t *self)
{
    int64_t erase_ms = stele_ledger_erase_wait_ms (self->writer->ledger);
    return erase_ms >= 0 && erase_ms < TICK_MS? (int) erase_ms: TICK_MS;
}

static void
s_loop (stele_ingest_t *self)
{
    while (!self->terminated && !self->failed) {
        bool holding = self->writer->holding;
        bool listening = !holding && !self->paused;
        int log = holding && !stele_lead_is_unsettled (self->writer->lead)? -1: stele_lead_fd (self->writer->lead);
        zmq_pollitem_t items [5] = {
            { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->events), 0, listening? ZMQ_POLLIN: 0, 0 }
        };
        int count = 3;
        if (self->pipeline && stele_lead_leads (self->writer->lead))
            items [count++] = (zmq_pollitem_t) { zsock_resolve (self->pipeline), 0, listening? ZMQ_POLLIN: 0, 0 };
        if (log >= 0)
            items [count++] = (zmq_pollitem_t) { NULL, log, ZMQ_POLLIN, 0 };
        int64_t begun_us = stele_clock_steady_us ();
        int wait_ms = holding? RETRY_MS_MIN / 2: self->writer->later || (listening && self->ahead)? 0: s_tick_ms (self);
        if (stele_poll (items, count, wait_ms) < 0)
            break;
        int64_t spare_us = stele_clock_steady_us () - begun_us;
        s_watch_clock (self);
        stele_disk_space_sample (&self->writer->disk, begun_us, self->settings->ledger);
        if (items [0].revents & ZMQ_POLLIN)
            s_command (self);
        if (self->terminated || self->failed)
            break;
        //  Also since that command: the batch of a shared log may be in doubt now
        if (self->writer->holding) {
            s_hold (self);
            continue;
        }
        s_fill (self);
        stele_news_tick (self->writer->news, stele_clock_steady_us ());
        stele_screen_tick (self->writer->screen, stele_clock_steady_us ());
        stele_roster_flush_acks (self->writer->roster, stele_ingest_flush_ack, self);
        if (self->writer->lead && !self->failed)
            s_share (self);
        //  Not in a batch that is in doubt: what it stores would be rolled back with it
        if (!self->failed && !self->writer->open)
            s_upkeep (self, spare_us);
        if (self->writer->redis_mode && spare_us > TICK_MS * 500 && !self->writer->holding)
            stele_writer_update_live_records (self->writer);
        if (self->writer->mode == STELE_MODE_REDIS
        &&  stele_clock_steady_us () - self->mode_said_us > SAY_MODE_US)
            stele_ingest_say_mode (self);
    }
}

//  -- start and stop ---------------------------------------------------------------------

//  The rule 'all', in as many batches as that takes. Returns how many tasks were interrupted, or a code with the refusal: this
//  start is to end.
static int64_t
s_interrupt_all (stele_ingest_t *self, stele_refusal_t *refusal)
{
    stele_writer_t *writer = self->writer;
    int64_t before = writer->counts.interrupted, most = self->settings->batch_events, count = most;
    STELE_FAULT (interrupt_all_before);
    while (count == most && !writer->holding && stele_lead_leads (writer->lead)) {
        count = stele_writer_interrupt_some (writer);
        if (count < 0)
            return stele_refuse (refusal, (int) count, "ledger", "%s", stele_ledger_error (writer->ledger));
        int code = stele_lead_settle (writer, self->pipe, refusal);
        if (code)
            return code;
    }
    STELE_FAULT (interrupt_all_after);
    //  The loop resolves a doubt, but interrupts no more: from now on, tasks begin
    if (writer->holding)
        stele_log_warning ("not_interrupted", "interrupted = all: the shared log does not answer, so some tasks that ran before this "
            "start may still be running; restart this node to interrupt them");
    return writer->counts.interrupted - before;
}

static int
s_open (stele_ingest_t *self, stele_refusal_t *refusal)
{
    char endpoint [80];
    int64_t begun_us = stele_clock_steady_us ();
    self->writer = stele_writer_new (self->settings, refusal);
    if (!self->writer)
        return refusal->code;
    int64_t opened_us = stele_clock_steady_us ();
    if (stele_ledger_migration (self->writer->ledger))
        stele_log_info ("migrated", "%s", stele_ledger_migration (self->writer->ledger));
    if (stele_ledger_loss (self->writer->ledger))
        stele_log_warning ("loss_accepted", "%s", stele_ledger_loss (self->writer->ledger));
    const char *notice;
    while ((notice = stele_ledger_notice (self->writer->ledger)))
        stele_log_warning ("ledger_notice", "%s", notice);
    int code = stele_mode_start (self->writer, refusal);
    if (code)
        return code;
    stele_ingest_say_mode (self);
    if (self->writer->lead && (code = stele_lead_start (self->writer, self->pipe, refusal)))
        return code;
    code = stele_writer_audit_loss (self->writer);
    if (code)
        return stele_refuse (refusal, code, "ledger", "%s", stele_ledger_error (self->writer->ledger));
    int64_t interrupted = 0;
    const stele_lead_t *lead = self->writer->lead;
    if (streq (self->settings->interrupted, "all") && stele_lead_is_cold (lead) && !self->writer->holding)
        interrupted = s_interrupt_all (self, refusal);
    if (interrupted < 0)
        return (int) interrupted;
    self->mailbox = zsock_new (ZMQ_ROUTER);
    self->head = zsock_new (ZMQ_PUB);
    assert (self->mailbox && self->head);
    zsock_set_rcvhwm (self->mailbox, 0);
    zsock_set_sndhwm (self->mailbox, 0);
    int rc = zsock_bind (self->mailbox, "%s", stele_settings_inproc (self->settings, "writer", endpoint));
    assert (rc == 0);
    rc = zsock_bind (self->head, "%s", stele_settings_inproc (self->settings, "head", endpoint));
    assert (rc == 0);
    self->events = stele_ingest_bind (self, ZMQ_ROUTER, self->settings->events, refusal);
    if (self->events && *self->settings->pipeline_in)
        self->pipeline = stele_ingest_bind (self, ZMQ_PULL, self->settings->pipeline_in, refusal);
    if (!self->events || (*self->settings->pipeline_in && !self->pipeline))
        return refusal->code;

    stele_pack_map_begin (self->pack);
    stele_pack_key_integer (self->pack, "interrupted", interrupted);
    stele_pack_key_real (self->pack, "open_s", (double) (opened_us - begun_us) / 1e6);
    stele_pack_key_real (self->pack, "interrupt_s", (double) (stele_clock_steady_us () - opened_us) / 1e6);
    stele_pack_map_end (self->pack);
    return 0;
}

static void
s_send_ready (stele_ingest_t *self)
{
    char *events = zsock_last_endpoint (self->events);
    char *pipeline = self->pipeline? zsock_last_endpoint (self->pipeline): NULL;
    self->announced = s_latest (self);
    zsock_send (self->pipe, "ssbssb", "READY", stele_ledger_id (self->writer->ledger), &self->announced, sizeof self->announced,
        events, pipeline? pipeline: "", stele_pack_data (self->pack), stele_pack_size (self->pack));
    zstr_free (&events);
    zstr_free (&pipeline);
}

void
stele_ingest (zsock_t *pipe, void *args)
{
    stele_ingest_t self = {
        .settings = args, .pipe = pipe, .pack = stele_pack_new (),
        .errors = stele_send_quota_new (ERRORS_PEER, ERRORS_ALL)
    };
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name ("writer");
    if (s_open (&self, &refusal)) {
        if (self.writer)
            stele_ledger_discard (self.writer->ledger);
        zstr_sendx (pipe, "FAILED", refusal.message, stele_error_name (refusal.code), NULL);
    }
    else {
        s_send_ready (&self);
        s_loop (&self);
        //  Messages that are held back were never acked, so producers still have them
        if (!self.failed && !self.paused && !self.writer->holding)
            s_fill (&self);
    }
    if (self.writer)
        stele_ingest_drop_ahead (&self);
    stele_writer_destroy (&self.writer);
    stele_endpoint_release (self.events);
    zsock_destroy (&self.events);
    zsock_destroy (&self.pipeline);
    zsock_destroy (&self.mailbox);
    zsock_destroy (&self.head);
    stele_send_quota_destroy (&self.errors);
    stele_pack_destroy (&self.pack);
    STELE_TSAN_RELEASE (args);
}
