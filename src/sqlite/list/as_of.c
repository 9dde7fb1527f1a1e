/*  as_of - the tasks that were something else at the moment of a list

    A list shows one moment: a position, and maybe a time. A task that no event
    has touched since is now what it was then, and is found as such. The others
    are found by the zones after the moment, and looked at one by one, as they
    were. In a log that is mostly in order these are the few that were under way.

    Where they are many, the list is lazy: it goes through all tasks in its
    order and evaluates the touched as it meets them. But those whose events
    were out of order may stand elsewhere then, so they are evaluated first.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/list.h"

#define STATES_ROWS 4               // So many rows of the log cost as much as one of task_states

bool
reader_list_as_of_untouched (const reader_list_t *self, const reader_brief_t *brief)
{
    if (brief->position > self->position)
        return false;
    return self->time == INT64_MAX
        || (brief->updated_at <= self->time && !reader_keys_has (&self->unordered, brief->key));
}

int
reader_list_as_of_evaluate (reader_list_t *self, int64_t key, reader_found_t *found)
{
    stele_reader_t *reader = self->reader;
    if (key > self->position)
        return 0;
    stele_record_clear (reader->row);
    int rc = reader_row_as_of (reader, key, self->position, self->time);
    if (rc != 1)
        return rc;
    if (!reader_filter_row_passes (&self->filter, reader->row))
        return reader->status;
    static const stele_field_t fields [] = {
        STELE_CREATED_AT, STELE_CREATED_AT, STELE_UPDATED_AT, STELE_UPDATED_AT,
        STELE_COMPLETED_AT, STELE_COMPLETED_AT
    };
    *found = (reader_found_t) {
        .time = stele_record_integer (reader->row, fields [self->ask->order], 0),
        .key = key, .past = true
    };
    return found->time != 0;
}

//  -- which are they? ----------------------------------------------------------------

static bool
s_may_touch (const reader_list_t *self, const reader_zone_t *zone)
{
    return (self->position < self->head && zone->min_task <= self->position
            && (zone->zone + 1) * STELE_ZONE > self->position)
        || (self->time != INT64_MAX && zone->min_created <= self->time
            && zone->max_time > self->time);
}

static int
s_touched_in_zone (reader_list_t *self, const reader_zone_t *zone, reader_keys_t *keys)
{
    stele_reader_t *reader = self->reader;
#define TOUCHED(table) "SELECT position - task_back FROM " table \
    " WHERE position BETWEEN max (?1, ?4) AND ?2 AND position - task_back <= ?3"
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_ZONE_TOUCHED,
        TOUCHED ("task_history") " UNION ALL " TOUCHED ("task_outputs")
        " UNION ALL " TOUCHED ("task_metrics"), zone->zone * STELE_ZONE);
    if (statement) {
        sqlite3_bind_int64 (statement, 2, zone->zone * STELE_ZONE + STELE_ZONE - 1);
        sqlite3_bind_int64 (statement, 3, self->position);
        sqlite3_bind_int64 (statement, 4, self->time == INT64_MAX? self->position + 1: 0);
    }
    while (reader_step (reader, statement) == 1)
        reader_keys_add (reader, keys, sqlite3_column_int64 (statement, 0));
    return reader->status;
}

//  The narrow rows of all tasks: where some task is touched in most of the zones
static int
s_touched_of_all (reader_list_t *self, reader_keys_t *keys)
{
    stele_reader_t *reader = self->reader;
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_STATES_TOUCHED,
        "SELECT task FROM states_plain WHERE task <= ?1 AND (position > ?1"
        " OR (updated_at > ?2 AND created_at <= ?2))", self->position);
    if (statement)
        sqlite3_bind_int64 (statement, 2, self->time);
    while (reader_step (reader, statement) == 1)
        reader_keys_add (reader, keys, sqlite3_column_int64 (statement, 0));
    return reader->status;
}

static int
s_find_touched (reader_list_t *self, reader_keys_t *keys)
{
    const reader_zone_t *zones;
    size_t count = reader_zones (self->reader, &zones), some = 0;
    for (size_t i = 0; i < count; i++)
        some += s_may_touch (self, &zones [i]);
    int64_t tasks = reader_single (self->reader, reader_statement (self->reader, SLOT_TASK_COUNT,
        "SELECT sum (count) FROM task_counts"), 0);
    if ((int64_t) some * STELE_ZONE > tasks / STATES_ROWS && some > STATES_ROWS)
        s_touched_of_all (self, keys);
    else
        for (size_t i = 0; i < count && self->reader->status == 0; i++)
            if (s_may_touch (self, &zones [i]))
                s_touched_in_zone (self, &zones [i], keys);
    if (self->time != INT64_MAX)
        for (size_t i = 0; i < self->unordered.count; i++)
            reader_keys_add (self->reader, keys, self->unordered.keys [i]);
    reader_keys_sort (keys);
    return self->reader->status;
}

static int
s_find_unordered (reader_list_t *self)
{
    sqlite3_stmt *statement = reader_statement (self->reader, SLOT_UNORDERED,
        "SELECT task FROM unordered_tasks ORDER BY task");
    while (reader_step (self->reader, statement) == 1)
        reader_keys_add (self->reader, &self->unordered, sqlite3_column_int64 (statement, 0));
    return self->reader->status;
}

//  -- the touched, in order ------------------------------------------------------------

//  Was it not there yet, or is it now what it was, as its narrow row says already?
static bool
s_is_settled (reader_list_t *self, int64_t key)
{
    reader_brief_t brief;
    if (self->time == INT64_MAX || reader_keys_has (&self->unordered, key))
        return false;
    return reader_brief (self->reader, key, &brief) == 1
        && (brief.created_at > self->time || reader_list_as_of_untouched (self, &brief));
}

int
reader_list_as_of_open (reader_list_t *self)
{
    if (!self->is_past || s_find_unordered (self))
        return self->reader->status;
    reader_keys_t keys = { NULL, 0, 0 };
    s_find_touched (self, &keys);
    //  What is found by other ways than through all tasks cannot be lazy
    bool through_all = !self->ask->parent_id.text && !self->filter.match;
    size_t most = (size_t) self->reader->bounds.touched;
    self->lazy = through_all && keys.count > most && self->unordered.count <= most;
    for (size_t i = 0; i < keys.count && self->reader->status == 0; i++) {
        reader_found_t found;
        if ((self->lazy && !reader_keys_has (&self->unordered, keys.keys [i]))
        ||  s_is_settled (self, keys.keys [i]))
            continue;
        if (reader_list_as_of_evaluate (self, keys.keys [i], &found) == 1
        &&  !reader_list_passed (self, found.time, found.key))
            reader_founds_add (self->reader, &self->touched, &found);
        if (reader_overdue (self->reader))
            break;
    }
    reader_keys_free (&keys);
    reader_list_sort (self, &self->touched);
    return self->reader->status;
}
