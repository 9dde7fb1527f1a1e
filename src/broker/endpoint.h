/*  endpoint - give an inproc:// name back at once

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENDPOINT_H_INCLUDED
#define STELE_ENDPOINT_H_INCLUDED

#include <czmq.h>

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
