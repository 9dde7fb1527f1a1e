/*  tls - HTTPS: the certificate, the rules of TLS, and connections that use them

    TLS 1.2 and 1.3 with forward secrecy only; no compression, renegotiation, session tickets or early data. ALPN has http/1.1.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_TLS_H_INCLUDED
#define STELE_HTTP_TLS_H_INCLUDED

#include <jansson.h>
#include <event2/bufferevent.h>
#include "http/scan.h"
#include "model/refusal.h"

#define HTTP_TLS_WARN_DAYS 14       // Before the certificate ends

typedef struct http_tls http_tls_t;

/*  Read the files of PEM. NULL with the refusal. Caller owns return value.  */
http_tls_t *
    http_tls_new (const char *certificate, const char *key, stele_refusal_t *refusal);
void
    http_tls_destroy (http_tls_t **self_p);

/*  Read the files again, for connections that begin later. If they are not valid, the log says so, and nothing changes. */
void
    http_tls_reload (http_tls_t *self);

/*  Call often: warns in the log once a day when the certificate ends soon.  */
void
    http_tls_tick (http_tls_t *self);

/*  When the certificate ends: wall clock                                    */
int64_t
    http_tls_not_after_us (const http_tls_t *self);

/*  Append the finding certificate_expires, if the certificate ends soon     */
void
    http_tls_find (const http_tls_t *self, json_t *findings);

/*  Is a HOST or HOST:PORT one of the names of the certificate?              */
bool
    http_tls_names (const http_tls_t *self, http_span_t host);

/*  Start TLS on an accepted socket, which the stream closes. BEV_EVENT_CONNECTED follows. NULL: no memory. Caller owns return value. */
struct bufferevent *
    http_tls_accept (http_tls_t *self, struct event_base *base, evutil_socket_t socket);

/*  Tell the client of a stream, which may be without TLS, that nothing follows */
void
    http_tls_end (struct bufferevent *stream);

/*  The handshake failed: answer a client that sent plain HTTP               */
void
    http_tls_explain (struct bufferevent *stream);

#endif
