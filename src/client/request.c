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
    void *request;                  // Not answered yet
    size_t request_size;
    bool unsent;                    // It waits for the connection to one of several nodes
    bool connected;                 // Since the link was opened
    bool silent;                    // The last request was not answered
    int64_t opened_ms;
    int64_t again_ms;               // When to connect to the next node; 0: not planned
    int moves;                      // Since the last connection
};

stele_requester_t *
stele_requester_new (const char *endpoint, const stele_key_t *key)
{
    stele_requester_t *self = STELE_NEW (stele_requester_t);
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
    free (self->request);
    free (self);
    *self_p = NULL;
}

void *
stele_requester_socket (const stele_requester_t *self)
{
    return stele_link_socket (self->link);
}

stele_endpoints_t *
stele_requester_endpoints (stele_requester_t *self)
{
    return stele_link_endpoints (self->link);
}

void
stele_requester_reset (stele_requester_t *self)
{
    stele_link_close (self->link);
    self->again_ms = 0;
}

static const char *
s_endpoint (const stele_requester_t *self)
{
    return stele_endpoints_current (stele_link_endpoints (self->link));
}

static bool
s_has_others (const stele_requester_t *self)
{
    return stele_endpoints_several (stele_link_endpoints (self->link));
}

static bool
s_send (stele_requester_t *self)
{
    return stele_link_socket (self->link)
        && zmq_send (stele_link_socket (self->link), self->request, self->request_size, ZMQ_DONTWAIT) >= 0;
}

static void
s_note_connection (stele_requester_t *self)
{
    //  A node that was given up may be connected after all
    if (!stele_link_connected (self->link) || self->again_ms)
        return;
    self->connected = true;
    self->moves = 0;
    if (self->unsent)
        self->unsent = !s_send (self);
}

//  Open the link, and send the request. With several nodes it is sent once there is a connection: what a socket has queued
//  could be delivered while it is sent to another node. A broker that refuses the connection before the request is sent
//  leaves it unsent; the link knows why.
static int
s_open (stele_requester_t *self, stele_refusal_t *refusal)
{
    self->connected = false;
    self->opened_ms = zclock_mono ();
    self->again_ms = 0;
    self->unsent = s_has_others (self);
    int rc = stele_link_open (self->link, refusal);
    if (rc == 0 && self->unsent)
        s_note_connection (self);
    else
    if (rc == 0 && !s_send (self) && !(self->unsent = errno == EAGAIN))
        rc = stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
            "cannot send to %.160s: %s", s_endpoint (self), zmq_strerror (errno));
    return rc;
}

//  The next node is the one to connect to, at once or after a pause
static void
s_move (stele_requester_t *self)
{
    stele_endpoints_next (stele_link_endpoints (self->link));
    self->again_ms = zclock_mono () + stele_endpoints_pause_ms (self->moves++);
}

int
stele_requester_send (stele_requester_t *self, const void *request, size_t size,
    stele_refusal_t *refusal)
{
    free (self->request);
    self->request = stele_memory_copy (request, size);
    self->request_size = size;
    bool silent = self->silent;
    self->silent = true;
    self->unsent = false;
    if (s_has_others (self)) {
        bool open = stele_link_socket (self->link) && !self->again_ms;
        if (open)
            s_note_connection (self);
        if (open? stele_link_lost (self->link): silent)
            stele_endpoints_next (stele_link_endpoints (self->link));
        if (!open || !self->connected || stele_link_lost (self->link))
            return s_open (self, refusal);
    }
    if (s_send (self))
        return 0;
    //  Over inproc, only a new connection reaches a broker that was restarted
    return s_open (self, refusal);
}

//  Take what happened to the connection. Returns 0, STELE_EUNAUTHORIZED if the broker refuses it, or STELE_EUNAVAILABLE.
static int
s_check_link (stele_requester_t *self, stele_refusal_t *refusal)
{
    s_note_connection (self);
    int code = stele_link_refused (self->link, refusal);
    if (!s_has_others (self) || self->again_ms)
        return self->again_ms? 0: code;
    bool lost = stele_link_lost (self->link) || (!self->connected
        && zclock_mono () >= self->opened_ms + stele_endpoints_patience_ms (self->moves));
    //  Another node may accept the key
    if (code && self->moves + 1 >= (int) stele_endpoints_count (stele_link_endpoints (self->link)))
        return code;
    if (lost && self->connected && !self->unsent) {
        stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "the connection to %.160s was lost before the answer: "
            "the request may have been executed", s_endpoint (self));
        stele_endpoints_next (stele_link_endpoints (self->link));
        self->silent = false;
        stele_requester_reset (self);
        return STELE_EUNAVAILABLE;
    }
    if (code || lost)
        s_move (self);
    return 0;
}

//  Time of the next thing that this has to do by itself
static int64_t
s_due_ms (const stele_requester_t *self)
{
    if (!s_has_others (self))
        return INT64_MAX;
    return self->again_ms? self->again_ms: self->connected? INT64_MAX:
        self->opened_ms + stele_endpoints_patience_ms (self->moves);
}

//  Wait until the socket is readable, which may also mean an answer to an earlier request. Returns 0, STELE_ETIMEOUT,
//  or a code of s_check_link.
static int
s_wait (stele_requester_t *self, int64_t deadline_ms, stele_refusal_t *refusal)
{
    while (true) {
        zmq_pollitem_t items [2] = {
            { .socket = stele_link_socket (self->link), .events = ZMQ_POLLIN },
            { .socket = stele_link_monitor (self->link), .events = ZMQ_POLLIN }
        };
        int64_t due_ms = s_due_ms (self);
        int count = self->again_ms? 0: items [1].socket? 2: 1;
        int ready = stele_wait_poll (items, count, deadline_ms < due_ms? deadline_ms: due_ms);
        if (items [0].revents)
            return 0;
        if (ready == 0 && zclock_mono () < due_ms)
            break;
        int code = s_check_link (self, refusal);
        if (code == 0 && self->again_ms && zclock_mono () >= self->again_ms)
            code = s_open (self, refusal);
        if (code)
            return code;
        if (ready == 0 && zclock_mono () >= deadline_ms)
            break;
    }
    return stele_refuse (refusal, STELE_ETIMEOUT, NULL, "no answer from %.160s in time%s", s_endpoint (self),
        stele_link_unwanted (self->link)? ": it ended every handshake, and may need a key, or another one": "");
}

int
stele_requester_receive (stele_requester_t *self, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    assert (stele_link_socket (self->link));
    do {
        int code = s_wait (self, deadline_ms, refusal);
        if (code)
            return code;
    } while (zmq_msg_recv (answer, stele_link_socket (self->link), ZMQ_DONTWAIT) < 0);
    self->silent = false;
    void *socket = stele_link_socket (self->link);
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
            "the answer from %.160s is not one msgpack map", s_endpoint (self));
    return 0;
}
