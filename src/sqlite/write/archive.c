/*  archive - replace tasks and sessions that were copied to an archive by stubs (recall.c brings them back)

    A stub is a row of archived_tasks, or archived_sessions. With it in the transaction, the triggers let the rows of its task,
    or session, go.

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
#include "sqlite/sql/event_tables.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/wal/shm_vfs.h"
#include "sqlite/write/ledger_internal.h"

#define BUSY_MS   200               // A program that opens or closes an archive may hold its lock for a moment
#define FILES_MAX 100

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

#define LAST_EVENT(name, table, subject) " UNION ALL SELECT max (position) FROM " table

//  An archive that has positions after the end of the ledger is from a history whose end is lost (a restored ledger): they
//  will be given again, so nothing may be added to it. It gets the note of another ledger (archiver.c compares it). A file
//  that is not an archive, or that cannot be opened, gets nothing added to it anyway.
static int
s_end_one (stele_ledger_t *self, const char *path, stele_refusal_t *refusal)
{
    sqlite3 *db = NULL;
    int64_t application = 0, last = 0;
    int code = 0, rc = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ());
    if (rc == SQLITE_OK)
        sqlite3_busy_timeout (db, BUSY_MS);
    if (rc == SQLITE_OK && stele_sql_integer_into (db, "PRAGMA application_id", 0, &application) == 0
    &&  application == STELE_ARCHIVE_APPLICATION_ID) {
        code = stele_sql_integer_into (db, "SELECT max (p) FROM (SELECT 0 AS p" STELE_EVENT_TABLES (LAST_EVENT) ")", 0, &last);
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

//  So many events of it were deleted: as many as were copied?
static int
s_compare (stele_ledger_t *self, const char *what, int64_t key, int64_t deleted, int64_t events)
{
    if (deleted == events)
        return 0;
    snprintf (self->error, sizeof self->error, "%s %lld has %lld events, of which %lld were copied to its archive", what,
        (long long) key, (long long) deleted, (long long) events);
    return STELE_EINTERNAL;
}

//  Delete the rows of a task that has a stub
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
    return s_compare (self, "task", task, rows [3] == 1 && rows [4] == 1? rows [0] + rows [1] + rows [2]: -1, events);
}

//  Returns 1, 0 if the task has changed since it was copied, or a storage error.
static int
s_move (stele_ledger_t *self, const stele_archive_step_t *step, int index)
{
    char room [STELE_ID_TEXT];
    size_t size;
    int64_t task = step->items [index].key, position = step->items [index].position;
    sqlite3_stmt *stmt = self->sql.archive_stub;
    sqlite3_bind_int64 (stmt, 1, task);
    sqlite3_bind_int64 (stmt, 2, position);
    sqlite3_bind_int64 (stmt, 3, step->year);
    sqlite3_bind_int64 (stmt, 4, step->items [index].events);
    int rc = stele_sql_step (stmt);
    if (rc == SQLITE_ROW) {
        const char *id = stele_id_column (stmt, 0, room, &size);
        if (id)
            stele_task_cache_drop (self->tasks, id, size);
        rc = stele_sql_step (stmt);
        sqlite3_reset (stmt);
        int code = rc == SQLITE_DONE? s_delete (self, task, step->items [index].events):
            stele_ledger_fail (self, stele_sql_code (rc));
        int64_t noted = code? code: s_run_with (self, self->sql.archive_moved, step->year, position);
        return noted < 0? (int) noted: 1;
    }
    sqlite3_reset (stmt);
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

//  The same of a session. 0 also if its task is no longer archived: it may have been erased.
static int
s_move_session (stele_ledger_t *self, const stele_archive_step_t *step, int index)
{
    int64_t session = step->items [index].key, position = step->items [index].position;
    sqlite3_stmt *stmt = self->sql.archive_session_stub;
    sqlite3_bind_int64 (stmt, 3, step->year);
    sqlite3_bind_int64 (stmt, 4, step->items [index].events);
    int64_t moved = s_run_with (self, stmt, session, position);
    if (moved <= 0)
        return (int) moved;
    int64_t rows [] = {
        s_run_with (self, self->sql.archive_session_history, session, 0),
        s_run_with (self, self->sql.archive_session_commands, session, 0), s_run_with (self, self->sql.archive_session, session, 0)
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++)
        if (rows [i] < 0)
            return (int) rows [i];
    int code = s_compare (self, "session", session, rows [2] == 1? rows [0] + rows [1]: -1, step->items [index].events);
    int64_t noted = code? code: s_run_with (self, self->sql.archive_session_moved, step->year, position);
    return noted < 0? (int) noted: 1;
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
        code = step->sessions? s_move_session (self, step, i): s_move (self, step, i);
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
