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
    assert (size == sizeof identity);
    memcpy (&identity, data, sizeof identity);
    return identity;
}

/*  NULL frame: an actor of this broker.                                     */
static inline const stele_identity_t *
stele_identity_of_frame (zframe_t *frame)
{
    return frame? stele_identity_of_bytes (zframe_data (frame), zframe_size (frame)): &stele_identity_local;
}

#endif
