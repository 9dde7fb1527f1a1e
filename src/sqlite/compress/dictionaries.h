/*  dictionaries - zstd dictionaries, trained on the texts of the ledger

    Short texts hardly compress alone: they repeat the texts of other tasks. So the writer keeps
    samples of the texts it stores, trains a zstd dictionary on them, stores it in the table
    dictionaries, and compresses with it from then on. A frame names its dictionary, so older
    frames stay readable. The first dictionary is made after a few hundred tasks, each later
    one from sixteen times as many.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DICTIONARIES_H_INCLUDED
#define STELE_DICTIONARIES_H_INCLUDED

#include <sqlite3.h>
#include <stdbool.h>
#include <zstd.h>
#include "sqlite/compress/compressor.h"

typedef struct stele_dictionaries stele_dictionaries_t;

/*  The dictionaries of an open ledger; NULL: none. Caller owns return value and destroys it
    before closing the connection. NULL: out of memory.                      */
stele_dictionaries_t *
    stele_dictionaries_new (sqlite3 *db);
void
    stele_dictionaries_destroy (stele_dictionaries_t **self_p);

/*  A compressor with the newest dictionary, if there is one. NULL: out of memory. For the writer
    only: other connections do not see new dictionaries. Owned by the object.  */
stele_compressor_t *
    stele_dictionaries_compressor (stele_dictionaries_t *self);

/*  The dictionary of that compressor and its number; 0: none.               */
unsigned
    stele_dictionaries_newest (const stele_dictionaries_t *self, const void **data, size_t *size);

/*  The dictionary with that number, for decompression. NULL: the ledger does not have it. */
const ZSTD_DDict *
    stele_dictionaries_find (stele_dictionaries_t *self, unsigned id);

/*  Call for each text that is stored: it may become a sample.               */
void
    stele_dictionaries_sample (stele_dictionaries_t *self, const void *text, size_t size);

/*  True if there are enough samples for a new dictionary.                   */
bool
    stele_dictionaries_ready (const stele_dictionaries_t *self);

/*  Train a dictionary on the samples and store it, in its own transaction. Takes some 30 ms, a few
    times in the life of a ledger. Returns 0, also if the samples have nothing in common, or a
    storage error: then nothing has changed.                                 */
int
    stele_dictionaries_learn (stele_dictionaries_t *self);

#endif
