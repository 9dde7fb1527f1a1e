/*  server - what the parts of the HTTP server share: the loop, the broker, the streams; problems and questions

    One thread serves all connections. It waits for nothing but the loop.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_SERVER_H_INCLUDED
#define STELE_HTTP_SERVER_H_INCLUDED

#include <jansson.h>
#include "http/conn.h"
#include "http/counts.h"
#include "http/hosts.h"
#include "http/hub.h"
#include "http/routes.h"
#include "http/upstream.h"

#define HTTP_CALLS_MAX     256      // Requests that wait for the broker
#define HTTP_CONNS_MAX   10000
#define HTTP_BODIES_MAX  (256 << 20)    // Bytes of all bodies that are being received

#define HTTP_RETRY_AFTER_S   1      // Of most answers that ask a client to retry

#define HTTP_SESSIONS_MAX  256
#define HTTP_SESSION_SIZE   64      // Characters of a cookie's value

/*  Sessions of browsers (session.h)                                         */
typedef struct {
    struct {
        char value [HTTP_SESSION_SIZE + 1];
        const http_actor_t *actor;  // NULL: free
        int64_t end_ms;             // Steady clock
    } items [HTTP_SESSIONS_MAX];
} http_sessions_t;

typedef struct http_server {
    struct event_base *base;
    http_conn_class_t class;
    http_conn_t *conns;             // All of them, linked
    size_t conn_count;
    http_upstream_t *upstream;
    http_hub_t *hub;
    http_hosts_t hosts;
    struct http_tls *tls;           // NULL: plain HTTP
    http_access_t *access;          // NULL: there are no tokens, and everybody who can connect may do everything
    http_sessions_t sessions;
    http_peers_t *peers;
    int64_t rate;                   // Requests per second of each token, and of each address without one
    char denied [HTTP_ACCESS_WHY];  // Why the last client was denied, and for how long it has to wait
    int wait_s;
    stele_refusal_t no_gateway;     // The broker takes no requests for others from this server; code 0: it does
    int64_t probed_ms;              // Steady clock
    http_counts_t *counts;
    char ledger [64];               // Id of the broker's ledger; "": not known yet
    int64_t message_bytes;          // Of the broker: the largest body
    int64_t list_limit;             // And the most rows of a page
    size_t body_bytes;              // Of bodies in memory
    size_t calls;                   // Requests that wait for the broker
    stele_pack_t *pack;             // Scratch, of one function at a time
    char *openapi;                  // The document; NULL: not made yet
    json_t *stats;                  // The last answer to 'stats'; NULL: none
    int64_t stats_ms;               // Steady clock: when it came
    struct http_stats_waiter *stats_first, *stats_last;     // Calls that wait for the next one (stats.c)
    int64_t stats_question;         // Number of that question
    bool stats_asked;               // It is under way
} http_server_t;

/*  Answer with a problem (RFC 9457) of a code of the protocol; 'refusal' has the code, the field and the
    message.                                                                 */
void
    http_server_problem (http_server_t *self, http_conn_t *conn, const stele_refusal_t *refusal);

/*  The same for a status of HTTP that no code of the protocol means (404 of a path, 405, 421 ...) */
void
    http_server_refuse (http_server_t *self, http_conn_t *conn, int status, const char *format, ...) STELE_PRINTF (4, 5);

/*  The same with all that a problem can say: 'code' and 'field' may be NULL; 'wait_s' is Retry-After of 429 and 503. */
void
    http_server_send_problem (http_conn_t *conn, int status, const char *code, const char *title, const char *field,
        const char *detail, int wait_s);

/*  Add the fields that every answer from the broker has: Stele-Position, Stele-Ledger. Below 0: no position. */
void
    http_server_fields (http_server_t *self, http_conn_t *conn, int64_t position);

/*  Ask the broker for a request that a connection waits for. 'answer' is called with 'arg' unless the
    request is forgotten. Returns a token, or 0 after it has answered with a problem (503). */
int64_t
    http_server_ask (http_server_t *self, http_conn_t *conn, const stele_pack_t *pack, int timeout_ms,
        http_answer_fn *answer, void *arg);

/*  Serve a request. The request was checked: its host is allowed, and its route takes the method. */
void
    http_call_start (http_server_t *self, http_conn_t *conn, const http_route_t *route);

#endif
