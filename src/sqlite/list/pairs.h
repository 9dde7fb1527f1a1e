/*  pairs - pairs of a state and a role that a list selects

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_PAIRS_H_INCLUDED
#define STELE_LIST_PAIRS_H_INCLUDED

#include "sqlite/list/page.h"

typedef struct {
    int state;
    int64_t role;                   // A word; 0: none
} reader_pair_t;

//  The pairs that pass the filter and have tasks, at most READER_BRANCHES. Returns their number,
//  READER_BRANCHES + 1 if there are more; *tasks is how many tasks they have, by the
//  counts that the writer keeps.
int
    reader_pairs_find (reader_page_t *page, reader_pair_t *pairs, int64_t *tasks);

//  Bind the pair as ?1 and ?2. A NULL statement is ignored.
void
    reader_pair_bind (sqlite3_stmt *statement, const reader_pair_t *pair);

#endif
