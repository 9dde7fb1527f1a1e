/*  scan - read untrusted msgpack without an object tree

    stele_scan_check walks a whole message once and bounds element counts by the
    bytes that remain (five bytes can announce 2^32 elements); it refuses trailing
    bytes. Call the other functions only on bytes that passed; they return views
    into the same bytes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SCAN_H_INCLUDED
#define STELE_SCAN_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    STELE_SCAN_END,                 // No bytes left
    STELE_SCAN_NIL,
    STELE_SCAN_BOOL,                // .integer
    STELE_SCAN_INTEGER,             // .integer
    STELE_SCAN_UNSIGNED,            // .natural, above INT64_MAX
    STELE_SCAN_REAL,                // .real
    STELE_SCAN_TEXT,                // .data, .size: UTF-8 is not checked
    STELE_SCAN_BYTES,               // .data, .size
    STELE_SCAN_EXT,                 // .data, .size, .ext_type
    STELE_SCAN_ARRAY,               // .count elements follow
    STELE_SCAN_MAP                  // .count pairs follow
} stele_scan_kind_t;

typedef struct {
    stele_scan_kind_t kind;
    int8_t ext_type;
    uint32_t size;
    uint32_t count;
    const char *data;
    union {
        int64_t integer;
        uint64_t natural;
        double real;
    };
} stele_token_t;

typedef struct {
    const unsigned char *next;
    const unsigned char *end;
} stele_scan_t;

/*  Check that the bytes hold exactly ONE well-formed msgpack object of at most
    'elements_max' elements. Returns 0, or STELE_EMALFORMED with a static
    text in *why. Nesting is not bounded here: see stele_scan_depth.         */
int
    stele_scan_check (const void *data, size_t size, size_t elements_max, const char **why);

/*  Start reading checked bytes.                                             */
stele_scan_t
    stele_scan_start (const void *data, size_t size);

/*  Read the next token: a whole scalar, or the head of a container.         */
stele_token_t
    stele_scan_next (stele_scan_t *self);

/*  Skip the next object with its contents; sets *data, *size to its bytes
    (each may be NULL).                                                      */
void
    stele_scan_skip (stele_scan_t *self, const void **data, size_t *size);

/*  Nesting of one checked object: 0 for a scalar, 1 for a flat map, limit + 1
    for everything deeper than 'limit'.                                      */
int
    stele_scan_depth (const void *data, size_t size, int limit);

/*  Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)?          */
bool
    stele_utf8_valid (const char *text, size_t size);

/*  Find a key in a checked map (the bytes of the whole map). Returns the token of its
    value; sets *data, *size (may be NULL) to the bytes of the value. Kind END: no such key. */
stele_token_t
    stele_scan_find (const void *map, size_t map_size, const char *key,
        const void **data, size_t *size);

#endif
