/*  http_address - the syntax of an address at which stele-http listens

      ADDRESS:PORT, [ADDRESS]:PORT    an IPv4 or IPv6 address; port 0 is any free one
      localhost:PORT                  127.0.0.1
      unix:PATH                       a Unix socket

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_ADDRESS_H_INCLUDED
#define STELE_HTTP_ADDRESS_H_INCLUDED

#include <stdbool.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "model/refusal.h"

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
} stele_http_address_t;

/*  Parse an address. Returns 0, or STELE_EINVALID_FIELD with a refusal that names the setting: it cannot be
    parsed, or other machines can reach it and the server is not 'guarded' by TLS and tokens. */
int
    stele_http_address_parse (stele_http_address_t *self, const char *setting, const char *text, bool guarded,
        stele_refusal_t *refusal);

/*  Bytes of the address, for bind                                           */
socklen_t
    stele_http_address_size (const stele_http_address_t *self);

#endif
