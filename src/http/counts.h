/*  counts - statistics of the HTTP server itself: answers and their times, per route

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COUNTS_H_INCLUDED
#define STELE_HTTP_COUNTS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "http/routes.h"

typedef struct http_counts http_counts_t;

http_counts_t *
    http_counts_new (void);

void
    http_counts_destroy (http_counts_t **self_p);

/*  Count an answer. 'route' NULL: of no route (a malformed request, an unknown path). The times of streams
    do not count.                                                            */
void
    http_counts_record (http_counts_t *self, const http_route_t *route, int status, int64_t time_us);

/*  Write them as metrics (names stele_http_...), in the form of OpenMetrics if so. Streams and connections
    are those of now.                                                        */
void
    http_counts_print (const http_counts_t *self, FILE *file, bool openmetrics, size_t streams, size_t conns);

#endif
