/*  metrics - /metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_METRICS_H_INCLUDED
#define STELE_HTTP_METRICS_H_INCLUDED

#include "http/call.h"

/*  Metrics of the broker and of this server; OpenMetrics where the client accepts it. If the broker does not
    answer, stele_up is 0, and the status still 200: this process was scraped. */
void
    http_metrics_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
