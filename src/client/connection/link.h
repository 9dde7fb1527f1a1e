/*  link - a socket connected to one endpoint of a list, which reports each new connection

    ZeroMQ reconnects silently, but messages in flight are lost and a restarted broker has
    no state of its clients: after every connection the user of a link must repeat the
    handshake, or check for a gap.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LINK_H_INCLUDED
#define STELE_LINK_H_INCLUDED

#include <czmq.h>
#include "client/connection/endpoints.h"
#include "client/connection/key.h"
#include "model/refusal.h"

typedef struct stele_link stele_link_t;

/*  Create a link that is not open yet. 'type' is a ZMQ socket type, 'endpoint' a list (endpoints.h), key the one to use over tcp
    (NULL: none; it must outlive the link), receive_max the number of messages that may queue for
    receiving, bytes_max the size of the largest message to accept. A REQ socket is relaxed and correlated.
    Caller owns return value.                                                */
stele_link_t *
    stele_link_new (int type, const char *endpoint, const stele_key_t *key, int receive_max, int64_t bytes_max);

/*  Close and destroy. Messages that were sent are delivered in the background, for at
    most linger_ms.                                                          */
void
    stele_link_destroy (stele_link_t **self_p, int linger_ms);

/*  The nodes to which it may connect: after a change, open the link again. Owned by the link. */
stele_endpoints_t *
    stele_link_endpoints (stele_link_t *self);

/*  Open, or drop the connection with all messages in flight and open again, at the current endpoint.
    Returns 0, STELE_EINVALID_FIELD for an invalid endpoint, or STELE_EUNAVAILABLE if the
    process has no socket left.                                              */
int
    stele_link_open (stele_link_t *self, stele_refusal_t *refusal);

/*  Close, and drop what was not sent.                                       */
void
    stele_link_close (stele_link_t *self);

/*  libzmq handles to poll, send and receive; NULL while not open. The monitor is also
    NULL over inproc, where ZeroMQ never reconnects.                         */
void *
    stele_link_socket (const stele_link_t *self);
void *
    stele_link_monitor (const stele_link_t *self);

/*  Has a connection been established since the last call?                   */
bool
    stele_link_connected (stele_link_t *self);

/*  Has a connection been lost, or an attempt failed, since the link was opened? Known only if there were several
    endpoints then: libzmq tries the same one again.                         */
bool
    stele_link_lost (const stele_link_t *self);

/*  Has the broker refused the connection since it was opened, or since the last call? Returns
    STELE_EUNAUTHORIZED with the reason (handshake.h; 'refusal' may be NULL), or 0. Open the link again to try again.  */
int
    stele_link_refused (stele_link_t *self, stele_refusal_t *refusal);

/*  Has the other side ended each handshake so far, without a reason? It may need a key, or another one. */
bool
    stele_link_unwanted (const stele_link_t *self);

/*  Is the endpoint inproc? Then the link must be opened again to reach a broker that
    was restarted.                                                           */
bool
    stele_link_local (const stele_link_t *self);

#endif
