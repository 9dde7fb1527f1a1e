/*  total - count the tasks that pass a filter

    The writer keeps counts by state, role, provider and model, and times of
    creation are counted in the index. Any other filter is counted in the rows of
    task_states, the newest tasks first, until its time limit: some millions per
    second. Tasks that changed after the snapshot are counted as of the snapshot.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/as_of.h"
#include "sqlite/list/by_text.h"
#include "base/clock.h"

#define SPAN 262144                 // Keys counted by one statement
#define TIME_MS 1500                // Then the count is reported as incomplete
#define TEXTS_MAX 40000             // Texts read, in at most that time

//  -- conditions --------------------------------------------------------------------

static void
s_append_ids (sqlite3_str *sql, const char *column, const reader_keys_t *ids, size_t asked)
{
    if (asked == 0)
        return;
    //  No word has the id -1; in task_counts 0 means NULL
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

static void
s_append_users (sqlite3_str *sql, const reader_filter_t *filter)
{
    if (!filter->by_user)
        return;
    sqlite3_str_appendall (sql, filter->user_default? " AND (t.user_id IS NULL OR t.user_id IN (-1":
        " AND (t.user_id IN (-1");
    for (size_t i = 0; i < filter->users.count; i++)
        sqlite3_str_appendf (sql, ",%lld", (long long) filter->users.keys [i]);
    sqlite3_str_appendall (sql, "))");
}

//  A + keeps SQLite from using the index: rows are read in the order of their keys
static void
s_append_codes (sqlite3_str *sql, const reader_page_t *page, bool by_key)
{
    const stele_filter_t *query = page->query;
    const reader_filter_t *filter = &page->filter;
    s_append_states (sql, by_key? "+s.state": "s.state", query->states);
    s_append_ids (sql, by_key? "+s.role": "s.role", &filter->roles, query->role_count);
    s_append_ids (sql, "s.provider", &filter->providers, query->provider_count);
    s_append_ids (sql, "s.model", &filter->models, query->model_count);
}

//  Conditions on the row t of tasks; parent_id is ?1
static void
s_append_tasks (sqlite3_str *sql, const reader_page_t *page)
{
    s_append_users (sql, &page->filter);
    if (page->query->parent_id.text)
        sqlite3_str_appendall (sql, " AND t.parent_id = ?1");
}

//  All other conditions
static void
s_append_conditions (sqlite3_str *sql, const reader_page_t *page, bool by_key)
{
    const stele_filter_t *query = page->query;
    const reader_filter_t *filter = &page->filter;
    s_append_codes (sql, page, by_key);
    s_append_range (sql, "created_at", query->from_us, query->to_us);
    s_append_range (sql, "updated_at", query->updated_from_us, query->updated_to_us);
    s_append_range (sql, "completed_at", query->completed_from_us, query->completed_to_us);
    if (query->order == STELE_ORDER_COMPLETED_DESC || query->order == STELE_ORDER_COMPLETED_ASC)
        sqlite3_str_appendall (sql, " AND s.completed_at IS NOT NULL");
    s_append_ids (sql, "s.owner", &filter->producers, query->producer_count);
    if (query->heard_to)
        sqlite3_str_appendf (sql, " AND s.position <= %lld", (long long) query->heard_to);
    if (query->interrupted)
        sqlite3_str_appendf (sql, " AND (s.flags & %d) %s 0", STELE_TASK_FLAG_INTERRUPTED,
            query->interrupted > 0? "<>": "=");
    if (query->has_error)
        sqlite3_str_appendf (sql, " AND s.error_count %s 0", query->has_error > 0? ">": "=");
    if (page->position < page->head)
        sqlite3_str_appendf (sql, " AND s.position <= %lld", (long long) page->position);
    if (page->time != INT64_MAX)
        sqlite3_str_appendf (sql, " AND s.updated_at <= %lld"
            " AND s.task NOT IN (SELECT task FROM unordered_tasks)", (long long) page->time);
}

//  -- counting ----------------------------------------------------------------------

//  Prepared for one use: the caller finalizes it
static sqlite3_stmt *
s_prepare (reader_page_t *page, sqlite3_str *sql)
{
    stele_reader_t *self = page->reader;
    sqlite3_stmt *statement = NULL;
    char *text = sqlite3_str_finish (sql);
    if (!text)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (sqlite3_prepare_v2 (self->db, text, -1, &statement, NULL))
        reader_fail_sqlite (self);
    sqlite3_free (text);
    stele_span_t parent = page->query->parent_id;
    if (statement && parent.text)
        reader_bind_id (statement, 1, parent.text, parent.size);
    return statement;
}

static int64_t
s_count_once (reader_page_t *page, sqlite3_str *sql)
{
    sqlite3_stmt *statement = s_prepare (page, sql);
    int64_t total = reader_integer (page->reader, statement, 0);
    sqlite3_finalize (statement);
    return total;
}

static bool
s_is_late (int64_t started_ms)
{
    return stele_clock_steady_ms () - started_ms > TIME_MS;
}

//  From the newest tasks back, until the time is up
static int64_t
s_count_spans (reader_page_t *page, sqlite3_str *sql, bool *complete)
{
    sqlite3_stmt *statement = s_prepare (page, sql);
    int64_t total = 0, started_ms = stele_clock_steady_ms ();
    for (int64_t last = page->position; last > 0 && statement; last -= SPAN) {
        if (s_is_late (started_ms)) {
            *complete = false;
            break;
        }
        sqlite3_bind_int64 (statement, 2, last - SPAN + 1);
        sqlite3_bind_int64 (statement, 3, last);
        int64_t some = reader_integer (page->reader, statement, 0);
        if (some < 0)
            break;
        total += some;
    }
    sqlite3_finalize (statement);
    return total;
}

//  False: the limit of texts or of time is reached
static bool
s_count_match (reader_page_t *page, const reader_summary_t *summary, int64_t started_ms, int64_t *total)
{
    if (!reader_summary_time (summary, page->query->order)
    ||  !reader_as_of_unchanged (page, summary) || !reader_filter_summary_passes (&page->filter, summary))
        return true;
    if (page->filter.texts_read == TEXTS_MAX || s_is_late (started_ms))
        return false;
    *total += reader_filter_text_passes (&page->filter, summary->key);
    return true;
}

//  Of a search that the index cannot narrow down: from the newest task back
static int64_t
s_count_newest (reader_page_t *page, bool *complete)
{
    int64_t total = 0, started_ms = stele_clock_steady_ms ();
    sqlite3_str *sql = sqlite3_str_new (page->reader->db);
    sqlite3_str_appendall (sql, "SELECT " READER_SUMMARY_COLUMNS " FROM states_plain s WHERE s.task <= ?2");
    s_append_conditions (sql, page, true);
    sqlite3_str_appendall (sql, " ORDER BY s.task DESC");
    sqlite3_stmt *statement = s_prepare (page, sql);
    if (statement)
        sqlite3_bind_int64 (statement, 2, page->position);
    while (*complete && reader_step (page->reader, statement) == 1) {
        reader_summary_t summary;
        reader_summary_fill (&summary, statement, 0);
        *complete = s_count_match (page, &summary, started_ms, &total);
    }
    sqlite3_finalize (statement);
    return total;
}

//  Of a search: examine each candidate
static int64_t
s_count_matches (reader_page_t *page, bool *complete)
{
    reader_keys_t keys = { NULL, 0, 0 };
    int64_t total = 0, started_ms = stele_clock_steady_ms ();
    if (!page->filter.match || !reader_page_candidates (page, &keys))
        return s_count_newest (page, complete);
    *complete = !page->partial;
    for (size_t i = keys.count; i-- > 0 && page->reader->status == 0;) {
        reader_summary_t summary;
        if (keys.keys [i] > page->position || reader_summary (page->reader, keys.keys [i], &summary) != 1)
            continue;
        if (!s_count_match (page, &summary, started_ms, &total)) {
            *complete = false;
            break;
        }
    }
    reader_keys_free (&keys);
    return total;
}

static int64_t
s_total (reader_page_t *page, bool *complete)
{
    if (page->filter.by_text)
        return s_count_matches (page, complete);

    const stele_filter_t *query = page->query;
    bool now = !page->is_as_of && reader_filter_is_narrow (&page->filter)
        && query->order < STELE_ORDER_COMPLETED_DESC;
    sqlite3_str *sql = sqlite3_str_new (page->reader->db);
    if (now && !query->from_us && !query->to_us) {
        //  The writer keeps these counts
        sqlite3_str_appendall (sql, "SELECT sum (s.count) FROM task_counts s WHERE true");
        s_append_codes (sql, page, false);
        return s_count_once (page, sql);
    }
    bool spans = !query->parent_id.text && (!now || query->provider_count || query->model_count);
    //  By the index on users, which has those of each in the order of their keys
    bool by_users = spans && page->filter.by_user && !page->filter.user_default;
    bool tasks = page->filter.by_user || query->parent_id.text;
    //  A join of views of several files would read all of one per row of the other
    bool joined = tasks && !page->reader->archives;
    by_users = by_users && joined;
    sqlite3_str_appendf (sql, "SELECT count (*) FROM %s WHERE %s",
        by_users? "tasks t INDEXED BY tasks_by_user CROSS JOIN states_plain s ON s.task = t.id":
        joined? "states_plain s JOIN tasks t ON t.id = s.task": "states_plain s",
        !spans? "true": by_users? "t.id BETWEEN ?2 AND ?3": "s.task BETWEEN ?2 AND ?3");
    if (tasks && !joined)
        sqlite3_str_appendf (sql, " AND s.task IN (SELECT t.id FROM tasks t WHERE %s", spans? "t.id BETWEEN ?2 AND ?3": "true");
    if (tasks)
        s_append_tasks (sql, page);
    if (tasks && !joined)
        sqlite3_str_appendall (sql, ")");
    s_append_conditions (sql, page, spans);
    return spans? s_count_spans (page, sql, complete): s_count_once (page, sql);
}

int64_t
stele_reader_task_total (stele_reader_t *self, const stele_filter_t *filter, bool *complete)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    stele_filter_t query = *filter;
    query.has_cursor = false;
    reader_page_t page;
    int64_t total = 0;
    bool whole = true;
    if (reader_page_open (&page, self, &query) == 0 && reader_as_of_open (&page) == 0 && !page.filter.matches_nothing) {
        total = s_total (&page, &whole);
        total += (int64_t) page.changed.count;
        whole = whole && !page.lazy;
    }
    reader_page_close (&page);
    total = reader_leave (self, total);
    if (total >= 0)
        *complete = whole;
    return total;
}
