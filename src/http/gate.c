/*  gate - what is checked of every request before it is served: its host, its client, its path, its origin

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "http/compat/compat.h"
#include "http/gate.h"
#include "http/session.h"
#include "http/tls.h"

//  What is remembered of the client's address; NULL: nothing
static http_peer_t *
s_peer (http_server_t *self, http_conn_t *conn, struct sockaddr_storage *address)
{
    http_conn_address (conn, address);
    return http_peers_find (self->peers, (struct sockaddr *) address, stele_clock_steady_ms ());
}

//  Who sends it? Returns 0, or the status to deny it with.
static int
s_identify (http_server_t *self, http_conn_t *conn)
{
    const http_request_t *request = http_conn_request (conn);
    const http_actor_t *actor = request->actor;
    struct sockaddr_storage address;
    if (!self->access || actor)
        return 0;
    if (!request->head.fields [HTTP_AUTHORIZATION].data && (actor = http_session_actor (&self->sessions, &request->head,
        http_conn_is_tls (conn)))) {
        http_conn_set_actor (conn, actor);
        return 0;
    }
    http_peer_t *peer = s_peer (self, conn, &address);
    int status = http_access_identify (self->access, request->head.fields [HTTP_AUTHORIZATION],
        (struct sockaddr *) &address, peer, &actor, &self->wait_s, self->denied);
    if (status == 0)
        http_conn_set_actor (conn, actor);
    return status;
}

static void
s_deny (http_server_t *self, http_conn_t *conn, int status)
{
    if (status == 401)
        http_conn_field (conn, "WWW-Authenticate", "Bearer realm=\"stele\"%s",
            http_conn_request (conn)->head.fields [HTTP_AUTHORIZATION].data? ", error=\"invalid_token\"": "");
    http_server_send_problem (conn, status, NULL, http_status_text (status), NULL, self->denied, self->wait_s);
}

static void
s_on_refused (void *arg, http_conn_t *conn, int status, const char *why)
{
    if (status == -401 || status == -429)
        s_deny (arg, conn, -status);
    else
        http_server_refuse (arg, conn, -status, "%s", why);
}

//  May a client without a token request this? Probes of a supervisor need none, and neither does the page that asks for one.
static bool
s_is_open (const http_route_t *route, const http_head_t *head)
{
    return route && (route->handler == HTTP_HANDLER_HEALTHZ || route->handler == HTTP_HANDLER_DASHBOARD
        || (route->handler == HTTP_HANDLER_READYZ && !head->fields [HTTP_AUTHORIZATION].data));
}

//  The broker checks again, except for what this process answers itself
static bool
s_may (http_server_t *self, http_conn_t *conn, const http_route_t *route)
{
    const http_actor_t *actor = http_conn_request (conn)->actor;
    stele_refusal_t refusal = { 0 };
    if (!http_actor_may (actor, route->role))
        stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "%s %s needs the role %s, which the token '%s' does not have",
            http_method_name (route->method), route->path, route->role, actor->name);
    else
    if (route->handler == HTTP_HANDLER_METRICS && http_actor_is_bound (actor))
        stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "%s concerns all users, but the token '%s' is bound to users",
            route->path, actor->name);
    if (refusal.code)
        http_server_problem (self, conn, &refusal);
    return refusal.code == 0;
}

//  The whole type, not one of a list: a page may send "text/plain; a=b, application/json" to another site without asking
static bool
s_is_json (http_span_t type)
{
    const char *end = type.size? memchr (type.data, ';', type.size): NULL;
    if (end)
        type.size = (size_t) (end - type.data);
    while (type.size && (type.data [type.size - 1] == ' ' || type.data [type.size - 1] == '\t'))
        type.size--;
    return http_span_is (type, "application/json");
}

//  Could a page of another site have made a browser send this?
static bool
s_is_foreign (http_server_t *self, http_conn_t *conn, const http_route_t *route)
{
    const http_head_t *head = &http_conn_request (conn)->head;
    if (route->method == HTTP_GET)
        return false;
    if (!http_hosts_same_origin (head->fields [HTTP_HOST], head->fields [HTTP_ORIGIN], head->fields [HTTP_SEC_FETCH_SITE],
        http_conn_is_tls (conn))) {
        http_server_refuse (self, conn, 403, "a page of another origin may change nothing here");
        return true;
    }
    if (http_conn_request (conn)->body_size && !s_is_json (head->fields [HTTP_CONTENT_TYPE])) {
        http_server_refuse (self, conn, 415, "the body is sent as Content-Type: application/json");
        return true;
    }
    return false;
}

//  Are there too many requests of this client? Returns 0, or 429.
static int
s_count (http_server_t *self, http_conn_t *conn)
{
    const http_actor_t *actor = http_conn_request (conn)->actor;
    struct sockaddr_storage address;
    http_peer_t *peer = actor || !self->access? NULL: s_peer (self, conn, &address);
    self->wait_s = actor? http_actor_take (actor, self->rate):
        peer? http_rate_take (&peer->rate, self->rate, stele_clock_steady_us ()): 0;
    if (self->wait_s)
        snprintf (self->denied, sizeof self->denied, "more than %" PRId64 " requests per second came %s: retry in %d s", self->rate,
            actor? "with this token": "from this address without a token", self->wait_s);
    return self->wait_s? 429: 0;
}

static void
s_on_request (void *arg, http_conn_t *conn)
{
    http_server_t *self = arg;
    const http_request_t *request = http_conn_request (conn);
    http_span_t host = request->head.fields [HTTP_HOST];
    char allow [64];
    const http_route_t *route = http_route_find (request->head.method, &request->target, allow);
    http_conn_set_tag (conn, route);
    if (!http_hosts_allow (&self->hosts, host) && !(self->tls && http_tls_names (self->tls, host))) {
        if (s_count (self, conn))
            s_deny (self, conn, 429);
        else
            http_server_refuse (self, conn, 421, "this server is not addressed as '%.*s': allow the name with the setting "
                "http-host of steled, or with stele-http --host NAME", host.size > 100? 100: (int) host.size, host.data);
        return;
    }
    bool open = s_is_open (route, &request->head);
    int status = open? 0: s_identify (self, conn);
    if (status == 0 || status == 401)
        status = s_count (self, conn)? 429: status;
    if (status) {
        s_deny (self, conn, status);
        return;
    }
    if (!route && http_compat_redirect (conn))
        return;
    if (!route) {
        if (*allow)
            http_conn_field (conn, "Allow", "%s", allow);
        http_server_refuse (self, conn, *allow? 405: 404, *allow? "this path takes %s": "there is no such path; "
            "/openapi.json lists them", allow);
        return;
    }
    if (request->head.fields [HTTP_CONTENT_ENCODING].data)
        http_server_refuse (self, conn, 415, "a compressed body is not supported");
    else
    if (!s_is_foreign (self, conn, route) && (open || s_may (self, conn, route)))
        http_call_start (self, conn, route);
}

static int
s_on_body (void *arg, http_conn_t *conn, size_t size, const char **why)
{
    http_server_t *self = arg;
    const http_request_t *request = http_conn_request (conn);
    char allow [64];
    http_conn_set_tag (conn, http_route_find (request->head.method, &request->target, allow));
    //  Only clients with a token take up memory
    int status = s_identify (self, conn);
    if (status == 0 && (int64_t) size > self->message_bytes) {
        status = 413;
        snprintf (self->denied, sizeof self->denied, "the body is larger than a message to the broker may be (%" PRId64
            " bytes): split it", self->message_bytes);
    }
    else
    if (status == 0 && self->body_bytes + size > HTTP_BODIES_MAX) {
        status = 503;
        snprintf (self->denied, sizeof self->denied, "too many bytes of bodies are being received: retry later");
    }
    *why = self->denied;
    if (status == 0)
        self->body_bytes += size;
    else
    //  The request is not counted later, since it ends here
    if (status != 429 && s_count (self, conn))
        status = 429;
    return -status;
}

static void
s_on_body_end (void *arg, size_t size)
{
    ((http_server_t *) arg)->body_bytes -= size;
}

static void
s_on_answered (void *arg, const void *tag, int status, int64_t time_us)
{
    http_counts_record (((http_server_t *) arg)->counts, tag, status, time_us);
}

void
http_gate_install (http_conn_class_t *class)
{
    class->on_request = s_on_request;
    class->on_refused = s_on_refused;
    class->on_body = s_on_body;
    class->on_body_end = s_on_body_end;
    class->on_answered = s_on_answered;
}
