/*  endpoint - take no ipc:// name that is in use, give an inproc:// name back at once

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENDPOINT_H_INCLUDED
#define STELE_ENDPOINT_H_INCLUDED

#include <czmq.h>

/*  Before a socket is bound to what 'endpoints' names (one, or several with commas between).
    libzmq removes the file of an ipc:// endpoint and makes it anew, whether or not somebody
    listens there: the peers of a broker that runs would go over to the new one, unnoticed.
    What a broker that is dead left behind refuses to connect, and is free. Two that start in
    the same instant may still both find it free. Returns 0, or -1 with EADDRINUSE in errno. */
int
stele_endpoint_check (const char *endpoints);

/*  Before a bound socket is destroyed. libzmq closes in the background, and until it has,
    a broker started anew in the same process would find the name taken.     */
static inline void
stele_endpoint_release (zsock_t *socket)
{
    const char *endpoint = socket? zsock_endpoint (socket): NULL;
    if (endpoint && strncmp (endpoint, "inproc://", 9) == 0)
        zsock_unbind (socket, "%s", endpoint);
}

#endif
