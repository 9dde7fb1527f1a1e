/*  filter - which tasks a list asks for, and whether a task is one of them

    The words of a filter are looked up once; then a task is looked at by its
    narrow row (a brief), and by its wide one only where the filter names a user
    or a parent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILTER_H_INCLUDED
#define STELE_FILTER_H_INCLUDED

#include "sqlite/read/match.h"
#include "sqlite/read/reader_internal.h"

//  What task_states says of a task; 0 is NULL
typedef struct {
    int64_t key;
    int state;
    int64_t role, provider, model;  // words
    int flags;
    int64_t created_at, updated_at, started_at, completed_at;
    int64_t error_count;
    int64_t position;
    int64_t last_error_at;
} reader_brief_t;

#define READER_BRIEF_COUNT 13
#define READER_BRIEF_COLUMNS "s.task, s.state, s.role, s.provider, s.model, s.flags," \
    " s.created_at, s.updated_at, s.started_at, s.completed_at, s.error_count, s.position, s.last_error_at"

//  From the columns first, first + 1, ... of a statement that has READER_BRIEF_COLUMNS there.
void
    reader_brief_fill (reader_brief_t *brief, sqlite3_stmt *statement, int first);

//  Of the task with that key: 1, 0 there is none, or an error.
int
    reader_brief (stele_reader_t *self, int64_t key, reader_brief_t *brief);

//  Where a task stands in an order; 0: it is not in it.
int64_t
    reader_brief_time (const reader_brief_t *brief, stele_order_t order);

typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *ask;
    reader_keys_t roles, providers, models;
    int64_t user;                   // words
    bool user_default;              // NULL is that user too
    bool nothing;                   // A word that no task has: nothing passes
    stele_match_t *match;           // NULL: no search
    int64_t texts;                  // Looked at: each costs as much as several rows
} reader_filter_t;

//  Returns the status of the call. To be closed in any case.
int
    reader_filter_open (reader_filter_t *self, stele_reader_t *reader, const stele_filter_t *ask);
void
    reader_filter_close (reader_filter_t *self);

//  Does a task with that state, role, provider and model (0: none) pass?
bool
    reader_filter_admits (const reader_filter_t *self, int state, int64_t role,
        int64_t provider, int64_t model);

//  Does the whole of the filter look at no more than that, and the time of creation?
bool
    reader_filter_is_narrow (const reader_filter_t *self);

//  Does the record of a task pass, as it was?
bool
    reader_filter_row_passes (reader_filter_t *self, const stele_record_t *row);

//  Does its text match the search?
bool
    reader_filter_matches (reader_filter_t *self, int64_t key);

//  Does the task pass, user and parent included, but the search left aside?
bool
    reader_filter_selects (reader_filter_t *self, const reader_brief_t *brief);

//  Does it pass all of the filter?
bool
    reader_filter_passes (reader_filter_t *self, const reader_brief_t *brief);

#endif
