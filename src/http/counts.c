/*  counts - statistics of the HTTP server itself: answers and their times, per route

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/view/prometheus.h"
#include "http/counts.h"

//  Bounds in microseconds: with every route, few are enough
static const int64_t s_bounds [] = { 1000, 5000, 25000, 100000, 500000, 2500000 };

#define BOUNDS (sizeof s_bounds / sizeof s_bounds [0])
#define CLASSES 6                   // Of status: 2 is 200 to 299

typedef struct {
    int64_t by_class [CLASSES];
    int64_t below [BOUNDS];
    int64_t count;
    int64_t sum_us;
} s_counts_t;

struct http_counts {
    s_counts_t routes [HTTP_ROUTE_COUNT + 1];   // The last one: of no route
};

http_counts_t *
http_counts_new (void)
{
    return STELE_NEW (http_counts_t);
}

void
http_counts_destroy (http_counts_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void
http_counts_record (http_counts_t *self, const http_route_t *route, int status, int64_t time_us)
{
    s_counts_t *counts = &self->routes [route? route - http_routes: HTTP_ROUTE_COUNT];
    if (status / 100 < CLASSES)
        counts->by_class [status / 100]++;
    if (route && (route->handler == HTTP_HANDLER_STREAM || status == 101))
        return;
    counts->count++;
    counts->sum_us += time_us;
    for (size_t i = 0; i < BOUNDS; i++)
        counts->below [i] += time_us <= s_bounds [i];
}

static void
s_print_label (FILE *file, size_t route)
{
    if (route == HTTP_ROUTE_COUNT)
        fputs ("route=\"none\"", file);
    else
        fprintf (file, "route=\"%s %s\"", http_method_name (http_routes [route].method), http_routes [route].path);
}

static void
s_print_times (const s_counts_t *counts, size_t route, FILE *file)
{
    static const char name [] = "stele_http_request_duration_seconds";
    for (size_t i = 0; i <= BOUNDS; i++) {
        char bound [32] = "+Inf";
        if (i < BOUNDS)
            snprintf (bound, sizeof bound, "%.9g", (double) s_bounds [i] / 1e6);
        fprintf (file, "%s_bucket{", name);
        s_print_label (file, route);
        fprintf (file, ",le=\"%s\"} %" PRId64 "\n", bound, i < BOUNDS? counts->below [i]: counts->count);
    }
    fprintf (file, "%s_sum{", name);
    s_print_label (file, route);
    fprintf (file, "} %.15g\n%s_count{", (double) counts->sum_us / 1e6, name);
    s_print_label (file, route);
    fprintf (file, "} %" PRId64 "\n", counts->count);
}

void
http_counts_print (const http_counts_t *self, FILE *file, bool openmetrics, size_t streams, size_t conns)
{
    cli_prometheus_begin (file, openmetrics, "http_streams", CLI_GAUGE, "Open streams of events");
    fprintf (file, "stele_http_streams %zu\n", streams);
    cli_prometheus_begin (file, openmetrics, "http_connections", CLI_GAUGE, "Open connections");
    fprintf (file, "stele_http_connections %zu\n", conns);
    cli_prometheus_begin (file, openmetrics, "http_requests", CLI_COUNTER, "Answers, by route and class of status");
    for (size_t route = 0; route <= HTTP_ROUTE_COUNT; route++)
        for (int class = 0; class < CLASSES; class++)
            if (self->routes [route].by_class [class]) {
                fputs ("stele_http_requests_total{", file);
                s_print_label (file, route);
                fprintf (file, ",code=\"%dxx\"} %" PRId64 "\n", class, self->routes [route].by_class [class]);
            }
    cli_prometheus_begin (file, openmetrics, "http_request_duration_seconds", CLI_HISTOGRAM, "Time of requests, by route");
    for (size_t route = 0; route <= HTTP_ROUTE_COUNT; route++)
        if (self->routes [route].count)
            s_print_times (&self->routes [route], route, file);
}
