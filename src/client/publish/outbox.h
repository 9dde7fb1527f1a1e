/*  outbox - the events that a producer keeps until they are acked or refused

    Events have numbers 1, 2, 3 ... in the order in which they were put, and are removed
    in that order:

             removed            in flight          waiting
        ------------------|-------------------|---------------|
                         first               next            end

    Invariant: first <= next <= end. A refused event is settled at once, but is kept until
    all events before it are settled: resent sequences must have no gap.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_OUTBOX_H_INCLUDED
#define STELE_OUTBOX_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

typedef struct stele_outbox stele_outbox_t;

stele_outbox_t *
    stele_outbox_new (void);

void
    stele_outbox_destroy (stele_outbox_t **self_p);

/*  Add an event: takes the message's content and leaves it empty.           */
void
    stele_outbox_put (stele_outbox_t *self, zmq_msg_t *event);

/*  Bytes of a kept event; valid until the next call that changes the outbox. */
const void *
    stele_outbox_event (const stele_outbox_t *self, int64_t number, size_t *size);

/*  Number of the oldest kept event, of the first that is not in flight, and of the one
    that will be put next.                                                   */
int64_t
    stele_outbox_first (const stele_outbox_t *self);
int64_t
    stele_outbox_next (const stele_outbox_t *self);
int64_t
    stele_outbox_end (const stele_outbox_t *self);

/*  Bytes of the events in flight.                                           */
size_t
    stele_outbox_wire_bytes (const stele_outbox_t *self);

/*  The next 'count' events were sent: they are in flight.                   */
void
    stele_outbox_sent (stele_outbox_t *self, size_t count);

/*  Events from 'number' on are no longer in flight: they will be sent again. */
void
    stele_outbox_rewind (stele_outbox_t *self, int64_t number);

/*  Settle and remove all events up to 'number'.                             */
void
    stele_outbox_settle (stele_outbox_t *self, int64_t number);

/*  Settle one event as refused. False if it was refused before.             */
bool
    stele_outbox_refuse (stele_outbox_t *self, int64_t number);

/*  Number of settled events, in order or not, and bytes of the removed ones. */
int64_t
    stele_outbox_settled (const stele_outbox_t *self);
int64_t
    stele_outbox_settled_bytes (const stele_outbox_t *self);

#endif
