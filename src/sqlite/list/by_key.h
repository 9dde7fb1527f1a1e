/*  by_key - a page from a small set of tasks, each one examined

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_BY_KEY_H_INCLUDED
#define STELE_LIST_BY_KEY_H_INCLUDED

#include "sqlite/list/pairs.h"

//  Examine each of the tasks, sort those that pass. Frees the keys. Returns the status of the call.
int
    reader_page_by_keys (reader_page_t *page, reader_keys_t *keys);

//  The same for the children of the parent in the filter, and for all tasks of the pairs.
int
    reader_page_by_parent (reader_page_t *page);
int
    reader_page_by_pairs (reader_page_t *page, const reader_pair_t *pairs, int count);

//  If the filter selects few tasks by their user: these. False: it does not, or they are too many.
bool
    reader_page_keys_of_users (reader_page_t *page, reader_keys_t *keys);

//  If the filter has a short range of a time other than that of the order: the tasks that have an
//  event in that range. False: there is no such range.
bool
    reader_page_keys_of_range (reader_page_t *page, reader_keys_t *keys);

#endif
