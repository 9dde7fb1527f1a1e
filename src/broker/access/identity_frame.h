/*  identity_frame - an identity in a message between actors of this process

    Identities of keys live until the broker ends, so that their address is enough.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_IDENTITY_FRAME_H_INCLUDED
#define STELE_IDENTITY_FRAME_H_INCLUDED

#include <czmq.h>
#include "broker/access/identity.h"

/*  Most bytes of an address of a peer, with the NUL                          */
#define STELE_PEER_SIZE 48

/*  Caller owns return value.                                                */
static inline zframe_t *
stele_identity_frame (const stele_identity_t *identity)
{
    return zframe_new (&identity, sizeof identity);
}

static inline const stele_identity_t *
stele_identity_of_bytes (const void *data, size_t size)
{
    const stele_identity_t *identity;
    assert (size >= sizeof identity);
    memcpy (&identity, data, sizeof identity);
    return identity;
}

/*  The same with the address of the peer ("": not known) after the identity, for the mailbox of the writer. */
static inline zframe_t *
stele_sender_frame (const stele_identity_t *identity, const char *peer)
{
    zframe_t *frame = zframe_new (NULL, sizeof identity + strlen (peer));
    memcpy (zframe_data (frame), &identity, sizeof identity);
    memcpy (zframe_data (frame) + sizeof identity, peer, strlen (peer));
    return frame;
}

static inline void
stele_peer_of_bytes (const void *data, size_t size, char peer [STELE_PEER_SIZE])
{
    snprintf (peer, STELE_PEER_SIZE, "%.*s", (int) (size - sizeof (stele_identity_t *)),
        (const char *) data + sizeof (stele_identity_t *));
}

/*  NULL frame: an actor of this broker.                                     */
static inline const stele_identity_t *
stele_identity_of_frame (zframe_t *frame)
{
    return frame? stele_identity_of_bytes (zframe_data (frame), zframe_size (frame)): &stele_identity_local;
}

#endif
