/*  address - the syntax of a ZeroMQ endpoint

      tcp://HOST:PORT      HOST is *, an IPv4 address, [IPv6], a host name or a network interface;
                           PORT is 1 to 65535, or * where the broker listens on any free port
      ipc://PATH           a Unix socket; a path that starts with @ is an abstract name
      inproc://NAME        in the same process only

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ADDRESS_H_INCLUDED
#define STELE_ADDRESS_H_INCLUDED

#include <stdbool.h>
#include "model/refusal.h"

typedef enum { STELE_ADDRESS_TCP, STELE_ADDRESS_IPC, STELE_ADDRESS_INPROC } stele_address_kind_t;

typedef struct {
    stele_address_kind_t kind;
    char host [256];                // tcp: without brackets
    bool is_ipv6;                   // tcp: the host was in brackets
    int port;                       // tcp: 0 is any (*)
    const char *path;               // ipc, inproc: the rest of the endpoint, borrowed
} stele_address_t;

/*  Parse one endpoint to listen on ('listens') or to connect to. Returns 0, or STELE_EINVALID_FIELD with
    a refusal that names the setting and the part that is wrong.             */
int
    stele_address_parse (stele_address_t *self, const char *setting, const char *endpoint, bool listens,
        stele_refusal_t *refusal);

/*  Take the first endpoint of a list, which then starts after it: endpoints are separated by commas, and a comma
    separates only if tcp://, ipc:// or inproc:// follows, since a path may have commas. Spaces around endpoints are left
    out. Caller owns return value. NULL: the list is at its end.             */
char *
    stele_address_take (const char **list);

#endif
