/*  intern - texts that repeat, as numbers of the table words

    The writer's side: finds or makes the number of a text, with a bounded cache.
    After a rollback the cache has to be forgotten.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INTERN_H_INCLUDED
#define STELE_INTERN_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

typedef struct stele_intern stele_intern_t;

/*  NULL where the statements cannot be prepared.                            */
stele_intern_t *
    stele_intern_new (sqlite3 *db);
void
    stele_intern_destroy (stele_intern_t **self_p);

/*  Number of a text, made where it is new. Returns 0 or a storage error.    */
int
    stele_intern_number (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  The same for a text that may well be the only one of its kind: 0 where it was not met
    lately. The second time it becomes a word.                               */
int
    stele_intern_repeated (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  Its number where it is a word already, else 0: nothing is made, and it was not met. */
int
    stele_intern_known (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  Number of a TEXT value; 0 for NONE.                                      */
int
    stele_intern_value (stele_intern_t *self, const stele_value_t *value, int64_t *number);

void
    stele_intern_forget (stele_intern_t *self);

#endif
