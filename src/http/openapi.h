/*  openapi - /openapi.json, made from the table of routes and the table of fields

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_OPENAPI_H_INCLUDED
#define STELE_HTTP_OPENAPI_H_INCLUDED

#include "http/server.h"

void
    http_openapi_start (http_server_t *server, http_conn_t *conn);

#endif
