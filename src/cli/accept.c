/*  accept - refuse connections while the last few file descriptors are free

    The listeners of libzmq call accept4 (or accept), and the dynamic linker prefers the versions of this
    program. Without file descriptors, libzmq 4.3.4 aborts the process on an ipc:// endpoint (it does not
    handle EMFILE there), and spins at full speed on a tcp:// one until a descriptor is free. Here a
    connection that would take one of the last descriptors is closed, and its peer retries by itself.
    The last descriptors remain for Redis, SQLite and the broker, and connected peers notice
    nothing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_KEPT 16

__attribute__ ((visibility ("default"))) int
    accept4 (int listener, struct sockaddr *restrict address, socklen_t *restrict size, int flags);
__attribute__ ((visibility ("default"))) int
    accept (int listener, struct sockaddr *restrict address, socklen_t *restrict size);

int
accept4 (int listener, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    int peer = (int) syscall (SYS_accept4, listener, address, size, flags);
    struct rlimit limit;
    //  The kernel assigns the lowest free number, so a high number means that few are left
    if (peer >= 0 && getrlimit (RLIMIT_NOFILE, &limit) == 0
    &&  (rlim_t) peer + FILES_KEPT >= limit.rlim_cur) {
        close (peer);
        errno = ECONNABORTED;
        peer = -1;
    }
    else
    if (peer < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        errno = ECONNABORTED;
    return peer;
}

int
accept (int listener, struct sockaddr *restrict address, socklen_t *restrict size)
{
    return accept4 (listener, address, size, 0);
}
