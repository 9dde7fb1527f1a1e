/*  params - a request of HTTP as a request of the protocol

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "http/params.h"
#include "wire/json/json.h"
#include "wire/quote.h"
#include "wire/scan.h"

//  Parameters of every operation (protocol section 4)
#define COMMON " min_position:number timeout_ms:number"

typedef struct {
    const http_route_t *route;
    const http_request_t *request;
    stele_pack_t *pack;
    stele_refusal_t *refusal;
} s_call_t;

bool
http_span_number (http_span_t span, int64_t *number)
{
    size_t at = span.size && span.data [0] == '-';
    int64_t value = 0;
    if (at == span.size || span.size - at > 18)
        return false;
    for (size_t i = at; i < span.size; i++) {
        if (span.data [i] < '0' || span.data [i] > '9')
            return false;
        value = value * 10 + (span.data [i] - '0');
    }
    *number = at? -value: value;
    return true;
}

int
http_params_number (const http_request_t *request, const char *name, int64_t otherwise, int64_t *number,
    stele_refusal_t *refusal)
{
    http_span_t span = http_target_param (&request->target, name);
    *number = otherwise;
    if (!span.data || http_span_number (span, number))
        return 0;
    return stele_refuse (refusal, STELE_EBAD_REQUEST, name, "%s takes an integer", name);
}

//  -- which parameters -------------------------------------------------------------------------

//  Find the row of a parameter, among those of the route and those of all operations
static bool
s_find (const http_route_t *route, http_span_t name, http_item_t *item)
{
    const char *lists [] = { route->params, *route->operation? COMMON: "" };
    for (size_t i = 0; i < 2; i++)
        for (const char *text = lists [i]; http_route_next (&text, item);)
            if (name.size == strlen (item->name) && memcmp (name.data, item->name, name.size) == 0)
                return true;
    return false;
}

static int
s_unknown (const s_call_t *self, http_span_t name)
{
    char shown [STELE_QUOTE_SIZE], takes [400] = "";
    size_t used = 0;
    http_item_t item;
    for (const char *text = self->route->params; http_route_next (&text, &item) && used < sizeof takes;)
        used += (size_t) snprintf (takes + used, sizeof takes - used, "%s%s", used? ", ": "", item.name);
    stele_quote (shown, name.data, name.size);
    return stele_refuse (self->refusal, STELE_EBAD_REQUEST, shown, "%s %s does not take '%s'; it takes %s",
        http_method_name (self->route->method), self->route->path, shown, *takes? takes: "no parameters");
}

static int
s_wrong (const s_call_t *self, const http_item_t *item, http_span_t value, const char *takes)
{
    char shown [STELE_QUOTE_SIZE];
    return stele_refuse (self->refusal, STELE_EBAD_REQUEST, item->name, "%s takes %s, not '%s'", item->name, takes,
        stele_quote (shown, value.data, value.size));
}

//  -- from the path and the query ------------------------------------------------------------------

//  Words are separated by commas, and the parameter may be repeated
static void
s_pack_words (const s_call_t *self, const http_item_t *item)
{
    const http_target_t *target = &self->request->target;
    size_t mark = stele_pack_open_array (self->pack), count = 0;
    for (size_t i = 0; i < target->param_count; i++) {
        if (strcmp (target->params [i].name.data, item->name) != 0)
            continue;
        const char *word = target->params [i].value.data;
        while (*word) {
            size_t size = strcspn (word, ",");
            if (size) {
                stele_pack_text (self->pack, word, size);
                count++;
            }
            word += size + (word [size] == ',');
        }
    }
    stele_pack_close (self->pack, mark, count);
}

static int
s_pack_text (const s_call_t *self, const http_item_t *item, http_span_t value)
{
    int64_t number;
    stele_pack_key (self->pack, item->name);
    if (strcmp (item->kind, "words") == 0) {
        s_pack_words (self, item);
    }
    else
    if (strcmp (item->kind, "number") == 0 || (strcmp (item->kind, "time") == 0 && http_span_number (value, &number))) {
        if (!http_span_number (value, &number))
            return s_wrong (self, item, value, "an integer");
        stele_pack_integer (self->pack, number);
    }
    else
    if (strcmp (item->kind, "bool") == 0) {
        bool yes = http_span_is (value, "true") || http_span_is (value, "1");
        if (!yes && !http_span_is (value, "false") && !http_span_is (value, "0"))
            return s_wrong (self, item, value, "true or false");
        stele_pack_bool (self->pack, yes);
    }
    else
        stele_pack_text (self->pack, value.data, value.size);
    return 0;
}

//  Did an earlier parameter of the query have that name?
static bool
s_is_repeated (const http_target_t *target, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp (target->params [i].name.data, target->params [index].name.data) == 0)
            return true;
    return false;
}

static int
s_pack_query (const s_call_t *self)
{
    const http_target_t *target = &self->request->target;
    for (size_t i = 0; i < target->param_count; i++) {
        const http_param_t *param = &target->params [i];
        http_item_t item;
        bool moved = http_route_is_moved (self->route, target, param->name.data);
        if (!s_find (self->route, param->name, &item)
        ||  (!moved && http_route_segment (self->route, target, item.name).data))
            return s_unknown (self, param->name);
        if (s_is_repeated (target, i)) {
            if (strcmp (item.kind, "words") != 0)
                return stele_refuse (self->refusal, STELE_EBAD_REQUEST, item.name, "%s is given twice", item.name);
            continue;
        }
        int rc = moved? 0: s_pack_text (self, &item, param->value);
        if (rc)
            return rc;
    }
    return 0;
}

static int
s_pack_path (const s_call_t *self)
{
    http_item_t item;
    for (const char *text = self->route->params; http_route_next (&text, &item);) {
        http_span_t segment = http_route_segment (self->route, &self->request->target, item.name);
        int rc = segment.data? s_pack_text (self, &item, segment): 0;
        if (rc)
            return rc;
    }
    return 0;
}

//  -- from the body -----------------------------------------------------------------------------------

//  Only keys that the route takes are looked up, so there are few
static bool
s_came_before (stele_scan_t scan, uint32_t count, http_span_t name)
{
    while (count--) {
        stele_token_t key = stele_scan_next (&scan);
        if (key.size == name.size && memcmp (key.data, name.data, name.size) == 0)
            return true;
        stele_scan_skip (&scan, NULL, NULL);
    }
    return false;
}

static int
s_pack_entries (const s_call_t *self, stele_scan_t scan)
{
    uint32_t count = stele_scan_next (&scan).count;
    stele_scan_t first = scan;
    for (uint32_t i = 0; i < count; i++) {
        stele_token_t key = stele_scan_next (&scan);
        http_span_t name = { key.data, key.kind == STELE_SCAN_TEXT? key.size: 0 };
        const void *value;
        size_t size;
        stele_scan_skip (&scan, &value, &size);
        http_item_t item;
        if (name.size == 0 || !s_find (self->route, name, &item)
        ||  http_route_segment (self->route, &self->request->target, item.name).data)
            return s_unknown (self, name);
        if (s_came_before (first, i, name))
            return stele_refuse (self->refusal, STELE_EBAD_REQUEST, item.name, "%s is given twice", item.name);
        stele_pack_key (self->pack, item.name);
        stele_pack_packed (self->pack, value, size);
    }
    return 0;
}

static int
s_pack_body (const s_call_t *self)
{
    const http_request_t *request = self->request;
    const http_target_t *target = &request->target;
    bool moved = target->param_count == 1 && http_route_is_moved (self->route, target, target->params [0].name.data);
    if (target->param_count && !moved)
        return stele_refuse (self->refusal, STELE_EBAD_REQUEST, NULL, "%s %s takes its parameters in a JSON body, not "
            "in the query", http_method_name (self->route->method), self->route->path);
    if (request->body_size == 0)
        return 0;
    stele_pack_t *body = stele_pack_new ();
    int rc = stele_json_parse_pack (request->body, request->body_size, body, self->refusal);
    if (rc) {
        const stele_refusal_t why = *self->refusal;
        bool is_not = strncmp (why.message, "not JSON", 8) == 0;
        stele_refuse (self->refusal, STELE_EMALFORMED, NULL, "the body %s%.400s", is_not? "is ": "cannot be read: ", why.message);
    }
    else {
        stele_scan_t scan = stele_scan_start (stele_pack_data (body), stele_pack_size (body)), probe = scan;
        rc = stele_scan_next (&probe).kind == STELE_SCAN_MAP? s_pack_entries (self, scan):
            stele_refuse (self->refusal, STELE_EBAD_REQUEST, NULL, "the body is not a JSON object");
    }
    stele_pack_destroy (&body);
    return rc;
}

//  -- the request of the protocol -----------------------------------------------------------------------

//  "stats.tasks?group_by=error": the operation, and fixed parameters of it
static void
s_pack_operation (const s_call_t *self)
{
    const char *operation = self->route->operation;
    size_t size = strcspn (operation, "?");
    stele_pack_key (self->pack, "op");
    stele_pack_text (self->pack, operation, size);
    if (operation [size]) {
        const char *equals = strchr (operation, '=');
        char name [32];
        snprintf (name, sizeof name, "%.*s", (int) (equals - operation - (ptrdiff_t) size - 1), operation + size + 1);
        stele_pack_key_string (self->pack, name, equals + 1);
    }
}

static int
s_pack_min_position (const s_call_t *self)
{
    http_span_t field = self->request->head.fields [HTTP_MIN_POSITION];
    int64_t position;
    if (!field.data || http_target_param (&self->request->target, "min_position").data)
        return 0;
    if (!http_span_number (field, &position))
        return stele_refuse (self->refusal, STELE_EBAD_REQUEST, "min_position", "Stele-Min-Position takes an integer");
    stele_pack_key_integer (self->pack, "min_position", position);
    return 0;
}

static int
s_check_required (const s_call_t *self)
{
    http_item_t item;
    for (const char *text = self->route->params; http_route_next (&text, &item);)
        if (item.required && stele_scan_find (stele_pack_data (self->pack), stele_pack_size (self->pack), item.name,
                NULL, NULL).kind == STELE_SCAN_END)
            return stele_refuse (self->refusal, STELE_EBAD_REQUEST, item.name, "%s is missing", item.name);
    return 0;
}

int
http_params_pack (const http_route_t *route, const http_request_t *request, stele_pack_t *pack,
    stele_refusal_t *refusal)
{
    s_call_t self = { route, request, pack, refusal };
    *refusal = (stele_refusal_t) { 0 };
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    s_pack_operation (&self);
    int rc = s_pack_path (&self);
    if (rc == 0)
        rc = http_route_has_body (route)? s_pack_body (&self): s_pack_query (&self);
    if (rc == 0)
        rc = s_pack_min_position (&self);
    stele_pack_map_end (pack);
    return rc? rc: s_check_required (&self);
}
