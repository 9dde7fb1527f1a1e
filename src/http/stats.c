/*  stats - the statistics of the broker, at most one second old

    They are those of this server, the same for all clients: who may see them is checked before (gate.c). There is one
    question at a time, whose answer all clients get that have asked meanwhile.
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

//  The state of a call that waits
typedef struct http_stats_waiter {
    http_call_t *call;
    http_stats_fn *answer;
    int64_t question;               // That was the next one when it came
    struct http_stats_waiter *next, *previous;
} s_waiter_t;

static void
s_leave (void *state)
{
    s_waiter_t *self = state;
    http_server_t *server = self->call->server;
    *(self->previous? &self->previous->next: &server->stats_first) = self->next;
    *(self->next? &self->next->previous: &server->stats_last) = self->previous;
    free (self);
}

//  A call that waits: it leaves when it is answered, or ends
static void
s_join (http_call_t *call, http_stats_fn *answer)
{
    http_server_t *server = call->server;
    s_waiter_t *self = STELE_NEW (s_waiter_t);
    *self = (s_waiter_t) {
        .call = call, .answer = answer, .question = server->stats_question, .previous = server->stats_last
    };
    *(self->previous? &self->previous->next: &server->stats_first) = self;
    server->stats_last = self;
    call->state = self;
    call->state_free = s_leave;
}

//  Answer all that wait for this question. A connection may ask again at once: that is the next question.
static void
s_answer (http_server_t *server, const json_t *stats, const stele_refusal_t *refusal)
{
    int64_t question = server->stats_question++;
    stele_refusal_t reason = refusal? *refusal: (stele_refusal_t) { 0 };
    json_t *kept = json_incref ((json_t *) stats);
    server->stats_asked = false;
    while (server->stats_first && server->stats_first->question == question) {
        http_call_t *call = server->stats_first->call;
        http_stats_fn *answer = server->stats_first->answer;
        s_leave (call->state);
        call->state = NULL;
        call->state_free = NULL;
        answer (call, kept, refusal? &reason: NULL);
    }
    json_decref (kept);
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
s_send (http_server_t *server, int timeout_ms, http_answer_fn *answer, stele_refusal_t *refusal)
{
    return http_upstream_send (server->upstream, server->pack, NULL, timeout_ms, answer, server, refusal) > 0;
}

static void
s_finish (http_server_t *server)
{
    server->stats_ms = stele_clock_steady_ms ();
    s_answer (server, server->stats, NULL);
}

//  Without an answer, silent producers are only noted
static void
s_on_owners (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *server = arg;
    stele_refusal_t error;
    json_t *tasks = refusal? NULL: s_parse (server, answer, size, &error);
    cli_findings_set_owners (server->stats, tasks);
    json_decref (tasks);
    s_finish (server);
}

//  Returns whether the request is on its way
static bool
s_ask_owners (http_server_t *server)
{
    stele_refusal_t refusal = { 0 };
    json_t *request = cli_findings_owners_request (server->stats);
    char *text = request? json_dumps (request, JSON_COMPACT): NULL;
    stele_pack_clear (server->pack);
    bool sent = text && stele_json_parse_pack (text, strlen (text), server->pack, &refusal) == 0
        && s_send (server, OWNERS_MS, s_on_owners, &refusal);
    free (text);
    json_decref (request);
    return sent;
}

static void
s_on_stats (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *server = arg;
    stele_refusal_t error;
    json_t *stats = refusal? NULL: s_parse (server, answer, size, &error);
    if (!stats) {
        s_answer (server, NULL, refusal? refusal: &error);
        return;
    }
    json_decref (server->stats);
    server->stats = stats;
    if (!s_ask_owners (server))
        s_finish (server);
}

//  Returns whether an answer is under way
static bool
s_ask (http_server_t *server, stele_refusal_t *refusal)
{
    stele_pack_t *pack = server->pack;
    if (server->stats_asked)
        return true;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "stats");
    stele_pack_map_end (pack);
    server->stats_asked = s_send (server, STATS_MS, s_on_stats, refusal);
    return server->stats_asked;
}

void
http_stats_ask (http_server_t *server, http_conn_t *conn, const http_route_t *route, http_stats_fn *answer)
{
    http_stats_start (http_call_new_shared (server, conn, route), answer);
}

void
http_stats_start (http_call_t *call, http_stats_fn *answer)
{
    http_server_t *server = call->server;
    stele_refusal_t refusal = { 0 };
    if (server->no_gateway.code)
        answer (call, NULL, &server->no_gateway);
    else
    if (server->stats && !server->stats_asked && stele_clock_steady_ms () < server->stats_ms + FRESH_MS
    &&  http_upstream_connected (server->upstream))
        answer (call, server->stats, NULL);
    else
    if (s_ask (server, &refusal))
        s_join (call, answer);
    else
        answer (call, NULL, http_upstream_refused (server->upstream)? http_upstream_refused (server->upstream): &refusal);
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
