/*  server - the actor: its commands, the loop, connections, and what is checked of every request

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "client/connection/key.h"
#include "http/compat/compat.h"
#include "http/http.h"
#include "http/listen.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/session.h"
#include "stele_library.h"
#include "wire/map.h"

#define MESSAGE_BYTES 16777216      // Until the broker has said its limit
#define LIST_LIMIT 100
#define INFO_MS 5000
#define RETRY_AFTER_S "1"
#define RETRY_AFTER 1
#define TICK_MS 50
#define PROBE_MS 3000
#define CONNECT_MS 500              // At the start, before READY
#define STOP_MS 2000                // For requests that wait for the broker

typedef struct {
    http_server_t server;
    zsock_t *pipe;
    char *listen, *requests, *feed, *key_file, *tokens;
    stele_key_t *key;               // NULL: none
    struct evconnlistener *listener;
    struct event *wake [4];         // Of the pipe, the requests, their monitor, the feed
    size_t wake_count;
    struct event *tick;
    bool failed;                    // A setting was refused
    bool terminated;
} s_actor_t;

//  -- problems -----------------------------------------------------------------------------------

static void
s_send_problem (http_conn_t *conn, int status, const char *code, const char *title, const char *field,
    const char *detail, int wait_s)
{
    char *problem = http_reply_problem (status, code, title, field, detail, http_conn_request (conn)->id);
    if (status == 503 || status == 429)
        http_conn_field (conn, "Retry-After", "%d", wait_s);
    http_conn_field (conn, "Cache-Control", "no-store");
    http_conn_answer (conn, status, "application/problem+json", problem, strlen (problem), false);
    free (problem);
}

void
http_server_problem (http_server_t *self, http_conn_t *conn, const stele_refusal_t *refusal)
{
    http_server_fields (self, conn, -1);
    s_send_problem (conn, http_reply_status (refusal), stele_error_name (refusal->code), http_reply_title (refusal),
        refusal->field, refusal->message, RETRY_AFTER);
}

void
http_server_refuse (http_server_t *self, http_conn_t *conn, int status, const char *format, ...)
{
    (void) self;
    char detail [400];
    va_list args;
    va_start (args, format);
    vsnprintf (detail, sizeof detail, format, args);
    va_end (args);
    s_send_problem (conn, status, NULL, http_status_text (status), NULL, detail, RETRY_AFTER);
}

void
http_server_fields (http_server_t *self, http_conn_t *conn, int64_t position)
{
    if (position >= 0)
        http_conn_field (conn, "Stele-Position", "%" PRId64, position);
    if (*self->ledger)
        http_conn_field (conn, "Stele-Ledger", "%s", self->ledger);
}

int64_t
http_server_ask (http_server_t *self, http_conn_t *conn, const stele_pack_t *pack, int timeout_ms,
    http_answer_fn *answer, void *arg)
{
    stele_refusal_t refusal = { 0 };
    int64_t token;
    if (self->calls > HTTP_CALLS_MAX)
        token = stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL, "%d requests are waiting for the broker: retry later",
            HTTP_CALLS_MAX);
    else
        token = http_upstream_send (self->upstream, pack, http_conn_request (conn)->actor, timeout_ms, answer, arg, &refusal);
    if (token > 0)
        return token;
    http_server_problem (self, conn, &refusal);
    return 0;
}

//  -- requests ----------------------------------------------------------------------------------------

//  Who sends it? Returns 0, or the status to deny it with.
static int
s_identify (http_server_t *self, http_conn_t *conn)
{
    const http_request_t *request = http_conn_request (conn);
    const http_actor_t *actor = request->actor;
    struct sockaddr_storage address;
    if (!self->access || actor)
        return 0;
    if (!request->head.fields [HTTP_AUTHORIZATION].data && (actor = http_session_actor (&self->sessions, &request->head))) {
        http_conn_set_actor (conn, actor);
        return 0;
    }
    http_conn_address (conn, &address);
    int status = http_access_identify (self->access, request->head.fields [HTTP_AUTHORIZATION],
        (struct sockaddr *) &address, &actor, &self->wait_s, self->denied);
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
    s_send_problem (conn, status, NULL, http_status_text (status), NULL, self->denied, self->wait_s);
}

static void
s_on_refused (void *arg, http_conn_t *conn, int status, const char *why)
{
    if (status == -401 || status == -429)
        s_deny (arg, conn, -status);
    else
        http_server_refuse (arg, conn, -status, "%s", why);
}

//  May a client without a token request this? Probes of a supervisor need none.
static bool
s_is_open (const http_route_t *route, const http_head_t *head)
{
    return route && (route->handler == HTTP_HANDLER_HEALTHZ
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

//  Could a page of another site have made a browser send this?
static bool
s_is_foreign (http_server_t *self, http_conn_t *conn, const http_route_t *route)
{
    const http_head_t *head = &http_conn_request (conn)->head;
    if (route->method == HTTP_GET)
        return false;
    if (!http_hosts_same_origin (head->fields [HTTP_HOST], head->fields [HTTP_ORIGIN], head->fields [HTTP_SEC_FETCH_SITE])) {
        http_server_refuse (self, conn, 403, "a page of another origin may change nothing here");
        return true;
    }
    http_span_t type = head->fields [HTTP_CONTENT_TYPE];
    if (http_conn_request (conn)->body_size && !http_span_lists (type, "application/json")) {
        http_server_refuse (self, conn, 415, "the body is sent as Content-Type: application/json");
        return true;
    }
    return false;
}

static void
s_on_request (void *arg, http_conn_t *conn)
{
    http_server_t *self = arg;
    const http_request_t *request = http_conn_request (conn);
    http_span_t host = request->head.fields [HTTP_HOST];
    char allow [64];
    if (!http_hosts_allow (&self->hosts, host)) {
        http_server_refuse (self, conn, 421, "this server is not addressed as '%.*s': allow the name with "
            "stele-http --host NAME", host.size > 100? 100: (int) host.size, host.data);
        return;
    }
    const http_route_t *route = http_route_find (request->head.method, &request->target, allow);
    bool open = s_is_open (route, &request->head);
    int status = open? 0: s_identify (self, conn);
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
    http_conn_set_tag (conn, route);
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
    //  Nobody without a token takes up memory
    int status = s_identify (self, conn);
    *why = self->denied;
    if (status)
        return -status;
    if ((int64_t) size > self->message_bytes) {
        *why = "the body is larger than a message to the broker may be: split it";
        return -413;
    }
    if (self->body_bytes + size > HTTP_BODIES_MAX) {
        *why = "too many bytes of bodies are being received: retry later";
        return -503;
    }
    self->body_bytes += size;
    return 0;
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

//  -- connections -----------------------------------------------------------------------------------------

static void
s_on_end (void *arg, http_conn_t *conn)
{
    http_server_t *self = arg;
    http_conn_t *next = *http_conn_next (conn), *previous = *http_conn_previous (conn);
    if (previous)
        *http_conn_next (previous) = next;
    else
        self->conns = next;
    if (next)
        *http_conn_previous (next) = previous;
    self->conn_count--;
}

static void
s_on_accept (struct evconnlistener *listener, evutil_socket_t socket, struct sockaddr *address, int size, void *arg)
{
    static const char full [] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " RETRY_AFTER_S
        "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    (void) listener;
    (void) address;
    (void) size;
    http_server_t *self = arg;
    if (self->conn_count == HTTP_CONNS_MAX) {
        ssize_t sent = send (socket, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void) sent;                // A client that gets none of it sees the end of the connection
        evutil_closesocket (socket);
        return;
    }
    http_conn_t *conn = http_conn_new (&self->class, socket);
    if (!conn)
        return;
    *http_conn_next (conn) = self->conns;
    if (self->conns)
        *http_conn_previous (self->conns) = conn;
    self->conns = conn;
    self->conn_count++;
}

//  Out of descriptors: accept is tried again with the next tick
static void
s_on_accept_error (struct evconnlistener *listener, void *arg)
{
    (void) arg;
    evconnlistener_disable (listener);
}

//  -- the broker -----------------------------------------------------------------------------------------------

static void
s_on_info (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *self = arg;
    stele_map_t map = { answer, size }, limits;
    if (refusal)
        return;
    char ledger [sizeof self->ledger] = "";
    stele_map_text (&map, "ledger", ledger, sizeof ledger);
    bool other = *self->ledger && strcmp (self->ledger, ledger) != 0;
    strcpy (self->ledger, ledger);
    if (other)
        http_hub_reset (self->hub, "other_ledger");
    if (stele_map_map (&map, "limits", &limits)) {
        stele_map_integer (&limits, "message_bytes", &self->message_bytes);
        stele_map_integer (&limits, "list_limit", &self->list_limit);
    }
}

//  Without the role gateway, no client gets an answer: say it once, and in /readyz
static void
s_on_probe (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *self = arg;
    stele_refusal_t error = { 0 };
    bool known = self->no_gateway.code != 0;
    if (refusal)
        return;
    self->no_gateway.code = 0;
    if (http_reply_check (answer, size, &error) != STELE_EUNAUTHORIZED)
        return;
    stele_refuse (&self->no_gateway, STELE_EUNAUTHORIZED, "key", "the broker takes no requests for clients with tokens from "
        "this server: make its key with the role gateway, besides those of its clients (%.300s)", error.message);
    if (!known)
        stele_log_error ("no_gateway", "%s", self->no_gateway.message);
}

static void
s_probe (http_server_t *self)
{
    stele_refusal_t refusal;
    self->probed_ms = stele_clock_steady_ms ();
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "ping");
    stele_pack_map_end (self->pack);
    http_upstream_send (self->upstream, self->pack, http_access_probe (self->access), INFO_MS, s_on_probe, self, &refusal);
}

//  A broker, perhaps another one: which ledger is it?
static void
s_on_connected (void *arg)
{
    http_server_t *self = arg;
    stele_refusal_t refusal;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "info");
    stele_pack_map_end (self->pack);
    http_upstream_send (self->upstream, self->pack, NULL, INFO_MS, s_on_info, self, &refusal);
    if (self->access)
        s_probe (self);
}

//  -- the loop ----------------------------------------------------------------------------------------------------

//  A descriptor of ZeroMQ only ends the wait; s_receive looks what there is
static void
s_on_wake (evutil_socket_t descriptor, short what, void *arg)
{
    (void) descriptor;
    (void) what;
    (void) arg;
}

static void
s_add_wake (s_actor_t *self, int descriptor)
{
    if (descriptor < 0)
        return;
    struct event *event = event_new (self->server.base, descriptor, EV_READ | EV_PERSIST, s_on_wake, NULL);
    assert (event);
    event_add (event, NULL);
    self->wake [self->wake_count++] = event;
}

static void
s_add_wakes (s_actor_t *self)
{
    int answers, monitor;
    http_upstream_descriptors (self->server.upstream, &answers, &monitor);
    s_add_wake (self, (int) zsock_fd (self->pipe));
    s_add_wake (self, answers);
    s_add_wake (self, monitor);
    s_add_wake (self, http_hub_descriptor (self->server.hub));
}

static void
s_remove_wakes (s_actor_t *self)
{
    while (self->wake_count)
        event_free (self->wake [--self->wake_count]);
}

//  The broker has refused a connection before: try again, with other descriptors
static void
s_reconnect (s_actor_t *self)
{
    http_server_t *server = &self->server;
    bool requests = http_upstream_is_due (server->upstream), feed = http_hub_is_due (server->hub);
    if (!requests && !feed)
        return;
    s_remove_wakes (self);
    if (requests)
        http_upstream_reconnect (server->upstream);
    if (feed)
        http_hub_reconnect (server->hub);
    s_add_wakes (self);
}

static void
s_on_tick (evutil_socket_t descriptor, short what, void *arg)
{
    (void) descriptor;
    (void) what;
    s_actor_t *self = arg;
    if (!self->terminated)
        evconnlistener_enable (self->listener);
    s_reconnect (self);
    if (self->server.access)
        http_access_tick (self->server.access);
    //  Its key may have got the role meanwhile
    if (self->server.no_gateway.code && stele_clock_steady_ms () > self->server.probed_ms + PROBE_MS)
        s_probe (&self->server);
    http_hub_tick (self->server.hub);
}

//  Serve until $TERM, and then until the requests that wait for the broker are answered, or STOP_MS
static void
s_serve (s_actor_t *self)
{
    int64_t until_ms = INT64_MAX;
    http_server_t *server = &self->server;
    while (stele_clock_steady_ms () < until_ms) {
        //  ZMQ_FD is edge-triggered: wait only when there is nothing more to receive
        bool any = http_upstream_receive (server->upstream);
        any |= http_hub_receive (server->hub);
        //  ONCE in both cases: without it the loop goes on as long as a descriptor is readable
        event_base_loop (server->base, any? EVLOOP_ONCE | EVLOOP_NONBLOCK: EVLOOP_ONCE);
        if (!self->terminated && (zsock_events (self->pipe) & ZMQ_POLLIN)) {
            char *command = zstr_recv (self->pipe);
            self->terminated = !command || streq (command, "$TERM");
            if (!self->terminated && streq (command, "RELOAD") && server->access)
                http_access_reload (server->access);
            zstr_free (&command);
            if (self->terminated) {
                evconnlistener_disable (self->listener);
                until_ms = stele_clock_steady_ms () + STOP_MS;
            }
        }
        if (self->terminated && server->calls == 0)
            return;
    }
}

//  -- start and stop ---------------------------------------------------------------------------------------------------

static int
s_start (s_actor_t *self, stele_refusal_t *refusal)
{
    http_server_t *server = &self->server;
    server->base = event_base_new ();
    assert (server->base);
    server->class = (http_conn_class_t) { server->base, server, s_on_request, s_on_refused, s_on_body, s_on_body_end,
        s_on_answered, s_on_end };
    if (self->key_file && !(self->key = stele_key_load (self->key_file, refusal)))
        return refusal->code;
    if (self->tokens && !(server->access = http_access_new (self->tokens, refusal)))
        return refusal->code;
    self->listener = http_listen (server->base, self->listen, s_on_accept, server, refusal);
    if (!self->listener)
        return refusal->code;
    evconnlistener_set_error_cb (self->listener, s_on_accept_error);
    server->upstream = http_upstream_new (self->requests, self->key, s_on_connected, server, refusal);
    server->hub = server->upstream? http_hub_new (server, self->feed, self->key, refusal): NULL;
    if (!server->hub)
        return refusal->code;
    s_add_wakes (self);
    self->tick = event_new (server->base, -1, EV_PERSIST, s_on_tick, self);
    assert (self->tick);
    event_add (self->tick, &(struct timeval) { .tv_usec = TICK_MS * 1000 });
    if (http_upstream_connected (server->upstream))
        s_on_connected (server);
    return 0;
}

//  If the broker is there, the first request shall reach it
static void
s_await_broker (s_actor_t *self)
{
    http_server_t *server = &self->server;
    int64_t until_ms = stele_clock_steady_ms () + CONNECT_MS;
    while (!*server->ledger && stele_clock_steady_ms () < until_ms)
        if (!http_upstream_receive (server->upstream))
            event_base_loop (server->base, EVLOOP_ONCE);
}

static void
s_stop (s_actor_t *self)
{
    http_server_t *server = &self->server;
    while (server->conns)
        http_conn_close (server->conns);
    http_hub_destroy (&server->hub);
    http_upstream_destroy (&server->upstream);
    stele_key_destroy (&self->key);
    http_access_destroy (&server->access);
    s_remove_wakes (self);
    if (self->tick)
        event_free (self->tick);
    char path [160] = "";
    if (self->listener) {
        http_listen_url (self->listener, path, sizeof path);
        evconnlistener_free (self->listener);
    }
    if (strncmp (path, "unix:", 5) == 0)
        unlink (path + 5);
    if (server->base)
        event_base_free (server->base);
}

static void
s_set (s_actor_t *self, const char *name, const char *value)
{
    char **place = streq (name, "listen")? &self->listen: streq (name, "requests")? &self->requests:
        streq (name, "feed")? &self->feed: streq (name, "key")? &self->key_file:
        streq (name, "tokens")? &self->tokens: NULL;
    if (place && *value) {
        free (*place);
        *place = stele_memory_copy (value, strlen (value));
    }
    else
    if (streq (name, "host") && *value)
        http_hosts_add (&self->server.hosts, value);
    else {
        self->failed = true;
        zstr_sendx (self->pipe, "FAILED", "there is no such setting, or its value is empty", NULL);
    }
}

static void
s_run (s_actor_t *self)
{
    stele_refusal_t refusal = { 0 };
    char url [200];
    if (self->failed)
        return;
    if (s_start (self, &refusal) == 0) {
        s_await_broker (self);
        http_listen_url (self->listener, url, sizeof url);
        zstr_sendx (self->pipe, "READY", url, NULL);
        s_serve (self);
    }
    else
        zstr_sendx (self->pipe, "FAILED", refusal.message, NULL);
    s_stop (self);
}

void
stele_http (zsock_t *pipe, void *args)
{
    (void) args;
    s_actor_t self = { .pipe = pipe };
    http_server_t *server = &self.server;
    server->pack = stele_pack_new ();
    server->counts = http_counts_new ();
    server->message_bytes = MESSAGE_BYTES;
    server->list_limit = LIST_LIMIT;
    assert (server->pack);
    s_set (&self, "listen", STELE_HTTP_LISTEN);
    s_set (&self, "requests", STELE_DEFAULT_REQUESTS);
    s_set (&self, "feed", STELE_DEFAULT_FEED);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        zmsg_t *message = zmsg_recv (pipe);
        char *command = message? zmsg_popstr (message): NULL;
        if (!command || streq (command, "$TERM"))
            self.terminated = true;
        else
        if (streq (command, "SET")) {
            char *name = zmsg_popstr (message), *value = zmsg_popstr (message);
            s_set (&self, name? name: "", value? value: "");
            zstr_free (&name);
            zstr_free (&value);
        }
        else
        if (streq (command, "START"))
            s_run (&self);
        zstr_free (&command);
        zmsg_destroy (&message);
    }
    http_hosts_clear (&server->hosts);
    http_counts_destroy (&server->counts);
    stele_pack_destroy (&server->pack);
    json_decref (server->stats);
    free (self.listen);
    free (self.requests);
    free (self.feed);
    free (self.key_file);
    free (self.tokens);
}
