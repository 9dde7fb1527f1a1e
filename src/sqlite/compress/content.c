/*  content - text and bytes, compressed if that saves space

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include "model/field.h"
#include "sqlite/compress/compress_ahead.h"
#include "sqlite/compress/content.h"
#include "sqlite/sql/sql.h"
#include "stele_error.h"
#include "wire/json/json.h"

#define SAMPLES_BELOW 4096              // Larger texts repeat enough themselves

struct stele_content {
    stele_dictionaries_t *dictionaries;
    stele_compress_ahead_t *ahead;  // Of a writer, created with the first offer
    bool alone;                     // It could not be created, or there is only one processor
    ZSTD_DCtx *expander;
    void *buffer;
    size_t buffer_size;
    int error;
};

stele_content_t *
stele_content_new (sqlite3 *db)
{
    stele_content_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->dictionaries = stele_dictionaries_new (db);
    if (!self->dictionaries)
        stele_content_destroy (&self);
    return self;
}

void
stele_content_destroy (stele_content_t **self_p)
{
    assert (self_p);
    stele_content_t *self = *self_p;
    if (!self)
        return;
    stele_compress_ahead_destroy (&self->ahead);
    stele_dictionaries_destroy (&self->dictionaries);
    ZSTD_freeDCtx (self->expander);
    free (self->buffer);
    free (self);
    *self_p = NULL;
}

static bool
s_reserve (stele_content_t *self, size_t size)
{
    if (size <= self->buffer_size)
        return true;
    free (self->buffer);
    self->buffer = malloc (size);
    self->buffer_size = self->buffer? size: 0;
    return self->buffer != NULL;
}

void
stele_content_offer (stele_content_t *self, const void *message, size_t size)
{
    if (!stele_dictionaries_compressor (self->dictionaries))
        return;
    if (!self->ahead && !self->alone && sysconf (_SC_NPROCESSORS_ONLN) > 1)
        self->ahead = stele_compress_ahead_new ();
    self->alone = !self->ahead;
    const void *data;
    size_t data_size;
    unsigned id = stele_dictionaries_newest (self->dictionaries, &data, &data_size);
    if (self->ahead && stele_compress_ahead_use (self->ahead, id, data, data_size) == 0)
        stele_compress_ahead_offer (self->ahead, message, size);
}

void
stele_content_done (stele_content_t *self, const void *message)
{
    if (self->ahead)
        stele_compress_ahead_drop (self->ahead, message);
}

//  Set *data to the frame. Returns its size, 0 if it does not pay or memory is short: store it plain
static size_t
s_compress (stele_content_t *self, stele_compressor_t *compressor, const stele_value_t *value, const void **data)
{
    size_t packed;
    if (self->ahead && stele_compress_ahead_take (self->ahead, value->text, value->size, data, &packed))
        return packed;
    if (!s_reserve (self, stele_compressor_room (value->size)))
        return 0;
    *data = self->buffer;
    return stele_compressor_pack (compressor, value->text, value->size, self->buffer);
}

stele_encoding_t
stele_content_pack (stele_content_t *self, const stele_value_t *value,
    const void **data, size_t *size)
{
    assert (value->kind >= STELE_VALUE_TEXT && value->kind <= STELE_VALUE_JSON);
    //  A NULL pointer would be stored as NULL
    *data = value->size? value->text: "";
    *size = value->size;
    //  Statements recognise erased events by the text of their column extra (write/erase.c, the triggers)
    if (value->size < STELE_COMPRESSOR_FROM || stele_value_erased (value))
        return STELE_ENCODING_PLAIN;
    stele_compressor_t *compressor = stele_dictionaries_compressor (self->dictionaries);
    if (value->size < SAMPLES_BELOW && value->kind != STELE_VALUE_BYTES)
        stele_dictionaries_sample (self->dictionaries, value->text, value->size);
    if (!compressor || !stele_compressor_takes (compressor, value->size))
        return STELE_ENCODING_PLAIN;
    const void *frame;
    size_t packed = s_compress (self, compressor, value, &frame);
    if (packed == 0)
        return STELE_ENCODING_PLAIN;
    *data = frame;
    *size = packed;
    return value->kind == STELE_VALUE_BYTES? STELE_ENCODING_ZSTD_BYTES: STELE_ENCODING_ZSTD_TEXT;
}

void
stele_content_bind (stele_content_t *self, sqlite3_stmt *stmt, int index, const stele_value_t *value)
{
    const void *data;
    size_t size;
    if (value->kind != STELE_VALUE_NONE
    &&  stele_content_pack (self, value, &data, &size) != STELE_ENCODING_PLAIN)
        stele_sql_bound (sqlite3_bind_blob (stmt, index, data, (int) size, SQLITE_TRANSIENT));
    else
        stele_sql_bind_value (stmt, index, value);
}

int
stele_content_learn (stele_content_t *self)
{
    return stele_dictionaries_ready (self->dictionaries)?
        stele_dictionaries_learn (self->dictionaries): 0;
}

static size_t
s_decompress (stele_content_t *self, void *room, size_t whole, const void *data, size_t size)
{
    if (!self->expander)
        self->expander = ZSTD_createDCtx ();
    if (!self->expander)
        return 0;
    unsigned id = ZSTD_getDictID_fromFrame (data, size);
    if (id == 0)
        return ZSTD_decompressDCtx (self->expander, room, whole, data, size);
    const ZSTD_DDict *dictionary = stele_dictionaries_find (self->dictionaries, id);
    if (!dictionary)
        return 0;
    return ZSTD_decompress_usingDDict (self->expander, room, whole, data, size, dictionary);
}

//  Expand one frame into the record's arena
static int
s_expand (stele_content_t *self, const void *data, size_t size, stele_record_t *record,
    const char **text, size_t *text_size)
{
    //  The size that the frame claims is not trusted
    unsigned long long whole = size? ZSTD_getFrameContentSize (data, size): 0;
    if (whole == 0 || whole == ZSTD_CONTENTSIZE_UNKNOWN || whole == ZSTD_CONTENTSIZE_ERROR
    ||  whole > STELE_JSON_SIZE_MAX)        // The changes of an update may be longer than any content
        return STELE_ELEDGER;
    char *room = stele_record_alloc (record, whole);
    if (!room)
        return STELE_ENO_MEMORY;
    if (s_decompress (self, room, whole, data, size) != whole)
        return self->expander? STELE_ELEDGER: STELE_ENO_MEMORY;
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
        int code = s_expand (self, data, size, record, &text, &size);
        if (code)
            return code;
        is_text = encoding == STELE_ENCODING_ZSTD_TEXT;
    }
    if (is_text)
        stele_record_set_text (record, field, text, size);
    else
        stele_record_set_bytes (record, field, text, size);
    return 0;
}

const char *
stele_content_column (stele_content_t *self, sqlite3_stmt *stmt, int column,
    stele_record_t *record, size_t *size)
{
    const char *text;
    int type = sqlite3_column_type (stmt, column);
    if (type == SQLITE_BLOB) {
        const void *data = sqlite3_column_blob (stmt, column);
        int bytes = sqlite3_column_bytes (stmt, column);
        self->error = bytes && !data? STELE_ENO_MEMORY:
            s_expand (self, data, (size_t) bytes, record, &text, size);
        return self->error? NULL: text;
    }
    text = (const char *) sqlite3_column_text (stmt, column);
    *size = (size_t) sqlite3_column_bytes (stmt, column);
    self->error = STELE_ENO_MEMORY;
    return text || type != SQLITE_NULL? text: "";
}

int
stele_content_error (const stele_content_t *self)
{
    return self->error;
}
