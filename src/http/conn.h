/*  conn - one connection of an HTTP client: requests in, answers out

    A connection reads one request at a time, calls 'on_request' of the server, and reads the next
    one after its answer, unless the client has much to read, or it is the turn of others. What comes meanwhile waits in the
    buffer of the kernel. Times are bounded for a handshake of TLS and the first byte after it (10 s), a head (10 s), a body (30 s), silence between requests (60 s), and a client that does not read (30 s).

    The handler answers at once or later; the connection may be gone when the call returns. It uses one of
      http_conn_answer      a whole body
      http_conn_begin, http_conn_send, http_conn_finish     a body in pieces

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_CONN_H_INCLUDED
#define STELE_HTTP_CONN_H_INCLUDED

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/util.h>
#include "http/scan.h"
#include "http/target.h"
#include "stele_library.h"

typedef struct http_conn http_conn_t;
struct http_actor;
struct http_peer;
struct http_tls;

/*  A request, valid until its answer is finished or the connection has ended */
typedef struct {
    http_head_t head;
    http_target_t target;
    const char *body;               // content_length bytes, with a NUL after them; "" if there is none
    size_t body_size;
    char id [65];                   // X-Request-Id of the client, or a new one
    const struct http_actor *actor; // Whose request it is (http_conn_set_actor); NULL: nobody's, or there are no tokens
} http_request_t;

/*  The server's side, the same for all connections                          */
typedef struct {
    struct event_base *base;
    struct http_tls *tls;           // NULL: plain HTTP
    void *arg;
    /*  A request is complete. It is answered now or later.                  */
    void (*on_request) (void *arg, http_conn_t *conn);
    /*  A head is refused, with a negative status (see http_scan): answer it. The connection is closed after that. */
    void (*on_refused) (void *arg, http_conn_t *conn, int status, const char *why);
    /*  The head of a request with a body is complete: reserve memory for the body. Returns 0, or a negative status to refuse it
        with; *why then.                                                     */
    int (*on_body) (void *arg, http_conn_t *conn, size_t size, const char **why);
    /*  The memory of a body is free again                                   */
    void (*on_body_end) (void *arg, size_t size);
    /*  An answer is complete, or a stream has ended: for statistics. 'tag' as set by http_conn_set_tag. */
    void (*on_answered) (void *arg, const void *tag, int status, int64_t time_us);
    /*  The connection ends; forget it                                       */
    void (*on_end) (void *arg, http_conn_t *conn);
} http_conn_class_t;

/*  Start to serve a connected socket, whose ownership is taken; the peer is kept for http_conn_peer. NULL: no memory; the socket is
    closed.                                                                  */
http_conn_t *
    http_conn_new (const http_conn_class_t *class, evutil_socket_t socket, struct http_peer *peer);

struct http_peer *
    http_conn_peer (const http_conn_t *self);

/*  Close at once. Calls on_end.                                             */
void
    http_conn_close (http_conn_t *self);

/*  The request that is being answered                                       */
const http_request_t *
    http_conn_request (const http_conn_t *self);

/*  Whose request it is, up to its answer, which then also says that it depends on that (Vary) */
void
    http_conn_set_actor (http_conn_t *self, const struct http_actor *actor);

/*  Does the client use TLS?                                                 */
bool
    http_conn_is_tls (const http_conn_t *self);

/*  The address of the client                                                */
void
    http_conn_address (const http_conn_t *self, struct sockaddr_storage *address);

/*  A value that the handler keeps with a request; 'on_gone' is called with it when the answer is
    finished or the connection ends, and it is then forgotten.               */
void
    http_conn_set_context (http_conn_t *self, void *context, void (*on_gone) (void *context));

/*  Add a field to the answer, before it is sent                             */
void
    http_conn_field (http_conn_t *self, const char *name, const char *format, ...) STELE_PRINTF (3, 4);

/*  The answer will be a stream without an end: when the client ends the connection before it, nobody waits for it */
void
    http_conn_endless (http_conn_t *self);

/*  Close the connection after this answer                                   */
void
    http_conn_last (http_conn_t *self);

/*  Send the answer. 'body' is copied; only its size is sent where the request is HEAD. Compressed if
    the client accepts that and 'compress'. A status of 304 has no body.     */
void
    http_conn_answer (http_conn_t *self, int status, const char *type, const void *body, size_t size, bool compress);

/*  Send the head of an answer whose size is not known: in chunks, or, if 'until_close', up to the end of
    the connection (a stream of events). Later pieces are sent with http_conn_send; an empty one is
    nothing. http_conn_finish ends the answer.                               */
void
    http_conn_begin (http_conn_t *self, int status, const char *type, bool until_close);
void
    http_conn_send (http_conn_t *self, const void *data, size_t size);
void
    http_conn_finish (http_conn_t *self);

/*  The buffer of what is not sent yet, for pieces that several connections share; only for an answer up
    to the end of the connection.                                            */
struct evbuffer *
    http_conn_output (http_conn_t *self);

/*  Switch to another protocol (101). From now on, 'on_input' is called with the context whenever bytes have arrived, and
    drains them; http_conn_send sends.                                       */
void
    http_conn_upgrade (http_conn_t *self, const char *protocol, void (*on_input) (void *context, struct evbuffer *input));

/*  Bytes that the client has not read yet                                   */
size_t
    http_conn_unread (const http_conn_t *self);

/*  Call 'on_drained' with the context once less than that many bytes are unread, and then whenever it is
    so again. NULL: never.                                                   */
void
    http_conn_on_drained (http_conn_t *self, size_t unread, void (*on_drained) (void *context));

/*  What on_answered gets of this request (its route)                        */
void
    http_conn_set_tag (http_conn_t *self, const void *tag);

/*  Between two requests?                                                    */
bool
    http_conn_idle (const http_conn_t *self);

/*  Links of the server's list                                               */
http_conn_t **
    http_conn_next (http_conn_t *self);
http_conn_t **
    http_conn_previous (http_conn_t *self);

/*  The text of a status                                                     */
const char *
    http_status_text (int status);

#endif
