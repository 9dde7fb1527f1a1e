/*  throttle - how often a wrong token was sent from an address

    A table of fixed size; of addresses that are too many for it, the oldest is forgotten.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_THROTTLE_H_INCLUDED
#define STELE_HTTP_THROTTLE_H_INCLUDED

#include <stdint.h>
#include <sys/socket.h>

#define HTTP_THROTTLE_MAX  5        // Failures of an address within
#define HTTP_THROTTLE_S   60        // seconds

#define HTTP_THROTTLE_SLOTS 1024

/*  Zeroed to begin with                                                     */
typedef struct {
    struct {
        unsigned char address [16]; // IPv4 in its first bytes; of IPv6 the network, /64
        int64_t since_ms;           // Of the first failure; 0: free
        int count;
    } slots [HTTP_THROTTLE_SLOTS];
} http_throttle_t;

/*  Count a failure from that address, at a time of the steady clock. Returns 0, or the seconds for which it has failed
    too often. An address of a unix socket, which is that of a proxy, does not count. */
int
    http_throttle_fail (http_throttle_t *self, const struct sockaddr *address, int64_t now_ms);

#endif
