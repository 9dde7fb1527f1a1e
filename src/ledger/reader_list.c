/*  reader_list - tasks by filter, a page at a time

    In the order of creation a page comes from the index on state, role and
    creation time: one cursor for each pair of a state and a role that the
    filter admits, merged by hand, each read no further than the page needs. So
    the newest of ten million tasks take as long as those of ten thousand.

    The other orders, the children of one parent, and a filter that admits more
    than READER_BRANCHES pairs are one statement that sorts what passes: an
    index on updated_at would cost the writer more than all others together.
    A filter that few tasks pass (a rare user or model) reads until it has a
    page: its bound is the deadline.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "ledger/reader_filter.h"

//  Which page was asked for
typedef struct {
    stele_reader_t *reader;
    const stele_filter_t *ask;
    reader_filter_t filter;
    bool ascending;
    int64_t skip;
    //  The page: one row more than asked for, where there is one
    reader_keys_t keys;
    reader_keys_t times;
} s_list_t;

static int
s_open (s_list_t *list, stele_reader_t *self, const stele_filter_t *ask)
{
    *list = (s_list_t) { .reader = self, .ask = ask };
    list->ascending = ask->order == STELE_ORDER_CREATED_ASC
        || ask->order == STELE_ORDER_UPDATED_ASC || ask->order == STELE_ORDER_COMPLETED_ASC;
    list->skip = ask->has_cursor? 0: ask->offset;
    return reader_filter_open (&list->filter, self, ask);
}

static void
s_close (s_list_t *list)
{
    reader_filter_close (&list->filter);
    reader_keys_free (&list->keys);
    reader_keys_free (&list->times);
}

//  Keep a row that passes; true when the page is full
static bool
s_take (s_list_t *list, int64_t time, int64_t key)
{
    if (list->skip > 0) {
        list->skip--;
        return false;
    }
    reader_keys_add (&list->times, time);
    reader_keys_add (&list->keys, key);
    return list->keys.count > (size_t) list->ask->limit;
}

//  -- by the index -------------------------------------------------------------------

//  One cursor over the index, standing on its next row
typedef struct {
    sqlite3_stmt *statement;
    int64_t time;
    int64_t key;
} s_branch_t;

typedef struct {
    int state;
    int64_t role;                   // 0: none
} s_pair_t;

//  The index alone is read
#define BRANCH_SQL(compare, bound, direction) \
    "SELECT created_at, task FROM states_plain" \
    " WHERE state = ?1 AND role IS ?2 AND (created_at, task) " compare " (?3, ?4)" \
    " AND created_at " bound " ?5 ORDER BY created_at " direction ", task " direction

static const char *const s_branch_sql [2] = {
    BRANCH_SQL ("<", ">=", "DESC"),
    BRANCH_SQL (">", "<=", "ASC")
};

//  Pairs of a state and a role that pass and that there are; their number, or
//  READER_BRANCHES + 1 where there are more than that
static int
s_pairs (s_list_t *list, s_pair_t *pairs)
{
    stele_reader_t *self = list->reader;
    int count = 0;
    sqlite3_stmt *statement = reader_statement (self, SLOT_PAIRS,
        "SELECT state, role, provider, model FROM task_counts WHERE count > 0"
        " ORDER BY state, role");
    while (reader_step (self, statement) == 1) {
        s_pair_t pair = { sqlite3_column_int (statement, 0), sqlite3_column_int64 (statement, 1) };
        if (!reader_filter_admits (&list->filter, pair.state, pair.role,
                sqlite3_column_int64 (statement, 2), sqlite3_column_int64 (statement, 3)))
            continue;
        //  In the order of the key: a pair that was there is the last one
        if (count > 0 && pairs [count - 1].state == pair.state && pairs [count - 1].role == pair.role)
            continue;
        if (count == READER_BRANCHES) {
            sqlite3_reset (statement);
            return READER_BRANCHES + 1;
        }
        pairs [count++] = pair;
    }
    return count;
}

//  A cursor's next row; its statement is NULL where it has none
static int
s_advance (s_list_t *list, s_branch_t *branch)
{
    if (reader_step (list->reader, branch->statement) == 1) {
        branch->time = sqlite3_column_int64 (branch->statement, 0);
        branch->key = sqlite3_column_int64 (branch->statement, 1);
    }
    else
        branch->statement = NULL;
    return list->reader->status;
}

//  From where and to where in time, with the cursor taken in
static void
s_bind_range (const s_list_t *list, sqlite3_stmt *statement)
{
    const stele_filter_t *filter = list->ask;
    int64_t from = filter->from_us? filter->from_us: INT64_MIN;
    int64_t to = filter->to_us? filter->to_us: INT64_MAX;
    int64_t start = list->ascending? from: to;
    int64_t start_key = list->ascending? INT64_MIN: INT64_MAX;
    bool further = list->ascending? filter->cursor_time >= from: filter->cursor_time <= to;
    if (filter->has_cursor && further) {
        start = filter->cursor_time;
        start_key = filter->cursor_key;
    }
    sqlite3_bind_int64 (statement, 3, start);
    sqlite3_bind_int64 (statement, 4, start_key);
    sqlite3_bind_int64 (statement, 5, list->ascending? to: from);
}

static int
s_start (s_list_t *list, int number, const s_pair_t *pair, s_branch_t *branch)
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
    s_bind_range (list, *statement);
    branch->statement = *statement;
    return s_advance (list, branch);
}

//  The index has led to the task: does it pass the rest of the filter?
static bool
s_passes (s_list_t *list, int64_t key)
{
    const stele_filter_t *ask = list->ask;
    reader_brief_t brief;
    if (!ask->provider_count && !ask->model_count && reader_filter_is_narrow (&list->filter))
        return true;
    return reader_brief (list->reader, key, &brief) == 1
        && reader_filter_passes (&list->filter, &brief);
}

//  The cursor that is first in the order; NULL: all are at their end
static s_branch_t *
s_first (const s_list_t *list, s_branch_t *branches, int count)
{
    s_branch_t *first = NULL;
    for (int i = 0; i < count; i++) {
        s_branch_t *branch = &branches [i];
        if (!branch->statement)
            continue;
        bool later = !first || branch->time > first->time
            || (branch->time == first->time && branch->key > first->key);
        if (!first || later != list->ascending)
            first = branch;
    }
    return first;
}

static int
s_merge (s_list_t *list, const s_pair_t *pairs, int count)
{
    stele_reader_t *self = list->reader;
    s_branch_t branches [READER_BRANCHES];
    int started = 0;
    while (started < count) {
        if (s_start (list, started, &pairs [started], &branches [started]))
            break;
        started++;
    }
    s_branch_t *first;
    while (self->status == 0 && (first = s_first (list, branches, started))) {
        if (s_passes (list, first->key) && s_take (list, first->time, first->key))
            break;
        s_advance (list, first);
    }
    for (int i = 0; i <= started && i < count; i++)
        sqlite3_reset (self->branches [list->ascending? 1: 0] [i]);
    return self->status;
}

//  -- by one statement -----------------------------------------------------------------

static void
s_append_ids (sqlite3_str *sql, const char *column, const reader_keys_t *ids, size_t asked)
{
    if (asked == 0)
        return;
    //  No word has the number -1; 0 is what task_counts has for none
    sqlite3_str_appendf (sql, " AND %s IN (-1", column);
    for (size_t i = 0; i < ids->count; i++)
        sqlite3_str_appendf (sql, ",%lld", (long long) ids->keys [i]);
    sqlite3_str_appendall (sql, ")");
}

static void
s_append_states (sqlite3_str *sql, const char *column, uint32_t states)
{
    if (states == 0)
        return;
    sqlite3_str_appendf (sql, " AND %s IN (0", column);
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        if (states & (1u << state))
            sqlite3_str_appendf (sql, ",%d", state);
    sqlite3_str_appendall (sql, ")");
}

static void
s_append_range (sqlite3_str *sql, const char *column, int64_t from, int64_t to)
{
    if (from)
        sqlite3_str_appendf (sql, " AND s.%s >= %lld", column, (long long) from);
    if (to)
        sqlite3_str_appendf (sql, " AND s.%s <= %lld", column, (long long) to);
}

//  What has to hold; parent_id is ?1
static void
s_append_conditions (sqlite3_str *sql, const s_list_t *list)
{
    const stele_filter_t *ask = list->ask;
    const reader_filter_t *filter = &list->filter;
    s_append_states (sql, "s.state", ask->states);
    s_append_ids (sql, "s.role", &filter->roles, ask->role_count);
    s_append_ids (sql, "s.provider", &filter->providers, ask->provider_count);
    s_append_ids (sql, "s.model", &filter->models, ask->model_count);
    if (ask->user_id.text)
        sqlite3_str_appendf (sql, " AND (t.user_id = %lld%s)", (long long) filter->user,
            filter->user_default? " OR t.user_id IS NULL": "");
    if (ask->parent_id.text)
        sqlite3_str_appendall (sql, " AND t.parent_id = ?1");
    if (ask->has_error)
        sqlite3_str_appendf (sql, " AND s.error_count %s 0", ask->has_error > 0? ">": "=");
    s_append_range (sql, "created_at", ask->from_us, ask->to_us);
    s_append_range (sql, "updated_at", ask->updated_from_us, ask->updated_to_us);
    s_append_range (sql, "completed_at", ask->completed_from_us, ask->completed_to_us);
}

//  Prepared for one use: the caller finalizes it
static sqlite3_stmt *
s_prepare (s_list_t *list, sqlite3_str *sql)
{
    stele_reader_t *self = list->reader;
    sqlite3_stmt *statement = NULL;
    char *text = sqlite3_str_finish (sql);
    if (!text)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (sqlite3_prepare_v2 (self->db, text, -1, &statement, NULL))
        reader_fail_sqlite (self);
    sqlite3_free (text);
    stele_span_t parent = list->ask->parent_id;
    if (statement && parent.text)
        reader_bind_id (statement, 1, parent.text, parent.size);
    return statement;
}

static sqlite3_str *
s_select (const s_list_t *list, const char *what)
{
    bool tasks = list->ask->user_id.text || list->ask->parent_id.text;
    sqlite3_str *sql = sqlite3_str_new (list->reader->db);
    sqlite3_str_appendf (sql, "SELECT %s FROM %s WHERE true", what,
        tasks? "tasks t JOIN states_plain s ON s.task = t.id": "states_plain s");
    s_append_conditions (sql, list);
    return sql;
}

//  Sort all that pass
static int
s_sort (s_list_t *list)
{
    static const char *const columns [] = {
        [STELE_ORDER_CREATED_DESC] = "created_at", [STELE_ORDER_CREATED_ASC] = "created_at",
        [STELE_ORDER_UPDATED_DESC] = "updated_at", [STELE_ORDER_UPDATED_ASC] = "updated_at",
        [STELE_ORDER_COMPLETED_DESC] = "completed_at", [STELE_ORDER_COMPLETED_ASC] = "completed_at"
    };
    const stele_filter_t *filter = list->ask;
    const char *column = columns [filter->order];
    const char *direction = list->ascending? "ASC": "DESC";
    char what [64];
    sqlite3_snprintf (sizeof what, what, "s.%s, s.task", column);
    sqlite3_str *sql = s_select (list, what);
    sqlite3_str_appendf (sql, " AND s.%s IS NOT NULL", column);
    if (filter->has_cursor)
        sqlite3_str_appendf (sql, " AND (s.%s, s.task) %s (%lld, %lld)", column,
            list->ascending? ">": "<",
            (long long) filter->cursor_time, (long long) filter->cursor_key);
    sqlite3_str_appendf (sql, " ORDER BY s.%s %s, s.task %s LIMIT %lld", column, direction,
        direction, (long long) (list->skip + filter->limit + 1));
    sqlite3_stmt *statement = s_prepare (list, sql);
    while (reader_step (list->reader, statement) == 1)
        if (s_take (list, sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1)))
            break;
    sqlite3_finalize (statement);
    return list->reader->status;
}

//  -- the page ---------------------------------------------------------------------------

static int
s_find (s_list_t *list)
{
    const stele_filter_t *filter = list->ask;
    s_pair_t pairs [READER_BRANCHES];
    if (list->filter.nothing)
        return 0;
    if (filter->order > STELE_ORDER_CREATED_ASC || filter->parent_id.text)
        return s_sort (list);
    int count = s_pairs (list, pairs);
    if (list->reader->status)
        return list->reader->status;
    return count <= READER_BRANCHES? s_merge (list, pairs, count): s_sort (list);
}

int
stele_reader_tasks (stele_reader_t *self, const stele_filter_t *filter,
    stele_row_fn *fn, void *arg, stele_page_t *next)
{
    assert (filter->limit > 0);
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_list_t list;
    stele_page_t page = { false, 0, 0 };
    if (s_open (&list, self, filter) == 0 && s_find (&list) == 0) {
        size_t count = list.keys.count;
        if (count > (size_t) filter->limit) {
            count = (size_t) filter->limit;
            page = (stele_page_t) { true, list.times.keys [count - 1], list.keys.keys [count - 1] };
        }
        for (size_t i = 0; i < count && rc == 0; i++) {
            stele_record_clear (self->row);
            if (reader_task_row (self, list.keys.keys [i], false) != 1)
                break;
            rc = fn (self->row, arg);
        }
    }
    s_close (&list);
    rc = (int) reader_leave (self, rc < 0? rc: 0);
    if (rc == 0)
        *next = page;
    return rc;
}

//  -- the total ----------------------------------------------------------------------------

static int64_t
s_total (s_list_t *list)
{
    const stele_filter_t *filter = list->ask;
    sqlite3_str *sql;
    if (list->filter.nothing)
        return 0;
    if (!reader_filter_is_narrow (&list->filter) || filter->from_us || filter->to_us)
        sql = s_select (list, "count (*)");
    else {
        //  The writer counts these as it goes
        sql = sqlite3_str_new (list->reader->db);
        sqlite3_str_appendall (sql, "SELECT sum (s.count) FROM task_counts s WHERE true");
        s_append_conditions (sql, list);
    }
    sqlite3_stmt *statement = s_prepare (list, sql);
    int64_t total = reader_single (list->reader, statement, 0);
    sqlite3_finalize (statement);
    return total;
}

int64_t
stele_reader_task_total (stele_reader_t *self, const stele_filter_t *filter)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_list_t list;
    int64_t total = s_open (&list, self, filter) == 0? s_total (&list): 0;
    s_close (&list);
    return reader_leave (self, total);
}
