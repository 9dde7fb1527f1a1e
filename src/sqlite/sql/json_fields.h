/*  json_fields - the members of a JSON object that the broker wrote

    Rows keep the fields of some events as one canonical JSON object. This walks
    its members without a tree, and turns each into the typed value it was.
    (SQLite's own functions would do, but end a text at its first NUL.)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_JSON_FIELDS_H_INCLUDED
#define STELE_JSON_FIELDS_H_INCLUDED

#include "model/record.h"

typedef struct {
    const char *next;
    const char *end;
    bool first;
} stele_json_fields_t;

typedef struct {
    stele_field_t field;            // STELE_FIELD_NONE: not a field's name
    const char *value;              // JSON text of the value
    size_t size;
} stele_json_field_t;

/*  Start with the text of one object.                                       */
stele_json_fields_t
    stele_json_fields_start (const char *text, size_t size);

/*  1 the next member, 0 there is none left, or STELE_ELEDGER: not an object. */
int
    stele_json_fields_next (stele_json_fields_t *self, stele_json_field_t *member);

/*  Set the member's field in the record, as a copy in its arena; null makes it
    absent. 'states' is the vocabulary of the field state. Returns 0 or STELE_ELEDGER. */
int
    stele_json_field_set (const stele_json_field_t *member, stele_vocabulary_t states,
        stele_record_t *record);

/*  All members of an object at once. A key that is not a field is a fault of the ledger. */
int
    stele_json_fields_set (const char *text, size_t size, stele_vocabulary_t states,
        stele_record_t *record);

#endif
