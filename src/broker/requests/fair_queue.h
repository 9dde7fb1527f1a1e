/*  fair_queue - the requests that wait for a worker, one peer after the other

    A peer that asks a thousand questions at once waits for its own answers; one that
    asks a single question has its turn after at most one of each other's.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FAIR_QUEUE_H_INCLUDED
#define STELE_FAIR_QUEUE_H_INCLUDED

#include "broker/requests/pending.h"

typedef struct stele_fair_queue stele_fair_queue_t;

stele_fair_queue_t *
    stele_fair_queue_new (void);
void
    stele_fair_queue_destroy (stele_fair_queue_t **self_p);

/*  Behind the others of its peer. The request stays its owner's.            */
void
    stele_fair_queue_add (stele_fair_queue_t *self, stele_request_t *request);

/*  The next one, which waits no more. NULL: none.                           */
stele_request_t *
    stele_fair_queue_next (stele_fair_queue_t *self);

/*  It waits no more.                                                        */
void
    stele_fair_queue_remove (stele_fair_queue_t *self, stele_request_t *request);

size_t
    stele_fair_queue_size (const stele_fair_queue_t *self);

#endif
