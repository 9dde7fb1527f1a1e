/*  body - the JSON body of a request, checked against the parameters of its route

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <jansson.h>
#include "base/memory.h"
#include "http/compat/body.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "wire/json/json.h"
#include "wire/scan.h"

#define INPUT_MAX 4096              // Bytes of a body that errors quote

typedef struct {
    const http_request_t *request;
    json_t *items;                  // What is wrong
    stele_pack_t *pack;             // The map without what is wrong
} s_body_t;

//  One item of 'detail', as FastAPI writes it
static void
s_wrong (s_body_t *self, const char *name, const char *type, const char *message, const void *value, size_t size)
{
    json_t *place = json_pack ("[s]", "body"), *item;
    if (name)
        json_array_append_new (place, json_string (name));
    item = json_pack ("{ss, so, ss}", "type", type, "loc", place, "msg", message);
    char *text = self->request->body_size <= INPUT_MAX && size? stele_json_print (value, size, false): NULL;
    if (text)
        json_object_set_new (item, "input", json_loads (text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
    free (text);
    json_array_append_new (self->items, item);
}

//  The words of a flag that were taken before. Below 0: it is none.
static int
s_flag (stele_token_t token)
{
    static const char *const words [] = { "false", "true", "0", "1", "off", "on", "f", "t", "no", "yes", "n", "y" };
    if (token.kind == STELE_SCAN_BOOL || (token.kind == STELE_SCAN_INTEGER && (token.integer == 0 || token.integer == 1)))
        return (int) token.integer;
    for (int i = 0; i < 12 && token.kind == STELE_SCAN_TEXT; i++)
        if (token.size == strlen (words [i]) && strncasecmp (words [i], token.data, token.size) == 0)
            return i % 2;
    return -1;
}

static void
s_check (s_body_t *self, const http_item_t *item, const stele_map_t *body)
{
    const void *data;
    size_t size;
    stele_token_t token = stele_scan_find (body->data, body->size, item->name, &data, &size);
    if (token.kind == STELE_SCAN_END) {
        if (item->required)
            s_wrong (self, item->name, "missing", "Field required", body->data, body->size);
        return;
    }
    if (token.kind == STELE_SCAN_NIL && item->optional)
        return;
    if (strcmp (item->kind, "bool") == 0) {
        if (s_flag (token) < 0)
            s_wrong (self, item->name, "bool_parsing", "Input should be a valid boolean", data, size);
        else
            stele_pack_key_bool (self->pack, item->name, s_flag (token));
        return;
    }
    static const struct { const char *kind, *type, *message; stele_scan_kind_t token; } kinds [] = {
        { "text", "string_type", "Input should be a valid string", STELE_SCAN_TEXT },
        { "map", "dict_type", "Input should be a valid dictionary", STELE_SCAN_MAP },
        { "number", "int_type", "Input should be a valid integer", STELE_SCAN_INTEGER }
    };
    size_t i = 0;
    while (strcmp (kinds [i].kind, item->kind) != 0)
        i++;
    if (token.kind != kinds [i].token)
        s_wrong (self, item->name, kinds [i].type, kinds [i].message, data, size);
    else {
        stele_pack_key (self->pack, item->name);
        stele_pack_packed (self->pack, data, size);
    }
}

static void
s_check_all (s_body_t *self, const http_route_t *route)
{
    stele_refusal_t refusal = { 0 };
    if (self->request->body_size == 0) {
        s_wrong (self, NULL, "missing", "Field required", NULL, 0);
        return;
    }
    stele_pack_t *parsed = stele_pack_new ();
    if (!parsed || stele_json_parse_pack (self->request->body, self->request->body_size, parsed, &refusal) != 0) {
        s_wrong (self, NULL, "json_invalid", refusal.message, NULL, 0);
        stele_pack_destroy (&parsed);
        return;
    }
    stele_map_t body = { stele_pack_data (parsed), stele_pack_size (parsed) };
    stele_scan_t scan = stele_scan_start (body.data, body.size);
    if (stele_scan_next (&scan).kind != STELE_SCAN_MAP)
        s_wrong (self, NULL, "dict_type", "Input should be a valid dictionary", body.data, body.size);
    else {
        http_item_t item;
        for (const char *text = route->params; http_route_next (&text, &item);)
            if (strcmp (item.kind, "id") != 0 && strcmp (item.kind, "query") != 0)
                s_check (self, &item, &body);
    }
    stele_pack_destroy (&parsed);
}

http_call_t *
http_compat_body (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    s_body_t self = { http_conn_request (conn), json_array (), server->pack };
    stele_pack_clear (self.pack);
    stele_pack_map_begin (self.pack);
    s_check_all (&self, route);
    stele_pack_map_end (self.pack);
    if (json_array_size (self.items) == 0) {
        http_call_t *call = http_call_new (server, conn, route);
        http_compat_keep (call, stele_pack_data (self.pack), stele_pack_size (self.pack));
        json_decref (self.items);
        return call;
    }
    json_t *json = json_pack ("{so}", "detail", self.items);
    char *text = http_compat_print (json);
    http_conn_field (conn, "Cache-Control", "no-store");
    http_conn_answer (conn, 422, "application/json", text, strlen (text), false);
    free (text);
    json_decref (json);
    return NULL;
}
