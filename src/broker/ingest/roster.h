/*  roster - who publishes: producers, and the peers that speak for them

    What is in the ledger about producers, in memory. A change belongs to the open
    batch of the writer: stele_roster_commit keeps it, stele_roster_rollback
    takes it back, so that a batch can be run again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROSTER_H_INCLUDED
#define STELE_ROSTER_H_INCLUDED

#include "ledger/ledger.h"

typedef struct stele_roster_entry stele_roster_entry_t;

struct stele_roster_entry {
    stele_producer_t now;           // As the open batch has it
    stele_producer_t durable;       // As the ledger has it
    bool touched;                   // now may differ from durable
    stele_roster_entry_t *next_touched;
    void *handle;                   // In the list of all
    int64_t given_first, given_last;    // Sequences that requests without one were given in this run
    int64_t heard_us;               // Steady clock: last message
    int64_t lease_until_us;         // Steady clock: its run is dead then; 0: never
};

typedef struct {
    stele_roster_entry_t *member;
    char instance [STELE_LIMIT_ID + 1];
    bool fenced;
    bool ack_pending;                      // An ack could not be sent: it reads none, or not fast enough
    bool restore;                   // What it publishes comes back from an export
    struct stele_answer *ack;       // Its last one, of the batch with that number
    int64_t ack_batch, ack_count;
} stele_connection_t;

typedef struct stele_roster stele_roster_t;

/*  Load the producers of a ledger. A lease that was running goes on for at least
    grace_ms from now. NULL on a storage error.                              */
stele_roster_t *
    stele_roster_new (stele_ledger_t *ledger, int64_t grace_ms);
void
    stele_roster_destroy (stele_roster_t **self_p);

/*  The producer of that name, made (with id 0) where it is new.             */
stele_roster_entry_t *
    stele_roster_entry (stele_roster_t *self, const char *name);

/*  Its 'now' is about to change.                                            */
void
    stele_roster_touch (stele_roster_t *self, stele_roster_entry_t *member);

/*  Write the sequences that moved, into the open batch: once a batch and producer.  */
int
    stele_roster_advance (const stele_roster_t *self, stele_ledger_t *ledger);

void
    stele_roster_commit (stele_roster_t *self);
void
    stele_roster_rollback (stele_roster_t *self);

/*  Something came from this run of the producer: its lease begins anew.     */
void
    stele_roster_heard (stele_roster_t *self, stele_roster_entry_t *member);

/*  After a start: the lease of a producer that is present runs on, for the grace at least. */
void
    stele_roster_resume (stele_roster_t *self, stele_roster_entry_t *member);

/*  Nobody was listened to for that long: every lease runs on by so much.    */
void
    stele_roster_extend (stele_roster_t *self, int64_t time_us);

/*  A producer whose lease has run out, NULL: none. Ask until NULL.          */
stele_roster_entry_t *
    stele_roster_expired (stele_roster_t *self);

/*  Peers by the routing id of their connection.                             */
stele_connection_t *
    stele_roster_connection (stele_roster_t *self, const void *id, size_t size);
stele_connection_t *
    stele_roster_bind (stele_roster_t *self, const void *id, size_t size,
        stele_roster_entry_t *member, const char *instance);
void
    stele_roster_unbind (stele_roster_t *self, const void *id, size_t size);

/*  Mark every peer of the producer that speaks for another instance as fenced; calls
    fn with the routing id of each.                                          */
typedef void (stele_connection_fn) (const void *id, size_t size, void *arg);
void
    stele_roster_fence (stele_roster_t *self, stele_roster_entry_t *member, const char *instance,
        stele_connection_fn *fn, void *arg);

/*  An ack for this peer could not be sent; and: calls fn for every such peer, until it returns
    true, which settles that one.                                            */
void
    stele_roster_ack_pending (stele_roster_t *self, const void *id, size_t size);
typedef bool (stele_flush_ack_fn) (const void *id, size_t size, const stele_roster_entry_t *member, void *arg);
void
    stele_roster_flush_acks (stele_roster_t *self, stele_flush_ack_fn *fn, void *arg);

/*  Members one by one: NULL starts, NULL ends.                              */
stele_roster_entry_t *
    stele_roster_next (stele_roster_t *self, stele_roster_entry_t *member);
size_t
    stele_roster_connection_count (const stele_roster_t *self);

#endif
