/*  link - a socket connected to one endpoint, which tells of each new connection

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "client/link.h"

#define LINK_RECONNECT_MS       100
#define LINK_RECONNECT_MAX_MS  2000
#define LINK_HANDSHAKE_MS      5000

//  Idle so long, the kernel asks whether the other side is still there
#define LINK_KEEPALIVE_S       10

struct stele_link {
    int type;
    int receive_max;
    int64_t bytes_max;
    char *endpoint;
    zsock_t *socket;
    zsock_t *monitor;
    bool fresh;                     // inproc: opened, and not told yet
};

stele_link_t *
stele_link_new (int type, const char *endpoint, int receive_max, int64_t bytes_max)
{
    stele_link_t *self = (stele_link_t *) zmalloc (sizeof (stele_link_t));
    assert (self);
    self->type = type;
    self->receive_max = receive_max;
    self->bytes_max = bytes_max;
    self->endpoint = strdup (endpoint);
    assert (self->endpoint);
    return self;
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
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

bool
stele_link_local (const stele_link_t *self)
{
    return strncmp (self->endpoint, "inproc:", 7) == 0;
}

static void
s_watch (stele_link_t *self)
{
    //  The name has to be new each time: the last monitor closes on its own time
    zuuid_t *name = zuuid_new ();
    char endpoint [80];
    snprintf (endpoint, sizeof endpoint, "inproc://stele-link-%s", zuuid_str (name));
    zuuid_destroy (&name);
    if (zmq_socket_monitor (zsock_resolve (self->socket), endpoint,
            ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0)
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
    self->socket = zsock_new (self->type);
    if (!self->socket)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "no socket left in this process: raise zsys_set_max_sockets");
    zsock_set_linger (self->socket, 0);
    zsock_set_sndhwm (self->socket, 0);
    zsock_set_rcvhwm (self->socket, self->receive_max);
    //  czmq passes an int where libzmq takes 64 bits only
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_MAXMSGSIZE,
        &self->bytes_max, sizeof self->bytes_max);
    zsock_set_reconnect_ivl (self->socket, LINK_RECONNECT_MS);
    zsock_set_reconnect_ivl_max (self->socket, LINK_RECONNECT_MAX_MS);
    zsock_set_handshake_ivl (self->socket, LINK_HANDSHAKE_MS);
    //  No ZMTP heartbeats: in libzmq 4.3.4 their timer writes to a connection that was lost while
    //  the queue of received messages was full, and an assertion ends the process. A peer
    //  that vanished is found by its silence, or by the kernel.
    zsock_set_tcp_keepalive (self->socket, 1);
    zsock_set_tcp_keepalive_idle (self->socket, LINK_KEEPALIVE_S);
    zsock_set_tcp_keepalive_intvl (self->socket, LINK_KEEPALIVE_S);
    zsock_set_tcp_keepalive_cnt (self->socket, 2);
    //  Send nothing into a connection that is not there. But it also drops what was
    //  received when one is lost, which libzmq 4.3.4 does between two frames of a
    //  message, and then aborts in the receive: so not where messages have two.
    zsock_set_immediate (self->socket, self->type == ZMQ_DEALER);
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
    char part [6];
    //  Each event is two frames: what happened (the only one asked for), and where
    while (zmq_recv (monitor, part, sizeof part, ZMQ_DONTWAIT) >= 0) {
        if (zsock_rcvmore (self->monitor))
            zmq_recv (monitor, part, sizeof part, 0);
        connected = true;
    }
    return connected;
}
