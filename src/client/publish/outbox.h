/*  outbox - the events that a producer keeps until they are acked or refused

    Events have numbers 1, 2, 3 ... in the order they were put, and leave in
    that order:

         settled and gone     on the wire          waiting
        ------------------|-------------------|---------------|
                         first               next            end

    first <= next <= end, always. A refused event in the middle is settled,
    but stays until all before it are: what is resent has to be gapless.

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

/*  Keep an event: takes the message's content and leaves it empty.          */
void
    stele_outbox_put (stele_outbox_t *self, zmq_msg_t *event);

/*  Bytes of a kept event; valid until it is settled.                        */
const void *
    stele_outbox_event (const stele_outbox_t *self, int64_t number, size_t *size);

/*  Number of the oldest kept event, of the first that is not on the wire, and
    of the one that will be put next.                                        */
int64_t
    stele_outbox_first (const stele_outbox_t *self);
int64_t
    stele_outbox_next (const stele_outbox_t *self);
int64_t
    stele_outbox_end (const stele_outbox_t *self);

/*  Bytes of the events on the wire.                                         */
size_t
    stele_outbox_wire_bytes (const stele_outbox_t *self);

/*  The next 'count' events were sent.                                       */
void
    stele_outbox_sent (stele_outbox_t *self, size_t count);

/*  Nothing from 'number' on is on the wire any more.                        */
void
    stele_outbox_rewind (stele_outbox_t *self, int64_t number);

/*  All up to 'number' are settled: forget them.                             */
void
    stele_outbox_settle (stele_outbox_t *self, int64_t number);

/*  That one is refused, and settled. False where that was known.            */
bool
    stele_outbox_refuse (stele_outbox_t *self, int64_t number);

/*  How many events were settled, in order or not, and the bytes of those gone. */
int64_t
    stele_outbox_settled (const stele_outbox_t *self);
int64_t
    stele_outbox_settled_bytes (const stele_outbox_t *self);

#endif
