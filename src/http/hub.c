/*  hub - the feed of the broker, passed on to all streams (Server-Sent Events)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "client/connection/link.h"
#include "http/pulse.h"
#include "http/reply.h"
#include "http/session.h"
#include "http/stream.h"
#include "http/task_view.h"
#include "wire/map.h"
#include "wire/scan.h"

#define FEED_MESSAGES      10000
#define FEED_BYTES      67108864
#define FEED_AT_ONCE         256    // Messages, before the connections are served
#define READS_MAX              8    // Pages that are being read for streams that are behind
#define PAGE_MS            15000
#define COMMENT_MS         15000    // A dead client is only noticed by writing to it
#define BLOCK_BYTES       262144
#define REFUSED_MS          3000    // Until the next attempt to connect

//  What streams without a filter are sent, shared by all of them
typedef struct {
    size_t uses;
    size_t size;
    char text [];
} s_block_t;

struct http_hub {
    http_server_t *server;
    stele_link_t *link;
    stele_refusal_t refusal;        // Of the connection
    int64_t due_ms;                 // When to connect again after it, or after a loss; 0: not planned
    bool lost;                      // The connection to one of several nodes
    int moves;                      // To the next one, since it was connected
    http_stream_t *streams;
    http_stream_t *turn;            // The next one that may read the log; NULL: the first one
    size_t count;
    bool subscribed;
    int64_t position;               // Every event up to this was delivered; -1: not known
    int64_t read_to;                // The log has to be read up to this position
    int64_t token;                  // Of the page that is being read; 0: none
    bool unverified;                // Connected again: of which ledger are the positions?
    struct evbuffer *block;         // Collected, for streams without a filter
    int64_t commented_ms;
    http_task_view_t *tasks;
    http_pulse_t *pulse;
};

static void s_deliver (http_hub_t *self, const stele_map_t *event, int64_t position);

http_hub_t *
http_hub_new (http_server_t *server, const char *feed, const stele_key_t *key, stele_refusal_t *refusal)
{
    http_hub_t *self = STELE_NEW (http_hub_t);
    self->server = server;
    self->position = -1;
    self->block = evbuffer_new ();
    assert (self->block);
    self->tasks = http_task_view_new (server);
    self->pulse = http_pulse_new (server);
    self->link = stele_link_new (ZMQ_SUB, feed, key, FEED_MESSAGES, FEED_BYTES);
    if (stele_link_open (self->link, refusal) != 0)
        http_hub_destroy (&self);
    return self;
}

void
http_hub_destroy (http_hub_t **self_p)
{
    http_hub_t *self = *self_p;
    if (!self)
        return;
    if (self->token)
        http_upstream_forget (self->server->upstream, self->token);
    http_task_view_destroy (&self->tasks);
    http_pulse_destroy (&self->pulse);
    stele_link_destroy (&self->link, 0);
    evbuffer_free (self->block);
    free (self);
    *self_p = NULL;
}

int
http_hub_descriptor (const http_hub_t *self)
{
    int descriptor = -1;
    size_t size = sizeof descriptor;
    zmq_getsockopt (stele_link_socket (self->link), ZMQ_FD, &descriptor, &size);
    return descriptor;
}

const stele_refusal_t *
http_hub_refused (const http_hub_t *self)
{
    return self->due_ms && self->refusal.code? &self->refusal: NULL;
}

bool
http_hub_is_due (const http_hub_t *self)
{
    return self->due_ms && stele_clock_steady_ms () >= self->due_ms;
}

int64_t
http_hub_position (const http_hub_t *self)
{
    return self->position;
}

size_t
http_hub_count (const http_hub_t *self)
{
    return self->count;
}

//  -- streams ------------------------------------------------------------------------------------

//  Without streams, nothing is received
static void
s_subscribe (http_hub_t *self, bool on)
{
    if (self->subscribed == on)
        return;
    self->subscribed = on;
    zmq_setsockopt (stele_link_socket (self->link), on? ZMQ_SUBSCRIBE: ZMQ_UNSUBSCRIBE, "", 0);
    if (!on) {
        if (self->token)
            http_upstream_forget (self->server->upstream, self->token);
        self->token = 0;
        self->position = -1;
        evbuffer_drain (self->block, evbuffer_get_length (self->block));
        http_task_view_reset (self->tasks);
    }
}

void
http_hub_reconnect (http_hub_t *self)
{
    self->due_ms = stele_clock_steady_ms () + REFUSED_MS;
    self->lost = false;
    stele_endpoints_next (stele_link_endpoints (self->link));
    if (stele_link_open (self->link, &self->refusal) == 0 && self->subscribed)
        zmq_setsockopt (stele_link_socket (self->link), ZMQ_SUBSCRIBE, "", 0);
}

void
http_hub_add (http_hub_t *self, http_stream_t *stream)
{
    stream->next = self->streams;
    if (self->streams)
        self->streams->previous = stream;
    self->streams = stream;
    self->count++;
    s_subscribe (self, true);
}

void
http_hub_remove (http_hub_t *self, http_stream_t *stream)
{
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        self->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    if (self->turn == stream)
        self->turn = stream->next;
    self->count--;
    http_task_view_forget (self->tasks, stream);
    http_pulse_forget (self->pulse, stream);
    if (self->count == 0)
        s_subscribe (self, false);
}

static void
s_free_block (const void *data, size_t size, void *arg)
{
    (void) data;
    (void) size;
    s_block_t *block = arg;
    if (--block->uses == 0)
        free (block);
}

//  Send what was collected to all plain streams that are live
static void
s_flush (http_hub_t *self)
{
    size_t size = evbuffer_get_length (self->block);
    if (size == 0)
        return;
    s_block_t *block = stele_memory_new (sizeof *block + size);
    block->uses = 1;
    block->size = size;
    evbuffer_remove (self->block, block->text, size);
    int64_t now_ms = stele_clock_steady_ms ();
    for (http_stream_t *stream = self->streams; stream; stream = stream->next) {
        if (stream->state != HTTP_STREAM_LIVE || !http_stream_is_plain (stream))
            continue;
        //  It keeps the position before this block, and reads these events later
        if (http_conn_unread (stream->conn) > HTTP_STREAM_UNREAD) {
            http_stream_set_full (stream);
            continue;
        }
        block->uses++;
        evbuffer_add_reference (http_conn_output (stream->conn), block->text, size, s_free_block, block);
        stream->position = self->position;
        stream->sent_ms = now_ms;
    }
    s_free_block (NULL, 0, block);
}

bool
http_hub_join (http_hub_t *self, http_stream_t *stream, int64_t head)
{
    if (self->position < 0)
        self->position = self->read_to = head;
    if (http_actor_is_bound (stream->actor)) {
        stream->state = HTTP_STREAM_FOLLOWING;
        stream->caught_up = true;
        return true;
    }
    if (stream->position < self->position)
        return false;
    //  What was collected before is not for this stream
    s_flush (self);
    stream->state = HTTP_STREAM_LIVE;
    return true;
}

void
http_hub_reset (http_hub_t *self, const char *reason)
{
    if (self->token)
        http_upstream_forget (self->server->upstream, self->token);
    self->token = 0;
    self->position = -1;
    self->unverified = false;
    evbuffer_drain (self->block, evbuffer_get_length (self->block));
    http_task_view_reset (self->tasks);
    for (http_stream_t *stream = self->streams; stream; stream = stream->next)
        http_stream_reset (stream, reason);
}

//  -- events ---------------------------------------------------------------------------------------

static void
s_deliver_to (http_stream_t *stream, const http_event_words_t *words, int64_t position, const char *text, size_t size)
{
    if (position <= stream->position)
        return;
    bool passes = http_stream_passes (stream, words);
    if (passes && !stream->of_tasks && http_conn_unread (stream->conn) > HTTP_STREAM_UNREAD) {
        http_stream_set_full (stream);
        return;
    }
    stream->position = position;
    if (passes)
        http_stream_take (stream, words, text, size);
}

static void
s_deliver (http_hub_t *self, const stele_map_t *event, int64_t position)
{
    size_t size = 0;
    char *text = http_stream_text (event, position, self->server->pack, &size);
    self->position = position;
    if (!text)                      // The broker sends no such event; a stream that reads it again ends
        return;
    http_event_words_t words;
    bool is_open = false;
    http_event_words (event, &words);
    for (http_stream_t *stream = self->streams; stream; stream = stream->next) {
        if (stream->state != HTTP_STREAM_LIVE || http_stream_is_plain (stream))
            continue;
        if (!http_stream_is_open (stream))
            s_deliver_to (stream, &words, position, text, size);
        else
        if (position > stream->position) {
            stream->position = position;
            is_open = true;
        }
    }
    if (is_open && *words.task_id)
        http_task_view_take (self->tasks, words.task_id);
    evbuffer_add (self->block, text, size);
    free (text);
    if (evbuffer_get_length (self->block) > BLOCK_BYTES)
        s_flush (self);
}

//  -- from the log, to close a gap -------------------------------------------------------------------

static void
s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_hub_t *self = arg;
    stele_refusal_t error;
    stele_map_t map = { answer, size };
    const void *events;
    size_t events_size;
    int64_t head, next;
    self->token = 0;                // After a failure it is tried again with the next tick
    if (refusal || http_reply_check (answer, size, &error) || !stele_map_integer (&map, "head", &head)
    ||  stele_scan_find (answer, size, "events", &events, &events_size).kind != STELE_SCAN_ARRAY)
        return;
    if (head < self->position) {
        http_hub_reset (self, "history_lost");
        return;
    }
    stele_scan_t scan = stele_scan_start (events, events_size);
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        stele_map_t event;
        int64_t position;
        stele_scan_skip (&scan, &event.data, &event.size);
        if (stele_map_open (&event, event.data, event.size) == 0 && stele_map_integer (&event, "position", &position)
        &&  position > self->position)
            s_deliver (self, &event, position);
    }
    int64_t end = stele_map_integer (&map, "next", &next)? next: head;
    if (self->position < end)
        self->position = end;
}

static void
s_read_gap (http_hub_t *self)
{
    if (self->token || self->unverified || self->position < 0 || self->position >= self->read_to)
        return;
    stele_pack_t *pack = self->server->pack;
    stele_refusal_t refusal;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "events.read");
    stele_pack_key_integer (pack, "after", self->position);
    stele_pack_key_integer (pack, "min_position", self->read_to);
    stele_pack_map_end (pack);
    int64_t token = http_upstream_send (self->server->upstream, pack, NULL, PAGE_MS, s_on_page, self, &refusal);
    self->token = token > 0? token: 0;
}

//  -- from the feed --------------------------------------------------------------------------------------

static void
s_take_heartbeat (http_hub_t *self, const stele_map_t *message, int64_t head)
{
    char ledger [64] = "";
    stele_map_text (message, "ledger", ledger, sizeof ledger);
    if (*self->server->ledger && strcmp (ledger, self->server->ledger) != 0) {
        strcpy (self->server->ledger, ledger);
        http_hub_reset (self, "other_ledger");
    }
    self->unverified = false;
    if (head > self->read_to)
        self->read_to = head;
}

static void
s_take_event (http_hub_t *self, const stele_map_t *event, int64_t position)
{
    int64_t omitted = HTTP_CONTENT_MAX + 1;
    if (self->position < 0 || position <= self->position)
        return;
    //  Under load the feed leaves out more than it says in the protocol's limits
    stele_map_integer (event, "content_omitted", &omitted);
    if (self->unverified || position > self->position + 1 || omitted <= HTTP_CONTENT_MAX || self->token) {
        if (position > self->read_to)
            self->read_to = position;
        s_read_gap (self);
    }
    else
        s_deliver (self, event, position);
}

//  Two frames: the topic and a map. Returns whether there was a message.
static bool
s_receive (http_hub_t *self)
{
    void *socket = stele_link_socket (self->link);
    char topic [10];
    int topic_size = zmq_recv (socket, topic, sizeof topic, ZMQ_DONTWAIT);
    if (topic_size < 0)
        return false;
    zmq_msg_t body;
    zmq_msg_init (&body);
    int more = 0, frames = 1;
    size_t more_size = sizeof more;
    while (zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &more_size) == 0 && more && zmq_msg_recv (&body, socket, 0) >= 0)
        frames++;
    stele_map_t message;
    int64_t position;
    if (self->count && frames == 2 && stele_map_open (&message, zmq_msg_data (&body), zmq_msg_size (&body)) == 0
    &&  stele_map_integer (&message, "position", &position)) {
        if (topic_size == 9 && memcmp (topic, "heartbeat", 9) == 0)
            s_take_heartbeat (self, &message, position);
        else
            s_take_event (self, &message, position);
    }
    zmq_msg_close (&body);
    return true;
}

//  Logged again only if it is another one
static void
s_take_refusal (http_hub_t *self)
{
    stele_refusal_t refusal;
    if (stele_link_refused (self->link, &refusal) == 0)
        return;
    if (!self->due_ms || strcmp (refusal.message, self->refusal.message) != 0)
        stele_log_error ("refused", "%s", refusal.message);
    self->refusal = refusal;
    self->due_ms = stele_clock_steady_ms () + REFUSED_MS;
}

bool
http_hub_receive (http_hub_t *self)
{
    bool any = false;
    if (stele_link_connected (self->link)) {
        self->unverified = *self->server->ledger != 0;
        self->due_ms = 0;
        self->moves = 0;
        self->refusal.code = 0;
    }
    //  Of several nodes, the next one
    if (stele_link_lost (self->link) && !self->lost) {
        self->lost = true;
        self->due_ms = stele_clock_steady_ms () + stele_endpoints_pause_ms (self->moves++);
    }
    s_take_refusal (self);
    for (int i = 0; i < FEED_AT_ONCE && s_receive (self); i++)
        any = true;
    return any;
}

//  -- from time to time ----------------------------------------------------------------------------------

//  A comment for each stream that is quiet
static void
s_comment (http_hub_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms < self->commented_ms + COMMENT_MS / 15)
        return;
    self->commented_ms = now_ms;
    for (http_stream_t *stream = self->streams; stream; stream = stream->next)
        if (now_ms >= stream->sent_ms + COMMENT_MS) {
            stream->sent_ms = now_ms;
            if (stream->form)
                stream->form->keep_alive (stream);
            else
                http_conn_send (stream->conn, ":\n\n", 3);
        }
}

//  A client whose token was revoked or has expired, or whose session has ended, gets no further events
static void
s_end_invalid (http_hub_t *self)
{
    http_stream_t *next;
    for (http_stream_t *stream = self->streams; stream; stream = next) {
        next = stream->next;
        const char *why = stream->actor && !http_actor_is_valid (stream->actor)? "the token was revoked or changed, or has expired":
            http_session_lives (&self->server->sessions, stream->session)? NULL: "the session has ended";
        if (why)
            http_stream_end (stream, why);
    }
}

void
http_hub_read (http_hub_t *self)
{
    size_t reading = 0;
    for (http_stream_t *stream = self->streams; stream; stream = stream->next)
        reading += stream->state == HTTP_STREAM_READING;
    //  In turns, since those that are bound to users are behind again with each event
    for (size_t left = self->count; left && reading < READS_MAX; left--) {
        http_stream_t *stream = self->turn? self->turn: self->streams;
        self->turn = stream->next;
        if (stream->state == HTTP_STREAM_BEHIND)
            reading += http_stream_read (stream);
    }
}

void
http_hub_tick (http_hub_t *self)
{
    s_end_invalid (self);
    s_flush (self);
    s_read_gap (self);
    for (http_stream_t *stream = self->streams; stream; stream = stream->next)
        if (stream->state == HTTP_STREAM_FOLLOWING && stream->position < self->position)
            stream->state = HTTP_STREAM_BEHIND;
    http_hub_read (self);
    http_task_view_tick (self->tasks, self->streams, self->position);
    http_pulse_tick (self->pulse, self->streams);
    s_comment (self);
}
