/*  as_of - tasks that changed after the snapshot of a list

    A task without an event after the snapshot is now what it was then, and is
    found from its current row. The others are found through the zones that have
    later events, and evaluated one by one. In a log that is mostly in order
    these are the few tasks that were under way.

    If they are many, the list is lazy: it reads all tasks in its order and
    evaluates the changed ones as it meets them. Tasks with events out of order
    may have had another place in the order then, so they are evaluated first.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_AS_OF_H_INCLUDED
#define STELE_LIST_AS_OF_H_INCLUDED

#include "sqlite/list/page.h"

//  Find the changed tasks and evaluate them, or make the page lazy. Returns the status of the call.
int
    reader_as_of_open (reader_page_t *page);

//  True if the task has no event after the snapshot.
bool
    reader_as_of_unchanged (const reader_page_t *page, const reader_summary_t *summary);

//  Evaluate a changed task as of the snapshot: 1 it passes, with its entry; 0 it does not; or an error.
int
    reader_as_of_evaluate (reader_page_t *page, int64_t key, reader_entry_t *entry);

#endif
