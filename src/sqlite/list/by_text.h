/*  by_text - the candidates of a text search

    Candidates come from the index (ledger/text_index.h), by their words and by
    parts of their ids; and from the end of the log, which is not indexed yet.
    Every task that matches is among them; some may not match, so each is examined
    before it is returned. If there are many, reading the tasks in the order of
    the list finds a page sooner than sorting the candidates would.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_BY_TEXT_H_INCLUDED
#define STELE_LIST_BY_TEXT_H_INCLUDED

#include "sqlite/list/page.h"

//  The tasks that may match the search, sorted. False, with no keys: too many to be sorted. Sets
//  page->partial if a part of the ledger is not indexed yet.
bool
    reader_page_candidates (reader_page_t *page, reader_keys_t *keys);

//  The position up to which the index is complete; 0: there is none.
int64_t
    reader_page_indexed (reader_page_t *page);

#endif
