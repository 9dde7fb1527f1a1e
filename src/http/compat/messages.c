/*  messages - GET /api/cli/sessions/{session_id}/history: the last commands of a session and their outputs, as messages

    A command is a message of the type "command" and the direction "input"; what it printed follows, of the type "stdout" and the
    direction "output". A long history ends at 64 MiB: /v1/sessions/{session_id}/commands has all of it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "http/params.h"
#include "wire/scan.h"

#define LIMIT          100          // Messages
#define LIMIT_MAX     1000          // The earlier system kept no more
#define OUTPUT_BYTES (1 << 20)      // Of one output
#define BYTES_MAX   (64 << 20)

typedef struct {
    int64_t limit;
    int64_t cursor;                 // Of the next page, of older commands; 0: the first page
    size_t bytes;
    char type [32];                 // "": messages of all types
    json_t *messages;               // Oldest first
} s_history_t;

static void s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

static void
s_free (void *state)
{
    s_history_t *self = state;
    json_decref (self->messages);
    free (self);
}

//  Before those that are there, since pages come newest first
static void
s_add (s_history_t *self, const stele_map_t *command, const char *type, const char *direction, const char *key)
{
    int64_t time_us = 0;
    if ((*self->type && strcmp (self->type, type) != 0) || (int64_t) json_array_size (self->messages) == self->limit)
        return;
    json_t *content = http_compat_text (command, key);
    stele_map_integer (command, "timestamp", &time_us);
    self->bytes += json_string_length (content);
    json_array_insert_new (self->messages, 0, json_pack ("{ss, so, so, ss, s{}}", "type", type, "content", content,
        "timestamp", http_compat_time (time_us, false), "direction", direction, "metadata"));
}

static void
s_request_page (http_call_t *call)
{
    const s_history_t *self = call->state;
    http_span_t id = http_compat_segment (call, "session_id");
    stele_pack_t *pack = http_compat_request (call->server, "session.commands");
    stele_pack_key (pack, "session_id");
    stele_pack_text (pack, id.data, id.size);
    stele_pack_key_string (pack, "order", "desc");
    stele_pack_key_integer (pack, "limit", call->server->list_limit < self->limit? call->server->list_limit: self->limit);
    stele_pack_key_integer (pack, "output_offset", 0);
    stele_pack_key_integer (pack, "output_length", OUTPUT_BYTES);
    if (self->cursor)
        stele_pack_key_integer (pack, "cursor", self->cursor);
    stele_pack_map_end (pack);
    http_call_ask (call, pack, s_on_page);
}

static void
s_take_page (s_history_t *self, const void *rows, size_t size)
{
    stele_scan_t scan = stele_scan_start (rows, size);
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        stele_map_t command;
        stele_scan_skip (&scan, &command.data, &command.size);
        stele_scan_kind_t output = stele_scan_find (command.data, command.size, "output", NULL, NULL).kind;
        if (output == STELE_SCAN_TEXT || output == STELE_SCAN_BYTES)
            s_add (self, &command, "stdout", "output", "output");
        s_add (self, &command, "command", "input", "command");
    }
}

//  A session that does not exist has no messages
static void
s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    s_history_t *self = call->state;
    stele_map_t map = { answer, size }, error;
    const void *rows;
    size_t rows_size;
    bool none = answer && stele_map_map (&map, "error", &error) && stele_map_code (&error, "code") == STELE_ENOT_FOUND;
    if (!none && !http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    call->token = 0;
    if (stele_scan_find (answer, size, "commands", &rows, &rows_size).kind == STELE_SCAN_ARRAY)
        s_take_page (self, rows, rows_size);
    if (stele_map_integer (&map, "next", &self->cursor) && self->bytes < BYTES_MAX
    &&  (int64_t) json_array_size (self->messages) < self->limit) {
        s_request_page (call);
        return;
    }
    http_span_t id = http_compat_segment (call, "session_id");
    http_compat_answer (call, answer, size, json_pack ("{ss%, sO}", "session_id", id.data, id.size, "messages", self->messages));
}

void
http_compat_messages_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    const http_request_t *request = http_conn_request (conn);
    http_span_t type = http_target_param (&request->target, "message_type");
    stele_refusal_t refusal;
    int64_t limit;
    if (http_params_number (request, "limit", LIMIT, &limit, &refusal) || limit < 1) {
        http_compat_refuse (server, conn, 400, "limit takes an integer of at least 1");
        return;
    }
    s_history_t *self = STELE_NEW (s_history_t);
    self->limit = limit > LIMIT_MAX? LIMIT_MAX: limit;
    self->messages = json_array ();
    snprintf (self->type, sizeof self->type, "%.*s", (int) type.size, type.data? type.data: "");
    http_call_t *call = http_call_new (server, conn, route);
    call->state = self;
    call->state_free = s_free;
    s_request_page (call);
}
