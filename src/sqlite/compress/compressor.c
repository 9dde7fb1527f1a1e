/*  compressor - zstd compression context, one per thread

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>
#include "sqlite/compress/compressor.h"

//  Below this a frame without a dictionary does not pay
#define FROM_WITHOUT_DICTIONARY 256
#define SMALL_BELOW 4096                // Larger texts repeat enough themselves
#define LEVEL 3
//  For small texts: tables of 96 KiB in all, which stay in the CPU cache, instead of 384
#define SMALL_HASH_LOG 14
#define SMALL_CHAIN_LOG 13

struct stele_compressor {
    ZSTD_CCtx *context;             // Created when first needed
    ZSTD_CDict *dictionary;         // NULL: none
    ZSTD_CCtx *small;               // With the dictionary, for small texts
};

static ZSTD_CCtx *
s_small (const void *data, size_t size)
{
    ZSTD_CCtx *small = ZSTD_createCCtx ();
    if (small
    && (ZSTD_isError (ZSTD_CCtx_setParameter (small, ZSTD_c_compressionLevel, LEVEL))
    ||  ZSTD_isError (ZSTD_CCtx_setParameter (small, ZSTD_c_hashLog, SMALL_HASH_LOG))
    ||  ZSTD_isError (ZSTD_CCtx_setParameter (small, ZSTD_c_chainLog, SMALL_CHAIN_LOG))
    ||  ZSTD_isError (ZSTD_CCtx_loadDictionary (small, data, size)))) {
        ZSTD_freeCCtx (small);
        return NULL;
    }
    return small;
}

stele_compressor_t *
stele_compressor_new (const void *dictionary, size_t size)
{
    stele_compressor_t *self = calloc (1, sizeof *self);
    if (!self || !dictionary)
        return self;
    self->dictionary = ZSTD_createCDict (dictionary, size, LEVEL);
    self->small = self->dictionary? s_small (dictionary, size): NULL;
    if (!self->small)
        stele_compressor_destroy (&self);
    return self;
}

void
stele_compressor_destroy (stele_compressor_t **self_p)
{
    assert (self_p);
    stele_compressor_t *self = *self_p;
    if (!self)
        return;
    ZSTD_freeCCtx (self->context);
    ZSTD_freeCDict (self->dictionary);
    ZSTD_freeCCtx (self->small);
    free (self);
    *self_p = NULL;
}

bool
stele_compressor_takes (const stele_compressor_t *self, size_t size)
{
    return size >= (self->dictionary? STELE_COMPRESSOR_FROM: FROM_WITHOUT_DICTIONARY);
}

size_t
stele_compressor_pack (stele_compressor_t *self, const void *data, size_t size, void *room)
{
    //  The buffer is as large as a frame that pays: zstd stops early if it does not fit
    size_t most = stele_compressor_room (size);
    size_t packed;
    if (self->dictionary && size < SMALL_BELOW)
        packed = ZSTD_compress2 (self->small, room, most, data, size);
    else {
        if (!self->context)
            self->context = ZSTD_createCCtx ();
        if (!self->context)
            return 0;
        packed = self->dictionary?
            ZSTD_compress_usingCDict (self->context, room, most, data, size, self->dictionary):
            ZSTD_compressCCtx (self->context, room, most, data, size, LEVEL);
    }
    return ZSTD_isError (packed)? 0: packed;
}
