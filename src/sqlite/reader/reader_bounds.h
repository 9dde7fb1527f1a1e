/*  reader_bounds - bounds of the work of a list; tests lower them to reach every access path

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_READER_BOUNDS_H_INCLUDED
#define STELE_READER_BOUNDS_H_INCLUDED

#include "ledger/reader.h"

typedef struct {
    int64_t units;                  // Of work per page, about a microsecond each: then it is cut
    int64_t search_units;           // The same for a search
    int64_t set;                    // Tasks that are examined one by one and sorted
    int64_t touched;                // Tasks whose past is evaluated in advance
    int64_t storage_pages;          // Pages of the file that are measured
} stele_reader_bounds_t;

/*  Bounds of all calls that follow.                                         */
void
    stele_reader_set_bounds (stele_reader_t *self, const stele_reader_bounds_t *bounds);

#endif
