/*  pipeline - the follower that pushes events onward (protocol section 6)

    PUSH says nothing of what arrived, so the cursor in the ledger stays as far behind what
    was pushed as the queue can hold: after a crash those are pushed again, and
    the next stage drops what is not greater than the position it has.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/common/actor.h"
#include "broker/common/endpoint.h"
#include "broker/followers/follower.h"
#include "broker/common/poll.h"
#include "broker/common/send_quota.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "base/thread.h"
#include "wire/event_codec.h"

#define NAME          "pipeline-out"
#define BATCH_EVENTS  500
#define QUEUE_EVENTS  1000
#define SAVE_US       1000000
//  Bytes that the next stage may leave in the queue, beside the bound of events
#define QUEUE_BYTES   (64 * 1024 * 1024)
#define FULL_WAIT_MS  20

typedef struct {
    stele_follower_t follower;
    zsock_t *socket;                // PUSH
    zsock_t *writer;                // DEALER to the writer's mailbox
    int64_t cursor;                 // Position last pushed
    int64_t saved;                  // Cursor that the ledger has been asked to keep
    int64_t saved_us;
    int64_t pushed;
    stele_send_quota_t *unread;
    bool blocked;                   // The next stage takes no more
    bool full;                      // Of bytes: no event of the socket tells when it is not
    bool draining;
} s_pipeline_t;

static int
s_push (const stele_record_t *row, void *arg)
{
    s_pipeline_t *self = arg;
    stele_pack_clear (self->follower.pack);
    stele_record_pack (row, self->follower.pack);
    STELE_FAULT (push_before);
    size_t size = stele_pack_size (self->follower.pack);
    self->full = stele_send_quota_total (self->unread) + size > QUEUE_BYTES
        && stele_send_quota_total (self->unread) > 0;
    zframe_t *frame = self->full? NULL: zframe_new (stele_pack_data (self->follower.pack), size);
    if (self->full || stele_send_quota_send (self->unread, NULL, 0, &frame, self->socket)) {
        self->blocked = true;
        return 1;
    }
    self->cursor = row->values [STELE_POSITION].integer;
    self->pushed++;
    STELE_FAULT (push_after);
    return 0;
}

static void
s_follow (s_pipeline_t *self)
{
    if (self->cursor >= self->follower.head)
        return;
    self->blocked = self->full = false;
    int code = stele_reader_events (self->follower.reader, self->cursor, BATCH_EVENTS, 0,
        s_push, self);
    stele_follower_read (&self->follower, NAME, self->cursor, code);
}

static void
s_save (s_pipeline_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    int64_t safe = self->cursor - QUEUE_EVENTS;
    if (safe <= self->saved || now_us - self->saved_us < SAVE_US)
        return;
    self->saved = safe;
    self->saved_us = now_us;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "op", "follower");
    stele_pack_key_string (pack, "name", NAME);
    stele_pack_key_integer (pack, "position", safe);
    zsock_send (self->writer, "sb", "cursor", stele_pack_data (pack), stele_pack_size (pack));
    STELE_FAULT (cursor_asked);
}

static void
s_mailbox (s_pipeline_t *self)
{
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        stele_pack_t *pack = self->follower.pack;
        stele_pack_clear (pack);
        stele_pack_map (pack, 5);
        stele_pack_key_integer (pack, "position", self->cursor);
        stele_pack_key_integer (pack, "lag_events", self->follower.head - self->cursor);
        stele_pack_key_integer (pack, "pushed", self->pushed);
        stele_pack_key_integer (pack, "saved", self->saved);
        stele_pack_key_bool (pack, "blocked", self->blocked);
        stele_follower_answer (&self->follower, &request);
    }
    //  The writer's answers say that a cursor is durable: nothing waits for that
    while (zsock_events (self->writer) & ZMQ_POLLIN) {
        zmsg_t *answer = zmsg_recv (self->writer);
        zmsg_destroy (&answer);
    }
}

static bool
s_command (s_pipeline_t *self)
{
    char *command = zstr_recv (self->follower.pipe);
    bool goes_on = command && strneq (command, "$TERM");
    if (goes_on && streq (command, "DRAIN"))
        self->draining = true;
    zstr_free (&command);
    return goes_on;
}

static void
s_loop (s_pipeline_t *self)
{
    bool goes_on = true;
    while (goes_on) {
        bool behind = self->cursor < self->follower.head && !self->follower.unreadable;
        zmq_pollitem_t items [] = {
            { zsock_resolve (self->follower.pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.heads), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->writer), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->socket), 0, ZMQ_POLLOUT, 0 }
        };
        //  While the next stage takes no more, wait until it does
        bool wait_out = behind && self->blocked;
        int wait_ms = self->full? FULL_WAIT_MS: behind && !self->blocked? 0: 200;
        if (stele_poll (items, wait_out && !self->full? 5: 4, wait_ms) < 0)
            break;
        if (items [0].revents & ZMQ_POLLIN)
            goes_on = s_command (self);
        stele_follower_hear (&self->follower);
        s_mailbox (self);
        if (!wait_out || self->full || (items [4].revents & ZMQ_POLLOUT))
            s_follow (self);
        s_save (self);
        if (self->draining && self->cursor >= self->follower.head) {
            self->draining = false;
            zstr_send (self->follower.pipe, "DRAINED");
        }
    }
}

void
stele_pipeline (zsock_t *pipe, void *args)
{
    s_pipeline_t self = { .saved_us = 0 };
    stele_refusal_t refusal = { 0 };
    char endpoint [80];
    zsock_signal (pipe, 0);
    stele_thread_name ("pipeline");
    int code = stele_follower_open (&self.follower, pipe, args, "pipeline", &refusal);
    if (code == 0) {
        int64_t cursor = stele_reader_follower (self.follower.reader, NAME);
        self.cursor = self.saved = cursor > 0? cursor: 0;
        if (cursor > self.follower.head) {
            zsys_warning ("pipeline-out: %lld events were pushed, the ledger has %lld: going on from there",
                (long long) cursor, (long long) self.follower.head);
            self.cursor = self.saved = self.follower.head;
        }
    }
    self.writer = zsock_new (ZMQ_DEALER);
    self.socket = zsock_new (ZMQ_PUSH);
    assert (self.writer && self.socket);
    int rc = zsock_connect (self.writer, "%s",
        stele_settings_inproc (self.follower.settings, "writer", endpoint));
    assert (rc == 0);
    self.unread = stele_send_quota_new (0, QUEUE_BYTES);
    zsock_set_sndhwm (self.socket, QUEUE_EVENTS);
    //  What a PULL has to say is short
    zsock_set_maxmsgsize (self.socket, 4096);
    zsock_set_handshake_ivl (self.socket, 10000);
    zsock_set_linger (self.socket, 1000);
    if (code == 0
    && (stele_endpoint_check (self.follower.settings->pipeline_out) != 0
    ||  zsock_attach (self.socket, self.follower.settings->pipeline_out, true) != 0))
        code = stele_refuse (&refusal, STELE_EUNAVAILABLE, "pipeline-out", "cannot listen on %s: %s",
            self.follower.settings->pipeline_out, zmq_strerror (zmq_errno ()));
    if (code)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", zsock_endpoint (self.socket), NULL);
        s_loop (&self);
    }
    zsock_destroy (&self.socket);
    zsock_destroy (&self.writer);
    stele_send_quota_destroy (&self.unread);
    stele_follower_close (&self.follower);
    STELE_TSAN_RELEASE (self.follower.settings);
}
