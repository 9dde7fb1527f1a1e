/*  snapshot - copy a ledger that is in use, and verify a copy

    The copy is made with the backup API under one held read transaction: without it, SQLite begins the copy again
    after each commit, and never ends. The target has no journal and is not synced by SQLite: an incomplete copy is
    thrown away. This code syncs it itself, a little at a time: many dirty pages would delay the writer's syncs.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "fault/fault.h"
#include "ledger/snapshot.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/event_tables.h"
#include "sqlite/sql/schema.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/log_length.h"
#include "sqlite/wal/shm_vfs.h"

#define SYNC_BYTES     (2 * 1024 * 1024)
#define OPS_PER_STOP   100000       // Operations of SQLite between two calls of 'stop': some milliseconds

struct stele_snapshot {
    stele_reader_t *reader;         // Of a ledger: holds the state that is copied
    sqlite3 *archive;               // Or this
    sqlite3 *target;
    sqlite3_backup *backup;
    int handle;                     // Of the target, for its syncs
    char *path;                     // Of the target
    bool created, complete;
    int64_t page_bytes, copied, synced;
    stele_snapshot_facts_t facts;
};

//  -- facts -------------------------------------------------------------------------------

static int
s_ledger_id (sqlite3 *db, char *id, size_t size)
{
    sqlite3_stmt *stmt = stele_sql_prepare (db, "SELECT value FROM meta WHERE key = 'ledger_id'");
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (db);
    const char *text = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (id, size, "%s", text? text: "");
    sqlite3_finalize (stmt);
    return text? 0: rc == SQLITE_DONE || rc == SQLITE_ROW? STELE_ELEDGER: stele_sql_code (rc);
}

static int
s_read_facts (sqlite3 *db, stele_snapshot_facts_t *facts)
{
    int64_t pages = 0, page_bytes = 0;
    const struct { const char *sql; int64_t *value; } queries [] = {
        { "PRAGMA user_version", &facts->schema },
        { "SELECT last FROM commits ORDER BY first DESC LIMIT 1", &facts->position },
        { "SELECT time FROM commits ORDER BY first DESC LIMIT 1", &facts->committed_us },
        { "SELECT max (id) FROM rejected_events", &facts->rejected },
        { "SELECT max (id) FROM producers", &facts->producers },
        { "PRAGMA page_count", &pages },
        { "PRAGMA page_size", &page_bytes }
    };
    int code = s_ledger_id (db, facts->ledger_id, sizeof facts->ledger_id);
    for (size_t i = 0; i < sizeof queries / sizeof queries [0] && code == 0; i++)
        code = stele_sql_integer_into (db, queries [i].sql, 0, queries [i].value);
    facts->bytes = pages * page_bytes;
    return code;
}

//  -- copy --------------------------------------------------------------------------------

static int
s_refuse_file (const char *path, int error, stele_refusal_t *refusal)
{
    char reason [400];
    stele_file_reason (path, error, reason, sizeof reason);
    return stele_refuse (refusal, error == ENOSPC || error == EDQUOT? STELE_EFULL:
        error == EEXIST? STELE_EEXISTS: STELE_EIO, "backup", "%s", reason);
}

static int
s_refuse_target (stele_snapshot_t *self, int rc, stele_refusal_t *refusal)
{
    char text [300];
    int code = stele_sql_code (rc);
    code = stele_sql_error_text (self->target, code? code: STELE_EINTERNAL, text, sizeof text);
    return stele_refuse (refusal, code, "backup", "cannot copy the ledger to %s: %s", self->path, text);
}

static int
s_open_target (stele_snapshot_t *self, stele_refusal_t *refusal)
{
    self->handle = stele_file_open (self->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (self->handle < 0)
        return s_refuse_file (self->path, errno, refusal);
    self->created = true;
    int rc = sqlite3_open_v2 (self->path, &self->target,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    //  A small cache: pages go to the file at once, to be synced there
    if (rc == SQLITE_OK)
        rc = sqlite3_exec (self->target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = 16",
            NULL, NULL, NULL);
    sqlite3 *source = self->archive? self->archive: self->reader->db;
    if (rc == SQLITE_OK && !(self->backup = sqlite3_backup_init (self->target, "main", source, "main")))
        rc = sqlite3_errcode (self->target);
    return rc == SQLITE_OK? 0: s_refuse_target (self, rc, refusal);
}

static int
s_open_source (stele_snapshot_t *self, const char *path, stele_refusal_t *refusal)
{
    self->reader = stele_reader_open (path, refusal);
    if (!self->reader)
        return refusal->code;
    int code = stele_reader_begin (self->reader);
    if (code == 0)
        code = s_read_facts (self->reader->db, &self->facts);
    if (code == 0)
        code = stele_sql_integer_into (self->reader->db, "PRAGMA page_size", 0, &self->page_bytes);
    return code == 0? 0: stele_refuse (refusal, code, "ledger", "cannot read %s: %s", path,
        sqlite3_errmsg (self->reader->db));
}

//  NULL: out of memory
static stele_snapshot_t *
s_new (const char *target)
{
    stele_snapshot_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->handle = -1;
    self->path = strdup (target);
    if (!self->path)
        stele_snapshot_destroy (&self);
    return self;
}

stele_snapshot_t *
stele_snapshot_new (const char *path, const char *target, stele_refusal_t *refusal)
{
    assert (path && target && refusal);
    stele_snapshot_t *self = s_new (target);
    int code = self? s_open_source (self, path, refusal): stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
    if (code == 0)
        code = s_open_target (self, refusal);
    if (code)
        stele_snapshot_destroy (&self);
    return self;
}

static int
s_open_archive (stele_snapshot_t *self, const char *path, const char *archive_id, stele_refusal_t *refusal)
{
    int64_t pages = 0;
    int code = stele_sql_code (sqlite3_open_v2 (path, &self->archive, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
        | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ()));
    if (code == 0)
        sqlite3_db_config (self->archive, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code == 0)
        code = stele_sql_exec (self->archive, "BEGIN");
    if (code == 0)
        code = stele_sql_integer_into (self->archive, "PRAGMA page_size", 0, &self->page_bytes);
    if (code == 0)
        code = stele_sql_integer_into (self->archive, "PRAGMA page_count", 0, &pages);
    self->facts.bytes = pages * self->page_bytes;
    if (code)
        return stele_refuse (refusal, code, "archive", "cannot read the archive %s: %s", path,
            self->archive? sqlite3_errmsg (self->archive): "out of memory");
    //  Reads, and so holds the state
    return stele_archive_check (self->archive, "main", path, archive_id, refusal);
}

stele_snapshot_t *
stele_snapshot_new_archive (const char *ledger, int64_t year, const char *archive_id, const char *target,
    stele_refusal_t *refusal)
{
    char *path = stele_archive_path (ledger, year);
    stele_snapshot_t *self = path? s_new (target): NULL;
    int code = self? s_open_archive (self, path, archive_id, refusal):
        stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
    if (code == 0)
        code = s_open_target (self, refusal);
    if (code)
        stele_snapshot_destroy (&self);
    sqlite3_free (path);
    return self;
}

void
stele_snapshot_destroy (stele_snapshot_t **self_p)
{
    assert (self_p);
    stele_snapshot_t *self = *self_p;
    if (!self)
        return;
    sqlite3_backup_finish (self->backup);
    sqlite3_close (self->target);
    stele_reader_close (&self->reader);
    sqlite3_close (self->archive);
    //  After SQLite has closed it: any close of a file drops the locks of this process on it
    if (self->handle >= 0)
        close (self->handle);
    if (self->created && !self->complete)
        unlink (self->path);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const stele_snapshot_facts_t *
stele_snapshot_facts (const stele_snapshot_t *self)
{
    return &self->facts;
}

int64_t
stele_snapshot_copied (const stele_snapshot_t *self)
{
    return self->copied;
}

int64_t
stele_snapshot_log_bytes (const char *ledger)
{
    return stele_log_length (ledger);
}

static int
s_sync (stele_snapshot_t *self, stele_refusal_t *refusal)
{
    if (fdatasync (self->handle) != 0)
        return s_refuse_file (self->path, errno, refusal);
    self->synced = self->copied;
    return 0;
}

//  All pages are copied
static int
s_finish (stele_snapshot_t *self, stele_refusal_t *refusal)
{
    int rc = sqlite3_backup_finish (self->backup);
    self->backup = NULL;
    if (rc != SQLITE_OK)
        return s_refuse_target (self, rc, refusal);
    //  Release the state at once: the log of the ledger may be shortened
    stele_reader_close (&self->reader);
    sqlite3_close (self->archive);
    self->archive = NULL;
    rc = sqlite3_close (self->target);
    self->target = NULL;
    if (rc != SQLITE_OK)
        return stele_refuse (refusal, STELE_EINTERNAL, "backup", "cannot close %s", self->path);
    int code = s_sync (self, refusal);
    self->complete = code == 0;
    return code;
}

int
stele_snapshot_step (stele_snapshot_t *self, int pages, stele_refusal_t *refusal)
{
    assert (!self->complete);
    int code = STELE_FAULT_CODE (snapshot_copy);
    if (code)
        return stele_refuse (refusal, code, "backup", "cannot write %s", self->path);
    int rc = sqlite3_backup_step (self->backup, pages);
    self->copied = (int64_t) (sqlite3_backup_pagecount (self->backup) - sqlite3_backup_remaining (self->backup))
        * self->page_bytes;
    if (rc == SQLITE_DONE)
        return s_finish (self, refusal);
    if (rc != SQLITE_OK)
        return s_refuse_target (self, rc, refusal);
    if (self->copied - self->synced >= SYNC_BYTES && (code = s_sync (self, refusal)))
        return code;
    return 1;
}

//  -- verification ------------------------------------------------------------------------

typedef struct {
    const char *path;
    sqlite3 *db;
    stele_snapshot_stop_fn *stop;
    void *arg;
} s_verify_t;

static int
s_on_progress (void *arg)
{
    s_verify_t *self = arg;
    return self->stop && self->stop (self->arg);
}

static int
s_refuse_copy (s_verify_t *self, int code, stele_refusal_t *refusal)
{
    if (code == STELE_ETIMEOUT)
        return stele_refuse (refusal, code, "backup", "the verification of %s was stopped", self->path);
    return stele_refuse (refusal, code, "backup", "cannot verify %s: %s", self->path, sqlite3_errmsg (self->db));
}

//  The first row of the statement is 'ok', or a description of the damage
static int
s_verify_by (s_verify_t *self, const char *sql, stele_refusal_t *refusal)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    const char *verdict = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    int code = 0;
    if (!verdict)
        code = s_refuse_copy (self, stele_sql_code (rc)? stele_sql_code (rc): STELE_ELEDGER, refusal);
    else
    if (strcmp (verdict, "ok") != 0)
        code = stele_refuse (refusal, STELE_ELEDGER, "backup", "%s is damaged: %s", self->path, verdict);
    sqlite3_finalize (stmt);
    return code;
}

#define COUNT_EVENTS(name, table, subject) " + (SELECT count (*) FROM " table ")"
#define EVENTS_OF(archived) "SELECT iif ((SELECT ifnull (sum (events), 0) FROM archived_tasks)" archived STELE_EVENT_TABLES (COUNT_EVENTS) \
    " = ifnull ((SELECT max (last) FROM commits), 0), 'ok', 'its event tables do not have as many rows as its last position says')"
//  Sessions are archived since this schema; copies of earlier ones are verified, too
#define WITH_SESSIONS 11
static const char s_events [] = EVENTS_OF (" + (SELECT ifnull (sum (events), 0) FROM archived_sessions)");
static const char s_earlier_events [] = EVENTS_OF ("");
static const char *const s_checks [] = {
    "PRAGMA quick_check (1)",
    "SELECT iif (ifnull (sum (last - first + 1), 0) = ifnull (max (last), 0), 'ok',"
        " 'its commits do not cover all positions') FROM commits",
    "SELECT iif ((SELECT count (*) FROM tasks) + (SELECT count (*) FROM archived_tasks) = ifnull ((SELECT sum (count) FROM task_counts), 0), 'ok',"
        " 'the number of its tasks is not the one that it has counted')"
};

static int
s_verify (s_verify_t *self, stele_snapshot_facts_t *facts, stele_refusal_t *refusal)
{
    int newest = 0;
    for (const stele_migration_t *m = stele_schema; m->version; m++)
        newest = m->version;
    int64_t application = 0, version = 0;
    int code = stele_sql_integer_into (self->db, "PRAGMA application_id", 0, &application);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "PRAGMA user_version", 0, &version);
    if (code)
        return s_refuse_copy (self, code, refusal);
    if (application != STELE_APPLICATION_ID)
        return stele_refuse (refusal, STELE_ELEDGER, "backup", "%s is not a ledger", self->path);
    if (version > newest)
        return stele_refuse (refusal, STELE_ELEDGER, "backup",
            "%s has schema %d, this version supports schemas up to %d: use the newer version that wrote it",
            self->path, (int) version, newest);
    for (size_t i = 0; i < sizeof s_checks / sizeof s_checks [0] && code == 0; i++)
        code = s_verify_by (self, s_checks [i], refusal);
    if (code == 0)
        code = s_verify_by (self, version < WITH_SESSIONS? s_earlier_events: s_events, refusal);
    if (code == 0 && (code = s_read_facts (self->db, facts)))
        s_refuse_copy (self, code, refusal);
    return code;
}

int
stele_snapshot_verify (const char *path, stele_snapshot_stop_fn *stop, void *arg,
    stele_snapshot_facts_t *facts, stele_refusal_t *refusal)
{
    assert (path && facts && refusal);
    s_verify_t self = { .path = path, .stop = stop, .arg = arg };
    memset (facts, 0, sizeof *facts);
    int rc = sqlite3_open_v2 (path, &self.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ());
    int code = stele_sql_code (rc);
    if (code == 0) {
        sqlite3_progress_handler (self.db, OPS_PER_STOP, s_on_progress, &self);
        code = stele_sql_exec (self.db, "PRAGMA query_only = 1; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8192");
    }
    code = code? s_refuse_copy (&self, code, refusal): s_verify (&self, facts, refusal);
    sqlite3_close (self.db);
    return code;
}
