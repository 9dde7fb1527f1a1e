/*  request - send requests to the broker, and receive the answer to each

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "base/memory.h"
#include "client/request.h"
#include "client/connection/wait.h"
#include "wire/map.h"

#define REQUEST_RECONNECT_MS       100
#define REQUEST_RECONNECT_MAX_MS  2000

static const int64_t s_answer_bytes_max = 268435456;

struct stele_requester {
    char *endpoint;
    zsock_t *socket;                // NULL before the first request and after a reset
};

stele_requester_t *
stele_requester_new (const char *endpoint)
{
    stele_requester_t *self = STELE_NEW (stele_requester_t);
    self->endpoint = stele_memory_copy (endpoint, strlen (endpoint));
    return self;
}

void
stele_requester_destroy (stele_requester_t **self_p)
{
    stele_requester_t *self = *self_p;
    if (!self)
        return;
    zsock_destroy (&self->socket);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

void
stele_requester_reset (stele_requester_t *self)
{
    zsock_destroy (&self->socket);
}

static int
s_open (stele_requester_t *self, stele_refusal_t *refusal)
{
    zsock_destroy (&self->socket);
    self->socket = zsock_new (ZMQ_REQ);
    if (!self->socket)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "this process has no socket left: raise the limit with zsys_set_max_sockets");
    zsock_set_linger (self->socket, 0);
    zsock_set_req_relaxed (self->socket, 1);
    zsock_set_req_correlate (self->socket, 1);
    zsock_set_reconnect_ivl (self->socket, REQUEST_RECONNECT_MS);
    zsock_set_reconnect_ivl_max (self->socket, REQUEST_RECONNECT_MAX_MS);
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_MAXMSGSIZE,
        &s_answer_bytes_max, sizeof s_answer_bytes_max);
    //  With it, a name would be tried with IPv6 first, where no broker listens by default
    zsock_set_ipv6 (self->socket, strchr (self->endpoint, '[') != NULL);
    if (zsock_connect (self->socket, "%s", self->endpoint) == 0)
        return 0;
    zsock_destroy (&self->socket);
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "endpoint",
        "cannot connect to %.160s: %s", self->endpoint, zmq_strerror (errno));
}

static bool
s_send (stele_requester_t *self, const void *request, size_t size)
{
    return self->socket
        && zmq_send (zsock_resolve (self->socket), request, size, ZMQ_DONTWAIT) >= 0;
}

int
stele_requester_send (stele_requester_t *self, const void *request, size_t size,
    stele_refusal_t *refusal)
{
    if (s_send (self, request, size))
        return 0;
    //  Over inproc, only a new connection reaches a broker that was restarted
    int rc = s_open (self, refusal);
    if (rc == 0 && !s_send (self, request, size))
        rc = stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "cannot send to %.160s: %s", self->endpoint, zmq_strerror (errno));
    return rc;
}

int
stele_requester_receive (stele_requester_t *self, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    assert (self->socket);
    void *socket = zsock_resolve (self->socket);
    zmq_pollitem_t item = { .socket = socket, .events = ZMQ_POLLIN };
    do {
        //  Readable may also mean an answer to an earlier request, which zmq_msg_recv drops
        if (stele_wait_poll (&item, 1, deadline_ms) <= 0)
            return stele_refuse (refusal, STELE_ETIMEOUT, NULL,
                "no answer from %.160s in time", self->endpoint);
    } while (zmq_msg_recv (answer, socket, ZMQ_DONTWAIT) < 0);
    bool alone = !zmq_msg_more (answer);
    zmq_msg_t rest;
    zmq_msg_init (&rest);
    while (zsock_rcvmore (self->socket) && zmq_msg_recv (&rest, socket, ZMQ_DONTWAIT) >= 0);
    zmq_msg_close (&rest);
    stele_map_t message;
    if (!alone || stele_map_open (&message, zmq_msg_data (answer), zmq_msg_size (answer)) != 0)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "the answer from %.160s is not one msgpack map", self->endpoint);
    return 0;
}
