/*  archive - replace tasks by stubs, bring them back from their archives

    A stub is a row of archived_tasks. With it in the transaction, the triggers let the rows of its task go.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fault/fault.h"
#include "ledger/archive.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/write/ledger_internal.h"

#define BUSY_MS   200               // A program that opens or closes an archive may hold its lock for a moment
#define FILES_MAX 100

struct stele_recall {
    int64_t year;
    sqlite3 *db;
    stele_task_copy_t *copy;
};

//  -- start -------------------------------------------------------------------------------

//  Those whose files are there. A missing one is reported by whatever needs it.
static int
s_migrate (stele_ledger_t *self, int64_t year, stele_refusal_t *refusal)
{
    char *path = stele_archive_path (stele_place_path (self->place), year);
    int code = path? 0: stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
    if (path && access (path, F_OK) == 0) {
        sqlite3 *db = stele_archive_open (path, self->file_mode, NULL, refusal);
        code = db? 0: refusal->code;
        sqlite3_close (db);
    }
    sqlite3_free (path);
    return code;
}

//  An archive that has positions after the end of the ledger is from a history whose end is lost (a restored ledger): they
//  will be given again, so nothing may be added to it. It gets the note of another ledger (archiver.c compares it). A file
//  that is not an archive, or that cannot be opened, gets nothing added to it anyway.
static int
s_end_one (stele_ledger_t *self, const char *path, stele_refusal_t *refusal)
{
    sqlite3 *db = NULL;
    int64_t application = 0, last = 0;
    int code = 0, rc = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        sqlite3_busy_timeout (db, BUSY_MS);
    if (rc == SQLITE_OK && stele_sql_integer_into (db, "PRAGMA application_id", 0, &application) == 0
    &&  application == STELE_ARCHIVE_APPLICATION_ID) {
        code = stele_sql_integer_into (db, "SELECT max (p) FROM (SELECT max (position) AS p FROM task_history UNION ALL"
            " SELECT max (position) FROM task_outputs UNION ALL SELECT max (position) FROM task_metrics)", 0, &last);
        if (code == 0 && last > stele_ledger_last (self))
            code = stele_sql_exec (db, "UPDATE meta SET value = value || '+' WHERE key = 'ledger_id' AND value NOT LIKE '%+'");
        if (code)
            stele_refuse (refusal, code, "archive", "the archive %s cannot be checked, or marked as one that ends after its ledger: "
                "%s: repair or restore it", path, sqlite3_errmsg (db));
    }
    sqlite3_close (db);
    return code;
}

//  Those whose files are there, also if the ledger has not noted them yet
static int
s_end (stele_ledger_t *self, stele_refusal_t *refusal)
{
    const char *ledger = stele_place_path (self->place);
    size_t size = strlen (ledger), suffix = strlen (STELE_RESTORING_SUFFIX);
    int64_t years [FILES_MAX];
    //  A ledger that is being restored does not have its end yet
    if (size > suffix && strcmp (ledger + size - suffix, STELE_RESTORING_SUFFIX) == 0)
        return 0;
    int code = 0, count = stele_archives_beside (ledger, years, FILES_MAX);
    if (count < 0)
        return stele_refuse (refusal, STELE_EIO, "archive", "cannot look for archives next to %s: %s", ledger, strerror (errno));
    for (int i = 0; i < count && code == 0; i++) {
        char *path = stele_archive_path (ledger, years [i]);
        code = path? s_end_one (self, path, refusal): stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
        sqlite3_free (path);
    }
    return code;
}

int
stele_ledger_archives_open (stele_ledger_t *self, stele_refusal_t *refusal)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT id FROM archives");
    int rc = stmt? SQLITE_DONE: sqlite3_errcode (self->db), code = 0;
    while (stmt && code == 0 && (rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        self->archives = true;
        code = s_migrate (self, sqlite3_column_int64 (stmt, 0), refusal);
    }
    sqlite3_finalize (stmt);
    if (code)
        return code;
    code = stele_sql_code (rc);
    if (code == 0 && (code = s_end (self, refusal)) != 0)
        return code;
    if (code == 0)
        code = stele_ledger_scrub_needed (self);
    if (code == 0)
        code = stele_ledger_erase_needed (self);
    if (code == 0)
        return 0;
    code = stele_ledger_fail (self, code);
    return stele_refuse (refusal, code, "ledger", "%s: %s", stele_place_path (self->place), self->error);
}

//  -- out ---------------------------------------------------------------------------------

static int64_t
s_run_with (stele_ledger_t *self, sqlite3_stmt *stmt, int64_t first, int64_t second)
{
    sqlite3_bind_int64 (stmt, 1, first);
    if (sqlite3_bind_parameter_count (stmt) > 1)
        sqlite3_bind_int64 (stmt, 2, second);
    int code = stele_ledger_run (self, stmt);
    return code? code: sqlite3_changes (self->db);
}

//  The row of the archive, which may be a new one
static int
s_note_archive (stele_ledger_t *self, const stele_archive_step_t *step)
{
    sqlite3_stmt *stmt = self->sql.archive_insert;
    sqlite3_bind_int64 (stmt, 1, step->year);
    sqlite3_bind_text (stmt, 2, step->archive_id, -1, SQLITE_STATIC);
    int code = stele_ledger_run (self, stmt);
    if (code)
        return code;
    //  It does nothing if there is a row with this id; with another one it counts none
    if (sqlite3_changes (self->db) == 1)
        return 0;
    snprintf (self->error, sizeof self->error, "the archive of %lld is not the one that the ledger has noted",
        (long long) step->year);
    return STELE_EINTERNAL;
}

//  Delete the rows of a task that has a stub: as many events as were copied
static int
s_delete (stele_ledger_t *self, int64_t task, int64_t events)
{
    int64_t rows [] = {
        s_run_with (self, self->sql.archive_history, task, 0), s_run_with (self, self->sql.archive_outputs, task, 0),
        s_run_with (self, self->sql.archive_metrics, task, 0), s_run_with (self, self->sql.archive_state, task, 0),
        s_run_with (self, self->sql.archive_task, task, 0)
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++)
        if (rows [i] < 0)
            return (int) rows [i];
    if (rows [0] + rows [1] + rows [2] == events && rows [3] == 1 && rows [4] == 1)
        return 0;
    snprintf (self->error, sizeof self->error, "task %lld has %lld events, of which %lld were copied to its archive",
        (long long) task, (long long) (rows [0] + rows [1] + rows [2]), (long long) events);
    return STELE_EINTERNAL;
}

//  Returns 1, 0 if the task has changed since it was copied, or a storage error.
static int
s_move (stele_ledger_t *self, const stele_archive_step_t *step, int index)
{
    char room [STELE_ID_TEXT];
    size_t size;
    int64_t task = step->tasks [index].task, position = step->tasks [index].position;
    sqlite3_stmt *stmt = self->sql.archive_stub;
    sqlite3_bind_int64 (stmt, 1, task);
    sqlite3_bind_int64 (stmt, 2, position);
    sqlite3_bind_int64 (stmt, 3, step->year);
    sqlite3_bind_int64 (stmt, 4, step->tasks [index].events);
    int rc = stele_sql_step (stmt);
    if (rc == SQLITE_ROW) {
        const char *id = stele_id_column (stmt, 0, room, &size);
        if (id)
            stele_task_cache_drop (self->tasks, id, size);
        rc = stele_sql_step (stmt);
        sqlite3_reset (stmt);
        int code = rc == SQLITE_DONE? s_delete (self, task, step->tasks [index].events):
            stele_ledger_fail (self, stele_sql_code (rc));
        int64_t noted = code? code: s_run_with (self, self->sql.archive_moved, step->year, position);
        return noted < 0? (int) noted: 1;
    }
    sqlite3_reset (stmt);
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int64_t
stele_ledger_archive (stele_ledger_t *self, const stele_archive_step_t *step)
{
    int64_t moved = 0;
    int code = STELE_FAULT_CODE (archive_move);
    //  The rows that are compared and deleted have to be written
    if (code == 0)
        code = stele_task_cache_flush (self->tasks);
    if (code)
        return stele_ledger_fail (self, code);
    self->archives = true;
    code = s_note_archive (self, step);
    for (int i = 0; i < step->count && code >= 0; i++) {
        code = s_move (self, step, i);
        moved += code > 0;
    }
    if (code < 0)
        return code;
    STELE_FAULT (archive_moved);
    //  One of the others may have been erased after it was copied
    if (moved < step->count && (code = stele_ledger_scrub_needed (self)))
        return stele_ledger_fail (self, code);
    return moved;
}

//  -- back --------------------------------------------------------------------------------

void
stele_ledger_recall_close (stele_ledger_t *self)
{
    if (!self->recall)
        return;
    stele_task_copy_destroy (&self->recall->copy);
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
s_open (stele_ledger_t *self, int64_t year, const char *path, stele_refusal_t *refusal)
{
    char id [40];
    if (self->recall && self->recall->year == year)
        return 0;
    stele_ledger_recall_close (self);
    int code = s_known_id (self, year, id, sizeof id);
    if (code)
        return code;
    self->recall = calloc (1, sizeof *self->recall);
    if (!self->recall)
        return stele_ledger_fail (self, STELE_ENO_MEMORY);
    self->recall->year = year;
    int rc = sqlite3_open_v2 (path, &self->recall->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
        | SQLITE_OPEN_EXRESCODE, NULL);
    sqlite3 *db = self->recall->db;
    if (rc == SQLITE_OK)
        sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        sqlite3_busy_timeout (db, BUSY_MS);
    if (rc != SQLITE_OK)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "task_id", "%s", db? sqlite3_errmsg (db): "out of memory");
    if (stele_archive_check (db, "main", path, id, refusal))
        return refusal->code = STELE_EUNAVAILABLE;
    self->recall->copy = stele_task_copy_new (db, self->db, false);
    return self->recall->copy? 0: stele_ledger_fail (self, STELE_ENO_MEMORY);
}

//  Read all of it before the first row is written: what cannot be read is then refused, not half there
static int
s_read (stele_ledger_t *self, int64_t task, int64_t events, stele_refusal_t *refusal)
{
    int64_t rows = stele_task_copy_read (self->recall->copy, task);
    if (rows == events)
        return 0;
    return stele_refuse (refusal, STELE_EUNAVAILABLE, "task_id", "%s", rows < 0 && rows != STELE_ELEDGER?
        sqlite3_errmsg (self->recall->db): "the archive does not have all of the task");
}

static int
s_recall (stele_ledger_t *self, int64_t task, int64_t year, int64_t events, stele_refusal_t *refusal)
{
    char reason [sizeof refusal->message];
    char *path = stele_archive_path (stele_place_path (self->place), year);
    if (!path)
        return stele_ledger_fail (self, STELE_ENO_MEMORY);
    refusal->code = 0;
    int code = s_open (self, year, path, refusal);
    if (code == 0)
        code = s_read (self, task, events, refusal);
    if (code && refusal->code == code) {
        snprintf (reason, sizeof reason, "%s", refusal->message);
        stele_refuse (refusal, STELE_EUNAVAILABLE, "task_id", "the task is in the archive %s, which cannot be read (%.200s): put "
            "it back, then use 'stele rejected retry'", path, reason);
    }
    if (code)
        stele_ledger_recall_close (self);
    sqlite3_free (path);
    if (code)
        return code;
    int64_t rows = stele_task_copy_run (self->recall->copy, task);
    if (rows < 0)
        return stele_ledger_fail (self, (int) rows);
    rows = s_run_with (self, self->sql.recall_stub, task, 0);
    if (rows >= 0)
        rows = s_run_with (self, self->sql.recalled, year, 0);
    STELE_FAULT (recall_after);
    return rows < 0? (int) rows: 1;
}

int
stele_ledger_recall (stele_ledger_t *self, const stele_value_t *id, stele_refusal_t *refusal)
{
    sqlite3_stmt *stmt = self->sql.recall_find;
    stele_ledger_bind_id (stmt, 1, id);
    int rc = stele_sql_step (stmt);
    int64_t task = sqlite3_column_int64 (stmt, 0), year = sqlite3_column_int64 (stmt, 1);
    int64_t events = sqlite3_column_int64 (stmt, 2);
    sqlite3_reset (stmt);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
    int code = STELE_FAULT_CODE (recall_before);
    return code? stele_ledger_fail (self, code): s_recall (self, task, year, events, refusal);
}
