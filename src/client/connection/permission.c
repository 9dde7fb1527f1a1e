/*  permission - check whether this process may use the socket of an endpoint

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "client/connection/permission.h"

int
stele_permission_check (const char *endpoint, stele_refusal_t *refusal)
{
    static const char ipc [] = "ipc://";
    const char *path = endpoint + sizeof ipc - 1;
    //  A name that begins with @ is not in the file system
    if (strncmp (endpoint, ipc, sizeof ipc - 1) != 0 || *path == '@')
        return 0;
    //  A connection to a socket needs the permission to write
    if (faccessat (AT_FDCWD, path, W_OK, AT_EACCESS) == 0 || errno != EACCES)
        return 0;
    return stele_refuse (refusal, STELE_EUNAUTHORIZED, "endpoint", "permission denied for the socket %.160s: "
        "run as a user who may write to it and enter its directory, or change their mode or owner", path);
}
