/*  list - tasks by filter, a page at a time

    Which way to a page is shortest: the index on state, role and creation (the
    newest first, whatever passes); the zones of the log (the latest changed,
    the latest ended); or to look at each of a few tasks and sort them (the
    children of one parent, the few that are running).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // qsort_r
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite/list/list.h"

//  What it costs to look at the text of a task
#define TEXT_UNITS 10

//  -- the order ----------------------------------------------------------------------

bool
reader_list_before (const reader_list_t *self, int64_t time, int64_t key,
    int64_t other_time, int64_t other_key)
{
    bool less = time < other_time || (time == other_time && key < other_key);
    bool more = time > other_time || (time == other_time && key > other_key);
    return self->ascending? less: more;
}

bool
reader_list_passed (const reader_list_t *self, int64_t time, int64_t key)
{
    const stele_filter_t *ask = self->ask;
    return ask->has_cursor
        && !reader_list_before (self, ask->cursor_time, ask->cursor_key, time, key);
}

void
reader_list_bounds (const reader_list_t *self, int64_t *from, int64_t *to)
{
    const stele_filter_t *ask = self->ask;
    const int64_t ranges [3] [2] = {
        { ask->from_us, ask->to_us },
        { ask->updated_from_us, ask->updated_to_us },
        { ask->completed_from_us, ask->completed_to_us }
    };
    const int64_t *range = ranges [(int) ask->order / 2];
    *from = range [0]? range [0]: INT64_MIN;
    *to = range [1]? range [1]: INT64_MAX;
    if (*to > self->time)
        *to = self->time;
    if (ask->has_cursor && self->ascending && ask->cursor_time > *from)
        *from = ask->cursor_time;
    if (ask->has_cursor && !self->ascending && ask->cursor_time < *to)
        *to = ask->cursor_time;
}

static int
s_compare (const void *one, const void *other, void *arg)
{
    const reader_found_t *a = one, *b = other;
    if (a->time == b->time && a->key == b->key)
        return 0;
    return reader_list_before (arg, a->time, a->key, b->time, b->key)? -1: 1;
}

void
reader_list_sort (reader_list_t *self, reader_founds_t *rows)
{
    if (rows->count > 0)
        qsort_r (rows->rows, rows->count, sizeof *rows->rows, s_compare, self);
}

int
reader_founds_add (stele_reader_t *reader, reader_founds_t *self, const reader_found_t *row)
{
    if (self->count == self->room) {
        size_t room = self->room? self->room * 2: 64;
        reader_found_t *rows = realloc (self->rows, room * sizeof *rows);
        if (!rows)
            return reader_fail (reader, STELE_ENO_MEMORY, "out of memory");
        self->rows = rows;
        self->room = room;
    }
    self->rows [self->count++] = *row;
    return 0;
}

void
reader_founds_free (reader_founds_t *self)
{
    free (self->rows);
    *self = (reader_founds_t) { NULL, 0, 0 };
}

//  -- taking rows ----------------------------------------------------------------------

//  True when the page is full
static bool
s_keep (reader_list_t *self, const reader_found_t *row)
{
    if (self->skip > 0)
        self->skip--;
    else
        reader_founds_add (self->reader, &self->page, row);
    return self->page.count > (size_t) self->ask->limit;
}

bool
reader_list_take (reader_list_t *self, int64_t time, int64_t key, bool past)
{
    while (self->touched_next < self->touched.count) {
        const reader_found_t *touched = &self->touched.rows [self->touched_next];
        if (!reader_list_before (self, touched->time, touched->key, time, key))
            break;
        self->touched_next++;
        if (s_keep (self, touched))
            return true;
    }
    reader_found_t row = { time, key, past };
    return s_keep (self, &row);
}

//  The touched behind the last row of the base, or up to and with the place where it was cut
static void
s_take_rest (reader_list_t *self)
{
    while (self->touched_next < self->touched.count && self->page.count <= (size_t) self->ask->limit) {
        const reader_found_t *touched = &self->touched.rows [self->touched_next];
        if (self->cut && reader_list_before (self, self->cut_time, self->cut_key,
                touched->time, touched->key))
            break;
        self->touched_next++;
        s_keep (self, touched);
    }
}

bool
reader_list_spend (reader_list_t *self, int64_t units, int64_t time, int64_t key)
{
    self->units -= units + self->filter.texts * TEXT_UNITS;
    self->filter.texts = 0;
    if (self->units > 0)
        return true;
    self->cut = true;
    self->cut_time = time;
    self->cut_key = key;
    return false;
}

//  -- a few tasks, looked at one by one -------------------------------------------------

int
reader_list_set (reader_list_t *self, reader_keys_t *keys)
{
    stele_reader_t *reader = self->reader;
    reader_founds_t found = { NULL, 0, 0 };
    int64_t from, to;
    reader_list_bounds (self, &from, &to);
    reader_keys_sort (keys);
    for (size_t i = 0; i < keys->count && reader->status == 0; i++) {
        reader_brief_t brief;
        if (keys->keys [i] > self->position
        ||  reader_brief (reader, keys->keys [i], &brief) != 1
        ||  !reader_list_as_of_untouched (self, &brief))
            continue;
        reader_found_t row = { reader_brief_time (&brief, self->ask->order), brief.key, false };
        if (row.time && row.time >= from && row.time <= to
        &&  !reader_list_passed (self, row.time, row.key)
        &&  reader_filter_selects (&self->filter, &brief))
            reader_founds_add (reader, &found, &row);
        if (i % 256 == 0 && reader_overdue (reader))
            break;
    }
    reader_keys_free (keys);
    reader_list_sort (self, &found);
    //  Texts are looked at in order, no further than the page needs
    for (size_t i = 0; i < found.count && reader->status == 0; i++) {
        const reader_found_t *row = &found.rows [i];
        if ((!self->filter.match || reader_filter_matches (&self->filter, row->key))
        &&  reader_list_take (self, row->time, row->key, false))
            break;
        if (self->filter.match && !reader_list_spend (self, 0, row->time, row->key))
            break;
    }
    reader_founds_free (&found);
    return reader->status;
}

static int
s_list_children (reader_list_t *self)
{
    stele_reader_t *reader = self->reader;
    reader_keys_t keys = { NULL, 0, 0 };
    sqlite3_stmt *statement = reader_statement (reader, SLOT_CHILDREN,
        "SELECT id FROM tasks WHERE parent_id = ?1");
    reader_bind_id (statement, 1, self->ask->parent_id.text, self->ask->parent_id.size);
    while (reader_step (reader, statement) == 1)
        reader_keys_add (reader, &keys, sqlite3_column_int64 (statement, 0));
    return reader_list_set (self, &keys);
}

static int
s_list_pairs (reader_list_t *self, const reader_pair_t *pairs, int count)
{
    stele_reader_t *reader = self->reader;
    reader_keys_t keys = { NULL, 0, 0 };
    for (int i = 0; i < count; i++) {
        sqlite3_stmt *statement = reader_with_key (reader, SLOT_PAIR_TASKS,
            "SELECT task FROM task_states WHERE state = ?1 AND role IS ?2", pairs [i].state);
        if (statement && pairs [i].role)
            sqlite3_bind_int64 (statement, 2, pairs [i].role);
        else
        if (statement)
            sqlite3_bind_null (statement, 2);
        while (reader_step (reader, statement) == 1)
            reader_keys_add (reader, &keys, sqlite3_column_int64 (statement, 0));
    }
    return reader_list_set (self, &keys);
}

//  -- the page ---------------------------------------------------------------------------

int
reader_list_open (reader_list_t *self, stele_reader_t *reader, const stele_filter_t *ask)
{
    const stele_reader_bounds_t *bounds = &reader->bounds;
    *self = (reader_list_t) {
        .reader = reader, .ask = ask,
        .units = ask->search.text? bounds->search_units: bounds->units
    };
    self->skip = ask->has_cursor? ask->cursor_skip: ask->offset;
    //  Who counts from the start pays for the way
    self->units += self->skip * 4;
    self->ascending = ask->order % 2 != 0;
    self->head = reader_head (reader);
    self->position = ask->position && ask->position < self->head? ask->position: self->head;
    self->time = ask->time_us? ask->time_us: INT64_MAX;
    self->is_past = self->position < self->head || self->time != INT64_MAX;
    if (reader_filter_open (&self->filter, reader, ask) || self->filter.nothing)
        return reader->status;
    return reader_list_as_of_open (self);
}

void
reader_list_close (reader_list_t *self)
{
    reader_filter_close (&self->filter);
    reader_founds_free (&self->page);
    reader_founds_free (&self->touched);
    reader_keys_free (&self->unordered);
}

//  A short range of a time that the list is not in the order of: the tasks of its events
static bool
s_keys_of_range (reader_list_t *self, reader_keys_t *keys)
{
    const stele_filter_t *ask = self->ask;
    int64_t events = self->reader->bounds.set * 3;
    int kind = (int) ask->order / 2;
    if (kind != 2 && (ask->completed_from_us || ask->completed_to_us))
        return reader_zone_keys (self->reader, ask->completed_from_us? ask->completed_from_us: INT64_MIN,
            ask->completed_to_us? ask->completed_to_us: INT64_MAX, events, keys);
    if (kind != 1 && (ask->updated_from_us || ask->updated_to_us))
        return reader_zone_keys (self->reader, ask->updated_from_us? ask->updated_from_us: INT64_MIN,
            ask->updated_to_us? ask->updated_to_us: INT64_MAX, events, keys);
    return false;
}

static int
s_find (reader_list_t *self)
{
    reader_pair_t pairs [READER_BRANCHES];
    int64_t tasks = 0;
    reader_keys_t keys = { NULL, 0, 0 };
    if (self->filter.nothing)
        return 0;
    if (self->filter.match && reader_list_candidates (self, &keys))
        reader_list_set (self, &keys);
    else
    if (self->ask->parent_id.text)
        s_list_children (self);
    else
    if (!self->lazy && s_keys_of_range (self, &keys))
        reader_list_set (self, &keys);
    else {
        bool by_created = self->ask->order <= STELE_ORDER_CREATED_ASC;
        int count = reader_list_pairs (self, pairs, &tasks);
        if (self->lazy || count > READER_BRANCHES)
            reader_list_by_zone (self);
        else
        if (by_created)
            reader_list_by_index (self, pairs, count);
        else
        if (tasks <= self->reader->bounds.set && !self->filter.match)
            s_list_pairs (self, pairs, count);
        else
            reader_list_by_zone (self);
    }
    if (self->reader->status == 0)
        s_take_rest (self);
    return self->reader->status;
}

//  Where the page that follows begins
static stele_page_t
s_next (const reader_list_t *self)
{
    size_t limit = (size_t) self->ask->limit;
    stele_page_t next = { .position = self->position, .partial = self->partial };
    if (self->page.count > limit) {
        next.more = true;
        next.time = self->page.rows [limit - 1].time;
        next.key = self->page.rows [limit - 1].key;
    }
    else
    if (self->cut) {
        next.more = next.cut = true;
        next.time = self->cut_time;
        next.key = self->cut_key;
        next.skip = self->skip;
    }
    return next;
}

static int
s_hand_out (reader_list_t *self, stele_row_fn *fn, void *arg)
{
    stele_reader_t *reader = self->reader;
    for (size_t i = 0; i < self->page.count && i < (size_t) self->ask->limit; i++) {
        const reader_found_t *row = &self->page.rows [i];
        stele_record_clear (reader->row);
        int rc = row->past? reader_row_as_of (reader, row->key, self->position, self->time):
            reader_task_row (reader, row->key, false);
        if (rc != 1)
            return rc;
        rc = fn (reader->row, arg);
        if (rc)
            return rc;
    }
    return 0;
}

int
stele_reader_tasks (stele_reader_t *reader, const stele_filter_t *ask,
    stele_row_fn *fn, void *arg, stele_page_t *next)
{
    assert (ask->limit > 0);
    int rc = reader_enter (reader);
    if (rc)
        return rc;
    reader_list_t list;
    stele_page_t page = { .more = false };
    if (reader_list_open (&list, reader, ask) == 0 && s_find (&list) == 0) {
        page = s_next (&list);
        rc = s_hand_out (&list, fn, arg);
    }
    reader_list_close (&list);
    rc = (int) reader_leave (reader, rc < 0? rc: 0);
    if (rc == 0)
        *next = page;
    return rc;
}
