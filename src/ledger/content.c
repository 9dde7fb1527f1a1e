/*  content - zstd for what is large, itself for what is not

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>
#include "ledger/content.h"
#include "stele_error.h"

//  Below this a frame saves less than a row's page is likely to waste
#define COMPRESS_FROM 512
#define LEVEL 3

struct stele_content {
    ZSTD_CCtx *compressor;          // Made when first needed: readers never do
    ZSTD_DCtx *expander;
    void *buffer;
    size_t buffer_size;
};

stele_content_t *
stele_content_new (void)
{
    stele_content_t *self = calloc (1, sizeof *self);
    assert (self);
    return self;
}

void
stele_content_destroy (stele_content_t **self_p)
{
    assert (self_p);
    stele_content_t *self = *self_p;
    if (!self)
        return;
    ZSTD_freeCCtx (self->compressor);
    ZSTD_freeDCtx (self->expander);
    free (self->buffer);
    free (self);
    *self_p = NULL;
}

static void
s_reserve (stele_content_t *self, size_t size)
{
    if (size <= self->buffer_size)
        return;
    free (self->buffer);
    self->buffer = malloc (size);
    assert (self->buffer);
    self->buffer_size = size;
}

stele_encoding_t
stele_content_pack (stele_content_t *self, const stele_value_t *value,
    const void **data, size_t *size)
{
    assert (value->kind == STELE_VALUE_TEXT || value->kind == STELE_VALUE_BYTES);
    //  Where there is nothing to point at, NULL would be stored as NULL
    *data = value->size? value->text: "";
    *size = value->size;
    if (value->size < COMPRESS_FROM)
        return STELE_ENCODING_PLAIN;

    if (!self->compressor) {
        self->compressor = ZSTD_createCCtx ();
        assert (self->compressor);
    }
    //  The room it has is what it may take to be worth it: it gives up early otherwise
    size_t worth_it = value->size - value->size / 10;
    s_reserve (self, worth_it);
    size_t packed = ZSTD_compressCCtx (self->compressor, self->buffer, worth_it,
        value->text, value->size, LEVEL);
    if (ZSTD_isError (packed))
        return STELE_ENCODING_PLAIN;
    *data = self->buffer;
    *size = packed;
    return value->kind == STELE_VALUE_TEXT? STELE_ENCODING_ZSTD_TEXT: STELE_ENCODING_ZSTD_BYTES;
}

//  Expand one frame into the record's arena
static int
s_expand (stele_content_t *self, const void *data, size_t size, stele_record_t *record,
    const char **text, size_t *text_size)
{
    //  The frame's word on its size is checked before it is believed
    unsigned long long whole = size? ZSTD_getFrameContentSize (data, size): 0;
    if (whole == 0 || whole == ZSTD_CONTENTSIZE_UNKNOWN || whole == ZSTD_CONTENTSIZE_ERROR
    ||  whole > STELE_LIMIT_CONTENT)
        return STELE_ELEDGER;
    if (!self->expander) {
        self->expander = ZSTD_createDCtx ();
        assert (self->expander);
    }
    char *room = stele_record_alloc (record, whole);
    size_t expanded = ZSTD_decompressDCtx (self->expander, room, whole, data, size);
    if (expanded != whole)
        return STELE_ELEDGER;
    *text = room;
    *text_size = whole;
    return 0;
}

int
stele_content_unpack (stele_content_t *self, stele_encoding_t encoding, bool is_text,
    const void *data, size_t size, stele_record_t *record, stele_field_t field)
{
    const char *text = size? data: "";
    if (encoding != STELE_ENCODING_PLAIN) {
        if (encoding != STELE_ENCODING_ZSTD_TEXT && encoding != STELE_ENCODING_ZSTD_BYTES)
            return STELE_ELEDGER;
        if (s_expand (self, data, size, record, &text, &size))
            return STELE_ELEDGER;
        is_text = encoding == STELE_ENCODING_ZSTD_TEXT;
    }
    if (is_text)
        stele_record_set_text (record, field, text, size);
    else
        stele_record_set_bytes (record, field, text, size);
    return 0;
}
