/*  endpoint - refuse ipc:// names that are in use, release inproc:// names at once

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENDPOINT_H_INCLUDED
#define STELE_ENDPOINT_H_INCLUDED

#include <czmq.h>

/*  Call before binding a socket to 'endpoints' (one, or several separated by commas). libzmq replaces the
    file of an ipc:// endpoint even if another process listens there, and the peers of that broker
    would silently move to the new one. A file that a dead broker left refuses connections, and
    counts as free. Two brokers that start at the same instant can both find it free.
    Returns 0, or -1 with EADDRINUSE in errno.                               */
int
    stele_endpoint_check (const char *endpoints);

/*  Call before destroying a bound socket. libzmq closes in the background; until then, a broker that is
    restarted in the same process would find the name in use.                */
static inline void
stele_endpoint_release (zsock_t *socket)
{
    const char *endpoint = socket? zsock_endpoint (socket): NULL;
    if (endpoint && strncmp (endpoint, "inproc://", 9) == 0)
        zsock_unbind (socket, "%s", endpoint);
}

#endif
