/*  output - the bytes of one output of a task, also in part

    What a task has produced is not trusted: it is served as an attachment, with the type that its producer
    gave, and a browser may neither guess another type nor run it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/memory.h"
#include "http/output.h"
#include "http/params.h"
#include "http/reply.h"
#include "wire/map.h"
#include "wire/scan.h"

typedef struct {
    int64_t id;
    char task_id [256];
} s_state_t;

static bool
s_number (const char **text, const char *end, int64_t *number)
{
    const char *start = *text;
    while (*text < end && **text >= '0' && **text <= '9')
        ++*text;
    return http_span_number ((http_span_t) { start, (size_t) (*text - start) }, number);
}

int
http_output_range (http_span_t range, size_t size, size_t *first, size_t *count)
{
    int64_t from = -1, to = -1;
    if (!range.data || range.size < 7 || memcmp (range.data, "bytes=", 6) != 0)
        return 0;
    const char *text = range.data + 6, *end = range.data + range.size;
    bool has_from = s_number (&text, end, &from);
    if (text == end || *text++ != '-')
        return 0;
    bool has_to = s_number (&text, end, &to);
    if (text != end || (!has_from && !has_to) || (has_from && has_to && to < from))
        return 0;
    if (!has_from) {
        if (to == 0 || size == 0)
            return -416;
        *count = (uint64_t) to < size? (size_t) to: size;
        *first = size - *count;
        return 1;
    }
    if ((uint64_t) from >= size)
        return -416;
    *first = (size_t) from;
    *count = has_to && (uint64_t) to < size? (size_t) (to - from) + 1: size - *first;
    return 1;
}

//  A type of the form TOKEN/TOKEN; parameters could change what a browser does with it
static bool
s_is_type (const char *type)
{
    const char *slash = strchr (type, '/');
    return slash && slash != type && slash [1]
        && strspn (type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+._/") == strlen (type);
}

static void
s_send (http_call_t *call, const stele_map_t *event, stele_token_t content, int64_t head)
{
    const s_state_t *self = call->state;
    const http_request_t *request = http_conn_request (call->conn);
    char type [128] = "", etag [64] = "";
    stele_map_text (event, "mime_type", type, sizeof type);
    if (!s_is_type (type))
        strcpy (type, content.kind == STELE_SCAN_TEXT? "text/plain; charset=utf-8": "application/octet-stream");
    http_server_fields (call->server, call->conn, head);
    http_conn_field (call->conn, "Content-Disposition", "attachment; filename=\"output-%" PRId64 "\"", self->id);
    http_conn_field (call->conn, "Content-Security-Policy", "sandbox");
    http_conn_field (call->conn, "Cache-Control", "private, no-cache");
    http_conn_field (call->conn, "Accept-Ranges", "bytes");
    //  An event never changes, unless its task is erased: a strong ETag
    if (*call->server->ledger) {
        snprintf (etag, sizeof etag, "\"%.8s-%" PRId64 "-%08lx\"", call->server->ledger, self->id,
            crc32 (0, (const Bytef *) content.data, content.size));
        http_conn_field (call->conn, "ETag", "%s", etag);
        if (http_span_lists (request->head.fields [HTTP_IF_NONE_MATCH], etag)) {
            http_conn_answer (call->conn, 304, "", "", 0, false);
            return;
        }
    }
    http_span_t condition = request->head.fields [HTTP_IF_RANGE];
    size_t first = 0, count = content.size;
    int part = condition.data && !http_span_is (condition, etag)? 0:
        http_output_range (request->head.fields [HTTP_RANGE], content.size, &first, &count);
    if (part < 0)
        http_conn_field (call->conn, "Content-Range", "bytes */%" PRIu32, content.size);
    if (part > 0)
        http_conn_field (call->conn, "Content-Range", "bytes %zu-%zu/%" PRIu32, first, first + count - 1, content.size);
    if (part < 0)
        http_conn_answer (call->conn, 416, "text/plain", "", 0, false);
    else
        http_conn_answer (call->conn, part? 206: 200, type, content.data + first, count, false);
}

static void
s_on_answer (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    const s_state_t *self = call->state;
    stele_refusal_t error;
    stele_map_t map = { answer, size }, event;
    const void *events;
    size_t events_size;
    char task_id [256] = "", type [64] = "";
    int64_t position = 0, head = -1;
    call->token = 0;
    if (answer && http_reply_check (answer, size, &error))
        refusal = &error;
    if (refusal) {
        http_server_problem (call->server, call->conn, refusal);
        return;
    }
    stele_map_integer (&map, "position", &head);
    stele_token_t content = { .kind = STELE_SCAN_END };
    if (stele_scan_find (answer, size, "events", &events, &events_size).kind == STELE_SCAN_ARRAY) {
        stele_scan_t scan = stele_scan_start (events, events_size);
        if (stele_scan_next (&scan).count > 0) {
            stele_scan_skip (&scan, &event.data, &event.size);
            if (stele_map_open (&event, event.data, event.size) == 0
            &&  stele_map_integer (&event, "position", &position)
            &&  stele_map_text (&event, "type", type, sizeof type) && strcmp (type, "task.output_added") == 0
            &&  stele_map_text (&event, "task_id", task_id, sizeof task_id))
                content = stele_scan_find (event.data, event.size, "content", NULL, NULL);
        }
    }
    if (position == self->id && strcmp (task_id, self->task_id) == 0
    && (content.kind == STELE_SCAN_TEXT || content.kind == STELE_SCAN_BYTES))
        s_send (call, &event, content, head);
    else {
        stele_refuse (&error, STELE_ENOT_FOUND, "output_id", "task '%.100s' has no output with the id %" PRId64,
            self->task_id, self->id);
        http_server_problem (call->server, call->conn, &error);
    }
}

void
http_output_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    stele_refusal_t refusal;
    const http_request_t *request = http_conn_request (conn);
    http_span_t task_id = http_route_segment (route, &request->target, "task_id");
    http_span_t id = http_route_segment (route, &request->target, "output_id");
    s_state_t *self = STELE_NEW (s_state_t);
    //  Checks that the query has nothing unknown; the pack itself is not used
    int rc = http_params_pack (route, request, server->pack, &refusal);
    if (rc == 0 && (!http_span_number (id, &self->id) || self->id < 1 || task_id.size >= sizeof self->task_id))
        rc = stele_refuse (&refusal, STELE_ENOT_FOUND, "output_id", "no output of a task has the id '%.40s'", id.data);
    if (rc) {
        free (self);
        http_server_problem (server, conn, &refusal);
        return;
    }
    memcpy (self->task_id, task_id.data, task_id.size);
    http_call_t *call = http_call_new (server, conn, route);
    call->state = self;
    stele_pack_t *pack = server->pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "events.read");
    stele_pack_key_integer (pack, "after", self->id - 1);
    stele_pack_key_integer (pack, "limit", 1);
    stele_pack_map_end (pack);
    http_call_ask (call, pack, s_on_answer);
}
