/*  compat - the paths of the earlier system: what their handlers share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/character.h"
#include "base/memory.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "http/reply.h"
#include "wire/scan.h"

//  Events of these paths are numbered under this name; a program that publishes by itself has one of its own
#define PRODUCER "stele-http"

typedef struct {
    size_t size;
    char data [];
} s_kept_t;

void
http_compat_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    static void (*const handlers [HTTP_ROUTE_COUNT]) (http_server_t *, http_conn_t *, const http_route_t *) = {
        [HTTP_ROUTE_COMPAT_TASKS] = http_compat_list_start,
        [HTTP_ROUTE_COMPAT_SUBMIT] = http_compat_submit_start,
        [HTTP_ROUTE_COMPAT_TASK] = http_compat_task_start,
        [HTTP_ROUTE_COMPAT_HISTORY] = http_compat_list_start,
        [HTTP_ROUTE_COMPAT_PERSISTENT] = http_compat_list_start,
        [HTTP_ROUTE_COMPAT_OUTPUTS] = http_compat_list_start,
        [HTTP_ROUTE_COMPAT_ADD_OUTPUT] = http_compat_output_start,
        [HTTP_ROUTE_COMPAT_RECOVER] = http_compat_task_start,
        [HTTP_ROUTE_COMPAT_STATS] = http_compat_stats_start,
        [HTTP_ROUTE_COMPAT_METRICS] = http_compat_metrics_start,
        [HTTP_ROUTE_COMPAT_PREFERENCES] = http_compat_preferences_start,
        [HTTP_ROUTE_COMPAT_SET_PREFERENCES] = http_compat_preferences_start,
        [HTTP_ROUTE_COMPAT_SESSIONS] = http_compat_list_start,
        [HTTP_ROUTE_COMPAT_SESSION] = http_compat_session_start,
        [HTTP_ROUTE_COMPAT_SESSION_HISTORY] = http_compat_messages_start,
        [HTTP_ROUTE_COMPAT_SESSION_RECORD] = http_compat_session_start,
        [HTTP_ROUTE_COMPAT_SOCKET] = http_compat_socket_start
    };
    handlers [route - http_routes] (server, conn, route);
}

bool
http_compat_redirect (http_conn_t *conn)
{
    const http_request_t *request = http_conn_request (conn);
    const http_target_t *target = &request->target;
    http_target_t *without = (void *) stele_memory_copy (target, sizeof *target);
    char allow [64];
    bool redirects = target->segment_count > 1 && target->segments [target->segment_count - 1].size == 0;
    without->segment_count--;
    const http_route_t *route = redirects? http_route_find (request->head.method, without, allow): NULL;
    free (without);
    if (!route || route->handler != HTTP_HANDLER_COMPAT)
        return false;
    http_conn_field (conn, "Location", "%.*s%s%.*s", (int) target->path.size - 1, target->path.data,
        target->query.size? "?": "", (int) target->query.size, target->query.size? target->query.data: "");
    http_conn_answer (conn, 307, "text/plain", "", 0, false);
    return true;
}

//  -- answers ----------------------------------------------------------------------------------------

static void
s_send (http_server_t *server, http_conn_t *conn, int64_t position, int status, json_t *json)
{
    char *text = json? http_compat_print (json): NULL;
    http_server_fields (server, conn, position);
    http_conn_field (conn, "Cache-Control", "no-store");
    if (text)
        http_conn_answer (conn, status, "application/json", text, strlen (text), true);
    else
        http_server_refuse (server, conn, 500, "the answer of the broker is not valid");
    free (text);
    json_decref (json);
}

void
http_compat_refuse (http_server_t *server, http_conn_t *conn, int status, const char *format, ...)
{
    char detail [700];
    va_list args;
    va_start (args, format);
    vsnprintf (detail, sizeof detail, format, args);
    va_end (args);
    stele_character_mend (detail);
    if (status == 503)
        http_conn_field (conn, "Retry-After", "1");
    s_send (server, conn, -1, status, json_pack ("{ss}", "detail", detail));
}

bool
http_compat_succeeded (http_call_t *call, const void *answer, size_t size, const stele_refusal_t *refusal, const char *not_found)
{
    stele_refusal_t error;
    call->token = 0;
    if (answer && http_reply_check (answer, size, &error))
        refusal = &error;
    if (!refusal)
        return true;
    http_compat_refuse (call->server, call->conn, http_reply_status (refusal), "%s",
        refusal->code == STELE_ENOT_FOUND && not_found? not_found: refusal->message);
    return false;
}

bool
http_compat_published (http_call_t *call, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    const void *rejected;
    size_t rejected_size;
    stele_refusal_t nak = { 0 };
    if (!http_compat_succeeded (call, answer, size, refusal, NULL))
        return false;
    if (stele_scan_find (answer, size, "rejected", &rejected, &rejected_size).count == 0)
        return true;
    stele_scan_t scan = stele_scan_start (rejected, rejected_size);
    stele_map_t first;
    stele_scan_next (&scan);
    stele_scan_skip (&scan, &first.data, &first.size);
    nak.code = stele_map_code (&first, "code");
    stele_map_message (&first, nak.message, sizeof nak.message);
    http_compat_refuse (call->server, call->conn, http_reply_status (&nak), "%s", nak.code == STELE_EEXISTS?
        "there is a task with this id already: submit it with another id, or change the task with an event task.updated "
        "by POST /v1/events": nak.message);
    return false;
}

void
http_compat_answer (http_call_t *call, const void *answer, size_t size, json_t *json)
{
    int64_t position = -1;
    stele_map_t map = { answer, size };
    stele_map_integer (&map, "position", &position);
    s_send (call->server, call->conn, position, 200, json);
}

//  -- requests -----------------------------------------------------------------------------------------

static stele_pack_t *
s_begin_map (http_server_t *server, const char *key, const char *value)
{
    stele_pack_clear (server->pack);
    stele_pack_map_begin (server->pack);
    stele_pack_key_string (server->pack, key, value);
    return server->pack;
}

stele_pack_t *
http_compat_request (http_server_t *server, const char *operation)
{
    return s_begin_map (server, "op", operation);
}

http_span_t
http_compat_segment (const http_call_t *call, const char *name)
{
    return http_route_segment (call->route, &http_conn_request (call->conn)->target, name);
}

stele_pack_t *
http_compat_request_of (const http_call_t *call, const char *operation, const char *name)
{
    stele_pack_t *pack = http_compat_request (call->server, operation);
    http_span_t id = http_compat_segment (call, name);
    stele_pack_key (pack, name);
    stele_pack_text (pack, id.data, id.size);
    stele_pack_map_end (pack);
    return pack;
}

stele_pack_t *
http_compat_event (http_server_t *server, const char *type)
{
    return s_begin_map (server, "type", type);
}

void
http_compat_publish (http_call_t *call, http_answer_fn *answer)
{
    stele_pack_t *pack = call->server->pack;
    http_compat_keep (call, stele_pack_data (pack), stele_pack_size (pack));
    stele_map_t event = http_compat_kept (call);
    http_compat_request (call->server, "publish");
    stele_pack_key_string (pack, "producer", PRODUCER);
    stele_pack_key (pack, "events");
    stele_pack_array (pack, 1);
    stele_pack_packed (pack, event.data, event.size);
    stele_pack_map_end (pack);
    http_call_ask (call, pack, answer);
}

void
http_compat_keep (http_call_t *call, const void *data, size_t size)
{
    s_kept_t *kept = stele_memory_new (sizeof *kept + size);
    kept->size = size;
    memcpy (kept->data, data, size);
    free (call->state);
    call->state = kept;
}

stele_map_t
http_compat_kept (const http_call_t *call)
{
    const s_kept_t *kept = call->state;
    return (stele_map_t) { kept->data, kept->size };
}

void
http_compat_copy (stele_pack_t *pack, const char *key, const stele_map_t *from, const char *from_key)
{
    const void *data;
    size_t size;
    stele_token_t token = stele_scan_find (from->data, from->size, from_key, &data, &size);
    if (token.kind == STELE_SCAN_END || token.kind == STELE_SCAN_NIL)
        return;
    stele_pack_key (pack, key);
    stele_pack_packed (pack, data, size);
}
