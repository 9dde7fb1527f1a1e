/*  conn - one connection of an HTTP client: its life, and how it reads requests

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/conn_internal.h"
#include "http/tls.h"

#define INPUT_MAX 65536             // Bytes of requests that wait; more waits in the kernel
#define UNREAD_MAX 262144           // Bytes of answers: the next request waits until the client has read them
#define TURN_MAX 8                  // Requests of one connection that are answered before others get their turn

//  -- life --------------------------------------------------------------------------------------

void
http_conn_forget_context (http_conn_t *self)
{
    void (*on_gone) (void *context) = self->on_gone;
    self->on_gone = NULL;
    self->on_drained = NULL;
    self->on_input = NULL;
    if (on_gone)
        on_gone (self->context);
    self->context = NULL;
}

void
http_conn_clear_request (http_conn_t *self)
{
    if (self->status)
        self->class->on_answered (self->class->arg, self->tag, self->status,
            stele_clock_steady_us () - self->arrived_us);
    self->tag = NULL;
    if (self->body)
        self->class->on_body_end (self->class->arg, self->request.body_size);
    free (self->body);
    free (self->head);
    self->body = self->head = NULL;
    self->request.body = "";
    self->request.body_size = 0;
    self->request.actor = NULL;
    self->status = 0;
    self->chunked = self->until_close = false;
    evbuffer_drain (self->fields, evbuffer_get_length (self->fields));
}

static void
s_free (http_conn_t *self)
{
    event_free (self->timer);
    http_tls_end (self->stream);
    bufferevent_free (self->stream);
    evbuffer_free (self->fields);
    free (self);
}

void
http_conn_close (http_conn_t *self)
{
    if (self->gone)
        return;
    self->gone = true;
    http_conn_forget_context (self);
    http_conn_clear_request (self);
    self->class->on_end (self->class->arg, self);
    bufferevent_disable (self->stream, EV_READ | EV_WRITE);
    if (!self->processing)
        s_free (self);
}

void
http_conn_set_timer (http_conn_t *self, int seconds)
{
    struct timeval time = { .tv_sec = seconds };
    if (seconds)
        event_add (self->timer, &time);
    else
        event_del (self->timer);
}

//  After a head that cannot be used
static void
s_forget_head (http_conn_t *self)
{
    self->request.head = (http_head_t) { .method = HTTP_GET };
    self->request.id [0] = 0;
}

static void
s_refuse (http_conn_t *self, int status, const char *why)
{
    //  What follows cannot be told from a body
    self->last = true;
    self->state = HTTP_CONN_ANSWERING;
    http_conn_set_timer (self, 0);
    self->class->on_refused (self->class->arg, self, status, why);
}

//  -- events of the socket -------------------------------------------------------------------------

static void
s_on_read (struct bufferevent *stream, void *arg)
{
    http_conn_t *self = arg;
    if (self->on_input)
        self->on_input (self->context, bufferevent_get_input (stream));
    else
    if (self->state == HTTP_CONN_CLOSING || (self->state == HTTP_CONN_BEGUN && self->until_close)) {
        //  Nothing more is read from it: drop the bytes, to notice the end of the connection
        struct evbuffer *input = bufferevent_get_input (stream);
        evbuffer_drain (input, evbuffer_get_length (input));
    }
    else
    if ((self->waits || self->state > HTTP_CONN_BODY)
    &&  evbuffer_get_length (bufferevent_get_input (stream)) >= INPUT_MAX) {
        //  Not by a high watermark: as long as the input is above it, libevent calls this again and does not return to the loop
        self->deaf = true;
        bufferevent_disable (stream, EV_READ);
    }
    else
        http_conn_process (self);
}

static void
s_on_write (struct bufferevent *stream, void *arg)
{
    http_conn_t *self = arg;
    if (self->on_drained)
        self->on_drained (self->context);
    else
    if (self->waits)
        http_conn_process (self);
    else
    if (self->state == HTTP_CONN_CLOSING && evbuffer_get_length (bufferevent_get_output (stream)) == 0) {
        //  Tell the client that nothing follows, and wait until it has read it: closing at once would reset
        //  the connection where the client is still sending, and lose the answer
        if (self->ended)
            http_conn_close (self);
        else {
            http_tls_end (stream);
            shutdown (bufferevent_getfd (stream), SHUT_WR);
        }
    }
}

static void
s_on_event (struct bufferevent *stream, short what, void *arg)
{
    http_conn_t *self = arg;
    if (what & BEV_EVENT_CONNECTED)     // TLS; the timer runs on
        return;
    if (what & BEV_EVENT_ERROR)
        http_tls_explain (stream);
    bool answer_follows = self->waits || self->state == HTTP_CONN_ANSWERING || (self->state == HTTP_CONN_BEGUN && self->chunked);
    //  Nobody waits for a stream without an end, or for its rest
    bool endless = self->until_close;
    //  With TLS, a write that fails after the client's close_notify is an EOF, too
    if (what & BEV_EVENT_EOF && what & BEV_EVENT_READING && !endless && (answer_follows || evbuffer_get_length (bufferevent_get_output (stream)))) {
        //  It has only shut down its side, perhaps
        self->ended = true;
        if (!answer_follows)
            self->state = HTTP_CONN_CLOSING;
        //  With TLS, libevent has stopped to write, too, and with that the time of writing
        bufferevent_enable (stream, EV_WRITE);
        return;
    }
    //  The end, an error, or a client that did not read for HTTP_CONN_WRITE_S
    http_conn_close (self);
}

static void
s_on_time (evutil_socket_t socket, short what, void *arg)
{
    (void) socket;
    (void) what;
    http_conn_t *self = arg;
    if (self->waits)
        http_conn_process (self);       // Its next turn
    else
    if (self->state == HTTP_CONN_HEAD || self->state == HTTP_CONN_BODY) {
        if (self->state == HTTP_CONN_HEAD)
            s_forget_head (self);
        s_refuse (self, -408, "the request did not arrive in time");
    }
    else
    if (evbuffer_get_length (bufferevent_get_output (self->stream)))
        http_conn_set_timer (self, HTTP_CONN_IDLE_S);   // The client reads an answer; if it stops, WRITE_S ends that
    else
        http_conn_close (self);
}

http_conn_t *
http_conn_new (const http_conn_class_t *class, evutil_socket_t socket, struct http_peer *peer)
{
    struct bufferevent *stream = class->tls? http_tls_accept (class->tls, class->base, socket):
        bufferevent_socket_new (class->base, socket, BEV_OPT_CLOSE_ON_FREE);
    if (!stream) {
        evutil_closesocket (socket);
        return NULL;
    }
    http_conn_t *self = STELE_NEW (http_conn_t);
    self->class = class;
    self->stream = stream;
    self->peer = peer;
    self->request.body = "";
    self->fields = evbuffer_new ();
    self->timer = evtimer_new (class->base, s_on_time, self);
    assert (self->fields && self->timer);
    //  Without it, an answer of several segments waits for the acknowledgement of the client
    int on = 1;
    setsockopt (socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb (stream, s_on_read, s_on_write, s_on_event, self);
    struct timeval write_time = { .tv_sec = HTTP_CONN_WRITE_S };
    bufferevent_set_timeouts (stream, NULL, &write_time);
    bufferevent_enable (stream, EV_READ | EV_WRITE);
    http_conn_set_timer (self, HTTP_CONN_HEAD_S);
    return self;
}

//  -- requests ------------------------------------------------------------------------------------

//  X-Request-Id of the client, if it is short and harmless; otherwise one of this process
static void
s_choose_id (http_conn_t *self)
{
    static uint64_t last;
    http_span_t given = self->request.head.fields [HTTP_REQUEST_ID];
    bool fine = given.data && given.size > 0 && given.size < sizeof self->request.id;
    for (size_t i = 0; i < given.size && fine; i++)
        fine = strchr ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", given.data [i]) != NULL;
    if (fine)
        snprintf (self->request.id, sizeof self->request.id, "%.*s", (int) given.size, given.data);
    else {
        if (!last)
            evutil_secure_rng_get_bytes (&last, sizeof last);
        snprintf (self->request.id, sizeof self->request.id, "%016" PRIx64, ++last);
    }
}

static bool
s_read_head (http_conn_t *self, struct evbuffer *input)
{
    size_t size = evbuffer_get_length (input);
    if (size == 0)
        return false;
    if (self->state == HTTP_CONN_IDLE) {
        self->state = HTTP_CONN_HEAD;
        http_conn_set_timer (self, HTTP_CONN_HEAD_S);
    }
    size_t most = size < HTTP_HEAD_MAX? size: HTTP_HEAD_MAX;
    const char *bytes = (const char *) evbuffer_pullup (input, (ev_ssize_t) most);
    int head_size = http_scan (bytes, most, &self->request.head);
    if (head_size == 0)
        return false;
    self->arrived_us = stele_clock_steady_us ();
    if (head_size < 0) {
        const char *why = self->request.head.why;
        s_forget_head (self);
        s_choose_id (self);
        s_refuse (self, head_size, why);
        return false;
    }
    //  Again, on bytes that stay
    self->head = stele_memory_copy (bytes, (size_t) head_size);
    evbuffer_drain (input, (size_t) head_size);
    http_scan (self->head, (size_t) head_size, &self->request.head);
    s_choose_id (self);
    self->last = !self->request.head.keep_alive;
    const char *why;
    int rc = http_target_parse (&self->request.target, self->request.head.target, &why);
    size_t body_size = (size_t) self->request.head.content_length;
    if (rc == 0 && body_size)
        rc = self->class->on_body (self->class->arg, self, body_size, &why);
    if (rc) {
        s_refuse (self, rc, why);
        return false;
    }
    if (body_size) {
        self->body = stele_memory_new (body_size + 1);
        self->request.body_size = body_size;
        self->head_size = 0;        // Bytes of the body that have arrived
        self->state = HTTP_CONN_BODY;
        http_conn_set_timer (self, HTTP_CONN_BODY_S);
        if (self->request.head.expects_continue)
            bufferevent_write (self->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    return true;
}

//  Returns whether the body is complete
static bool
s_read_body (http_conn_t *self, struct evbuffer *input)
{
    size_t left = self->request.body_size - self->head_size;
    int got = evbuffer_remove (input, self->body + self->head_size, left);
    if (got > 0)
        self->head_size += (size_t) got;
    self->request.body = self->body;
    return self->head_size == self->request.body_size;
}

//  Does the next request have to wait? Many in one piece would keep the loop, and answers that nobody reads the memory.
static bool
s_waits (http_conn_t *self, int turn)
{
    static const struct timeval at_once = { 0 };
    if (self->state > HTTP_CONN_HEAD || evbuffer_get_length (bufferevent_get_input (self->stream)) == 0)
        return false;
    self->waits = true;
    if (evbuffer_get_length (bufferevent_get_output (self->stream)) > UNREAD_MAX)
        http_conn_set_timer (self, 0);  // s_on_write continues
    else
    if (turn >= TURN_MAX)
        event_add (self->timer, &at_once);
    else
        self->waits = false;
    return self->waits;
}

void
http_conn_hear (http_conn_t *self)
{
    if (self->deaf && !self->ended)
        bufferevent_enable (self->stream, EV_READ);
    self->deaf = false;
}

void
http_conn_process (http_conn_t *self)
{
    struct evbuffer *input = bufferevent_get_input (self->stream);
    if (self->processing)
        return;
    self->processing = true;
    if (self->waits)
        http_conn_set_timer (self, self->state == HTTP_CONN_HEAD? HTTP_CONN_HEAD_S: HTTP_CONN_IDLE_S);
    self->waits = false;
    http_conn_hear (self);
    for (int turn = 0; !self->gone && self->state <= HTTP_CONN_BODY && !s_waits (self, turn); turn++) {
        if (self->state != HTTP_CONN_BODY && !s_read_head (self, input))
            break;
        if (self->state == HTTP_CONN_BODY && !s_read_body (self, input))
            break;
        self->state = HTTP_CONN_ANSWERING;
        http_conn_set_timer (self, 0);
        self->class->on_request (self->class->arg, self);
    }
    self->processing = false;
    if (self->ended && !self->gone && !self->waits && self->state <= HTTP_CONN_BODY) {
        self->state = HTTP_CONN_CLOSING;
        if (evbuffer_get_length (bufferevent_get_output (self->stream)) == 0)
            http_conn_close (self);
    }
    else
    if (self->gone)
        s_free (self);
}

const http_request_t *
http_conn_request (const http_conn_t *self)
{
    return &self->request;
}

void
http_conn_set_actor (http_conn_t *self, const struct http_actor *actor)
{
    self->request.actor = actor;
}

struct http_peer *
http_conn_peer (const http_conn_t *self)
{
    return self->peer;
}

bool
http_conn_is_tls (const http_conn_t *self)
{
    return self->class->tls != NULL;
}

void
http_conn_address (const http_conn_t *self, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;
    memset (address, 0, sizeof *address);
    if (getpeername (bufferevent_getfd (self->stream), (struct sockaddr *) address, &size) != 0)
        address->ss_family = AF_UNSPEC;
}

void
http_conn_set_context (http_conn_t *self, void *context, void (*on_gone) (void *context))
{
    self->context = context;
    self->on_gone = on_gone;
}

void
http_conn_set_tag (http_conn_t *self, const void *tag)
{
    self->tag = tag;
}

bool
http_conn_idle (const http_conn_t *self)
{
    return self->state <= HTTP_CONN_HEAD;
}

http_conn_t **
http_conn_next (http_conn_t *self)
{
    return &self->next;
}

http_conn_t **
http_conn_previous (http_conn_t *self)
{
    return &self->previous;
}
