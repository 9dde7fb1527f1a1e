/*  pack - a growing buffer of msgpack

    Maps written entry by entry are begun and ended, and count their keys:

        stele_pack_map_begin (pack);
        stele_pack_key_integer (pack, "position", 7);
        stele_pack_key (pack, "task");              //  the next value is its value
        stele_pack_string (pack, "t1");
        stele_pack_map_end (pack);

    The other forms (a count given before or at the end) are for loops; their keys are plain
    strings. A wrong count is not detected.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PACK_H_INCLUDED
#define STELE_PACK_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stele_pack stele_pack_t;

/*  Caller owns return value. NULL: out of memory.                           */
stele_pack_t *
    stele_pack_new (void);

void
    stele_pack_destroy (stele_pack_t **self_p);

void
    stele_pack_clear (stele_pack_t *self);

/*  Was memory exhausted? Then the data is lost until the pack is cleared, and stele_pack_data
    asserts: call this before it.                                            */
bool
    stele_pack_failed (const stele_pack_t *self);

/*  Mark it as failed: memory was exhausted while reading what was to be packed. */
void
    stele_pack_fail (stele_pack_t *self);

/*  The packed bytes; valid until the next call that packs or clears.        */
const void *
    stele_pack_data (const stele_pack_t *self);
size_t
    stele_pack_size (const stele_pack_t *self);

void stele_pack_map (stele_pack_t *self, size_t count);
void stele_pack_array (stele_pack_t *self, size_t count);
void stele_pack_nil (stele_pack_t *self);
void stele_pack_bool (stele_pack_t *self, bool value);
void stele_pack_integer (stele_pack_t *self, int64_t value);
void stele_pack_natural (stele_pack_t *self, uint64_t value);
void stele_pack_real (stele_pack_t *self, double value);
void stele_pack_text (stele_pack_t *self, const char *text, size_t size);
void stele_pack_string (stele_pack_t *self, const char *string);
void stele_pack_bytes (stele_pack_t *self, const void *bytes, size_t size);
void stele_pack_ext (stele_pack_t *self, int8_t type, const void *bytes, size_t size);
/*  Copies bytes that are msgpack already                                    */
void stele_pack_packed (stele_pack_t *self, const void *packed, size_t size);

/*  Maps that count their keys, nested at most STELE_PACK_DEPTH deep: only the functions with
    'key' in their name may write keys in them.                              */
#define STELE_PACK_DEPTH 16
void stele_pack_map_begin (stele_pack_t *self);
void stele_pack_map_end (stele_pack_t *self);

/*  A key, without and with its value                                        */
void stele_pack_key (stele_pack_t *self, const char *key);
void stele_pack_key_bool (stele_pack_t *self, const char *key, bool value);
void stele_pack_key_integer (stele_pack_t *self, const char *key, int64_t value);
void stele_pack_key_real (stele_pack_t *self, const char *key, double value);
/*  A NULL string packs nil                                                  */
void stele_pack_key_string (stele_pack_t *self, const char *key, const char *string);

/*  Containers whose count is known only at the end: the head is written in
    the 32-bit form (five bytes), and completed by stele_pack_close. Returns a mark. */
size_t stele_pack_open_map (stele_pack_t *self);
size_t stele_pack_open_array (stele_pack_t *self);
void stele_pack_close (stele_pack_t *self, size_t mark, size_t count);

/*  Truncate to an earlier size. Maps begun since then are dropped; keys already counted in a map
    that was begun before remain counted.                                    */
void stele_pack_rewind (stele_pack_t *self, size_t size);

/*  Version of the msgpack library. Static storage.                          */
const char *
    stele_msgpack_version (void);

#endif
