/*  throttle - how often a wrong token was sent from an address

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdbool.h>
#include <string.h>
#include <netinet/in.h>
#include <zlib.h>
#include "http/throttle.h"

#define WAYS 8                      // Slots in which an address may be

//  Returns false if it is no address of a network
static bool
s_read (const struct sockaddr *address, unsigned char key [16])
{
    memset (key, 0, 16);
    if (address->sa_family == AF_INET)
        memcpy (key, &((const struct sockaddr_in *) address)->sin_addr, 4);
    else
    if (address->sa_family == AF_INET6)
        memcpy (key, &((const struct sockaddr_in6 *) address)->sin6_addr, 8);
    else
        return false;
    key [15] = address->sa_family == AF_INET6;
    return true;
}

int
http_throttle_fail (http_throttle_t *self, const struct sockaddr *address, int64_t now_ms)
{
    unsigned char key [16];
    if (!s_read (address, key))
        return 0;
    size_t first = crc32 (0, key, sizeof key) % HTTP_THROTTLE_SLOTS, place = first;
    for (size_t i = 0; i < WAYS; i++) {
        size_t slot = (first + i) % HTTP_THROTTLE_SLOTS;
        if (self->slots [slot].since_ms && memcmp (self->slots [slot].address, key, sizeof key) == 0) {
            place = slot;
            break;
        }
        if (self->slots [slot].since_ms < self->slots [place].since_ms)
            place = slot;
    }
    if (memcmp (self->slots [place].address, key, sizeof key) != 0
    ||  now_ms >= self->slots [place].since_ms + HTTP_THROTTLE_S * 1000) {
        memcpy (self->slots [place].address, key, sizeof key);
        self->slots [place].since_ms = now_ms;
        self->slots [place].count = 0;
    }
    if (self->slots [place].count < HTTP_THROTTLE_MAX) {
        self->slots [place].count++;
        return 0;
    }
    return (int) ((self->slots [place].since_ms + HTTP_THROTTLE_S * 1000 - now_ms + 999) / 1000);
}
