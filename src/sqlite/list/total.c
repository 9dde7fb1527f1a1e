/*  total - how many tasks pass a filter

    By state, role, provider and model the writer counts as it goes, and times
    of creation are counted in the index. What else a filter asks for is counted
    in the narrow rows, the newest tasks first, as long as there is time: some
    millions a second. What has changed since the moment of the list is counted
    as it was.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/list.h"
#include "base/clock.h"

#define SPAN 262144                 // Keys counted in one go
#define TIME_MS 1500

//  -- conditions --------------------------------------------------------------------

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

//  With a + SQLite leaves the index alone: rows are read in the order of their keys
static void
s_append_words (sqlite3_str *sql, const reader_list_t *list, bool by_key)
{
    const stele_filter_t *ask = list->ask;
    const reader_filter_t *filter = &list->filter;
    s_append_states (sql, by_key? "+s.state": "s.state", ask->states);
    s_append_ids (sql, by_key? "+s.role": "s.role", &filter->roles, ask->role_count);
    s_append_ids (sql, "s.provider", &filter->providers, ask->provider_count);
    s_append_ids (sql, "s.model", &filter->models, ask->model_count);
}

//  The rest; parent_id is ?1
static void
s_append_conditions (sqlite3_str *sql, const reader_list_t *list, bool by_key)
{
    const stele_filter_t *ask = list->ask;
    const reader_filter_t *filter = &list->filter;
    s_append_words (sql, list, by_key);
    s_append_range (sql, "created_at", ask->from_us, ask->to_us);
    s_append_range (sql, "updated_at", ask->updated_from_us, ask->updated_to_us);
    s_append_range (sql, "completed_at", ask->completed_from_us, ask->completed_to_us);
    if (list->ask->order >= STELE_ORDER_COMPLETED_DESC)
        sqlite3_str_appendall (sql, " AND s.completed_at IS NOT NULL");
    if (ask->has_error)
        sqlite3_str_appendf (sql, " AND s.error_count %s 0", ask->has_error > 0? ">": "=");
    if (ask->user_id.text)
        sqlite3_str_appendf (sql, " AND (t.user_id = %lld%s)", (long long) filter->user,
            filter->user_default? " OR t.user_id IS NULL": "");
    if (ask->parent_id.text)
        sqlite3_str_appendall (sql, " AND t.parent_id = ?1");
    if (list->position < list->head)
        sqlite3_str_appendf (sql, " AND s.position <= %lld", (long long) list->position);
    if (list->time != INT64_MAX)
        sqlite3_str_appendf (sql, " AND s.updated_at <= %lld"
            " AND s.task NOT IN (SELECT task FROM unordered_tasks)", (long long) list->time);
}

//  -- counting ----------------------------------------------------------------------

//  Prepared for one use: the caller finalizes it
static sqlite3_stmt *
s_prepare (reader_list_t *list, sqlite3_str *sql)
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

static int64_t
s_count_once (reader_list_t *list, sqlite3_str *sql)
{
    sqlite3_stmt *statement = s_prepare (list, sql);
    int64_t total = reader_single (list->reader, statement, 0);
    sqlite3_finalize (statement);
    return total;
}

//  From the newest tasks back, as long as there is time
static int64_t
s_count_spans (reader_list_t *list, sqlite3_str *sql, bool *complete)
{
    sqlite3_stmt *statement = s_prepare (list, sql);
    int64_t total = 0, started = stele_clock_steady_ms ();
    for (int64_t last = list->position; last > 0 && statement; last -= SPAN) {
        if (stele_clock_steady_ms () - started > TIME_MS) {
            *complete = false;
            break;
        }
        sqlite3_bind_int64 (statement, 2, last - SPAN + 1);
        sqlite3_bind_int64 (statement, 3, last);
        int64_t some = reader_single (list->reader, statement, 0);
        if (some < 0)
            break;
        total += some;
    }
    sqlite3_finalize (statement);
    return total;
}

#define TEXTS_MAX 4000              // Looked at

//  False: no more texts are looked at
static bool
s_count_match (reader_list_t *list, const reader_brief_t *brief, int64_t *total)
{
    if (!reader_brief_time (brief, list->ask->order)
    ||  !reader_list_as_of_untouched (list, brief) || !reader_filter_selects (&list->filter, brief))
        return true;
    if (list->filter.texts == TEXTS_MAX)
        return false;
    *total += reader_filter_matches (&list->filter, brief->key);
    return true;
}

//  Of a search for what too many tasks have, or the index does not know: the newest tasks
static int64_t
s_count_newest (reader_list_t *list, bool *complete)
{
    stele_reader_t *self = list->reader;
    int64_t total = 0;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_TOTAL_TEXTS,
        "SELECT " READER_BRIEF_COLUMNS " FROM states_plain s WHERE s.task <= ?1 ORDER BY s.task DESC",
        list->position);
    while (*complete && reader_step (self, statement) == 1) {
        reader_brief_t brief;
        reader_brief_fill (&brief, statement, 0);
        *complete = s_count_match (list, &brief, &total);
    }
    if (statement)
        sqlite3_reset (statement);
    return total;
}

//  Of a search: each candidate is looked at
static int64_t
s_count_matches (reader_list_t *list, bool *complete)
{
    reader_keys_t keys = { NULL, 0, 0 };
    int64_t total = 0;
    if (!reader_list_candidates (list, &keys))
        return s_count_newest (list, complete);
    *complete = !list->partial;
    for (size_t i = keys.count; i-- > 0 && list->reader->status == 0;) {
        reader_brief_t brief;
        if (keys.keys [i] > list->position || reader_brief (list->reader, keys.keys [i], &brief) != 1)
            continue;
        if (!s_count_match (list, &brief, &total)) {
            *complete = false;
            break;
        }
    }
    reader_keys_free (&keys);
    return total;
}

static int64_t
s_total (reader_list_t *list, bool *complete)
{
    if (list->filter.match)
        return s_count_matches (list, complete);

    const stele_filter_t *ask = list->ask;
    bool now = !list->is_past && reader_filter_is_narrow (&list->filter)
        && ask->order < STELE_ORDER_COMPLETED_DESC;
    sqlite3_str *sql = sqlite3_str_new (list->reader->db);
    if (now && !ask->from_us && !ask->to_us) {
        //  The writer counts these as it goes
        sqlite3_str_appendall (sql, "SELECT sum (s.count) FROM task_counts s WHERE true");
        s_append_words (sql, list, false);
        return s_count_once (list, sql);
    }
    bool tasks = ask->user_id.text || ask->parent_id.text;
    bool spans = !ask->parent_id.text && (!now || ask->provider_count || ask->model_count);
    sqlite3_str_appendf (sql, "SELECT count (*) FROM states_plain s%s WHERE %s",
         tasks? " JOIN tasks t ON t.id = s.task": "",
        spans? "s.task BETWEEN ?2 AND ?3": "true");
    s_append_conditions (sql, list, spans);
    return spans? s_count_spans (list, sql, complete): s_count_once (list, sql);
}

int64_t
stele_reader_task_total (stele_reader_t *self, const stele_filter_t *filter, bool *complete)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    stele_filter_t ask = *filter;
    ask.has_cursor = false;
    reader_list_t list;
    int64_t total = 0;
    bool whole = true;
    if (reader_list_open (&list, self, &ask) == 0 && !list.filter.nothing) {
        total = s_total (&list, &whole);
        total += (int64_t) list.touched.count;
        whole = whole && !list.lazy;
    }
    reader_list_close (&list);
    total = reader_leave (self, total);
    if (total >= 0)
        *complete = whole;
    return total;
}
