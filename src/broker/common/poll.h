/*  poll - wait for sockets, uninterrupted by signals

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_POLL_H_INCLUDED
#define STELE_POLL_H_INCLUDED

#include <czmq.h>

/*  zmq_poll, but after a signal it returns 0, with nothing ready. A program that embeds the broker may
    handle signals, and the kernel may interrupt any thread. -1: the context ended. */
static inline int
stele_poll (zmq_pollitem_t *items, int count, long timeout_ms)
{
    int rc = zmq_poll (items, count, timeout_ms);
    if (rc < 0 && errno == EINTR) {
        for (int i = 0; i < count; i++)
            items [i].revents = 0;
        rc = 0;
    }
    return rc;
}

#endif
