/*  intern - replace repeated texts by their numbers in the table words

    The writer's side: find or assign the number of a text, with a bounded cache.
    Forget the cache after a rollback.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INTERN_H_INCLUDED
#define STELE_INTERN_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

typedef struct stele_intern stele_intern_t;

/*  NULL: the statements could not be prepared.                              */
stele_intern_t *
    stele_intern_new (sqlite3 *db);
void
    stele_intern_destroy (stele_intern_t **self_p);

/*  Number of a text; a new text gets one. Returns 0 or a storage error.     */
int
    stele_intern_number (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  The same for a text that may never repeat: the number is 0 when the text is seen for the
    first time (as far as the cache goes back); the second time it gets one. */
int
    stele_intern_repeated (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  Its number if it has one, else 0. Never assigns one, and does not count as seen. */
int
    stele_intern_known (stele_intern_t *self, const char *text, size_t size, int64_t *number);

/*  Number of a TEXT value; 0 for NONE.                                      */
int
    stele_intern_value (stele_intern_t *self, const stele_value_t *value, int64_t *number);

void
    stele_intern_forget (stele_intern_t *self);

#endif
