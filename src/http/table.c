/*  table - a whole table of the ledger as NDJSON, page by page, as fast as the client reads it

    All pages show one position. A table that could not be read to its end is cut without the last chunk,
    so that the client sees that rows are missing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "http/params.h"
#include "http/reply.h"
#include "http/table.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/scan.h"

#define UNREAD_MAX 1048576          // Bytes: the next page is read when the client has read down to that

typedef struct {
    char table [32];
    int64_t at;                     // Position of all pages; -1: not known yet
    int64_t cursor;                 // Of the next page
    bool begun;
} s_state_t;

static void s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

int
http_table_check (const http_request_t *request, stele_refusal_t *refusal)
{
    http_span_t format = http_target_param (&request->target, "format");
    if (!format.data || http_span_is (format, "json") || http_span_is (format, "ndjson"))
        return 0;
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "format", "format takes json (a page, the default) or ndjson (the whole table)");
}

bool
http_table_is_whole (const http_request_t *request)
{
    return http_span_is (http_target_param (&request->target, "format"), "ndjson");
}

static void
s_request_page (http_call_t *call)
{
    s_state_t *self = call->state;
    stele_pack_t *pack = call->server->pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "table.read");
    stele_pack_key_string (pack, "table", self->table);
    if (self->at >= 0)
        stele_pack_key_integer (pack, "at", self->at);
    if (self->cursor)
        stele_pack_key_integer (pack, "cursor", self->cursor);
    stele_pack_map_end (pack);
    if (self->begun)
        http_call_ask_more (call, pack, s_on_page);
    else
        http_call_ask (call, pack, s_on_page);
}

static void
s_on_drained (void *context)
{
    http_call_t *call = context;
    http_conn_on_drained (call->conn, 0, NULL);
    s_request_page (call);
}

//  Returns false if a row is not valid
static bool
s_send_rows (http_call_t *call, stele_scan_t rows)
{
    uint32_t count = stele_scan_next (&rows).count;
    struct evbuffer *lines = evbuffer_new ();
    bool valid = lines != NULL;
    while (count-- && valid) {
        const void *row;
        size_t size;
        stele_scan_skip (&rows, &row, &size);
        char *json = stele_json_print (row, size, true);
        valid = json && evbuffer_add_printf (lines, "%s\n", json) >= 0;
        free (json);
    }
    size_t size = valid? evbuffer_get_length (lines): 0;
    http_conn_send (call->conn, evbuffer_pullup (lines, -1), size);
    evbuffer_free (lines);
    return valid;
}

static void
s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    s_state_t *self = call->state;
    stele_refusal_t error;
    stele_map_t map = { answer, size };
    const void *rows;
    size_t rows_size;
    call->token = 0;
    if (answer && http_reply_check (answer, size, &error))
        refusal = &error;
    if (refusal && !self->begun) {
        http_server_problem (call->server, call->conn, refusal);
        return;
    }
    if (!self->begun) {
        if (self->at < 0)
            stele_map_integer (&map, "position", &self->at);
        http_server_fields (call->server, call->conn, self->at);
        http_conn_field (call->conn, "Cache-Control", "no-store");
        http_conn_begin (call->conn, 200, "application/x-ndjson", false);
        self->begun = true;
    }
    if (refusal || stele_scan_find (answer, size, "rows", &rows, &rows_size).kind != STELE_SCAN_ARRAY
    ||  !s_send_rows (call, stele_scan_start (rows, rows_size)))
        http_conn_close (call->conn);
    else
    if (!stele_map_integer (&map, "next", &self->cursor))
        http_conn_finish (call->conn);
    else
    if (http_conn_unread (call->conn) > UNREAD_MAX)
        http_conn_on_drained (call->conn, UNREAD_MAX / 2, s_on_drained);
    else
        s_request_page (call);
}

void
http_table_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    stele_refusal_t refusal;
    int64_t at;
    const http_request_t *request = http_conn_request (conn);
    if (http_params_pack (route, request, server->pack, &refusal)
    ||  http_params_number (request, "at", -1, &at, &refusal)) {
        http_server_problem (server, conn, &refusal);
        return;
    }
    http_call_t *call = http_call_new (server, conn, route);
    s_state_t *self = STELE_NEW (s_state_t);
    http_span_t table = http_route_segment (route, &request->target, "table");
    snprintf (self->table, sizeof self->table, "%.*s", (int) table.size, table.data);
    self->at = at;
    call->state = self;
    s_request_page (call);
}
