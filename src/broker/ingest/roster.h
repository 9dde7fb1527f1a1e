/*  roster - producers, their leases and connections

    Holds in memory what the ledger has about producers. A change belongs to the open batch of the
    writer: stele_roster_commit keeps it, stele_roster_rollback undoes it, so that a batch can
    be run again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROSTER_H_INCLUDED
#define STELE_ROSTER_H_INCLUDED

#include "broker/common/presence.h"
#include "ledger/ledger.h"

typedef struct stele_roster_entry stele_roster_entry_t;

struct stele_roster_entry {
    stele_producer_t now;           // As the open batch has it
    stele_producer_t durable;       // As the ledger has it
    bool touched;                   // now may differ from durable
    stele_roster_entry_t *next_touched;
    void *handle;                   // In the list of all
    int64_t given_first, given_last;    // Sequences assigned to requests without one, in this run
    int64_t heard_us;               // Steady clock: last message
    stele_seen_t *seen;             // Its entry for other threads; NULL: none
    int64_t lease_until_us;         // On the clock of the leases: end of its lease; 0: none
    bool expiring;                  // It expired in the open batch, and does so again if that runs again
};

typedef struct {
    stele_roster_entry_t *member;
    char instance [STELE_LIMIT_ID + 1];
    int descriptor;                 // Of the connection that sent hello
    bool fenced;
    bool ack_pending;               // An ack could not be sent: it does not read, or too slowly
    bool restore;                   // It publishes events of an export
    struct stele_answer *ack;       // Its last ack in the batch with number ack_batch
    int64_t ack_batch, ack_count;
} stele_connection_t;

typedef struct stele_roster stele_roster_t;

/*  Load the producers of a ledger. A lease that was valid remains so for at least grace_ms
    from now. NULL on a storage error. Caller owns return value.             */
stele_roster_t *
    stele_roster_new (stele_ledger_t *ledger, int64_t grace_ms);
void
    stele_roster_destroy (stele_roster_t **self_p);

/*  Show the producers that the ledger has to other threads, from now on. Borrowed: it outlives the roster. */
void
    stele_roster_show (stele_roster_t *self, stele_presence_t *presence);

/*  The producer with that name, added (with id 0) if it is new. An anonymous one that is gone is read from the
    ledger again. NULL on a storage error, which stele_roster_error returns. */
stele_roster_entry_t *
    stele_roster_entry (stele_roster_t *self, const char *name);
int
    stele_roster_error (const stele_roster_t *self);

/*  The same, if memory has it; else NULL.                                   */
stele_roster_entry_t *
    stele_roster_lookup (stele_roster_t *self, const char *name);

/*  Call before modifying 'now'.                                             */
void
    stele_roster_touch (stele_roster_t *self, stele_roster_entry_t *member);

/*  Write changed sequences to the open batch, once per producer. Returns 0 or a storage error. */
int
    stele_roster_advance (const stele_roster_t *self, stele_ledger_t *ledger);

/*  The batch is durable. An anonymous producer that was saved with an empty instance leaves memory: it must
    have no connections.                                                     */
void
    stele_roster_commit (stele_roster_t *self);
void
    stele_roster_rollback (stele_roster_t *self);

/*  This run of the producer sent a message: renew its lease.                */
void
    stele_roster_heard (stele_roster_t *self, stele_roster_entry_t *member);

/*  A request published for the producer: a sign of life, but not of its run.  */
void
    stele_roster_noticed (stele_roster_t *self, stele_roster_entry_t *member);

/*  After a start: if the producer is present, its lease is valid for at least the grace time. */
void
    stele_roster_resume (stele_roster_t *self, stele_roster_entry_t *member);

/*  The broker was stalled for time_us: the clock of the leases did not run, as far as the roster existed. */
void
    stele_roster_extend (stele_roster_t *self, int64_t time_us);

/*  A producer whose lease has expired, or NULL. Call it until it returns NULL. It is 'expiring' until the
    batch is kept, through any number of rollbacks.                          */
stele_roster_entry_t *
    stele_roster_expired (stele_roster_t *self);

/*  In the open batch: it expires again in the next one.                     */
void
    stele_roster_expire_again (stele_roster_t *self, stele_roster_entry_t *member);

/*  Connections by routing id: look one up (NULL: unknown), assign it to a run of a producer, remove it. */
stele_connection_t *
    stele_roster_connection (stele_roster_t *self, const void *id, size_t size);
stele_connection_t *
    stele_roster_bind (stele_roster_t *self, const void *id, size_t size,
        stele_roster_entry_t *member, const char *instance);
void
    stele_roster_unbind (stele_roster_t *self, const void *id, size_t size);

/*  Remove every connection of the producer: if one of them is still in use, it has to send hello again. */
void
    stele_roster_unbind_all (stele_roster_t *self, const stele_roster_entry_t *member);

/*  Fence every connection of the producer that belongs to another instance, except the one with the
    routing id 'own', which is a connection of the new instance now; calls fn with the routing id of
    each. Returns their number.                                              */
typedef void (stele_connection_fn) (const void *id, size_t size, void *arg);
size_t
    stele_roster_fence (stele_roster_t *self, stele_roster_entry_t *member, const char *instance,
        const void *own, size_t own_size, stele_connection_fn *fn, void *arg);

/*  Note that an ack for this peer could not be sent.                        */
void
    stele_roster_ack_pending (stele_roster_t *self, const void *id, size_t size);

/*  Call fn for every such peer; the ack remains pending where it returns false. */
typedef bool (stele_flush_ack_fn) (const void *id, size_t size, const stele_roster_entry_t *member, void *arg);
void
    stele_roster_flush_acks (stele_roster_t *self, stele_flush_ack_fn *fn, void *arg);

/*  Iterate over producers: NULL starts, NULL ends.                          */
stele_roster_entry_t *
    stele_roster_next (stele_roster_t *self, stele_roster_entry_t *member);
size_t
    stele_roster_connection_count (const stele_roster_t *self);

#endif
