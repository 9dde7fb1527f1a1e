/*  stats - the statistics of the broker, at most one second old

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_STATS_H_INCLUDED
#define STELE_HTTP_STATS_H_INCLUDED

#include <jansson.h>
#include "http/call.h"

/*  Answer a call from the statistics; 'stats' is borrowed. NULL: the broker does not answer, for the reason in the
    refusal.                                                                 */
typedef void (http_stats_fn) (http_call_t *call, const json_t *stats, const stele_refusal_t *refusal);

/*  Call 'answer' with the statistics, now or later.                         */
void
    http_stats_ask (http_server_t *server, http_conn_t *conn, const http_route_t *route, http_stats_fn *answer);

/*  The same for a call that exists already and has no other state: while it waits, it has one. */
void
    http_stats_start (http_call_t *call, http_stats_fn *answer);

/*  The findings of 'stele health', with those of this server; without statistics, why the broker does not answer.
    Caller owns return value.                                                */
json_t *
    http_stats_findings (const http_server_t *server, const json_t *stats, const stele_refusal_t *refusal);

#endif
