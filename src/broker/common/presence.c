/*  presence - the time of the last message of each producer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <czmq.h>
#include "base/memory.h"
#include "broker/common/presence.h"

struct stele_seen {
    stele_producer_t producer;
    _Atomic int64_t heard_us;
};

struct stele_presence {
    pthread_mutex_t mutex;
    zhashx_t *seen;                 // By name
};

static void
s_free (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

stele_presence_t *
stele_presence_new (void)
{
    stele_presence_t *self = STELE_NEW (stele_presence_t);
    self->seen = zhashx_new ();
    assert (self->seen);
    zhashx_set_destructor (self->seen, s_free);
    int rc = pthread_mutex_init (&self->mutex, NULL);
    assert (rc == 0);
    return self;
}

void
stele_presence_destroy (stele_presence_t **self_p)
{
    assert (self_p);
    stele_presence_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->seen);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    *self_p = NULL;
}

stele_seen_t *
stele_presence_put (stele_presence_t *self, const stele_producer_t *producer)
{
    pthread_mutex_lock (&self->mutex);
    stele_seen_t *seen = zhashx_lookup (self->seen, producer->name);
    if (!seen) {
        seen = STELE_NEW (stele_seen_t);
        zhashx_insert (self->seen, producer->name, seen);
    }
    seen->producer = *producer;
    pthread_mutex_unlock (&self->mutex);
    return seen;
}

void
stele_presence_remove (stele_presence_t *self, const char *name)
{
    pthread_mutex_lock (&self->mutex);
    zhashx_delete (self->seen, name);
    pthread_mutex_unlock (&self->mutex);
}

void
stele_seen_mark (stele_seen_t *self, int64_t heard_us)
{
    atomic_store_explicit (&self->heard_us, heard_us, memory_order_relaxed);
}

bool
stele_presence_get (stele_presence_t *self, const char *name, stele_producer_t *producer,
    int64_t *heard_us)
{
    pthread_mutex_lock (&self->mutex);
    stele_seen_t *seen = zhashx_lookup (self->seen, name);
    if (seen) {
        *producer = seen->producer;
        *heard_us = atomic_load_explicit (&seen->heard_us, memory_order_relaxed);
    }
    pthread_mutex_unlock (&self->mutex);
    return seen != NULL;
}

void
stele_presence_pack (stele_pack_t *pack, const stele_producer_t *producer, int64_t sequence,
    int64_t heard_us, int64_t now_us)
{
    static const char *const words [] = { "unknown", "present", "left", "expired", "left" };
    stele_pack_key_string (pack, "producer", producer->name);
    if (sequence >= 0)
        stele_pack_key_integer (pack, "sequence", sequence);
    stele_pack_key_string (pack, "instance", *producer->instance? producer->instance: NULL);
    size_t status = (size_t) producer->status;
    stele_pack_key_string (pack, "status", words [status < sizeof words / sizeof words [0]? status: 0]);
    stele_pack_key_integer (pack, "lease_ms", producer->lease_ms);
    stele_pack_key (pack, "silent_ms");
    if (heard_us)
        stele_pack_integer (pack, (now_us - heard_us) / 1000);
    else
        stele_pack_nil (pack);
}
