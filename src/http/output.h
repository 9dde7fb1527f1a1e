/*  output - the bytes of one output of a task, also in part

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_OUTPUT_H_INCLUDED
#define STELE_HTTP_OUTPUT_H_INCLUDED

#include "http/call.h"

void
    http_output_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

/*  Read "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT" (RFC 9110 section 14.1.2) for 'size' bytes.
    Returns 1 and the part; 0: serve all of it (no such form, or several parts); -416: no such part. */
int
    http_output_range (http_span_t range, size_t size, size_t *first, size_t *count);

#endif
