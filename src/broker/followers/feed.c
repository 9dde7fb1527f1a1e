/*  feed - the follower that publishes committed events (protocol section 5)

    It reads the log only while there are subscribers, which XPUB reports. A subscriber that joins late or
    falls behind fills its gap with events.read.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <string.h>
#include "broker/access/identity.h"
#include "broker/access/access.h"
#include "broker/common/endpoint.h"
#include "broker/common/log.h"
#include "broker/followers/feed_subscribers.h"
#include "broker/followers/feed_topics.h"
#include "broker/followers/follower.h"
#include "broker/common/send_quota.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "proof/note.h"
#include "proof/seals.h"
#include "wire/event/event_codec.h"
#include "wire/key_file.h"

#define BATCH_EVENTS  500
#define HEARTBEAT_US  1000000
#define IDLE_MS       200
#define CHECK_US      200000        // Between two checks of the keys of connections
//  Larger content is omitted, which bounds the memory that a slow subscriber takes
#define CONTENT_MAX   65536
//  Most messages queued per subscriber; the rest is a gap for that subscriber
#define SUBSCRIBER_MESSAGES 1000
//  While subscribers leave more than this unread, content above CONTENT_MIN is omitted, and so are
//  events that still exceed CONTENT_MAX: a gap, which subscribers fill with events.read
#define UNREAD_MAX    (256 * 1024 * 1024)
#define CONTENT_MIN   1024
//  Smaller messages are not counted: SUBSCRIBER_MESSAGES bounds them well enough
#define COUNTED_MIN   2048
//  Longest subscription; the topics of events are all shorter
#define TOPIC_MAX     STELE_TOPIC_MAX

typedef struct {
    stele_follower_t follower;
    zsock_t *socket;                // XPUB
    stele_access_t *guard;          // NULL: subscribers need no key
    int64_t grants;                 // Of topics to subscribers, ever
    stele_feed_subscribers_t *subscribers;      // Only with keys
    int64_t checked_us;             // Steady clock: keys of the connections were last checked
    int64_t cursor;                 // Position last published, or skipped without subscribers
    zhash_t *topics;                // With at least one subscriber
    bool by_user;                   // One of them may be a topic of a user
    int64_t beat_us;                // Steady clock: last heartbeat
    char *note_path;                // Of the last checkpoint of the seals
    int64_t noted;                  // Number of events of the last one that was sent; 0: send it again
    int64_t published;
    int64_t left_out;               // Events omitted because subscribers did not read
    stele_send_quota_t *unread;
} s_feed_t;

//  With keys, the socket subscribes a peer only to what this sets (ZMQ_XPUB_MANUAL)
static void
s_grant (const char *topic, size_t size, void *arg)
{
    s_feed_t *self = arg;
    //  Without keys a subscription to everything would receive these too
    self->by_user |= self->guard && *topic == '@';
    self->grants++;
    if (self->guard)
        zmq_setsockopt (zsock_resolve (self->socket), ZMQ_SUBSCRIBE, topic, size);
}

static void
s_withdraw (const char *topic, size_t size, void *arg)
{
    s_feed_t *self = arg;
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_UNSUBSCRIBE, topic, size);
}

//  In hex digits, since a topic can contain any byte
static void
s_print_topic (const unsigned char *topic, size_t size, char text [2 * TOPIC_MAX + 1])
{
    for (size_t i = 0; i < size; i++)
        snprintf (text + 2 * i, 3, "%02x", topic [i]);
    text [2 * size] = 0;
}

static void
s_add_topic (s_feed_t *self, const unsigned char *topic, size_t size)
{
    char text [2 * TOPIC_MAX + 1];
    s_print_topic (topic, size, text);
    if (zhash_size (self->topics) == 0)
        //  Subscribers read earlier events with events.read
        self->cursor = self->follower.head;
    zhash_insert (self->topics, text, self);
    //  A subscriber that continues from a position waits for the id of the ledger
    self->beat_us = 0;
    self->noted = 0;
}

static void
s_remove_topic (s_feed_t *self, const unsigned char *topic, size_t size)
{
    char text [2 * TOPIC_MAX + 1];
    s_print_topic (topic, size, text);
    zhash_delete (self->topics, text);
    self->by_user &= zhash_size (self->topics) > 0;
}

//  XPUB delivers 1 TOPIC for each subscription and 0 TOPIC after the last one to a topic ends, but
//  also 0 TOPIC from a peer that never subscribed: so topics are a set, not counters.
static void
s_subscription (s_feed_t *self, const unsigned char *frame, size_t size)
{
    int64_t grants = self->grants;
    if (frame [0] == 0) {
        s_remove_topic (self, frame + 1, size - 1);
        return;
    }
    stele_feed_grant (&stele_identity_local, (const char *) frame + 1, size - 1, s_grant, self);
    if (grants != self->grants)
        s_add_topic (self, frame + 1, size - 1);
}

static void
s_forget_topics (s_feed_t *self)
{
    zhash_destroy (&self->topics);
    self->topics = zhash_new ();
    assert (self->topics);
    self->by_user = false;
    stele_feed_subscribers_destroy (&self->subscribers);
    self->subscribers = stele_feed_subscribers_new ();
}

//  With keys, every 1 TOPIC and 0 TOPIC arrives. The User-Id is the public key and the number of the connection (zap.c).
//  Topics of which nothing is granted count as well, since their end is reported like that of others.
static void
s_guarded_subscription (s_feed_t *self, zmq_msg_t *message, const unsigned char *frame, size_t size)
{
    const char *connection = zmq_msg_gets (message, "User-Id");
    bool joins = frame [0] == 1;
    if (connection) {
        char key [STELE_KEY_TEXT];
        snprintf (key, sizeof key, "%s", connection);
        stele_feed_grant (stele_access_sender (self->guard, key), (const char *) frame + 1, size - 1,
            joins? s_grant: s_withdraw, self);
    }
    if (connection && joins) {
        if (stele_feed_subscribers_join (self->subscribers, connection, zmq_msg_get (message, ZMQ_SRCFD), frame + 1, size - 1))
            s_add_topic (self, frame + 1, size - 1);
    }
    else
    if (!joins && stele_feed_subscribers_leave (self->subscribers, connection, frame + 1, size - 1))
        s_remove_topic (self, frame + 1, size - 1);
}

static void
s_subscriptions (s_feed_t *self)
{
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (zmq_msg_recv (&message, zsock_resolve (self->socket), ZMQ_DONTWAIT) >= 0) {
        const unsigned char *frame = zmq_msg_data (&message);
        size_t size = zmq_msg_size (&message);
        //  A longer one is no prefix of any topic
        if (size == 0 || frame [0] > 1 || size > 1 + TOPIC_MAX)
            continue;
        if (self->guard)
            s_guarded_subscription (self, &message, frame, size);
        else
            s_subscription (self, frame, size);
    }
    zmq_msg_close (&message);
}

static bool
s_has_subscribers (const s_feed_t *self)
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

//  The last checkpoint (doc/PROOF.md), once the events that it proves are published: a new one, or after a subscription
static void
s_pack_checkpoint (s_feed_t *self)
{
    stele_note_t note;
    stele_refusal_t refusal;
    if (!*self->follower.settings->seal || stele_note_load (&note, self->note_path, &refusal)
    ||  note.size == self->noted || note.size > self->cursor
    ||  strcmp (note.ledger_id, stele_reader_ledger_id (self->follower.reader)) != 0)
        return;
    stele_pack_key_string (self->follower.pack, "checkpoint", note.text);
    self->noted = note.size;
}

static void
s_heartbeat (s_feed_t *self)
{
    self->beat_us = stele_clock_steady_us ();
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->cursor);
    stele_pack_key_string (pack, "ledger", stele_reader_ledger_id (self->follower.reader));
    s_pack_checkpoint (self);
    stele_pack_map_end (pack);
    s_send (self, STELE_HEARTBEAT, strlen (STELE_HEARTBEAT));
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
    char topic [STELE_TOPIC_MAX];
    size_t user_size = 0, size;
    const char *user = self->by_user? stele_reader_event_user (self->follower.reader, &size): NULL;
    if (user)
        user_size = stele_user_topic ((stele_span_t) { user, size }, topic, sizeof topic);
    size_t topic_size = stele_record_topic (row, topic + user_size, sizeof topic - user_size);
    //  The row belongs to the reader, but no one else uses it: content may be removed
    stele_record_t *event = (stele_record_t *) row;
    bool unread = stele_send_quota_total (self->unread) > UNREAD_MAX;
    s_omit (event, STELE_CONTENT, unread? CONTENT_MIN: CONTENT_MAX);
    s_omit (event, STELE_OUTPUT, unread? CONTENT_MIN: CONTENT_MAX);
    stele_pack_clear (self->follower.pack);
    stele_record_pack (event, self->follower.pack);
    STELE_FAULT (feed_before);
    if (unread && stele_pack_size (self->follower.pack) > CONTENT_MAX)
        self->left_out++;
    else {
        s_send (self, topic + user_size, topic_size);
        //  An event whose user is not known, or of no user, is for keys that are not bound
        if (user)
            s_send (self, topic, user_size + topic_size);
    }
    STELE_FAULT (feed_after);
    self->cursor = row->values [STELE_POSITION].integer;
    self->published++;
    return 0;
}

static void
s_follow (s_feed_t *self)
{
    if (!s_has_subscribers (self)) {
        self->cursor = self->follower.head;
        return;
    }
    if (self->cursor < self->follower.head) {
        int code = stele_reader_events (self->follower.reader, self->cursor, BATCH_EVENTS, 0,
            s_publish, self);
        stele_follower_read (&self->follower, "feed", self->cursor, code);
    }
    //  Even in busy times: a subscriber of a quiet topic receives nothing else
    if (stele_clock_steady_us () - self->beat_us >= HEARTBEAT_US)
        s_heartbeat (self);
}

static void
s_pack_stats (void *arg)
{
    s_feed_t *self = arg;
    s_subscriptions (self);
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->cursor);
    stele_pack_key_integer (pack, "lag_events", self->follower.head - self->cursor);
    stele_pack_key_integer (pack, "topics", (int64_t) zhash_size (self->topics));
    stele_pack_key_integer (pack, "published", self->published);
    stele_pack_key_integer (pack, "left_out", self->left_out);
    stele_pack_key_integer (pack, "unread_bytes", (int64_t) stele_send_quota_total (self->unread));
    stele_pack_map_end (pack);
}

static bool
s_drained (void *arg)
{
    s_feed_t *self = arg;
    return !s_has_subscribers (self) || self->cursor >= self->follower.head;
}

static int
s_listen (s_feed_t *self, const char *endpoint, stele_refusal_t *refusal)
{
    self->socket = zsock_new (ZMQ_XPUB);
    assert (self->socket);
    zsock_set_sndhwm (self->socket, SUBSCRIBER_MESSAGES);
    zsock_set_linger (self->socket, 1000);
    zsock_set_maxmsgsize (self->socket, 4096);
    zsock_set_handshake_ivl (self->socket, 10000);
    self->guard = stele_access_guard (self->follower.settings->access, self->socket, endpoint, STELE_ACCESS_FEED);
    if (self->guard)
        zsock_set_xpub_manual (self->socket, 1);
    else
        zsock_set_xpub_verbose (self->socket, 1);
    self->follower.watched [0] = (zmq_pollitem_t) { zsock_resolve (self->socket), 0, ZMQ_POLLIN, 0 };
    self->follower.watched_count = 1;
    return stele_follower_bind (&self->follower, self->socket, "feed", endpoint, refusal);
}

//  libzmq can end no single connection: when a subscriber's key was revoked, has expired or may hear less, end
//  all of them. The others connect again, and fill the gap with events.read.
static void
s_end_connections (s_feed_t *self)
{
    stele_refusal_t refusal;
    stele_log_info ("feed", "feed: the key of a subscriber is not valid any more; every subscriber has to connect again");
    zsock_set_linger (self->socket, 0);
    zsock_destroy (&self->socket);
    s_forget_topics (self);
    if (s_listen (self, self->follower.endpoint, &refusal))
        stele_log_error ("feed", "%s", refusal.message);
}

static int
s_step (void *arg)
{
    s_feed_t *self = arg;
    int64_t now_us = stele_clock_steady_us ();
    if (self->guard && now_us - self->checked_us > CHECK_US) {
        self->checked_us = now_us;
        if (stele_access_lapsed (self->guard, STELE_ACCESS_FEED))
            s_end_connections (self);
    }
    s_subscriptions (self);
    s_follow (self);
    self->follower.ignore_heads = !s_has_subscribers (self);
    return s_drained (self) || self->follower.unreadable? IDLE_MS: 0;
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_feed_t *self = arg;
    const char *endpoint = self->follower.settings->feed;
    self->cursor = self->follower.head;
    if (asprintf (&self->note_path, "%s" STELE_SEALS_NOTE_SUFFIX, self->follower.settings->ledger) < 0)
        abort ();
    s_forget_topics (self);
    self->unread = stele_send_quota_new (0, UNREAD_MAX);
    return s_listen (self, endpoint, refusal);
}

static void
s_close (void *arg)
{
    s_feed_t *self = arg;
    stele_endpoint_release (self->socket);
    zsock_destroy (&self->socket);
    zhash_destroy (&self->topics);
    stele_feed_subscribers_destroy (&self->subscribers);
    stele_send_quota_destroy (&self->unread);
    free (self->note_path);
}

void
stele_feed (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = "feed", .open = s_open, .step = s_step, .pack_stats = s_pack_stats,
        .drained = s_drained, .close = s_close
    };
    s_feed_t self = { .cursor = 0 };
    stele_follower_run (&self.follower, &class, pipe, args);
}
