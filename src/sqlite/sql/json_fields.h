/*  json_fields - read the fields of an event back from JSON that the broker wrote

    Rows keep the fields of some events as one canonical JSON object. This walks
    its members without a tree, and restores the typed value of each.
    Every list of the past reads many of these, and this is 5 to 20 times as fast as the
    tree that Jansson builds (measured with 2 to 5 members). SQLite's own functions
    end a text at its first NUL. The text stays JSON so that people can read it with SQL.

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
    stele_field_t field;            // STELE_FIELD_NONE: the key is no field
    const char *value;              // JSON text of the value
    size_t size;
} stele_json_field_t;

/*  Start on the text of one object. The text is borrowed.                   */
stele_json_fields_t
    stele_json_fields_start (const char *text, size_t size);

/*  Returns 1: the next member. 0: there are no more. STELE_ELEDGER: not an object. */
int
    stele_json_fields_next (stele_json_fields_t *self, stele_json_field_t *member);

/*  Set the member's field in the record, copied to its arena; null makes it absent.
    'states' is the vocabulary of the field state. Returns 0, STELE_ELEDGER or STELE_ENO_MEMORY. */
int
    stele_json_field_set (const stele_json_field_t *member, stele_vocabulary_t states,
        stele_record_t *record);

/*  Set all members of an object. A key that is no field is an error (STELE_ELEDGER). */
int
    stele_json_fields_set (const char *text, size_t size, stele_vocabulary_t states,
        stele_record_t *record);

#endif
