/*  as_of - tasks that changed after the snapshot of a list

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/as_of.h"

#define LOG_ROWS_PER_STATE 4        // Rows of the log that cost as much to read as one of task_states

bool
reader_as_of_unchanged (const reader_page_t *page, const reader_summary_t *summary)
{
    if (summary->position > page->position)
        return false;
    return page->time == INT64_MAX
        || (summary->updated_at <= page->time && !reader_keys_has (&page->unordered, summary->key));
}

int
reader_as_of_evaluate (reader_page_t *page, int64_t key, reader_entry_t *entry)
{
    stele_reader_t *reader = page->reader;
    if (key > page->position || !reader_scope_has_task (reader, key))
        return 0;
    stele_record_clear (reader->row);
    int rc = reader_row_as_of (reader, key, page->position, page->time);
    if (rc != 1)
        return rc;
    if (!reader_filter_record_passes (&page->filter, reader->row))
        return reader->status;
    static const stele_field_t fields [] = {
        STELE_CREATED_AT, STELE_CREATED_AT, STELE_UPDATED_AT, STELE_UPDATED_AT,
        STELE_COMPLETED_AT, STELE_COMPLETED_AT, STELE_POSITION, STELE_POSITION
    };
    *entry = (reader_entry_t) {
        .time = stele_record_integer (reader->row, fields [page->query->order], 0),
        .key = key, .as_of = true
    };
    return entry->time != 0;
}

//  -- finding the changed tasks ------------------------------------------------------

static bool
s_may_have_changed (const reader_page_t *page, const reader_zone_t *zone)
{
    return (page->position < page->head && zone->min_task <= page->position
            && (zone->zone + 1) * STELE_ZONE > page->position)
        || (page->time != INT64_MAX && zone->min_created <= page->time
            && zone->max_time > page->time);
}

static int
s_changed_in_zone (reader_page_t *page, const reader_zone_t *zone, reader_keys_t *keys)
{
    stele_reader_t *reader = page->reader;
#define CHANGED(table) "SELECT position - task_back FROM " table \
    " WHERE position BETWEEN max (?1, ?4) AND ?2 AND position - task_back <= ?3"
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_ZONE_CHANGED,
        CHANGED ("task_history") " UNION ALL " CHANGED ("task_outputs")
        " UNION ALL " CHANGED ("task_metrics"), zone->zone * STELE_ZONE);
    if (statement) {
        sqlite3_bind_int64 (statement, 2, zone->zone * STELE_ZONE + STELE_ZONE - 1);
        sqlite3_bind_int64 (statement, 3, page->position);
        sqlite3_bind_int64 (statement, 4, page->time == INT64_MAX? page->position + 1: 0);
    }
    return reader_keys_collect (reader, statement, keys);
}

//  From the rows of task_states: cheaper than the log if most of the zones have changed tasks
static int
s_changed_of_all (reader_page_t *page, reader_keys_t *keys)
{
    stele_reader_t *reader = page->reader;
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_STATES_CHANGED,
        "SELECT task FROM states_plain WHERE task <= ?1 AND (position > ?1"
        " OR (updated_at > ?2 AND created_at <= ?2))", page->position);
    if (statement)
        sqlite3_bind_int64 (statement, 2, page->time);
    return reader_keys_collect (reader, statement, keys);
}

//  Of a reader that sees few tasks: each of them, instead of the log. False: it sees all, or too many.
static bool
s_changed_of_scope (reader_page_t *page, reader_keys_t *keys)
{
    stele_reader_t *reader = page->reader;
    const reader_scope_t *scope = &reader->scope;
    reader_keys_t seen = { NULL, 0, 0 };
    if (scope->count == 0 || !reader_keys_of_users (reader, &scope->words, scope->has_default, &seen))
        return false;
    for (size_t i = 0; i < seen.count; i++) {
        reader_summary_t summary;
        if (reader_summary (reader, seen.keys [i], &summary) == 1 && !reader_as_of_unchanged (page, &summary))
            reader_keys_add (reader, keys, summary.key);
    }
    reader_keys_free (&seen);
    return true;
}

static void
s_changed_of_log (reader_page_t *page, reader_keys_t *keys)
{
    const reader_zone_t *zones;
    size_t count = reader_zones (page->reader, &zones), zones_changed = 0;
    for (size_t i = 0; i < count; i++)
        zones_changed += s_may_have_changed (page, &zones [i]);
    int64_t tasks = reader_integer (page->reader, reader_statement (page->reader, SLOT_TASK_COUNT,
        "SELECT sum (count) FROM task_counts"), 0);
    if ((int64_t) zones_changed * STELE_ZONE > tasks / LOG_ROWS_PER_STATE && zones_changed > LOG_ROWS_PER_STATE)
        s_changed_of_all (page, keys);
    else
        for (size_t i = 0; i < count && page->reader->status == 0; i++)
            if (s_may_have_changed (page, &zones [i]))
                s_changed_in_zone (page, &zones [i], keys);
}

static int
s_find_changed (reader_page_t *page, reader_keys_t *keys)
{
    stele_reader_t *reader = page->reader;
    if (!s_changed_of_scope (page, keys))
        s_changed_of_log (page, keys);
    if (page->time != INT64_MAX)
        for (size_t i = 0; i < page->unordered.count; i++)
            reader_keys_add (reader, keys, page->unordered.keys [i]);
    reader_keys_sort (keys);
    if (reader->scope.count == 0)
        return reader->status;
    //  Those of other users are not evaluated
    size_t seen = 0;
    for (size_t i = 0; i < keys->count; i++)
        if (reader_scope_has_task (reader, keys->keys [i]))
            keys->keys [seen++] = keys->keys [i];
    keys->count = seen;
    return reader->status;
}

static int
s_find_unordered (reader_page_t *page)
{
    sqlite3_stmt *statement = reader_statement (page->reader, SLOT_UNORDERED,
        "SELECT task FROM unordered_tasks ORDER BY task");
    return reader_keys_collect (page->reader, statement, &page->unordered);
}

//  -- evaluating them ----------------------------------------------------------------

//  True if its row of task_states is enough: it did not exist yet, or has not changed
static bool
s_is_settled (reader_page_t *page, int64_t key)
{
    reader_summary_t summary;
    if (page->time == INT64_MAX || reader_keys_has (&page->unordered, key))
        return false;
    return reader_summary (page->reader, key, &summary) == 1
        && (summary.created_at > page->time || reader_as_of_unchanged (page, &summary));
}

int
reader_as_of_open (reader_page_t *page)
{
    if (!page->is_as_of || page->filter.matches_nothing || s_find_unordered (page))
        return page->reader->status;
    reader_keys_t keys = { NULL, 0, 0 };
    s_find_changed (page, &keys);
    //  Only a list that reads all tasks in its order can evaluate them as it meets them
    bool reads_all = !page->query->parent_id.text && !page->filter.by_text;
    size_t max = (size_t) page->reader->bounds.touched;
    page->lazy = reads_all && keys.count > max && page->unordered.count <= max;
    for (size_t i = 0; i < keys.count && page->reader->status == 0; i++) {
        reader_entry_t entry;
        if ((page->lazy && !reader_keys_has (&page->unordered, keys.keys [i]))
        ||  s_is_settled (page, keys.keys [i]))
            continue;
        if (reader_as_of_evaluate (page, keys.keys [i], &entry) == 1
        &&  !reader_page_is_before_cursor (page, entry.time, entry.key))
            reader_entries_add (page->reader, &page->changed, &entry);
        if (reader_overdue (page->reader))
            break;
    }
    reader_keys_free (&keys);
    reader_page_sort (page, &page->changed);
    return page->reader->status;
}
