/*  page - one page of a task list while it is being found: order, cursor, rows, cost

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // qsort_r
#include <stdlib.h>
#include "base/memory.h"
#include "sqlite/list/page.h"

#define SKIP_UNITS 4                // Added for each entry of an offset

//  -- entries ------------------------------------------------------------------------

int
reader_entries_add (stele_reader_t *reader, reader_entries_t *self, const reader_entry_t *entry)
{
    reader_entry_t *items = stele_array_grow (self->items, &self->room, self->count + 1, sizeof *items);
    if (!items)
        return reader_fail (reader, STELE_ENO_MEMORY, "out of memory");
    self->items = items;
    self->items [self->count++] = *entry;
    return 0;
}

void
reader_entries_free (reader_entries_t *self)
{
    free (self->items);
    *self = (reader_entries_t) { NULL, 0, 0 };
}

//  -- open, close --------------------------------------------------------------------

int
reader_page_open (reader_page_t *self, stele_reader_t *reader, const stele_filter_t *query)
{
    const stele_reader_bounds_t *bounds = &reader->bounds;
    *self = (reader_page_t) {
        .reader = reader, .query = query,
        .units = query->search.text || query->contains.size? bounds->search_units: bounds->units
    };
    self->skip = query->has_cursor? query->cursor_skip: query->offset;
    self->units += self->skip * SKIP_UNITS;
    self->ascending = query->order % 2 != 0;
    self->head = reader_head (reader);
    self->position = query->position && query->position < self->head? query->position: self->head;
    self->time = query->time_us? query->time_us: INT64_MAX;
    self->is_as_of = self->position < self->head || self->time != INT64_MAX;
    return reader_filter_open (&self->filter, reader, query);
}

void
reader_page_close (reader_page_t *self)
{
    reader_filter_close (&self->filter);
    reader_entries_free (&self->entries);
    reader_entries_free (&self->changed);
    reader_keys_free (&self->unordered);
}

//  -- the order ----------------------------------------------------------------------

bool
reader_page_before (const reader_page_t *self, int64_t time, int64_t key,
    int64_t other_time, int64_t other_key)
{
    bool less = time < other_time || (time == other_time && key < other_key);
    bool more = time > other_time || (time == other_time && key > other_key);
    return self->ascending? less: more;
}

bool
reader_page_is_before_cursor (const reader_page_t *self, int64_t time, int64_t key)
{
    const stele_filter_t *query = self->query;
    return query->has_cursor
        && !reader_page_before (self, query->cursor_time, query->cursor_key, time, key);
}

void
reader_page_bounds (const reader_page_t *self, int64_t *from, int64_t *to)
{
    const stele_filter_t *query = self->query;
    const int64_t ranges [4] [2] = {
        { query->from_us, query->to_us },
        { query->updated_from_us, query->updated_to_us },
        { query->completed_from_us, query->completed_to_us },
        { 0, query->heard_to }
    };
    const int64_t *range = ranges [(int) query->order / 2];
    *from = range [0]? range [0]: INT64_MIN;
    *to = range [1]? range [1]: INT64_MAX;
    if (*to > self->time && query->order < STELE_ORDER_HEARD_DESC)
        *to = self->time;
    if (query->has_cursor && self->ascending && query->cursor_time > *from)
        *from = query->cursor_time;
    if (query->has_cursor && !self->ascending && query->cursor_time < *to)
        *to = query->cursor_time;
}

static int
s_compare (const void *one, const void *other, void *arg)
{
    const reader_entry_t *a = one, *b = other;
    const reader_page_t *self = arg;
    if (a->time == b->time && a->key == b->key)
        return 0;
    return reader_page_before (self, a->time, a->key, b->time, b->key)? -1: 1;
}

void
reader_page_sort (const reader_page_t *self, reader_entries_t *entries)
{
    if (entries->count > 0)
        qsort_r (entries->items, entries->count, sizeof *entries->items, s_compare, (void *) self);
}

//  -- adding entries -----------------------------------------------------------------

//  True when the page is full
static bool
s_keep (reader_page_t *self, const reader_entry_t *entry)
{
    if (self->skip > 0)
        self->skip--;
    else
        reader_entries_add (self->reader, &self->entries, entry);
    return self->entries.count > (size_t) self->query->limit;
}

bool
reader_page_add (reader_page_t *self, int64_t time, int64_t key, bool as_of)
{
    while (self->changed_next < self->changed.count) {
        const reader_entry_t *changed = &self->changed.items [self->changed_next];
        if (!reader_page_before (self, changed->time, changed->key, time, key))
            break;
        self->changed_next++;
        if (s_keep (self, changed))
            return true;
    }
    reader_entry_t entry = { time, key, as_of };
    return s_keep (self, &entry);
}

void
reader_page_restart (reader_page_t *self, int64_t units, int64_t skip)
{
    self->units = units;
    self->skip = skip;
    self->entries.count = self->changed_next = 0;
    self->cut = false;
    self->filter.texts_read = 0;
}

void
reader_page_finish (reader_page_t *self)
{
    while (self->changed_next < self->changed.count && self->entries.count <= (size_t) self->query->limit) {
        const reader_entry_t *changed = &self->changed.items [self->changed_next];
        if (self->cut && reader_page_before (self, self->cut_time, self->cut_key,
                changed->time, changed->key))
            break;
        self->changed_next++;
        s_keep (self, changed);
    }
}

bool
reader_page_spend (reader_page_t *self, int64_t units, int64_t time, int64_t key)
{
    self->units -= units + self->filter.texts_read * READER_TEXT_UNITS;
    self->filter.texts_read = 0;
    if (self->units > 0)
        return true;
    self->cut = true;
    self->cut_time = time;
    self->cut_key = key;
    return false;
}
