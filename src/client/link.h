/*  link - a socket connected to one endpoint, which tells of each new connection

    ZeroMQ reconnects by itself and says nothing about it, but what was on the
    way is lost and a broker that restarted knows nobody: who holds a link has
    to greet, or to look for a gap, after every connection.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LINK_H_INCLUDED
#define STELE_LINK_H_INCLUDED

#include <czmq.h>
#include "model/refusal.h"

typedef struct stele_link stele_link_t;

/*  A link that is not open: socket type, where to connect, how many messages
    may wait on this side, and the largest to take. Caller owns it.          */
stele_link_t *
    stele_link_new (int type, const char *endpoint, int receive_max, int64_t bytes_max);

/*  Close, giving what was sent at most linger_ms to leave (it leaves in the
    background), and destroy.                                                */
void
    stele_link_destroy (stele_link_t **self_p, int linger_ms);

/*  Open, or drop the connection with all that was on the way and open again.
    Returns 0, or STELE_EINVALID_FIELD for an endpoint that cannot be.       */
int
    stele_link_open (stele_link_t *self, stele_refusal_t *refusal);

/*  Handles of libzmq, to poll, send and receive; NULL while not open. The monitor
    is NULL over inproc, where no connection is ever made anew.              */
void *
    stele_link_socket (const stele_link_t *self);
void *
    stele_link_monitor (const stele_link_t *self);

/*  Was a connection made since the last call?                               */
bool
    stele_link_connected (stele_link_t *self);

/*  Is it inproc? Then it does not find a peer that was restarted by itself. */
bool
    stele_link_local (const stele_link_t *self);

#endif
