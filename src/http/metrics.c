/*  metrics - /metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/view/prometheus.h"
#include "http/hub.h"
#include "http/metrics.h"
#include "http/stats.h"
#include "http/tls.h"

#define TEXT        "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

static void
s_answer (http_call_t *call, const json_t *stats, const stele_refusal_t *refusal)
{
    http_server_t *server = call->server;
    bool openmetrics = http_span_lists (http_conn_request (call->conn)->head.fields [HTTP_ACCEPT],
        "application/openmetrics-text");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream (&text, &size);
    assert (file);
    json_t *findings = http_stats_findings (server, stats, refusal);
    cli_prometheus_print (file, openmetrics, stats, findings);
    http_counts_print (server->counts, file, openmetrics, http_hub_count (server->hub), server->conn_count);
    if (server->tls) {
        cli_prometheus_begin (file, openmetrics, "http_certificate_expiry_timestamp_seconds", CLI_GAUGE, "When the certificate ends");
        fprintf (file, "stele_http_certificate_expiry_timestamp_seconds %" PRId64 "\n", http_tls_not_after_us (server->tls) / 1000000);
    }
    if (openmetrics)
        fputs ("# EOF\n", file);
    json_decref (findings);
    fclose (file);
    http_conn_field (call->conn, "Cache-Control", "no-store");
    http_conn_answer (call->conn, 200, openmetrics? OPENMETRICS: TEXT, text, size, true);
    free (text);
}

void
http_metrics_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_stats_ask (server, conn, route, s_answer);
}
