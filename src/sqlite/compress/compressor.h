/*  compressor - what one thread makes frames of zstd with

    Two threads of a writer have one each, of the same dictionary: what they make of a text
    is the same.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COMPRESSOR_H_INCLUDED
#define STELE_COMPRESSOR_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

/*  No text below this is ever worth it.                                     */
#define STELE_COMPRESSOR_FROM 64

typedef struct stele_compressor stele_compressor_t;

/*  With that dictionary, which is copied; NULL, 0: without one. NULL: out of memory. Caller owns
    return value.                                                            */
stele_compressor_t *
    stele_compressor_new (const void *dictionary, size_t size);
void
    stele_compressor_destroy (stele_compressor_t **self_p);

/*  Is a text of that size worth trying?                                     */
bool
    stele_compressor_takes (const stele_compressor_t *self, size_t size);

/*  The most that a frame of so many bytes may have to be worth it.          */
static inline size_t
stele_compressor_room (size_t size)
{
    return size - size / 10;
}

/*  Into room of that many bytes. Returns the frame's size, 0 where it does not pay, or memory
    is short.                                                                */
size_t
    stele_compressor_pack (stele_compressor_t *self, const void *data, size_t size, void *room);

#endif
