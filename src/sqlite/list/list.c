/*  list - tasks by filter, page by page: choose the access path, return the rows

    The access paths, the cheapest first: examine a small set of tasks (candidates of a
    search, children of one parent, the tasks of a few users, a short range of times, the
    tasks of a few states); the index, in order of creation, whatever the filter; else the zones
    of the log (the latest changed, the latest ended). A search of a large ledger tries the last
    two first: many tasks may match.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/list/as_of.h"
#include "sqlite/list/by_index.h"
#include "sqlite/list/by_key.h"
#include "sqlite/list/by_text.h"
#include "sqlite/list/by_zone.h"

//  In the order of the list: each task is tested until the page is full, or the work is done
static void
s_find_in_order (reader_page_t *page)
{
    reader_pair_t pairs [READER_BRANCHES];
    int64_t tasks;
    bool by_created = page->query->order <= STELE_ORDER_CREATED_ASC;
    int count = reader_pairs_find (page, pairs, &tasks);
    if (page->lazy || count > READER_BRANCHES)
        reader_page_by_zone (page);
    else
    if (by_created)
        reader_page_by_index (page, pairs, count);
    else
    if (tasks <= page->reader->bounds.set && !page->filter.by_text)
        reader_page_by_pairs (page, pairs, count);
    else
        reader_page_by_zone (page);
}

//  The index for searches collects all matches of the beginning of a word before it returns the first. If much of the ledger
//  matches, reading the tasks in order finds the page sooner. So a part of the work is tried, and twice of all of it if that
//  should fill the page (the tasks of some ten thousand matches, which lie all over the ledger, take longer): true if it is full,
//  or has all; false, with nothing found, if the index should be asked.
static bool
s_find_wide (reader_page_t *page)
{
    int64_t units = page->units, skip = page->skip;
    //  A zone is read as a whole
    int64_t part = page->query->order <= STELE_ORDER_CREATED_ASC? 4: 2;
    if (page->head <= page->reader->bounds.set || page->query->parent_id.text)
        return false;
    page->units /= part;
    s_find_in_order (page);
    if (!page->cut || page->reader->status)
        return true;
    int64_t found = skip - page->skip + (int64_t) page->entries.count;
    reader_page_restart (page, units * 2, skip);
    if (found * part * 2 <= skip + page->query->limit) {
        page->units = units;
        return false;
    }
    s_find_in_order (page);
    if (!page->cut || page->reader->status || page->entries.count > (size_t) page->query->limit)
        return true;
    //  Few others match: the index has them all
    reader_page_restart (page, units, skip);
    return false;
}

static int
s_find (reader_page_t *page)
{
    reader_keys_t keys = { NULL, 0, 0 };
    if (page->filter.matches_nothing)
        return 0;
    if (page->filter.match && s_find_wide (page))
        page->indexed = reader_page_indexed (page);
    else
    if (page->filter.match && reader_page_candidates (page, &keys))
        reader_page_by_keys (page, &keys);
    else
    if (page->query->parent_id.text)
        reader_page_by_parent (page);
    else
    if (!page->lazy && (reader_page_keys_of_users (page, &keys) || reader_page_keys_of_range (page, &keys)))
        reader_page_by_keys (page, &keys);
    else
        s_find_in_order (page);
    if (page->reader->status == 0)
        reader_page_finish (page);
    return page->reader->status;
}

//  The cursor of the next page
static stele_page_t
s_next (const reader_page_t *page)
{
    size_t limit = (size_t) page->query->limit;
    stele_page_t next = { .position = page->position, .partial = page->partial, .indexed = page->indexed };
    if (page->entries.count > limit) {
        next.more = true;
        next.time = page->entries.items [limit - 1].time;
        next.key = page->entries.items [limit - 1].key;
    }
    else
    if (page->cut) {
        next.more = next.cut = true;
        next.time = page->cut_time;
        next.key = page->cut_key;
        next.skip = page->skip;
    }
    return next;
}

static int
s_emit (reader_page_t *page, stele_row_fn *fn, void *arg)
{
    stele_reader_t *reader = page->reader;
    for (size_t i = 0; i < page->entries.count && i < (size_t) page->query->limit; i++) {
        const reader_entry_t *row = &page->entries.items [i];
        stele_record_clear (reader->row);
        int rc = row->as_of? reader_row_as_of (reader, row->key, page->position, page->time):
            reader_task_row (reader, row->key, false);
        if (rc != 1)
            return rc;
        if (page->query->order >= STELE_ORDER_HEARD_DESC)
            reader_set_heard (reader);
        rc = fn (reader->row, arg);
        if (rc)
            return rc;
    }
    return 0;
}

int
stele_reader_tasks (stele_reader_t *reader, const stele_filter_t *query,
    stele_row_fn *fn, void *arg, stele_page_t *next)
{
    assert (query->limit > 0);
    int rc = reader_enter (reader);
    if (rc)
        return rc;
    reader_page_t page;
    stele_page_t cursor = { .more = false };
    if (reader_page_open (&page, reader, query) == 0 && reader_as_of_open (&page) == 0 && s_find (&page) == 0) {
        cursor = s_next (&page);
        rc = s_emit (&page, fn, arg);
    }
    reader_page_close (&page);
    rc = (int) reader_leave (reader, rc < 0? rc: 0);
    if (rc == 0)
        *next = cursor;
    return rc;
}
