/*  fair_queue - the requests that wait for a worker, in round-robin order of peers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "broker/common/envelope.h"
#include "broker/requests/fair_queue.h"

//  A peer while it has requests here
typedef struct {
    char key [STELE_ENVELOPE_KEY];  // Routing id, as hex
    zlist_t *requests;
} s_peer_t;

struct stele_fair_queue {
    zhashx_t *peers;                // s_peer_t by key
    zlist_t *ring;                  // The same; the first one is next
    size_t size;
};

stele_fair_queue_t *
stele_fair_queue_new (void)
{
    stele_fair_queue_t *self = STELE_NEW (stele_fair_queue_t);
    self->peers = zhashx_new ();
    self->ring = zlist_new ();
    return self;
}

//  A peer without requests, already removed from the ring

static void
s_forget (stele_fair_queue_t *self, s_peer_t *peer)
{
    zhashx_delete (self->peers, peer->key);
    zlist_destroy (&peer->requests);
    free (peer);
}

void
stele_fair_queue_destroy (stele_fair_queue_t **self_p)
{
    assert (self_p);
    stele_fair_queue_t *self = *self_p;
    if (!self)
        return;
    s_peer_t *peer;
    while ((peer = zlist_pop (self->ring)))
        s_forget (self, peer);
    zhashx_destroy (&self->peers);
    zlist_destroy (&self->ring);
    free (self);
    *self_p = NULL;
}

static void
s_key (const stele_request_t *request, char key [STELE_ENVELOPE_KEY])
{
    zframe_t *id = zmsg_first (request->envelope);
    stele_envelope_key (zframe_data (id), zframe_size (id), key);
}

void
stele_fair_queue_add (stele_fair_queue_t *self, stele_request_t *request)
{
    char key [STELE_ENVELOPE_KEY];
    s_key (request, key);
    s_peer_t *peer = zhashx_lookup (self->peers, key);
    if (!peer) {
        peer = STELE_NEW (s_peer_t);
        strcpy (peer->key, key);
        peer->requests = zlist_new ();
        zhashx_insert (self->peers, key, peer);
        zlist_append (self->ring, peer);
    }
    zlist_append (peer->requests, request);
    self->size++;
}

stele_request_t *
stele_fair_queue_next (stele_fair_queue_t *self)
{
    s_peer_t *peer = zlist_pop (self->ring);
    if (!peer)
        return NULL;
    stele_request_t *request = zlist_pop (peer->requests);
    self->size--;
    if (zlist_size (peer->requests))
        zlist_append (self->ring, peer);
    else
        s_forget (self, peer);
    return request;
}

const stele_request_t *
stele_fair_queue_peek (stele_fair_queue_t *self)
{
    const s_peer_t *peer = zlist_first (self->ring);
    return peer? zlist_first (peer->requests): NULL;
}

void
stele_fair_queue_remove (stele_fair_queue_t *self, stele_request_t *request)
{
    char key [STELE_ENVELOPE_KEY];
    s_key (request, key);
    s_peer_t *peer = zhashx_lookup (self->peers, key);
    assert (peer);
    zlist_remove (peer->requests, request);
    self->size--;
    if (zlist_size (peer->requests) == 0) {
        zlist_remove (self->ring, peer);
        s_forget (self, peer);
    }
}

size_t
stele_fair_queue_size (const stele_fair_queue_t *self)
{
    return self->size;
}
