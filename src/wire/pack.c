/*  pack - a growing buffer of msgpack

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <msgpack.h>
#include "wire/pack.h"

#define HEAD_SIZE 5                 // Of map 32 and array 32
#define SHORT_BODY 1024             // Bytes of a map that are moved for a shorter head

struct stele_pack {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    bool failed;                    // Out of memory
    int depth;                      // Begun maps that have not ended
    struct { size_t mark, keys; } maps [STELE_PACK_DEPTH];
};

stele_pack_t *
stele_pack_new (void)
{
    stele_pack_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    msgpack_sbuffer_init (&self->buffer);
    msgpack_packer_init (&self->packer, &self->buffer, msgpack_sbuffer_write);
    return self;
}

void
stele_pack_destroy (stele_pack_t **self_p)
{
    assert (self_p);
    stele_pack_t *self = *self_p;
    if (!self)
        return;
    msgpack_sbuffer_destroy (&self->buffer);
    free (self);
    *self_p = NULL;
}

void
stele_pack_clear (stele_pack_t *self)
{
    msgpack_sbuffer_clear (&self->buffer);
    self->failed = false;
    self->depth = 0;
}

bool
stele_pack_failed (const stele_pack_t *self)
{
    return self->failed;
}

void
stele_pack_fail (stele_pack_t *self)
{
    self->failed = true;
}

const void *
stele_pack_data (const stele_pack_t *self)
{
    assert (!self->failed && self->depth == 0);
    return self->buffer.data;
}

size_t
stele_pack_size (const stele_pack_t *self)
{
    return self->buffer.size;
}

//  Packing fails only if memory is exhausted
static void
s_done (stele_pack_t *self, int rc)
{
    if (rc)
        self->failed = true;
}

void
stele_pack_map (stele_pack_t *self, size_t count)
{
    s_done (self, msgpack_pack_map (&self->packer, count));
}

void
stele_pack_array (stele_pack_t *self, size_t count)
{
    s_done (self, msgpack_pack_array (&self->packer, count));
}

void
stele_pack_nil (stele_pack_t *self)
{
    s_done (self, msgpack_pack_nil (&self->packer));
}

void
stele_pack_bool (stele_pack_t *self, bool value)
{
    s_done (self, value? msgpack_pack_true (&self->packer): msgpack_pack_false (&self->packer));
}

void
stele_pack_integer (stele_pack_t *self, int64_t value)
{
    s_done (self, msgpack_pack_int64 (&self->packer, value));
}

void
stele_pack_natural (stele_pack_t *self, uint64_t value)
{
    s_done (self, msgpack_pack_uint64 (&self->packer, value));
}

void
stele_pack_real (stele_pack_t *self, double value)
{
    s_done (self, msgpack_pack_double (&self->packer, value));
}

void
stele_pack_text (stele_pack_t *self, const char *text, size_t size)
{
    assert (size <= UINT32_MAX);
    s_done (self, msgpack_pack_str (&self->packer, size));
    stele_pack_packed (self, text, size);
}

void
stele_pack_string (stele_pack_t *self, const char *string)
{
    stele_pack_text (self, string, strlen (string));
}

void
stele_pack_bytes (stele_pack_t *self, const void *bytes, size_t size)
{
    assert (size <= UINT32_MAX);
    s_done (self, msgpack_pack_bin (&self->packer, size));
    stele_pack_packed (self, bytes, size);
}

void
stele_pack_ext (stele_pack_t *self, int8_t type, const void *bytes, size_t size)
{
    assert (size <= UINT32_MAX);
    s_done (self, msgpack_pack_ext (&self->packer, size, type));
    stele_pack_packed (self, bytes, size);
}

void
stele_pack_packed (stele_pack_t *self, const void *packed, size_t size)
{
    if (size && !self->failed)
        s_done (self, msgpack_sbuffer_write (&self->buffer, packed, size));
}

void
stele_pack_map_begin (stele_pack_t *self)
{
    assert (self->depth < STELE_PACK_DEPTH);
    self->maps [self->depth].mark = stele_pack_open_map (self);
    self->maps [self->depth++].keys = 0;
}

//  Give a short map the short head: smaller answers
void
stele_pack_map_end (stele_pack_t *self)
{
    assert (self->depth > 0);
    size_t mark = self->maps [--self->depth].mark;
    size_t keys = self->maps [self->depth].keys;
    if (self->failed)
        return;
    size_t body = self->buffer.size - mark - HEAD_SIZE;
    if (keys > 15 || body > SHORT_BODY) {
        stele_pack_close (self, mark, keys);
        return;
    }
    char *head = self->buffer.data + mark;
    *head = (char) (0x80 | keys);
    memmove (head + 1, head + HEAD_SIZE, body);
    self->buffer.size = mark + 1 + body;
}

void
stele_pack_key (stele_pack_t *self, const char *key)
{
    if (self->depth)
        self->maps [self->depth - 1].keys++;
    stele_pack_string (self, key);
}

void
stele_pack_key_bool (stele_pack_t *self, const char *key, bool value)
{
    stele_pack_key (self, key);
    stele_pack_bool (self, value);
}

void
stele_pack_key_integer (stele_pack_t *self, const char *key, int64_t value)
{
    stele_pack_key (self, key);
    stele_pack_integer (self, value);
}

void
stele_pack_key_real (stele_pack_t *self, const char *key, double value)
{
    stele_pack_key (self, key);
    stele_pack_real (self, value);
}

void
stele_pack_key_string (stele_pack_t *self, const char *key, const char *string)
{
    stele_pack_key (self, key);
    if (string)
        stele_pack_string (self, string);
    else
        stele_pack_nil (self);
}

static size_t
s_open (stele_pack_t *self, unsigned char first)
{
    size_t mark = self->buffer.size;
    const unsigned char head [HEAD_SIZE] = { first };
    stele_pack_packed (self, head, sizeof head);
    return mark;
}

size_t
stele_pack_open_map (stele_pack_t *self)
{
    return s_open (self, 0xdf);
}

size_t
stele_pack_open_array (stele_pack_t *self)
{
    return s_open (self, 0xdd);
}

void
stele_pack_close (stele_pack_t *self, size_t mark, size_t count)
{
    if (self->failed)
        return;
    assert (mark + HEAD_SIZE <= self->buffer.size && count <= UINT32_MAX);
    unsigned char *head = (unsigned char *) self->buffer.data + mark;
    assert (head [0] == 0xdf || head [0] == 0xdd);
    for (int i = 0; i < 4; i++)
        head [1 + i] = (unsigned char) (count >> (24 - 8 * i));
}

void
stele_pack_rewind (stele_pack_t *self, size_t size)
{
    assert (size <= self->buffer.size);
    self->buffer.size = size;
    while (self->depth && self->maps [self->depth - 1].mark >= size)
        self->depth--;
}

const char *
stele_msgpack_version (void)
{
    return msgpack_version ();
}
