/*  filter - test a task against the filter of a list

    The words of a filter are looked up once. Then a task is tested by its summary
    (the row of task_states), and by its row of tasks only if the filter has a user
    or a parent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILTER_H_INCLUDED
#define STELE_FILTER_H_INCLUDED

#include "sqlite/filter/match.h"
#include "sqlite/filter/summary.h"

typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *query;
    reader_keys_t roles, providers, models, producers;
    bool users_pass;                // All tasks that are tested are of these users: the index found them
    bool by_user;                   // Only tasks of some users: of user_id, and of the reader's scope
    bool user_default;              // NULL is one of them
    reader_keys_t users;            // Their words
    bool matches_nothing;                   // A word that no task has, or an empty search
    stele_match_t *match;           // NULL: no search
    bool by_text;                   // A search, or a part that the texts contain: texts have to be read
    int64_t texts_read;                  // Each costs as much as several rows
} reader_filter_t;

//  Returns the status of the call. Close it in any case.
int
    reader_filter_open (reader_filter_t *self, stele_reader_t *reader, const stele_filter_t *query);
void
    reader_filter_close (reader_filter_t *self);

//  Test state, role, provider and model (0: none) only.
bool
    reader_filter_codes_pass (const reader_filter_t *self, int state, int64_t role,
        int64_t provider, int64_t model);

//  True if the filter tests nothing else but the time of creation.
bool
    reader_filter_is_narrow (const reader_filter_t *self);

//  Test the record of a task (as of a position or time) against all of the filter.
bool
    reader_filter_record_passes (reader_filter_t *self, const stele_record_t *row);

//  Test the search and 'contains' only: reads the texts of the task.
bool
    reader_filter_text_passes (reader_filter_t *self, int64_t key);

//  Test all but the search and 'contains'.
bool
    reader_filter_summary_passes (reader_filter_t *self, const reader_summary_t *summary);

//  Test all of the filter.
bool
    reader_filter_passes (reader_filter_t *self, const reader_summary_t *summary);

#endif
