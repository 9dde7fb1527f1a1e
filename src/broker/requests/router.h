/*  router - route each request from its arrival to its answer

    Between the peers and the actors that answer; broker/requests/requests.h has a drawing. The
    router blocks only in stele_router_step, on all sockets at once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROUTER_H_INCLUDED
#define STELE_ROUTER_H_INCLUDED

#include "broker/requests/pending.h"
#include "broker/requests/requests.h"

typedef struct stele_router stele_router_t;

/*  Bind and connect. Caller owns return value. NULL: the reason in the refusal. */
stele_router_t *
    stele_router_new (const stele_query_args_t *args, stele_refusal_t *refusal);

/*  Refuses all pending requests with 'unavailable'.                         */
void
    stele_router_destroy (stele_router_t **self_p);

/*  Endpoint for peers, as it is bound. Caller owns return value, and frees it with zstr_free(). */
char *
    stele_router_endpoint (const stele_router_t *self);

/*  A worker of that identity is connected and idle.                         */
void
    stele_router_add_worker (stele_router_t *self, const char *identity);

/*  What info and stats show: one map of msgpack each, copied.               */
void
    stele_router_set_endpoints (stele_router_t *self, const void *map, size_t size);
void
    stele_router_set_recovery (stele_router_t *self, const void *map, size_t size);

/*  Wait until something arrives on a socket or on 'pipe', or a request expires; take what has
    arrived. Returns true when there is something on the pipe.               */
bool
    stele_router_step (stele_router_t *self, zsock_t *pipe);

#endif
