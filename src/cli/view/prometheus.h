/*  prometheus - the statistics of the broker as metrics of Prometheus or OpenMetrics

    No label comes from what users sent: neither roles nor names of producers.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PROMETHEUS_H_INCLUDED
#define STELE_CLI_PROMETHEUS_H_INCLUDED

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

/*  OpenMetrics names a counter without "_total" in its head, the older text with
    it.                                                                      */
typedef enum { CLI_GAUGE, CLI_COUNTER, CLI_HISTOGRAM } cli_metric_t;

/*  Print "# HELP" and "# TYPE" of a metric.                                 */
void
    cli_prometheus_begin (FILE *file, bool openmetrics, const char *name, cli_metric_t type, const char *help);

/*  Print all metrics from an answer to 'stats'; 'findings' are those of findings.h. NULL as stats: the broker does
    not answer, and stele_up is 0.                                           */
void
    cli_prometheus_print (FILE *file, bool openmetrics, const json_t *stats, const json_t *findings);

#endif
