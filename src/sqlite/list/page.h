/*  page - one page of a task list while it is being found: order, cursor, rows, cost

    The files of this folder, each built on those before it:

    page      the state that all access paths share
    as_of     tasks that changed after the snapshot that the list shows
    pairs     pairs of a state and a role that the filter selects
    by_index  a page in order of creation, from the index on state, role, creation
    by_zone   a page in any order, from the zones of the log
    by_key    a page from a small set of tasks, each one examined
    by_text   the candidates of a text search
    list      chooses the access path; returns the rows (stele_reader_tasks)
    total     counts (stele_reader_task_total)

    A page is found as (time, key) entries in its order; rows are read at the end.

    All pages of a list show one snapshot: the position of its first page, or the
    requested one. Tasks that have not changed since are found from their current
    rows. Tasks that have changed are evaluated one by one and merged in.

    Work is counted, not timed: a page that has used up its units ends where it
    is, with a cursor to continue from.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_PAGE_H_INCLUDED
#define STELE_LIST_PAGE_H_INCLUDED

#include "sqlite/filter/filter.h"

//  A row of the page, not read yet
#define READER_TEXT_UNITS 10        // Cost of reading the text of a task

typedef struct {
    int64_t time;                   // Of the requested order
    int64_t key;
    bool as_of;                     // Changed after the snapshot: read it as of the snapshot
} reader_entry_t;

typedef struct {
    reader_entry_t *items;
    size_t count, room;
} reader_entries_t;

//  Out of memory the call fails. Returns the status of the call.
int
    reader_entries_add (stele_reader_t *reader, reader_entries_t *self, const reader_entry_t *entry);
void
    reader_entries_free (reader_entries_t *self);

typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *query;
    reader_filter_t filter;
    bool ascending;
    int64_t skip;                   // Entries still to be left out
    int64_t units;                  // Of work left
    //  The snapshot: events up to 'position' with times up to 'time' (INT64_MAX: any)
    int64_t head;
    int64_t position;
    int64_t time;
    bool is_as_of;                  // It leaves out some events
    //  Set by reader_as_of_open
    bool lazy;                      // Too many changed: each is evaluated where it is met
    reader_keys_t unordered;        // Tasks with events out of order, if 'time' is bounded
    reader_entries_t changed;       // Changed tasks that pass the filter, in order
    size_t changed_next;            // The first of them not merged yet
    int64_t indexed;                // Of a search: the index was complete up to here
    bool partial;                   // A part of the ledger could not be searched
    //  What was found: one entry more than the limit, if there are more
    reader_entries_t entries;
    bool cut;                       // Out of units: complete only up to and including
    int64_t cut_time, cut_key;      //    this place in the order
} reader_page_t;

//  Set up the order, the snapshot and the filter. Returns the status of the call. Close it in any case.
int
    reader_page_open (reader_page_t *self, stele_reader_t *reader, const stele_filter_t *query);
void
    reader_page_close (reader_page_t *self);

//  True if the place (time, key) comes before the other one in the list's order.
bool
    reader_page_before (const reader_page_t *self, int64_t time, int64_t key,
        int64_t other_time, int64_t other_key);

//  Sort entries in that order.
void
    reader_page_sort (const reader_page_t *self, reader_entries_t *entries);

//  True if that place is at or before the cursor: it was on an earlier page.
bool
    reader_page_is_before_cursor (const reader_page_t *self, int64_t time, int64_t key);

//  The range of times (of the order) that entries of the page can have, by filter, snapshot and cursor.
void
    reader_page_bounds (const reader_page_t *self, int64_t *from, int64_t *to);

//  Add the next unchanged task in order, after the changed ones that come before it.
//  True when the page is full.
bool
    reader_page_add (reader_page_t *self, int64_t time, int64_t key, bool as_of);

//  Spend units. False if none are left: the page is cut at that place.
bool
    reader_page_spend (reader_page_t *self, int64_t units, int64_t time, int64_t key);

//  Forget what was found, and begin again with so many units, and entries to be left out.
void
    reader_page_restart (reader_page_t *self, int64_t units, int64_t skip);

//  After the last unchanged task: add the changed ones that remain, up to the cut.
void
    reader_page_finish (reader_page_t *self);

#endif
