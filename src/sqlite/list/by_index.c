/*  by_index - a page in order of creation, from the index on state, role and creation

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/as_of.h"
#include "sqlite/list/by_index.h"

//  One cursor over the index, at its next row
typedef struct {
    sqlite3_stmt *statement;
    int64_t time;
    int64_t key;
} s_branch_t;

//  The index covers the query: no row of the table is read
#define BRANCH_SQL(compare, bound, direction) \
    "SELECT created_at, task FROM states_plain" \
    " WHERE state = ?1 AND role IS ?2 AND (created_at, task) " compare " (?3, ?4)" \
    " AND created_at " bound " ?5 ORDER BY created_at " direction ", task " direction

static const char *const s_branch_sql [2] = {
    BRANCH_SQL ("<", ">=", "DESC"),
    BRANCH_SQL (">", "<=", "ASC")
};

//  Move to the next row; the statement is NULL after the last one
static int
s_advance (reader_page_t *page, s_branch_t *branch)
{
    if (reader_step (page->reader, branch->statement) == 1) {
        branch->time = sqlite3_column_int64 (branch->statement, 0);
        branch->key = sqlite3_column_int64 (branch->statement, 1);
    }
    else
        branch->statement = NULL;
    return page->reader->status;
}

//  The latest time of creation up to the position, from the bounds of the zones
static int64_t
s_latest (const reader_page_t *page)
{
    const reader_zone_t *zones;
    size_t count = reader_zones (page->reader, &zones);
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < count && zones [i].zone * STELE_ZONE <= page->position; i++)
        if (zones [i].max_created > latest)
            latest = zones [i].max_created;
    return latest;
}

//  A bound on the time of creation from other ranges: a task is created before it is changed or
//  ended, unless its events are out of order
static int64_t
s_bound_by_others (const reader_page_t *page)
{
    const stele_filter_t *query = page->query;
    if ((!query->updated_to_us && !query->completed_to_us)
    ||  reader_integer (page->reader, reader_statement (page->reader, SLOT_ANY_UNORDERED,
            "SELECT 1 FROM unordered_tasks LIMIT 1"), 0))
        return INT64_MAX;
    int64_t updated = query->updated_to_us? query->updated_to_us: INT64_MAX;
    int64_t completed = query->completed_to_us? query->completed_to_us: INT64_MAX;
    return updated < completed? updated: completed;
}

//  The range of times, cursor included
static void
s_bind_range (const reader_page_t *page, sqlite3_stmt *statement, int64_t latest)
{
    const stele_filter_t *query = page->query;
    bool by_created = query->order <= STELE_ORDER_CREATED_ASC;
    int64_t from = query->from_us? query->from_us: INT64_MIN;
    int64_t to = query->to_us? query->to_us: INT64_MAX;
    if (to > page->time)
        to = page->time;
    if (to > latest)
        to = latest;
    int64_t start = page->ascending? from: to;
    int64_t start_key = page->ascending? INT64_MIN: INT64_MAX;
    bool in_range = page->ascending? query->cursor_time >= from: query->cursor_time <= to;
    if (by_created && query->has_cursor && in_range) {
        start = query->cursor_time;
        start_key = query->cursor_key;
    }
    sqlite3_bind_int64 (statement, 3, start);
    sqlite3_bind_int64 (statement, 4, start_key);
    sqlite3_bind_int64 (statement, 5, page->ascending? to: from);
}

static int
s_start (reader_page_t *page, int number, const reader_pair_t *pair, int64_t latest,
    s_branch_t *branch)
{
    stele_reader_t *self = page->reader;
    int shape = page->ascending? 1: 0;
    sqlite3_stmt **statement = &self->branches [shape] [number];
    if (!*statement && sqlite3_prepare_v3 (self->db, s_branch_sql [shape], -1,
            SQLITE_PREPARE_PERSISTENT, statement, NULL))
        return reader_fail_sqlite (self);
    reader_pair_bind (*statement, pair);
    s_bind_range (page, *statement, latest);
    branch->statement = *statement;
    return s_advance (page, branch);
}

//  True if a task from the index passes the rest of the filter
static bool
s_passes (reader_page_t *page, int64_t key, int64_t *units)
{
    const stele_filter_t *query = page->query;
    reader_summary_t summary;
    *units = 1;
    if (page->is_as_of && key > page->position)
        return false;
    if (!page->is_as_of && !query->provider_count && !query->model_count
    &&  reader_filter_is_narrow (&page->filter))
        return true;
    *units = 3;                     // Reading the text is counted apart
    return reader_summary (page->reader, key, &summary) == 1
        && (!page->is_as_of || reader_as_of_unchanged (page, &summary))
        && reader_filter_passes (&page->filter, &summary);
}

//  The cursor that is first in the order; NULL: all are at the end
static s_branch_t *
s_first (const reader_page_t *page, s_branch_t *branches, int count)
{
    s_branch_t *first = NULL;
    for (int i = 0; i < count; i++) {
        s_branch_t *branch = &branches [i];
        if (branch->statement
        && (!first || reader_page_before (page, branch->time, branch->key, first->time, first->key)))
            first = branch;
    }
    return first;
}

int
reader_page_by_index (reader_page_t *page, const reader_pair_t *pairs, int count)
{
    stele_reader_t *self = page->reader;
    s_branch_t branches [READER_BRANCHES];
    int64_t latest = page->position < page->head? s_latest (page): INT64_MAX;
    int64_t others = s_bound_by_others (page);
    latest = latest < others? latest: others;
    int started = 0;
    while (started < count) {
        if (s_start (page, started, &pairs [started], latest, &branches [started]))
            break;
        started++;
    }
    s_branch_t *first;
    while (self->status == 0 && (first = s_first (page, branches, started))) {
        int64_t units;
        if (s_passes (page, first->key, &units)
        &&  reader_page_add (page, first->time, first->key, false))
            break;
        if (!reader_page_spend (page, units, first->time, first->key))
            break;
        s_advance (page, first);
    }
    for (int i = 0; i <= started && i < count; i++)
        sqlite3_reset (self->branches [page->ascending? 1: 0] [i]);
    return self->status;
}
