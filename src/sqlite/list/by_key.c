/*  by_key - a page from a small set of tasks, each one examined

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/as_of.h"
#include "sqlite/list/by_key.h"

#define CHECK_EVERY 256             // Tasks between checks of the deadline
#define EVENTS_PER_TASK 3           // A range may have that many events per task of a set

//  Entries of the tasks that pass all of the filter but the search
static void
s_examine (reader_page_t *page, const reader_keys_t *keys, reader_entries_t *entries)
{
    stele_reader_t *reader = page->reader;
    int64_t from, to;
    reader_page_bounds (page, &from, &to);
    for (size_t i = 0; i < keys->count && reader->status == 0; i++) {
        reader_summary_t summary;
        if (keys->keys [i] > page->position
        ||  reader_summary (reader, keys->keys [i], &summary) != 1
        ||  !reader_as_of_unchanged (page, &summary))
            continue;
        reader_entry_t entry = { reader_summary_time (&summary, page->query->order), summary.key, false };
        if (entry.time && entry.time >= from && entry.time <= to
        &&  !reader_page_is_before_cursor (page, entry.time, entry.key)
        &&  reader_filter_summary_passes (&page->filter, &summary))
            reader_entries_add (reader, entries, &entry);
        if (i % CHECK_EVERY == 0 && reader_overdue (reader))
            break;
    }
    reader_page_sort (page, entries);
}

int
reader_page_by_keys (reader_page_t *page, reader_keys_t *keys)
{
    reader_entries_t entries = { NULL, 0, 0 };
    reader_keys_sort (keys);
    s_examine (page, keys, &entries);
    reader_keys_free (keys);
    //  Texts are read in order, no further than the page needs
    for (size_t i = 0; i < entries.count && page->reader->status == 0; i++) {
        const reader_entry_t *entry = &entries.items [i];
        if ((!page->filter.by_text || reader_filter_text_passes (&page->filter, entry->key))
        &&  reader_page_add (page, entry->time, entry->key, false))
            break;
        if (page->filter.by_text && !reader_page_spend (page, 0, entry->time, entry->key))
            break;
    }
    reader_entries_free (&entries);
    return page->reader->status;
}

int
reader_page_by_parent (reader_page_t *page)
{
    stele_reader_t *reader = page->reader;
    reader_keys_t keys = { NULL, 0, 0 };
    sqlite3_stmt *statement = reader_statement (reader, SLOT_CHILDREN,
        "SELECT id FROM tasks WHERE parent_id = ?1");
    reader_bind_id (statement, 1, page->query->parent_id.text, page->query->parent_id.size);
    reader_keys_collect (reader, statement, &keys);
    return reader_page_by_keys (page, &keys);
}

int
reader_page_by_pairs (reader_page_t *page, const reader_pair_t *pairs, int count)
{
    stele_reader_t *reader = page->reader;
    reader_keys_t keys = { NULL, 0, 0 };
    for (int i = 0; i < count; i++) {
        sqlite3_stmt *statement = reader_statement (reader, SLOT_PAIR_TASKS,
            "SELECT task FROM task_states WHERE state = ?1 AND role IS ?2");
        reader_pair_bind (statement, &pairs [i]);
        reader_keys_collect (reader, statement, &keys);
    }
    return reader_page_by_keys (page, &keys);
}

static bool
s_keys_of_range (reader_page_t *page, int64_t from, int64_t to, reader_keys_t *keys)
{
    return (from || to) && reader_zone_keys (page->reader, from? from: INT64_MIN, to? to: INT64_MAX,
        page->reader->bounds.set * EVENTS_PER_TASK, keys);
}

bool
reader_page_keys_of_range (reader_page_t *page, reader_keys_t *keys)
{
    const stele_filter_t *query = page->query;
    bool by_updated = query->order == STELE_ORDER_UPDATED_DESC || query->order == STELE_ORDER_UPDATED_ASC;
    bool by_completed = query->order == STELE_ORDER_COMPLETED_DESC || query->order == STELE_ORDER_COMPLETED_ASC;
    if (!by_completed && (query->completed_from_us || query->completed_to_us))
        return s_keys_of_range (page, query->completed_from_us, query->completed_to_us, keys);
    return !by_updated && s_keys_of_range (page, query->updated_from_us, query->updated_to_us, keys);
}

bool
reader_page_keys_of_users (reader_page_t *page, reader_keys_t *keys)
{
    reader_filter_t *filter = &page->filter;
    filter->users_pass = filter->by_user
        && reader_keys_of_users (page->reader, &filter->users, filter->user_default, keys);
    return filter->users_pass;
}
