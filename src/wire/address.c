/*  address - the syntax of a ZeroMQ endpoint

    libzmq reads a port as far as it is a number and keeps its last 16 bits, and czmq reads the first
    character as a command: neither is an error there, so it is one here.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include "base/memory.h"
#include "wire/address.h"

//  Longest path of a Unix socket; the structure has room for a zero at its end
#define PATH_BYTES_MAX (sizeof ((struct sockaddr_un *) 0)->sun_path - 1)

typedef struct {
    const char *setting, *endpoint;
    bool listens;
    stele_refusal_t *refusal;
} s_parse_t;

static int
s_wrong (const s_parse_t *parse, const char *reason)
{
    return stele_refuse (parse->refusal, STELE_EINVALID_FIELD, parse->setting, "%s: '%.200s': %s",
        parse->setting, parse->endpoint, reason);
}

static int
s_parse_port (const s_parse_t *parse, const char *text, int *port)
{
    *port = 0;
    if (strcmp (text, "*") == 0)
        return parse->listens? 0: s_wrong (parse, "the port * is only for listening: use a number from 1 to 65535");
    size_t digits = strspn (text, "0123456789");
    if (digits > 0 && digits <= 5 && !text [digits])
        *port = atoi (text);
    if (*port < 1 || *port > 65535)
        return s_wrong (parse, parse->listens?
            "the port is not a number from 1 to 65535, or * for any free port":
            "the port is not a number from 1 to 65535");
    return 0;
}

//  An IPv6 address, perhaps with the zone %eth0
static bool
s_is_ipv6 (const char *host)
{
    unsigned char address [sizeof (struct in6_addr)];
    char text [INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    if (strlen (host) >= sizeof text)
        return false;
    strcpy (text, host);
    char *zone = strchr (text, '%');
    if (zone)
        *zone = 0;
    return inet_pton (AF_INET6, text, address) == 1;
}

//  Digits and dots that are not an address are a mistake, not a name
static bool
s_is_host (const char *host)
{
    unsigned char address [sizeof (struct in_addr)];
    if (strspn (host, "0123456789.") == strlen (host))
        return inet_pton (AF_INET, host, address) == 1;
    size_t valid = strspn (host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    return host [valid] == 0 && *host != '-' && *host != '.';
}

static int
s_parse_tcp (stele_address_t *self, const s_parse_t *parse, const char *text)
{
    if (strpbrk (text, ",;"))
        return s_wrong (parse, "this is a list: give one endpoint");
    const char *colon = strrchr (text, ':');
    if (!colon || strchr (colon, ']'))
        return s_wrong (parse, "the port is missing: write tcp://HOST:PORT");
    size_t size = (size_t) (colon - text);
    self->is_ipv6 = *text == '[';
    if (self->is_ipv6 && (size < 3 || text [size - 1] != ']'))
        return s_wrong (parse, "the address in brackets is incomplete: write tcp://[::1]:PORT");
    if (self->is_ipv6) {
        text++;
        size -= 2;
    }
    if (size == 0)
        return s_wrong (parse, "the host is missing: write an address, a name, or * for all addresses");
    if (size >= sizeof self->host)
        return s_wrong (parse, "the host is too long");
    memcpy (self->host, text, size);
    self->host [size] = 0;
    if (self->is_ipv6 && !s_is_ipv6 (self->host))
        return s_wrong (parse, "the address in brackets is not an IPv6 address");
    if (!self->is_ipv6 && strchr (self->host, ':'))
        return s_wrong (parse, "an IPv6 address needs brackets: write tcp://[::1]:PORT");
    if (strcmp (self->host, "*") == 0 && !parse->listens)
        return s_wrong (parse, "the host * is only for listening: write an address or a name");
    if (!self->is_ipv6 && strcmp (self->host, "*") != 0 && !s_is_host (self->host))
        return s_wrong (parse, "the host is not an address or a name");
    return s_parse_port (parse, colon + 1, &self->port);
}

static int
s_parse_path (stele_address_t *self, const s_parse_t *parse, const char *text)
{
    self->path = text;
    if (!*text)
        return s_wrong (parse, "the name after :// is missing");
    if (self->kind == STELE_ADDRESS_IPC && strlen (text) > PATH_BYTES_MAX)
        return s_wrong (parse, "the path is longer than 107 bytes, the limit for a Unix socket: use a shorter one");
    if (self->kind == STELE_ADDRESS_IPC && strcmp (text, "*") == 0 && !parse->listens)
        return s_wrong (parse, "the path * is only for listening");
    //  zsock_bind and zsock_attach would take it for a list
    if (strstr (text, ",tcp://") || strstr (text, ",ipc://") || strstr (text, ",inproc://"))
        return s_wrong (parse, "this is a list: give one endpoint");
    return 0;
}

int
stele_address_parse (stele_address_t *self, const char *setting, const char *endpoint, bool listens,
    stele_refusal_t *refusal)
{
    s_parse_t parse = { setting, endpoint, listens, refusal };
    *self = (stele_address_t) { .kind = STELE_ADDRESS_TCP };
    if (*endpoint == '>' || *endpoint == '@')
        return s_wrong (&parse, *endpoint == '>'?
            "'>' (connect) does not belong to an endpoint: remove it":
            "'@' (bind) does not belong to an endpoint: remove it");
    if (strncmp (endpoint, "tcp://", 6) == 0)
        return s_parse_tcp (self, &parse, endpoint + 6);
    if (strncmp (endpoint, "ipc://", 6) == 0) {
        self->kind = STELE_ADDRESS_IPC;
        return s_parse_path (self, &parse, endpoint + 6);
    }
    if (strncmp (endpoint, "inproc://", 9) == 0) {
        self->kind = STELE_ADDRESS_INPROC;
        return s_parse_path (self, &parse, endpoint + 9);
    }
    return s_wrong (&parse, "not an endpoint: write tcp://HOST:PORT, ipc://PATH or inproc://NAME");
}

static bool
s_is_endpoint (const char *text)
{
    text += strspn (text, " ");
    return strncmp (text, "tcp://", 6) == 0 || strncmp (text, "ipc://", 6) == 0 || strncmp (text, "inproc://", 9) == 0;
}

char *
stele_address_take (const char **list)
{
    const char *text = *list + strspn (*list, " ");
    if (!*text)
        return NULL;
    const char *end = strchr (text, ',');
    while (end && !s_is_endpoint (end + 1))
        end = strchr (end + 1, ',');
    size_t size = end? (size_t) (end - text): strlen (text);
    *list = text + size + (end != NULL);
    while (size > 0 && text [size - 1] == ' ')
        size--;
    return stele_memory_copy (text, size);
}
