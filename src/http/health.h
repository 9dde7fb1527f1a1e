/*  health - /healthz and /readyz

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_HEALTH_H_INCLUDED
#define STELE_HTTP_HEALTH_H_INCLUDED

#include "http/call.h"

/*  /healthz: this process answers. /readyz: the findings of 'stele health'; 503 if acks are held back, the mode is
    redis, or the broker does not answer; 200 otherwise.                     */
void
    http_health_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
