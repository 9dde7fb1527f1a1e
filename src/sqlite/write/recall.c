/*  recall - bring archived tasks and sessions back to the ledger

    In the open batch, their rows are copied from the archive, and the stub goes. What the archive still has of them no longer
    counts then.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include "fault/fault.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/wal/shm_vfs.h"
#include "sqlite/write/ledger_internal.h"

#define BUSY_MS 200                 // A program that opens or closes an archive may hold its lock for a moment

struct stele_recall {
    int64_t year;
    sqlite3 *db;
    stele_task_copy_t *tasks, *sessions;
};

//  What comes back
typedef struct {
    const char *what, *field;       // For errors
    bool session;
    int64_t key, year, events;      // As its stub says
} s_item_t;

void
stele_ledger_recall_close (stele_ledger_t *self)
{
    if (!self->recall)
        return;
    stele_task_copy_destroy (&self->recall->tasks);
    stele_task_copy_destroy (&self->recall->sessions);
    sqlite3_close (self->recall->db);
    free (self->recall);
    self->recall = NULL;
}

//  The id that the ledger has noted of an archive
static int
s_known_id (stele_ledger_t *self, int64_t year, char *id, size_t size)
{
    sqlite3_stmt *stmt = self->sql.archive_id;
    sqlite3_bind_int64 (stmt, 1, year);
    int rc = stele_sql_step (stmt);
    const char *text = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (id, size, "%s", text? text: "");
    sqlite3_reset (stmt);
    return stele_sql_code (rc)? stele_ledger_fail (self, stele_sql_code (rc)): 0;
}

static int
s_open (stele_ledger_t *self, const s_item_t *item, const char *path, stele_refusal_t *refusal)
{
    char id [40];
    if (self->recall && self->recall->year == item->year)
        return 0;
    stele_ledger_recall_close (self);
    int code = s_known_id (self, item->year, id, sizeof id);
    if (code)
        return code;
    self->recall = calloc (1, sizeof *self->recall);
    if (!self->recall)
        return stele_ledger_fail (self, STELE_ENO_MEMORY);
    self->recall->year = item->year;
    int rc = sqlite3_open_v2 (path, &self->recall->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
        | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ());
    sqlite3 *db = self->recall->db;
    if (rc == SQLITE_OK)
        sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        sqlite3_busy_timeout (db, BUSY_MS);
    if (rc != SQLITE_OK)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, item->field, "%s", db? sqlite3_errmsg (db): "out of memory");
    if (stele_archive_check (db, "main", path, id, refusal))
        return refusal->code = STELE_EUNAVAILABLE;
    self->recall->tasks = stele_task_copy_new (db, self->db, false, false);
    self->recall->sessions = stele_task_copy_new (db, self->db, true, false);
    return self->recall->tasks && self->recall->sessions? 0: stele_ledger_fail (self, STELE_ENO_MEMORY);
}

static stele_task_copy_t *
s_copy (const stele_ledger_t *self, const s_item_t *item)
{
    return item->session? self->recall->sessions: self->recall->tasks;
}

//  Read all of it before the first row is written: what cannot be read is then refused, not half there
static int
s_read (stele_ledger_t *self, const s_item_t *item, stele_refusal_t *refusal)
{
    int64_t rows = stele_task_copy_read (s_copy (self, item), item->key);
    if (rows == item->events)
        return 0;
    if (rows < 0 && rows != STELE_ELEDGER)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, item->field, "%s", sqlite3_errmsg (self->recall->db));
    return stele_refuse (refusal, STELE_EUNAVAILABLE, item->field, "the archive does not have all of the %s", item->what);
}

static int
s_run (stele_ledger_t *self, sqlite3_stmt *stmt, int64_t key)
{
    sqlite3_bind_int64 (stmt, 1, key);
    return stele_ledger_run (self, stmt);
}

static int
s_bring_back (stele_ledger_t *self, const s_item_t *item)
{
    int64_t rows = stele_task_copy_run (s_copy (self, item), item->key);
    if (rows < 0)
        return stele_ledger_fail (self, (int) rows);
    int code = s_run (self, item->session? self->sql.recall_session_stub: self->sql.recall_stub, item->key);
    if (code == 0)
        code = s_run (self, item->session? self->sql.recalled_session: self->sql.recalled, item->year);
    STELE_FAULT (recall_after);
    return code? code: 1;
}

//  Returns 1, STELE_EUNAVAILABLE with a refusal, or a storage error
static int
s_recall (stele_ledger_t *self, const s_item_t *item, stele_refusal_t *refusal)
{
    char reason [sizeof refusal->message];
    int code = STELE_FAULT_CODE (recall_before);
    char *path = code? NULL: stele_archive_path (stele_place_path (self->place), item->year);
    if (!path)
        return stele_ledger_fail (self, code? code: STELE_ENO_MEMORY);
    refusal->code = 0;
    code = s_open (self, item, path, refusal);
    if (code == 0)
        code = s_read (self, item, refusal);
    if (code && refusal->code == code) {
        snprintf (reason, sizeof reason, "%s", refusal->message);
        stele_refuse (refusal, STELE_EUNAVAILABLE, item->field, "the %s is in the archive %s, which cannot be read (%.200s): put "
            "it back, then use 'stele rejected retry'", item->what, path, reason);
    }
    if (code)
        stele_ledger_recall_close (self);
    sqlite3_free (path);
    return code? code: s_bring_back (self, item);
}

//  The stub that the statement finds, bound to its key. Returns as stele_ledger_recall.
static int
s_recall_by (stele_ledger_t *self, sqlite3_stmt *stmt, bool session, stele_refusal_t *refusal)
{
    int rc = stele_sql_step (stmt);
    s_item_t item = {
        .what = session? "session": "task", .field = session? "session_id": "task_id", .session = session,
        .key = sqlite3_column_int64 (stmt, 0), .year = sqlite3_column_int64 (stmt, 1), .events = sqlite3_column_int64 (stmt, 2)
    };
    sqlite3_reset (stmt);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
    return s_recall (self, &item, refusal);
}

int
stele_ledger_recall (stele_ledger_t *self, const stele_value_t *id, stele_refusal_t *refusal)
{
    stele_ledger_bind_id (self->sql.recall_find, 1, id);
    return s_recall_by (self, self->sql.recall_find, false, refusal);
}

int
stele_ledger_recall_session (stele_ledger_t *self, const stele_value_t *id, stele_refusal_t *refusal)
{
    stele_ledger_bind_id (self->sql.recall_session_find, 1, id);
    return s_recall_by (self, self->sql.recall_session_find, true, refusal);
}

int
stele_ledger_recall_sessions_of (stele_ledger_t *self, int64_t task, stele_refusal_t *refusal)
{
    int rc = 1;
    while (rc == 1) {
        sqlite3_bind_int64 (self->sql.recall_session_next, 1, task);
        rc = s_recall_by (self, self->sql.recall_session_next, true, refusal);
    }
    return rc;
}
