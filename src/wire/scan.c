/*  scan - read untrusted msgpack without an object tree

    No recursion: the number of pending objects is counted, so that hostile nesting
    costs nothing. Every read is bounded, even of checked bytes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "stele_error.h"
#include "wire/scan.h"

#define DEPTH_MAX 64

static uint64_t
s_big_endian (const unsigned char *at, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | at [i];
    return number;
}

//  The functions below return the size of the token, 0 if it is incomplete.
//  'left' is the number of bytes from the first byte of the head.

static size_t
s_span (stele_token_t *token, stele_scan_kind_t kind, const unsigned char *at, size_t left,
    size_t head, uint64_t size)
{
    if (left < head || left - head < size)
        return 0;
    token->kind = kind;
    token->data = (const char *) at + head;
    token->size = (uint32_t) size;
    return head + size;
}

static size_t
s_ext (stele_token_t *token, const unsigned char *at, size_t left, size_t head, uint64_t size)
{
    if (left < head)
        return 0;
    token->ext_type = (int8_t) at [head - 1];
    return s_span (token, STELE_SCAN_EXT, at, left, head, size);
}

static size_t
s_natural (stele_token_t *token, uint64_t number, size_t size)
{
    token->kind = number > INT64_MAX? STELE_SCAN_UNSIGNED: STELE_SCAN_INTEGER;
    token->natural = number;
    return size;
}

static size_t
s_integer (stele_token_t *token, int64_t number, size_t size)
{
    token->kind = STELE_SCAN_INTEGER;
    token->integer = number;
    return size;
}

static size_t
s_real (stele_token_t *token, uint64_t bits, size_t width)
{
    token->kind = STELE_SCAN_REAL;
    if (width == 4) {
        uint32_t narrow = (uint32_t) bits;
        float real;
        memcpy (&real, &narrow, sizeof real);
        token->real = real;
    }
    else
        memcpy (&token->real, &bits, sizeof token->real);
    return 1 + width;
}

static size_t
s_container (stele_token_t *token, stele_scan_kind_t kind, uint64_t count, size_t head)
{
    token->kind = kind;
    token->count = (uint32_t) count;
    return head;
}

//  First bytes 0xc0 to 0xdf: a length or a number of 'width' bytes follows
static size_t
s_read_wide (stele_token_t *token, const unsigned char *at, size_t left)
{
    static const uint8_t widths [32] = {
        0, 0, 0, 0,  1, 2, 4,  1, 2, 4,  4, 8,  1, 2, 4, 8,
        1, 2, 4, 8,  0, 0, 0, 0, 0,  1, 2, 4,  2, 4,  2, 4
    };
    size_t width = widths [at [0] - 0xc0];
    if (left <= width)
        return 0;
    uint64_t number = s_big_endian (at + 1, width);
    switch (at [0]) {
        case 0xc0:
            token->kind = STELE_SCAN_NIL;
            return 1;
        case 0xc2: case 0xc3:
            token->kind = STELE_SCAN_BOOL;
            token->integer = at [0] & 1;
            return 1;
        case 0xc4: case 0xc5: case 0xc6:
            return s_span (token, STELE_SCAN_BYTES, at, left, 1 + width, number);
        case 0xc7: case 0xc8: case 0xc9:
            return s_ext (token, at, left, 2 + width, number);
        case 0xca: case 0xcb:
            return s_real (token, number, width);
        case 0xcc: case 0xcd: case 0xce: case 0xcf:
            return s_natural (token, number, 1 + width);
        case 0xd0:
            return s_integer (token, (int8_t) number, 2);
        case 0xd1:
            return s_integer (token, (int16_t) number, 3);
        case 0xd2:
            return s_integer (token, (int32_t) number, 5);
        case 0xd3:
            return s_integer (token, (int64_t) number, 9);
        case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
            return s_ext (token, at, left, 2, (uint64_t) 1 << (at [0] - 0xd4));
        case 0xd9: case 0xda: case 0xdb:
            return s_span (token, STELE_SCAN_TEXT, at, left, 1 + width, number);
        case 0xdc: case 0xdd:
            return s_container (token, STELE_SCAN_ARRAY, number, 1 + width);
        case 0xde: case 0xdf:
            return s_container (token, STELE_SCAN_MAP, number, 1 + width);
        default:                    // 0xc1, which the format never uses
            return 0;
    }
}

static inline size_t
s_read (stele_token_t *token, const unsigned char *at, size_t left)
{
    unsigned first = at [0];
    if (first < 0x80)
        return s_integer (token, first, 1);
    if (first < 0x90)
        return s_container (token, STELE_SCAN_MAP, first & 15, 1);
    if (first < 0xa0)
        return s_container (token, STELE_SCAN_ARRAY, first & 15, 1);
    if (first < 0xc0)
        return s_span (token, STELE_SCAN_TEXT, at, left, 1, first & 31);
    if (first >= 0xe0)
        return s_integer (token, (int8_t) first, 1);
    return s_read_wide (token, at, left);
}

//  Objects inside a container, one level down
static inline uint64_t
s_children (const stele_token_t *token)
{
    if (token->kind == STELE_SCAN_MAP)
        return (uint64_t) token->count * 2;
    return token->kind == STELE_SCAN_ARRAY? token->count: 0;
}

static int
s_malformed (const char **why, const char *text)
{
    if (why)
        *why = text;
    return STELE_EMALFORMED;
}

int
stele_scan_check (const void *data, size_t size, size_t elements_max, const char **why)
{
    if (size == 0)
        return s_malformed (why, "empty, not a msgpack object");
    const unsigned char *next = data;
    size_t left = size;
    uint64_t pending = 1;           // Objects announced and not yet read
    uint64_t budget = elements_max; // Objects that may still be read
    while (pending) {
        stele_token_t token;
        if (left == 0)
            return s_malformed (why, "incomplete: the msgpack object ends too early");
        size_t bytes = s_read (&token, next, left);
        if (bytes == 0)
            return s_malformed (why, *next == 0xc1? "not msgpack: it has the reserved byte 0xc1":
                "incomplete: the msgpack object ends too early");
        next += bytes;
        left -= bytes;
        pending--;
        if (budget-- == 0)
            return s_malformed (why, "too many elements in one message");
        pending += s_children (&token);
        if (pending > left)
            return s_malformed (why, "incomplete: more elements are announced than bytes follow");
        if (pending > budget)
            return s_malformed (why, "too many elements in one message");
    }
    return left? s_malformed (why, "bytes follow after the msgpack object"): 0;
}

stele_scan_t
stele_scan_start (const void *data, size_t size)
{
    const unsigned char *next = data;
    return (stele_scan_t) { .next = next, .end = size? next + size: next };
}

stele_token_t
stele_scan_next (stele_scan_t *self)
{
    stele_token_t token = { .kind = STELE_SCAN_END };
    if (self->next == self->end)
        return token;
    size_t bytes = s_read (&token, self->next, (size_t) (self->end - self->next));
    //  Unchecked bytes end at the first invalid token
    self->next = bytes? self->next + bytes: self->end;
    return token;
}

void
stele_scan_skip (stele_scan_t *self, const void **data, size_t *size)
{
    const unsigned char *start = self->next, *next = start;
    uint64_t pending = 1;
    while (pending && next < self->end) {
        stele_token_t token;
        size_t bytes = s_read (&token, next, (size_t) (self->end - next));
        next = bytes? next + bytes: self->end;
        pending += bytes? s_children (&token): 0;
        pending--;
    }
    self->next = next;
    if (data)
        *data = start;
    if (size)
        *size = (size_t) (next - start);
}

int
stele_scan_depth (const void *data, size_t size, int limit)
{
    assert (limit >= 0 && limit < DEPTH_MAX);
    stele_scan_t scan = stele_scan_start (data, size);
    uint64_t pending [DEPTH_MAX];   // Per open container: objects not read yet
    int depth = 0;
    int deepest = 0;
    while (scan.next < scan.end) {
        stele_token_t token = stele_scan_next (&scan);
        if (depth)
            pending [depth - 1]--;
        if (token.kind == STELE_SCAN_MAP || token.kind == STELE_SCAN_ARRAY) {
            if (depth == limit)
                return limit + 1;
            pending [depth++] = s_children (&token);
            deepest = depth > deepest? depth: deepest;
        }
        while (depth && pending [depth - 1] == 0)
            depth--;
    }
    return deepest;
}

stele_token_t
stele_scan_find (const void *map, size_t map_size, const char *key,
    const void **data, size_t *size)
{
    stele_scan_t scan = stele_scan_start (map, map_size);
    stele_token_t head = stele_scan_next (&scan);
    stele_token_t absent = { .kind = STELE_SCAN_END };
    if (head.kind != STELE_SCAN_MAP)
        return absent;
    size_t key_size = strlen (key);
    for (uint32_t i = 0; i < head.count && scan.next < scan.end; i++) {
        const void *key_data;
        size_t key_bytes;
        stele_scan_skip (&scan, &key_data, &key_bytes);
        stele_scan_t probe = stele_scan_start (key_data, key_bytes);
        stele_token_t token = stele_scan_next (&probe);
        if (token.kind == STELE_SCAN_TEXT && token.size == key_size
        &&  memcmp (token.data, key, key_size) == 0) {
            stele_scan_t value = scan;
            stele_token_t found = stele_scan_next (&value);
            const void *value_data;
            size_t value_size;
            stele_scan_skip (&scan, &value_data, &value_size);
            if (data)
                *data = value_data;
            if (size)
                *size = value_size;
            return found;
        }
        stele_scan_skip (&scan, NULL, NULL);
    }
    return absent;
}
