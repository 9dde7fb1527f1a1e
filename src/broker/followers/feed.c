/*  feed - the follower that publishes what was committed (protocol section 5)

    Works only while somebody subscribes: XPUB says who does. A subscriber that joins late or
    falls behind repairs its gap with events.read.

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

#define BATCH_EVENTS  500
#define HEARTBEAT_US  1000000
//  Content above this is left out, so that a subscriber who does not read costs little
#define CONTENT_MAX   65536
//  Most messages kept for one subscriber; what does not fit is a gap for it
#define SUBSCRIBER_MESSAGES 1000
//  While subscribers leave that much unread, content above CONTENT_MIN is left out, and an
//  event that is larger than CONTENT_MAX all the same: a gap, which they fill with events.read
#define UNREAD_MAX    (256 * 1024 * 1024)
#define CONTENT_MIN   1024
//  Smaller messages are not worth counting: there are few enough of them for a subscriber
#define COUNTED_MIN   2048
//  Of a subscription; no topic of an event is that long
#define TOPIC_MAX     1023

typedef struct {
    stele_follower_t follower;
    zsock_t *socket;                // XPUB
    int64_t cursor;                 // Position last published, or skipped while nobody listened
    zhash_t *topics;                // Somebody subscribes to these
    int64_t beat_us;                // Steady clock: last heartbeat
    int64_t published;
    int64_t left_out;               // Events that were too large, subscribers not reading
    stele_send_quota_t *unread;
    bool draining;
} s_feed_t;

//  XPUB gives a frame 1 TOPIC when the first subscribes, 0 TOPIC when the last one leaves, and
//  passes on the 0 TOPIC of a peer that never subscribed: so they are kept, not counted. As hex
//  digits, since a topic may hold anything.
static void
s_subscription (s_feed_t *self, const unsigned char *frame, size_t size)
{
    char topic [2 * TOPIC_MAX + 1];
    for (size_t i = 0; i < size - 1; i++)
        snprintf (topic + 2 * i, 3, "%02x", frame [i + 1]);
    topic [2 * (size - 1)] = 0;
    if (frame [0] == 0)
        zhash_delete (self->topics, topic);
    else {
        if (zhash_size (self->topics) == 0)
            //  What was committed before is read with events.read
            self->cursor = self->follower.head;
        zhash_insert (self->topics, topic, self);
    }
}

static void
s_subscriptions (s_feed_t *self)
{
    unsigned char frame [1 + TOPIC_MAX];
    int size;
    while ((size = zmq_recv (zsock_resolve (self->socket), frame, sizeof frame, ZMQ_DONTWAIT)) >= 0)
        if (size > 0 && frame [0] <= 1)
            s_subscription (self, frame, (size_t) size < sizeof frame? (size_t) size: sizeof frame);
}

static bool
s_somebody_listens (const s_feed_t *self)
{
    return zhash_size (self->topics) > 0;
}

static void
s_send (s_feed_t *self, const char *topic, size_t topic_size)
{
    const void *data = stele_pack_data (self->follower.pack);
    size_t size = stele_pack_size (self->follower.pack);
    if (zmq_send (zsock_resolve (self->socket), topic, topic_size, ZMQ_SNDMORE) >= 0) {
        if (size < COUNTED_MIN)
            zmq_send (zsock_resolve (self->socket), data, size, 0);
        else {
            zframe_t *frame = zframe_new (data, size);
            stele_send_quota_send (self->unread, NULL, 0, &frame, self->socket);
        }
    }
}

static void
s_heartbeat (s_feed_t *self)
{
    self->beat_us = stele_clock_steady_us ();
    stele_pack_clear (self->follower.pack);
    stele_pack_map (self->follower.pack, 2);
    stele_pack_key_integer (self->follower.pack, "position", self->cursor);
    stele_pack_key_string (self->follower.pack, "ledger",
        stele_reader_ledger_id (self->follower.reader));
    s_send (self, "heartbeat", 9);
}

static void
s_omit (stele_record_t *event, stele_field_t field, int64_t size_max)
{
    stele_value_t *value = &event->values [field];
    if (value->kind == STELE_VALUE_NONE || value->size <= size_max)
        return;
    stele_record_set_integer (event, STELE_CONTENT_OMITTED, value->size);
    value->kind = STELE_VALUE_NONE;
}

static int
s_publish (const stele_record_t *row, void *arg)
{
    s_feed_t *self = arg;
    char topic [64 + STELE_LIMIT_ID];
    size_t topic_size = stele_record_topic (row, topic, sizeof topic);
    //  The row is the reader's, but what is left out is ours to decide
    stele_record_t *event = (stele_record_t *) row;
    bool unread = stele_send_quota_total (self->unread) > UNREAD_MAX;
    s_omit (event, STELE_CONTENT, unread? CONTENT_MIN: CONTENT_MAX);
    s_omit (event, STELE_OUTPUT, unread? CONTENT_MIN: CONTENT_MAX);
    stele_pack_clear (self->follower.pack);
    stele_record_pack (event, self->follower.pack);
    STELE_FAULT (feed_before);
    if (unread && stele_pack_size (self->follower.pack) > CONTENT_MAX)
        self->left_out++;
    else
        s_send (self, topic, topic_size);
    STELE_FAULT (feed_after);
    self->cursor = row->values [STELE_POSITION].integer;
    self->published++;
    return 0;
}

static void
s_follow (s_feed_t *self)
{
    if (!s_somebody_listens (self)) {
        self->cursor = self->follower.head;
        return;
    }
    if (self->cursor < self->follower.head) {
        int code = stele_reader_events (self->follower.reader, self->cursor, BATCH_EVENTS, 0,
            s_publish, self);
        stele_follower_read (&self->follower, "feed", self->cursor, code);
    }
    //  Also while others are busy: who follows a quiet topic hears nothing else
    if (stele_clock_steady_us () - self->beat_us >= HEARTBEAT_US)
        s_heartbeat (self);
}

static void
s_mailbox (s_feed_t *self)
{
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        stele_pack_t *pack = self->follower.pack;
        stele_pack_clear (pack);
        stele_pack_map (pack, 6);
        stele_pack_key_integer (pack, "position", self->cursor);
        stele_pack_key_integer (pack, "lag_events", self->follower.head - self->cursor);
        stele_pack_key_integer (pack, "topics", (int64_t) zhash_size (self->topics));
        stele_pack_key_integer (pack, "published", self->published);
        stele_pack_key_integer (pack, "left_out", self->left_out);
        stele_pack_key_integer (pack, "unread_bytes", (int64_t) stele_send_quota_total (self->unread));
        stele_follower_answer (&self->follower, &request);
    }
}

static bool
s_command (s_feed_t *self)
{
    char *command = zstr_recv (self->follower.pipe);
    bool goes_on = command && strneq (command, "$TERM");
    if (goes_on && streq (command, "DRAIN"))
        self->draining = true;
    zstr_free (&command);
    return goes_on;
}

static void
s_loop (s_feed_t *self)
{
    bool goes_on = true;
    while (goes_on) {
        bool behind = s_somebody_listens (self) && self->cursor < self->follower.head
            && !self->follower.unreadable;
        zmq_pollitem_t items [] = {
            { zsock_resolve (self->follower.pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.heads), 0, s_somebody_listens (self)? ZMQ_POLLIN: 0, 0 },
            { zsock_resolve (self->socket), 0, ZMQ_POLLIN, 0 }
        };
        if (stele_poll (items, 4, behind? 0: 200) < 0)
            break;
        if (items [0].revents & ZMQ_POLLIN)
            goes_on = s_command (self);
        stele_follower_hear (&self->follower);
        s_subscriptions (self);
        s_mailbox (self);
        s_follow (self);
        if (self->draining && (!s_somebody_listens (self) || self->cursor >= self->follower.head)) {
            self->draining = false;
            zstr_send (self->follower.pipe, "DRAINED");
        }
    }
}

void
stele_feed (zsock_t *pipe, void *args)
{
    s_feed_t self = { .beat_us = 0 };
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name ("feed");
    int code = stele_follower_open (&self.follower, pipe, args, "feed", &refusal);
    self.cursor = self.follower.head;
    self.topics = zhash_new ();
    self.unread = stele_send_quota_new (0, UNREAD_MAX);
    self.socket = zsock_new (ZMQ_XPUB);
    assert (self.socket && self.topics);
    zsock_set_sndhwm (self.socket, SUBSCRIBER_MESSAGES);
    zsock_set_linger (self.socket, 1000);
    zsock_set_maxmsgsize (self.socket, 4096);
    zsock_set_handshake_ivl (self.socket, 10000);
    if (code == 0
    && (stele_endpoint_check (self.follower.settings->feed) != 0
    ||  zsock_attach (self.socket, self.follower.settings->feed, true) != 0))
        code = stele_refuse (&refusal, STELE_EUNAVAILABLE, "feed", "cannot listen on %s: %s",
            self.follower.settings->feed, zmq_strerror (zmq_errno ()));
    if (code)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", zsock_endpoint (self.socket), NULL);
        s_loop (&self);
    }
    stele_endpoint_release (self.socket);
    zsock_destroy (&self.socket);
    zhash_destroy (&self.topics);
    stele_send_quota_destroy (&self.unread);
    stele_follower_close (&self.follower);
    STELE_TSAN_RELEASE (self.follower.settings);
}
