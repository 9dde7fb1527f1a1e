/*  duplicates - records that claim the same id

    A ledger has one record of an id, an earlier system without keys may have several.
    All ids are added first, in the order of the records; then each record comes again
    and the last one of an id brings the one that stands, with the others.

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

/*  A record of that id. The highest rank stands, of equal ones the last.    */
void
    duplicates_add (duplicates_t *self, const char *id, int64_t rank);

/*  The same records in the same order. Takes the record. Caller owns return value, the one
    that stands, and 'others', an array, NULL where there are none. NULL: more of that id
    are to come.                                                             */
json_t *
    duplicates_settle (duplicates_t *self, const char *id, json_t *record, json_t **others);

#endif
