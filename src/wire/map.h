/*  map - typed reads from one map of msgpack

    One checked map of msgpack, and its values by key. A value of another kind
    counts as absent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MAP_H_INCLUDED
#define STELE_MAP_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *data;               // Borrowed
    size_t size;
} stele_map_t;

/*  Check the bytes. Returns 0, or STELE_EMALFORMED: they are not one map.   */
int
    stele_map_open (stele_map_t *self, const void *data, size_t size);

/*  Read the value of a key. False: absent, or of another kind. Outputs are set only on
    success.                                                                 */
bool
    stele_map_integer (const stele_map_t *self, const char *key, int64_t *value);
bool
    stele_map_bool (const stele_map_t *self, const char *key, bool *value);

/*  Read text, truncated to the buffer, and terminated.                      */
bool
    stele_map_text (const stele_map_t *self, const char *key, char *text, size_t size_max);

/*  Copy the text of the key "message" of an error, made safe to show (quote.h); "" if there is none.
    The buffer holds at least 8 bytes.                                       */
void
    stele_map_message (const stele_map_t *self, char *text, size_t size_max);

/*  Read a map, which borrows from the same bytes.                           */
bool
    stele_map_map (const stele_map_t *self, const char *key, stele_map_t *map);

/*  Read the name of an error as its code, STELE_E...; STELE_EINTERNAL if absent. */
int
    stele_map_code (const stele_map_t *self, const char *key);

#endif
