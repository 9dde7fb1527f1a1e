/*  store - add what was counted to the file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/rollup/store.h"

#define PRUNE_US ((int64_t) 3600 * 1000000)     // Rows are deleted when this much of them has become old

static const char *const s_sql [ROLLUP_STATEMENTS] = {
    [ROLLUP_FIND] = "SELECT counts FROM counts WHERE step = ?1 AND by = ?2 AND time = ?3 AND key = ?4",
    [ROLLUP_KEYS] = "SELECT count (*) FROM counts WHERE step = ?1 AND by = ?2 AND time = ?3 AND key > 0",
    [ROLLUP_PUT] = "INSERT OR REPLACE INTO counts (step, by, time, key, counts) VALUES (?1, ?2, ?3, ?4, ?5)",
    [ROLLUP_FAIL_ADD] = "UPDATE failures SET count = count + 1 WHERE step = ?1 AND time = ?2 AND fingerprint = ?3",
    [ROLLUP_FAIL_KEYS] = "SELECT count (*) FROM failures WHERE step = ?1 AND time = ?2 AND fingerprint > 0",
    [ROLLUP_FAIL_PUT] = "INSERT INTO failures (step, time, fingerprint, count) VALUES (?1, ?2, ?3, 1)"
        " ON CONFLICT DO UPDATE SET count = count + 1",
    [ROLLUP_PRINT_FIND] = "SELECT id FROM fingerprints WHERE text = ?1",
    [ROLLUP_PRINT_NEW] = "INSERT INTO fingerprints (text, first, last, task1, task2, task3) VALUES (?1, ?2, ?2, ?3, 0, 0)",
    [ROLLUP_PRINT_MOVE] = "UPDATE fingerprints SET first = min (first, ?2), last = max (last, ?2),"
        " task1 = ?3, task2 = iif (task1 = ?3, task2, task1),"
        " task3 = iif (task1 = ?3 OR task2 = ?3, task3, task2) WHERE id = ?1"
};

int
rollup_store_open (rollup_store_t *self, sqlite3 *db)
{
    *self = (rollup_store_t) { .db = db, .fingerprints = -1 };
    for (int i = 0; i < ROLLUP_STATEMENTS; i++) {
        self->statements [i] = stele_sql_prepare (db, s_sql [i]);
        if (!self->statements [i])
            return stele_sql_code (sqlite3_errcode (db));
    }
    return 0;
}

void
rollup_store_close (rollup_store_t *self)
{
    for (int i = 0; i < ROLLUP_STATEMENTS; i++)
        sqlite3_finalize (self->statements [i]);
    rollup_counts_free (&self->counts);
    free (self->bytes);
}

//  -- statements ----------------------------------------------------------------------------

static sqlite3_stmt *
s_bind (rollup_store_t *self, rollup_statement_t which, int64_t one, int64_t two, int64_t three, int64_t four)
{
    sqlite3_stmt *statement = self->statements [which];
    const int64_t values [] = { one, two, three, four };
    for (int i = 0; i < 4 && i < sqlite3_bind_parameter_count (statement); i++)
        sqlite3_bind_int64 (statement, i + 1, values [i]);
    return statement;
}

//  The first column of the only row, 'otherwise' if there is none. Returns 0 or a code.
static int
s_integer (sqlite3_stmt *statement, int64_t otherwise, int64_t *value)
{
    int rc = stele_sql_step (statement);
    *value = rc == SQLITE_ROW? sqlite3_column_int64 (statement, 0): otherwise;
    sqlite3_reset (statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE? 0: stele_sql_code (rc);
}

//  -- counts ---------------------------------------------------------------------------------

//  Add what the row has to self->counts: 1, 0 there is no such row, or a code
static int
s_find (rollup_store_t *self, const rollup_place_t *place)
{
    sqlite3_stmt *statement = s_bind (self, ROLLUP_FIND, place->step, place->by, place->time, place->key);
    int rc = stele_sql_step (statement), code = 0;
    if (rc == SQLITE_ROW)
        code = rollup_counts_decode (&self->counts, sqlite3_column_blob (statement, 0),
            (size_t) sqlite3_column_bytes (statement, 0));
    sqlite3_reset (statement);
    return code? code: rc == SQLITE_ROW? 1: rc == SQLITE_DONE? 0: stele_sql_code (rc);
}

//  The place of a cell: 'other' if its step has no room for another key. self->counts has what its row has so far.
static int
s_place (rollup_store_t *self, rollup_place_t *place)
{
    int64_t keys = 0;
    int found = s_find (self, place);
    if (found || place->key <= 0)
        return found < 0? found: 0;
    int code = s_integer (s_bind (self, ROLLUP_KEYS, place->step, place->by, place->time, 0), 0, &keys);
    if (code || keys < STELE_ROLLUP_KEYS)
        return code;
    place->key = ROLLUP_OTHER;
    found = s_find (self, place);
    return found < 0? found: 0;
}

static int
s_add_cell (rollup_store_t *self, const rollup_cell_t *cell)
{
    rollup_place_t place = cell->place;
    rollup_counts_clear (&self->counts);
    int code = s_place (self, &place);
    if (code == 0)
        code = rollup_counts_add (&self->counts, &cell->counts);
    unsigned char *bytes = code? NULL:
        stele_array_grow (self->bytes, &self->room, rollup_counts_size (&self->counts), 1);
    if (!bytes)
        return code? code: STELE_ENO_MEMORY;
    self->bytes = bytes;
    sqlite3_stmt *statement = s_bind (self, ROLLUP_PUT, place.step, place.by, place.time, place.key);
    sqlite3_bind_blob (statement, 5, bytes, (int) rollup_counts_encode (&self->counts, bytes), SQLITE_STATIC);
    return stele_sql_run (statement);
}

//  -- failures -------------------------------------------------------------------------------

//  Room for new fingerprints: those that occurred last stay. What was counted of the others is 'other' for readers.
static int
s_forget (rollup_store_t *self)
{
    int code = self->fingerprints < 0?
        stele_sql_integer_into (self->db, "SELECT count (*) FROM fingerprints", 0, &self->fingerprints): 0;
    if (code || self->fingerprints < STELE_ROLLUP_FINGERPRINTS)
        return code;
    char sql [160];
    snprintf (sql, sizeof sql, "DELETE FROM fingerprints WHERE id IN"
        " (SELECT id FROM fingerprints ORDER BY last LIMIT %d)", STELE_ROLLUP_FINGERPRINTS / 10);
    code = stele_sql_exec (self->db, sql);
    self->fingerprints -= code? 0: sqlite3_changes (self->db);
    return code;
}

//  The id of a failure's fingerprint, whose row is brought up to date
static int
s_fingerprint (rollup_store_t *self, const rollup_failure_t *failure, int64_t *id)
{
    sqlite3_stmt *statement = self->statements [ROLLUP_PRINT_FIND];
    stele_sql_bind_text (statement, 1, failure->fingerprint, failure->size);
    int code = s_integer (statement, 0, id);
    if (code)
        return code;
    if (*id)
        return stele_sql_run (s_bind (self, ROLLUP_PRINT_MOVE, *id, failure->time, failure->task, 0));
    code = s_forget (self);
    statement = s_bind (self, ROLLUP_PRINT_NEW, 0, failure->time, failure->task, 0);
    stele_sql_bind_text (statement, 1, failure->fingerprint, failure->size);
    if (code == 0)
        code = stele_sql_run (statement);
    if (code == 0) {
        *id = sqlite3_last_insert_rowid (self->db);
        self->fingerprints++;
    }
    return code;
}

static int
s_count_failure (rollup_store_t *self, stele_step_t step, int64_t time, int64_t fingerprint)
{
    int64_t start = time - time % stele_step_us (step), keys = 0;
    int code = stele_sql_run (s_bind (self, ROLLUP_FAIL_ADD, step, start, fingerprint, 0));
    if (code || sqlite3_changes (self->db))
        return code;
    code = s_integer (s_bind (self, ROLLUP_FAIL_KEYS, step, start, 0, 0), 0, &keys);
    if (code)
        return code;
    return stele_sql_run (s_bind (self, ROLLUP_FAIL_PUT, step, start, keys < STELE_ROLLUP_KEYS? fingerprint: 0, 0));
}

static int
s_add_failure (rollup_store_t *self, const rollup_failure_t *failure, int64_t newest_us)
{
    int64_t id = 0;
    int code = s_fingerprint (self, failure, &id);
    for (stele_step_t step = 0; step < STELE_STEP_COUNT && code == 0; step++)
        if (failure->time >= rollup_since (step, newest_us))
            code = s_count_failure (self, step, failure->time, id);
    return code;
}

//  -- what is not kept ------------------------------------------------------------------------

static int
s_prune (rollup_store_t *self, int64_t newest_us)
{
    for (stele_step_t step = STELE_STEP_MINUTE; step < STELE_STEP_DAY; step++) {
        int64_t since = rollup_since (step, newest_us);
        if (since < self->pruned [step] + PRUNE_US)
            continue;
        char sql [600];
        int size = snprintf (sql, sizeof sql, "DELETE FROM failures WHERE step = %d AND time < %lld;", (int) step,
            (long long) since);
        for (int by = STELE_SERIES_ALL; by <= STELE_SERIES_MODEL; by++)
            size += snprintf (sql + size, sizeof sql - (size_t) size,
                "DELETE FROM counts WHERE step = %d AND by = %d AND time < %lld;", (int) step, by, (long long) since);
        int code = stele_sql_exec (self->db, sql);
        if (code)
            return code;
        self->pruned [step] = since;
    }
    return 0;
}

int
rollup_store_add (rollup_store_t *self, const rollup_fold_t *fold)
{
    int code = 0;
    for (const rollup_cell_t *cell = fold->cells; cell && code == 0; cell = cell->hh.next)
        if (cell->place.time >= rollup_since ((stele_step_t) cell->place.step, fold->newest_us))
            code = s_add_cell (self, cell);
    for (size_t i = 0; i < fold->failure_count && code == 0; i++)
        code = s_add_failure (self, &fold->failures [i], fold->newest_us);
    return code? code: s_prune (self, fold->newest_us);
}
