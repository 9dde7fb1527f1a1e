/*  json_writer - the state shared by json_write (values) and json_map (maps)

    Internal to the two. A text that exceeds its maximum is not stored, only counted.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_JSON_WRITER_H_INCLUDED
#define STELE_JSON_WRITER_H_INCLUDED

#include <string.h>
#include "wire/json/json.h"
#include "wire/scan.h"

typedef struct {
    char *text;
    size_t size;                    // Of the whole text, also beyond 'max'
    size_t capacity;
    size_t max;                     // Of a longer text only the size is counted
    stele_record_t *arena;          // Owner of the text; NULL: allocate with malloc
    int nesting;                    // Levels allowed
    bool canonical;                 // Sort keys, refuse duplicates
    bool shown;                     // To people: escape control and hidden characters (base/character.h)
    const unsigned char *end;       // Of the msgpack
    bool failed;                    // Out of memory
    stele_refusal_t *refusal;
} stele_json_writer_t;

/*  Allocate at least 'needed' bytes. False: out of memory, self->failed.    */
bool
    stele_json_grow (stele_json_writer_t *self, size_t needed);

/*  Reserve 'size' bytes for the caller to fill. NULL: beyond the maximum, or out of memory. */
static inline char *
stele_json_room (stele_json_writer_t *self, size_t size)
{
    size_t at = self->size;
    if (at + size > self->max) {
        self->size += size;
        self->max = 0;              // Store nothing from here on
        return NULL;
    }
    bool fits = at + size <= self->capacity || stele_json_grow (self, at + size);
    self->size += size;
    return fits? self->text + at: NULL;
}

static inline void
stele_json_put (stele_json_writer_t *self, const char *text, size_t size)
{
    char *room = stele_json_room (self, size);
    if (room)
        memcpy (room, text, size);
}

static inline void
stele_json_puts (stele_json_writer_t *self, const char *string)
{
    stele_json_put (self, string, strlen (string));
}

/*  Write valid UTF-8 as a JSON string.                                      */
void
    stele_json_write_string (stele_json_writer_t *self, const char *text, size_t size);

/*  Pack a value of a record, and begin to scan it for stele_json_write_value. 'pack' is scratch, and has it.
    Returns 0 or STELE_ENO_MEMORY.                                           */
int
    stele_json_pack_value (stele_json_writer_t *self, const stele_value_t *value, stele_pack_t *pack, stele_scan_t *scan);

/*  Write the next value of the msgpack, or a map of 'count' pairs whose head was read. With
    'times', time fields are RFC 3339 (see stele_json_print). Returns 0, STELE_EMALFORMED with the
    refusal, or STELE_ENO_MEMORY.                                            */
int
    stele_json_write_value (stele_json_writer_t *self, stele_scan_t *scan, int depth, bool times);
int
    stele_json_write_map (stele_json_writer_t *self, stele_scan_t *scan, uint32_t count, int depth, bool times);

#endif
