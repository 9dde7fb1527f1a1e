/*  wait - wait for sockets until a deadline

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "client/connection/wait.h"

#define WAIT_SLICE_MS 3600000       // poll takes an int of milliseconds

int64_t
stele_wait_deadline (int timeout_ms)
{
    return timeout_ms < 0? INT64_MAX: zclock_mono () + timeout_ms;
}

int
stele_wait_poll (zmq_pollitem_t *items, int count, int64_t deadline_ms)
{
    while (true) {
        int64_t left_ms = deadline_ms - zclock_mono ();
        if (left_ms < 0)
            left_ms = 0;
        bool last = left_ms <= WAIT_SLICE_MS;
        int ready = zmq_poll (items, count, last? (long) left_ms: WAIT_SLICE_MS);
        if (ready > 0)
            return ready;
        if (ready < 0 && (errno != EINTR || zsys_interrupted))
            return 0;
        if (ready == 0 && last)
            return 0;
    }
}
