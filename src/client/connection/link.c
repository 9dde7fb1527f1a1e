/*  link - a socket connected to one endpoint of a list, which reports each new connection

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "client/connection/handshake.h"
#include "client/connection/link.h"

#define LINK_RECONNECT_MS       100
#define LINK_RECONNECT_MAX_MS  2000
#define LINK_HANDSHAKE_MS      5000

#define LINK_LOST_EVENTS (ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED)

//  Idle time after which the kernel probes the connection
#define LINK_KEEPALIVE_S       10

struct stele_link {
    int type;
    int receive_max;
    int64_t bytes_max;
    stele_endpoints_t *endpoints;
    char *endpoint;                 // Of the socket
    const stele_key_t *given;       // NULL: none
    const stele_key_t *key;         // ... for this endpoint
    zsock_t *socket;
    zsock_t *monitor;
    stele_handshake_t handshake;
    bool fresh;                     // inproc: opened, and not reported yet
    bool lost;                      // Since it was opened
};

stele_link_t *
stele_link_new (int type, const char *endpoint, const stele_key_t *key, int receive_max, int64_t bytes_max)
{
    stele_link_t *self = STELE_NEW (stele_link_t);
    self->type = type;
    self->receive_max = receive_max;
    self->bytes_max = bytes_max;
    self->endpoints = stele_endpoints_new (endpoint);
    self->given = key;
    return self;
}

stele_endpoints_t *
stele_link_endpoints (stele_link_t *self)
{
    return self->endpoints;
}

static void
s_close (stele_link_t *self, int linger_ms)
{
    if (!self->socket)
        return;
    if (self->monitor)
        zmq_socket_monitor (zsock_resolve (self->socket), NULL, 0);
    zsock_destroy (&self->monitor);
    zsock_set_linger (self->socket, linger_ms);
    zsock_destroy (&self->socket);
}

void
stele_link_destroy (stele_link_t **self_p, int linger_ms)
{
    stele_link_t *self = *self_p;
    if (!self)
        return;
    s_close (self, linger_ms);
    stele_endpoints_destroy (&self->endpoints);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

void
stele_link_close (stele_link_t *self)
{
    s_close (self, 0);
}

bool
stele_link_local (const stele_link_t *self)
{
    return strncmp (stele_endpoints_current (self->endpoints), "inproc:", 7) == 0;
}

static void
s_watch (stele_link_t *self)
{
    //  A new name each time: the previous monitor closes asynchronously
    zuuid_t *name = zuuid_new ();
    char endpoint [80];
    snprintf (endpoint, sizeof endpoint, "inproc://stele-link-%s", zuuid_str (name));
    zuuid_destroy (&name);
    int events = stele_endpoints_several (self->endpoints)? STELE_HANDSHAKE_EVENTS | LINK_LOST_EVENTS: STELE_HANDSHAKE_EVENTS;
    if (zmq_socket_monitor (zsock_resolve (self->socket), endpoint, events) != 0)
        return;
    self->monitor = zsock_new (ZMQ_PAIR);
    assert (self->monitor);
    zsock_set_linger (self->monitor, 0);
    int rc = zsock_connect (self->monitor, "%s", endpoint);
    assert (rc == 0);
}

int
stele_link_open (stele_link_t *self, stele_refusal_t *refusal)
{
    s_close (self, 0);
    //  Of several nodes, each ends one handshake
    if (stele_endpoints_several (self->endpoints))
        self->handshake.refusal.code = 0;
    else
        stele_handshake_restart (&self->handshake);
    const char *endpoint = stele_endpoints_current (self->endpoints);
    free (self->endpoint);
    self->endpoint = stele_memory_copy (endpoint, strlen (endpoint));
    self->key = stele_key_counts_at (endpoint)? self->given: NULL;
    self->lost = false;
    self->socket = zsock_new (self->type);
    if (!self->socket)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "this process has no socket left: raise the limit with zsys_set_max_sockets");
    zsock_set_linger (self->socket, 0);
    zsock_set_sndhwm (self->socket, 0);
    zsock_set_rcvhwm (self->socket, self->receive_max);
    //  Not by czmq: it passes an int, and libzmq accepts only 64 bits
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_MAXMSGSIZE,
        &self->bytes_max, sizeof self->bytes_max);
    zsock_set_reconnect_ivl (self->socket, LINK_RECONNECT_MS);
    zsock_set_reconnect_ivl_max (self->socket, LINK_RECONNECT_MAX_MS);
    zsock_set_handshake_ivl (self->socket, LINK_HANDSHAKE_MS);
    //  No ZMTP heartbeats: in libzmq 4.3.4, if a connection is lost while the queue of received
    //  messages is full, their timer writes to it and an assertion aborts the process. A lost
    //  broker is detected by its silence, or by the kernel.
    zsock_set_tcp_keepalive (self->socket, 1);
    zsock_set_tcp_keepalive_idle (self->socket, LINK_KEEPALIVE_S);
    zsock_set_tcp_keepalive_intvl (self->socket, LINK_KEEPALIVE_S);
    zsock_set_tcp_keepalive_cnt (self->socket, 2);
    //  Send only into an established connection. The option also drops received messages when a
    //  connection is lost; libzmq 4.3.4 does so even between two frames of one message and then
    //  aborts in the receive. So it is set only for the DEALER, whose messages have one frame.
    zsock_set_immediate (self->socket, self->type == ZMQ_DEALER);
    if (self->type == ZMQ_REQ) {
        zsock_set_req_relaxed (self->socket, 1);
        zsock_set_req_correlate (self->socket, 1);
    }
    if (self->key)
        stele_key_apply (self->key, zsock_resolve (self->socket));
    //  With it, a name would be tried with IPv6 first, where no broker listens by default
    zsock_set_ipv6 (self->socket, strchr (self->endpoint, '[') != NULL);
    if (!stele_link_local (self))
        s_watch (self);
    if (zsock_connect (self->socket, "%s", self->endpoint) != 0) {
        s_close (self, 0);
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "endpoint",
            "cannot connect to %.160s: %s", self->endpoint, zmq_strerror (errno));
    }
    self->fresh = stele_link_local (self);
    return 0;
}

void *
stele_link_socket (const stele_link_t *self)
{
    return self->socket? zsock_resolve (self->socket): NULL;
}

void *
stele_link_monitor (const stele_link_t *self)
{
    return self->monitor? zsock_resolve (self->monitor): NULL;
}

bool
stele_link_connected (stele_link_t *self)
{
    bool connected = self->fresh;
    self->fresh = false;
    if (!self->monitor)
        return connected;
    void *monitor = zsock_resolve (self->monitor);
    unsigned char part [6];
    //  Each event has two frames: 16 bits of event and 32 bits of value, and the endpoint
    while (zmq_recv (monitor, part, sizeof part, ZMQ_DONTWAIT) >= 0) {
        uint16_t event;
        uint32_t value;
        memcpy (&event, part, sizeof event);
        memcpy (&value, part + sizeof event, sizeof value);
        if (zsock_rcvmore (self->monitor))
            zmq_recv (monitor, part, sizeof part, 0);
        if (event & LINK_LOST_EVENTS)
            self->lost = true;
        if (stele_handshake_event (&self->handshake, event, value, self->endpoint, self->key))
            connected = true;
    }
    return connected;
}

bool
stele_link_lost (const stele_link_t *self)
{
    return self->lost;
}

bool
stele_link_unwanted (const stele_link_t *self)
{
    return self->handshake.closed > 0;
}

int
stele_link_refused (stele_link_t *self, stele_refusal_t *refusal)
{
    int code = self->handshake.refusal.code;
    if (code && refusal)
        *refusal = self->handshake.refusal;
    self->handshake.refusal.code = 0;
    return code;
}
