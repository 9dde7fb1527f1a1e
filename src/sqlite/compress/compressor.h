/*  compressor - zstd compression context, one per thread

    The writer and its helper thread (compress_ahead.h) have one each, with the same
    dictionary, and make the same frames.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COMPRESSOR_H_INCLUDED
#define STELE_COMPRESSOR_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

/*  Shorter texts are never compressed.                                      */
#define STELE_COMPRESSOR_FROM 64

typedef struct stele_compressor stele_compressor_t;

/*  The dictionary is copied; NULL, 0: none. NULL: out of memory. Caller owns return value.  */
stele_compressor_t *
    stele_compressor_new (const void *dictionary, size_t size);
void
    stele_compressor_destroy (stele_compressor_t **self_p);

/*  True if a text of that size is worth trying.                             */
bool
    stele_compressor_takes (const stele_compressor_t *self, size_t size);

/*  The largest size of a frame that pays, for a text of that size.          */
static inline size_t
stele_compressor_room (size_t size)
{
    return size - size / 10;
}

/*  Compress into a buffer of that size. Returns the frame's size, 0 if it does not pay or memory
    is short.                                                                */
size_t
    stele_compressor_pack (stele_compressor_t *self, const void *data, size_t size, void *room);

#endif
