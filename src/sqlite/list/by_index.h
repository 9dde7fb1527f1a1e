/*  by_index - a page in order of creation, from the index on state, role and creation

    One cursor over the index per pair of a state and a role that the filter
    selects, merged, each read no further than the page needs. So the newest of
    ten million tasks take as long as those of ten thousand.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_BY_INDEX_H_INCLUDED
#define STELE_LIST_BY_INDEX_H_INCLUDED

#include "sqlite/list/pairs.h"

//  Returns the status of the call.
int
    reader_page_by_index (reader_page_t *page, const reader_pair_t *pairs, int count);

#endif
