/*  openapi - /openapi.json, made from the table of routes and the table of fields

    Types of answers in the table of routes: integer, number, string, boolean, object, array, time (RFC 3339), cursor (of
    the next page, or null), TYPE|null, the name of a schema, and [TYPE] for an array of that.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "http/compat/record.h"
#include "http/openapi.h"
#include "model/field.h"
#include "stele_library.h"

//  X (name, fields that each record of the kind has): every other field of the table may be there too
#define SCHEMAS(X) \
    X ("Task",        "task_id state created_at updated_at") \
    X ("History",     "id type task_id timestamp") \
    X ("Output",      "id task_id output_type timestamp") \
    X ("Metric",      "id task_id name value timestamp") \
    X ("Session",     "session_id state") \
    X ("Command",     "id session_id command timestamp") \
    X ("Preferences", "user_id") \
    X ("Event",       "type time position") \
    X ("Rejected",    "id code message time") \
    X ("Audit",       "id timestamp who operation outcome")

//  -- schemas ---------------------------------------------------------------------------------------

static json_t *
s_schema_of_field (stele_field_t field)
{
    switch (stele_field_kind (field)) {
        case STELE_KIND_TIME:
            return json_pack ("{ss, ss}", "type", "string", "format", "date-time");
        case STELE_KIND_NATURAL:
            return json_pack ("{ss, si}", "type", "integer", "minimum", 0);
        case STELE_KIND_INTEGER:
            return json_pack ("{ss}", "type", "integer");
        case STELE_KIND_BOOL:
            return json_pack ("{ss}", "type", "boolean");
        case STELE_KIND_NUMBER:             //  Or {"$float": "NaN"}
        case STELE_KIND_CONTENT:            //  Text, or {"$bin": "..."}
            return json_object ();
        case STELE_KIND_MAP:
            return json_pack ("{ss}", "type", "object");
        default:
            return json_pack ("{ss}", "type", "string");
    }
}

static json_t *
s_schema_of_type (const char *type)
{
    size_t size = strlen (type);
    if (*type == '[') {
        char inner [24];
        snprintf (inner, sizeof inner, "%.*s", (int) size - 2, type + 1);
        return json_pack ("{ss, so}", "type", "array", "items", s_schema_of_type (inner));
    }
    if (*type >= 'A' && *type <= 'Z') {
        char reference [64];
        snprintf (reference, sizeof reference, "#/components/schemas/%s", type);
        return json_pack ("{ss}", "$ref", reference);
    }
    if (strcmp (type, "time") == 0)
        return json_pack ("{ss, ss}", "type", "string", "format", "date-time");
    if (strcmp (type, "cursor") == 0)
        return json_pack ("{s[sss], ss}", "type", "integer", "string", "null", "description",
            "The cursor of the next page; null after the last one");
    size_t word = strcspn (type, "|");
    return type [word]? json_pack ("{s[s%s]}", "type", type, word, "null"): json_pack ("{ss}", "type", type);
}

//  An object of all fields; those that a producer added are there too
static json_t *
s_schema_of_record (const char *required)
{
    json_t *properties = json_object (), *names = json_array ();
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        json_object_set_new (properties, stele_field_name (field), s_schema_of_field ((stele_field_t) field));
    for (size_t size; *required; required += size + (required [size] == ' ')) {
        size = strcspn (required, " ");
        json_array_append_new (names, json_stringn (required, size));
    }
    return json_pack ("{ss, so, so}", "type", "object", "required", names, "properties", properties);
}

static json_t *
s_problem_schema (void)
{
    return json_pack ("{ss, s[sss], s{s{ss}, s{ss}, s{ss}, s{ss}, s{ss}, s{ss}, s{ss}}}", "type", "object",
        "required", "type", "title", "status", "properties",
        "type", "type", "string", "title", "type", "string", "status", "type", "integer", "detail", "type", "string",
        "code", "type", "string", "field", "type", "string", "request_id", "type", "string");
}

static json_t *
s_schemas (void)
{
    json_t *schemas = json_object ();
#define SCHEMA(name, required) json_object_set_new (schemas, name, s_schema_of_record (required));
    SCHEMAS (SCHEMA)
    http_compat_schemas (schemas);
    json_object_set_new (schemas, "Problem", s_problem_schema ());
    return schemas;
}

//  -- parameters ----------------------------------------------------------------------------------------

static json_t *
s_schema_of_kind (const char *kind)
{
    if (strcmp (kind, "number") == 0)
        return json_pack ("{ss}", "type", "integer");
    if (strcmp (kind, "bool") == 0)
        return json_pack ("{ss}", "type", "boolean");
    if (strcmp (kind, "words") == 0)
        return json_pack ("{ss, s{ss}}", "type", "array", "items", "type", "string");
    if (strcmp (kind, "numbers") == 0)
        return json_pack ("{ss, s{ss}}", "type", "array", "items", "type", "integer");
    if (strcmp (kind, "map") == 0)
        return json_pack ("{ss}", "type", "object");
    if (strcmp (kind, "array") == 0)
        return json_pack ("{ss, s{ss}}", "type", "array", "items", "type", "object");
    return json_pack ("{ss}", "type", "string");
}

static bool
s_is_compat (const http_route_t *route)
{
    return route->handler == HTTP_HANDLER_COMPAT;
}

static bool
s_is_in_path (const http_route_t *route, const char *name)
{
    char part [40];
    snprintf (part, sizeof part, "{%s}", name);
    return strstr (route->path, part) != NULL;
}

static json_t *
s_parameters (const http_route_t *route)
{
    json_t *list = json_array ();
    http_item_t item;
    char text [1200];
    snprintf (text, sizeof text, "%s%s", route->params,
        *route->operation && !http_route_has_body (route) && !s_is_compat (route)? " min_position:number timeout_ms:number": "");
    for (const char *next = text; http_route_next (&next, &item);) {
        bool in_path = s_is_in_path (route, item.name);
        if (!in_path && http_route_has_body (route) && strcmp (item.kind, "query") != 0)
            continue;
        json_t *parameter = json_pack ("{ss, ss, sb, so}", "name", item.name, "in", in_path? "path": "query",
            "required", in_path || item.required, "schema", s_schema_of_kind (item.kind));
        //  a,b
        if (strcmp (item.kind, "words") == 0)
            json_object_set_new (parameter, "explode", json_false ());
        json_array_append_new (list, parameter);
    }
    return list;
}

static json_t *
s_body (const http_route_t *route)
{
    json_t *properties = json_object (), *required = json_array ();
    http_item_t item;
    for (const char *next = route->params; http_route_next (&next, &item);) {
        if (s_is_in_path (route, item.name) || strcmp (item.kind, "query") == 0)
            continue;
        json_t *schema = s_schema_of_kind (item.kind);
        if (item.optional)          // Null, too
            json_object_set_new (schema, "type", json_pack ("[Os]", json_object_get (schema, "type"), "null"));
        json_object_set_new (properties, item.name, schema);
        if (item.required)
            json_array_append_new (required, json_string (item.name));
    }
    bool needed = json_array_size (required) > 0;
    json_t *schema = json_pack ("{ss, so, sb}", "type", "object", "properties", properties, "additionalProperties",
        s_is_compat (route));
    if (needed)
        json_object_set_new (schema, "required", required);
    else
        json_decref (required);
    return json_pack ("{sb, s{s{so}}}", "required", needed, "content", "application/json", "schema", schema);
}

//  -- answers ---------------------------------------------------------------------------------------------

static json_t *
s_answer_schema (const http_route_t *route)
{
    if (*route->answer == '[')
        return s_schema_of_type (route->answer);
    json_t *properties = json_object (), *required = json_array ();
    http_item_t item;
    if (!s_is_compat (route)) {
        json_object_set_new (properties, "position", json_pack ("{ss, si}", "type", "integer", "minimum", 0));
        json_array_append_new (required, json_string ("position"));
    }
    for (const char *next = route->answer; http_route_next (&next, &item);) {
        json_object_set_new (properties, item.name, s_schema_of_type (item.kind));
        if (!item.optional)
            json_array_append_new (required, json_string (item.name));
    }
    return json_pack ("{ss, so, so}", "type", "object", "required", required, "properties", properties);
}

static json_t *
s_success (const http_route_t *route)
{
    switch (route->handler) {
        case HTTP_HANDLER_OUTPUT:
            return json_pack ("{ss, s{s{}}}", "description", "The bytes", "content", "application/octet-stream");
        case HTTP_HANDLER_STREAM:
            return json_pack ("{ss, s{s{}}}", "description", "Events without end", "content", "text/event-stream");
        case HTTP_HANDLER_METRICS:
            return json_pack ("{ss, s{s{}, s{}}}", "description", "Metrics", "content", "text/plain",
                "application/openmetrics-text");
        case HTTP_HANDLER_SESSION:
            return json_pack ("{ss, s{s{s{ss, s[s]}}}}", "description", "Whose session it is or was", "content", "application/json",
                "schema", "type", "object", "required", "name");
        case HTTP_HANDLER_HEALTHZ:
        case HTTP_HANDLER_READYZ:
            return json_pack ("{ss, s{s{s{ss, s[s]}}}}", "description", "Healthy", "content", "application/json", "schema",
                "type", "object", "required", "status");
        case HTTP_HANDLER_DASHBOARD:
            return json_pack ("{ss, s{s{}, s{}, s{}}}", "description", "A file for browsers", "content", "text/html", "text/css",
                "text/javascript");
        case HTTP_HANDLER_OPENAPI:
            return json_pack ("{ss, s{s{s{ss}}}}", "description", "OpenAPI 3.1", "content", "application/json", "schema",
                "type", "object");
        default:
            return json_pack ("{ss, s{s{so}}}", "description", "Done", "content", "application/json", "schema",
                s_answer_schema (route));
    }
}

static json_t *
s_responses (const http_route_t *route)
{
    json_t *responses = json_pack ("{s{ss, s{s{s{ss}}}}}", "default",
        "description", "A problem (RFC 9457)", "content", "application/problem+json", "schema",
        "$ref", "#/components/schemas/Problem");
    if (route == &http_routes [HTTP_ROUTE_COMPAT_SOCKET])
        json_object_set_new (responses, "101", json_pack ("{ss}", "description", "The connection is a WebSocket"));
    else
        json_object_set_new (responses, "200", s_success (route));
    if (s_is_compat (route))
        json_object_set_new (json_object_get (json_object_get (responses, "default"), "content"), "application/json",
            json_pack ("{s{ss, s[s]}}", "schema", "type", "object", "required", "detail"));
    if (route->cached)
        json_object_set_new (responses, "304", json_pack ("{ss}", "description", "The client has this answer"));
    if (route->handler == HTTP_HANDLER_OUTPUT)
        json_object_set_new (responses, "206", json_pack ("{ss, s{s{}}}", "description", "A part", "content",
            "application/octet-stream"));
    if (route->handler == HTTP_HANDLER_READYZ)
        json_object_set_new (responses, "503", json_pack ("{ss, s{s{s{ss}}}}", "description", "Not ready", "content",
            "application/json", "schema", "type", "object"));
    return responses;
}

static const char *
s_method_key (http_method_t method)
{
    static const char *const keys [HTTP_METHOD_COUNT] = { "get", "head", "post", "put", "delete", "patch", "options" };
    return keys [method];
}

static json_t *
s_paths (void)
{
    json_t *paths = json_object ();
    for (size_t i = 0; i < HTTP_ROUTE_COUNT; i++) {
        const http_route_t *route = &http_routes [i];
        json_t *path = json_object_get (paths, route->path);
        if (!path) {
            path = json_object ();
            json_object_set_new (paths, route->path, path);
        }
        json_t *operation = json_pack ("{ss, ss, so, so}", "summary", route->summary, "x-stele-role", route->role,
            "parameters", s_parameters (route), "responses", s_responses (route));
        if (*route->operation)
            json_object_set_new (operation, "x-stele-operation", json_string (route->operation));
        if (http_route_has_body (route))
            json_object_set_new (operation, "requestBody", s_body (route));
        if (s_is_compat (route))
            json_object_set_new (operation, "tags", json_pack ("[s]", "earlier interface"));
        if (route->handler == HTTP_HANDLER_HEALTHZ)
            json_object_set_new (operation, "security", json_array ());
        json_object_set_new (path, s_method_key (route->method), operation);
    }
    return paths;
}

//  Caller owns return value
static char *
s_print (const http_server_t *server)
{
    json_t *document = json_pack ("{ss, s{ss, ss, ss, s{ss, ss}}, so, s{so, s{s{ss, ss, ss}, s{ss, ss, ss}}}}", "openapi", "3.1.0",
        "info", "title", "Stele", "version", STELE_VERSION, "summary", "The durable record of tasks",
        "license", "name", "MPL-2.0", "identifier", "MPL-2.0",
        "paths", s_paths (), "components", "schemas", s_schemas (),
        "securitySchemes", "token", "type", "http", "scheme", "bearer", "bearerFormat", "stele_ID_SECRET, made by 'stele token new'",
        "session", "type", "apiKey", "in", "cookie", "name", "stele_session");
    if (server->access)
        json_object_set_new (document, "security", json_pack ("[{s[]}, {s[]}]", "token", "session"));
    char *text = json_dumps (document, JSON_COMPACT);
    json_decref (document);
    return text;
}

void
http_openapi_start (http_server_t *server, http_conn_t *conn)
{
    //  It does not change, and takes milliseconds to make
    if (!server->openapi)
        server->openapi = s_print (server);
    http_conn_field (conn, "Cache-Control", "no-cache");
    http_conn_answer (conn, 200, "application/json", server->openapi, strlen (server->openapi), true);
}
