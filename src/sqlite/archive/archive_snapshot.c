/*  archive_snapshot - the archives that a copy of a ledger names: list them, note their state, verify copies of them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "ledger/snapshot.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/shm_vfs.h"

#define OPS_PER_STOP 100000         // Operations of SQLite between two calls of 'stop': some milliseconds
#define RECENT_US    1000000        // Two writes within this time may leave the same time of the file

_Static_assert (STELE_SNAPSHOT_ARCHIVES == STELE_ARCHIVES_MAX, "as many as a ledger has");

//  -- list ------------------------------------------------------------------------------

static int
s_open_copy (const char *path, sqlite3 **db, stele_refusal_t *refusal)
{
    int code = stele_sql_code (sqlite3_open_v2 (path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        stele_shm_vfs ()));
    if (code == 0)
        code = stele_sql_exec (*db, "PRAGMA query_only = 1; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8192");
    return code == 0? 0: stele_refuse (refusal, code, "backup", "cannot read %s: %s", path,
        *db? sqlite3_errmsg (*db): "out of memory");
}

int
stele_snapshot_archives (const char *copy, stele_snapshot_archive_t archives [STELE_SNAPSHOT_ARCHIVES],
    stele_refusal_t *refusal)
{
    sqlite3 *db = NULL;
    int64_t tables = 0;
    int count = 0, rc = SQLITE_DONE, code = s_open_copy (copy, &db, refusal);
    //  A ledger of an earlier schema cannot have archives
    if (code == 0 && stele_sql_integer_into (db, "SELECT count (*) FROM sqlite_schema WHERE name = 'archives'", 0, &tables))
        code = stele_refuse (refusal, STELE_ELEDGER, "backup", "cannot read %s: %s", copy, sqlite3_errmsg (db));
    sqlite3_stmt *stmt = code == 0 && tables? stele_sql_prepare (db,
        "SELECT id, archive_id, tasks, position FROM archives ORDER BY id"): NULL;
    while (stmt && count < STELE_SNAPSHOT_ARCHIVES && (rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        stele_snapshot_archive_t *archive = &archives [count++];
        archive->year = sqlite3_column_int64 (stmt, 0);
        snprintf (archive->archive_id, sizeof archive->archive_id, "%s", (const char *) sqlite3_column_text (stmt, 1));
        archive->tasks = sqlite3_column_int64 (stmt, 2);
        archive->position = sqlite3_column_int64 (stmt, 3);
    }
    if (code == 0 && tables && (!stmt || stele_sql_code (rc)))
        code = stele_refuse (refusal, STELE_ELEDGER, "backup", "cannot read %s: %s", copy, sqlite3_errmsg (db));
    sqlite3_finalize (stmt);
    sqlite3_close (db);
    return code? code: count;
}

//  -- state -----------------------------------------------------------------------------

static int64_t
s_time_ns (const struct stat *status)
{
    return (int64_t) status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

void
stele_snapshot_archive_state (const char *ledger, int64_t year, char state [STELE_ARCHIVE_STATE])
{
    struct stat file, log = { 0 };
    char *path = stele_archive_path (ledger, year), *log_path = path? sqlite3_mprintf ("%s" STELE_WAL_SUFFIX, path): NULL;
    *state = 0;
    if (log_path && stat (path, &file) == 0) {
        //  An empty log is as good as none: it comes and goes with the programs that read the archive
        if (stat (log_path, &log) != 0 || log.st_size == 0)
            memset (&log, 0, sizeof log);
        int64_t last_ns = s_time_ns (&log) > s_time_ns (&file)? s_time_ns (&log): s_time_ns (&file);
        if (last_ns / 1000 + RECENT_US < stele_clock_us ())
            snprintf (state, STELE_ARCHIVE_STATE, "%lld@%lld+%lld@%lld", (long long) file.st_size, (long long) s_time_ns (&file),
                (long long) log.st_size, (long long) s_time_ns (&log));
    }
    sqlite3_free (path);
    sqlite3_free (log_path);
}

//  -- verification ------------------------------------------------------------------------

typedef struct {
    const char *copy;
    const stele_snapshot_archive_t *archive;
    sqlite3 *db;                    // The copy of the ledger, with that of the archive attached as 'a'
    stele_snapshot_stop_fn *stop;
    void *arg;
    stele_refusal_t *refusal;
} s_verify_t;

static int
s_on_progress (void *arg)
{
    s_verify_t *self = arg;
    return self->stop && self->stop (self->arg);
}

static int
s_refuse_copy (s_verify_t *self, int code)
{
    if (code == STELE_ETIMEOUT)
        return stele_refuse (self->refusal, code, "backup", "the verification of %s was stopped", self->copy);
    return stele_refuse (self->refusal, code, "backup", "cannot verify %s: %s", self->copy, sqlite3_errmsg (self->db));
}

//  A copy may have an older schema, as that of its ledger: the restored ones are migrated
static int
s_verify_identity (s_verify_t *self)
{
    char id [64] = "";
    int64_t application = 0;
    int code = stele_sql_integer_into (self->db, "PRAGMA a.application_id", 0, &application);
    if (code == 0 && application == STELE_ARCHIVE_APPLICATION_ID)
        code = stele_archive_note (self->db, "a", "archive_id", id, sizeof id);
    if (code)
        return s_refuse_copy (self, code);
    return strcmp (id, self->archive->archive_id) == 0? 0: stele_refuse (self->refusal, STELE_ELEDGER, "backup",
        "%s is not the archive of %lld that its ledger names (its id is '%s', not %s)", self->copy,
        (long long) self->archive->year, id, self->archive->archive_id);
}

static int
s_verify_structure (s_verify_t *self)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "PRAGMA a.quick_check (1)");
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db), code = 0;
    const char *verdict = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    if (!verdict)
        code = s_refuse_copy (self, stele_sql_code (rc)? stele_sql_code (rc): STELE_ELEDGER);
    else
    if (strcmp (verdict, "ok") != 0)
        code = stele_refuse (self->refusal, STELE_ELEDGER, "backup", "%s is damaged: %s", self->copy, verdict);
    sqlite3_finalize (stmt);
    return code;
}

//  The number of events of the task, or session, x.id that follow each other back from its last one
#define EVENTS_OF(table, last) \
    " + (WITH RECURSIVE c (p) AS (SELECT " last " FROM a.states_plain WHERE task = x.id AND " last " IS NOT NULL" \
    " UNION ALL SELECT e.position - e.previous_back FROM c JOIN a." table " e ON e.position = c.p" \
    " WHERE e.previous_back IS NOT NULL) SELECT count (*) FROM c JOIN a." table " r ON r.position = c.p)"

#define SESSION_EVENTS_OF(table, last) \
    " + (WITH RECURSIVE c (p) AS (SELECT " last " FROM a.cli_sessions WHERE id = x.id AND " last " IS NOT NULL" \
    " UNION ALL SELECT e.previous FROM c JOIN a." table " e ON e.position = c.p WHERE e.previous IS NOT NULL)" \
    " SELECT count (*) FROM c JOIN a." table " r ON r.position = c.p)"

//  The statement counts those that are not there, of the archive ?1
static int
s_verify_by (s_verify_t *self, const char *what, const char *sql)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    if (!stmt)
        return s_refuse_copy (self, STELE_ELEDGER);
    sqlite3_bind_int64 (stmt, 1, self->archive->year);
    int rc = sqlite3_step (stmt), code = 0;
    if (rc != SQLITE_ROW)
        code = s_refuse_copy (self, stele_sql_code (rc)? stele_sql_code (rc): STELE_ELEDGER);
    else
    if (sqlite3_column_int64 (stmt, 0))
        code = stele_refuse (self->refusal, STELE_ELEDGER, "backup", "%s lacks events of %lld %s that its ledger has archived there",
            self->copy, (long long) sqlite3_column_int64 (stmt, 0), what);
    sqlite3_finalize (stmt);
    return code;
}

static int
s_verify_tasks (s_verify_t *self)
{
    return s_verify_by (self, "tasks", "SELECT count (*) FROM main.archived_tasks x WHERE archive = ?1 AND"
        " (NOT EXISTS (SELECT 1 FROM a.tasks t WHERE t.id = x.id AND t.task_id = x.task_id)"
        " OR events <> 0" STELE_TASK_CHAINS (EVENTS_OF) ")");
}

//  A ledger of an earlier schema has archived none
static int
s_verify_sessions (s_verify_t *self)
{
    int64_t tables = 0;
    int code = stele_sql_integer_into (self->db, "SELECT count (*) FROM main.sqlite_schema WHERE name = 'archived_sessions'", 0, &tables);
    if (code)
        return s_refuse_copy (self, code);
    return tables == 0? 0: s_verify_by (self, "sessions", "SELECT count (*) FROM main.archived_sessions x WHERE archive = ?1 AND"
        " (NOT EXISTS (SELECT 1 FROM a.cli_sessions s WHERE s.id = x.id AND s.session_id = x.session_id)"
        " OR events <> 0" STELE_SESSION_CHAINS (SESSION_EVENTS_OF) ")");
}

int
stele_snapshot_verify_archive (const char *copy, const char *ledger_copy, const stele_snapshot_archive_t *archive,
    stele_snapshot_stop_fn *stop, void *arg, stele_refusal_t *refusal)
{
    assert (copy && ledger_copy && archive && refusal);
    s_verify_t self = { .copy = copy, .archive = archive, .stop = stop, .arg = arg, .refusal = refusal };
    int code = s_open_copy (ledger_copy, &self.db, refusal);
    if (code == 0) {
        sqlite3_progress_handler (self.db, OPS_PER_STOP, s_on_progress, &self);
        char *sql = sqlite3_mprintf ("ATTACH %Q AS a", copy);
        code = sql? stele_sql_exec (self.db, sql): STELE_ENO_MEMORY;
        sqlite3_free (sql);
        code = code? s_refuse_copy (&self, code): s_verify_identity (&self);
    }
    if (code == 0)
        code = s_verify_structure (&self);
    if (code == 0)
        code = s_verify_tasks (&self);
    if (code == 0)
        code = s_verify_sessions (&self);
    sqlite3_close (self.db);
    return code;
}
