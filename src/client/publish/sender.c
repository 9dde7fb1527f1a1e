/*  sender - the actor behind a client that publishes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include "base/memory.h"
#include "client/connection/link.h"
#include "client/publish/sender.h"
#include "base/tsan.h"

#define SENDER_ANSWER_BYTES    1048576      // Largest message to accept
#define SENDER_ANSWERS_MAX       10000      // Messages that may queue for receiving
#define SENDER_EVENTS_MAX        10000      // Events received before polling the broker again
#define SENDER_REFUSED_MS         1000      // Until the next attempt, after the broker refused the connection
#define SENDER_LINGER_MS          1000      // For the last messages

typedef struct {
    zsock_t *pipe;
    zsock_t *pair;
    stele_link_t *link;             // NULL when the dialog has ended
    stele_dialog_t *dialog;
    stele_pack_t *pack;
    bool each_event;                // Wake up for each event: batches of one, or no delay
    bool terminated;
    bool goodbye;                   // Send goodbye at the end
    bool keep;                      // ... with 'keep'
    bool received;                  // Anything since the link was opened
    int64_t received_ms;            // When; or when the link was opened
    int64_t again_ms;               // When to connect again, after a refusal or to another node; 0: not planned
    bool moving;                    // ... to another node
    int moves;                      // Since the last welcome
    bool refusal_reported;          // Since the last connection
    int64_t now_ms;                 // Of the monotonic clock
} sender_t;

static sender_t *
s_sender_new (zsock_t *pipe, const stele_sender_settings_t *settings)
{
    sender_t *self = STELE_NEW (sender_t);
    self->pipe = pipe;
    self->now_ms = zclock_mono ();
    self->pair = zsock_new (ZMQ_PAIR);
    assert (self->pair);
    //  No limit here: the publisher limits the events and bytes that it hands over
    zsock_set_rcvhwm (self->pair, 0);
    zsock_set_linger (self->pair, 0);
    int rc = zsock_connect (self->pair, "%s", settings->pair);
    assert (rc == 0);
    self->link = stele_link_new (ZMQ_DEALER, settings->endpoint, settings->key,
        SENDER_ANSWERS_MAX, SENDER_ANSWER_BYTES);
    self->dialog = stele_dialog_new (&settings->dialog, self->now_ms);
    self->each_event = settings->dialog.batch_events == 1 || settings->dialog.delay_ms == 0;
    self->pack = stele_pack_new ();
    assert (self->pack);
    return self;
}

static void
s_sender_destroy (sender_t **self_p)
{
    sender_t *self = *self_p;
    stele_link_destroy (&self->link, 0);
    stele_dialog_destroy (&self->dialog);
    stele_pack_destroy (&self->pack);
    zsock_destroy (&self->pair);
    free (self);
    *self_p = NULL;
}

//  -- the broker --------------------------------------------------------------

static void
s_handshake_if_connected (sender_t *self)
{
    if (!stele_link_connected (self->link) || self->moving)
        return;
    self->received_ms = self->now_ms;
    self->again_ms = 0;
    self->refusal_reported = false;
    stele_dialog_handshake (self->dialog);
}

static bool
s_has_others (const sender_t *self)
{
    return stele_endpoints_several (stele_link_endpoints (self->link));
}

//  Connect to another node: the writer, if its endpoints are known and can be used, or the next one
static void
s_move (sender_t *self, const char *writer)
{
    stele_endpoints_t *endpoints = stele_link_endpoints (self->link);
    if (!writer || !stele_endpoints_go (endpoints, writer))
        stele_endpoints_next (endpoints);
    self->moving = true;
    self->again_ms = self->now_ms + stele_endpoints_pause_ms (self->moves++);
}

//  The broker refused the connection: libzmq may not try again, but its operator may change that
static void
s_take_refusal (sender_t *self)
{
    stele_refusal_t refusal;
    if (!stele_link_refused (self->link, &refusal))
        return;
    //  Of several nodes, another one may accept the key
    bool tried = self->moves + 1 >= (int) stele_endpoints_count (stele_link_endpoints (self->link));
    if (s_has_others (self))
        s_move (self, NULL);
    self->again_ms = self->now_ms + SENDER_REFUSED_MS;
    if (self->refusal_reported || !tried)
        return;
    stele_dialog_report_refusal (self->dialog, refusal.code, refusal.message);
    self->refusal_reported = true;
}

//  Is this node lost, or not the writer?
static void
s_check_node (sender_t *self)
{
    const char *writer = stele_dialog_writer (self->dialog);
    if (self->moving)
        return;
    if (writer || (s_has_others (self) && stele_link_lost (self->link)))
        s_move (self, writer);
}

//  How long this node may be silent
static int64_t
s_patience_ms (const sender_t *self)
{
    bool others = self->link && s_has_others (self) && !stele_dialog_greeted (self->dialog);
    return others? stele_endpoints_patience_ms (self->moves): stele_dialog_silence_ms (self->dialog);
}

static void
s_open (sender_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_dialog_disconnected (self->dialog);
    self->received = false;
    self->received_ms = self->now_ms;
    self->again_ms = 0;
    self->moving = false;
    if (stele_link_open (self->link, &refusal) != 0)
        stele_dialog_end (self->dialog, refusal.code, refusal.message);
    s_handshake_if_connected (self);
}

static void
s_check_link (sender_t *self)
{
    s_handshake_if_connected (self);
    if (stele_dialog_ended (self->dialog))
        return;
    s_take_refusal (self);
    s_check_node (self);
    if (self->again_ms && self->now_ms >= self->again_ms)
        s_open (self);
    if (self->moving || self->now_ms < self->received_ms + s_patience_ms (self))
        return;
    if (s_has_others (self)) {
        s_move (self, NULL);
        return;
    }
    //  Over inproc, a broker that never sent anything has not bound yet
    if (self->received || !stele_link_local (self->link)) {
        s_open (self);
    }
    else {
        self->received_ms = self->now_ms;
    }
}

static bool
s_send (sender_t *self)
{
    return zmq_send (stele_link_socket (self->link), stele_pack_data (self->pack),
        stele_pack_size (self->pack), ZMQ_DONTWAIT) >= 0;
}

static void
s_send_due (sender_t *self)
{
    while (stele_dialog_pack_next (self->dialog, self->now_ms, self->pack)) {
        if (!s_send (self)) {
            stele_dialog_disconnected (self->dialog);
            //  Over other transports libzmq reconnects, and the link reports it
            if (stele_link_local (self->link))
                s_open (self);
            return;
        }
    }
}

static void
s_receive_answers (sender_t *self)
{
    for (int i = 0; i < SENDER_ANSWERS_MAX; i++) {
        zmq_msg_t frame;
        zmq_msg_init (&frame);
        int size = zmq_msg_recv (&frame, stele_link_socket (self->link), ZMQ_DONTWAIT);
        if (size >= 0) {
            self->received = true;
            self->received_ms = self->now_ms;
            stele_dialog_receive (self->dialog, zmq_msg_data (&frame), zmq_msg_size (&frame),
                self->now_ms);
            if (stele_dialog_greeted (self->dialog))
                self->moves = 0;
        }
        zmq_msg_close (&frame);
        if (size < 0)
            return;
    }
}

//  -- the application ---------------------------------------------------------

static void
s_take_events (sender_t *self)
{
    void *pair = zsock_resolve (self->pair);
    for (int i = 0; i < SENDER_EVENTS_MAX; i++) {
        zmq_msg_t event;
        zmq_msg_init (&event);
        int size = zmq_msg_recv (&event, pair, ZMQ_DONTWAIT);
        if (size >= 0) {
            STELE_TSAN_ACQUIRE (zmq_msg_data (&event));
            stele_dialog_put (self->dialog, &event, self->now_ms);
        }
        zmq_msg_close (&event);
        if (size < 0)
            return;
    }
}

//  Receive commands, and the events that were handed over before them
static void
s_take_commands (sender_t *self)
{
    bool flush = false;
    char command [8];
    int size;
    void *pipe = zsock_resolve (self->pipe);
    while ((size = zmq_recv (pipe, command, sizeof command, ZMQ_DONTWAIT)) >= 0) {
        if (size == 5 && memcmp (command, "$TERM", 5) == 0)
            self->terminated = true;
        if (size == 5 && memcmp (command, STELE_SENDER_FLUSH, 5) == 0)
            flush = true;
        if (size == 5 && memcmp (command, STELE_SENDER_LEAVE, 5) == 0)
            self->goodbye = true;
        if (size == 5 && memcmp (command, STELE_SENDER_ASIDE, 5) == 0)
            self->goodbye = self->keep = true;
    }
    s_take_events (self);
    if (flush)
        stele_dialog_flush (self->dialog);
}

//  -- the loop ----------------------------------------------------------------

static long
s_timeout_ms (const sender_t *self)
{
    int64_t deadline = stele_dialog_deadline (self->dialog, self->now_ms);
    int64_t silent = self->received_ms + s_patience_ms (self);
    if (self->link && !self->moving && !stele_dialog_ended (self->dialog) && silent < deadline)
        deadline = silent;
    if (self->again_ms && self->again_ms < deadline)
        deadline = self->again_ms;
    return deadline > self->now_ms? (long) (deadline - self->now_ms): 0;
}

static void
s_wait (sender_t *self, bool notices_left)
{
    bool batch_open = !self->each_event && stele_dialog_waiting (self->dialog) > 0;
    zmq_pollitem_t items [4] = {
        { .socket = zsock_resolve (self->pipe), .events = ZMQ_POLLIN },
        { .socket = zsock_resolve (self->pair),
          .events = (short) ((batch_open? 0: ZMQ_POLLIN) | (notices_left? ZMQ_POLLOUT: 0)) }
    };
    int count = 2;
    if (self->link) {
        items [count].socket = stele_link_socket (self->link);
        items [count++].events = ZMQ_POLLIN;
    }
    if (self->link && stele_link_monitor (self->link)) {
        items [count].socket = stele_link_monitor (self->link);
        items [count++].events = ZMQ_POLLIN;
    }
    zmq_poll (items, count, s_timeout_ms (self));
    self->now_ms = zclock_mono ();
}

//  Send what is batched, and a goodbye if that was requested
static void
s_leave (sender_t *self)
{
    s_take_events (self);
    stele_dialog_flush (self->dialog);
    s_send_due (self);
    if (!stele_dialog_greeted (self->dialog))
        return;
    if (self->goodbye) {
        stele_dialog_pack_goodbye (self->dialog, self->keep, self->pack);
        s_send (self);
    }
    stele_link_destroy (&self->link, SENDER_LINGER_MS);
}

void
stele_sender (zsock_t *pipe, void *args)
{
    //  Signals must reach the application's thread, to end its waits
    sigset_t signals;
    sigfillset (&signals);
    pthread_sigmask (SIG_BLOCK, &signals, NULL);

    sender_t *self = s_sender_new (pipe, (const stele_sender_settings_t *) args);
    //  The spool, which the thread of the client closes when this one has ended
    const void *spool = ((const stele_sender_settings_t *) args)->dialog.keep_arg;
    STELE_TSAN_RELEASE (args);
    zsock_signal (pipe, 0);
    s_open (self);
    while (!self->terminated) {
        if (self->link)
            s_check_link (self);
        if (self->link)
            s_send_due (self);
        //  An ended run may still have to say goodbye
        if (stele_dialog_ended (self->dialog) && !stele_dialog_greeted (self->dialog))
            stele_link_destroy (&self->link, 0);
        s_wait (self, !stele_notices_send (stele_dialog_notices (self->dialog),
            zsock_resolve (self->pair)));
        s_take_commands (self);
        if (self->link)
            s_receive_answers (self);
    }
    if (self->link)
        s_leave (self);
    s_sender_destroy (&self);
    if (spool)
        STELE_TSAN_RELEASE (spool);
}
