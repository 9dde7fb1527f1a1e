/*  table - a whole table of the ledger as NDJSON, page by page, as fast as the client reads it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_TABLE_H_INCLUDED
#define STELE_HTTP_TABLE_H_INCLUDED

#include "http/call.h"

/*  Is the format one that is known? Returns 0 or STELE_EINVALID_FIELD.        */
int
    http_table_check (const http_request_t *request, stele_refusal_t *refusal);

/*  Does the request ask for the whole table (format=ndjson)?                */
bool
    http_table_is_whole (const http_request_t *request);

void
    http_table_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
