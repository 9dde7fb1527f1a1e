/*  json - msgpack to JSON text and back, without loss

    Maps that a producer sends (metadata, details, unknown keys, ...) live in
    the ledger as canonical JSON: no spaces, keys sorted by bytes, UTF-8 as it
    is. Values that JSON lacks are objects with one reserved key:

      {"$bin":"base64"}            bytes
      {"$uint":"18446744073709551615"}   an integer above 2^63-1
      {"$float":"NaN"|"Infinity"|"-Infinity"}
      {"$ext":[type,"base64"]}     a msgpack extension
      {"$map":[[key,value],...]}   a map with keys that are not strings (or hold NUL)

    and a map of one entry whose key begins with "$" is written as $map too, so
    that nothing a producer sends can be mistaken for one of these. The same
    form is read from and written to JSON Lines by the programs.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_JSON_H_INCLUDED
#define STELE_JSON_H_INCLUDED

#include "model/record.h"
#include "model/refusal.h"
#include "wire/pack.h"

/*  All fields of an event except content fit in this, even if each byte needs six as JSON */
#define STELE_JSON_SIZE_MAX (2 * STELE_LIMIT_CONTENT)

/*  Write checked msgpack bytes of one object as canonical JSON text into the record's arena.
    Returns 0, or STELE_EMALFORMED (UTF-8, duplicate key, nesting over
    STELE_LIMIT_NESTING + 1) or STELE_ETOO_LARGE (over STELE_JSON_SIZE_MAX), with a
    refusal; STELE_ENO_MEMORY without.                                       */
int
    stele_json_text (const void *data, size_t size, stele_record_t *arena,
        const char **text, size_t *text_size, stele_refusal_t *refusal);

/*  The same with the caller's limit. If the text exceeds it, *text_size is a lower bound of
    its size.                                                                */
int
    stele_json_text_within (const void *data, size_t size, size_t size_max,
        stele_record_t *arena, const char **text, size_t *text_size,
        stele_refusal_t *refusal);

/*  Write the fields 'set' of a record as one object of canonical JSON into the arena, absent ones
    as null. 'pack' is scratch. Returns 0, STELE_ENO_MEMORY, or STELE_ETOO_LARGE (over
    STELE_JSON_SIZE_MAX).                                                    */
int
    stele_json_fields (const stele_record_t *record, stele_field_set_t set, stele_pack_t *pack,
        stele_record_t *arena, const char **text, size_t *text_size);

/*  Pack canonical JSON text that the broker wrote: if it does not parse, the ledger is damaged
    (STELE_ELEDGER). After STELE_ENO_MEMORY the pack has failed, too.        */
int
    stele_json_text_pack (const char *text, size_t size, stele_pack_t *pack);

/*  The same for the entries of an object, without the head of the map, and without keys of
    fields that the record 'but' has (NULL: all entries). Sets the number of packed entries. */
int
    stele_json_text_pack_entries (const char *text, size_t size, const stele_record_t *but,
        stele_pack_t *pack, size_t *count);

/*  Pack untrusted JSON text, any value. Returns 0, STELE_ENO_MEMORY, or STELE_EMALFORMED with
    a refusal with the place and the reason; packs nothing then.                   */
int
    stele_json_parse_pack (const char *text, size_t size, stele_pack_t *pack,
        stele_refusal_t *refusal);

/*  Print one msgpack object as JSON text on one line, entries in their own order. With
    'shown', control characters, and those that are invisible or reorder a line, are written as
    \uXXXX, so that the text may go to a terminal, and the time fields of events and records (but not inside a producer's own maps)
    are RFC 3339. The bytes need not be checked. Terminated with a NUL; caller frees the
    return value with free(). NULL: not one msgpack object with UTF-8 strings, or out of
    memory.                                                                  */
char *
    stele_json_print (const void *packed, size_t size, bool shown);

/*  Print one checked msgpack object as canonical JSON text (sorted keys) on one line, with 'event' its
    time as RFC 3339: the lines of segments (repository/repository.h). No NUL at the end; caller frees the return value with free().
    NULL: strings that are not UTF-8, a duplicate key, or out of memory.     */
char *
    stele_json_line (const void *packed, size_t size, bool event, size_t *line_size);

/*  The same line of an event without unknown keys ('extra'), from its record, in *text, which has room for *room bytes (malloc; NULL and 0 at first) and grows as
    needed. 'pack' is scratch. Returns the size of the line, 0: as NULL above. */
size_t
    stele_json_event (const stele_record_t *event, stele_pack_t *pack, char **text, size_t *room);

/*  Pack one value of a record: words as text, times as integers, JSON as what it represents; nil for
    NONE.                                                                    */
void
    stele_value_pack (const stele_value_t *value, stele_pack_t *pack);

/*  Version of the jansson library. Static storage.                          */
const char *
    stele_jansson_version (void);

#endif
