/*  request - send requests to the broker, and receive the answer to each

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "base/memory.h"
#include "client/request.h"
#include "client/connection/link.h"
#include "client/connection/wait.h"
#include "wire/map.h"

#define REQUEST_ANSWERS_MAX 1000
#define REQUEST_BYTES_MAX   268435456

struct stele_requester {
    stele_link_t *link;
    char *endpoint;
};

stele_requester_t *
stele_requester_new (const char *endpoint, const stele_key_t *key)
{
    stele_requester_t *self = STELE_NEW (stele_requester_t);
    self->endpoint = stele_memory_copy (endpoint, strlen (endpoint));
    self->link = stele_link_new (ZMQ_REQ, endpoint, key, REQUEST_ANSWERS_MAX, REQUEST_BYTES_MAX);
    return self;
}

void
stele_requester_destroy (stele_requester_t **self_p)
{
    stele_requester_t *self = *self_p;
    if (!self)
        return;
    stele_link_destroy (&self->link, 0);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

void *
stele_requester_socket (const stele_requester_t *self)
{
    return stele_link_socket (self->link);
}

void
stele_requester_reset (stele_requester_t *self)
{
    stele_link_close (self->link);
}

static bool
s_send (stele_requester_t *self, const void *request, size_t size)
{
    return stele_link_socket (self->link)
        && zmq_send (stele_link_socket (self->link), request, size, ZMQ_DONTWAIT) >= 0;
}

int
stele_requester_send (stele_requester_t *self, const void *request, size_t size,
    stele_refusal_t *refusal)
{
    if (s_send (self, request, size))
        return 0;
    //  Over inproc, only a new connection reaches a broker that was restarted
    int rc = stele_link_open (self->link, refusal);
    if (rc == 0 && !s_send (self, request, size))
        rc = stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "cannot send to %.160s: %s", self->endpoint, zmq_strerror (errno));
    return rc;
}

//  Wait until the socket is readable, which may also mean an answer to an earlier request. Returns 0, STELE_ETIMEOUT,
//  or STELE_EUNAUTHORIZED if the broker refuses the connection.
static int
s_wait (stele_requester_t *self, int64_t deadline_ms, stele_refusal_t *refusal)
{
    zmq_pollitem_t items [2] = {
        { .socket = stele_link_socket (self->link), .events = ZMQ_POLLIN },
        { .socket = stele_link_monitor (self->link), .events = ZMQ_POLLIN }
    };
    while (stele_wait_poll (items, items [1].socket? 2: 1, deadline_ms) > 0) {
        if (items [0].revents)
            return 0;
        stele_link_connected (self->link);
        int code = stele_link_refused (self->link, refusal);
        if (code)
            return code;
    }
    return stele_refuse (refusal, STELE_ETIMEOUT, NULL, "no answer from %.160s in time%s", self->endpoint,
        stele_link_unwanted (self->link)? ": it ended every handshake, and may need a key, or another one": "");
}

int
stele_requester_receive (stele_requester_t *self, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    void *socket = stele_link_socket (self->link);
    assert (socket);
    do {
        int code = s_wait (self, deadline_ms, refusal);
        if (code)
            return code;
    } while (zmq_msg_recv (answer, socket, ZMQ_DONTWAIT) < 0);
    bool alone = !zmq_msg_more (answer);
    zmq_msg_t rest;
    zmq_msg_init (&rest);
    for (bool more = !alone; more; more = zmq_msg_more (&rest))
        if (zmq_msg_recv (&rest, socket, ZMQ_DONTWAIT) < 0)
            break;
    zmq_msg_close (&rest);
    stele_map_t message;
    if (!alone || stele_map_open (&message, zmq_msg_data (answer), zmq_msg_size (answer)) != 0)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "the answer from %.160s is not one msgpack map", self->endpoint);
    return 0;
}
