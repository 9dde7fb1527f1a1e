/*  open - open a ledger, migrate it, close it

    The order of a start matters: lock, compare with what was acked (loss.c), recognise the
    schema; all of that changes no file. Then configure, discard what an earlier run
    left in shared memory, migrate, check, make durable what may not be.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "base/clock.h"
#include "fault/fault.h"
#include "sqlite/sql/schema.h"
#include "sqlite/wal/wal_index.h"
#include "sqlite/wal/wal_vfs.h"
#include "sqlite/write/ledger_internal.h"

//  How long to wait while another process has the ledger locked. Once it is open, the caller holds
//  back and retries instead, so that it can serve others meanwhile.
#define BUSY_MS_OPEN   5000
#define BUSY_MS        200
#define FILE_MODE      0600
#define LOG_BYTES      (128 * 1024 * 1024)

static int
s_wal_hook (void *arg, sqlite3 *db, const char *name, int pages)
{
    (void) db;
    (void) name;
    stele_checkpoint_grown (((stele_ledger_t *) arg)->checkpoint, pages);
    return SQLITE_OK;
}

static int
s_connect (stele_ledger_t *self, const char *path)
{
    int rc = sqlite3_open_v2 (path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, stele_wal_vfs ());
    //  Until the start has succeeded nothing may be written, not even by a checkpoint at the close: a
    //  damaged log has to stay as it is
    if (rc == SQLITE_OK)
        sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return stele_sql_code (rc);
}

static int
s_configure (stele_ledger_t *self)
{
    char limit [64];
    self->checkpoint = stele_checkpoint_new (self->db, self->log_bytes);
    if (!self->checkpoint)
        return STELE_ENO_MEMORY;
    //  When a log that a reader made longer restarts, SQLite shortens its file
    snprintf (limit, sizeof limit, "PRAGMA journal_size_limit = %lld", (long long) self->log_bytes);
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout (self->db, BUSY_MS_OPEN);
    int code = stele_sql_exec (self->db,
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
        "PRAGMA foreign_keys = OFF;");
    if (code == 0)
        code = stele_sql_exec (self->db, limit);
    if (code == 0 && STELE_CONTROL (sync_normal))
        code = stele_sql_exec (self->db, "PRAGMA synchronous = NORMAL");
    if (code == 0)
        sqlite3_wal_hook (self->db, s_wal_hook, self);
    return code;
}

//  Take no page of the log for one that the run before copied to the file (wal_index.h)
static int
s_forget_copied (stele_ledger_t *self, const char *path)
{
    int rc = stele_wal_index_forget (self->db, BUSY_MS_OPEN);
    if (rc)
        return rc < 0? rc: 0;
    stele_checkpoint_destroy (&self->checkpoint);
    sqlite3_close (self->db);
    self->db = NULL;
    int code = stele_wal_index_renew (path, BUSY_MS_OPEN);
    if (code == STELE_EBUSY) {
        snprintf (self->error, sizeof self->error, "another process has it open, which with SQLite %s"
            " is not possible at a start: close it there, and start again", sqlite3_libversion ());
        return code;
    }
    if (code == 0)
        code = s_connect (self, path);
    return code? stele_ledger_fail (self, code): s_configure (self);
}

static int
s_migrate_one (stele_ledger_t *self, const stele_migration_t *migration)
{
    int code = STELE_FAULT_CODE (migrate_before);
    //  A migration may change the declared type of a column
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

//  The text of an error may be that the open failed: report that once
static int
s_refuse_open (const stele_ledger_t *self, const char *path, int code, stele_refusal_t *refusal)
{
    static const char unnamed [] = "cannot open the ledger: ";
    const char *error = self->error;
    if (strncmp (error, unnamed, sizeof unnamed - 1) == 0)
        error += sizeof unnamed - 1;
    else
    if (strncmp (error, "cannot ", 7) == 0)
        return stele_refuse (refusal, code, "ledger", "%s", error);
    return stele_refuse (refusal, code, "ledger", "cannot open %s: %s", path, error);
}

//  Is it a ledger that this version supports, or empty? Its schema into *version. Changes nothing.
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
        return s_refuse_open (self, path, code, refusal);
    }
    if (tables > 0 && application != STELE_APPLICATION_ID)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s is a database of another program: choose another file", path);

    int newest = 0;
    for (const stele_migration_t *m = stele_schema; m->version; m++)
        newest = m->version;
    if (*version > newest)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s has schema %d, this version supports schemas up to %d: use the newer version that wrote it",
            path, (int) *version, newest);
    return 0;
}

static int
s_migrate (stele_ledger_t *self, const char *path, int64_t version, stele_refusal_t *refusal)
{
    int code = 0, newest = 0;
    int64_t begun_ms = stele_clock_steady_ms ();
    for (const stele_migration_t *m = stele_schema; m->version && code == 0; m++) {
        newest = m->version;
        code = newest > version? s_migrate_one (self, m): 0;
        if (code)
            stele_refuse (refusal, code, "ledger",
                "migration %s of %s failed, nothing was changed: %s", m->name, path, self->error);
    }
    if (code == 0 && version > 0 && newest > version)
        snprintf (self->migration, sizeof self->migration, "ledger migrated from schema %d to %d in %.3f s", (int) version,
            newest, (double) (stele_clock_steady_ms () - begun_ms) / 1000);
    return code;
}

const char *
stele_ledger_migration (const stele_ledger_t *self)
{
    return *self->migration? self->migration: NULL;
}

//  The key of the marks in masks stays with the ledger, whatever copy of it is used (redact/redactor.h)
static int
s_keep_redaction_key (stele_ledger_t *self)
{
    unsigned char key [STELE_REDACTION_KEY];
    char sql [128 + 2 * sizeof key] = "INSERT OR IGNORE INTO meta VALUES ('" STELE_REDACTION_KEY_NAME "', x'";
    size_t used = strlen (sql);
    if (getrandom (key, sizeof key, 0) != sizeof key)
        return STELE_EIO;
    for (size_t i = 0; i < sizeof key; i++)
        used += (size_t) snprintf (sql + used, sizeof sql - used, "%02x", key [i]);
    snprintf (sql + used, sizeof sql - used, "')");
    return stele_sql_exec (self->db, sql);
}

static int
s_identify (stele_ledger_t *self)
{
    int code = STELE_FAULT_CODE (identify_before);
    if (code == 0)
        code = stele_sql_exec (self->db,
        "INSERT OR IGNORE INTO meta VALUES ('ledger_id', " STELE_LEDGER_NEW_ID ");"
        "INSERT OR IGNORE INTO meta VALUES ('created_at', strftime ('%Y-%m-%dT%H:%M:%SZ'))");
    if (code == 0)
        code = s_keep_redaction_key (self);
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
    stele_ledger_settle_soon (self);
    self->top = self->head;
    self->top_rejected = self->rejected;
    return code? stele_ledger_fail (self, code): 0;
}

//  The log of the run before may have been written and never synced: that run was killed, or
//  stopped by a sync that failed. From now on readers and producers take its events for
//  durable, so make them durable first: a checkpoint syncs the log, copies its pages to
//  the file and syncs that.
static int
s_make_durable (stele_ledger_t *self)
{
    int log_pages = 0, done_pages = 0;
    int rc = sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done_pages);
    if (rc == SQLITE_OK && done_pages == log_pages)
        stele_checkpoint_grown (self->checkpoint, 0);
    int code = rc == SQLITE_OK? 0: stele_ledger_fail (self, stele_sql_code (rc));
    //  Without room for the pages, the log is synced at least, and that is enough
    return code == STELE_EFULL || code == STELE_EBUSY? 0: code;
}

//  Out of memory, unless SQLite reports another reason
static int
s_fail_prepare (stele_ledger_t *self)
{
    int code = stele_sql_code (sqlite3_errcode (self->db));
    return stele_ledger_fail (self, code? code: STELE_ENO_MEMORY);
}

static int
s_prepare (stele_ledger_t *self)
{
#define STATEMENT_PREPARE(name, text) \
    self->sql.name = stele_sql_prepare (self->db, text); \
    if (!self->sql.name) \
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

//  Where in the file the id is: the root page of meta has it, as long as one page has all of meta
int
stele_ledger_identify_file (stele_ledger_t *self)
{
    int64_t page = 0, size = 0;
    int code = stele_sql_integer_into (self->db, "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'", 0, &page);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "PRAGMA page_size", 0, &size);
    if (code == 0)
        stele_place_identify (self->place, self->id, page, (int) size);
    return code? stele_ledger_fail (self, code): 0;
}

//  Was the clock wrong when the last events were committed, or is it wrong now?
static void
s_compare_clock (stele_ledger_t *self, const char *path)
{
    int64_t ahead_us = self->committed_at - stele_clock_us ();
    if (ahead_us <= STELE_SET_BACK_US)
        return;
    char stamp [32];
    struct tm tm;
    time_t seconds = (time_t) (self->committed_at / 1000000);
    strftime (stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r (&seconds, &tm));
    stele_place_note (self->place, "the last commit of %s is of %s, %lld s ahead of the clock of this machine:"
        " the clock was wrong then, or is wrong now. New commits get the time of the clock", path, stamp,
        (long long) (ahead_us / 1000000));
}

static int
s_open (stele_ledger_t *self, const char *path, const stele_ledger_options_t *options,
    stele_refusal_t *refusal)
{
    int code = STELE_FAULT_CODE (open_before);
    if (code)
        return stele_refuse (refusal, code, "ledger", "cannot open %s", path);
    code = stele_place_claim (self->place, self->file_mode, refusal);
    if (code)
        return code;
    code = STELE_FAULT_CODE (open_locked);
    if (code == 0)
        code = s_connect (self, path);
    if (code) {
        code = stele_ledger_fail (self, code);
        return s_refuse_open (self, path, code, refusal);
    }
    code = stele_ledger_compare (self, path, options, refusal);
    if (code)
        return code;
    int64_t version = 0;
    code = s_recognise (self, path, &version, refusal);
    if (code)
        return code;
    code = STELE_FAULT_CODE (open_configured);
    if (code == 0)
        code = s_configure (self);
    if (code == 0)
        code = s_forget_copied (self, path);
    if (code) {
        if (!*self->error)
            code = stele_ledger_fail (self, code);
        return s_refuse_open (self, path, code, refusal);
    }
    code = s_migrate (self, path, version, refusal);
    if (code == 0)
        code = stele_ledger_check (self, path, options->check, refusal);
    if (code)
        return code;
    code = s_identify (self);
    if (code == 0)
        code = s_prepare (self);
    if (code == 0)
        code = s_make_durable (self);
    if (code)
        return stele_refuse (refusal, code, "ledger", "%s: %s", path, self->error);
    code = stele_ledger_archives_open (self, refusal);
    if (code)
        return code;
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    code = stele_ledger_settle_loss (self, refusal);
    if (code == 0 && (code = stele_ledger_identify_file (self)))
        stele_refuse (refusal, code, "ledger", "%s: %s", path, self->error);
    if (code == 0)
        stele_place_settle (self->place, self->file_mode);
    if (code == 0)
        s_compare_clock (self, path);
    self->opened = code == 0;
    return code;
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
    self->file_mode = options->file_mode? options->file_mode: FILE_MODE;
    self->log_bytes = options->log_bytes? options->log_bytes: LOG_BYTES;
    self->place = stele_place_new (path);
    self->pack = stele_pack_new ();
    self->scratch = stele_record_new ();
    self->high_water = stele_high_water_new (path);
    int code = self->pack && self->scratch && self->high_water && self->place?
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
stele_ledger_discard (stele_ledger_t *self)
{
    self->discarded = true;
}

void
stele_ledger_close (stele_ledger_t **self_p)
{
    assert (self_p);
    stele_ledger_t *self = *self_p;
    if (!self)
        return;
    STELE_FAULT (close_before);
    //  Of mode redis, too, whose events are not committed
    bool empty = self->top == 0 && self->top_rejected == 0 && self->head == 0 && self->rejected == 0;
    self->suspended = false;
    if (self->db && !sqlite3_get_autocommit (self->db))
        stele_ledger_rollback (self);
    stele_reader_close (&self->reader);
    stele_ledger_recall_close (self);
    stele_intern_destroy (&self->words);
    stele_decisions_destroy (&self->decisions);
    stele_task_cache_destroy (&self->tasks);
    stele_zone_map_destroy (&self->zones);
#define STATEMENT_FINALIZE(name, text) sqlite3_finalize (self->sql.name);
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
    //  A refusal promises that nothing was changed: leave no empty file
    if (!self->opened && self->place)
        stele_place_discard (self->place);
    if (self->discarded && empty && !self->displaced)
        stele_place_remove (self->place);
    stele_place_destroy (&self->place);
    free (self);
    *self_p = NULL;
}
