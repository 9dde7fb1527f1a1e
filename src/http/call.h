/*  call - a request that the broker answers: ask it, and send its answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_CALL_H_INCLUDED
#define STELE_HTTP_CALL_H_INCLUDED

#include "http/server.h"

/*  A connection that waits for the broker. The connection destroys it with its answer, or when it ends. */
typedef struct {
    http_server_t *server;
    http_conn_t *conn;
    const http_route_t *route;
    int64_t token;                  // Of the open request to the broker; 0: none
    bool shares;                    // It waits for a question of the server, and takes no place of HTTP_CALLS_MAX
    void *state;                    // Of the handler; freed with
    void (*state_free) (void *state);   //  this, or free() if it is NULL
} http_call_t;

http_call_t *
    http_call_new (http_server_t *server, http_conn_t *conn, const http_route_t *route);

/*  The same for a call that waits for a question of the server's own, which many calls share. */
http_call_t *
    http_call_new_shared (http_server_t *server, http_conn_t *conn, const http_route_t *route);

/*  Ask the broker; 'answer' is called with the call, and clears its token. If that is not possible, the call is
    answered with a problem, and destroyed.                                  */
void
    http_call_ask (http_call_t *self, const stele_pack_t *pack, http_answer_fn *answer);

/*  Ask for the rest of an answer that has begun; if that is not possible, the connection is closed. */
void
    http_call_ask_more (http_call_t *self, const stele_pack_t *pack, http_answer_fn *answer);

/*  Send an answer of the broker as JSON, with ETag, Link, Stele-Position and Stele-Ledger (see http_reply_json
    for 'only'). Destroys the call.                                          */
void
    http_call_answer (http_call_t *self, const void *answer, size_t size, const char *only);

int
    http_call_timeout_ms (const http_call_t *self);

#endif
