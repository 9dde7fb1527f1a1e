/*  dashboard - the page for browsers at /, and its files under /ui

    The files are embedded, compressed. They are the same for everybody and contain no data, so a client needs no token for
    them: the page asks for one, and requests data as every other client does.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_DASHBOARD_H_INCLUDED
#define STELE_HTTP_DASHBOARD_H_INCLUDED

#include "http/server.h"

/*  Answer a request for the page or one of its files                        */
void
    http_dashboard_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
