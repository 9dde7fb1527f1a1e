/*  presence - the time of the last message of each producer

    The writer updates it, and the threads that answer requests read it: which producer owns a task, and
    whether it is alive, is answered without waiting for a batch. Each entry is a copy of the producer's row
    in the ledger, with the time of its last message.

    Threads share it: the entries are behind a mutex, which the writer takes only when a producer
    is new, comes or goes; the time is an atomic, so that a message costs one store.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PRESENCE_H_INCLUDED
#define STELE_PRESENCE_H_INCLUDED

#include "ledger/ledger.h"
#include "wire/pack.h"

typedef struct stele_presence stele_presence_t;

/*  One producer of it; owned by the presence.          */
typedef struct stele_seen stele_seen_t;

/*  Caller owns return value.                                                */
stele_presence_t *
    stele_presence_new (void);
void
    stele_presence_destroy (stele_presence_t **self_p);

/*  Add a producer, or replace what is known of it.                          */
stele_seen_t *
    stele_presence_put (stele_presence_t *self, const stele_producer_t *producer);

/*  The producer sent a message: steady clock, 0: not heard since the start of the broker. */
void
    stele_seen_mark (stele_seen_t *self, int64_t heard_us);

/*  Remove a producer, and free its entry.                                   */
void
    stele_presence_remove (stele_presence_t *self, const char *name);

/*  Copy what is known of a producer. False: no producer of that name has published. */
bool
    stele_presence_get (stele_presence_t *self, const char *name, stele_producer_t *producer,
        int64_t *heard_us);

/*  Pack the keys of a producer into a map that was begun: producer, sequence (not if it is negative),
    instance, status, lease_ms, silent_ms (nil if heard_us is 0).            */
void
    stele_presence_pack (stele_pack_t *pack, const stele_producer_t *producer, int64_t sequence,
        int64_t heard_us, int64_t now_us);

#endif
