/*  send_quota - limit the bytes of answers that peers have not read

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdatomic.h>
#include "base/memory.h"
#include "broker/common/envelope.h"
#include "broker/common/send_quota.h"

//  Whenever there are a multiple of this many peers, those that have read everything are removed
#define PEERS_SWEPT 1024
//  A peer that has read everything gets an answer up to this size, whatever others left unread
#define ALWAYS_MAX 65536

//  A counter, held by its owner and by each message that it counts. The last holder frees it, since
//  libzmq can have messages after the socket and the owner are gone.
typedef struct {
    atomic_size_t bytes;
    atomic_size_t holders;
    bool stuck;                     // Of the owner: the last answer did not fit
} s_count_t;

typedef struct {
    zframe_t *frame;
    s_count_t *peer, *total;
    atomic_bool whole;              // Orders the writes above before the reads of another thread
} s_note_t;

struct stele_send_quota {
    size_t peer_max, total_max;
    zhashx_t *peers;                // s_count_t by routing id, as hex
    s_count_t *total;
};

static s_count_t *
s_count_new (void)
{
    s_count_t *self = STELE_NEW (s_count_t);
    atomic_init (&self->bytes, 0);
    atomic_init (&self->holders, 1);
    return self;
}

static void
s_release (s_count_t *self)
{
    if (self && atomic_fetch_sub (&self->holders, 1) == 1)
        free (self);
}

static void
s_release_item (void **item)
{
    s_release (*item);
    *item = NULL;
}

static s_count_t *
s_hold (s_count_t *self, size_t size)
{
    if (self) {
        atomic_fetch_add (&self->holders, 1);
        atomic_fetch_add (&self->bytes, size);
    }
    return self;
}

//  libzmq frees the message, on any thread
static void
s_gone (void *data, void *hint)
{
    (void) data;
    s_note_t *note = hint;
    while (!atomic_load (&note->whole)) {}
    size_t size = zframe_size (note->frame);
    if (note->peer)
        atomic_fetch_sub (&note->peer->bytes, size);
    atomic_fetch_sub (&note->total->bytes, size);
    s_release (note->peer);
    s_release (note->total);
    zframe_destroy (&note->frame);
    free (note);
}

stele_send_quota_t *
stele_send_quota_new (size_t peer_max, size_t total_max)
{
    stele_send_quota_t *self = STELE_NEW (stele_send_quota_t);
    self->peer_max = peer_max;
    self->total_max = total_max;
    self->total = s_count_new ();
    self->peers = zhashx_new ();
    assert (self->peers);
    zhashx_set_destructor (self->peers, s_release_item);
    return self;
}

void
stele_send_quota_destroy (stele_send_quota_t **self_p)
{
    assert (self_p);
    stele_send_quota_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->peers);
    s_release (self->total);
    free (self);
    *self_p = NULL;
}

bool
stele_send_quota_fits (stele_send_quota_t *self, const void *id, size_t id_size, size_t size)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, id_size, key);
    s_count_t *peer = zhashx_lookup (self->peers, key);
    size_t bytes = peer? atomic_load (&peer->bytes): 0;
    if (bytes == 0 && size <= ALWAYS_MAX)
        return true;
    bool fits = (bytes == 0 || bytes + size <= self->peer_max)
        && atomic_load (&self->total->bytes) + size <= self->total_max;
    if (peer)
        peer->stuck = !fits;
    return fits;
}

bool
stele_send_quota_stuck (stele_send_quota_t *self, const void *id, size_t id_size)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, id_size, key);
    s_count_t *peer = zhashx_lookup (self->peers, key);
    return peer && peer->stuck && atomic_load (&peer->bytes) > self->peer_max / 2;
}

static void
s_sweep (stele_send_quota_t *self)
{
    zlistx_t *keys = zhashx_keys (self->peers);
    assert (keys);
    for (const char *key = zlistx_first (keys); key; key = zlistx_next (keys)) {
        s_count_t *peer = zhashx_lookup (self->peers, key);
        if (peer && atomic_load (&peer->bytes) == 0)
            zhashx_delete (self->peers, key);
    }
    zlistx_destroy (&keys);
}

static s_count_t *
s_peer (stele_send_quota_t *self, const void *id, size_t id_size)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, id_size, key);
    s_count_t *peer = zhashx_lookup (self->peers, key);
    if (!peer) {
        size_t count = zhashx_size (self->peers);
        if (count && count % PEERS_SWEPT == 0)
            s_sweep (self);
        peer = s_count_new ();
        zhashx_insert (self->peers, key, peer);
    }
    return peer;
}

int
stele_send_quota_send (stele_send_quota_t *self, const void *id, size_t id_size, zframe_t **frame_p,
    zsock_t *socket)
{
    zframe_t *frame = *frame_p;
    *frame_p = NULL;
    size_t size = zframe_size (frame);
    s_note_t *note = STELE_NEW (s_note_t);
    *note = (s_note_t) {
        .frame = frame,
        .peer = id? s_hold (s_peer (self, id, id_size), size): NULL,
        .total = s_hold (self->total, size)
    };
    atomic_store (&note->whole, true);
    zmq_msg_t message;
    int rc = zmq_msg_init_data (&message, zframe_data (frame), size, s_gone, note);
    assert (rc == 0);
    rc = zmq_msg_send (&message, zsock_resolve (socket), ZMQ_DONTWAIT);
    if (rc < 0)
        zmq_msg_close (&message);       // Calls s_gone
    return rc < 0? -1: 0;
}

size_t
stele_send_quota_total (const stele_send_quota_t *self)
{
    return atomic_load (&self->total->bytes);
}
