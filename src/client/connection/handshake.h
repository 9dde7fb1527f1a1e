/*  handshake - the outcome of attempts to connect, with a key or without

    libzmq reports it only to the monitor of a socket. After most failures it does not try again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HANDSHAKE_H_INCLUDED
#define STELE_HANDSHAKE_H_INCLUDED

#include <stdint.h>
#include "client/connection/key.h"
#include "model/refusal.h"

/*  Events to monitor a socket for.                                          */
#define STELE_HANDSHAKE_EVENTS (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL \
    | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/*  Zeroed for an endpoint; stele_handshake_restart when a socket connects to it again.  */
typedef struct {
    bool succeeded;                 // Once, at least
    int closed;                     // Handshakes in a row that the other side ended
    stele_refusal_t refusal;        // Code 0: not refused, as far as is known
} stele_handshake_t;

void
    stele_handshake_restart (stele_handshake_t *self);

/*  Take one event of the monitor and its value, of a connection to that endpoint with that key (NULL: none).
    Returns true for a handshake that succeeded. After one that shows that no later one can succeed either, the refusal
    has STELE_EUNAUTHORIZED, the reason, and the way out.                    */
bool
    stele_handshake_event (stele_handshake_t *self, uint16_t event, uint32_t value, const char *endpoint,
        const stele_key_t *key);

#endif
