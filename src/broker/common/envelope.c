/*  envelope - the frames around a request

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "broker/common/envelope.h"

#define FRAMES_MAX 16
#define BYTES_MAX 4096

//  Move the frames up to and including the empty one. Returns whether there was an empty one.

static bool
s_move (zmsg_t *from, zmsg_t *to)
{
    zframe_t *frame;
    while ((frame = zmsg_pop (from))) {
        bool empty = zframe_size (frame) == 0;
        zmsg_append (to, &frame);
        if (empty)
            return true;
    }
    return false;
}

//  Without a delimiter only the sender's identity certainly belongs to the envelope: a plain
//  DEALER gets the refusal in the form in which it sent the request

static void
s_keep_identity (zmsg_t *envelope)
{
    while (zmsg_size (envelope) > 1) {
        zframe_t *frame = zmsg_last (envelope);
        zmsg_remove (envelope, frame);
        zframe_destroy (&frame);
    }
}

int
stele_envelope_open (zmsg_t **frames_p, zmsg_t **envelope, zframe_t **body,
    stele_refusal_t *refusal)
{
    zmsg_t *frames = *frames_p;
    *body = NULL;
    *envelope = zmsg_new ();
    int rc = 0;
    if (!s_move (frames, *envelope)) {
        s_keep_identity (*envelope);
        rc = stele_refuse (refusal, STELE_EBAD_REQUEST, NULL,
            "no empty frame before the request: use REQ, or DEALER with that frame");
    }
    else
    if (zmsg_size (*envelope) > FRAMES_MAX || zmsg_content_size (*envelope) > BYTES_MAX) {
        zmsg_destroy (envelope);
        rc = stele_refuse (refusal, STELE_EBAD_REQUEST, NULL, "too many frames or bytes before the request");
    }
    else
    if (zmsg_size (frames) != 1)
        rc = stele_refuse (refusal, STELE_EBAD_REQUEST, NULL,
            "a request is one frame, not %zu", zmsg_size (frames));
    else
        *body = zmsg_pop (frames);
    zmsg_destroy (frames_p);
    return rc;
}

void
stele_envelope_key (const void *id, size_t size, char key [STELE_ENVELOPE_KEY])
{
    static const char hex [] = "0123456789abcdef";
    const unsigned char *bytes = id;
    assert (size <= 255);
    for (size_t i = 0; i < size; i++) {
        key [2 * i] = hex [bytes [i] >> 4];
        key [2 * i + 1] = hex [bytes [i] & 15];
    }
    key [2 * size] = 0;
}
