/*  list - lists of the earlier system: whole, in one answer, read from the broker page by page

    A list that does not fit into one page of the broker is sent in chunks, as fast as the client reads it. One that could not be read
    to its end is cut without the last chunk, so that the client sees that rows are missing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "http/compat/compat.h"
#include "http/compat/persistent.h"
#include "http/compat/record.h"
#include "http/reply.h"
#include "wire/scan.h"

#define UNREAD_MAX 1048576          // Bytes: the next page is read when the client has read down to that
#define CURSOR_MAX 256

typedef struct {
    http_route_id_t route;
    http_compat_record_t record;
    const char *rows;               // Key of the rows, in the broker's answer and in this one
    const char *total;              // Key of their number; NULL: there is none
    const char *missing;            // The 404 of an empty list, or of no such task; NULL: an empty list is an answer
} s_kind_t;

static const s_kind_t s_kinds [] = {
    { HTTP_ROUTE_COMPAT_TASKS, HTTP_COMPAT_TASK, "tasks", NULL, NULL },
    { HTTP_ROUTE_COMPAT_HISTORY, HTTP_COMPAT_HISTORY, "history", "total_entries", "Task history not found" },
    { HTTP_ROUTE_COMPAT_PERSISTENT, HTTP_COMPAT_TASK_RECORD, "tasks", "total_results", NULL },
    { HTTP_ROUTE_COMPAT_OUTPUTS, HTTP_COMPAT_OUTPUT, "outputs", "total_outputs", NULL },
    { HTTP_ROUTE_COMPAT_SESSIONS, HTTP_COMPAT_SESSION, "sessions", NULL, NULL }
};

typedef struct {
    const s_kind_t *kind;
    bool begun;                     // The head was sent
    int64_t count;                  // Rows so far
    int64_t left;                   // Rows that may follow
    char cursor [CURSOR_MAX];       // Of the next page, packed
    size_t cursor_size;             // 0: the first page
    size_t size;
    char request [];                // Entries of the map: operation and filters
} s_list_t;

static void s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

//  -- the request of a page -------------------------------------------------------------------------

static void
s_pack_page (const s_list_t *self, int64_t most, stele_pack_t *pack)
{
    stele_scan_t scan = stele_scan_start (self->request, self->size);
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    while (count--) {
        const void *value;
        size_t size;
        char name [32];
        stele_token_t key = stele_scan_next (&scan);
        snprintf (name, sizeof name, "%.*s", (int) key.size, key.data);
        stele_scan_skip (&scan, &value, &size);
        //  The cursor has it
        if (self->cursor_size && strcmp (name, "offset") == 0)
            continue;
        stele_pack_key (pack, name);
        stele_pack_packed (pack, value, size);
    }
    stele_pack_key_integer (pack, "limit", self->left < most? self->left: most);
    if (self->cursor_size) {
        stele_pack_key (pack, "cursor");
        stele_pack_packed (pack, self->cursor, self->cursor_size);
    }
    stele_pack_map_end (pack);
}

static void
s_request_page (http_call_t *call)
{
    s_list_t *self = call->state;
    s_pack_page (self, call->server->list_limit, call->server->pack);
    if (self->begun)
        http_call_ask_more (call, call->server->pack, s_on_page);
    else
        http_call_ask (call, call->server->pack, s_on_page);
}

static void
s_on_drained (void *context)
{
    http_call_t *call = context;
    http_conn_on_drained (call->conn, 0, NULL);
    s_request_page (call);
}

//  -- the answer ---------------------------------------------------------------------------------------

static void
s_add_json (struct evbuffer *text, json_t *json)
{
    char *printed = http_compat_print (json);
    evbuffer_add (text, printed, strlen (printed));
    free (printed);
    json_decref (json);
}

static void
s_add_head (const http_call_t *call, struct evbuffer *text)
{
    const s_list_t *self = call->state;
    if (self->kind->route == HTTP_ROUTE_COMPAT_TASKS) {
        evbuffer_add (text, "[", 1);
        return;
    }
    http_span_t id = http_compat_segment (call, "task_id");
    evbuffer_add (text, "{", 1);
    if (id.data) {
        json_t *object = json_pack ("{ss%}", "task_id", id.data, id.size);
        char *printed = http_compat_print (object);
        evbuffer_add_printf (text, "%.*s,", (int) strlen (printed) - 2, printed + 1);
        free (printed);
        json_decref (object);
    }
    evbuffer_add_printf (text, "\"%s\":[", self->kind->rows);
}

static void
s_add_tail (const http_call_t *call, struct evbuffer *text)
{
    const s_list_t *self = call->state;
    evbuffer_add (text, "]", 1);
    if (self->kind->total)
        evbuffer_add_printf (text, ",\"%s\":%lld", self->kind->total, (long long) self->count);
    if (self->kind->route == HTTP_ROUTE_COMPAT_PERSISTENT) {
        evbuffer_add_printf (text, ",\"filter_applied\":");
        s_add_json (text, http_compat_persistent_filter (http_conn_request (call->conn)));
    }
    if (self->kind->route != HTTP_ROUTE_COMPAT_TASKS)
        evbuffer_add (text, "}", 1);
}

//  Only changes of state were rows of the history
static bool
s_is_row (const s_list_t *self, const stele_map_t *row)
{
    char type [64] = "", from [32] = "", to [32] = "";
    if (self->kind->record != HTTP_COMPAT_HISTORY)
        return true;
    stele_map_text (row, "type", type, sizeof type);
    stele_map_text (row, "state_from", from, sizeof from);
    stele_map_text (row, "state_to", to, sizeof to);
    return *to && (strcmp (type, "task.updated") != 0 || strcmp (from, to) != 0);
}

//  Returns false if a row is not valid
static bool
s_add_rows (http_call_t *call, struct evbuffer *text, stele_scan_t rows)
{
    s_list_t *self = call->state;
    uint32_t count = stele_scan_next (&rows).count;
    while (count--) {
        stele_map_t row;
        stele_scan_skip (&rows, &row.data, &row.size);
        if (!s_is_row (self, &row))
            continue;
        json_t *json = http_compat_record (self->kind->record, &row);
        if (!json)
            return false;
        if (self->count == 0)
            s_add_head (call, text);
        else
            evbuffer_add (text, ",", 1);
        s_add_json (text, json);
        self->count++;
        self->left--;
    }
    return true;
}

static void
s_add_fields (http_call_t *call, const stele_map_t *answer)
{
    int64_t position = -1;
    stele_map_integer (answer, "position", &position);
    http_server_fields (call->server, call->conn, position);
    http_conn_field (call->conn, "Cache-Control", "no-store");
}

//  A list that is complete with its first page has a length, and can be compressed
static void
s_end (http_call_t *call, const stele_map_t *answer, struct evbuffer *text)
{
    s_list_t *self = call->state;
    if (self->count == 0 && self->kind->missing) {
        http_compat_refuse (call->server, call->conn, 404, "%s", self->kind->missing);
        return;
    }
    if (self->count == 0)
        s_add_head (call, text);
    s_add_tail (call, text);
    const char *data = (const char *) evbuffer_pullup (text, -1);
    if (self->begun) {
        http_conn_send (call->conn, data, evbuffer_get_length (text));
        http_conn_finish (call->conn);
    }
    else {
        s_add_fields (call, answer);
        http_conn_answer (call->conn, 200, "application/json", data, evbuffer_get_length (text), true);
    }
}

static void
s_continue (http_call_t *call, const stele_map_t *answer, struct evbuffer *text)
{
    s_list_t *self = call->state;
    size_t size = evbuffer_get_length (text);
    if (size && !self->begun) {
        s_add_fields (call, answer);
        http_conn_begin (call->conn, 200, "application/json", false);
        self->begun = true;
    }
    if (size)
        http_conn_send (call->conn, evbuffer_pullup (text, -1), size);
    if (http_conn_unread (call->conn) > UNREAD_MAX)
        http_conn_on_drained (call->conn, UNREAD_MAX / 2, s_on_drained);
    else
        s_request_page (call);
}

static void
s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    s_list_t *self = call->state;
    stele_map_t map = { answer, size };
    stele_refusal_t error;
    const void *rows, *next;
    size_t rows_size, next_size;
    call->token = 0;
    if (self->begun && (refusal || http_reply_check (answer, size, &error))) {
        http_conn_close (call->conn);
        return;
    }
    bool none = !self->begun && !self->kind->missing && answer
        && http_reply_check (answer, size, &error) == STELE_ENOT_FOUND;
    if (!self->begun && !none && !http_compat_succeeded (call, answer, size, refusal, self->kind->missing))
        return;
    struct evbuffer *text = evbuffer_new ();
    bool valid = none || (stele_scan_find (answer, size, self->kind->rows, &rows, &rows_size).kind == STELE_SCAN_ARRAY
        && s_add_rows (call, text, stele_scan_start (rows, rows_size)));
    stele_token_t cursor = stele_scan_find (answer, size, "next", &next, &next_size);
    bool last = cursor.kind == STELE_SCAN_END || cursor.kind == STELE_SCAN_NIL || self->left == 0;
    if (valid && !last && next_size <= CURSOR_MAX) {
        memcpy (self->cursor, next, next_size);
        self->cursor_size = next_size;
        s_continue (call, &map, text);
    }
    else
    if (valid && last)
        s_end (call, &map, text);
    else
        http_conn_close (call->conn);
    evbuffer_free (text);
}

//  -- start -----------------------------------------------------------------------------------------------

static void
s_pack_words (stele_pack_t *pack, const char *key, const char *words)
{
    stele_pack_key (pack, key);
    size_t mark = stele_pack_open_array (pack), count = 0;
    for (size_t size; *words; words += size + (words [size] == ' '), count++) {
        size = strcspn (words, " ");
        stele_pack_text (pack, words, size);
    }
    stele_pack_close (pack, mark, count);
}

//  Returns false after an answer: a filter is not valid
static bool
s_pack_filters (http_server_t *server, http_conn_t *conn, const http_route_t *route, int64_t *limit)
{
    stele_pack_t *pack = http_compat_request (server, route->operation);
    const http_target_t *target = &http_conn_request (conn)->target;
    http_span_t id = http_route_segment (route, target, "task_id");
    bool valid = true;
    if (id.data) {
        stele_pack_key (pack, "task_id");
        stele_pack_text (pack, id.data, id.size);
    }
    if (route == &http_routes [HTTP_ROUTE_COMPAT_HISTORY])
        s_pack_words (pack, "types", "task.created task.state_changed task.updated");
    if (route == &http_routes [HTTP_ROUTE_COMPAT_SESSIONS])
        s_pack_words (pack, "states", "initializing starting running waiting_input processing completed");
    if (route == &http_routes [HTTP_ROUTE_COMPAT_PERSISTENT])
        valid = http_compat_persistent_pack (server, conn, pack, limit);
    stele_pack_map_end (pack);
    return valid;
}

void
http_compat_list_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    int64_t limit = INT64_MAX;
    const s_kind_t *kind = s_kinds;
    while (&http_routes [kind->route] != route)
        kind++;
    if (!s_pack_filters (server, conn, route, &limit))
        return;
    size_t size = stele_pack_size (server->pack);
    s_list_t *self = stele_memory_new (sizeof *self + size);
    self->kind = kind;
    self->left = limit;
    self->size = size;
    memcpy (self->request, stele_pack_data (server->pack), size);
    http_call_t *call = http_call_new (server, conn, route);
    call->state = self;
    s_request_page (call);
}
