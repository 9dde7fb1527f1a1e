/*  endpoint - check whether a process listens on an ipc:// endpoint

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // struct ucred
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "broker/common/endpoint.h"

//  Longest time to wait for libzmq to close an endpoint of this process
#define OWN_WAIT_MS     1000
#define OWN_STEP_MS     5

typedef enum { UNUSED, OWN, TAKEN } s_use_t;

//  Which process listens on the Unix socket with that path; '@' starts an abstract name, as in libzmq.
static s_use_t
s_use (const char *path, size_t path_size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (path_size == 0 || path_size >= sizeof address.sun_path)
        return UNUSED;                      //  The bind reports the error
    memcpy (address.sun_path, path, path_size);
    if (path [0] == '@')
        address.sun_path [0] = 0;
    int handle = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handle == -1)
        return UNUSED;
    s_use_t use = UNUSED;
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + path_size);
    if (connect (handle, (struct sockaddr *) &address, size) == 0) {
        struct ucred peer = { .pid = 0 };
        socklen_t peer_size = sizeof peer;
        getsockopt (handle, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size);
        use = peer.pid == getpid ()? OWN: TAKEN;
    }
    else
    if (errno == EAGAIN)                    //  Its backlog is full
        use = TAKEN;
    close (handle);
    return use;
}

int
stele_endpoint_check (const char *endpoints)
{
    for (const char *at = endpoints; *at; ) {
        size_t size = strcspn (at, ",");
        const char *name = *at == '@'? at + 1: at;      //  zsock_attach: "@" binds
        size_t name_size = size - (size_t) (name - at);
        at += size + (at [size] == ',');
        if (name_size < 6 || strncmp (name, "ipc://", 6) != 0)
            continue;
        s_use_t use = s_use (name + 6, name_size - 6);
        for (int ms = 0; use == OWN && ms < OWN_WAIT_MS; ms += OWN_STEP_MS) {
            zclock_sleep (OWN_STEP_MS);
            use = s_use (name + 6, name_size - 6);
        }
        if (use != UNUSED) {
            errno = EADDRINUSE;
            return -1;
        }
    }
    return 0;
}
