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
#include "client/connection/handshake.h"
#include "http/upstream.h"
#include "wire/map.h"
#include "wire/scan.h"

#define RECONNECT_MS        100
#define RECONNECT_MAX_MS   2000
#define HANDSHAKE_MS       5000
#define REFUSED_MS         3000     // Until the next attempt
#define KEEPALIVE_S          10
#define OPEN_MAX           1024     // Requests without an answer

static const int64_t s_answer_bytes_max = 268435456;

typedef struct {
    http_answer_fn *answer;         // NULL: free
    void *arg;
    int64_t token;
    int64_t deadline_ms;            // Steady clock
} s_open_t;

struct http_upstream {
    char *endpoint;
    const stele_key_t *key;         // NULL: none
    zsock_t *socket, *monitor;
    stele_handshake_t handshake;
    int64_t due_ms;                 // When to connect again after a refusal; 0: not refused
    void (*on_connected) (void *arg);
    void *arg;
    bool connected;
    int64_t last_token;
    s_open_t open [OPEN_MAX];       // By token modulo OPEN_MAX
    size_t count;
    int64_t checked_ms;
    stele_pack_t *pack;             // The last request of an actor
};

//  -- the socket -----------------------------------------------------------------------------

static void
s_watch (http_upstream_t *self)
{
    zuuid_t *name = zuuid_new ();
    char endpoint [80];
    snprintf (endpoint, sizeof endpoint, "inproc://stele-http-%s", zuuid_str (name));
    zuuid_destroy (&name);
    int rc = zmq_socket_monitor (zsock_resolve (self->socket), endpoint,
        STELE_HANDSHAKE_EVENTS | ZMQ_EVENT_DISCONNECTED);
    assert (rc == 0);
    self->monitor = zsock_new (ZMQ_PAIR);
    assert (self->monitor);
    zsock_set_linger (self->monitor, 0);
    rc = zsock_connect (self->monitor, "%s", endpoint);
    assert (rc == 0);
}

//  No ZMTP heartbeats and no ZMQ_IMMEDIATE: src/client/connection/link.c has the reasons
static int
s_connect (http_upstream_t *self, stele_refusal_t *refusal)
{
    self->socket = zsock_new (ZMQ_DEALER);
    assert (self->socket);
    zsock_set_linger (self->socket, 0);
    zsock_set_sndhwm (self->socket, 0);
    zsock_set_rcvhwm (self->socket, 0);
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_MAXMSGSIZE, &s_answer_bytes_max, sizeof s_answer_bytes_max);
    zsock_set_reconnect_ivl (self->socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max (self->socket, RECONNECT_MAX_MS);
    zsock_set_handshake_ivl (self->socket, HANDSHAKE_MS);
    zsock_set_tcp_keepalive (self->socket, 1);
    zsock_set_tcp_keepalive_idle (self->socket, KEEPALIVE_S);
    zsock_set_tcp_keepalive_intvl (self->socket, KEEPALIVE_S);
    zsock_set_tcp_keepalive_cnt (self->socket, 2);
    if (self->key)
        stele_key_apply (self->key, zsock_resolve (self->socket));
    //  With it, a name would be tried with IPv6 first, where no broker listens by default
    zsock_set_ipv6 (self->socket, strchr (self->endpoint, '[') != NULL);
    bool local = strncmp (self->endpoint, "inproc:", 7) == 0;
    if (!local)
        s_watch (self);
    if (zsock_connect (self->socket, "%s", self->endpoint) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "requests", "cannot connect to %.160s: %s", self->endpoint,
            zmq_strerror (errno));
    self->connected = local;        // There are no events of a connection
    return 0;
}

http_upstream_t *
http_upstream_new (const char *endpoint, const stele_key_t *key, void (*connected) (void *arg), void *arg,
    stele_refusal_t *refusal)
{
    http_upstream_t *self = STELE_NEW (http_upstream_t);
    self->endpoint = stele_memory_copy (endpoint, strlen (endpoint));
    self->pack = stele_pack_new ();
    assert (self->pack);
    self->key = stele_key_counts_at (endpoint)? key: NULL;
    self->on_connected = connected;
    self->arg = arg;
    if (s_connect (self, refusal) != 0)
        http_upstream_destroy (&self);
    return self;
}

static void
s_disconnect (http_upstream_t *self)
{
    if (self->monitor)
        zmq_socket_monitor (zsock_resolve (self->socket), NULL, 0);
    zsock_destroy (&self->monitor);
    zsock_destroy (&self->socket);
}

void
http_upstream_destroy (http_upstream_t **self_p)
{
    http_upstream_t *self = *self_p;
    if (!self)
        return;
    s_disconnect (self);
    stele_pack_destroy (&self->pack);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

void
http_upstream_descriptors (const http_upstream_t *self, int *answers, int *monitor)
{
    *answers = (int) zsock_fd (self->socket);
    *monitor = self->monitor? (int) zsock_fd (self->monitor): -1;
}

bool
http_upstream_connected (const http_upstream_t *self)
{
    return self->connected;
}

const stele_refusal_t *
http_upstream_refused (const http_upstream_t *self)
{
    return self->due_ms? &self->handshake.refusal: NULL;
}

bool
http_upstream_is_due (const http_upstream_t *self)
{
    return self->due_ms && stele_clock_steady_ms () >= self->due_ms;
}

void
http_upstream_reconnect (http_upstream_t *self)
{
    stele_refusal_t refusal;
    s_disconnect (self);
    self->handshake.closed = 0;
    self->due_ms = stele_clock_steady_ms () + REFUSED_MS;
    int rc = s_connect (self, &refusal);
    assert (rc == 0);               // It has done so before
}

//  -- requests ---------------------------------------------------------------------------------

static s_open_t *
s_find (http_upstream_t *self, int64_t token)
{
    s_open_t *open = &self->open [token % OPEN_MAX];
    return token > 0 && open->answer && open->token == token? open: NULL;
}

static void
s_end (http_upstream_t *self, s_open_t *open, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    s_open_t ended = *open;
    open->answer = NULL;
    self->count--;
    ended.answer (ended.arg, answer, size, refusal);
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
    if (!self->connected && self->due_ms)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "the broker does not let this server in; its log and /readyz "
            "have the reason");
    if (!self->connected)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "the broker cannot be reached at %.160s", self->endpoint);
    if (self->count == OPEN_MAX)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "too many requests are waiting for the broker");
    do
        self->last_token++;
    while (self->open [self->last_token % OPEN_MAX].answer);
    int64_t token = self->last_token;
    if (actor)
        pack = s_add_actor (self, pack, actor);
    void *socket = zsock_resolve (self->socket);
    //  [token][][request]: the broker returns the frames before the request with the answer
    if (zmq_send (socket, &token, sizeof token, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0
    ||  zmq_send (socket, "", 0, ZMQ_SNDMORE) < 0
    ||  zmq_send (socket, stele_pack_data (pack), stele_pack_size (pack), 0) < 0)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "cannot send to %.160s: %s", self->endpoint,
            zmq_strerror (errno));
    self->open [token % OPEN_MAX] = (s_open_t) { answer, arg, token, stele_clock_steady_ms () + timeout_ms };
    self->count++;
    return token;
}

void
http_upstream_forget (http_upstream_t *self, int64_t token)
{
    s_open_t *open = s_find (self, token);
    if (open) {
        open->answer = NULL;
        self->count--;
    }
}

//  -- answers ----------------------------------------------------------------------------------------

//  [token][][answer]. Returns whether there was a message.
static bool
s_receive_answer (http_upstream_t *self)
{
    void *socket = zsock_resolve (self->socket);
    int64_t token = 0;
    int size = zmq_recv (socket, &token, sizeof token, ZMQ_DONTWAIT);
    if (size < 0)
        return false;
    int frames = 1;
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    while (zsock_rcvmore (self->socket) && zmq_msg_recv (&frame, socket, 0) >= 0)
        frames++;
    stele_map_t answer;
    s_open_t *open = size == sizeof token && frames == 3? s_find (self, token): NULL;
    if (open) {
        stele_refusal_t refusal = { 0 };
        if (stele_map_open (&answer, zmq_msg_data (&frame), zmq_msg_size (&frame)) == 0)
            s_end (self, open, answer.data, answer.size, NULL);
        else {
            stele_refuse (&refusal, STELE_EINTERNAL, NULL, "the answer of the broker is not one msgpack map");
            s_end (self, open, NULL, 0, &refusal);
        }
    }
    zmq_msg_close (&frame);
    return true;
}

static void
s_fail_all (http_upstream_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL, "the connection to the broker was lost: whether a change was "
        "made is not known");
    for (size_t i = 0; i < OPEN_MAX && self->count; i++)
        if (self->open [i].answer)
            s_end (self, &self->open [i], NULL, 0, &refusal);
}

//  The refusal stays until a connection succeeds; it is logged again only if it is another one
static void
s_take_event (http_upstream_t *self, uint16_t event, uint32_t value)
{
    stele_refusal_t before = self->handshake.refusal;
    self->handshake.refusal.code = 0;
    self->connected = stele_handshake_event (&self->handshake, event, value, self->endpoint, self->key);
    if (self->connected) {
        if (self->due_ms)
            stele_log_info ("connected", "the broker at %s lets this server in now", self->endpoint);
        self->due_ms = 0;
        self->on_connected (self->arg);
        return;
    }
    s_fail_all (self);
    if (self->handshake.refusal.code == 0)
        self->handshake.refusal = before;
    else {
        if (!self->due_ms || strcmp (before.message, self->handshake.refusal.message) != 0)
            stele_log_error ("refused", "%s", self->handshake.refusal.message);
        self->due_ms = stele_clock_steady_ms () + REFUSED_MS;
    }
}

static bool
s_receive_event (http_upstream_t *self)
{
    if (!self->monitor)
        return false;
    unsigned char part [6];
    void *monitor = zsock_resolve (self->monitor);
    if (zmq_recv (monitor, part, sizeof part, ZMQ_DONTWAIT) < 0)
        return false;
    uint16_t event;
    uint32_t value;
    memcpy (&event, part, sizeof event);
    memcpy (&value, part + sizeof event, sizeof value);
    while (zsock_rcvmore (self->monitor) && zmq_recv (monitor, part, sizeof part, 0) >= 0);
    s_take_event (self, event, value);
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
    for (size_t i = 0; i < OPEN_MAX && self->count; i++)
        if (self->open [i].answer && self->open [i].deadline_ms <= now_ms)
            s_end (self, &self->open [i], NULL, 0, &refusal);
}

bool
http_upstream_receive (http_upstream_t *self)
{
    bool any = false;
    //  Answers first: a connection that was lost has delivered them
    for (int i = 0; i < 256 && s_receive_answer (self); i++)
        any = true;
    while (s_receive_event (self))
        any = true;
    s_check_time (self);
    return any;
}
