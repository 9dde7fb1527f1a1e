/*  worker - a thread that answers requests, one at a time or several point reads together

    A REP socket connected to the router, with its own read-only connection to the ledger and
    its own reader of live records in Redis. It answers every request: a REP that does not
    never gets another one.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WORKER_H_INCLUDED
#define STELE_WORKER_H_INCLUDED

#include <czmq.h>
#include "broker/operations/query.h"

/*  All borrowed: they outlive the actor.                                    */
typedef struct {
    const stele_query_args_t *requests;
    const char *identity;           // Of its socket, known to the router
} stele_worker_args_t;

/*  For zactor_new; args is a stele_worker_args_t, copied before it signals. Sends
    "READY", or "FAILED" and the reason, and ends. Then it takes $TERM. Requests come as
    [context], empty or a map (query.h), and [request][identity] of each, on the inproc endpoint "workers"; all are
    answered by one message, with a frame for each. Only point reads come together. */
void
    stele_worker (zsock_t *pipe, void *args);

#endif
