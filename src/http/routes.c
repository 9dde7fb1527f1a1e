/*  routes - find the route of a request

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "http/routes.h"

#define ROLE_ANY     "any"
#define ROLE_METRICS "metrics"
#define ROLE_QUERY   "query"
#define ROLE_PUBLISH "publish"
#define ROLE_OPERATE "operate"
#define ROLE_ADMIN   "admin"

const http_route_t http_routes [HTTP_ROUTE_COUNT] = {
#define ROUTE_ROW(constant, method, path, handler, operation, role, cached, params, answer, summary) \
    { method, path, HTTP_HANDLER_##handler, operation, ROLE_##role, cached, params, answer, summary },
    HTTP_ROUTES (ROUTE_ROW)
};

//  Segment by segment: "{name}" matches any that is not empty
static bool
s_matches (const http_route_t *self, const http_target_t *target)
{
    const char *part = self->path + 1;
    for (size_t i = 0; i < target->segment_count; i++) {
        size_t size = strcspn (part, "/");
        http_span_t segment = target->segments [i];
        bool same = *part == '{'? segment.size > 0: segment.size == size && memcmp (segment.data, part, size) == 0;
        if (!same)
            return false;
        part += size;
        bool last = i + 1 == target->segment_count;
        if (last != (*part == 0))
            return false;
        part += !last;
    }
    return true;
}

const http_route_t *
http_route_find (http_method_t method, const http_target_t *target, char allow [64])
{
    size_t used = 0;
    const http_route_t *found = NULL;
    http_method_t wanted = method == HTTP_HEAD? HTTP_GET: method;
    *allow = 0;
    for (size_t i = 0; i < HTTP_ROUTE_COUNT; i++) {
        const http_route_t *route = &http_routes [i];
        if (!s_matches (route, target))
            continue;
        //  A fixed segment comes before a parameter: /v1/tasks/search is no task
        if (!found && route->method == wanted)
            found = route;
        const char *name = http_method_name (route->method);
        if (!strstr (allow, name))
            used += (size_t) snprintf (allow + used, 64 - used, "%s%s%s", used? ", ": "", name,
                route->method == HTTP_GET? ", HEAD": "");
    }
    return found;
}

bool
http_route_next (const char **text, http_item_t *item)
{
    const char *start = *text + strspn (*text, " ");
    size_t size = strcspn (start, " ");
    if (size == 0)
        return false;
    size_t name = strcspn (start, "!:");
    size_t kind = name + strspn (start + name, "!:");
    item->required = start [name] == '!';
    item->optional = start [size - 1] == '?';
    snprintf (item->name, sizeof item->name, "%.*s", (int) name, start);
    snprintf (item->kind, sizeof item->kind, "%.*s", (int) (size - kind - item->optional), start + kind);
    *text = start + size;
    return true;
}

static http_span_t
s_segment (const http_route_t *self, const http_target_t *target, const char *name)
{
    const char *part = self->path + 1;
    size_t name_size = strlen (name);
    for (size_t i = 0; *part; i++) {
        size_t size = strcspn (part, "/");
        if (*part == '{' && size == name_size + 2 && memcmp (part + 1, name, name_size) == 0)
            return target->segments [i];
        part += size + (part [size] == '/');
    }
    return (http_span_t) { NULL, 0 };
}

bool
http_route_is_moved (const http_route_t *self, const http_target_t *target, const char *name)
{
    return http_span_is (s_segment (self, target, name), "-") && http_target_param (target, name).data;
}

http_span_t
http_route_segment (const http_route_t *self, const http_target_t *target, const char *name)
{
    return http_route_is_moved (self, target, name)? http_target_param (target, name): s_segment (self, target, name);
}
