/*  follower - what the actors that follow the log share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/followers/follower.h"

int
stele_follower_open (stele_follower_t *self, zsock_t *pipe,
    const stele_follower_args_t *args, const char *name, stele_refusal_t *refusal)
{
    char endpoint [80];
    self->settings = args->settings;
    self->head = args->head;
    self->pipe = pipe;
    self->pack = stele_pack_new ();
    assert (self->pack);
    self->mailbox = zsock_new (ZMQ_ROUTER);
    self->heads = zsock_new (ZMQ_SUB);
    assert (self->mailbox && self->heads);
    zsock_set_rcvhwm (self->mailbox, 0);
    zsock_set_sndhwm (self->mailbox, 0);
    zsock_set_conflate (self->heads, 1);
    zsock_set_subscribe (self->heads, "");
    int rc = zsock_bind (self->mailbox, "%s", stele_settings_inproc (self->settings, name, endpoint));
    assert (rc == 0);
    rc = zsock_connect (self->heads, "%s", stele_settings_inproc (self->settings, "head", endpoint));
    assert (rc == 0);
    self->reader = stele_reader_open (self->settings->ledger, refusal);
    return self->reader? 0: refusal->code;
}

void
stele_follower_close (stele_follower_t *self)
{
    stele_reader_close (&self->reader);
    stele_pack_destroy (&self->pack);
    zsock_destroy (&self->mailbox);
    zsock_destroy (&self->heads);
}

void
stele_follower_hear (stele_follower_t *self)
{
    int64_t head;
    while (zmq_recv (zsock_resolve (self->heads), &head, sizeof head, ZMQ_DONTWAIT) == sizeof head)
        if (head > self->head)
            self->head = head;
}

void
stele_follower_read (stele_follower_t *self, const char *name, int64_t position, int code)
{
    if (code < 0 && !self->unreadable)
        zsys_warning ("%s: cannot read the ledger at %lld, trying again: %s",
            name, (long long) position, stele_reader_error (self->reader));
    else
    if (code >= 0 && self->unreadable)
        zsys_info ("%s: the ledger can be read again", name);
    self->unreadable = code < 0;
}

zmsg_t *
stele_follower_request (stele_follower_t *self)
{
    if (!(zsock_events (self->mailbox) & ZMQ_POLLIN))
        return NULL;
    zmsg_t *request = zmsg_recv (self->mailbox);
    if (request && zmsg_size (request) != 3)
        zmsg_destroy (&request);
    return request;
}

void
stele_follower_answer (stele_follower_t *self, zmsg_t **request)
{
    zframe_t *body = zmsg_last (*request);
    zmsg_remove (*request, body);
    zframe_destroy (&body);
    zmsg_addmem (*request, stele_pack_data (self->pack), stele_pack_size (self->pack));
    zmsg_send (request, self->mailbox);
}
