/*  stats - the statistics of the broker, at most one second old

    They are those of this server, the same for all clients: who may see them is checked before (gate.c).
    Producers that are silent and have tasks in progress are marked, as 'stele health' does it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/view/findings.h"
#include "http/hub.h"
#include "http/reply.h"
#include "http/stats.h"
#include "http/tls.h"
#include "wire/json/json.h"

#define FRESH_MS  1000
#define STATS_MS  2000              // As long as 'stele health' waits
#define OWNERS_MS  500

typedef struct {
    http_stats_fn *answer;
} s_state_t;

static void
s_answer (http_call_t *call, const stele_refusal_t *refusal)
{
    const s_state_t *state = call->state;
    state->answer (call, refusal? NULL: call->server->stats, refusal);
}

//  Caller owns return value; NULL: it is not an answer without an error
static json_t *
s_parse (http_server_t *server, const void *answer, size_t size, stele_refusal_t *refusal)
{
    if (http_reply_check (answer, size, refusal))
        return NULL;
    char *text = http_reply_json (answer, size, NULL, server->pack);
    json_t *parsed = text? json_loads (text, 0, NULL): NULL;
    free (text);
    if (!parsed)
        stele_refuse (refusal, STELE_EINTERNAL, NULL, "the answer of the broker cannot be written as JSON");
    return parsed;
}

//  Send the request in the pack of the server. Returns whether it is on its way.
static bool
s_send (http_call_t *call, int timeout_ms, http_answer_fn *answer, stele_refusal_t *refusal)
{
    int64_t token = http_upstream_send (call->server->upstream, call->server->pack, NULL, timeout_ms, answer, call, refusal);
    call->token = token > 0? token: 0;
    return token > 0;
}

static void
s_finish (http_call_t *call)
{
    call->server->stats_ms = stele_clock_steady_ms ();
    s_answer (call, NULL);
}

//  Without an answer, silent producers are only noted
static void
s_on_owners (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_refusal_t error;
    call->token = 0;
    json_t *tasks = refusal? NULL: s_parse (call->server, answer, size, &error);
    cli_findings_set_owners (call->server->stats, tasks);
    json_decref (tasks);
    s_finish (call);
}

//  Returns whether the request is on its way
static bool
s_ask_owners (http_call_t *call)
{
    http_server_t *server = call->server;
    stele_refusal_t refusal = { 0 };
    json_t *request = cli_findings_owners_request (server->stats);
    char *text = request? json_dumps (request, JSON_COMPACT): NULL;
    stele_pack_clear (server->pack);
    bool sent = text && stele_json_parse_pack (text, strlen (text), server->pack, &refusal) == 0
        && s_send (call, OWNERS_MS, s_on_owners, &refusal);
    free (text);
    json_decref (request);
    return sent;
}

static void
s_on_stats (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    http_server_t *server = call->server;
    stele_refusal_t error;
    call->token = 0;
    json_t *stats = refusal? NULL: s_parse (server, answer, size, &error);
    if (!stats) {
        s_answer (call, refusal? refusal: &error);
        return;
    }
    json_decref (server->stats);
    server->stats = stats;
    if (!s_ask_owners (call))
        s_finish (call);
}

void
http_stats_ask (http_server_t *server, http_conn_t *conn, const http_route_t *route, http_stats_fn *answer)
{
    http_stats_start (http_call_new (server, conn, route), answer);
}

void
http_stats_start (http_call_t *call, http_stats_fn *answer)
{
    http_server_t *server = call->server;
    s_state_t *state = call->state? call->state: STELE_NEW (s_state_t);
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
    if (!s_send (call, STATS_MS, s_on_stats, &refusal))
        s_answer (call, http_upstream_refused (server->upstream)? http_upstream_refused (server->upstream): &refusal);
}

//  With the codes of 'stele health'
static void
s_add_failure (const http_server_t *server, json_t *findings, const stele_refusal_t *refusal)
{
    const char *code = "no_statistics", *hint = "read the log of the broker";
    if (refusal->code == STELE_EUNAUTHORIZED || server->no_gateway.code || http_upstream_refused (server->upstream)) {
        code = "no_permission";
        hint = "give this server a key that the broker accepts";
    }
    else
    if (refusal->code == STELE_ETIMEOUT)
        code = "no_answer";
    else
    if (!http_upstream_connected (server->upstream)) {
        code = "not_running";
        hint = "start the broker, or read its log";
    }
    cli_finding_add (findings, code, CLI_LEVEL_DOWN, stele_clock_us (), -1, hint, "%s", refusal->message);
}

json_t *
http_stats_findings (const http_server_t *server, const json_t *stats, const stele_refusal_t *refusal)
{
    json_t *findings = stats? cli_findings (stats, stele_clock_us ()): json_array ();
    const stele_refusal_t *feed = http_hub_refused (server->hub);
    if (!stats)
        s_add_failure (server, findings, refusal);
    if (feed)
        cli_finding_add (findings, "no_feed", CLI_LEVEL_DOWN, stele_clock_us (), -1, "see the keys of the broker",
            "no live streams: %s", feed->message);
    if (server->tls)
        http_tls_find (server->tls, findings);
    return findings;
}
