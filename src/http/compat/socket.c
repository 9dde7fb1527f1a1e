/*  socket - /ws: a WebSocket that is sent a message for each new task, as the earlier dashboard expects it

    {"type": "task_submitted", "task": {...}}, in the form in which Python's json writes it. Whatever text a client sends comes back
    as "Echo: TEXT". Behind it is a stream (http/stream.h) of the events task.created, whose bounds for clients that read
    slowly hold here too.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "http/stream.h"
#include "http/websocket.h"

typedef struct {
    http_websocket_t reader;
    char accept [29];
    bool open;                      // The handshake is complete
} s_socket_t;

//  -- to the client ----------------------------------------------------------------------------------

static void
s_send (http_stream_t *stream, http_websocket_opcode_t opcode, const void *data, size_t size)
{
    char head [HTTP_WEBSOCKET_HEAD];
    http_conn_send (stream->conn, head, http_websocket_write_head (opcode, size, head));
    http_conn_send (stream->conn, data, size);
    stream->sent_ms = stele_clock_steady_ms ();
}

static void
s_take (http_stream_t *stream, const stele_map_t *event)
{
    json_t *task = http_compat_record (HTTP_COMPAT_TASK, event);
    json_t *message = task? json_pack ("{ss, so}", "type", "task_submitted", "task", task): NULL;
    char *text = message? json_dumps (message, JSON_ENSURE_ASCII): NULL;
    if (text)
        s_send (stream, HTTP_WEBSOCKET_TEXT, text, strlen (text));
    free (text);
    json_decref (message);
}

static void
s_keep_alive (http_stream_t *stream)
{
    const s_socket_t *self = stream->form_state;
    if (self->open)
        s_send (stream, HTTP_WEBSOCKET_PING, "", 0);
}

//  The end of the connection: wait for the client to end it, too
static void
s_close (http_stream_t *stream, int code)
{
    char bytes [2] = { (char) (code >> 8), (char) code };
    s_send (stream, HTTP_WEBSOCKET_CLOSE, bytes, sizeof bytes);
    http_conn_finish (stream->conn);
}

//  Before the handshake there is nobody to tell
static void
s_end (http_stream_t *stream, const char *why)
{
    const s_socket_t *self = stream->form_state;
    (void) why;
    if (self->open)
        s_close (stream, HTTP_WEBSOCKET_POLICY);
    else
        http_conn_close (stream->conn);
}

//  -- from the client ------------------------------------------------------------------------------------

//  Returns false if that was the end
static bool
s_answer (http_stream_t *stream, const http_websocket_message_t *message)
{
    //  Who sends but does not read
    if (http_conn_unread (stream->conn) > HTTP_STREAM_UNREAD) {
        http_conn_close (stream->conn);
        return false;
    }
    char *echo;
    switch (message->opcode) {
        case HTTP_WEBSOCKET_TEXT:
            echo = stele_memory_new (message->size + 6);
            memcpy (echo, "Echo: ", 6);
            memcpy (echo + 6, message->data, message->size);
            s_send (stream, HTTP_WEBSOCKET_TEXT, echo, message->size + 6);
            free (echo);
            return true;
        case HTTP_WEBSOCKET_PING:
            s_send (stream, HTTP_WEBSOCKET_PONG, message->data, message->size);
            return true;
        case HTTP_WEBSOCKET_PONG:
            return true;
        case HTTP_WEBSOCKET_CLOSE:
            s_close (stream, message->code == HTTP_WEBSOCKET_NO_CODE? HTTP_WEBSOCKET_NORMAL: message->code);
            return false;
        default:
            s_close (stream, HTTP_WEBSOCKET_UNSUPPORTED);
            return false;
    }
}

static void
s_on_input (void *context, struct evbuffer *input)
{
    http_stream_t *stream = context;
    s_socket_t *self = stream->form_state;
    size_t size;
    while ((size = evbuffer_get_contiguous_space (input)) > 0) {
        size_t used;
        http_websocket_message_t message;
        int rc = http_websocket_read (&self->reader, evbuffer_pullup (input, (ev_ssize_t) size), size, &used, &message);
        evbuffer_drain (input, used);
        if (rc < 0) {
            s_close (stream, -rc);
            return;
        }
        if (rc && !s_answer (stream, &message))
            return;
    }
    http_websocket_trim (&self->reader);
}

//  -- start and end --------------------------------------------------------------------------------------------

//  Only now, so that the client gets every task that is created after it was connected
static void
s_greet (http_stream_t *stream)
{
    s_socket_t *self = stream->form_state;
    if (self->open)
        return;
    self->open = true;
    http_conn_field (stream->conn, "Sec-WebSocket-Accept", "%s", self->accept);
    http_conn_upgrade (stream->conn, "websocket", s_on_input);
}

static void
s_gone (http_stream_t *stream)
{
    s_socket_t *self = stream->form_state;
    http_websocket_clear (&self->reader);
    free (self);
}

void
http_compat_socket_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    static const http_stream_form_t form = { s_greet, s_take, s_keep_alive, s_end, s_gone };
    const http_head_t *head = &http_conn_request (conn)->head;
    s_socket_t *self;
    char accept [29];
    (void) route;
    if (head->method != HTTP_GET || !http_span_lists (head->fields [HTTP_UPGRADE], "websocket")
    ||  !http_span_lists (head->fields [HTTP_CONNECTION], "upgrade")
    ||  !http_span_is (head->fields [HTTP_WEBSOCKET_VERSION], "13")) {
        http_conn_field (conn, "Upgrade", "websocket");
        http_conn_field (conn, "Sec-WebSocket-Version", "13");
        http_compat_refuse (server, conn, 426, "this path is a WebSocket (RFC 6455, version 13)");
    }
    else
    if (!http_hosts_same_origin (head->fields [HTTP_HOST], head->fields [HTTP_ORIGIN], head->fields [HTTP_SEC_FETCH_SITE],
        server->tls != NULL))
        http_compat_refuse (server, conn, 403, "a page of another origin may not read this");
    else
    if (!http_websocket_accept (head->fields [HTTP_WEBSOCKET_KEY], accept))
        http_compat_refuse (server, conn, 400, "Sec-WebSocket-Key is not base64 of 16 bytes");
    else {
        self = STELE_NEW (s_socket_t);
        memcpy (self->accept, accept, sizeof accept);
        http_stream_open (server, conn, ",task.created,", &form, self);
    }
}
