/*  roster - producers, their leases and connections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <czmq.h>
#include "broker/common/envelope.h"
#include "broker/ingest/roster.h"
#include "base/clock.h"
#include "base/memory.h"

//  Connections end without notice: above this many the oldest is dropped, and has to send hello again
//  if it still exists.
#define PEERS_MAX 65536
//  Some 300 years: sums with it do not overflow
#define LEASE_MS_MAX (INT64_C (10000000) * 1000 * 1000)

//  A peer as it was before the open batch changed it
typedef struct s_before {
    struct s_before *next;
    char *key;
    bool existed;
    stele_connection_t peer;
} s_before_t;

struct stele_roster {
    zhashx_t *members;              // By name
    zlistx_t *order;                // The same, for walking
    zhashx_t *peers;                // By routing id, as hex
    zlistx_t *peer_keys;            // Oldest first
    stele_roster_entry_t *touched;
    s_before_t *before;             // Latest first
    bool any_ack_pending;           // Some connection may have a pending ack
    int64_t due_us;                 // On the clock of the leases: none expires before
    int64_t read_us;                // Steady clock: when the leases were read from the ledger
    int64_t stalled_us;             // How long the broker was stalled: the clock of the leases stood still
    int64_t grace_ms;               // Shortest lease after a start
    stele_ledger_t *ledger;
    int error;                      // Of the last look-up in it
    stele_presence_t *presence;     // Shows them to other threads; NULL: none does
};

static void
s_free (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

static stele_roster_entry_t *
s_add (stele_roster_t *self, const stele_producer_t *producer)
{
    stele_roster_entry_t *member = STELE_NEW (stele_roster_entry_t);
    member->now = *producer;
    member->durable = *producer;
    zhashx_insert (self->members, member->now.name, member);
    member->handle = zlistx_add_end (self->order, member);
    return member;
}

static int64_t
s_lease_clock (const stele_roster_t *self)
{
    return stele_clock_steady_us () - self->stalled_us;
}

static void
s_lease_until (stele_roster_t *self, stele_roster_entry_t *member, int64_t until_us)
{
    member->lease_until_us = until_us;
    if (until_us < self->due_us)
        self->due_us = until_us;
}

//  Producers can request any number of milliseconds
static void
s_lease (stele_roster_t *self, stele_roster_entry_t *member, int64_t from_us, int64_t lease_ms)
{
    s_lease_until (self, member, from_us + (lease_ms < LEASE_MS_MAX? lease_ms: LEASE_MS_MAX) * 1000);
}

//  Does a lease of the current run interrupt tasks when it ends?
static bool
s_lease_matters (const stele_producer_t *producer)
{
    return producer->status == STELE_PRODUCER_PRESENT || producer->status == STELE_PRODUCER_ENDED;
}

void
stele_roster_resume (stele_roster_t *self, stele_roster_entry_t *member)
{
    int64_t lease_ms = member->now.lease_ms;
    if (lease_ms && s_lease_matters (&member->now))
        s_lease (self, member, s_lease_clock (self), lease_ms > self->grace_ms? lease_ms: self->grace_ms);
}

static void
s_load (const stele_producer_t *producer, void *arg)
{
    stele_roster_t *self = arg;
    stele_roster_resume (self, s_add (self, producer));
}

stele_roster_t *
stele_roster_new (stele_ledger_t *ledger, int64_t grace_ms)
{
    stele_roster_t *self = STELE_NEW (stele_roster_t);
    self->members = zhashx_new ();
    self->order = zlistx_new ();
    self->peers = zhashx_new ();
    self->peer_keys = zlistx_new ();
    assert (self->members && self->order && self->peers && self->peer_keys);
    self->ledger = ledger;
    self->due_us = INT64_MAX;
    self->read_us = stele_clock_steady_us ();
    self->grace_ms = grace_ms;
    zlistx_set_destructor (self->order, s_free);
    zhashx_set_destructor (self->peers, s_free);
    zlistx_set_duplicator (self->peer_keys, (czmq_duplicator *) strdup);
    zlistx_set_destructor (self->peer_keys, s_free);
    zlistx_set_comparator (self->peer_keys, (czmq_comparator *) strcmp);
    if (stele_ledger_producers (ledger, s_load, self))
        stele_roster_destroy (&self);
    return self;
}

//  What the ledger has, to other threads
static void
s_show (stele_roster_t *self, stele_roster_entry_t *member)
{
    member->seen = stele_presence_put (self->presence, &member->durable);
    stele_seen_mark (member->seen, member->heard_us);
}

void
stele_roster_show (stele_roster_t *self, stele_presence_t *presence)
{
    self->presence = presence;
    stele_roster_entry_t *member = zlistx_first (self->order);
    for (; member; member = zlistx_next (self->order))
        s_show (self, member);
}

void
stele_roster_destroy (stele_roster_t **self_p)
{
    assert (self_p);
    stele_roster_t *self = *self_p;
    if (!self)
        return;
    stele_roster_commit (self);
    zhashx_destroy (&self->members);
    zlistx_destroy (&self->order);
    zhashx_destroy (&self->peers);
    zlistx_destroy (&self->peer_keys);
    free (self);
    *self_p = NULL;
}

stele_roster_entry_t *
stele_roster_lookup (stele_roster_t *self, const char *name)
{
    return zhashx_lookup (self->members, name);
}

int
stele_roster_error (const stele_roster_t *self)
{
    return self->error;
}

stele_roster_entry_t *
stele_roster_entry (stele_roster_t *self, const char *name)
{
    stele_roster_entry_t *member = zhashx_lookup (self->members, name);
    if (member)
        return member;
    stele_producer_t producer;
    int found = stele_ledger_producer_find (self->ledger, name, &producer);
    self->error = found < 0? found: 0;
    if (found)
        return found < 0? NULL: s_add (self, &producer);
    producer = (stele_producer_t) { .status = STELE_PRODUCER_LEFT };
    snprintf (producer.name, sizeof producer.name, "%s", name);
    return s_add (self, &producer);
}

void
stele_roster_touch (stele_roster_t *self, stele_roster_entry_t *member)
{
    if (member->touched)
        return;
    member->touched = true;
    member->next_touched = self->touched;
    self->touched = member;
}

int
stele_roster_advance (const stele_roster_t *self, stele_ledger_t *ledger)
{
    for (const stele_roster_entry_t *member = self->touched; member; member = member->next_touched) {
        int code = member->now.sequence == member->durable.sequence? 0:
            stele_ledger_producer_advance (ledger, member->now.id, member->now.sequence);
        if (code)
            return code;
    }
    return 0;
}

//  Its first message was refused, so the ledger does not have it; or it is anonymous and gone
static void
s_drop (stele_roster_t *self, stele_roster_entry_t *member)
{
    if (member->seen)
        stele_presence_remove (self->presence, member->now.name);
    zhashx_delete (self->members, member->now.name);
    zlistx_delete (self->order, member->handle);
}

//  The batch is durable
static void
s_keep (stele_roster_t *self, stele_roster_entry_t *member)
{
    const stele_producer_t *now = &member->now, *durable = &member->durable;
    bool same = member->seen && now->status == durable->status && now->lease_ms == durable->lease_ms
        && strcmp (now->instance, durable->instance) == 0;
    member->durable = member->now;
    member->expiring = false;
    if (self->presence && !same)
        s_show (self, member);
}

static void
s_settle (stele_roster_t *self, bool keep)
{
    while (self->touched) {
        stele_roster_entry_t *member = self->touched;
        self->touched = member->next_touched;
        member->touched = false;
        bool gone = member->now.anonymous && !*member->now.instance;
        if (keep && (member->now.id == 0 || gone))
            s_drop (self, member);
        else
        if (keep)
            s_keep (self, member);
        else
            member->now = member->durable;
    }
}

//  A batch that is rolled back runs again from its first message, and each message has to find its
//  connection as it was then.
static void
s_remember (stele_roster_t *self, const char *key)
{
    s_before_t *before = STELE_NEW (s_before_t);
    before->key = stele_memory_copy (key, strlen (key));
    const stele_connection_t *peer = zhashx_lookup (self->peers, key);
    before->existed = peer != NULL;
    if (peer)
        before->peer = *peer;
    before->next = self->before;
    self->before = before;
}

static void
s_forget (stele_roster_t *self, const char *key)
{
    zhashx_delete (self->peers, key);
    if (zlistx_find (self->peer_keys, (void *) key))
        zlistx_delete (self->peer_keys, zlistx_cursor (self->peer_keys));
}

static stele_connection_t *
s_make (stele_roster_t *self, const char *key)
{
    stele_connection_t *peer = zhashx_lookup (self->peers, key);
    if (peer)
        return peer;
    peer = STELE_NEW (stele_connection_t);
    zhashx_insert (self->peers, key, peer);
    zlistx_add_end (self->peer_keys, (void *) key);
    return peer;
}

static void
s_settle_peers (stele_roster_t *self, bool keep)
{
    while (self->before) {
        s_before_t *before = self->before;
        self->before = before->next;
        if (!keep && before->existed) {
            before->peer.ack_batch = 0;         // The answers of the batch are gone
            *s_make (self, before->key) = before->peer;
        }
        else
        if (!keep)
            s_forget (self, before->key);
        free (before->key);
        free (before);
    }
}

void
stele_roster_commit (stele_roster_t *self)
{
    s_settle (self, true);
    s_settle_peers (self, true);
}

void
stele_roster_rollback (stele_roster_t *self)
{
    s_settle (self, false);
    s_settle_peers (self, false);
}

void
stele_roster_noticed (stele_roster_t *self, stele_roster_entry_t *member)
{
    (void) self;
    member->heard_us = stele_clock_steady_us ();
    if (member->seen)
        stele_seen_mark (member->seen, member->heard_us);
}

void
stele_roster_heard (stele_roster_t *self, stele_roster_entry_t *member)
{
    stele_roster_noticed (self, member);
    member->lease_until_us = 0;
    if (member->now.lease_ms)
        s_lease (self, member, s_lease_clock (self), member->now.lease_ms);
}

void
stele_roster_extend (stele_roster_t *self, int64_t time_us)
{
    //  A node that leads again after a long doubt has read the leases since the stall began: they are to run from then on
    int64_t age_us = stele_clock_steady_us () - self->read_us;
    self->stalled_us += time_us < age_us? time_us: age_us;
}

//  Called after every batch: there can be very many producers, few of them with a lease
stele_roster_entry_t *
stele_roster_expired (stele_roster_t *self)
{
    int64_t now_us = s_lease_clock (self);
    if (now_us < self->due_us)
        return NULL;
    int64_t due_us = INT64_MAX;
    stele_roster_entry_t *member = zlistx_first (self->order);
    for (; member; member = zlistx_next (self->order)) {
        if (member->lease_until_us && member->lease_until_us <= now_us) {
            member->lease_until_us = 0;
            member->expiring = s_lease_matters (&member->now);
            if (member->expiring)
                return member;
        }
        else
        if (member->lease_until_us && member->lease_until_us < due_us)
            due_us = member->lease_until_us;
    }
    self->due_us = due_us;
    return NULL;
}

void
stele_roster_expire_again (stele_roster_t *self, stele_roster_entry_t *member)
{
    member->lease_until_us = self->due_us = 1;
}

static size_t
s_unkey (const char *key, unsigned char *id)
{
    size_t size = strlen (key) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        sscanf (key + 2 * i, "%2x", &byte);
        id [i] = (unsigned char) byte;
    }
    return size;
}

stele_connection_t *
stele_roster_connection (stele_roster_t *self, const void *id, size_t size)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, size, key);
    return zhashx_lookup (self->peers, key);
}

stele_connection_t *
stele_roster_bind (stele_roster_t *self, const void *id, size_t size,
    stele_roster_entry_t *member, const char *instance)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, size, key);
    s_remember (self, key);
    if (zhashx_size (self->peers) >= PEERS_MAX && !zhashx_lookup (self->peers, key)) {
        zhashx_delete (self->peers, zlistx_first (self->peer_keys));
        zlistx_delete (self->peer_keys, zlistx_cursor (self->peer_keys));
    }
    stele_connection_t *peer = s_make (self, key);
    //  The acks of another producer do not cover this one
    if (peer->member != member)
        peer->ack_batch = 0;
    peer->member = member;
    peer->fenced = false;
    peer->ack_pending = false;
    snprintf (peer->instance, sizeof peer->instance, "%s", instance);
    return peer;
}

void
stele_roster_unbind (stele_roster_t *self, const void *id, size_t size)
{
    char key [STELE_ENVELOPE_KEY];
    stele_envelope_key (id, size, key);
    s_remember (self, key);
    s_forget (self, key);
}

void
stele_roster_unbind_all (stele_roster_t *self, const stele_roster_entry_t *member)
{
    const char *key = zlistx_first (self->peer_keys);
    while (key) {
        const stele_connection_t *peer = zhashx_lookup (self->peers, key);
        void *handle = zlistx_cursor (self->peer_keys);
        bool own = peer->member == member;
        if (own) {
            s_remember (self, key);
            zhashx_delete (self->peers, key);
        }
        key = zlistx_next (self->peer_keys);
        if (own)
            zlistx_delete (self->peer_keys, handle);
    }
}

size_t
stele_roster_fence (stele_roster_t *self, stele_roster_entry_t *member, const char *instance,
    const void *own, size_t own_size, stele_connection_fn *fn, void *arg)
{
    char own_key [STELE_ENVELOPE_KEY];
    size_t count = 0;
    stele_envelope_key (own, own_size, own_key);
    stele_connection_t *peer = zhashx_first (self->peers);
    while (peer) {
        const char *key = zhashx_cursor (self->peers);
        if (peer->member == member && !peer->fenced && strcmp (peer->instance, instance) != 0
        &&  strcmp (key, own_key) != 0) {
            unsigned char id [256];
            size_t size = s_unkey (key, id);
            s_remember (self, key);             // It looks up this one, so the cursor stays
            peer->fenced = true;
            fn (id, size, arg);
            count++;
        }
        peer = zhashx_next (self->peers);
    }
    return count;
}

void
stele_roster_ack_pending (stele_roster_t *self, const void *id, size_t size)
{
    stele_connection_t *peer = stele_roster_connection (self, id, size);
    if (peer)
        peer->ack_pending = self->any_ack_pending = true;
}

void
stele_roster_flush_acks (stele_roster_t *self, stele_flush_ack_fn *fn, void *arg)
{
    if (!self->any_ack_pending)
        return;
    self->any_ack_pending = false;
    stele_connection_t *peer = zhashx_first (self->peers);
    for (; peer; peer = zhashx_next (self->peers)) {
        if (!peer->ack_pending || peer->fenced)
            continue;
        unsigned char id [256];
        size_t size = s_unkey (zhashx_cursor (self->peers), id);
        peer->ack_pending = !fn (id, size, peer->member, arg);
        self->any_ack_pending |= peer->ack_pending;
    }
}

stele_roster_entry_t *
stele_roster_next (stele_roster_t *self, stele_roster_entry_t *member)
{
    //  The cursor of the list keeps the place
    return member? zlistx_next (self->order): zlistx_first (self->order);
}

size_t
stele_roster_connection_count (const stele_roster_t *self)
{
    return zhashx_size (self->peers);
}
