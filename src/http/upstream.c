/*  upstream - requests to the broker and their answers, without waiting

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <czmq.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "http/upstream.h"
#include "http/upstream_link.h"
#include "wire/map.h"
#include "wire/scan.h"

#define REFUSED_MS         3000     // Until the next attempt
#define WRITER_MS          3000     // For the connection to the node that writes
#define OPEN_MAX           1024     // Requests without an answer

typedef struct {
    http_answer_fn *answer;         // NULL: free
    void *arg;
    int64_t token;
    int64_t deadline_ms, sent_ms;   // Steady clock
    zmq_msg_t request;
    stele_refusal_t *not_writer;    // Why it goes to the node that writes; NULL: it does not
    int64_t writer_ms;              // Steady clock: until when it waits for the connection to that; 0: it was sent
} s_open_t;

struct http_upstream {
    http_link_t any;                // To a node that answers questions
    http_link_t writer;             // To the node that another one names as the writer
    void (*on_connected) (void *arg);
    void *arg;
    int64_t last_token;
    s_open_t open [OPEN_MAX];       // By token modulo OPEN_MAX
    size_t count;
    int64_t checked_ms;
    stele_pack_t *pack;             // The last request of an actor
};

http_upstream_t *
http_upstream_new (const char *endpoints, const stele_key_t *key, void (*connected) (void *arg), void *arg,
    stele_refusal_t *refusal)
{
    http_upstream_t *self = STELE_NEW (http_upstream_t);
    http_link_init (&self->any, endpoints, key);
    http_link_init (&self->writer, endpoints, key);
    self->pack = stele_pack_new ();
    assert (self->pack);
    self->on_connected = connected;
    self->arg = arg;
    if (http_link_open (&self->any, refusal) != 0)
        http_upstream_destroy (&self);
    return self;
}

//  The entry is free; returns what it was
static s_open_t
s_free (http_upstream_t *self, s_open_t *open)
{
    s_open_t ended = *open;
    zmq_msg_close (&open->request);
    free (open->not_writer);
    open->not_writer = NULL;
    open->answer = NULL;
    self->count--;
    return ended;
}

static void
s_end (http_upstream_t *self, s_open_t *open, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    s_open_t ended = s_free (self, open);
    ended.answer (ended.arg, answer, size, refusal);
}

//  The connection was lost, or there is none: requests that were sent over it end, and those that wait for it, if 'all'
static void
s_fail (http_upstream_t *self, const http_link_t *link, bool all)
{
    stele_refusal_t refusal = { 0 };
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL, "the connection to the broker was lost: whether a change was "
        "made is not known");
    for (size_t i = 0; i < OPEN_MAX && self->count; i++) {
        s_open_t *open = &self->open [i];
        if (!open->answer || !open->not_writer != (link == &self->any) || (open->writer_ms && !all))
            continue;
        stele_refusal_t why = open->writer_ms? *open->not_writer: refusal;
        s_end (self, open, NULL, 0, &why);
    }
}

void
http_upstream_destroy (http_upstream_t **self_p)
{
    http_upstream_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < OPEN_MAX && self->count; i++)
        if (self->open [i].answer)
            s_free (self, &self->open [i]);
    http_link_clear (&self->any);
    http_link_clear (&self->writer);
    stele_pack_destroy (&self->pack);
    free (self);
    *self_p = NULL;
}

size_t
http_upstream_descriptors (const http_upstream_t *self, int descriptors [HTTP_UPSTREAM_DESCRIPTORS])
{
    size_t count = 0;
    for (const http_link_t *link = &self->any; link; link = link == &self->any? &self->writer: NULL) {
        if (link->socket)
            descriptors [count++] = (int) zsock_fd (link->socket);
        if (link->monitor)
            descriptors [count++] = (int) zsock_fd (link->monitor);
    }
    return count;
}

bool
http_upstream_connected (const http_upstream_t *self)
{
    return self->any.connected;
}

const stele_refusal_t *
http_upstream_refused (const http_upstream_t *self)
{
    return self->any.refused? &self->any.handshake.refusal: NULL;
}

bool
http_upstream_is_due (const http_upstream_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    return http_link_is_due (&self->any, now_ms) || (self->writer.due_ms && now_ms >= self->writer.due_ms);
}

//  Open the link again, at the next node if it moves
static void
s_reopen (http_upstream_t *self, http_link_t *link)
{
    stele_refusal_t refusal;
    int64_t now_ms = stele_clock_steady_ms ();
    if (link->moving || (link == &self->any && http_link_is_mute (link, now_ms))) {
        stele_endpoints_next (link->endpoints);
        link->attempts++;
    }
    http_link_close (link);
    s_fail (self, link, false);
    link->handshake.closed = 0;
    link->moving = false;
    link->due_ms = link->refused && link == &self->any? now_ms + REFUSED_MS: 0;
    if (http_link_open (link, &refusal) == 0)
        return;
    stele_log_error ("endpoint", "%s", refusal.message);
    s_fail (self, link, true);
    link->moving = link == &self->any;
    link->due_ms = link->moving? now_ms + REFUSED_MS: 0;
}

void
http_upstream_reconnect (http_upstream_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (http_link_is_due (&self->any, now_ms))
        s_reopen (self, &self->any);
    if (self->writer.due_ms && now_ms >= self->writer.due_ms)
        s_reopen (self, &self->writer);
}

//  -- requests ---------------------------------------------------------------------------------

static s_open_t *
s_find (http_upstream_t *self, int64_t token)
{
    s_open_t *open = &self->open [token % OPEN_MAX];
    return token > 0 && open->answer && open->token == token? open: NULL;
}

//  [token][][request]: the broker returns the frames before the request with the answer. The request is kept.
static bool
s_send (http_link_t *link, s_open_t *open)
{
    void *socket = zsock_resolve (link->socket);
    zmq_msg_t copy;
    zmq_msg_init (&copy);
    zmq_msg_copy (&copy, &open->request);
    bool sent = zmq_send (socket, &open->token, sizeof open->token, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0
        && zmq_send (socket, "", 0, ZMQ_SNDMORE) >= 0 && zmq_msg_send (&copy, socket, 0) >= 0;
    if (!sent)
        zmq_msg_close (&copy);
    open->sent_ms = stele_clock_steady_ms ();
    return sent;
}

//  The request with one more key
static const stele_pack_t *
s_add_actor (http_upstream_t *self, const stele_pack_t *pack, const http_actor_t *actor)
{
    const unsigned char *data = stele_pack_data (pack);
    size_t size = stele_pack_size (pack), head = (*data & 0xf0) == 0x80? 1: *data == 0xde? 3: 5;
    stele_scan_t scan = stele_scan_start (data, size);
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, stele_scan_next (&scan).count + 1);
    stele_pack_packed (self->pack, data + head, size - head);
    stele_pack_string (self->pack, "actor");
    stele_pack_packed (self->pack, actor->packed, actor->packed_size);
    return self->pack;
}

int64_t
http_upstream_send (http_upstream_t *self, const stele_pack_t *pack, const http_actor_t *actor, int timeout_ms,
    http_answer_fn *answer, void *arg, stele_refusal_t *refusal)
{
    if (actor && !http_actor_is_valid (actor))
        return stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "the token '%s' was revoked, or has expired", actor->name);
    if (http_upstream_refused (self))
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "the broker does not let this server in; its log and /readyz "
            "have the reason");
    if (!self->any.connected)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "the broker cannot be reached at %.160s", self->any.endpoint);
    if (self->count == OPEN_MAX)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "too many requests are waiting for the broker");
    do
        self->last_token++;
    while (self->open [self->last_token % OPEN_MAX].answer);
    int64_t token = self->last_token;
    if (actor)
        pack = s_add_actor (self, pack, actor);
    s_open_t *open = &self->open [token % OPEN_MAX];
    *open = (s_open_t) { .arg = arg, .token = token, .deadline_ms = stele_clock_steady_ms () + timeout_ms };
    zmq_msg_init_size (&open->request, stele_pack_size (pack));
    memcpy (zmq_msg_data (&open->request), stele_pack_data (pack), stele_pack_size (pack));
    if (!s_send (&self->any, open)) {
        zmq_msg_close (&open->request);
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "cannot send to %.160s: %s", self->any.endpoint,
            zmq_strerror (errno));
    }
    open->answer = answer;
    self->count++;
    return token;
}

void
http_upstream_forget (http_upstream_t *self, int64_t token)
{
    s_open_t *open = s_find (self, token);
    if (open)
        s_free (self, open);
}

//  -- the node that writes ----------------------------------------------------------------------

//  The node follows a shared log, and names the one that writes: send the request there. False: not if it was sent there
//  already, or to no endpoint that this server may use.
static bool
s_pass_on (http_upstream_t *self, s_open_t *open, const stele_map_t *answer)
{
    http_link_t *link = &self->writer;
    stele_map_t error;
    char named [1024];
    if (open->not_writer || !stele_map_map (answer, "error", &error) || stele_map_code (&error, "code") != STELE_ENOT_WRITER
    ||  !stele_map_text (&error, "writer", named, sizeof named) || !stele_endpoints_go (link->endpoints, named))
        return false;
    open->not_writer = STELE_NEW (stele_refusal_t);
    open->not_writer->code = STELE_ENOT_WRITER;
    stele_map_message (&error, open->not_writer->message, sizeof open->not_writer->message);
    bool there = link->socket && strcmp (link->endpoint, stele_endpoints_current (link->endpoints)) == 0;
    if (there && link->connected)
        return s_send (link, open);
    int64_t now_ms = stele_clock_steady_ms ();
    open->writer_ms = now_ms + WRITER_MS;
    if (!there || link->refused)
        link->due_ms = now_ms;
    return true;
}

//  Those that wait for the connection to the writer
static void
s_send_waiting (http_upstream_t *self)
{
    for (size_t i = 0; i < OPEN_MAX && self->count; i++) {
        s_open_t *open = &self->open [i];
        if (open->answer && open->writer_ms) {
            open->writer_ms = 0;
            s_send (&self->writer, open);
        }
    }
}

//  -- answers ----------------------------------------------------------------------------------------

//  [token][][answer]. Returns whether there was a message.
static bool
s_receive_answer (http_upstream_t *self, http_link_t *link)
{
    void *socket = link->socket? zsock_resolve (link->socket): NULL;
    int64_t token = 0;
    int size = socket? zmq_recv (socket, &token, sizeof token, ZMQ_DONTWAIT): -1;
    if (size < 0)
        return false;
    int frames = 1;
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    while (zsock_rcvmore (link->socket) && zmq_msg_recv (&frame, socket, 0) >= 0)
        frames++;
    link->heard_ms = stele_clock_steady_ms ();
    stele_map_t answer;
    s_open_t *open = size == sizeof token && frames == 3? s_find (self, token): NULL;
    if (open) {
        stele_refusal_t refusal = { 0 };
        if (stele_map_open (&answer, zmq_msg_data (&frame), zmq_msg_size (&frame)) != 0) {
            stele_refuse (&refusal, STELE_EINTERNAL, NULL, "the answer of the broker is not one msgpack map");
            s_end (self, open, NULL, 0, &refusal);
        }
        else
        if (!s_pass_on (self, open, &answer))
            s_end (self, open, answer.data, answer.size, NULL);
    }
    zmq_msg_close (&frame);
    return true;
}

//  The refusal stays until a connection succeeds; it is logged again only if it is another one
static void
s_take_event (http_upstream_t *self, http_link_t *link, uint16_t event, uint32_t value)
{
    stele_refusal_t before = link->handshake.refusal;
    link->handshake.refusal.code = 0;
    link->connected = stele_handshake_event (&link->handshake, event, value, link->endpoint, link->key);
    if (link->connected) {
        if (link->refused)
            stele_log_info ("connected", "the broker at %s lets this server in now", link->endpoint);
        link->refused = false;
        link->due_ms = link->attempts = 0;
        if (link == &self->any)
            self->on_connected (self->arg);
        else
            s_send_waiting (self);
        return;
    }
    //  Those that wait for another node than this one wait on
    s_fail (self, link, !link->due_ms);
    bool several = link == &self->any && stele_endpoints_several (link->endpoints);
    if (link->handshake.refusal.code == 0)
        link->handshake.refusal = before;
    else {
        if (!link->refused || strcmp (before.message, link->handshake.refusal.message) != 0)
            stele_log_error ("refused", "%s", link->handshake.refusal.message);
        link->refused = true;
        link->moving = several;
        link->due_ms = link == &self->any? stele_clock_steady_ms () + REFUSED_MS: 0;
    }
    if (several && !link->due_ms) {
        link->moving = true;
        link->due_ms = stele_clock_steady_ms () + stele_endpoints_pause_ms (link->attempts);
    }
}

static bool
s_receive_event (http_upstream_t *self, http_link_t *link)
{
    if (!link->monitor)
        return false;
    unsigned char part [6];
    void *monitor = zsock_resolve (link->monitor);
    if (zmq_recv (monitor, part, sizeof part, ZMQ_DONTWAIT) < 0)
        return false;
    uint16_t event;
    uint32_t value;
    memcpy (&event, part, sizeof event);
    memcpy (&value, part + sizeof event, sizeof value);
    while (zsock_rcvmore (link->monitor) && zmq_recv (monitor, part, sizeof part, 0) >= 0);
    s_take_event (self, link, event, value);
    return true;
}

//  A few times per second is enough
static void
s_check_time (http_upstream_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->count == 0 || now_ms < self->checked_ms + 100)
        return;
    self->checked_ms = now_ms;
    stele_refusal_t refusal = { 0 };
    stele_refuse (&refusal, STELE_ETIMEOUT, NULL, "the broker did not answer in time");
    for (size_t i = 0; i < OPEN_MAX && self->count; i++) {
        s_open_t *open = &self->open [i];
        bool waits = open->writer_ms != 0;
        if (!open->answer || now_ms < (waits? open->writer_ms: open->deadline_ms))
            continue;
        //  A node that has answered nothing since then: another one may
        if (!open->not_writer && open->sent_ms > self->any.heard_ms && stele_endpoints_count (self->any.endpoints) > 1
        &&  !self->any.due_ms) {
            self->any.moving = true;
            self->any.due_ms = now_ms;
        }
        stele_refusal_t why = waits? *open->not_writer: refusal;
        s_end (self, open, NULL, 0, &why);
    }
}

bool
http_upstream_receive (http_upstream_t *self)
{
    bool any = false;
    for (http_link_t *link = &self->any; link; link = link == &self->any? &self->writer: NULL) {
        //  Answers first: a connection that was lost has delivered them
        for (int i = 0; i < 256 && s_receive_answer (self, link); i++)
            any = true;
        while (s_receive_event (self, link))
            any = true;
    }
    s_check_time (self);
    return any;
}
