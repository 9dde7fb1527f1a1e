/*  conn - one connection of an HTTP client: requests in, answers out

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <event2/bufferevent.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/conn.h"
#include "http/gzip.h"

#define HEAD_S   10
#define BODY_S   30
#define IDLE_S   60
#define WRITE_S  30
#define COMPRESS_MIN 1024           // Bytes

typedef enum { IDLE, HEAD, BODY, ANSWERING, BEGUN, CLOSING } s_state_t;

struct http_conn {
    const http_conn_class_t *class;
    struct bufferevent *stream;
    struct event *timer;            // Of the head, the body or the silence
    http_conn_t *next, *previous;
    s_state_t state;
    http_request_t request;
    char *head;                     // The bytes that request.head points into
    size_t head_size;
    char *body;
    struct evbuffer *fields;        // Of the answer
    void *context;
    void (*on_gone) (void *context);
    void (*on_drained) (void *context);
    void (*on_input) (void *context, struct evbuffer *input);
    bool chunked, until_close, last;
    bool ended;                     // The client sends nothing more; it may still read
    bool processing;                // s_process is running: an answer does not start it again
    bool gone;                      // Closed while it was running
    const void *tag;
    int status;                     // Of the answer that was begun; 0: none
    int64_t arrived_us;
};

static void s_process (http_conn_t *self);

const char *
http_status_text (int status)
{
    static const struct { int status; const char *text; } texts [] = {
        { 101, "Switching Protocols" }, { 200, "OK" },
        { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 206, "Partial Content" },
        { 304, "Not Modified" }, { 307, "Temporary Redirect" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
        { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" },
        { 409, "Conflict" }, { 411, "Length Required" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" }, { 417, "Expectation Failed" },
        { 421, "Misdirected Request" }, { 422, "Unprocessable Content" },
        { 426, "Upgrade Required" }, { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
        { 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" }
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++)
        if (texts [i].status == status)
            return texts [i].text;
    return "Unknown";
}

//  -- life --------------------------------------------------------------------------------------

static void
s_forget_context (http_conn_t *self)
{
    void (*on_gone) (void *context) = self->on_gone;
    self->on_gone = NULL;
    self->on_drained = NULL;
    self->on_input = NULL;
    if (on_gone)
        on_gone (self->context);
    self->context = NULL;
}

static void
s_clear_request (http_conn_t *self)
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
    s_forget_context (self);
    s_clear_request (self);
    self->class->on_end (self->class->arg, self);
    bufferevent_disable (self->stream, EV_READ | EV_WRITE);
    if (!self->processing)
        s_free (self);
}

static void
s_set_timer (http_conn_t *self, int seconds)
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
    self->state = ANSWERING;
    s_set_timer (self, 0);
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
    if (self->state == CLOSING || (self->state == BEGUN && self->until_close)) {
        //  Nothing more is read from it: drop the bytes, to notice the end of the connection
        struct evbuffer *input = bufferevent_get_input (stream);
        evbuffer_drain (input, evbuffer_get_length (input));
    }
    else
        s_process (self);
}

static void
s_on_write (struct bufferevent *stream, void *arg)
{
    http_conn_t *self = arg;
    if (self->on_drained)
        self->on_drained (self->context);
    else
    if (self->state == CLOSING && evbuffer_get_length (bufferevent_get_output (stream)) == 0) {
        //  Tell the client that nothing follows, and wait until it has read it: closing at once would reset
        //  the connection where the client is still sending, and lose the answer
        if (self->ended)
            http_conn_close (self);
        else
            shutdown (bufferevent_getfd (stream), SHUT_WR);
    }
}

static void
s_on_event (struct bufferevent *stream, short what, void *arg)
{
    http_conn_t *self = arg;
    bool answer_follows = self->state == ANSWERING || (self->state == BEGUN && self->chunked);
    //  Nobody waits for the rest of a stream without an end
    bool endless = self->state == BEGUN && self->until_close;
    if (what & BEV_EVENT_EOF && !endless && (answer_follows || evbuffer_get_length (bufferevent_get_output (stream)))) {
        //  It has only shut down its side, perhaps
        self->ended = true;
        if (!answer_follows)
            self->state = CLOSING;
        return;
    }
    //  The end, an error, or a client that did not read for WRITE_S
    http_conn_close (self);
}

static void
s_on_time (evutil_socket_t socket, short what, void *arg)
{
    (void) socket;
    (void) what;
    http_conn_t *self = arg;
    if (self->state == HEAD || self->state == BODY) {
        if (self->state == HEAD)
            s_forget_head (self);
        s_refuse (self, -408, "the request did not arrive in time");
    }
    else
        http_conn_close (self);
}

http_conn_t *
http_conn_new (const http_conn_class_t *class, evutil_socket_t socket)
{
    struct bufferevent *stream = bufferevent_socket_new (class->base, socket, BEV_OPT_CLOSE_ON_FREE);
    if (!stream) {
        evutil_closesocket (socket);
        return NULL;
    }
    http_conn_t *self = STELE_NEW (http_conn_t);
    self->class = class;
    self->stream = stream;
    self->request.body = "";
    self->fields = evbuffer_new ();
    self->timer = evtimer_new (class->base, s_on_time, self);
    assert (self->fields && self->timer);
    //  Without it, an answer of several segments waits for the acknowledgement of the client
    int on = 1;
    setsockopt (socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb (stream, s_on_read, s_on_write, s_on_event, self);
    struct timeval write_time = { .tv_sec = WRITE_S };
    bufferevent_set_timeouts (stream, NULL, &write_time);
    //  One request is read at a time: more than a head waits in the kernel
    bufferevent_setwatermark (stream, EV_READ, 0, 65536);
    bufferevent_enable (stream, EV_READ | EV_WRITE);
    s_set_timer (self, HEAD_S);
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
    if (self->state == IDLE) {
        self->state = HEAD;
        s_set_timer (self, HEAD_S);
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
        self->state = BODY;
        s_set_timer (self, BODY_S);
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

//  Read requests as long as there are any, and none is being answered
static void
s_process (http_conn_t *self)
{
    struct evbuffer *input = bufferevent_get_input (self->stream);
    if (self->processing)
        return;
    self->processing = true;
    while (!self->gone && self->state <= BODY) {
        if (self->state != BODY && !s_read_head (self, input))
            break;
        if (self->state == BODY && !s_read_body (self, input))
            break;
        self->state = ANSWERING;
        s_set_timer (self, 0);
        self->class->on_request (self->class->arg, self);
    }
    self->processing = false;
    if (self->ended && !self->gone && self->state <= BODY) {
        self->state = CLOSING;
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

//  -- answers -----------------------------------------------------------------------------------------

void
http_conn_field (http_conn_t *self, const char *name, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    evbuffer_add_printf (self->fields, "%s: ", name);
    evbuffer_add_vprintf (self->fields, format, args);
    evbuffer_add (self->fields, "\r\n", 2);
    va_end (args);
}

void
http_conn_last (http_conn_t *self)
{
    self->last = true;
}

//  What an answer depends on: a cache must not give one client the answer of another
static void
s_add_vary (http_conn_t *self, bool encoding)
{
    bool actor = self->request.actor != NULL;
    if (actor || encoding)
        http_conn_field (self, "Vary", "%s%s%s", encoding? "Accept-Encoding": "", actor && encoding? ", ": "",
            actor? "Authorization, Cookie": "");
}

static void
s_send_head (http_conn_t *self, int status)
{
    struct evbuffer *output = bufferevent_get_output (self->stream);
    char date [40];
    time_t now = (time_t) (stele_clock_us () / 1000000);
    struct tm utc;
    gmtime_r (&now, &utc);
    strftime (date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    self->status = status;
    evbuffer_add_printf (output, "HTTP/1.1 %d %s\r\nDate: %s\r\nX-Content-Type-Options: nosniff\r\n", status,
        http_status_text (status), date);
    if (*self->request.id)
        evbuffer_add_printf (output, "X-Request-Id: %s\r\n", self->request.id);
    if (self->last)
        evbuffer_add_printf (output, "Connection: close\r\n");
    evbuffer_add_buffer (output, self->fields);
}

//  The answer is complete: read the next request, or close
static void
s_end_answer (http_conn_t *self)
{
    s_forget_context (self);
    s_clear_request (self);
    bufferevent_setwatermark (self->stream, EV_WRITE, 0, 0);
    if (self->last) {
        self->state = CLOSING;
        s_set_timer (self, HEAD_S);
        return;
    }
    self->state = IDLE;
    s_set_timer (self, IDLE_S);
    s_process (self);
}

void
http_conn_answer (http_conn_t *self, int status, const char *type, const void *body, size_t size, bool compress)
{
    assert (self->state == ANSWERING);
    void *packed = NULL;
    size_t packed_size = 0;
    bool has_body = status != 304 && status != 204;
    s_add_vary (self, has_body && compress);
    if (has_body && compress && size >= COMPRESS_MIN
    &&  http_span_lists (self->request.head.fields [HTTP_ACCEPT_ENCODING], "gzip"))
        packed = http_gzip (body, size, &packed_size);
    if (packed)
        http_conn_field (self, "Content-Encoding", "gzip");
    if (has_body) {
        http_conn_field (self, "Content-Type", "%s", type);
        http_conn_field (self, "Content-Length", "%zu", packed? packed_size: size);
    }
    s_send_head (self, status);
    struct evbuffer *output = bufferevent_get_output (self->stream);
    evbuffer_add (output, "\r\n", 2);
    if (has_body && self->request.head.method != HTTP_HEAD)
        evbuffer_add (output, packed? packed: body, packed? packed_size: size);
    free (packed);
    s_end_answer (self);
}

void
http_conn_begin (http_conn_t *self, int status, const char *type, bool until_close)
{
    assert (self->state == ANSWERING);
    self->state = BEGUN;
    self->until_close = until_close;
    self->chunked = !until_close;
    self->last |= until_close;
    s_add_vary (self, false);
    http_conn_field (self, "Content-Type", "%s", type);
    if (self->chunked)
        http_conn_field (self, "Transfer-Encoding", "chunked");
    s_send_head (self, status);
    bufferevent_write (self->stream, "\r\n", 2);
}

void
http_conn_upgrade (http_conn_t *self, const char *protocol, void (*on_input) (void *context, struct evbuffer *input))
{
    assert (self->state == ANSWERING);
    self->state = BEGUN;
    self->until_close = true;
    self->last = false;             // The field Connection says something else
    http_conn_field (self, "Connection", "Upgrade");
    http_conn_field (self, "Upgrade", "%s", protocol);
    s_send_head (self, 101);
    self->last = true;
    bufferevent_write (self->stream, "\r\n", 2);
    self->on_input = on_input;
    //  What has arrived already
    bufferevent_trigger (self->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
http_conn_send (http_conn_t *self, const void *data, size_t size)
{
    assert (self->state == BEGUN);
    struct evbuffer *output = bufferevent_get_output (self->stream);
    if (size == 0 || self->request.head.method == HTTP_HEAD)
        return;
    if (self->chunked)
        evbuffer_add_printf (output, "%zx\r\n", size);
    evbuffer_add (output, data, size);
    if (self->chunked)
        evbuffer_add (output, "\r\n", 2);
}

void
http_conn_finish (http_conn_t *self)
{
    assert (self->state == BEGUN);
    if (self->chunked && self->request.head.method != HTTP_HEAD)
        bufferevent_write (self->stream, "0\r\n\r\n", 5);
    s_end_answer (self);
}

struct evbuffer *
http_conn_output (http_conn_t *self)
{
    assert (self->state == BEGUN && self->until_close);
    return bufferevent_get_output (self->stream);
}

size_t
http_conn_unread (const http_conn_t *self)
{
    return evbuffer_get_length (bufferevent_get_output (self->stream));
}

void
http_conn_on_drained (http_conn_t *self, size_t unread, void (*on_drained) (void *context))
{
    self->on_drained = on_drained;
    bufferevent_setwatermark (self->stream, EV_WRITE, on_drained? unread: 0, 0);
}

void
http_conn_set_tag (http_conn_t *self, const void *tag)
{
    self->tag = tag;
}

bool
http_conn_idle (const http_conn_t *self)
{
    return self->state <= HEAD;
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
