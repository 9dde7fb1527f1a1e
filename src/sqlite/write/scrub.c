/*  scrub - after an erasure, remove what archives and the write-ahead log still have of it

    Copies of a task, or of a session, stay in an archive after it came back to the ledger. They do not count, but can be read from
    the file. An erased task is never archived again, so whatever an archive has of it is such a copy. A session may be, with another
    task: then the copy counts that its stub names.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "fault/fault.h"
#include "ledger/erase.h"
#include "sqlite/write/ledger_internal.h"

#define RETRY_MS 1000               // Between two tries; after each one that failed twice as long,
#define RETRY_MAX_MS (5 * 60 * 1000)    // at most this
#define REPORTED_MS 3000            // Followers of the broker read the log for a moment, too
#define READERS_MS 50               // They are waited for so long: under many requests, some reader is always there

#define DELETE_FROM(table) "DELETE FROM " table " WHERE position IN (SELECT p FROM c)",
#define DELETE_TASK(table, last) STELE_TASK_CHAIN (table, last) DELETE_FROM (table)
#define DELETE_SESSION(table, last) STELE_SESSION_CHAIN (table, last) DELETE_FROM (table)

//  Run in an archive, ?1 is the key of the task, or session. Its triggers let rows go that have a stub. Ended by NULL.
static const char *const s_delete_task [] = {
    "INSERT INTO archived_tasks (id, task_id, archive, events) SELECT id, task_id, 0, 0 FROM tasks WHERE id = ?1",
    STELE_TASK_CHAINS (DELETE_TASK)
    "DELETE FROM task_states WHERE task = ?1", "DELETE FROM tasks WHERE id = ?1", "DELETE FROM archived_tasks WHERE id = ?1", NULL
};
static const char *const s_delete_session [] = {
    "INSERT INTO archived_sessions (id, session_id, archive, events, task) SELECT id, session_id, 0, 0, 0 FROM cli_sessions"
        " WHERE id = ?1",
    STELE_SESSION_CHAINS (DELETE_SESSION)
    "DELETE FROM cli_sessions WHERE id = ?1", "DELETE FROM archived_sessions WHERE id = ?1", NULL
};

static int
s_delete (sqlite3 *db, const char *const *deletes, int64_t key)
{
    int code = 0;
    for (size_t i = 0; deletes [i] && code == 0; i++) {
        sqlite3_stmt *stmt = stele_sql_prepare (db, deletes [i]);
        if (!stmt)
            return stele_sql_code (sqlite3_errcode (db));
        sqlite3_bind_int64 (stmt, 1, key);
        code = stele_sql_run (stmt);
        sqlite3_finalize (stmt);
        //  It has no such task, or session
        if (i == 0 && code == 0 && sqlite3_changes (db) == 0)
            break;
    }
    return code;
}

//  What is asked for each erased task
typedef struct {
    sqlite3 *db;                    // The archive
    sqlite3_stmt *tasks;            // Those of them that the ledger has
    sqlite3_stmt *here, *there;     // The sessions of ?1, of the ledger and of the archive
    sqlite3_stmt *counts;           // Is the copy of the session ?1 in the archive ?2 the one that counts?
} s_scrubbed_t;

static int
s_delete_sessions (s_scrubbed_t *self, sqlite3_stmt *sessions, const sqlite3_value *task_id)
{
    int rc = SQLITE_DONE, code = 0;
    sqlite3_bind_value (sessions, 1, task_id);
    while (code == 0 && (rc = sqlite3_step (sessions)) == SQLITE_ROW) {
        int64_t key = sqlite3_column_int64 (sessions, 0);
        sqlite3_bind_int64 (self->counts, 1, key);
        int found = sqlite3_step (self->counts);
        sqlite3_reset (self->counts);
        code = found == SQLITE_DONE? s_delete (self->db, s_delete_session, key): stele_sql_code (found);
    }
    sqlite3_reset (sessions);
    return code? code: stele_sql_code (rc);
}

//  Of all erased tasks, and of their sessions. A session that has another task since then may still be the task's in the archive.
static int
s_delete_copies (s_scrubbed_t *self)
{
    int rc = SQLITE_DONE, code = 0;
    while (code == 0 && (rc = sqlite3_step (self->tasks)) == SQLITE_ROW) {
        const sqlite3_value *task_id = sqlite3_column_value (self->tasks, 1);
        code = s_delete (self->db, s_delete_task, sqlite3_column_int64 (self->tasks, 0));
        if (code == 0)
            code = s_delete_sessions (self, self->here, task_id);
        if (code == 0)
            code = s_delete_sessions (self, self->there, task_id);
    }
    return code? code: stele_sql_code (rc);
}

static int
s_delete_erased (stele_ledger_t *self, sqlite3 *db, int64_t year)
{
    static const char sessions [] = "SELECT id FROM main.cli_sessions WHERE task_id = ?1";
    s_scrubbed_t scrubbed = { .db = db };
    int code = stele_sql_exec (db, "PRAGMA secure_delete = ON; BEGIN IMMEDIATE");
    if (code == 0 && (!(scrubbed.tasks = stele_sql_prepare (self->db,
        "SELECT t.id, t.task_id FROM main.erased_tasks e JOIN main.tasks t ON t.id = e.id"))
    ||  !(scrubbed.here = stele_sql_prepare (self->db, sessions))
    ||  !(scrubbed.counts = stele_sql_prepare (self->db, "SELECT 1 FROM main.archived_sessions WHERE id = ?1 AND archive = ?2"))))
        code = stele_sql_code (sqlite3_errcode (self->db));
    if (code == 0 && !(scrubbed.there = stele_sql_prepare (db, sessions)))
        code = stele_sql_code (sqlite3_errcode (db));
    if (code == 0) {
        sqlite3_bind_int64 (scrubbed.counts, 2, year);
        code = s_delete_copies (&scrubbed);
    }
    sqlite3_finalize (scrubbed.tasks);
    sqlite3_finalize (scrubbed.here);
    sqlite3_finalize (scrubbed.there);
    sqlite3_finalize (scrubbed.counts);
    if (code == 0)
        code = stele_sql_exec (db, "COMMIT");
    if (code == 0)
        code = stele_sql_code (sqlite3_wal_checkpoint_v2 (db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
    return code;
}

static void
s_note (stele_ledger_t *self, const char *text)
{
    if (!*self->scrub_error)
        snprintf (self->scrub_error, sizeof self->scrub_error, "%.490s", text);
}

static int
s_scrub_archive (stele_ledger_t *self, int64_t year, bool wait)
{
    stele_refusal_t refusal = { 0 };
    char *path = stele_archive_path (stele_place_path (self->place), year);
    int code = path? 0: STELE_ENO_MEMORY;
    //  A missing one is reported by whatever needs it, but is not clean when it is put back
    if (path && access (path, F_OK) != 0)
        code = wait? 0: stele_refuse (&refusal, STELE_EUNAVAILABLE, "archive", "%s: it is missing", path);
    else
    if (path && !stele_archive_begin (wait))
        code = stele_refuse (&refusal, STELE_EBUSY, "archive", "%s: tasks or sessions are being copied to archives", path);
    else
    if (path) {
        sqlite3 *db = stele_archive_open (path, self->file_mode, NULL, &refusal);
        if (db && !wait)
            sqlite3_busy_timeout (db, 0);
        code = db? s_delete_erased (self, db, year): refusal.code;
        if (db && code)
            stele_refuse (&refusal, code, "archive", "%s: %s", path, code == STELE_EBUSY? "another program reads it": sqlite3_errmsg (db));
        sqlite3_close (db);
        stele_archive_end ();
    }
    if (code)
        s_note (self, refusal.message);
    sqlite3_free (path);
    return code;
}

int
stele_ledger_scrub_needed (stele_ledger_t *self)
{
    int64_t erased = 0;
    int code = stele_sql_integer_into (self->db, "SELECT count (*) FROM (SELECT 1 FROM main.erased_tasks LIMIT 1)", 0, &erased);
    self->scrub = erased > 0;
    return code;
}

//  One that cannot be opened or written now is tried again, and keeps nothing else from being scrubbed
static int
s_scrub_archives (stele_ledger_t *self, bool wait)
{
    int rc = SQLITE_DONE, failed = 0;
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT id FROM main.archives");
    if (!stmt)
        return stele_sql_code (sqlite3_errcode (self->db));
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        int code = s_scrub_archive (self, sqlite3_column_int64 (stmt, 0), wait);
        failed = failed? failed: code;
    }
    sqlite3_finalize (stmt);
    return stele_sql_code (rc)? stele_sql_code (rc): failed == STELE_EIO? STELE_EUNAVAILABLE: failed;
}

//  The log of the ledger
static int
s_scrub_log (stele_ledger_t *self, bool wait)
{
    int busy_ms = (int) stele_sql_integer (self->db, "PRAGMA busy_timeout", 0);
    if (!wait)
        sqlite3_busy_timeout (self->db, READERS_MS);
    int code = stele_ledger_make_room (self);
    sqlite3_busy_timeout (self->db, busy_ms);
    if (code)
        s_note (self, code == STELE_EFULL? "the write-ahead log of the ledger is being read": self->error);
    return code;
}

int
stele_ledger_scrub (stele_ledger_t *self, bool wait)
{
    int code = STELE_FAULT_CODE (scrub_before);
    *self->scrub_error = '\0';
    if (code)
        return code;
    int archives = s_scrub_archives (self, wait);
    code = s_scrub_log (self, wait);
    STELE_FAULT (scrub_after);
    return code? code: archives;
}

void
stele_ledger_scrub_soon (stele_ledger_t *self)
{
    int64_t soon_ms = stele_clock_steady_ms () + RETRY_MS;
    self->scrub = true;
    if (self->scrub_ms > soon_ms)
        self->scrub_ms = soon_ms;
    if (self->scrub_delay_ms)
        self->scrub_delay_ms = RETRY_MS;
}

//  What was erased may be read from the files until this has succeeded
int
stele_ledger_scrub_step (stele_ledger_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    //  What is still to be erased would be in the log again
    bool erasing = self->erasing && self->erasing_since_ms == 0;
    if (!self->scrub || erasing || now_ms < self->scrub_ms)
        return 0;
    int code = stele_ledger_scrub (self, false);
    self->scrub = code != 0;
    if (code && self->scrub_delay_ms == 0)
        self->scrub_since_ms = now_ms;
    int64_t delay_ms = self->scrub_delay_ms? 2 * self->scrub_delay_ms: RETRY_MS;
    self->scrub_delay_ms = code == 0? 0: delay_ms < RETRY_MAX_MS? delay_ms: RETRY_MAX_MS;
    self->scrub_ms = now_ms + (code? self->scrub_delay_ms: RETRY_MS);
    return code == STELE_EIO? code: 0;
}

const char *
stele_ledger_scrub_error (const stele_ledger_t *self, int64_t *since_ms)
{
    int64_t before_ms = stele_clock_steady_ms () - REPORTED_MS;
    *since_ms = self->erasing_since_ms;
    if (self->erasing_since_ms && self->erasing_since_ms <= before_ms)
        return self->erasing_error;
    *since_ms = self->scrub_since_ms;
    return self->scrub_delay_ms && *since_ms <= before_ms? self->scrub_error: NULL;
}
