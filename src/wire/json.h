/*  json - msgpack to JSON text and back, without loss

    Maps that a producer sends (metadata, details, unknown keys, ...) live in
    the ledger as canonical JSON: no spaces, keys sorted by bytes, UTF-8 as it
    is. What JSON cannot say is said by an object with one reserved key:

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

#include <jansson.h>
#include "model/record.h"
#include "model/refusal.h"
#include "wire/pack.h"

/*  Checked msgpack bytes of one object as a jansson value. Caller owns it. NULL and
    a refusal (malformed: UTF-8, duplicate key, nesting over STELE_LIMIT_NESTING). */
json_t *
    stele_json_unpack (const void *data, size_t size, stele_refusal_t *refusal);

/*  Checked msgpack bytes of one object as canonical JSON text in the record's arena. */
int
    stele_json_text (const void *data, size_t size, stele_record_t *arena,
        const char **text, size_t *text_size, stele_refusal_t *refusal);

/*  A jansson value as msgpack. Returns 0 or STELE_EMALFORMED with a refusal
    (a reserved key whose value is not of its form).                         */
int
    stele_json_pack (const json_t *value, stele_pack_t *pack, stele_refusal_t *refusal);

/*  Canonical JSON text as msgpack. The text has to be one the broker wrote:
    a text that does not parse is a fault of the ledger, STELE_ELEDGER.      */
int
    stele_json_text_pack (const char *text, size_t size, stele_pack_t *pack);

#endif
