/*  upstream_link - a connection for requests, to one of several nodes at a time

    The upstream owns two, and reads and changes their state.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_UPSTREAM_LINK_H_INCLUDED
#define STELE_HTTP_UPSTREAM_LINK_H_INCLUDED

#include <czmq.h>
#include "client/connection/endpoints.h"
#include "client/connection/handshake.h"

typedef struct {
    stele_endpoints_t *endpoints;
    const stele_key_t *given, *key; // What was given, and what counts at this endpoint; NULL: none
    char *endpoint;                 // Of the socket
    zsock_t *socket, *monitor;      // NULL: not open
    stele_handshake_t handshake;
    bool refused, connected;
    bool moving;                    // The next attempt is at the next node
    int attempts;                   // Since it was connected
    int64_t opened_ms, heard_ms;    // Steady clock
    int64_t due_ms;                 // Steady clock: when to open it again; 0: libzmq connects again
} http_link_t;

/*  Zeroed before. The key, if not NULL, must outlive it.                    */
void
    http_link_init (http_link_t *self, const char *endpoints, const stele_key_t *key);

/*  Frees what it holds.                                                     */
void
    http_link_clear (http_link_t *self);

/*  Connect to the current endpoint; it is not open. Returns 0, or STELE_EINVALID_FIELD with the refusal. */
int
    http_link_open (http_link_t *self, stele_refusal_t *refusal);

/*  Drop the connection, with all messages in flight.                        */
void
    http_link_close (http_link_t *self);

/*  Has it waited too long for one of several nodes?                         */
bool
    http_link_is_mute (const http_link_t *self, int64_t now_ms);

/*  Is it time to open it again?                                             */
bool
    http_link_is_due (const http_link_t *self, int64_t now_ms);

#endif
