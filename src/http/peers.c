/*  peers - what is remembered of the addresses of clients: connections, requests, and wrong tokens

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <zlib.h>
#include "base/memory.h"
#include "http/peers.h"

#define SLOTS 16384
#define WAYS     16                 // Slots in which an address may be

struct http_peers {
    http_peer_t slots [SLOTS];
};

http_peers_t *
http_peers_new (void)
{
    return STELE_NEW (http_peers_t);
}

void
http_peers_destroy (http_peers_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

//  Returns false if it is no address of a network
static bool
s_read (const struct sockaddr *address, unsigned char key [16])
{
    const struct in6_addr *long_one = &((const struct sockaddr_in6 *) address)->sin6_addr;
    memset (key, 0, 16);
    if (address->sa_family == AF_INET)
        memcpy (key, &((const struct sockaddr_in *) address)->sin_addr, 4);
    else
    if (address->sa_family != AF_INET6)
        return false;
    else
    //  A client of IPv4, of a socket that listens on [::]
    if (IN6_IS_ADDR_V4MAPPED (long_one))
        memcpy (key, &long_one->s6_addr [12], 4);
    else {
        memcpy (key, long_one, 8);
        key [15] = 1;
    }
    return true;
}

http_peer_t *
http_peers_find (http_peers_t *self, const struct sockaddr *address, int64_t now_ms)
{
    unsigned char key [16];
    http_peer_t *place = NULL;
    if (!s_read (address, key))
        return NULL;
    size_t first = crc32 (0, key, sizeof key) % SLOTS;
    for (size_t i = 0; i < WAYS; i++) {
        http_peer_t *slot = &self->slots [(first + i) % SLOTS];
        if (slot->used_ms && memcmp (slot->address, key, sizeof key) == 0) {
            slot->used_ms = now_ms;
            return slot;
        }
        if (slot->conns == 0 && (!place || slot->used_ms < place->used_ms))
            place = slot;
    }
    if (place) {
        *place = (http_peer_t) { .used_ms = now_ms };
        memcpy (place->address, key, sizeof key);
    }
    return place;
}

int
http_peer_wrong (http_peer_t *self, int64_t now_ms)
{
    if (!self)
        return 0;
    if (now_ms >= self->wrong_ms + HTTP_PEER_WRONG_S * 1000) {
        self->wrong_ms = now_ms;
        self->wrong = 0;
    }
    if (self->wrong < HTTP_PEER_WRONG_MAX) {
        self->wrong++;
        return 0;
    }
    return (int) ((self->wrong_ms + HTTP_PEER_WRONG_S * 1000 - now_ms + 999) / 1000);
}
