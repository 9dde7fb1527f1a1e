/*  by_index - tasks in the order of creation, by the index

    One cursor over the index on state, role and time of creation for each pair
    of a state and a role that the filter admits, merged by hand, each read no
    further than the page needs. So the newest of ten million tasks take as long
    as those of ten thousand.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/list.h"

//  One cursor over the index, standing on its next row
typedef struct {
    sqlite3_stmt *statement;
    int64_t time;
    int64_t key;
} s_branch_t;

//  The index alone is read
#define BRANCH_SQL(compare, bound, direction) \
    "SELECT created_at, task FROM states_plain" \
    " WHERE state = ?1 AND role IS ?2 AND (created_at, task) " compare " (?3, ?4)" \
    " AND created_at " bound " ?5 ORDER BY created_at " direction ", task " direction

static const char *const s_branch_sql [2] = {
    BRANCH_SQL ("<", ">=", "DESC"),
    BRANCH_SQL (">", "<=", "ASC")
};

int
reader_list_pairs (reader_list_t *list, reader_pair_t *pairs, int64_t *tasks)
{
    stele_reader_t *self = list->reader;
    bool ended = list->ask->order >= STELE_ORDER_COMPLETED_DESC;
    int count = 0;
    *tasks = 0;
    sqlite3_stmt *statement = reader_statement (self, SLOT_PAIRS,
        "SELECT state, role, provider, model, count FROM task_counts WHERE count > 0"
        " ORDER BY state, role");
    while (reader_step (self, statement) == 1) {
        reader_pair_t pair = { sqlite3_column_int (statement, 0), sqlite3_column_int64 (statement, 1) };
        if (!reader_filter_admits (&list->filter, pair.state, pair.role,
                sqlite3_column_int64 (statement, 2), sqlite3_column_int64 (statement, 3))
        || (ended && !stele_lifecycle_terminal ((stele_task_state_t) pair.state)))
            continue;
        *tasks += sqlite3_column_int64 (statement, 4);
        //  In the order of the key: a pair that was there is the last one
        if (count > 0 && count <= READER_BRANCHES && pairs [count - 1].state == pair.state
        &&  pairs [count - 1].role == pair.role)
            continue;
        if (count < READER_BRANCHES)
            pairs [count] = pair;
        if (count <= READER_BRANCHES)
            count++;
    }
    return count;
}

//  A cursor's next row; its statement is NULL where it has none
static int
s_advance (reader_list_t *list, s_branch_t *branch)
{
    if (reader_step (list->reader, branch->statement) == 1) {
        branch->time = sqlite3_column_int64 (branch->statement, 0);
        branch->key = sqlite3_column_int64 (branch->statement, 1);
    }
    else
        branch->statement = NULL;
    return list->reader->status;
}

//  What was there at the position has a time of creation that its zones know
static int64_t
s_latest (const reader_list_t *list)
{
    const reader_zone_t *zones;
    size_t count = reader_zones (list->reader, &zones);
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < count && zones [i].zone * STELE_ZONE <= list->position; i++)
        if (zones [i].max_created > latest)
            latest = zones [i].max_created;
    return latest;
}

//  A task was created before it was changed or ended, unless its events are out of order
static int64_t
s_bound_by_others (const reader_list_t *list)
{
    const stele_filter_t *ask = list->ask;
    if ((!ask->updated_to_us && !ask->completed_to_us)
    ||  reader_single (list->reader, reader_statement (list->reader, SLOT_ANY_UNORDERED,
            "SELECT 1 FROM unordered_tasks LIMIT 1"), 0))
        return INT64_MAX;
    int64_t updated = ask->updated_to_us? ask->updated_to_us: INT64_MAX;
    int64_t completed = ask->completed_to_us? ask->completed_to_us: INT64_MAX;
    return updated < completed? updated: completed;
}

//  From where and to where in time, with the cursor taken in
static void
s_bind_range (const reader_list_t *list, sqlite3_stmt *statement, int64_t latest)
{
    const stele_filter_t *ask = list->ask;
    bool by_created = ask->order <= STELE_ORDER_CREATED_ASC;
    int64_t from = ask->from_us? ask->from_us: INT64_MIN;
    int64_t to = ask->to_us? ask->to_us: INT64_MAX;
    if (to > list->time)
        to = list->time;
    if (to > latest)
        to = latest;
    int64_t start = list->ascending? from: to;
    int64_t start_key = list->ascending? INT64_MIN: INT64_MAX;
    bool further = list->ascending? ask->cursor_time >= from: ask->cursor_time <= to;
    if (by_created && ask->has_cursor && further) {
        start = ask->cursor_time;
        start_key = ask->cursor_key;
    }
    sqlite3_bind_int64 (statement, 3, start);
    sqlite3_bind_int64 (statement, 4, start_key);
    sqlite3_bind_int64 (statement, 5, list->ascending? to: from);
}

static int
s_start (reader_list_t *list, int number, const reader_pair_t *pair, int64_t latest,
    s_branch_t *branch)
{
    stele_reader_t *self = list->reader;
    int shape = list->ascending? 1: 0;
    sqlite3_stmt **statement = &self->branches [shape] [number];
    if (!*statement && sqlite3_prepare_v3 (self->db, s_branch_sql [shape], -1,
            SQLITE_PREPARE_PERSISTENT, statement, NULL))
        return reader_fail_sqlite (self);
    sqlite3_bind_int (*statement, 1, pair->state);
    if (pair->role)
        sqlite3_bind_int64 (*statement, 2, pair->role);
    else
        sqlite3_bind_null (*statement, 2);
    s_bind_range (list, *statement, latest);
    branch->statement = *statement;
    return s_advance (list, branch);
}

//  The index has led to the task: does it pass the rest of the filter?
static bool
s_passes (reader_list_t *list, int64_t key, int64_t *units)
{
    const stele_filter_t *ask = list->ask;
    reader_brief_t brief;
    *units = 1;
    if (list->is_past && key > list->position)
        return false;
    if (!list->is_past && !ask->provider_count && !ask->model_count
    &&  reader_filter_is_narrow (&list->filter))
        return true;
    *units = 3;                     // And the text, where it is looked at
    return reader_brief (list->reader, key, &brief) == 1
        && (!list->is_past || reader_list_as_of_untouched (list, &brief))
        && reader_filter_passes (&list->filter, &brief);
}

//  The cursor that is first in the order; NULL: all are at their end
static s_branch_t *
s_first (const reader_list_t *list, s_branch_t *branches, int count)
{
    s_branch_t *first = NULL;
    for (int i = 0; i < count; i++) {
        s_branch_t *branch = &branches [i];
        if (branch->statement
        && (!first || reader_list_before (list, branch->time, branch->key, first->time, first->key)))
            first = branch;
    }
    return first;
}

int
reader_list_by_index (reader_list_t *list, const reader_pair_t *pairs, int count)
{
    stele_reader_t *self = list->reader;
    s_branch_t branches [READER_BRANCHES];
    int64_t latest = list->position < list->head? s_latest (list): INT64_MAX;
    int64_t others = s_bound_by_others (list);
    latest = latest < others? latest: others;
    int started = 0;
    while (started < count) {
        if (s_start (list, started, &pairs [started], latest, &branches [started]))
            break;
        started++;
    }
    s_branch_t *first;
    while (self->status == 0 && (first = s_first (list, branches, started))) {
        int64_t units;
        if (s_passes (list, first->key, &units)
        &&  reader_list_take (list, first->time, first->key, false))
            break;
        if (!reader_list_spend (list, units, first->time, first->key))
            break;
        s_advance (list, first);
    }
    for (int i = 0; i <= started && i < count; i++)
        sqlite3_reset (self->branches [list->ascending? 1: 0] [i]);
    return self->status;
}
