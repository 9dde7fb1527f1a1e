/*  conn_internal - a connection, for the two files that read its requests and write its answers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_CONN_INTERNAL_H_INCLUDED
#define STELE_HTTP_CONN_INTERNAL_H_INCLUDED

#include <event2/bufferevent.h>
#include "http/conn.h"

#define HTTP_CONN_HEAD_S  10
#define HTTP_CONN_BODY_S  30
#define HTTP_CONN_IDLE_S  60
#define HTTP_CONN_WRITE_S 30

typedef enum {
    HTTP_CONN_IDLE, HTTP_CONN_HEAD, HTTP_CONN_BODY, HTTP_CONN_ANSWERING, HTTP_CONN_BEGUN, HTTP_CONN_CLOSING
} http_conn_state_t;

struct http_conn {
    const http_conn_class_t *class;
    struct bufferevent *stream;
    struct http_peer *peer;
    struct event *timer;            // Of the head, the body or the silence
    http_conn_t *next, *previous;
    http_conn_state_t state;
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
    bool waits;                     // Requests have arrived that are not read yet: for the client to read, or for others' turn
    bool deaf;                      // Nothing is read from the socket, since much waits already
    bool ended;                     // The client sends nothing more; it may still read
    bool processing;                // http_conn_process is running: an answer does not start it again
    bool gone;                      // Closed while it was running
    const void *tag;
    int status;                     // Of the answer that was begun; 0: none
    int64_t arrived_us;
};

/*  The answer is complete or the connection ends: call on_gone, free the request and count the answer */
void
    http_conn_forget_context (http_conn_t *self);
void
    http_conn_clear_request (http_conn_t *self);

/*  Bound the time of what the connection does now. 0: no bound.             */
void
    http_conn_set_timer (http_conn_t *self, int seconds);

/*  Read from the socket again                                               */
void
    http_conn_hear (http_conn_t *self);

/*  Read requests as long as there are any, and none is being answered       */
void
    http_conn_process (http_conn_t *self);

#endif
