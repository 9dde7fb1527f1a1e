/*  request - ask the broker, and get the answer that belongs to the question

    A REQ socket, relaxed and correlated: an answer that comes too late is
    dropped, and no question waits for an earlier one. After a time-out the
    socket is made anew, so that what was never sent is not sent later.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUEST_H_INCLUDED
#define STELE_REQUEST_H_INCLUDED

#include <zmq.h>
#include "model/refusal.h"

typedef struct stele_requester stele_requester_t;

/*  Caller owns return value. Connects with the first question.              */
stele_requester_t *
    stele_requester_new (const char *endpoint);

void
    stele_requester_destroy (stele_requester_t **self_p);

/*  Send a question, and forget the one before. Returns 0, or STELE_EINVALID_FIELD
    for an endpoint that cannot be.                                          */
int
    stele_requester_send (stele_requester_t *self, const void *request, size_t size,
        stele_refusal_t *refusal);

/*  Wait for the answer. On success 'answer', an initialized message, holds one
    checked map of msgpack; any content it had is released. Returns 0,
    STELE_ETIMEOUT (it may still come: wait again, or ask anew), or STELE_EMALFORMED. */
int
    stele_requester_receive (stele_requester_t *self, int64_t deadline_ms, zmq_msg_t *answer,
        stele_refusal_t *refusal);

/*  Give up waiting for the answer.                                          */
void
    stele_requester_reset (stele_requester_t *self);

#endif
