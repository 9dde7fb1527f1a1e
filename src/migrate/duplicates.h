/*  duplicates - records with the same id

    A ledger has one record per id, an earlier system without keys may have several.
    Add all ids first, in the order of the records; then pass each record: the last one
    of an id returns the record to import, and the others.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DUPLICATES_H_INCLUDED
#define STELE_DUPLICATES_H_INCLUDED

#include <stdint.h>
#include <jansson.h>

typedef struct duplicates duplicates_t;

duplicates_t *
    duplicates_new (void);
void
    duplicates_destroy (duplicates_t **self_p);

/*  Add a record of that id. The highest rank is imported, of equal ones the last. */
void
    duplicates_add (duplicates_t *self, const char *id, int64_t rank);

/*  Pass the same records in the same order. Takes the record. Returns the record to import, and
    the others of that id as an array (NULL: none); caller owns both. NULL: more records of
    that id follow.                                                          */
json_t *
    duplicates_resolve (duplicates_t *self, const char *id, json_t *record, json_t **others);

#endif
