/*  dictionaries - what the texts of a ledger have in common

    Short texts hardly compress by themselves: what they repeat is in the texts of other
    tasks. So the writer keeps samples of what it stores, makes a zstd dictionary of them,
    keeps that in the table dictionaries, and compresses with it from there on. A frame
    names its dictionary, so each stays readable when there is a newer one. The first is
    made after the first few hundred tasks, each later one from sixteen times as many.

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

/*  The dictionaries of an open ledger, NULL: there are none. Caller owns return value and
    destroys it before it closes the connection.                             */
stele_dictionaries_t *
    stele_dictionaries_new (sqlite3 *db);
void
    stele_dictionaries_destroy (stele_dictionaries_t **self_p);

/*  To compress with the newest one; without any where there is none yet. NULL: out of memory.
    For the writer: others do not see it change. Owned by the object.        */
stele_compressor_t *
    stele_dictionaries_compressor (stele_dictionaries_t *self);

/*  The newest one that the compressor above uses, and its number; 0 where there is none.  */
unsigned
    stele_dictionaries_newest (const stele_dictionaries_t *self, const void **data, size_t *size);

/*  The one with that number, to expand with. NULL where the ledger does not have it. */
const ZSTD_DDict *
    stele_dictionaries_find (stele_dictionaries_t *self, unsigned id);

/*  Look at a text that is being stored.                                     */
void
    stele_dictionaries_sample (stele_dictionaries_t *self, const void *text, size_t size);

/*  Are there samples enough for a new one?                                  */
bool
    stele_dictionaries_ready (const stele_dictionaries_t *self);

/*  Make it of the samples, and store it, in a transaction of its own. Some 30 ms, a few times
    in the life of a ledger. Returns 0, also where the samples have nothing in common, or a
    storage error: then all is as before.                                    */
int
    stele_dictionaries_learn (stele_dictionaries_t *self);

#endif
