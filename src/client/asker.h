/*  asker - send a request to a node that can execute it

    With a list of endpoints (connection/endpoints.h), any node answers questions. A node that follows a shared log
    refuses what only the writer executes (not_writer): the request is then sent to the writer, over a connection
    of its own, and later ones of that kind too; questions stay where they were.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ASKER_H_INCLUDED
#define STELE_ASKER_H_INCLUDED

#include <zmq.h>
#include "client/connection/key.h"
#include "model/refusal.h"

typedef struct stele_asker stele_asker_t;

/*  Caller owns return value. Connects with the first request, with that key (link.h), which must outlive it. */
stele_asker_t *
    stele_asker_new (const char *endpoints, const stele_key_t *key);

void
    stele_asker_destroy (stele_asker_t **self_p);

/*  Send a request, one msgpack map, and wait for the answer until deadline_ms (wait.h). Returns 0, and the answer
    in an initialized message, also if it is a refusal, or a code of stele_requester_send and _receive. A request
    whose connection was lost after it was sent is sent again, to another node, if it only reads.  */
int
    stele_asker_ask (stele_asker_t *self, const void *request, size_t size, int64_t deadline_ms, zmq_msg_t *answer,
        stele_refusal_t *refusal);

#endif
