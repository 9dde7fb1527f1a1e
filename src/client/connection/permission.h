/*  permission - check whether this process may use the socket of an endpoint

    libzmq retries a connection silently and without end, whatever the reason of its failure.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PERMISSION_H_INCLUDED
#define STELE_PERMISSION_H_INCLUDED

#include "model/refusal.h"

/*  Check whether this process may use the socket of an ipc endpoint. Returns 0, also for other
    endpoints and if the socket does not exist (yet), or STELE_EUNAUTHORIZED with a refusal.  */
int
    stele_permission_check (const char *endpoint, stele_refusal_t *refusal);

#endif
