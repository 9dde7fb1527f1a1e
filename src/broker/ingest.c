/*  ingest - the actor that writes: its sockets and its loop

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/actor.h"
#include "broker/clock.h"
#include "broker/endpoint.h"
#include "broker/detour.h"
#include "broker/ingest.h"
#include "broker/mode.h"
#include "broker/poll.h"
#include "broker/unread.h"
#include "broker/thread.h"
#include "broker/writer.h"
#include "fault/fault.h"

//  A batch is closed when it has taken this long to fill, however much still arrives
#define FILL_US         20000
//  Messages that one socket may have taken before the others get their turn
#define TURN_MESSAGES   64
#define BATCH_BYTES     (32 * 1024 * 1024)
#define RETRY_MS_MIN    100
#define RETRY_MS_MAX    2000
#define ALARM_US        1000000
#define TICK_MS         100
//  Bytes of errors that a peer, and all of them, may leave unread; what is more is not said
#define ERRORS_PEER     (64 * 1024)
#define ERRORS_ALL      (32 * 1024 * 1024)
#define SAY_MODE_US     60000000
//  A loop that took longer did not listen: stopped (SIGSTOP), or storage was slow
#define STALL_US        1000000

typedef struct {
    const stele_settings_t *settings;
    zsock_t *pipe;
    zsock_t *events;                // ROUTER
    zsock_t *pipeline;              // PULL, or NULL
    zsock_t *mailbox;               // ROUTER
    zsock_t *head;                  // PUB
    stele_writer_t *writer;
    stele_pack_t *pack;
    stele_unread_t *errors;         // That peers have not read
    int64_t announced;              // Head that was last said
    int retry_ms;
    int64_t retry_us;               // Steady clock: when to try again while holding
    int64_t listened_us;            // Steady clock: when leases were last looked at
    bool is_full;                   // Why it holds back: no room
    bool checkpoint_told;           // That there is no room to fold the log in
    int64_t alarmed_us;
    int64_t mode_said_us;
    bool paused;
    bool terminated;
    bool failed;
} s_ingest_t;

static void
s_settle (s_ingest_t *self, int code);
static void
s_announce (s_ingest_t *self);
static void
s_fail (s_ingest_t *self);

//  -- receiving --------------------------------------------------------------------

//  All frames of the next message. Returns their number, 0 where none is waiting; frames
//  beyond 'max' are dropped.
static int
s_recv (zsock_t *socket, zmq_msg_t *frames, int max)
{
    void *handle = zsock_resolve (socket);
    int count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init (&frame);
        if (zmq_msg_recv (&frame, handle, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&frame);
            break;
        }
        more = zmq_msg_more (&frame);
        if (count < max)
            frames [count] = frame;
        else
            zmq_msg_close (&frame);
        count++;
    }
    return count;
}

static void
s_close (zmq_msg_t *frames, int count, int max)
{
    for (int i = 0; i < count && i < max; i++)
        zmq_msg_close (&frames [i]);
}

static stele_input_t *
s_input (stele_source_t source, zmq_msg_t *id, zmq_msg_t *token, zmq_msg_t *body)
{
    return stele_input_new (source, id? zmq_msg_data (id): NULL, id? zmq_msg_size (id): 0,
        token? zmq_msg_data (token): NULL, token? zmq_msg_size (token): 0,
        body? zmq_msg_data (body): NULL, body? zmq_msg_size (body): 0);
}

//  One message of the events socket. [id][body]; a peer that sends other frames gets
//  'malformed' for an empty body. Returns whether there was one.
static bool
s_take_event (s_ingest_t *self, int *code)
{
    zmq_msg_t frames [2];
    int64_t begun_ns = stele_clock_steady_ns ();
    int count = s_recv (self->events, frames, 2);
    if (count == 0)
        return false;
    stele_input_t *input = s_input (STELE_FROM_PEER, &frames [0], NULL, count == 2? &frames [1]: NULL);
    s_close (frames, count, 2);
    self->writer->stages.receive += stele_clock_steady_ns () - begun_ns;
    *code = stele_writer_take (self->writer, input);
    return true;
}

static bool
s_take_pipeline (s_ingest_t *self, int *code)
{
    if (!self->pipeline)
        return false;
    zmq_msg_t frames [1];
    int count = s_recv (self->pipeline, frames, 1);
    if (count == 0)
        return false;
    *code = stele_writer_take (self->writer, s_input (STELE_FROM_PIPELINE, NULL, NULL, &frames [0]));
    s_close (frames, count, 1);
    return true;
}

static bool
s_is (zmq_msg_t *body, const char *name)
{
    stele_token_t op = stele_scan_find (zmq_msg_data (body), zmq_msg_size (body), "op", NULL, NULL);
    return op.kind == STELE_SCAN_TEXT && op.size == strlen (name) && memcmp (op.data, name, op.size) == 0;
}

//  What the pack holds, at once
static void
s_answer_now (s_ingest_t *self, zmq_msg_t *id, zmq_msg_t *token)
{
    void *handle = zsock_resolve (self->mailbox);
    zmq_send (handle, zmq_msg_data (id), zmq_msg_size (id), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send (handle, zmq_msg_data (token), zmq_msg_size (token), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send (handle, stele_pack_data (self->pack), stele_pack_size (self->pack), ZMQ_DONTWAIT);
}

//  -- the mode ----------------------------------------------------------------------

static void
s_say_mode (s_ingest_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    self->mode_said_us = now_us;
    if (self->writer->mode == STELE_MODE_REDIS)
        zsys_warning ("MODE REDIS: PERSISTENCE IS OFF. Acks wait for Redis only, the ledger is not written, the feed "
            "and the history stand still at position %lld; %lld events are only in Redis. 'stele mode dual' brings "
            "them into the ledger", (long long) stele_ledger_head (self->writer->ledger),
            (long long) stele_writer_detour_events (self->writer));
    else
        zsys_info ("mode %s, ledger at position %lld", stele_mode_word ((stele_mode_t) self->writer->mode),
            (long long) stele_ledger_head (self->writer->ledger));
}

//  Between batches: what has been taken is committed first, unless it is held back, then it
//  runs again in the mode that is set now.
static int
s_set_mode (s_ingest_t *self, stele_mode_t wanted, stele_refusal_t *refusal)
{
    if (!self->writer->holding)
        s_settle (self, 0);
    if (self->failed)
        return stele_refuse (refusal, STELE_EIO, "mode", "%s", self->writer->trouble);
    int code = stele_mode_switch (self->writer, wanted, refusal);
    if (self->writer->mode == STELE_MODE_REDIS && !stele_ledger_suspended (self->writer->ledger)) {
        snprintf (self->writer->trouble, sizeof self->writer->trouble, "%.500s", refusal->message);
        s_fail (self);
    }
    self->retry_us = 0;
    s_announce (self);
    s_say_mode (self);
    return code;
}

static void
s_take_mode (s_ingest_t *self, zmq_msg_t *body)
{
    stele_refusal_t refusal = { 0 };
    stele_token_t token = stele_scan_find (zmq_msg_data (body), zmq_msg_size (body), "mode", NULL, NULL);
    int code = 0;
    if (token.kind != STELE_SCAN_END && token.kind != STELE_SCAN_NIL) {
        int wanted = token.kind == STELE_SCAN_TEXT? stele_mode_of (token.data, token.size): -1;
        code = wanted < 0?
            stele_refuse (&refusal, STELE_EBAD_REQUEST, "mode", "mode takes dual, sqlite or redis"):
            s_set_mode (self, (stele_mode_t) wanted, &refusal);
    }
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, code? 2: 4);
    stele_pack_key_bool (self->pack, "ok", code == 0);
    if (code) {
        stele_pack_string (self->pack, "error");
        stele_pack_map (self->pack, 3);
        stele_pack_key_string (self->pack, "code", stele_error_name (refusal.code));
        stele_pack_key_string (self->pack, "message", refusal.message);
        stele_pack_key_string (self->pack, "field", "mode");
        return;
    }
    stele_pack_key_integer (self->pack, "position", stele_ledger_head (self->writer->ledger));
    stele_pack_key_string (self->pack, "mode", stele_mode_word ((stele_mode_t) self->writer->mode));
    stele_pack_key_integer (self->pack, "only_in_redis", stele_writer_detour_events (self->writer));
}

//  One message of the mailbox. [id][token][body], from our own actors only.
static bool
s_take_request (s_ingest_t *self, int *code)
{
    zmq_msg_t frames [3];
    int count = s_recv (self->mailbox, frames, 3);
    if (count == 0)
        return false;
    if (count == 3 && s_is (&frames [2], "stats")) {
        stele_pack_clear (self->pack);
        stele_writer_pack_stats (self->writer, self->pack);
        s_answer_now (self, &frames [0], &frames [1]);
    }
    else
    if (count == 3 && s_is (&frames [2], "mode")) {
        s_take_mode (self, &frames [2]);
        s_answer_now (self, &frames [0], &frames [1]);
    }
    else
    if (count == 3)
        *code = stele_writer_take (self->writer,
            s_input (STELE_FROM_MAILBOX, &frames [0], &frames [1], &frames [2]));
    s_close (frames, count, 3);
    return true;
}

//  -- answering --------------------------------------------------------------------

#ifdef STELE_WITH_FAULTS
//  Each kind of answer is a place of its own: {"op": "ack", ... begins with the op.
static void
s_pass (const stele_answer_t *answer, bool sent)
{
    bool named = answer->size >= 8 && answer->to == STELE_FROM_PEER;
    if (answer->to == STELE_FROM_MAILBOX)
        stele_fault_hit (sent? STELE_FAULT_AT_answer_after: STELE_FAULT_AT_answer_before);
    else
    if (named && memcmp (answer->data + 4, "\xa3" "ack", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_ack_after: STELE_FAULT_AT_ack_before);
    else
    if (named && memcmp (answer->data + 4, "\xa3" "nak", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_nak_after: STELE_FAULT_AT_nak_before);
    else
    if (named && memcmp (answer->data + 4, "\xa7" "wel", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_welcome_after: STELE_FAULT_AT_welcome_before);
}
#else
#define s_pass(answer, sent) ((void) 0)
#endif

static void
s_send_answer (s_ingest_t *self, const stele_answer_t *answer)
{
    void *handle = zsock_resolve (answer->to == STELE_FROM_PEER? self->events: self->mailbox);
    int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    bool counted = answer->is_error && answer->to == STELE_FROM_PEER;
    bool fits = !counted || stele_unread_fits (self->errors, answer->id, answer->id_size, answer->size);
    //  The peer is gone: it resends, and is answered as a duplicate. Or it reads nothing: an ack
    //  is cumulative, one later will do.
    if (!fits || zmq_send (handle, answer->id, answer->id_size, flags) < 0) {
        self->writer->counts.undeliverable++;
        if (fits && errno == EAGAIN && answer->received_us && answer->to == STELE_FROM_PEER)
            stele_roster_owe (self->writer->roster, answer->id, answer->id_size);
        return;
    }
    if (counted) {
        zframe_t *frame = zframe_new (answer->data, answer->size);
        stele_unread_send (self->errors, answer->id, answer->id_size, &frame, self->events);
        return;
    }
    if (answer->token_size)
        zmq_send (handle, answer->token, answer->token_size, flags);
    zmq_send (handle, answer->data, answer->size, ZMQ_DONTWAIT);
}

static void
s_send_answers (s_ingest_t *self)
{
    int64_t begun_ns = stele_clock_steady_ns ();
    int64_t now_us = begun_ns / 1000;
    for (const stele_answer_t *answer = self->writer->answers; answer; answer = answer->next) {
        if (answer->superseded)
            continue;
        s_pass (answer, false);
        s_send_answer (self, answer);
        s_pass (answer, true);
        if (answer->received_us)
            stele_histogram_record (self->writer->ack_us, now_us - answer->received_us);
    }
    stele_writer_sent (self->writer);
    self->writer->stages.ack += stele_clock_steady_ns () - begun_ns;
}

//  One ack for all that a peer could not be sent before
static bool
s_pay (const void *id, size_t size, const stele_member_t *member, void *arg)
{
    s_ingest_t *self = arg;
    void *handle = zsock_resolve (self->events);
    if (zmq_send (handle, id, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return errno != EAGAIN;
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 3);
    stele_pack_key_string (self->pack, "op", "ack");
    stele_pack_key_integer (self->pack, "sequence", member->durable.sequence);
    stele_pack_key_integer (self->pack, "position", stele_ledger_head (self->writer->ledger));
    zmq_send (handle, stele_pack_data (self->pack), stele_pack_size (self->pack), ZMQ_DONTWAIT);
    return true;
}

static void
s_announce (s_ingest_t *self)
{
    int64_t head = stele_ledger_head (self->writer->ledger);
    if (head == self->announced)
        return;
    self->announced = head;
    STELE_FAULT (announce_before);
    zmq_send (zsock_resolve (self->head), &head, sizeof head, ZMQ_DONTWAIT);
    STELE_FAULT (announce_after);
}

//  -- the batch ------------------------------------------------------------------------

static void
s_fail (s_ingest_t *self)
{
    self->failed = true;
    zsys_error ("storage failed, stopping; what was acked is safe: %s", self->writer->trouble);
    zstr_sendx (self->pipe, "FAILED", self->writer->trouble, NULL);
}

//  A storage error: hold back what passes by itself, stop for anything else.
static void
s_trouble (s_ingest_t *self, int code)
{
    if (code != STELE_EFULL && code != STELE_EBUSY && code != STELE_ENO_MEMORY) {
        s_fail (self);
        return;
    }
    self->is_full = code == STELE_EFULL;
    if (self->retry_ms == 0) {
        self->retry_ms = RETRY_MS_MIN;
        zsys_warning ("storage cannot take writes, holding back acks until it can: %s (%s)",
            self->writer->trouble, stele_error_name (code));
    }
    else
        self->retry_ms = self->retry_ms * 2 > RETRY_MS_MAX? RETRY_MS_MAX: self->retry_ms * 2;
    self->retry_us = stele_clock_steady_us () + self->retry_ms * 1000;
}

//  Loudly, but a peer that asks over and over does not fill the log
static void
s_sound_alarm (s_ingest_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    if (!*self->writer->alarm || (self->alarmed_us && now_us - self->alarmed_us < ALARM_US))
        return;
    self->alarmed_us = now_us;
    zsys_error ("%s", self->writer->alarm);
    *self->writer->alarm = 0;
}

static void
s_settle (s_ingest_t *self, int code)
{
    int64_t events = self->writer->batch_events;
    int64_t begun_us = stele_clock_steady_us ();
    if (code == 0 && STELE_CONTROL (ack_before_commit))
        s_send_answers (self);
    if (code == 0)
        code = stele_writer_commit (self->writer);
    if (code) {
        s_trouble (self, code);
        return;
    }
    if (self->retry_ms) {
        zsys_info ("storage takes writes again");
        self->retry_ms = 0;
        *self->writer->trouble = 0;
    }
    if (self->settings->verbose && events)
        zsys_info ("committed %lld events, head %lld, %.3f ms", (long long) events,
            (long long) stele_ledger_head (self->writer->ledger),
            (double) (stele_clock_steady_us () - begun_us) / 1e3);
    //  Whoever waits for an ack first: saying the head wakes every follower
    s_send_answers (self);
    s_announce (self);
    s_sound_alarm (self);
}

//  The leases that have run out. Time in which this broker did not listen is no silence of others.
static int
s_expire (s_ingest_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    if (self->listened_us && now_us - self->listened_us > STALL_US)
        stele_roster_extend (self->writer->roster, now_us - self->listened_us);
    self->listened_us = now_us;
    return stele_writer_expire (self->writer);
}

//  Take what has arrived, from each socket in turn, until nothing is left or a bound is reached.
static void
s_fill (s_ingest_t *self)
{
    stele_writer_t *writer = self->writer;
    int64_t until_us = stele_clock_steady_us () + FILL_US;
    int code = 0;
    bool any = true;
    while (any && code == 0) {
        int taken = 0;
        while (taken < TURN_MESSAGES && code == 0 && !self->paused
        &&     writer->batch_events < self->settings->batch_events && s_take_event (self, &code))
            taken++;
        any = taken == TURN_MESSAGES;
        if (code == 0 && !self->paused && s_take_pipeline (self, &code))
            any = true;
        if (code == 0 && s_take_request (self, &code))
            any = true;
        if (writer->batch_events >= self->settings->batch_events
        ||  writer->batch_bytes >= BATCH_BYTES
        ||  (any && stele_clock_steady_us () >= until_us))
            break;
    }
    //  After what has arrived, which may be the word of a producer just in time
    if (code == 0 && !self->paused)
        code = s_expire (self);
    s_settle (self, code);
}

static void
s_hold (s_ingest_t *self)
{
    int code = 0;
    //  Requests are kept with the batch, so that statistics behind them are answered
    for (int i = 0; i < 64 && self->writer->batch_bytes < BATCH_BYTES; i++)
        if (!s_take_request (self, &code))
            break;
    if (stele_clock_steady_us () < self->retry_us)
        return;
    code = self->is_full? stele_ledger_make_room (self->writer->ledger): 0;
    if (code == STELE_EIO)
        snprintf (self->writer->trouble, sizeof self->writer->trouble, "%s",
            stele_ledger_error (self->writer->ledger));
    else
        code = stele_writer_again (self->writer);
    if (code)
        s_trouble (self, code);
    else
        s_settle (self, 0);
}

//  Without room in the file the log goes on growing, if there is room for that.
static void
s_checkpoint (s_ingest_t *self, int64_t spare_us)
{
    const char *error = stele_ledger_error (self->writer->ledger);
    int64_t begun_ns = stele_clock_steady_ns ();
    int code = stele_ledger_checkpoint (self->writer->ledger, spare_us);
    self->writer->stages.checkpoint += stele_clock_steady_ns () - begun_ns;
    if (code == STELE_EFULL || code == STELE_ENO_MEMORY) {
        if (!self->checkpoint_told)
            zsys_warning ("cannot fold the write-ahead log into the ledger, it grows: %s", error);
        self->checkpoint_told = true;
    }
    else
    if (code) {
        snprintf (self->writer->trouble, sizeof self->writer->trouble, "%s", error);
        s_fail (self);
    }
}

static void
s_command (s_ingest_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command || streq (command, "$TERM"))
        self->terminated = true;
    else
    if (streq (command, "PAUSE")) {
        self->retry_us = 0;
        if (self->writer->holding)
            s_hold (self);
        else
            s_fill (self);
        //  A stop brings home what mode redis has; where that fails, the next start does
        stele_refusal_t refusal;
        if (self->writer->mode == STELE_MODE_REDIS && !self->failed && !self->writer->holding)
            s_set_mode (self, STELE_MODE_SQLITE, &refusal);
        self->paused = true;
        zstr_send (self->pipe, "PAUSED");
    }
    zstr_free (&command);
}

static void
s_loop (s_ingest_t *self)
{
    while (!self->terminated && !self->failed) {
        bool holding = self->writer->holding;
        bool listening = !holding && !self->paused;
        zmq_pollitem_t items [] = {
            { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->events), 0, listening? ZMQ_POLLIN: 0, 0 },
            { self->pipeline? zsock_resolve (self->pipeline): NULL, 0, listening? ZMQ_POLLIN: 0, 0 }
        };
        int64_t begun_us = stele_clock_steady_us ();
        if (stele_poll (items, self->pipeline? 4: 3, holding? RETRY_MS_MIN / 2: TICK_MS) < 0)
            break;
        int64_t spare_us = stele_clock_steady_us () - begun_us;
        if (items [0].revents & ZMQ_POLLIN)
            s_command (self);
        if (self->terminated)
            break;
        if (holding) {
            s_hold (self);
            continue;
        }
        s_fill (self);
        stele_roster_pay (self->writer->roster, s_pay, self);
        if (!self->failed)
            s_checkpoint (self, spare_us);
        if (stele_writer_on_detour (self->writer) && spare_us > TICK_MS * 500 && !self->writer->holding)
            stele_writer_follow_detour (self->writer);
        if (self->writer->mode == STELE_MODE_REDIS
        &&  stele_clock_steady_us () - self->mode_said_us > SAY_MODE_US)
            s_say_mode (self);
    }
}

//  -- start and stop ---------------------------------------------------------------------

//  Bind a socket that strangers talk to: bounded in what it takes before anything is read.
static zsock_t *
s_bind (s_ingest_t *self, int type, const char *endpoint, stele_refusal_t *refusal)
{
    zsock_t *socket = zsock_new (type);
    assert (socket);
    zsock_set_maxmsgsize (socket, (int) (self->settings->message_bytes * 2));
    zsock_set_handshake_ivl (socket, 10000);
    //  libzmq 4.3.4 loses what a peer left in the pipe of an ipc:// socket when it closes
    //  while this side is at its high-water mark: the hang-up counts as an error before the
    //  rest is read. Who has acks sends it again; the pipeline has none, so it has no mark.
    bool without_acks = type == ZMQ_PULL && strncmp (endpoint, "ipc://", 6) == 0;
    zsock_set_rcvhwm (socket, without_acks? 0: 100);
    zsock_set_sndhwm (socket, 10000);
    zsock_set_linger (socket, 1000);
    zsock_set_backlog (socket, 1024);
    if (type == ZMQ_ROUTER)
        zsock_set_router_mandatory (socket, 1);
    if (zsock_attach (socket, endpoint, true) != 0) {
        stele_refuse (refusal, STELE_EUNAVAILABLE, type == ZMQ_ROUTER? "events": "pipeline-in",
            "cannot listen on %s: %s", endpoint, zmq_strerror (zmq_errno ()));
        zsock_destroy (&socket);
    }
    return socket;
}

static int
s_open (s_ingest_t *self, stele_refusal_t *refusal)
{
    char endpoint [80];
    int64_t begun_us = stele_clock_steady_us ();
    self->writer = stele_writer_new (self->settings, refusal);
    if (!self->writer)
        return refusal->code;
    int64_t opened_us = stele_clock_steady_us ();
    if (stele_ledger_loss (self->writer->ledger))
        zsys_warning ("%s", stele_ledger_loss (self->writer->ledger));
    int code = stele_mode_start (self->writer, refusal);
    if (code)
        return code;
    s_say_mode (self);
    int64_t interrupted = 0;
    if (streq (self->settings->interrupted, "all"))
        interrupted = stele_writer_interrupt_all (self->writer);
    if (interrupted < 0)
        return stele_refuse (refusal, (int) interrupted, "ledger", "%s",
            stele_ledger_error (self->writer->ledger));
    self->mailbox = zsock_new (ZMQ_ROUTER);
    self->head = zsock_new (ZMQ_PUB);
    assert (self->mailbox && self->head);
    zsock_set_rcvhwm (self->mailbox, 0);
    zsock_set_sndhwm (self->mailbox, 0);
    int rc = zsock_bind (self->mailbox, "%s", stele_settings_inproc (self->settings, "writer", endpoint));
    assert (rc == 0);
    rc = zsock_bind (self->head, "%s", stele_settings_inproc (self->settings, "head", endpoint));
    assert (rc == 0);
    self->events = s_bind (self, ZMQ_ROUTER, self->settings->events, refusal);
    if (self->events && *self->settings->pipeline_in)
        self->pipeline = s_bind (self, ZMQ_PULL, self->settings->pipeline_in, refusal);
    if (!self->events || (*self->settings->pipeline_in && !self->pipeline))
        return refusal->code;

    stele_pack_map (self->pack, 3);
    stele_pack_key_integer (self->pack, "interrupted", interrupted);
    stele_pack_key_real (self->pack, "open_s", (double) (opened_us - begun_us) / 1e6);
    stele_pack_key_real (self->pack, "interrupt_s", (double) (stele_clock_steady_us () - opened_us) / 1e6);
    return 0;
}

static void
s_say_ready (s_ingest_t *self)
{
    char head [24];
    snprintf (head, sizeof head, "%lld", (long long) stele_ledger_head (self->writer->ledger));
    self->announced = stele_ledger_head (self->writer->ledger);
    zsock_send (self->pipe, "sssssb", "READY", stele_ledger_id (self->writer->ledger), head,
        zsock_endpoint (self->events), self->pipeline? zsock_endpoint (self->pipeline): "",
        stele_pack_data (self->pack), stele_pack_size (self->pack));
}

void
stele_ingest (zsock_t *pipe, void *args)
{
    s_ingest_t self = {
        .settings = args, .pipe = pipe, .pack = stele_pack_new (),
        .errors = stele_unread_new (ERRORS_PEER, ERRORS_ALL)
    };
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name ("writer");
    if (s_open (&self, &refusal))
        zstr_sendx (pipe, "FAILED", refusal.message, stele_error_name (refusal.code), NULL);
    else {
        s_say_ready (&self);
        s_loop (&self);
        //  What was taken while it held back was never acked: its producers keep it
        if (!self.failed && !self.paused && !self.writer->holding)
            s_fill (&self);
    }
    stele_writer_destroy (&self.writer);
    stele_endpoint_release (self.events);
    zsock_destroy (&self.events);
    zsock_destroy (&self.pipeline);
    zsock_destroy (&self.mailbox);
    zsock_destroy (&self.head);
    stele_unread_destroy (&self.errors);
    stele_pack_destroy (&self.pack);
    STELE_TOLD (args);
}
