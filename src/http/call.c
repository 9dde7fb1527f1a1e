/*  call - a request that the broker answers: ask it, and send its answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/memory.h"
#include "http/call.h"
#include "http/compat/compat.h"
#include "http/dashboard/dashboard.h"
#include "http/health.h"
#include "http/metrics.h"
#include "http/openapi.h"
#include "http/output.h"
#include "http/params.h"
#include "http/reply.h"
#include "http/session.h"
#include "http/stream.h"
#include "http/table.h"
#include "wire/map.h"
#include "wire/scan.h"

#define READ_MS    15000            // The broker itself ends a read after request-ms
#define CHANGE_MS 120000            // A check of Redis, for example

//  -- one request -----------------------------------------------------------------------------

static void
s_on_gone (void *context)
{
    http_call_t *self = context;
    if (self->token)
        http_upstream_forget (self->server->upstream, self->token);
    if (!self->shares)
        self->server->calls--;
    if (self->state_free)
        self->state_free (self->state);
    else
        free (self->state);
    free (self);
}

http_call_t *
http_call_new (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *self = STELE_NEW (http_call_t);
    self->server = server;
    self->conn = conn;
    self->route = route;
    server->calls++;
    http_conn_set_context (conn, self, s_on_gone);
    return self;
}

http_call_t *
http_call_new_shared (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *self = http_call_new (server, conn, route);
    self->shares = true;
    server->calls--;
    return self;
}

int
http_call_timeout_ms (const http_call_t *self)
{
    int64_t more_ms = 0;
    stele_refusal_t refusal;
    http_params_number (http_conn_request (self->conn), "timeout_ms", 0, &more_ms, &refusal);
    more_ms = more_ms < 0? 0: more_ms > 60000? 60000: more_ms;
    return (int) more_ms + (http_route_has_body (self->route)? CHANGE_MS: READ_MS);
}

//  -- its answer --------------------------------------------------------------------------------------

//  The position that an answer shows: that of the record, if it is of one, so that its ETag lasts as long as the
//  record does; else the head. An erasure changes a record without its position: the hash is of what is in it.
static int64_t
s_shown_position (const stele_map_t *answer, int64_t head, uint32_t *hash)
{
    stele_map_t record;
    int64_t position = head;
    if (stele_map_map (answer, "task", &record) || stele_map_map (answer, "session", &record)) {
        stele_map_integer (&record, "position", &position);
        *hash = (uint32_t) crc32 (*hash, record.data, (uInt) record.size);
    }
    return position;
}

static uint32_t
s_query_hash (const http_request_t *request)
{
    //  Of one token, no answer to another one is known
    uLong sum = request->actor? request->actor->version: 0;
    return (uint32_t) crc32 (sum, (const Bytef *) request->target.query.data, (uInt) request->target.query.size);
}

//  Sets the ETag. Returns whether the client has this answer already.
static bool
s_is_known (const http_call_t *self, const stele_map_t *answer, int64_t head)
{
    const http_request_t *request = http_conn_request (self->conn);
    char etag [64];
    if (!self->route->cached || !*self->server->ledger)
        return false;
    uint32_t hash = s_query_hash (request);
    int64_t position = s_shown_position (answer, head, &hash);
    snprintf (etag, sizeof etag, "W/\"%.8s-%" PRId64 "-%08" PRIx32 "\"", self->server->ledger, position, hash);
    http_conn_field (self->conn, "ETag", "%s", etag);
    http_span_t known = request->head.fields [HTTP_IF_NONE_MATCH];
    return http_span_is (known, "*") || http_span_lists (known, etag) || http_span_lists (known, etag + 2);
}

//  Link of the next page, and the cursor in it
static void
s_add_link (const http_call_t *self, const stele_map_t *answer, int64_t head)
{
    char cursor [200], more [40] = "", next [HTTP_NEXT_SIZE];
    int64_t number;
    const http_target_t *target = &http_conn_request (self->conn)->target;
    if (http_route_has_body (self->route))
        return;
    if (stele_map_integer (answer, "next", &number))
        snprintf (cursor, sizeof cursor, "%" PRId64, number);
    else
    if (!stele_map_text (answer, "next", cursor, sizeof cursor)
    ||  strspn (cursor, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~") != strlen (cursor))
        return;
    bool is_log = strstr (self->route->params, "after:") != NULL;
    //  All pages of a table show the position of the first one
    if (self->route->handler == HTTP_HANDLER_TABLE && !http_target_param (target, "at").data)
        snprintf (more, sizeof more, "&at=%" PRId64, head);
    if (http_reply_next (target, is_log? "after": "cursor", cursor, more, next))
        http_conn_field (self->conn, "Link", "<%s>; rel=\"next\"", next);
}

void
http_call_answer (http_call_t *self, const void *answer, size_t size, const char *only)
{
    stele_map_t map = { answer, size };
    int64_t head = -1;
    stele_map_integer (&map, "position", &head);
    http_server_fields (self->server, self->conn, head);
    http_conn_field (self->conn, "Cache-Control", "%s", self->route->cached? "private, no-cache": "no-store");
    if (s_is_known (self, &map, head)) {
        http_conn_answer (self->conn, 304, "", "", 0, false);
        return;
    }
    s_add_link (self, &map, head);
    char *json = http_reply_json (answer, size, only, self->server->pack);
    if (json)
        http_conn_answer (self->conn, 200, "application/json", json, strlen (json), true);
    else
        http_server_refuse (self->server, self->conn, 500, "the answer of the broker is not valid");
    free (json);
}

static void
s_on_answer (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *self = arg;
    stele_refusal_t error;
    self->token = 0;
    if (answer && http_reply_check (answer, size, &error))
        refusal = &error;
    if (refusal)
        http_server_problem (self->server, self->conn, refusal);
    else
        http_call_answer (self, answer, size, self->route->handler == HTTP_HANDLER_PRODUCERS?
            "position producers producers_total ": NULL);
}

//  -- start ------------------------------------------------------------------------------------------------

void
http_call_ask (http_call_t *self, const stele_pack_t *pack, http_answer_fn *answer)
{
    int64_t token = http_server_ask (self->server, self->conn, pack, http_call_timeout_ms (self), answer, self);
    if (token)                      // Otherwise it was answered, and does not exist any more
        self->token = token;
}

void
http_call_ask_more (http_call_t *self, const stele_pack_t *pack, http_answer_fn *answer)
{
    stele_refusal_t refusal;
    int64_t token = http_upstream_send (self->server->upstream, pack, http_conn_request (self->conn)->actor,
        http_call_timeout_ms (self), answer, self, &refusal);
    if (token > 0)
        self->token = token;
    else
        http_conn_close (self->conn);
}

static void
s_ask_operation (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    stele_refusal_t refusal;
    if ((route->handler == HTTP_HANDLER_TABLE && http_table_check (http_conn_request (conn), &refusal))
    ||  http_params_pack (route, http_conn_request (conn), server->pack, &refusal))
        http_server_problem (server, conn, &refusal);
    else
        http_call_ask (http_call_new (server, conn, route), server->pack, s_on_answer);
}

void
http_call_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    switch (route->handler) {
        case HTTP_HANDLER_OPERATION:
        case HTTP_HANDLER_PRODUCERS:
            s_ask_operation (server, conn, route);
            break;
        case HTTP_HANDLER_TABLE:
            if (http_table_is_whole (http_conn_request (conn)))
                http_table_start (server, conn, route);
            else
                s_ask_operation (server, conn, route);
            break;
        case HTTP_HANDLER_OUTPUT:
            http_output_start (server, conn, route);
            break;
        case HTTP_HANDLER_STREAM:
            http_stream_start (server, conn, route);
            break;
        case HTTP_HANDLER_METRICS:
            http_metrics_start (server, conn, route);
            break;
        case HTTP_HANDLER_HEALTHZ:
        case HTTP_HANDLER_READYZ:
            http_health_start (server, conn, route);
            break;
        case HTTP_HANDLER_SESSION:
            http_session_start (server, conn, route);
            break;
        case HTTP_HANDLER_OPENAPI:
            http_openapi_start (server, conn);
            break;
        case HTTP_HANDLER_DASHBOARD:
            http_dashboard_start (server, conn, route);
            break;
        case HTTP_HANDLER_COMPAT:
            http_compat_start (server, conn, route);
            break;
    }
}
