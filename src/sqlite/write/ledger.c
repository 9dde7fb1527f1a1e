/*  ledger - open, migrate, batches

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
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"
#include "sqlite/file_names.h"
#include "sqlite/wal/wal_vfs.h"
#include "sqlite/sql/schema.h"
#include "base/clock.h"

#define CHECK_PAGES_MAX 8192        // A file up to 32 MiB is checked whole at a start

//  Another process that has the ledger locked is waited for so long. Once it is open the
//  caller holds back and tries again, so as to be there for others meanwhile.
#define BUSY_MS_OPEN   5000
#define BUSY_MS        200

int
stele_ledger_fail (stele_ledger_t *self, int code)
{
    code = stele_sql_error_text (self->db, code, self->error, sizeof self->error);
    if (code == STELE_EIO)
        self->broken = true;
    return code;
}

int
stele_ledger_run (stele_ledger_t *self, sqlite3_stmt *stmt)
{
    int code = stmt == self->begin? 0: stele_ledger_in_batch (self);
    if (code)
        return code;
    code = stele_sql_run (stmt);
    return code? stele_ledger_fail (self, code): 0;
}

//  After some errors (no memory, no room, the disk) SQLite takes the whole batch back by itself, be
//  it that only a question failed. Whoever passes over such an error must not go on and
//  store the rest of the batch.
int
stele_ledger_in_batch (stele_ledger_t *self)
{
    return sqlite3_get_autocommit (self->db)? stele_ledger_fail (self, STELE_EINTERNAL): 0;
}

static int
s_wal_hook (void *arg, sqlite3 *db, const char *name, int pages)
{
    (void) db;
    (void) name;
    stele_checkpoint_grown (((stele_ledger_t *) arg)->checkpoint, pages);
    return SQLITE_OK;
}

//  One broker a ledger. The lock is on a file of its own: closing the database
//  file itself behind SQLite's back would drop SQLite's locks.
static int
s_lock (stele_ledger_t *self, const char *path, stele_refusal_t *refusal)
{
    char *name = sqlite3_mprintf ("%s" STELE_LOCK_SUFFIX, path);
    if (!name)
        return stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
    self->lock = open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int rc = 0;
    if (self->lock < 0)
        rc = stele_refuse (refusal, STELE_EIO, "ledger", "cannot open %s: %s", name, strerror (errno));
    else
    if (flock (self->lock, LOCK_EX | LOCK_NB) != 0)
        rc = stele_refuse (refusal, STELE_EBUSY, "ledger",
            "another broker has %s open: one broker a ledger", path);
    sqlite3_free (name);
    return rc;
}

//  What a step of a checkpoint came to
static int
s_checkpointed (stele_ledger_t *self, int code)
{
    if (code)
        snprintf (self->error, sizeof self->error, "%s", stele_checkpoint_error (self->checkpoint));
    if (!stele_error_is_transient (code))
        self->broken = true;
    return code;
}

static int
s_configure (stele_ledger_t *self)
{
    self->checkpoint = stele_checkpoint_new (self->db);
    if (!self->checkpoint)
        return STELE_ENO_MEMORY;
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout (self->db, BUSY_MS_OPEN);
    int code = stele_sql_exec (self->db,
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
        "PRAGMA foreign_keys = OFF;");
    if (code == 0 && STELE_CONTROL (sync_normal))
        code = stele_sql_exec (self->db, "PRAGMA synchronous = NORMAL");
    if (code)
        return code;
    sqlite3_wal_hook (self->db, s_wal_hook, self);
    return stele_checkpoint_forget (self->checkpoint, BUSY_MS_OPEN);
}

static int
s_migrate_one (stele_ledger_t *self, const stele_migration_t *migration)
{
    int code = STELE_FAULT_CODE (migrate_before);
    //  A migration may declare anew what a column holds
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (code == 0)
        code = stele_sql_exec (self->db, "BEGIN IMMEDIATE");
    if (code == 0)
        code = stele_sql_exec (self->db, migration->sql);
    if (code == 0)
        code = STELE_FAULT_CODE (migrate_inside);
    if (code == 0) {
        char *sql = sqlite3_mprintf (
            "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
            STELE_APPLICATION_ID, migration->version);
        code = sql? stele_sql_exec (self->db, sql): STELE_ENO_MEMORY;
        sqlite3_free (sql);
    }
    if (code) {
        code = stele_ledger_fail (self, code);
        if (!sqlite3_get_autocommit (self->db))
            stele_sql_exec (self->db, "ROLLBACK");
    }
    else
        STELE_FAULT (migrate_after);
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return code;
}

//  A ledger that this version knows, or nothing yet? Its schema in *version. Changes nothing.
static int
s_recognise (stele_ledger_t *self, const char *path, int64_t *version, stele_refusal_t *refusal)
{
    int64_t application = 0, tables = 0;
    int code = stele_sql_integer_into (self->db, "PRAGMA application_id", 0, &application);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "PRAGMA user_version", 0, version);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "SELECT count(*) FROM sqlite_schema", 0, &tables);
    if (code) {
        code = stele_ledger_fail (self, code);
        return stele_refuse (refusal, code, "ledger", "cannot open %s: %s", path, self->error);
    }
    if (tables > 0 && application != STELE_APPLICATION_ID)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s is a database of another program: choose another file", path);

    int newest = 0;
    for (const stele_migration_t *m = stele_schema; m->version; m++)
        newest = m->version;
    if (*version > newest)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s has schema %d, this version knows up to %d: use the newer version that wrote it",
            path, (int) *version, newest);
    return 0;
}

static int
s_migrate (stele_ledger_t *self, const char *path, int64_t version, stele_refusal_t *refusal)
{
    int code = 0;
    for (const stele_migration_t *m = stele_schema; m->version && code == 0; m++) {
        code = m->version > version? s_migrate_one (self, m): 0;
        if (code)
            stele_refuse (refusal, code, "ledger",
                "migration %s of %s failed, nothing was changed: %s", m->name, path, self->error);
    }
    return code;
}

//  One statement that says 'ok', or what is wrong.
static int
s_check_by (stele_ledger_t *self, const char *path, const char *sql, stele_refusal_t *refusal)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    const char *verdict = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    int code = 0;
    //  A page that could not be got, from the disk or for want of memory, is not damaged
    const char *reason = verdict? strstr (verdict, "error code="): NULL;
    if (!verdict || reason) {
        code = stele_sql_code (reason? atoi (reason + strlen ("error code=")): sqlite3_errcode (self->db));
        code = stele_ledger_fail (self, code);
        stele_refuse (refusal, code, "ledger", "cannot check %s: %s", path, self->error);
    }
    else
    if (strcmp (verdict, "ok") != 0)
        code = stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s is damaged: %s: restore a copy, or save what is left with sqlite3 .recover",
            path, verdict);
    sqlite3_finalize (stmt);
    return code;
}

#define NEWEST(table) " SELECT position FROM " table " WHERE position > "\
    "(SELECT last FROM commits ORDER BY first DESC LIMIT 1) - 1024"

//  A start does not read a large file from end to end: what is small, what every start needs,
//  and whether the newest rows are all there.
static const char *const s_bounded_checks [] = {
    "PRAGMA quick_check (meta)", "PRAGMA quick_check (vocabulary)", "PRAGMA quick_check (producers)",
    "PRAGMA quick_check (followers)", "PRAGMA quick_check (dictionaries)",
    "SELECT iif (count (*) = min (1024, ifnull ((SELECT max (last) FROM commits WHERE first ="
        " (SELECT max (first) FROM commits)), 0)), 'ok', 'events are missing among the newest')"
        " FROM (" NEWEST ("task_history") " UNION ALL" NEWEST ("task_outputs") " UNION ALL"
        NEWEST ("task_metrics") " UNION ALL" NEWEST ("cli_session_history") " UNION ALL"
        NEWEST ("cli_session_commands") " UNION ALL" NEWEST ("user_preference_history") ")"
};

static int
s_check (stele_ledger_t *self, const char *path, stele_check_t check, stele_refusal_t *refusal)
{
    int code = 0;
    if (check == STELE_CHECK_FULL)
        code = s_check_by (self, path, "PRAGMA integrity_check (1)", refusal);
    else
    if (check == STELE_CHECK_QUICK) {
        int64_t pages = 0;
        code = stele_sql_integer_into (self->db, "PRAGMA page_count", 0, &pages);
        if (code) {
            code = stele_ledger_fail (self, code);
            stele_refuse (refusal, code, "ledger", "cannot check %s: %s", path, self->error);
        }
        if (code == 0 && pages <= CHECK_PAGES_MAX)
            code = s_check_by (self, path, "PRAGMA quick_check (1)", refusal);
        for (size_t i = 0; pages > CHECK_PAGES_MAX && code == 0
             && i < sizeof s_bounded_checks / sizeof s_bounded_checks [0]; i++)
            code = s_check_by (self, path, s_bounded_checks [i], refusal);
    }
    if (check != STELE_CHECK_NONE)
        STELE_FAULT (check_after);
    return code;
}

static int
s_identify (stele_ledger_t *self)
{
    int code = STELE_FAULT_CODE (identify_before);
    if (code == 0)
        code = stele_sql_exec (self->db,
        "INSERT OR IGNORE INTO meta VALUES ('ledger_id', " STELE_LEDGER_NEW_ID ");"
        "INSERT OR IGNORE INTO meta VALUES ('created_at', strftime ('%Y-%m-%dT%H:%M:%SZ'))");
    if (code)
        return stele_ledger_fail (self, code);
    STELE_FAULT (identify_after);
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT value FROM meta WHERE key = 'ledger_id'");
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    const char *id = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (self->id, sizeof self->id, "%s", id? id: "");
    code = *self->id? 0: stele_sql_code (rc)? stele_sql_code (rc): STELE_ELEDGER;
    sqlite3_finalize (stmt);
    if (code == 0)
        code = stele_sql_integer_into (self->db,
            "SELECT last FROM commits ORDER BY first DESC LIMIT 1", 0, &self->head);
    if (code == 0)
        code = stele_sql_integer_into (self->db,
            "SELECT time FROM commits ORDER BY first DESC LIMIT 1", 0, &self->committed_at);
    if (code == 0)
        code = stele_sql_integer_into (self->db,
            "SELECT max (id) FROM rejected_events", 0, &self->rejected);
    self->next_rejected = self->rejected;
    self->top = self->head;
    self->top_rejected = self->rejected;
    return code? stele_ledger_fail (self, code): 0;
}

//  What the write-ahead log has from the run before may never have been synced: that run was
//  killed, or stopped by a sync that failed, after it was written. Readers and producers
//  take it for durable from now on, so it becomes that first: a checkpoint syncs the
//  log, writes its pages to the file and syncs that.
static int
s_make_durable (stele_ledger_t *self)
{
    int log_pages = 0, done_pages = 0;
    int rc = sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done_pages);
    if (rc == SQLITE_OK && done_pages == log_pages)
        stele_checkpoint_grown (self->checkpoint, 0);
    int code = rc == SQLITE_OK? 0: stele_ledger_fail (self, stele_sql_code (rc));
    //  Without room for the pages the log is synced at least, and serves for reading
    return code == STELE_EFULL || code == STELE_EBUSY? 0: code;
}

//  Memory, where SQLite has no other word for it
static int
s_fail_prepare (stele_ledger_t *self)
{
    int code = stele_sql_code (sqlite3_errcode (self->db));
    return stele_ledger_fail (self, code? code: STELE_ENO_MEMORY);
}

static int
s_prepare (stele_ledger_t *self)
{
#define STATEMENT_PREPARE(name, sql) \
    self->name = stele_sql_prepare (self->db, sql); \
    if (!self->name) \
        return s_fail_prepare (self);
    STELE_LEDGER_STATEMENTS (STATEMENT_PREPARE)
#undef STATEMENT_PREPARE
    self->content = stele_content_new (self->db);
    self->words = stele_intern_new (self->db);
    self->tasks = stele_task_cache_new (self->db);
    self->zones = stele_zone_map_new (self->db);
    self->reader = stele_reader_over (self->db);
    if (!self->content || !self->words || !self->tasks || !self->zones || !self->reader)
        return s_fail_prepare (self);
    return 0;
}

static bool
s_is_empty (const char *path)
{
    struct stat status;
    return stat (path, &status) == 0 && status.st_size == 0;
}

static int
s_open (stele_ledger_t *self, const char *path, const stele_ledger_options_t *options,
    stele_refusal_t *refusal)
{
    int code = STELE_FAULT_CODE (open_before);
    if (code)
        return stele_refuse (refusal, code, "ledger", "cannot open %s", path);
    code = s_lock (self, path, refusal);
    if (code)
        return code;
    code = STELE_FAULT_CODE (open_locked);
    bool is_new = access (path, F_OK) != 0;
    if (code == 0)
        code = stele_sql_code (sqlite3_open_v2 (path, &self->db,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
            | SQLITE_OPEN_EXRESCODE, stele_wal_vfs ()));
    if (code) {
        code = stele_ledger_fail (self, code);
        return stele_refuse (refusal, code, "ledger", "cannot open %s: %s", path, self->error);
    }
    //  Until all is well nothing is written, not even a checkpoint: a damaged log can be looked at
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    code = stele_ledger_compare (self, path, options, refusal);
    if (code) {
        //  To leave an empty file would not be to change nothing
        if (is_new && s_is_empty (path))
            unlink (path);
        return code;
    }
    int64_t version = 0;
    code = s_recognise (self, path, &version, refusal);
    if (code)
        return code;
    code = STELE_FAULT_CODE (open_configured);
    if (code == 0)
        code = s_configure (self);
    if (code) {
        if (!self->broken)
            code = stele_ledger_fail (self, code);
        return stele_refuse (refusal, code, "ledger", "cannot open %s: %s", path, self->error);
    }
    code = s_migrate (self, path, version, refusal);
    if (code == 0)
        code = s_check (self, path, options->check, refusal);
    if (code)
        return code;
    code = s_identify (self);
    if (code == 0)
        code = s_prepare (self);
    if (code == 0)
        code = s_make_durable (self);
    if (code)
        return stele_refuse (refusal, code, "ledger", "%s: %s", path, self->error);
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return stele_ledger_settle_loss (self, refusal);
}

stele_ledger_t *
stele_ledger_open_with (const char *path, const stele_ledger_options_t *options,
    stele_refusal_t *refusal)
{
    stele_ledger_t *self = calloc (1, sizeof *self);
    if (!self) {
        stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
        return NULL;
    }
    self->lock = -1;
    self->pack = stele_pack_new ();
    self->scratch = stele_record_new ();
    self->high_water = stele_high_water_new (path);
    int code = self->pack && self->scratch && self->high_water?
        s_open (self, path, options, refusal):
        stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
    if (code)
        stele_ledger_close (&self);
    else {
        sqlite3_busy_timeout (self->db, BUSY_MS);
        STELE_FAULT (open_after);
    }
    return self;
}

stele_ledger_t *
stele_ledger_open (const char *path, stele_check_t check, stele_refusal_t *refusal)
{
    stele_ledger_options_t options = { .check = check };
    return stele_ledger_open_with (path, &options, refusal);
}

void
stele_ledger_close (stele_ledger_t **self_p)
{
    assert (self_p);
    stele_ledger_t *self = *self_p;
    if (!self)
        return;
    STELE_FAULT (close_before);
    self->suspended = false;
    if (self->db && !sqlite3_get_autocommit (self->db))
        stele_ledger_rollback (self);
    stele_reader_close (&self->reader);
    stele_intern_destroy (&self->words);
    stele_task_cache_destroy (&self->tasks);
    stele_zone_map_destroy (&self->zones);
#define STATEMENT_FINALIZE(name, sql) sqlite3_finalize (self->name);
    STELE_LEDGER_STATEMENTS (STATEMENT_FINALIZE)
#undef STATEMENT_FINALIZE
    stele_content_destroy (&self->content);
    if (self->checkpoint && stele_checkpoint_settle (self->checkpoint))
        self->broken = true;
    stele_checkpoint_destroy (&self->checkpoint);
    if (self->broken && self->db)
        sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close (self->db);
    stele_high_water_destroy (&self->high_water);
    STELE_FAULT (close_after);
    stele_pack_destroy (&self->pack);
    stele_record_destroy (&self->scratch);
    if (self->lock >= 0)
        close (self->lock);
    free (self);
    *self_p = NULL;
}

const char *
stele_ledger_id (const stele_ledger_t *self)
{
    return self->id;
}

int64_t
stele_ledger_head (const stele_ledger_t *self)
{
    return self->head;
}

stele_reader_t *
stele_ledger_reader (stele_ledger_t *self)
{
    return self->reader;
}

int64_t
stele_ledger_last (const stele_ledger_t *self)
{
    return self->next > self->top? self->next - 1: self->top;
}

const char *
stele_ledger_error (const stele_ledger_t *self)
{
    return self->error;
}

int
stele_ledger_begin (stele_ledger_t *self)
{
    self->next = self->top + 1;
    if (self->suspended && sqlite3_get_autocommit (self->db))
        return stele_ledger_taken_back (self);
    int code = STELE_FAULT_CODE (begin_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_run (self, self->suspended? self->savepoint: self->begin);
    if (code == 0)
        STELE_FAULT (begin_after);
    return code;
}

int
stele_ledger_commit (stele_ledger_t *self, int64_t now_us)
{
    int code = stele_ledger_in_batch (self);
    if (code)
        return code;
    code = STELE_FAULT_CODE (flush_before);
    if (code == 0)
        code = stele_task_cache_flush (self->tasks);
    if (code == 0)
        code = stele_zone_map_flush (self->zones);
    if (code == 0)
        code = STELE_FAULT_CODE (commits_before);
    if (code)
        return stele_ledger_fail (self, code);
    if (self->next > self->top + 1) {
        sqlite3_bind_int64 (self->commits, 1, self->top + 1);
        sqlite3_bind_int64 (self->commits, 2, self->next - 1);
        //  The clock may jump back, the times of the commits may not: they are searched
        if (now_us > self->committed_at)
            self->committed_at = now_us;
        sqlite3_bind_int64 (self->commits, 3, self->committed_at);
        code = stele_ledger_run (self, self->commits);
        if (code)
            return code;
    }
    code = STELE_FAULT_CODE (commit_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_run (self, self->suspended? self->release: self->commit);
    if (code)
        return code;
    code = STELE_FAULT_CODE (commit_after);
    if (code)
        return stele_ledger_fail (self, code);
    self->top = self->next - 1;
    self->top_rejected = self->next_rejected;
    if (self->suspended) {
        stele_task_cache_trim (self->tasks);
        return 0;
    }
    self->head = self->top;
    self->rejected = self->top_rejected;
    //  Durable it is in any case: if this fails, the checkpoint after the batch says so
    STELE_FAULT (high_water_before);
    if (stele_high_water_set (self->high_water, self->head, self->rejected) == STELE_EIO)
        self->high_water_code = STELE_EIO;
    STELE_FAULT (high_water_after);
    stele_task_cache_trim (self->tasks);
    return 0;
}

void
stele_ledger_rollback (stele_ledger_t *self)
{
    STELE_FAULT (rollback_before);
    //  After some errors SQLite has rolled back by itself
    if (!sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, self->suspended? "ROLLBACK TO batch; RELEASE batch": "ROLLBACK");
    stele_sql_bound_forget ();
    stele_task_cache_forget (self->tasks);
    stele_zone_map_forget (self->zones);
    stele_intern_forget (self->words);
    self->next = self->top + 1;
    self->next_rejected = self->top_rejected;
}

int
stele_ledger_follower_save (stele_ledger_t *self, const char *name,
    int64_t position, int64_t time_us)
{
    int code = STELE_FAULT_CODE (cursor_store_before);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_bind_text (self->follower, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (self->follower, 2, position);
    sqlite3_bind_int64 (self->follower, 3, time_us);
    code = stele_ledger_run (self, self->follower);
    STELE_FAULT (cursor_store_after);
    return code;
}

static int
s_keep_high_water (stele_ledger_t *self, bool now)
{
    if (self->high_water_code == 0)
        self->high_water_code = stele_high_water_sync (self->high_water, now);
    if (self->high_water_code)
        snprintf (self->error, sizeof self->error, "cannot write %s",
            stele_high_water_path (self->high_water));
    return self->high_water_code;
}

int
stele_ledger_idle (stele_ledger_t *self, int64_t spare_us)
{
    if (self->suspended)
        return 0;
    int code = stele_content_learn (self->content);
    //  Without a new dictionary it compresses as before
    if (code && stele_ledger_fail (self, code) == STELE_EIO)
        return STELE_EIO;
    code = s_keep_high_water (self, false);
    if (code)
        return code;
    if (!stele_checkpoint_due (self->checkpoint, spare_us))
        return 0;
    code = STELE_FAULT_CODE (checkpoint_before);
    if (code)
        return stele_ledger_fail (self, code);
    //  What was acked is known elsewhere before the log that has it may begin anew
    code = s_keep_high_water (self, true);
    if (code)
        return code;
    code = s_checkpointed (self, stele_checkpoint_step (self->checkpoint));
    if (code == 0 && (code = STELE_FAULT_CODE (checkpoint_after)))
        return stele_ledger_fail (self, code);
    return code;
}

int
stele_ledger_make_room (stele_ledger_t *self)
{
    if (self->suspended)
        return 0;
    int code = s_keep_high_water (self, true);
    if (code)
        return code;
    code = stele_checkpoint_truncate (self->checkpoint);
    return code == STELE_EBUSY? STELE_EFULL: s_checkpointed (self, code);
}
