/*  wait - wait for sockets until a deadline

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WAIT_H_INCLUDED
#define STELE_WAIT_H_INCLUDED

#include <stdint.h>
#include <zmq.h>

/*  The deadline timeout_ms from now, in milliseconds of the monotonic clock (zclock_mono);
    never for a negative timeout.                                            */
int64_t
    stele_wait_deadline (int timeout_ms);

/*  Poll until an item is ready or the deadline has passed. Returns the number of ready
    items; also 0 after a signal that czmq treats as an interrupt (zsys_interrupted), so
    that Ctrl-C ends a wait.                                                 */
int
    stele_wait_poll (zmq_pollitem_t *items, int count, int64_t deadline_ms);

#endif
