/*  peers - what is remembered of the addresses of clients: connections, requests, and wrong tokens

    A table of fixed size. Of addresses that are too many for it, those without connections that were used longest ago are forgotten.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_PEERS_H_INCLUDED
#define STELE_HTTP_PEERS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "http/rate.h"

#define HTTP_PEER_CONNS_MAX 256     // Connections of an address
#define HTTP_PEER_WRONG_MAX   5     // Wrong tokens of an address within
#define HTTP_PEER_WRONG_S    60     // seconds

typedef struct http_peer {
    unsigned char address [16];     // IPv4 in its first bytes; of IPv6 the network, /64
    int64_t used_ms;                // Steady clock; 0: free
    int64_t wrong_ms;               // Of the first wrong token
    int wrong;
    int conns;
    http_rate_t rate;
} http_peer_t;

typedef struct http_peers http_peers_t;

http_peers_t *
    http_peers_new (void);
void
    http_peers_destroy (http_peers_t **self_p);

/*  What is remembered of an address, valid until the next call and as long as it has connections; new if it was not there. NULL: it
    is no address of a network (a unix socket, which is that of a proxy, has none), or the table is full. */
http_peer_t *
    http_peers_find (http_peers_t *self, const struct sockaddr *address, int64_t now_ms);

/*  Count a wrong token. Returns 0, or the seconds for which there were too many. NULL as self: 0. */
int
    http_peer_wrong (http_peer_t *self, int64_t now_ms);

#endif
