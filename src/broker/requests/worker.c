/*  worker - a thread that answers requests one at a time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "broker/access/identity_frame.h"
#include "broker/common/actor.h"
#include "broker/common/poll.h"
#include "broker/operations/query.h"
#include "broker/requests/worker.h"
#include "base/thread.h"

typedef struct {
    stele_query_t query;
    zsock_t *requests;
    stele_pack_t *pack;
} s_worker_t;

static int
s_open (s_worker_t *self, const stele_worker_args_t *args, stele_refusal_t *refusal)
{
    self->pack = stele_pack_new ();
    assert (self->pack);
    if (stele_query_open (&self->query, args->requests, refusal))
        return -1;
    char endpoint [80];
    self->requests = zsock_new (ZMQ_REP);
    zsock_set_identity (self->requests, args->identity);
    zsock_set_linger (self->requests, 0);
    return zsock_connect (self->requests, "%s",
        stele_settings_inproc (args->requests->settings, "workers", endpoint));
}

static void
s_close (s_worker_t *self)
{
    zsock_destroy (&self->requests);
    stele_query_close (&self->query);
    stele_pack_destroy (&self->pack);
}

//  Point reads that came together
static void
s_read_ahead (s_worker_t *self, zmsg_t *frames)
{
    stele_query_begin_together (&self->query);
    zmsg_first (frames);
    for (zframe_t *request = zmsg_next (frames); request; request = zmsg_next (frames)) {
        stele_query_expect (&self->query, zframe_data (request), zframe_size (request));
        zmsg_next (frames);         // The key
    }
}

static void
s_answer (s_worker_t *self)
{
    zmsg_t *frames = zmsg_recv (self->requests);
    if (!frames)
        return;                     // Interrupted
    zframe_t *context = zmsg_first (frames);
    self->query.context = zframe_data (context);
    self->query.context_size = zframe_size (context);
    size_t left = (zmsg_size (frames) - 1) / 2;
    if (left > 1)
        s_read_ahead (self, frames);
    zmsg_first (frames);
    while (left--) {
        zframe_t *request = zmsg_next (frames);
        const stele_identity_t *key = stele_identity_of_frame (zmsg_next (frames));
        zframe_t *answer = stele_query_reply (&self->query, key, request, self->pack);
        zframe_send (&answer, self->requests, left? ZFRAME_MORE: 0);
        zframe_destroy (&answer);
    }
    stele_query_end_together (&self->query);
    zmsg_destroy (&frames);
}

void
stele_worker (zsock_t *pipe, void *args)
{
    stele_worker_args_t copy = *(stele_worker_args_t *) args;
    s_worker_t self = { 0 };
    stele_refusal_t refusal = { 0 };
    int rc = s_open (&self, &copy, &refusal);
    STELE_TSAN_RELEASE (args);
    zsock_signal (pipe, 0);
    stele_thread_name ("worker");
    if (rc)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", NULL);
        zmq_pollitem_t items [] = {
            { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self.requests), 0, ZMQ_POLLIN, 0 }
        };
        //  Only $TERM comes on the pipe
        while (stele_poll (items, 2, -1) >= 0 && !(items [0].revents & ZMQ_POLLIN))
            if (items [1].revents & ZMQ_POLLIN)
                s_answer (&self);
    }
    s_close (&self);
    STELE_TSAN_RELEASE (copy.requests->settings);
}
