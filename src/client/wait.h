/*  wait - wait for sockets until a moment

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WAIT_H_INCLUDED
#define STELE_WAIT_H_INCLUDED

#include <stdint.h>
#include <zmq.h>

/*  The moment timeout_ms from now by the monotonic clock; -1 is never.      */
int64_t
    stele_wait_deadline (int timeout_ms);

/*  Poll until one of the items is ready or the moment has come. Returns how
    many are ready; 0 also where a signal arrived that czmq takes for an
    interrupt (zsys_interrupted): a Ctrl-C ends a wait.                      */
int
    stele_wait_poll (zmq_pollitem_t *items, int count, int64_t deadline_ms);

#endif
