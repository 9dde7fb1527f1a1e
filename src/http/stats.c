/*  stats - the statistics of the broker, at most one second old

    They are those of this server, the same for all clients: who may see them is checked before (gate.c).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/view/findings.h"
#include "http/reply.h"
#include "http/stats.h"
#include "http/tls.h"

#define FRESH_MS  1000
#define STATS_MS  2000              // As long as 'stele health' waits

typedef struct {
    http_stats_fn *answer;
} s_state_t;

static void
s_answer (http_call_t *call, const stele_refusal_t *refusal)
{
    const s_state_t *state = call->state;
    json_t *stats = refusal? NULL: json_loads (call->server->stats, 0, NULL);
    state->answer (call, stats, refusal);
    json_decref (stats);
}

static void
s_on_stats (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    http_server_t *server = call->server;
    stele_refusal_t error;
    call->token = 0;
    if (!refusal && http_reply_check (answer, size, &error))
        refusal = &error;
    if (!refusal) {
        char *json = http_reply_json (answer, size, NULL, server->pack);
        if (json) {
            free (server->stats);
            server->stats = json;
            server->stats_ms = stele_clock_steady_ms ();
        }
    }
    s_answer (call, refusal);
}

void
http_stats_ask (http_server_t *server, http_conn_t *conn, const http_route_t *route, http_stats_fn *answer)
{
    http_call_t *call = http_call_new (server, conn, route);
    s_state_t *state = STELE_NEW (s_state_t);
    state->answer = answer;
    call->state = state;
    if (server->stats && !server->no_gateway.code && stele_clock_steady_ms () < server->stats_ms + FRESH_MS
    &&  http_upstream_connected (server->upstream)) {
        s_answer (call, NULL);
        return;
    }
    if (server->no_gateway.code) {
        s_answer (call, &server->no_gateway);
        return;
    }
    stele_pack_t *pack = server->pack;
    stele_refusal_t refusal = { 0 };
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "stats");
    stele_pack_map_end (pack);
    int64_t token = http_upstream_send (server->upstream, pack, NULL, STATS_MS, s_on_stats, call, &refusal);
    if (token > 0)
        call->token = token;
    else
        s_answer (call, http_upstream_refused (server->upstream)? http_upstream_refused (server->upstream): &refusal);
}

json_t *
http_stats_findings (const http_server_t *server, const json_t *stats, const stele_refusal_t *refusal)
{
    json_t *findings = stats? cli_findings (stats, stele_clock_us ()): json_array ();
    if (!stats)
        cli_finding_add (findings, "no_answer", CLI_LEVEL_DOWN, stele_clock_us (), -1,
            "start the broker, or read its log", "%s", refusal? refusal->message: "the broker does not answer");
    if (server->tls)
        http_tls_find (server->tls, findings);
    return findings;
}
