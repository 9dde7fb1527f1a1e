/*  listen - the address at which the server accepts connections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_LISTEN_H_INCLUDED
#define STELE_HTTP_LISTEN_H_INCLUDED

#include <event2/listener.h>
#include "model/refusal.h"

/*  Listen at ADDRESS:PORT, [ADDRESS]:PORT, localhost:PORT or unix:PATH. NULL with the refusal: the address
    cannot be parsed, is in use, or is not loopback. A unix socket that no process listens at is replaced;
    a new one has mode 0600. Caller owns return value (evconnlistener_free). */
struct evconnlistener *
    http_listen (struct event_base *base, const char *address, evconnlistener_cb callback, void *arg,
        stele_refusal_t *refusal);

/*  The address as a URL, with the port that was chosen: "http://127.0.0.1:5580", "unix:/run/http"  */
void
    http_listen_url (struct evconnlistener *listener, char *url, size_t size);

#endif
