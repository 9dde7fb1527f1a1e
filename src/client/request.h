/*  request - send requests to the broker, and receive the answer to each

    A REQ socket, relaxed and correlated: an answer that comes too late is dropped, and no
    request waits for the answer to an earlier one. After a timeout the socket is created
    again, so that a request that was never delivered is not delivered later.

    With a list of endpoints (connection/endpoints.h), a request is sent to the next node as long as none was
    connected. After that it may have been executed, and is not sent again by itself.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUEST_H_INCLUDED
#define STELE_REQUEST_H_INCLUDED

#include <zmq.h>
#include "client/connection/endpoints.h"
#include "client/connection/key.h"
#include "model/refusal.h"

typedef struct stele_requester stele_requester_t;

/*  Caller owns return value. Connects with the first request, to one of a list of endpoints, with that key (link.h). */
stele_requester_t *
    stele_requester_new (const char *endpoint, const stele_key_t *key);

void
    stele_requester_destroy (stele_requester_t **self_p);

/*  Send a request, one msgpack map, and abandon the previous one. Returns 0,
    STELE_EINVALID_FIELD for an invalid endpoint, or STELE_EUNAVAILABLE.     */
int
    stele_requester_send (stele_requester_t *self, const void *request, size_t size,
        stele_refusal_t *refusal);

/*  Wait for the answer until deadline_ms (wait.h). On success 'answer', an initialized
    message, holds one checked msgpack map; its previous content is released. Returns 0,
    STELE_ETIMEOUT (the answer may still come: wait again, or send the request again),
    STELE_EUNAUTHORIZED (the broker refuses the connection: reset), STELE_EMALFORMED, or, only if there are other
    nodes, STELE_EUNAVAILABLE (the connection was lost before the answer: send the request again if it may be executed
    twice, to the next node).                                                */
int
    stele_requester_receive (stele_requester_t *self, int64_t deadline_ms, zmq_msg_t *answer,
        stele_refusal_t *refusal);

/*  The nodes. After a change, reset.                                        */
stele_endpoints_t *
    stele_requester_endpoints (stele_requester_t *self);

/*  The libzmq socket, NULL before the first request.                        */
void *
    stele_requester_socket (const stele_requester_t *self);

/*  Abandon the request, and close the connection.                           */
void
    stele_requester_reset (stele_requester_t *self);

#endif
