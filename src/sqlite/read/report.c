/*  report - tasks in a range of times: counts, durations, errors, the slowest

    A range of times is read from the zones that can have events in it; a range
    over most of the ledger from the rows of task_states, the newest first, up to
    a limit of tasks and of time. A million tasks take about half a second: only the columns that count are
    read, and percentiles are selected, not sorted.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1         // An entry that could not be added has no table
#include <uthash.h>
#include "base/clock.h"
#include "sqlite/filter/summary.h"

#define TASKS_MAX 10000000          // Tasks read
#define TIME_MS 2500                // Then the report is cut; if the request has a deadline, after 4/5 of the time to it
#define HOUR_US ((int64_t) 3600 * 1000000)

typedef struct {
    UT_hash_handle hh;
    stele_report_group_t row;
    reader_keys_t queue, run;       // Durations
    size_t key_size;
    char key [];
} s_group_t;

typedef struct {
    int64_t run_us;
    int64_t key;
} s_slow_t;

typedef struct {
    stele_reader_t *reader;
    const stele_report_t *query;
    int64_t from, to;
    s_group_t *groups;
    s_slow_t *slowest;              // The longest first
    size_t slow_count;
    int64_t seen;                   // Tasks read
    int64_t until_ms;               // Steady clock
    int64_t looked_to;              // created_at of the last task read, if it was cut
    bool cut;
} s_report_t;

//  -- groups ------------------------------------------------------------------------

static s_group_t *
s_group (s_report_t *self, const void *key, size_t size)
{
    s_group_t *group;
    HASH_FIND (hh, self->groups, key, size, group);
    if (!group) {
        group = calloc (1, sizeof *group + size + 1);
        if (group) {
            memcpy (group->key, key, size);
            group->key_size = size;
            HASH_ADD_KEYPTR (hh, self->groups, group->key, size, group);
        }
        if (!group || !group->hh.tbl) {
            reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
            free (group);
            return NULL;
        }
    }
    return group;
}

static int64_t
s_floor (int64_t time, int64_t span)
{
    int64_t rest = time % span;
    return time - (rest < 0? rest + span: rest);
}

//  The group of a task, or of that time
static s_group_t *
s_group_of (s_report_t *self, const reader_summary_t *summary, int64_t time)
{
    int64_t key = 0;
    switch (self->query->by) {
        case STELE_REPORT_STATE: key = summary->state; break;
        case STELE_REPORT_ROLE: key = summary->role; break;
        case STELE_REPORT_PROVIDER: key = summary->provider; break;
        case STELE_REPORT_MODEL: key = summary->model; break;
        case STELE_REPORT_HOUR: key = s_floor (time, HOUR_US); break;
        case STELE_REPORT_DAY: key = s_floor (time, 24 * HOUR_US); break;
        case STELE_REPORT_ERROR: break;
    }
    return s_group (self, &key, sizeof key);
}

#define NO_ERROR "\xff"             // Key of the group without a text: no UTF-8 text equals it

//  The broker's text of an interruption names the runs, so each one differs. To group them, cut
//  what is in parentheses and what follows a semicolon. Returns the size that remains.
static size_t
s_cut_runs (const char *text, size_t size, char *cut)
{
    size_t length = 0;
    bool inside = false;
    for (size_t i = 0; i < size && text [i] != ';'; i++) {
        if (text [i] == '(') {
            inside = true;
            length -= length > 0 && cut [length - 1] == ' ';
        }
        if (!inside)
            cut [length++] = text [i];
        if (text [i] == ')')
            inside = false;
    }
    return length;
}

static void
s_add_error (s_report_t *self, const reader_summary_t *summary)
{
    char cut [1024];
    sqlite3_stmt *statement = reader_with_key (self->reader, SLOT_REPORT_ERROR,
        "SELECT error_message, kind FROM task_history WHERE position = ?1", summary->last_error_at);
    bool has_text = reader_step (self->reader, statement) == 1;
    size_t size;
    const char *text = has_text? reader_column_text (self->reader, statement, 0, &size): NULL;
    size = text? size: 1;
    if (text && sqlite3_column_int (statement, 1) == STELE_HISTORY_INTERRUPTED && size <= sizeof cut) {
        size = s_cut_runs (text, size, cut);
        text = cut;
    }
    s_group_t *group = s_group (self, text? text: NO_ERROR, size);
    if (group) {
        group->row.completed++;
        group->row.failed++;
        if (summary->completed_at > group->row.time)
            group->row.time = summary->completed_at;
    }
    if (has_text)
        sqlite3_reset (statement);
}

static void
s_add_slow (s_report_t *self, const reader_summary_t *summary)
{
    int64_t run_us = summary->completed_at - summary->started_at;
    size_t max = (size_t) self->query->slowest;
    if (max == 0 || (self->slow_count == max && self->slowest [max - 1].run_us >= run_us))
        return;
    size_t at = self->slow_count < max? self->slow_count++: max - 1;
    for (; at > 0 && self->slowest [at - 1].run_us < run_us; at--)
        self->slowest [at] = self->slowest [at - 1];
    self->slowest [at] = (s_slow_t) { run_us, summary->key };
}

static bool
s_within (const s_report_t *self, int64_t time)
{
    return time && time >= self->from && time <= self->to;
}

static void
s_add_to_groups (s_report_t *self, const reader_summary_t *summary, bool failed)
{
    s_group_t *group;
    if (s_within (self, summary->created_at) && (group = s_group_of (self, summary, summary->created_at)) != NULL)
        group->row.created++;
    if (s_within (self, summary->started_at) && (group = s_group_of (self, summary, summary->started_at)) != NULL) {
        group->row.started++;
        reader_keys_add (self->reader, &group->queue, summary->started_at - summary->created_at);
    }
    if (s_within (self, summary->completed_at)
    && (group = s_group_of (self, summary, summary->completed_at)) != NULL) {
        group->row.completed++;
        group->row.failed += failed;
        if (summary->started_at)
            reader_keys_add (self->reader, &group->run, summary->completed_at - summary->started_at);
    }
}

static void
s_add_task (s_report_t *self, const reader_summary_t *summary)
{
    bool failed = summary->state == STELE_TASK_FAILED || summary->state == STELE_TASK_ERROR
        || summary->state == STELE_TASK_TIMEOUT;
    self->seen++;
    if (summary->started_at && s_within (self, summary->completed_at))
        s_add_slow (self, summary);
    if (self->query->by != STELE_REPORT_ERROR)
        s_add_to_groups (self, summary, failed);
    else
    if (failed && s_within (self, summary->completed_at))
        s_add_error (self, summary);
}

//  -- reading the tasks ---------------------------------------------------------------

static bool
s_is_late (const s_report_t *self)
{
    return self->seen % 1024 == 0 && stele_clock_steady_ms () > self->until_ms;
}

static int64_t
s_max (const s_report_t *self)
{
    return self->query->tasks_max? self->query->tasks_max: TASKS_MAX;
}

//  Of all tasks, newest first. The writer's counts of now are those of all users.
static void
s_add_seen (s_report_t *self, const reader_summary_t *summary)
{
    s_add_task (self, summary);
    self->looked_to = summary->created_at;
    s_group_t *group = self->reader->scope.count == 0 || self->query->by > STELE_REPORT_MODEL? NULL:
        s_group_of (self, summary, 0);
    if (group)
        group->row.now++;
}

//  A task's activity in the range is an event in the range. False: reading all tasks is cheaper.
static bool
s_from_zones (s_report_t *self, int64_t tasks)
{
    reader_keys_t keys = { NULL, 0, 0 };
    if (!reader_zone_keys (self->reader, self->from, self->to, tasks / 2, &keys))
        return false;
    for (size_t i = 0; i < keys.count && self->reader->status == 0; i++) {
        reader_summary_t summary;
        if (reader_summary (self->reader, keys.keys [i], &summary) == 1)
            s_add_task (self, &summary);
        if (i % 256 == 0 && reader_overdue (self->reader))
            break;
    }
    reader_keys_free (&keys);
    return true;
}

//  Of a reader that sees some users only: one pass over their tasks, newest first, counts those of now too.
//  The index has no tasks without a user_id.
static bool
s_from_users (s_report_t *self)
{
    stele_reader_t *reader = self->reader;
    const reader_scope_t *scope = &reader->scope;
    reader_keys_t keys = { NULL, 0, 0 };
    if (scope->has_default)
        return false;
    for (size_t i = 0; i < scope->words.count; i++)
        reader_keys_collect (reader, reader_with_key (reader, SLOT_REPORT_USER,
            "SELECT id FROM tasks WHERE user_id = ?1", scope->words.keys [i]), &keys);
    reader_keys_sort (&keys);
    for (size_t i = keys.count; i-- > 0 && reader->status == 0;) {
        reader_summary_t summary;
        if (self->seen == s_max (self) || s_is_late (self)) {
            self->cut = true;
            break;
        }
        if (reader_summary (reader, keys.keys [i], &summary) == 1)
            s_add_seen (self, &summary);
    }
    reader_keys_free (&keys);
    return true;
}

//  What a report needs of a task
static void
s_fill (reader_summary_t *summary, sqlite3_stmt *statement)
{
    *summary = (reader_summary_t) {
        .key = sqlite3_column_int64 (statement, 0),
        .state = sqlite3_column_int (statement, 1),
        .role = sqlite3_column_int64 (statement, 2),
        .provider = sqlite3_column_int64 (statement, 3),
        .model = sqlite3_column_int64 (statement, 4),
        .created_at = sqlite3_column_int64 (statement, 5),
        .started_at = sqlite3_column_int64 (statement, 6),
        .completed_at = sqlite3_column_int64 (statement, 7),
        .last_error_at = sqlite3_column_int64 (statement, 8)
    };
}

static void
s_from_all (s_report_t *self)
{
    stele_reader_t *reader = self->reader;
    sqlite3_stmt *statement = reader_statement (reader, SLOT_REPORT_ALL,
        "SELECT task, state, role, provider, model, created_at, created_at + started_after, created_at + completed_after,"
        " task + last_error FROM task_states ORDER BY task DESC");
    while (reader_step (reader, statement) == 1) {
        reader_summary_t summary;
        if (self->seen == s_max (self) || s_is_late (self)) {
            self->cut = true;
            break;
        }
        s_fill (&summary, statement);
        if (reader_scope_has_task (reader, summary.key))
            s_add_seen (self, &summary);
        else
            self->seen++;
    }
}

//  -- the result ----------------------------------------------------------------------

//  The value at an index of the sorted array. Those before it are not greater afterwards, those after it not less.
static int64_t
s_select (int64_t *values, size_t from, size_t count, size_t index)
{
    size_t low = from, high = count - 1;
    while (low < high) {
        int64_t pivot = values [low + (high - low) / 2];
        size_t left = low, right = high;
        while (true) {
            while (values [left] < pivot)
                left++;
            while (values [right] > pivot)
                right--;
            if (left >= right)
                break;
            int64_t value = values [left];
            values [left++] = values [right];
            values [right--] = value;
        }
        //  All up to 'right' are at most the pivot, all from right + 1 at least
        if (index <= right)
            high = right;
        else
            low = right + 1;
    }
    return values [low];
}

//  By nearest rank
static stele_spread_t
s_spread (reader_keys_t *values)
{
    stele_spread_t spread = { .count = (int64_t) values->count };
    if (values->count == 0)
        return spread;
    const size_t percents [] = { 50, 90, 99, 100 };
    int64_t *results [] = { &spread.p50, &spread.p90, &spread.p99, &spread.max };
    for (size_t i = 0, from = 0; i < 4; i++) {
        size_t index = (values->count * percents [i] + 99) / 100 - 1;
        *results [i] = s_select (values->keys, from, values->count, index);
        from = index;
    }
    return spread;
}

static void
s_add_now (s_report_t *self)
{
    static const char *const sql [] = {
        "SELECT state, sum (count) FROM task_counts GROUP BY state",
        "SELECT role, sum (count) FROM task_counts GROUP BY role",
        "SELECT provider, sum (count) FROM task_counts GROUP BY provider",
        "SELECT model, sum (count) FROM task_counts GROUP BY model"
    };
    if (self->query->by > STELE_REPORT_MODEL || self->reader->scope.count)
        return;
    sqlite3_stmt *statement = reader_statement (self->reader, SLOT_REPORT_NOW + (int) self->query->by,
        sql [self->query->by]);
    while (reader_step (self->reader, statement) == 1)
        if (sqlite3_column_int64 (statement, 1) > 0) {
            int64_t key = sqlite3_column_int64 (statement, 0);
            s_group_t *group = s_group (self, &key, sizeof key);
            if (group)
                group->row.now = sqlite3_column_int64 (statement, 1);
        }
}

//  Set the name or time of a group
static void
s_name (s_report_t *self, s_group_t *group)
{
    int64_t key = 0;
    stele_report_group_t *row = &group->row;
    if (self->query->by == STELE_REPORT_ERROR) {
        bool none = group->key_size == 1 && *group->key == *NO_ERROR;
        row->name = (stele_span_t) { none? NULL: group->key, none? 0: group->key_size };
        return;
    }
    memcpy (&key, group->key, sizeof key);
    if (self->query->by == STELE_REPORT_STATE) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, (int) key);
        row->name = (stele_span_t) { word, strlen (word) };
    }
    else
    if (self->query->by >= STELE_REPORT_HOUR)
        row->time = key;
    else
    if (key)
        row->name.text = reader_word (self->reader, key, &row->name.size);
}

static int
s_order_groups (const s_group_t *a, const s_group_t *b)
{
    int64_t one = a->row.failed, other = b->row.failed;
    if (one == other) {
        one = a->row.now;
        other = b->row.now;
    }
    if (one == other) {
        one = a->row.completed;
        other = b->row.completed;
    }
    if (one == other)
        return a->key_size == b->key_size? memcmp (a->key, b->key, a->key_size):
            a->key_size < b->key_size? -1: 1;
    return one > other? -1: 1;
}

static int
s_order_times (const s_group_t *a, const s_group_t *b)
{
    return (a->row.time < b->row.time) - (a->row.time > b->row.time);
}

static int
s_order_now (const s_group_t *a, const s_group_t *b)
{
    if (a->row.now != b->row.now)
        return a->row.now > b->row.now? -1: 1;
    return s_order_groups (a, b);
}

static int
s_emit (s_report_t *self, stele_report_fn *fn, stele_row_fn *slow, void *arg)
{
    s_group_t *group, *next;
    HASH_ITER (hh, self->groups, group, next)
        s_name (self, group);
    if (self->query->by == STELE_REPORT_ERROR)
        HASH_SORT (self->groups, s_order_groups);
    else
    if (self->query->by >= STELE_REPORT_HOUR)
        HASH_SORT (self->groups, s_order_times);
    else
        HASH_SORT (self->groups, s_order_now);
    int64_t count = 0;
    int rc = 0;
    HASH_ITER (hh, self->groups, group, next) {
        if (count++ == self->query->groups || self->reader->status || rc)
            break;
        group->row.queue_us = s_spread (&group->queue);
        group->row.run_us = s_spread (&group->run);
        rc = fn (&group->row, arg);
    }
    for (size_t i = 0; i < self->slow_count && self->reader->status == 0 && rc == 0; i++) {
        stele_record_clear (self->reader->row);
        if (reader_task_row (self->reader, self->slowest [i].key, true) == 1)
            rc = slow (self->reader->row, arg);
    }
    return rc;
}

static void
s_close (s_report_t *self)
{
    s_group_t *group, *next;
    HASH_ITER (hh, self->groups, group, next) {
        HASH_DELETE (hh, self->groups, group);
        reader_keys_free (&group->queue);
        reader_keys_free (&group->run);
        free (group);
    }
    free (self->slowest);
}

int
stele_reader_report (stele_reader_t *self, const stele_report_t *query, stele_report_fn *fn,
    stele_row_fn *slow, void *arg, stele_report_end_t *end)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    int64_t now_ms = stele_clock_steady_ms ();
    s_report_t report = {
        .reader = self, .query = query,
        .until_ms = self->deadline? now_ms + (self->deadline - now_ms) * 4 / 5: now_ms + TIME_MS,
        .from = query->from_us? query->from_us: INT64_MIN, .to = query->to_us? query->to_us: INT64_MAX,
        .slowest = calloc ((size_t) query->slowest + 1, sizeof (s_slow_t))
    };
    if (!report.slowest)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    int64_t tasks = reader_integer (self, reader_statement (self, SLOT_TASK_COUNT,
        "SELECT sum (count) FROM task_counts"), 0);
    if (self->scope.count? !s_from_users (&report): !s_from_zones (&report, tasks))
        s_from_all (&report);
    s_add_now (&report);
    int64_t groups = (int64_t) HASH_COUNT (report.groups);
    if (self->status == 0)
        rc = s_emit (&report, fn, slow, arg);
    s_close (&report);
    rc = (int) reader_leave (self, rc < 0? rc: 0);
    if (rc == 0)
        *end = (stele_report_end_t) { groups, report.cut, report.looked_to };
    return rc;
}
