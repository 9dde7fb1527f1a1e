/*  compat - the paths of the earlier system: what their handlers share

    Every handler asks the broker as those of /v1 do, for the client's token, so that the same roles, users and limits hold.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COMPAT_H_INCLUDED
#define STELE_HTTP_COMPAT_H_INCLUDED

#include <jansson.h>
#include "http/call.h"
#include "wire/map.h"

/*  Serve a request to a row of http/compat/routes.h                         */
void
    http_compat_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

/*  If the path is one of a route but for a slash at its end, answer with a redirection, as the earlier system did.
    Returns whether it did.                                                  */
bool
    http_compat_redirect (http_conn_t *conn);

/*  Answer with an error: {"detail": TEXT}                                   */
void
    http_compat_refuse (http_server_t *server, http_conn_t *conn, int status, const char *format, ...) STELE_PRINTF (4, 5);

/*  Did the broker do what it was asked? If not, answers with the error, and returns false: the call is gone. 'not_found' is the text
    of that error, which clients may know; NULL: that of the broker.         */
bool
    http_compat_succeeded (http_call_t *call, const void *answer, size_t size, const stele_refusal_t *refusal,
        const char *not_found);

/*  The same for the answer to a publish of one event                        */
bool
    http_compat_published (http_call_t *call, const void *answer, size_t size, const stele_refusal_t *refusal);

/*  Answer with JSON, whose ownership is taken; NULL: the broker's answer was not valid. */
void
    http_compat_answer (http_call_t *call, const void *answer, size_t size, json_t *json);

/*  Begin a request in the server's pack: a map with "op", open              */
stele_pack_t *
    http_compat_request (http_server_t *server, const char *operation);

/*  A request for one thing: "op", and a key with the parameter of that name in the path */
stele_pack_t *
    http_compat_request_of (const http_call_t *call, const char *operation, const char *name);

/*  The parameter of that name in the path                                   */
http_span_t
    http_compat_segment (const http_call_t *call, const char *name);

/*  Begin an event in the server's pack: a map with its type, open. Complete it, end the map, and publish it. */
stele_pack_t *
    http_compat_event (http_server_t *server, const char *type);

/*  Publish the event in the server's pack, which the call keeps (below)     */
void
    http_compat_publish (http_call_t *call, http_answer_fn *answer);

/*  A map of msgpack that a call keeps between two requests to the broker: bytes are copied, in place of earlier ones. */
void
    http_compat_keep (http_call_t *call, const void *data, size_t size);
stele_map_t
    http_compat_kept (const http_call_t *call);

/*  Copy an entry of a map, if it is there and not nil, under another key    */
void
    http_compat_copy (stele_pack_t *pack, const char *key, const stele_map_t *from, const char *from_key);

//  -- handlers --------------------------------------------------------------------------------

void
    http_compat_list_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_task_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_submit_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_output_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_preferences_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_stats_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_metrics_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_session_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_messages_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);
void
    http_compat_socket_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

#endif
