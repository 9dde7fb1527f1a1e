/*  health - /healthz and /readyz

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "cli/view/findings.h"
#include "http/health.h"
#include "http/stats.h"

//  Findings with which the broker should get no traffic: it does not ack, or acks without the ledger
static bool
s_is_ready (const json_t *findings)
{
    static const char *const stops [] = { "holding", "log_in_doubt", "mode_redis", "writer_stalled" };
    for (size_t i = 0; i < json_array_size (findings); i++) {
        const json_t *finding = json_array_get (findings, i);
        const char *level = json_string_value (json_object_get (finding, "level"));
        const char *code = json_string_value (json_object_get (finding, "code"));
        if (strcmp (level, cli_level_word (CLI_LEVEL_DOWN)) == 0)
            return false;
        for (size_t k = 0; k < sizeof stops / sizeof stops [0]; k++)
            if (strcmp (code, stops [k]) == 0)
                return false;
    }
    return true;
}

static void
s_answer (http_call_t *call, const json_t *stats, const stele_refusal_t *refusal)
{
    size_t count;
    const http_actor_t *actor = http_conn_request (call->conn)->actor;
    bool full = !call->server->access || (actor && http_actor_may (actor, "metrics") && !http_actor_is_bound (actor));
    json_t *findings = http_stats_findings (call->server, stats, refusal);
    bool ready = s_is_ready (findings);
    cli_level_t level = cli_findings_level (findings, &count);
    json_t *body = json_pack ("{sb, ss}", "ready", ready, "status",
        level == CLI_LEVEL_INFO? "healthy": cli_level_word (level));
    json_t *position = full? json_object_get (stats, "position"): NULL;
    if (full)
        json_object_set (body, "findings", findings);
    json_decref (findings);
    if (position)
        json_object_set (body, "position", position);
    char *text = json_dumps (body, JSON_COMPACT);
    http_server_fields (call->server, call->conn, position? (int64_t) json_integer_value (position): -1);
    http_conn_field (call->conn, "Cache-Control", "no-store");
    if (!ready)
        http_conn_field (call->conn, "Retry-After", "1");
    http_conn_answer (call->conn, ready? 200: 503, "application/json", text, strlen (text), false);
    free (text);
    json_decref (body);
}

void
http_health_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    static const char alive [] = "{\"status\":\"alive\"}";
    if (route->handler == HTTP_HANDLER_READYZ)
        http_stats_ask (server, conn, route, s_answer);
    else {
        http_conn_field (conn, "Cache-Control", "no-store");
        http_conn_answer (conn, 200, "application/json", alive, sizeof alive - 1, false);
    }
}
