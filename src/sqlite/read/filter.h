/*  filter - which tasks a list asks for, and whether a task is one of them

    The words of a filter are looked up once; then a task is looked at by its
    narrow row (a summary), and by its wide one only where the filter names a user
    or a parent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILTER_H_INCLUDED
#define STELE_FILTER_H_INCLUDED

#include "sqlite/read/match.h"
#include "sqlite/read/summary.h"

typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *query;
    reader_keys_t roles, providers, models;
    int64_t user;                   // words
    bool user_default;              // NULL is that user too
    bool matches_nothing;                   // A word that no task has: nothing passes
    stele_match_t *match;           // NULL: no search
    int64_t texts_read;                  // Looked at: each costs as much as several rows
} reader_filter_t;

//  Returns the status of the call. To be closed in any case.
int
    reader_filter_open (reader_filter_t *self, stele_reader_t *reader, const stele_filter_t *query);
void
    reader_filter_close (reader_filter_t *self);

//  Does a task with that state, role, provider and model (0: none) pass?
bool
    reader_filter_codes_pass (const reader_filter_t *self, int state, int64_t role,
        int64_t provider, int64_t model);

//  Does the whole of the filter look at no more than that, and the time of creation?
bool
    reader_filter_is_narrow (const reader_filter_t *self);

//  Does the record of a task pass, as it was?
bool
    reader_filter_record_passes (reader_filter_t *self, const stele_record_t *row);

//  Does its text match the search?
bool
    reader_filter_text_passes (reader_filter_t *self, int64_t key);

//  Does the task pass, user and parent included, but the search left aside?
bool
    reader_filter_summary_passes (reader_filter_t *self, const reader_summary_t *summary);

//  Does it pass all of the filter?
bool
    reader_filter_passes (reader_filter_t *self, const reader_summary_t *summary);

#endif
