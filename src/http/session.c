/*  session - sessions of browsers: a cookie in place of a token

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/util.h>
#include <openssl/crypto.h>
#include <jansson.h>
#include "base/clock.h"
#include "http/session.h"

#define LIFE_S 43200
#define COOKIE "stele_session"
//  With TLS, of this server or of a proxy, which uses a unix socket: browsers then accept it only over TLS and from this host
#define HOST_COOKIE "__Host-" COOKIE

//  The value of the cookie; data is NULL if there is none. A second one of that name is not looked at.
static http_span_t
s_cookie (const http_head_t *head)
{
    http_span_t span = head->fields [HTTP_COOKIE];
    while (span.size) {
        const char *end = memchr (span.data, ';', span.size);
        size_t size = end? (size_t) (end - span.data): span.size;
        const char *equals = memchr (span.data, '=', size);
        http_span_t name = { span.data, equals? (size_t) (equals - span.data): 0 };
        if (http_span_is (name, COOKIE) || http_span_is (name, HOST_COOKIE))
            return (http_span_t) { equals + 1, size - name.size - 1 };
        span.data += size + (end != NULL);
        span.size -= size + (end != NULL);
        while (span.size && *span.data == ' ') {
            span.data++;
            span.size--;
        }
    }
    return (http_span_t) { NULL, 0 };
}

//  Below 0: there is none
static int
s_find (const http_sessions_t *self, const http_head_t *head)
{
    http_span_t value = s_cookie (head);
    int found = -1;
    for (int i = 0; i < HTTP_SESSIONS_MAX && value.size == HTTP_SESSION_SIZE; i++)
        if (self->items [i].actor && CRYPTO_memcmp (self->items [i].value, value.data, HTTP_SESSION_SIZE) == 0)
            found = i;
    return found;
}

const http_actor_t *
http_session_actor (const http_sessions_t *self, const http_head_t *head, bool tls)
{
    int i = s_find (self, head);
    if (i < 0 || stele_clock_steady_ms () >= self->items [i].end_ms || !http_actor_is_valid (self->items [i].actor)
    ||  !http_hosts_same_origin (head->fields [HTTP_HOST], head->fields [HTTP_ORIGIN], head->fields [HTTP_SEC_FETCH_SITE],
            tls))
        return NULL;
    return self->items [i].actor;
}

//  In place of the one that ends first
static const char *
s_add (http_sessions_t *self, const http_actor_t *actor)
{
    int place = 0;
    for (int i = 0; i < HTTP_SESSIONS_MAX; i++)
        if (self->items [i].end_ms < self->items [place].end_ms)
            place = i;
    unsigned char random [HTTP_SESSION_SIZE / 2];
    evutil_secure_rng_get_bytes (random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf (self->items [place].value + 2 * i, 3, "%02x", random [i]);
    self->items [place].actor = actor;
    self->items [place].end_ms = stele_clock_steady_ms () + LIFE_S * 1000LL;
    return self->items [place].value;
}

//  Who the client is, and what it may do: without tokens, everything
static void
s_answer (http_server_t *server, http_conn_t *conn)
{
    static const char *const roles [] = { "metrics", "query", "publish", "operate", "admin" };
    const http_actor_t *actor = http_conn_request (conn)->actor;
    json_t *has = json_array ();
    for (size_t i = 0; i < sizeof roles / sizeof roles [0]; i++)
        if (http_actor_may (actor, roles [i]))
            json_array_append_new (has, json_string (roles [i]));
    json_t *body = json_pack ("{ss, sb, sb, so}", "name", actor? actor->name: "local", "tokens", server->access != NULL,
        "bound", http_actor_is_bound (actor), "roles", has);
    char *text = json_dumps (body, JSON_COMPACT);
    http_conn_field (conn, "Cache-Control", "no-store");
    http_conn_answer (conn, 200, "application/json", text, strlen (text), false);
    free (text);
    json_decref (body);
}

void
http_session_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    const http_request_t *request = http_conn_request (conn);
    struct sockaddr_storage address;
    if (route->method == HTTP_GET) {
        s_answer (server, conn);
        return;
    }
    http_conn_address (conn, &address);
    bool secure = http_conn_is_tls (conn) || address.ss_family == AF_UNIX, begins = route->method == HTTP_POST;
    int old = s_find (&server->sessions, &request->head);
    if (old >= 0) {
        server->sessions.items [old].actor = NULL;
        server->sessions.items [old].end_ms = 0;
    }
    if (request->actor)
        http_conn_field (conn, "Set-Cookie", "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s",
            secure? HOST_COOKIE: COOKIE, begins? s_add (&server->sessions, request->actor): "", begins? LIFE_S: 0,
            secure? "; Secure": "");
    s_answer (server, conn);
}
