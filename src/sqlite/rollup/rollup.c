/*  rollup - counts per minute, hour and day: the follower's side

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/fault.h"
#include "sqlite/rollup/store.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/side_file.h"

//  The newest commit is earlier than the one before by this much: the clock had been ahead, and was set back
#define SET_BACK_US ((int64_t) 3600 * 1000000)

struct stele_rollup {
    sqlite3 *db;
    stele_reader_t *reader;
    char *path;                     // Of the ledger
    int64_t position;
    int64_t rejected;               // Id of the last refused event that is counted
    int64_t newest_us;              // Commit of the newest event of the ledger, when it was counted last
    sqlite3_stmt *move;
    rollup_fold_t fold;
    rollup_store_t store;
    const char *fault;              // Of the file that was there at the open; NULL: none
    bool damaged;
    char error [256];
};

static int
s_fail (stele_rollup_t *self)
{
    snprintf (self->error, sizeof self->error, "%s", sqlite3_errmsg (self->db));
    return stele_sql_code (sqlite3_errcode (self->db));
}

//  -- open, close -----------------------------------------------------------------------

static int
s_make (stele_rollup_t *self)
{
    if (self->db)
        sqlite3_close (self->db);
    self->db = NULL;
    self->position = 0;
    stele_side_unlink (self->path, STELE_ROLLUP_SUFFIX);
    int code = stele_side_open (self->path, STELE_ROLLUP_SUFFIX, &self->db);
    if (code == 0)
        code = stele_side_make (self->db, STELE_ROLLUP_VERSION, stele_reader_ledger_id (self->reader), ROLLUP_SCHEMA);
    return code? s_fail (self): 0;
}

//  The file is small. A damaged page would give wrong counts for ever: most rows are never written again.
static bool
s_is_intact (sqlite3 *db)
{
    sqlite3_stmt *statement = stele_sql_prepare (db, "PRAGMA quick_check (1)");
    bool intact = statement && sqlite3_step (statement) == SQLITE_ROW
        && strcmp ((const char *) sqlite3_column_text (statement, 0), "ok") == 0;
    sqlite3_finalize (statement);
    return intact;
}

static int
s_prepare (stele_rollup_t *self)
{
    int code = stele_sql_integer_into (self->db, "SELECT value FROM meta WHERE key = 'rejected'", 0, &self->rejected);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "SELECT value FROM meta WHERE key = 'newest'", 0, &self->newest_us);
    if (code == 0)
        code = rollup_store_open (&self->store, self->db);
    if (code)
        return s_fail (self);
    self->move = stele_sql_prepare (self->db, "UPDATE meta SET value = CASE key WHEN 'position' THEN ?1"
        " WHEN 'rejected' THEN ?2 ELSE ?3 END WHERE key IN ('position', 'rejected', 'newest')");
    return self->move? 0: s_fail (self);
}

//  Open the file, or make it if it does not fit. One that is only locked, or could not be read for lack of memory, stays.
static int
s_open (stele_rollup_t *self)
{
    int code = stele_side_open (self->path, STELE_ROLLUP_SUFFIX, &self->db);
    if (code == STELE_EBUSY || code == STELE_ENO_MEMORY)
        return s_fail (self);
    self->fault = code? "is not usable": stele_side_fault (self->db, STELE_ROLLUP_VERSION,
        stele_reader_ledger_id (self->reader), stele_reader_head (self->reader), &self->position);
    if (!self->fault && !s_is_intact (self->db))
        self->fault = "is damaged";
    code = self->fault? s_make (self): 0;
    return code? code: s_prepare (self);
}

stele_rollup_t *
stele_rollup_open (const char *path, stele_reader_t *reader, stele_refusal_t *refusal)
{
    stele_rollup_t *self = calloc (1, sizeof *self);
    if (self)
        self->path = strdup (path);
    if (!self || !self->path || rollup_fold_open (&self->fold, reader)) {
        stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
        stele_rollup_close (&self);
        return NULL;
    }
    self->reader = reader;
    int code = s_open (self);
    if (code) {
        stele_refuse (refusal, code, "ledger", "cannot open %s" STELE_ROLLUP_SUFFIX ": %s", path, self->error);
        stele_rollup_close (&self);
    }
    return self;
}

void
stele_rollup_close (stele_rollup_t **self_p)
{
    assert (self_p);
    stele_rollup_t *self = *self_p;
    if (!self)
        return;
    rollup_store_close (&self->store);
    rollup_fold_close (&self->fold);
    sqlite3_finalize (self->move);
    sqlite3_close (self->db);
    if (self->damaged)
        stele_side_unlink (self->path, STELE_ROLLUP_SUFFIX);
    free (self->path);
    free (self);
    *self_p = NULL;
}

int64_t
stele_rollup_position (const stele_rollup_t *self)
{
    return self->position;
}

const char *
stele_rollup_fault (const stele_rollup_t *self)
{
    return self->fault;
}

const char *
stele_rollup_error (const stele_rollup_t *self)
{
    return self->error;
}

//  -- following -------------------------------------------------------------------------

//  Begin again. Steps were deleted, since a clock that was ahead made them look old.
static int
s_wipe (stele_rollup_t *self)
{
    self->fault = "was made while the clock was ahead";
    memset (self->store.pruned, 0, sizeof self->store.pruned);
    self->store.fingerprints = -1;
    return stele_sql_exec (self->db, "DELETE FROM counts; DELETE FROM failures; DELETE FROM fingerprints");
}

//  In a transaction. The portion is in self->fold.
static int
s_store (stele_rollup_t *self, int64_t position)
{
    int code = rollup_store_add (&self->store, &self->fold);
    STELE_FAULT (rollup_stored);
    if (code)
        return code;
    sqlite3_bind_int64 (self->move, 1, position);
    sqlite3_bind_int64 (self->move, 2, self->fold.rejected);
    sqlite3_bind_int64 (self->move, 3, self->fold.newest_us);
    return stele_sql_run (self->move);
}

static int
s_failed (stele_rollup_t *self, int code, bool reading)
{
    if (reading)
        snprintf (self->error, sizeof self->error, "%s", stele_reader_error (self->reader));
    else
        s_fail (self);
    if (code == STELE_ENO_MEMORY)
        snprintf (self->error, sizeof self->error, "out of memory");
    self->damaged = code == STELE_ELEDGER && !reading;
    if (!sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, "ROLLBACK");
    return code;
}

//  Count the events in (after, upto] and store them. Returns 0 or a code.
static int
s_portion (stele_rollup_t *self, int64_t after, int64_t upto, bool restart)
{
    int64_t rejected = self->fold.rejected = restart? 0: self->rejected;
    int code = rollup_fold_read (&self->fold, after, upto);
    if (code)
        return s_failed (self, code, true);
    if (!restart && upto == after && self->fold.rejected == rejected)
        return 0;
    code = stele_sql_exec (self->db, "BEGIN IMMEDIATE");
    if (code == 0 && restart)
        code = s_wipe (self);
    if (code == 0)
        code = s_store (self, upto);
    if (code == 0)
        code = stele_sql_exec (self->db, "COMMIT");
    if (code)
        return s_failed (self, code, false);
    self->position = upto;
    self->rejected = self->fold.rejected;
    self->newest_us = self->fold.newest_us;
    return 0;
}

int64_t
stele_rollup_follow (stele_rollup_t *self, int64_t head)
{
    int64_t newest_us = head > 0? stele_reader_commit_time (self->reader, head): 0;
    if (newest_us < 0)
        return s_failed (self, (int) newest_us, true);
    bool restart = newest_us > 0 && newest_us < self->newest_us - SET_BACK_US;
    if (restart)
        rollup_fold_clear (&self->fold, true);
    self->fold.newest_us = newest_us;
    int64_t after = restart? 0: self->position;
    int64_t upto = head - after > STELE_ROLLUP_PORTION? after + STELE_ROLLUP_PORTION: head;
    int code = s_portion (self, after, upto, restart);
    rollup_fold_clear (&self->fold, code != 0);
    return code? code: upto - after;
}
