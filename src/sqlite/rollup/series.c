/*  series - counts per minute, hour and day: the reader's side

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#define HASH_NONFATAL_OOM 1         // An entry that could not be added has no table
#include "base/memory.h"
#include "sqlite/rollup/fold.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/shm_vfs.h"

#define AUTO_MINUTES_US ((int64_t) 6 * 3600 * 1000000)
#define AUTO_HOURS_US ((int64_t) 14 * 86400 * 1000000)
#define LIMIT 20
#define DENSE_ROWS 8                // The total of a group with as many is dense
#define DAMAGED "LEDGER" STELE_ROLLUP_SUFFIX " is damaged: restart the broker, which then builds it again"

//  A row, as it is in the file
typedef struct {
    int64_t time;
    size_t start, size;             // In self->bytes; of failures, size 0 and 'start' the count
} s_row_t;

typedef struct {
    UT_hash_handle hh;
    int64_t key;                    // Of the counts; by state, its code
    rollup_counts_t total;
    int64_t count;                  // By state and fingerprint
    int64_t weight;                 // The largest come first
    s_row_t *rows;                  // Ascending
    size_t row_count, room;
    bool gone;                      // Merged into 'other'
} s_group_t;

typedef struct {
    stele_reader_t *reader;
    sqlite3 *db;
    const stele_series_t *ask;
    stele_series_end_t *end;
    int64_t limit;
    s_group_t *groups;
    unsigned char *bytes;           // All rows
    size_t size, room;
    int64_t newest_us;
    rollup_counts_t row, sum;       // Of one row, and of several (dense)
} s_series_t;

//  -- the file --------------------------------------------------------------------------

static int
s_failed (stele_reader_t *self, sqlite3 *db)
{
    int code = stele_sql_code (sqlite3_errcode (db));
    return reader_fail (self, code, code == STELE_ETIMEOUT? "the time for this request has run out":
        code == STELE_ELEDGER? DAMAGED: sqlite3_errmsg (db));
}

//  The connection to the counts. NULL: there are none (yet), or the call fails. A file that was damaged is replaced by
//  another one of the same name.
static sqlite3 *
s_open (stele_reader_t *self)
{
    struct stat status;
    char *name = sqlite3_mprintf ("%s" STELE_ROLLUP_SUFFIX, self->path);
    bool there = name && stat (name, &status) == 0;
    if (self->rollup && (!there || status.st_ino != self->rollup_inode))
        reader_rollup_close (self);
    if (!name)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (there && !self->rollup) {
        int rc = sqlite3_open_v2 (name, &self->rollup, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, stele_shm_vfs ());
        if (rc == SQLITE_NOMEM)
            reader_fail (self, STELE_ENO_MEMORY, "out of memory");
        if (rc != SQLITE_OK)
            reader_rollup_close (self);
        else {
            self->rollup_inode = status.st_ino;
            sqlite3_db_config (self->rollup, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
            sqlite3_busy_timeout (self->rollup, 1000);
            reader_watch (self, self->rollup);
            sqlite3_exec (self->rollup, "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;", NULL, NULL, NULL);
        }
    }
    sqlite3_free (name);
    return self->rollup;
}

//  Is it of this version and ledger? Then the plan begins: how far it is, and what it keeps.
static bool
s_begin (s_series_t *self)
{
    sqlite3_stmt *statement = stele_sql_exec (self->db, "BEGIN")? NULL: stele_sql_prepare (self->db,
        "SELECT p.value, n.value FROM meta p, meta n, meta l"
        " WHERE p.key = 'position' AND n.key = 'newest' AND l.key = 'ledger_id' AND l.value = ?1"
        " AND (SELECT user_version FROM pragma_user_version) = ?2");
    int rc = sqlite3_errcode (self->db);
    if (statement) {
        sqlite3_bind_text (statement, 1, self->reader->ledger_id, -1, SQLITE_STATIC);
        sqlite3_bind_int (statement, 2, STELE_ROLLUP_VERSION);
        rc = sqlite3_step (statement);
    }
    if (rc == SQLITE_ROW) {
        self->end->folded = sqlite3_column_int64 (statement, 0);
        self->newest_us = sqlite3_column_int64 (statement, 1);
    }
    //  SQLITE_ERROR: the tables are not there yet
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_ERROR)
        s_failed (self->reader, self->db);
    sqlite3_finalize (statement);
    return rc == SQLITE_ROW;
}

//  -- steps -----------------------------------------------------------------------------

static stele_step_t
s_auto (const s_series_t *self)
{
    int64_t range = self->ask->to_us - self->ask->from_us;
    stele_step_t step = range <= AUTO_MINUTES_US? STELE_STEP_MINUTE: range <= AUTO_HOURS_US? STELE_STEP_HOUR: STELE_STEP_DAY;
    while (step < STELE_STEP_DAY && self->ask->from_us < rollup_since (step, self->newest_us) - stele_step_us (step))
        step++;
    return step;
}

//  Returns 0, or a code with the refusal
static int
s_plan (s_series_t *self, stele_refusal_t *refusal)
{
    static const char *const words [] = { "minutes", "hours", "days" };
    const stele_series_t *ask = self->ask;
    stele_series_end_t *end = self->end;
    end->step = ask->step == STELE_STEP_AUTO? s_auto (self): ask->step;
    int64_t length = stele_step_us (end->step);
    end->from = ask->from_us - ask->from_us % length;
    end->to = ask->to_us - ask->to_us % length + length;
    int64_t steps = (end->to - end->from) / length;
    if (steps > STELE_SERIES_STEPS)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "step", "the range has %" PRId64 " %s, at most %d are reported: "
            "choose a longer step or a shorter range", steps, words [end->step], STELE_SERIES_STEPS);
    self->limit = ask->limit? ask->limit: steps * LIMIT > STELE_SERIES_POINTS? STELE_SERIES_POINTS / steps: LIMIT;
    if (ask->by > STELE_SERIES_STATE && self->limit * steps > STELE_SERIES_POINTS)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "limit", "%" PRId64 " series of %" PRId64 " %s are more than %d "
            "values: choose a lower limit, a longer step or a shorter range", self->limit, steps, words [end->step],
            STELE_SERIES_POINTS);
    return 0;
}

//  Since when the step is kept
static void
s_find_since (s_series_t *self)
{
    self->end->since = rollup_since (self->end->step, self->newest_us);
    if (self->end->step == STELE_STEP_DAY && stele_sql_integer_into (self->db,
            "SELECT min (time) FROM counts WHERE step = 2 AND by = 0", 0, &self->end->since))
        s_failed (self->reader, self->db);
    _Static_assert (STELE_STEP_DAY == 2 && STELE_SERIES_ALL == 0, "as in the statement");
}

//  -- reading ---------------------------------------------------------------------------

static s_group_t *
s_group (s_series_t *self, int64_t key)
{
    s_group_t *group;
    HASH_FIND (hh, self->groups, &key, sizeof key, group);
    if (group)
        return group;
    group = calloc (1, sizeof *group);
    if (group) {
        group->key = key;
        HASH_ADD (hh, self->groups, key, sizeof group->key, group);
        if (group->hh.tbl)
            return group;
        free (group);
    }
    reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    return NULL;
}

static void
s_add_row (s_series_t *self, s_group_t *group, const s_row_t *row)
{
    s_row_t *rows = stele_array_grow (group->rows, &group->room, group->row_count + 1, sizeof *rows);
    if (!rows) {
        reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    group->rows = rows;
    rows [group->row_count++] = *row;
}

//  A row of counts: time, key, counts
static void
s_take_counts (s_series_t *self, sqlite3_stmt *statement)
{
    size_t size = (size_t) sqlite3_column_bytes (statement, 2);
    unsigned char *bytes = stele_array_grow (self->bytes, &self->room, self->size + size + 1, 1);
    s_group_t *group = bytes? s_group (self, sqlite3_column_int64 (statement, 1)): NULL;
    self->bytes = bytes? bytes: self->bytes;
    int code = group? 0: STELE_ENO_MEMORY;
    if (code == 0) {
        if (size)
            memcpy (bytes + self->size, sqlite3_column_blob (statement, 2), size);
        s_add_row (self, group, &(s_row_t) { sqlite3_column_int64 (statement, 0), self->size, size });
        //  There may be very many groups of a few rows
        if (group->row_count == DENSE_ROWS)
            code = rollup_counts_widen (&group->total);
        if (code == 0)
            code = rollup_counts_decode (&group->total, bytes + self->size, size);
        self->size += size;
    }
    if (code)
        reader_fail (self->reader, code, code == STELE_ELEDGER? DAMAGED: "out of memory");
}

//  A row of failures: time, fingerprint or 0, count
static void
s_take_failures (s_series_t *self, sqlite3_stmt *statement)
{
    int64_t key = sqlite3_column_int64 (statement, 1), count = sqlite3_column_int64 (statement, 2);
    s_group_t *group = s_group (self, key > 0? key: ROLLUP_OTHER);
    if (!group)
        return;
    group->count += count;
    int64_t time = sqlite3_column_int64 (statement, 0);
    //  Several fingerprints that are not kept any more
    if (group->row_count && group->rows [group->row_count - 1].time == time)
        group->rows [group->row_count - 1].start += (size_t) count;
    else
        s_add_row (self, group, &(s_row_t) { time, (size_t) count, 0 });
}

static void
s_read (s_series_t *self)
{
    static const char *const counts = "SELECT time, key, counts FROM counts"
        " WHERE step = ?1 AND time >= ?2 AND time < ?3 AND by = ?4 ORDER BY time";
    static const char *const failures = "SELECT f.time, p.id, f.count FROM failures f"
        " LEFT JOIN fingerprints p ON p.id = f.fingerprint WHERE f.step = ?1 AND f.time >= ?2 AND f.time < ?3 ORDER BY f.time";
    bool failed = self->ask->by == STELE_SERIES_FINGERPRINT;
    int64_t from = self->end->from > self->end->since? self->end->from: self->end->since;
    sqlite3_stmt *statement = stele_sql_prepare (self->db, failed? failures: counts);
    if (!statement) {
        s_failed (self->reader, self->db);
        return;
    }
    sqlite3_bind_int (statement, 1, (int) self->end->step);
    sqlite3_bind_int64 (statement, 2, from);
    sqlite3_bind_int64 (statement, 3, self->end->to);
    if (!failed)
        sqlite3_bind_int (statement, 4, self->ask->by == STELE_SERIES_STATE? STELE_SERIES_ALL: (int) self->ask->by);
    int rc;
    while ((rc = sqlite3_step (statement)) == SQLITE_ROW && self->reader->status == 0)
        if (failed)
            s_take_failures (self, statement);
        else
            s_take_counts (self, statement);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        s_failed (self->reader, self->db);
    sqlite3_finalize (statement);
}

//  -- which series ------------------------------------------------------------------------

static int
s_order (const s_group_t *a, const s_group_t *b)
{
    bool a_other = a->key == ROLLUP_OTHER, b_other = b->key == ROLLUP_OTHER;
    if (a_other != b_other)
        return a_other? 1: -1;
    if (a->weight != b->weight)
        return a->weight > b->weight? -1: 1;
    return (a->key > b->key) - (a->key < b->key);
}

static int
s_order_rows (const void *one, const void *other)
{
    const s_row_t *a = one, *b = other;
    return (a->time > b->time) - (a->time < b->time);
}

//  Add the rows of one group to another, and to its total
static void
s_merge (s_series_t *self, s_group_t *into, s_group_t *from)
{
    for (size_t i = 0; i < from->row_count && self->reader->status == 0; i++) {
        s_add_row (self, into, &from->rows [i]);
        if (from->rows [i].size)
            rollup_counts_decode (&into->total, self->bytes + from->rows [i].start, from->rows [i].size);
    }
    into->count += from->count;
    from->gone = true;
}

static void
s_limit (s_series_t *self)
{
    s_group_t *group, *next;
    HASH_ITER (hh, self->groups, group, next) {
        group->weight = group->count;
        for (int i = 0; i < ROLLUP_NUMBERS; i++)
            group->weight += group->total.numbers [i];
    }
    HASH_SORT (self->groups, s_order);
    if ((int64_t) HASH_COUNT (self->groups) <= self->limit)
        return;
    s_group_t *other = s_group (self, ROLLUP_OTHER);
    if (other && rollup_counts_widen (&other->total))
        reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    int64_t kept = 0;
    HASH_ITER (hh, self->groups, group, next) {
        if (!other || group == other || kept++ < self->limit)
            continue;
        s_merge (self, other, group);
        self->end->left_out++;
    }
    if (other && other->row_count)
        qsort (other->rows, other->row_count, sizeof *other->rows, s_order_rows);
}

//  -- the answer --------------------------------------------------------------------------

static stele_span_t
s_task_id (s_series_t *self, int64_t key, char room [STELE_LIMIT_ID])
{
    stele_span_t id = { NULL, 0 };
    sqlite3_stmt *statement = reader_with_key (self->reader, SLOT_ROLLUP_TASK_ID, "SELECT task_id FROM tasks WHERE id = ?1", key);
    if (reader_step (self->reader, statement) == 1) {
        const char *text = stele_id_column (statement, 0, room, &id.size);
        if (text && id.size <= STELE_LIMIT_ID)
            id.text = text == room? room: memcpy (room, text, id.size);
        sqlite3_reset (statement);
    }
    return id;
}

//  The text and the last tasks of a fingerprint
static void
s_describe (s_series_t *self, int64_t id, stele_series_head_t *head, char tasks [STELE_ROLLUP_TASKS] [STELE_LIMIT_ID],
    char text [STELE_FINGERPRINT_MAX])
{
    sqlite3_stmt *statement = stele_sql_prepare (self->db,
        "SELECT text, first, last, task1, task2, task3 FROM fingerprints WHERE id = ?1");
    if (statement)
        sqlite3_bind_int64 (statement, 1, id);
    int rc = statement? sqlite3_step (statement): sqlite3_errcode (self->db);
    if (rc == SQLITE_ROW) {
        const char *found = (const char *) sqlite3_column_text (statement, 0);
        size_t size = (size_t) sqlite3_column_bytes (statement, 0);
        if (found && size > 0 && size <= STELE_FINGERPRINT_MAX)
            head->name = (stele_span_t) { memcpy (text, found, size), size };
        head->first = sqlite3_column_int64 (statement, 1);
        head->last = sqlite3_column_int64 (statement, 2);
        for (int i = 0; i < STELE_ROLLUP_TASKS; i++)
            head->tasks [i] = s_task_id (self, sqlite3_column_int64 (statement, 3 + i), tasks [i]);
    }
    else
    if (rc != SQLITE_DONE)
        s_failed (self->reader, self->db);
    sqlite3_finalize (statement);
}

//  One row, or several of the same time
static int
s_emit_point (s_series_t *self, const s_group_t *group, size_t *at, stele_series_point_fn *fn, void *arg)
{
    const s_row_t *rows = group->rows;
    stele_series_point_t point = { .time = rows [*at].time };
    bool several = *at + 1 < group->row_count && rows [*at + 1].time == point.time;
    rollup_counts_t *counts = several? &self->sum: &self->row;
    rollup_counts_clear (counts);
    for (; *at < group->row_count && rows [*at].time == point.time; ++*at)
        if (rows [*at].size == 0)
            point.count += (int64_t) rows [*at].start;
        else
        if (rollup_counts_decode (counts, self->bytes + rows [*at].start, rows [*at].size))
            return reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    rollup_counts_report (counts, &point);
    return fn (&point, arg);
}

static int
s_emit_group (s_series_t *self, const s_group_t *group, stele_series_head_fn *head_fn, stele_series_point_fn *point_fn, void *arg)
{
    char tasks [STELE_ROLLUP_TASKS] [STELE_LIMIT_ID], text [STELE_FINGERPRINT_MAX];
    stele_series_head_t head = { .other = group->key == ROLLUP_OTHER };
    if (self->ask->by == STELE_SERIES_FINGERPRINT && !head.other)
        s_describe (self, group->key, &head, tasks, text);
    else
    if (group->key > 0)
        head.name.text = reader_word (self->reader, group->key, &head.name.size);
    rollup_counts_report (&group->total, &head.total);
    head.total.count = group->count;
    int rc = self->reader->status? self->reader->status: head_fn (&head, arg);
    for (size_t at = 0; at < group->row_count && rc == 0;)
        rc = s_emit_point (self, group, &at, point_fn, arg);
    return rc;
}

//  The series of one state: its count in the rows of all
typedef struct {
    int state;
    stele_series_point_fn *fn;
    void *arg;
} s_state_t;

static int
s_emit_state_point (const stele_series_point_t *point, void *arg)
{
    s_state_t *self = arg;
    stele_series_point_t one = { .time = point->time, .count = point->entered [self->state] };
    return one.count? self->fn (&one, self->arg): 0;
}

static int
s_skip_head (const stele_series_head_t *head, void *arg)
{
    (void) head;
    (void) arg;
    return 0;
}

static int
s_emit_states (s_series_t *self, stele_series_head_fn *head_fn, stele_series_point_fn *point_fn, void *arg)
{
    s_group_t *all = s_group (self, ROLLUP_NONE);
    int rc = all? 0: self->reader->status;
    for (int state = 1; state < STELE_TASK_STATE_END && rc == 0; state++) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state);
        stele_series_head_t head = {
            .name = { word, strlen (word) }, .total = { .count = all->total.numbers [ROLLUP_ENTERED + state] }
        };
        s_state_t one = { state, point_fn, arg };
        rc = head_fn (&head, arg);
        if (rc == 0)
            rc = s_emit_group (self, all, s_skip_head, s_emit_state_point, &one);
    }
    return rc;
}

static int
s_emit (s_series_t *self, stele_series_head_fn *head_fn, stele_series_point_fn *point_fn, void *arg)
{
    if (self->ask->by == STELE_SERIES_STATE)
        return s_emit_states (self, head_fn, point_fn, arg);
    if (self->ask->by == STELE_SERIES_ALL)
        s_group (self, ROLLUP_NONE);
    else
        s_limit (self);
    int rc = 0;
    s_group_t *group, *next;
    HASH_ITER (hh, self->groups, group, next)
        if (!group->gone && rc == 0 && self->reader->status == 0)
            rc = s_emit_group (self, group, head_fn, point_fn, arg);
    return rc;
}

static void
s_close (s_series_t *self)
{
    s_group_t *group, *next;
    HASH_ITER (hh, self->groups, group, next) {
        HASH_DELETE (hh, self->groups, group);
        rollup_counts_free (&group->total);
        free (group->rows);
        free (group);
    }
    rollup_counts_free (&self->row);
    rollup_counts_free (&self->sum);
    free (self->bytes);
    if (self->db && !sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, "COMMIT");
}

int
stele_reader_series (stele_reader_t *self, const stele_series_t *ask, stele_series_head_fn *head,
    stele_series_point_fn *point, void *arg, stele_series_end_t *end, stele_refusal_t *refusal)
{
    *end = (stele_series_end_t) { .folded = 0 };
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    s_series_t series = { .reader = self, .ask = ask, .end = end, .db = s_open (self) };
    if (rollup_counts_widen (&series.sum))
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    bool found = series.db && s_begin (&series);
    int refused = s_plan (&series, refusal);
    if (found && !refused && self->status == 0) {
        s_find_since (&series);
        s_read (&series);
    }
    if (!refused && self->status == 0)
        rc = s_emit (&series, head, point, arg);
    s_close (&series);
    rc = (int) reader_leave (self, rc < 0? rc: 0);
    return refused? refused: rc;
}
