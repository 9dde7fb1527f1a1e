/*  http_address - the syntax of an address at which stele-http listens

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wire/http_address.h"

//  ADDRESS:PORT. False: it is not that
static bool
s_parse_ip (stele_http_address_t *self, const char *text)
{
    char host [INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr (text, ':');
    size_t size = colon? (size_t) (colon - text): 0;
    size_t digits = colon? strspn (colon + 1, "0123456789"): 0;
    if (size == 0 || size >= sizeof host || digits == 0 || digits > 5 || colon [1 + digits] || atoi (colon + 1) > 65535)
        return false;
    uint16_t port = htons ((uint16_t) atoi (colon + 1));
    memcpy (host, text, size);
    host [size] = 0;
    if (*host == '[' && host [size - 1] == ']') {
        host [size - 1] = 0;
        self->in6.sin6_family = AF_INET6;
        self->in6.sin6_port = port;
        return inet_pton (AF_INET6, host + 1, &self->in6.sin6_addr) == 1;
    }
    self->in.sin_family = AF_INET;
    self->in.sin_port = port;
    return inet_pton (AF_INET, strcmp (host, "localhost")? host: "127.0.0.1", &self->in.sin_addr) == 1;
}

static bool
s_is_loopback (const stele_http_address_t *self)
{
    if (self->any.sa_family == AF_INET)
        return ntohl (self->in.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK (&self->in6.sin6_addr);
}

int
stele_http_address_parse (stele_http_address_t *self, const char *setting, const char *text, bool guarded,
    stele_refusal_t *refusal)
{
    *self = (stele_http_address_t) { 0 };
    if (strncmp (text, "unix:", 5) == 0) {
        const char *path = text + 5;
        if (!*path || strlen (path) >= sizeof self->un.sun_path)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, setting, "%s: the path of '%.160s' has no or more than "
                "107 bytes", setting, text);
        self->un.sun_family = AF_UNIX;
        strcpy (self->un.sun_path, path);
        return 0;
    }
    if (!s_parse_ip (self, text))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting, "%s: '%.160s' is not ADDRESS:PORT, such as "
            "127.0.0.1:5580 or [::1]:5580, nor unix:PATH", setting, text);
    if (!guarded && !s_is_loopback (self))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting, "%s: '%.160s' can be reached from other machines, so the "
            "server needs TLS, without which anybody on the way reads requests and tokens, and tokens, without which everybody is "
            "let in: set http-cert, http-cert-key and tokens (stele-http: --cert, --cert-key, --tokens); or listen on 127.0.0.1, "
            "[::1] or unix:PATH, behind a proxy that terminates TLS", setting, text);
    return 0;
}

socklen_t
stele_http_address_size (const stele_http_address_t *self)
{
    switch (self->any.sa_family) {
        case AF_UNIX:
            return (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (self->un.sun_path) + 1);
        case AF_INET:
            return sizeof self->in;
        default:
            return sizeof self->in6;
    }
}
