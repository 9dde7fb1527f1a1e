/*  body - the JSON body of a request, checked against the parameters of its route

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COMPAT_BODY_H_INCLUDED
#define STELE_HTTP_COMPAT_BODY_H_INCLUDED

#include "http/call.h"

/*  A call that keeps the body as a map (http_compat_kept) of the parameters of the route, each of its kind, without other keys;
    those that are not required may be absent. NULL: it was answered with 422 and the list of what is wrong. */
http_call_t *
    http_compat_body (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
