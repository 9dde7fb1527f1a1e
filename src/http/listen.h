/*  listen - the address at which the server accepts connections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_LISTEN_H_INCLUDED
#define STELE_HTTP_LISTEN_H_INCLUDED

#include <stdbool.h>
#include <event2/listener.h>
#include "model/refusal.h"

typedef struct {
    const char *address;            // ADDRESS:PORT, [ADDRESS]:PORT, localhost:PORT or unix:PATH
    unsigned mode;                  // Of a unix socket
    bool guarded;                   // By TLS and tokens: other machines may reach it
} http_listen_place_t;

/*  Listen there. NULL with the refusal: the address cannot be parsed, is in use, or may be reached by others only when
    guarded. A unix socket that no process listens at is replaced. Caller owns return value (evconnlistener_free). */
struct evconnlistener *
    http_listen (struct event_base *base, const http_listen_place_t *place, evconnlistener_cb callback, void *arg,
        stele_refusal_t *refusal);

/*  The address as a URL, with the port that was chosen: "http://127.0.0.1:5580", "unix:/run/http"  */
void
    http_listen_url (struct evconnlistener *listener, bool tls, char *url, size_t size);

#endif
