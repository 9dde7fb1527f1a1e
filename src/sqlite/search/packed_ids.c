/*  packed_ids - find parts of ids in the table of ids of the text index

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // memmem
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/search/packed_ids.h"

#define UUID_BYTES 16               // Its text has four dashes

enum { IDS_FIRST, IDS_SIZE, IDS_KEYS, IDS_IDS };

//  One row, its ids as text
typedef struct {
    int64_t first;
    int size;                       // Of a packed id in bytes, 0: text
    const unsigned char *keys;
    size_t count;
    const char *text;               // Packed ids end with a NUL; others begin with their length
    size_t text_size;
} s_block_t;

static char *
s_unpack (const s_block_t *block, const unsigned char *ids, char *text)
{
    static const char digits [] = "0123456789abcdef";
    char *to = text;
    for (size_t i = 0; i < block->count; i++) {
        for (int byte = 0; byte < block->size; byte++) {
            if (block->size == UUID_BYTES && (byte == 4 || byte == 6 || byte == 8 || byte == 10))
                *to++ = '-';
            *to++ = digits [ids [byte] >> 4];
            *to++ = digits [ids [byte] & 15];
        }
        *to++ = '\0';
        ids += block->size;
    }
    return to;
}

//  The number of the id that contains the byte at that offset
static size_t
s_number (const s_block_t *block, size_t offset)
{
    if (block->size)
        return offset / (size_t) (block->size * 2 + (block->size == UUID_BYTES? 5: 1));
    size_t number = 0;
    for (size_t end = 1 + (unsigned char) block->text [0]; end <= offset; number++)
        end += 1 + (unsigned char) block->text [end];
    return number;
}

static void
s_find (stele_reader_t *self, const s_block_t *block, const char *part, size_t size,
    reader_keys_t *keys)
{
    const char *from = block->text, *end = block->text + block->text_size, *hit;
    while ((hit = memmem (from, (size_t) (end - from), part, size)) != NULL) {
        size_t number = s_number (block, (size_t) (hit - block->text));
        if (number < block->count) {
            const unsigned char *key = block->keys + number * 4;
            reader_keys_add (self, keys, block->first + ((int64_t) key [0] | (int64_t) key [1] << 8
                | (int64_t) key [2] << 16 | (int64_t) key [3] << 24));
        }
        from = hit + 1;
    }
}

int
reader_packed_ids_search (reader_packed_ids_t *self, sqlite3_stmt *row, reader_keys_t *keys)
{
    const unsigned char *ids = sqlite3_column_blob (row, IDS_IDS);
    size_t bytes = (size_t) sqlite3_column_bytes (row, IDS_IDS);
    s_block_t block = {
        .first = sqlite3_column_int64 (row, IDS_FIRST), .size = sqlite3_column_int (row, IDS_SIZE),
        .keys = sqlite3_column_blob (row, IDS_KEYS),
        .count = (size_t) sqlite3_column_bytes (row, IDS_KEYS) / 4,
        .text = (const char *) ids, .text_size = bytes
    };
    if (block.size) {
        //  Two digits a byte, and room for dashes and the NUL
        char *text = stele_array_grow (self->text, &self->room, bytes * 3 + 1, 1);
        if (!text)
            return reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
        self->text = text;
        block.text_size = (size_t) (s_unpack (&block, ids, self->text) - self->text);
        block.text = self->text;
    }
    const char *part;
    size_t size;
    for (size_t i = 0; (part = stele_match_part (self->match, i, &size)) != NULL; i++)
        if (size > 0)
            s_find (self->reader, &block, part, size, keys);
    self->count += block.count;
    return self->reader->status;
}

void
reader_packed_ids_close (reader_packed_ids_t *self)
{
    free (self->text);
    self->text = NULL;
    self->room = 0;
}
