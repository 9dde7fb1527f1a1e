/*  http - the actor: its settings and commands, the loop, and the connections that it accepts

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "client/connection/key.h"
#include "http/gate.h"
#include "http/greeting.h"
#include "http/http.h"
#include "http/listen.h"
#include "http/tls.h"
#include "stele_library.h"

#define MESSAGE_BYTES 16777216      // Until the broker has said its limit
#define LIST_LIMIT 100
#define TICK_MS 50
#define CONNECT_MS 500              // At the start, before READY
#define STOP_MS 2000                // For requests that wait for the broker
#define RATE_MAX 1000000            // Whatever is set beyond it: as good as no bound
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF (number)

typedef struct {
    http_server_t server;
    zsock_t *pipe;
    char *listen, *requests, *feed, *key_file, *tokens, *cert, *cert_key, *mode;
    stele_key_t *key;               // NULL: none
    struct evconnlistener *listener;
    struct event *wake [HTTP_UPSTREAM_DESCRIPTORS + 2];     // Of the requests, the pipe, the feed
    size_t wake_count;
    struct event *tick;
    bool failed;                    // A setting was refused
    bool terminated;
} s_actor_t;


//  -- connections -----------------------------------------------------------------------------------------

//  The client's address; NULL: its connections are not counted
static http_peer_t *
s_peer (http_server_t *self, const struct sockaddr *address)
{
    return self->access? http_peers_find (self->peers, address, stele_clock_steady_ms ()): NULL;
}

static void
s_on_end (void *arg, http_conn_t *conn)
{
    http_server_t *self = arg;
    http_peer_t *peer = http_conn_peer (conn);
    if (peer)
        peer->conns--;
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
    static const char full [] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " TEXT (HTTP_RETRY_AFTER_S)
        "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    (void) listener;
    (void) size;
    http_server_t *self = arg;
    http_peer_t *peer = s_peer (self, address);
    if (self->conn_count == HTTP_CONNS_MAX || (peer && peer->conns == HTTP_PEER_CONNS_MAX)) {
        //  Before a handshake there is no way to say it. A client that gets none of it sees the end of the connection.
        ssize_t sent = self->tls? 0: send (socket, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void) sent;
        evutil_closesocket (socket);
        return;
    }
    http_conn_t *conn = http_conn_new (&self->class, socket, peer);
    if (!conn)
        return;
    if (peer)
        peer->conns++;
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
    int descriptors [HTTP_UPSTREAM_DESCRIPTORS];
    size_t count = http_upstream_descriptors (self->server.upstream, descriptors);
    s_add_wake (self, (int) zsock_fd (self->pipe));
    while (count)
        s_add_wake (self, descriptors [--count]);
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
    if (self->server.tls)
        http_tls_tick (self->server.tls);
    http_greeting_tick (&self->server);
    http_hub_tick (self->server.hub);
}

static void
s_reload (http_server_t *self)
{
    if (self->access)
        http_access_reload (self->access);
    if (self->tls)
        http_tls_reload (self->tls);
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
        //  ONCE in both cases: without it the loop continues as long as a descriptor is readable
        event_base_loop (server->base, any? EVLOOP_ONCE | EVLOOP_NONBLOCK: EVLOOP_ONCE);
        if (!self->terminated && (zsock_events (self->pipe) & ZMQ_POLLIN)) {
            char *command = zstr_recv (self->pipe);
            self->terminated = !command || streq (command, "$TERM");
            if (!self->terminated && streq (command, "RELOAD"))
                s_reload (server);
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
    server->class = (http_conn_class_t) { .base = server->base, .arg = server, .on_end = s_on_end };
    http_gate_install (&server->class);
    if (self->key_file && !(self->key = stele_key_load (self->key_file, refusal)))
        return refusal->code;
    if (self->tokens && !(server->access = http_access_new (self->tokens, refusal)))
        return refusal->code;
    if (!self->cert != !self->cert_key)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "cert", "--cert and --cert-key need each other: the certificate, and "
            "its private key");
    if (self->cert && !(server->tls = http_tls_new (self->cert, self->cert_key, refusal)))
        return refusal->code;
    server->class.tls = server->tls;
    const http_listen_place_t place = { self->listen, (unsigned) strtoul (self->mode, NULL, 8), server->tls && server->access };
    self->listener = http_listen (server->base, &place, s_on_accept, server, refusal);
    if (!self->listener)
        return refusal->code;
    evconnlistener_set_error_cb (self->listener, s_on_accept_error);
    server->upstream = http_upstream_new (self->requests, self->key, http_greeting_send, server, refusal);
    server->hub = server->upstream? http_hub_new (server, self->feed, self->key, refusal): NULL;
    if (!server->hub)
        return refusal->code;
    s_add_wakes (self);
    self->tick = event_new (server->base, -1, EV_PERSIST, s_on_tick, self);
    assert (self->tick);
    event_add (self->tick, &(struct timeval) { .tv_usec = TICK_MS * 1000 });
    if (http_upstream_connected (server->upstream))
        http_greeting_send (server);
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
    http_tls_destroy (&server->tls);
    s_remove_wakes (self);
    if (self->tick)
        event_free (self->tick);
    char path [160] = "";
    if (self->listener) {
        http_listen_url (self->listener, false, path, sizeof path);
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
        streq (name, "tokens")? &self->tokens: streq (name, "cert")? &self->cert:
        streq (name, "cert-key")? &self->cert_key: streq (name, "mode")? &self->mode: NULL;
    if (place && *value) {
        free (*place);
        *place = stele_memory_copy (value, strlen (value));
    }
    else
    if (streq (name, "host") && *value)
        http_hosts_add (&self->server.hosts, value);
    else
    if (streq (name, "rate") && strtoll (value, NULL, 10) > 0)
        self->server.rate = strtoll (value, NULL, 10) < RATE_MAX? strtoll (value, NULL, 10): RATE_MAX;
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
    http_server_t *server = &self->server;
    if (s_start (self, &refusal) == 0) {
        s_await_broker (self);
        http_listen_url (self->listener, server->tls != NULL, url, sizeof url);
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
    server->peers = http_peers_new ();
    server->rate = STELE_HTTP_RATE;
    server->message_bytes = MESSAGE_BYTES;
    server->list_limit = LIST_LIMIT;
    assert (server->pack);
    s_set (&self, "listen", STELE_HTTP_LISTEN);
    s_set (&self, "requests", STELE_DEFAULT_REQUESTS);
    s_set (&self, "feed", STELE_DEFAULT_FEED);
    s_set (&self, "mode", "0600");
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
    http_peers_destroy (&server->peers);
    stele_pack_destroy (&server->pack);
    json_decref (server->stats);
    free (server->openapi);
    free (self.listen);
    free (self.requests);
    free (self.feed);
    free (self.key_file);
    free (self.tokens);
    free (self.cert);
    free (self.cert_key);
    free (self.mode);
}
