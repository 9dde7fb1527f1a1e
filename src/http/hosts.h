/*  hosts - the names under which this server may be addressed

    A page of another site can make a browser send requests to 127.0.0.1 under a name of its own whose
    address it changes (DNS rebinding). The browser sends that name in Host, so a request is served
    only under names that are allowed: those of the loopback interface, and those that were added.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_HOSTS_H_INCLUDED
#define STELE_HTTP_HOSTS_H_INCLUDED

#include "http/scan.h"

typedef struct {
    char **names;
    size_t count, room;
} http_hosts_t;

/*  Allow another name, without a port, or several with commas between       */
void
    http_hosts_add (http_hosts_t *self, const char *names);

void
    http_hosts_clear (http_hosts_t *self);

/*  Is this HOST or HOST:PORT allowed?                                       */
bool
    http_hosts_allow (const http_hosts_t *self, http_span_t host);

/*  May a request that changes something come from there? 'origin' is that field, which browsers send, and
    must be of the same host, and of https if the request came by 'tls'; 'site' is Sec-Fetch-Site. A request without both is not from a browser. */
bool
    http_hosts_same_origin (http_span_t host, http_span_t origin, http_span_t site, bool tls);

#endif
