/*  list - what the files of the list share

    list.c    plans a page, hands it out
    by_index.c   in the order of creation, by the index on state, role and creation
    by_zone.c    in any order, by the zones of the log
    total.c   counts
    as_of.c  which tasks were something else at the moment that the list shows

    A page is found as (time, key) pairs in its order; rows are read at its end.

    All pages of a list show one moment: the position of its first page, or the
    one that was asked for. What has not changed since is found as it is now.
    What has (the touched) is evaluated one by one and sorted in.

    Work is counted, not timed: a page that has cost its units ends where it is,
    with a cursor to go on from.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_H_INCLUDED
#define STELE_LIST_H_INCLUDED

#include "sqlite/read/filter.h"

//  A row of the page to be
typedef struct {
    int64_t time;                   // In the order that was asked for
    int64_t key;
    bool past;                      // Has changed since: to be read as it was
} reader_found_t;

typedef struct {
    reader_found_t *rows;
    size_t count, room;
} reader_founds_t;

int
    reader_founds_add (stele_reader_t *reader, reader_founds_t *self, const reader_found_t *row);
void
    reader_founds_free (reader_founds_t *self);

typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *query;
    reader_filter_t filter;
    bool ascending;
    int64_t skip;
    int64_t units;                  // Of work left
    //  The moment
    int64_t head;
    int64_t position;               // Events up to this one,
    int64_t time;                   // with times up to this one, count; INT64_MAX: any
    bool is_past;                   // Not simply all there are
    bool lazy;                      // Too many are touched: each is evaluated where it is met
    reader_keys_t unordered;        // Only where 'time' is bounded
    reader_founds_t touched;        // In order: what of the touched is in the list
    size_t touched_next;
    bool partial;                   // Not all of the ledger could be searched
    //  The page: one row more than asked for, where there is one
    reader_founds_t page;
    bool cut;                       // Ended for want of units: looked no further than
    int64_t cut_time, cut_key;      //    up to and with this place in the order
} reader_list_t;

//  Returns the status of the call. To be closed in any case.
int
    reader_list_open (reader_list_t *self, stele_reader_t *reader, const stele_filter_t *query);
void
    reader_list_close (reader_list_t *self);

//  Is the place (time, key) before the other in the list's order?
bool
    reader_list_before (const reader_list_t *self, int64_t time, int64_t key,
        int64_t other_time, int64_t other_key);

//  Sort rows by their place in it.
void
    reader_list_sort (reader_list_t *self, reader_founds_t *rows);

//  Does the list begin after that place, because of its cursor?
bool
    reader_list_passed (const reader_list_t *self, int64_t time, int64_t key);

//  The next row of the base, in order: sorts in what is touched before it, and keeps it.
//  True when the page is full.
bool
    reader_list_take (reader_list_t *self, int64_t time, int64_t key, bool past);

//  Spend units; false, with the list cut at that place, where there are none left.
bool
    reader_list_spend (reader_list_t *self, int64_t units, int64_t time, int64_t key);

//  Between what times (of the order) can rows of the list be? Cursor and filter taken in.
void
    reader_list_bounds (const reader_list_t *self, int64_t *from, int64_t *to);

/*  -- the moment (as_of.c) ------------------------------------------------- */

//  What was at that moment is what is now: nothing of the task happened since.
bool
    reader_list_as_of_untouched (const reader_list_t *self, const reader_summary_t *summary);

//  Does a touched task pass as it was? 1 with its place in *found, 0 it does not, or an error.
int
    reader_list_as_of_evaluate (reader_list_t *self, int64_t key, reader_found_t *found);

//  Find the touched and evaluate them, or turn lazy. Returns the status of the call.
int
    reader_list_as_of_open (reader_list_t *self);

/*  -- ways to find the page ---------------------------------------------------------- */

//  Pairs of a state and a role that pass and that there are.
typedef struct {
    int state;
    int64_t role;                   // 0: none
} reader_pair_t;

//  Their number, or READER_BRANCHES + 1 where there are more; *tasks is how many tasks they
//  have, by the writer's counts.
int
    reader_list_pairs (reader_list_t *self, reader_pair_t *pairs, int64_t *tasks);

int
    reader_list_by_index (reader_list_t *self, const reader_pair_t *pairs, int count);
int
    reader_list_by_zone (reader_list_t *self);

//  The tasks that may be meant by the search, sorted. False: they are too many to be sorted.
bool
    reader_list_candidates (reader_list_t *self, reader_keys_t *keys);

//  Look at each of those tasks, sort those that pass. Frees the keys.
int
    reader_list_set (reader_list_t *self, reader_keys_t *keys);

#endif
