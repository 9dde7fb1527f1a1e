/*  envelope - the frames around a request

    A REQ sends [][request], a correlating one [id][][request], and each hop
    through a ROUTER prepends an identity. The frames before the request are sent back
    unchanged before the answer.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENVELOPE_H_INCLUDED
#define STELE_ENVELOPE_H_INCLUDED

#include <czmq.h>
#include "model/refusal.h"

/*  Split what a ROUTER received; destroys 'frames'. Caller owns *envelope and *body.
    Returns 0, or STELE_EBAD_REQUEST with a refusal; then *body is NULL, and *envelope is
    where to send the refusal, or NULL where no REQ or DEALER would send such frames. */
int
    stele_envelope_open (zmsg_t **frames_p, zmsg_t **envelope, zframe_t **body,
        stele_refusal_t *refusal);

/*  The identity of a peer, of at most 255 bytes, as a key of hexadecimal digits. */
#define STELE_ENVELOPE_KEY 512
void
    stele_envelope_key (const void *id, size_t size, char key [STELE_ENVELOPE_KEY]);

#endif
