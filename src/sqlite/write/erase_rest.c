/*  erase_rest - erase the outputs of a task that has very many of them, in steps between commits

    The erasure itself is one event at one position. What it leaves has a row in meta, with the next output: so it continues
    after a restart. Outputs that came after the erasure are newer than that one, and are not reached.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include "base/clock.h"
#include "fault/fault.h"
#include "sqlite/write/erase_rows.h"

#define REST 3                      // Times as long as the last step took
#define REST_MS_MIN 5
#define RETRY_MS 1000               // After an error
#define KEY "'" STELE_ERASING_KEY "' || ?1"

static int
s_run (stele_ledger_t *self, const char *sql, int64_t task, int64_t position)
{
    int code;
    sqlite3_stmt *stmt = stele_erase_prepare (self, sql, &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, task);
    if (sqlite3_bind_parameter_count (stmt) > 1)
        sqlite3_bind_int64 (stmt, 2, position);
    code = stele_ledger_run (self, stmt);
    sqlite3_finalize (stmt);
    return code;
}

int
stele_ledger_erase_later (stele_ledger_t *self, int64_t task)
{
    self->erasing = true;
    return s_run (self, "INSERT OR REPLACE INTO main.meta (key, value) SELECT " KEY ", last_output FROM main.states_plain WHERE task = ?1",
        task, 0);
}

//  The next output of that task, or of any (0), which *task becomes. 0: there is none, or a code.
static int64_t
s_next (stele_ledger_t *self, int64_t *task)
{
    int code;
    sqlite3_stmt *stmt = stele_erase_prepare (self, *task? "SELECT ?1, value FROM main.meta WHERE key = " KEY:
        "SELECT CAST (substr (key, length ('" STELE_ERASING_KEY "') + 1) AS INTEGER), value FROM main.meta"
        " WHERE key GLOB '" STELE_ERASING_KEY "*'", &code);
    if (code)
        return code;
    if (*task)
        sqlite3_bind_int64 (stmt, 1, *task);
    int rc = sqlite3_step (stmt);
    int64_t position = rc == SQLITE_ROW? sqlite3_column_int64 (stmt, 1): 0;
    *task = sqlite3_column_int64 (stmt, 0);
    sqlite3_finalize (stmt);
    return stele_sql_code (rc)? stele_ledger_fail (self, stele_sql_code (rc)): position;
}

//  Erase some outputs of a task in the open transaction. Returns 1, 0 if there are none, or a code.
static int
s_step (stele_ledger_t *self, stele_leaf_fn *fn, void *arg)
{
    int64_t task = 0, position = s_next (self, &task);
    if (position <= 0)
        return (int) position;
    stele_erase_rows_t rows = { .ledger = self, .fn = fn, .arg = arg };
    int code = STELE_FAULT_CODE (erase_step);
    code = code? stele_ledger_fail (self, code): stele_erase_rows_follow_outputs (&rows, &position, STELE_ERASE_STEP);
    if (code == 0)
        code = stele_erase_rows_run (&rows);
    if (code == 0)
        code = s_run (self, position? "UPDATE main.meta SET value = ?2 WHERE key = " KEY: "DELETE FROM main.meta WHERE key = " KEY,
            task, position);
    stele_erase_rows_clear (&rows);
    STELE_FAULT (erase_stepped);
    return code? code: 1;
}

int64_t
stele_ledger_erase_next (stele_ledger_t *self, int64_t task)
{
    return self->erasing? s_next (self, &task): 0;
}

//  One transaction
static int
s_commit_step (stele_ledger_t *self, stele_leaf_fn *fn, void *arg)
{
    int rc = stele_sql_exec (self->db, "PRAGMA secure_delete = ON; BEGIN IMMEDIATE");
    rc = rc? stele_ledger_fail (self, rc): s_step (self, fn, arg);
    int code = rc < 0? rc: stele_sql_exec (self->db, "COMMIT");
    if (rc >= 0 && code)
        code = stele_ledger_fail (self, code);
    if (code && !sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, "ROLLBACK");
    stele_sql_exec (self->db, "PRAGMA secure_delete = OFF");
    stele_ledger_scrub_soon (self);
    return code? code: rc;
}

int64_t
stele_ledger_erase_wait_ms (const stele_ledger_t *self)
{
    if (!self->erasing || self->suspended)
        return -1;
    int64_t wait_ms = self->erasing_ms - stele_clock_steady_ms ();
    return wait_ms > 0? wait_ms: 0;
}

int
stele_ledger_erase_step (stele_ledger_t *self, stele_leaf_fn *fn, void *arg)
{
    int64_t begun_ms = stele_clock_steady_ms ();
    int rc = s_commit_step (self, fn, arg);
    int64_t ended_ms = stele_clock_steady_ms (), rest_ms = (ended_ms - begun_ms) * REST;
    if (rc < 0)
        snprintf (self->erasing_error, sizeof self->erasing_error, "%.490s", self->error);
    self->erasing_since_ms = rc >= 0? 0: self->erasing_since_ms? self->erasing_since_ms: begun_ms;
    self->erasing = rc != 0;
    self->erasing_ms = ended_ms + (rc < 0? RETRY_MS: rest_ms < REST_MS_MIN? REST_MS_MIN: rest_ms);
    return rc;
}

int
stele_ledger_erase_all (stele_ledger_t *self, stele_leaf_fn *fn, void *arg)
{
    int rc = self->erasing? 1: 0;
    while (rc == 1)
        rc = s_commit_step (self, fn, arg);
    self->erasing = rc != 0;
    return rc;
}

int
stele_ledger_erase_needed (stele_ledger_t *self)
{
    int64_t task = 0, position = s_next (self, &task);
    self->erasing = position > 0;
    return position < 0? (int) position: 0;
}
