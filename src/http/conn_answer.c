/*  conn_answer - the answers of a connection: whole, in pieces, compressed, and what waits to be read of them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "http/conn_internal.h"
#include "http/gzip.h"

#define COMPRESS_MIN 1024           // Bytes

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
http_conn_endless (http_conn_t *self)
{
    self->until_close = true;
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
    http_conn_forget_context (self);
    http_conn_clear_request (self);
    bufferevent_setwatermark (self->stream, EV_WRITE, 0, 0);
    if (self->last) {
        self->state = HTTP_CONN_CLOSING;
        http_conn_set_timer (self, HTTP_CONN_HEAD_S);
        http_conn_hear (self);
        return;
    }
    self->state = HTTP_CONN_IDLE;
    http_conn_set_timer (self, HTTP_CONN_IDLE_S);
    http_conn_process (self);
}

void
http_conn_answer (http_conn_t *self, int status, const char *type, const void *body, size_t size, bool compress)
{
    assert (self->state == HTTP_CONN_ANSWERING);
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
    assert (self->state == HTTP_CONN_ANSWERING);
    self->state = HTTP_CONN_BEGUN;
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
    assert (self->state == HTTP_CONN_ANSWERING);
    self->state = HTTP_CONN_BEGUN;
    self->until_close = true;
    self->last = false;             // The field Connection says something else
    http_conn_field (self, "Connection", "Upgrade");
    http_conn_field (self, "Upgrade", "%s", protocol);
    s_send_head (self, 101);
    self->last = true;
    bufferevent_write (self->stream, "\r\n", 2);
    self->on_input = on_input;
    http_conn_hear (self);
    //  What has arrived already
    bufferevent_trigger (self->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
http_conn_send (http_conn_t *self, const void *data, size_t size)
{
    assert (self->state == HTTP_CONN_BEGUN);
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
    assert (self->state == HTTP_CONN_BEGUN);
    if (self->chunked && self->request.head.method != HTTP_HEAD)
        bufferevent_write (self->stream, "0\r\n\r\n", 5);
    s_end_answer (self);
}

struct evbuffer *
http_conn_output (http_conn_t *self)
{
    assert (self->state == HTTP_CONN_BEGUN && self->until_close);
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
