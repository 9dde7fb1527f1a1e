/*  session - sessions of browsers: a cookie in place of a token

    A page cannot set Authorization for a stream of events, and should not keep a token. POST /v1/session with a token sets a cookie
    that stands for it, which no script can read and no other site can send; DELETE ends it. Sessions are in memory: they end with this
    process, with their token, and after 12 hours.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_SESSION_H_INCLUDED
#define STELE_HTTP_SESSION_H_INCLUDED

#include "http/call.h"

/*  The actor of the session that the request's cookie names, if the request comes from a page of this server. NULL: none. */
const http_actor_t *
    http_session_actor (const http_sessions_t *self, const http_head_t *head, bool tls);

/*  Answer GET, POST and DELETE /v1/session. Without tokens there are no sessions, and no cookie is set. */
void
    http_session_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
