/*  fair_queue - the requests that wait for a worker, in round-robin order of peers

    A peer that sends a thousand requests at once delays only itself: another's single request
    waits for at most one of each peer.

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

/*  Add after the other requests of its peer. The request is borrowed.       */
void
    stele_fair_queue_add (stele_fair_queue_t *self, stele_request_t *request);

/*  Take the next one out. NULL: none.                                       */
stele_request_t *
    stele_fair_queue_next (stele_fair_queue_t *self);

/*  That one, left where it is. NULL: none.                                  */
const stele_request_t *
    stele_fair_queue_peek (stele_fair_queue_t *self);

/*  Take that one out.                                                       */
void
    stele_fair_queue_remove (stele_fair_queue_t *self, stele_request_t *request);

size_t
    stele_fair_queue_size (const stele_fair_queue_t *self);

#endif
