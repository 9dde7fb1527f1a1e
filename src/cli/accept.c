/*  accept - turn peers away while a few files are left

    The listeners of libzmq call accept4 (or accept); this program has its own, which
    the dynamic linker prefers. Without them, libzmq 4.3.4 ends the process when
    files run out on an ipc:// endpoint (its list of errors to survive lacks EMFILE there), and
    spins at full speed on a tcp:// one until one is free. Here a peer that would take one of the
    last files is hung up on, and tries again by itself; the broker keeps those for
    Redis, SQLite and itself, and who is connected notices nothing.

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
    //  The kernel gives the lowest number that is free
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
