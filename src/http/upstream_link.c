/*  upstream_link - a connection for requests, to one of several nodes at a time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/upstream_link.h"

#define RECONNECT_MS        100
#define RECONNECT_MAX_MS   2000
#define HANDSHAKE_MS       5000
#define KEEPALIVE_S          10

static const int64_t s_answer_bytes_max = 268435456;

void
http_link_init (http_link_t *self, const char *endpoints, const stele_key_t *key)
{
    self->endpoints = stele_endpoints_new (endpoints);
    self->given = key;
}

static void
s_watch (http_link_t *self)
{
    zuuid_t *name = zuuid_new ();
    char endpoint [80];
    snprintf (endpoint, sizeof endpoint, "inproc://stele-http-%s", zuuid_str (name));
    zuuid_destroy (&name);
    int rc = zmq_socket_monitor (zsock_resolve (self->socket), endpoint,
        STELE_HANDSHAKE_EVENTS | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED);
    assert (rc == 0);
    self->monitor = zsock_new (ZMQ_PAIR);
    assert (self->monitor);
    zsock_set_linger (self->monitor, 0);
    rc = zsock_connect (self->monitor, "%s", endpoint);
    assert (rc == 0);
}

//  Connect to the current node. No ZMTP heartbeats and no ZMQ_IMMEDIATE: src/client/connection/link.c has the reasons
int
http_link_open (http_link_t *self, stele_refusal_t *refusal)
{
    const char *endpoint = stele_endpoints_current (self->endpoints);
    if (self->endpoint && strcmp (self->endpoint, endpoint) != 0)
        self->handshake.succeeded = false;
    free (self->endpoint);
    self->endpoint = stele_memory_copy (endpoint, strlen (endpoint));
    self->key = stele_key_counts_at (self->endpoint)? self->given: NULL;
    self->opened_ms = stele_clock_steady_ms ();
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

void
http_link_close (http_link_t *self)
{
    if (self->monitor)
        zmq_socket_monitor (zsock_resolve (self->socket), NULL, 0);
    zsock_destroy (&self->monitor);
    zsock_destroy (&self->socket);
    self->connected = false;
}

void
http_link_clear (http_link_t *self)
{
    http_link_close (self);
    stele_endpoints_destroy (&self->endpoints);
    free (self->endpoint);
}

bool
http_link_is_mute (const http_link_t *self, int64_t now_ms)
{
    return self->socket && !self->connected && stele_endpoints_count (self->endpoints) > 1
        && now_ms >= self->opened_ms + stele_endpoints_patience_ms (self->attempts);
}

bool
http_link_is_due (const http_link_t *self, int64_t now_ms)
{
    return self->due_ms? now_ms >= self->due_ms: http_link_is_mute (self, now_ms);
}
