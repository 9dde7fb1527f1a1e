/*  reader - open, calls, statements, head and commits

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sqlite/reader/reader_internal.h"
#include "sqlite/reader/reader_over.h"
#include "sqlite/sql/schema.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/shm_vfs.h"
#include "base/clock.h"

#define BUSY_MS 1000
#define WORDS_MAX 100000
#define OPS_PER_CHECK 1000              // Operations of SQLite between checks of the deadline: about 20 us

//  -- open, close -------------------------------------------------------------

static int
s_on_progress (void *arg)
{
    stele_reader_t *self = arg;
    return self->busy && self->deadline && stele_clock_steady_ms () >= self->deadline;
}

void
reader_watch (stele_reader_t *self, sqlite3 *db)
{
    sqlite3_progress_handler (db, OPS_PER_CHECK, s_on_progress, self);
}

//  Make the connection a pure reader: one that writes or checkpoints can lose committed pages
//  (SQLite's WAL-reset bug)
static int
s_configure (stele_reader_t *self)
{
    sqlite3_busy_timeout (self->db, BUSY_MS);
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler (self->db, OPS_PER_CHECK, s_on_progress, self);
    return stele_sql_exec (self->db,
        "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");
}

static char *
s_copy (const char *text)
{
    return text? strdup (text): NULL;
}

//  Check that it is a ledger of this version
static int
s_check (stele_reader_t *self, stele_refusal_t *refusal)
{
    int newest = 0;
    for (const stele_migration_t *migration = stele_schema; migration->version; migration++)
        newest = migration->version;
    int64_t application = stele_sql_integer (self->db, "PRAGMA application_id", -1);
    int64_t version = stele_sql_integer (self->db, "PRAGMA user_version", -1);
    if (application < 0 || version < 0)
        return stele_refuse (refusal, stele_sql_code (sqlite3_errcode (self->db)), "ledger",
            "cannot read %s: %s", self->path, sqlite3_errmsg (self->db));
    if (application != STELE_APPLICATION_ID)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger", "%s is not a ledger", self->path);
    if (version != newest)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s has schema %d, this version reads %d: start its broker to migrate it",
            self->path, (int) version, newest);

    sqlite3_stmt *statement = stele_sql_prepare (self->db,
        "SELECT value FROM meta WHERE key = 'ledger_id'");
    int rc = statement? sqlite3_step (statement): sqlite3_errcode (self->db);
    if (rc == SQLITE_ROW)
        self->ledger_id = s_copy ((const char *) sqlite3_column_text (statement, 0));
    sqlite3_finalize (statement);
    if (self->ledger_id)
        return 0;
    int code = rc == SQLITE_ROW? STELE_ENO_MEMORY: rc == SQLITE_DONE? STELE_ELEDGER: stele_sql_code (rc);
    return stele_refuse (refusal, code, "ledger", "%s has no id: %s", self->path,
        rc == SQLITE_ROW? "out of memory": sqlite3_errmsg (self->db));
}

static stele_reader_t *
s_new (const char *path)
{
    stele_reader_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->path = strdup (path);
    self->bounds = (stele_reader_bounds_t) {
        .units = 100000, .search_units = 35000, .set = 20000, .touched = 2000, .storage_pages = 500000
    };
    self->row = stele_record_new ();
    self->text = stele_record_new ();
    if (!self->path || !self->row || !self->text)
        stele_reader_close (&self);
    return self;
}

//  The machine by the id of its boot, which containers share, as they share files
static void
s_identify_file (stele_reader_t *self)
{
    char machine [40] = "";
    struct stat status;
    const char *path = sqlite3_db_filename (self->db, "main");
    FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "re");
    if (!file || fscanf (file, "%39s", machine) != 1)
        gethostname (machine, sizeof machine - 1);
    if (file)
        fclose (file);
    if (path && stat (path, &status) == 0)
        snprintf (self->file_id, sizeof self->file_id, "%s:%llx:%llx", machine,
            (unsigned long long) status.st_dev, (unsigned long long) status.st_ino);
}

stele_reader_t *
stele_reader_open (const char *path, stele_refusal_t *refusal)
{
    assert (path);
    stele_reader_t *self = s_new (path);
    if (!self) {
        stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
        return NULL;
    }
    //  Without a hold, closing this connection could drop the locks of another one of this process
    self->hold = stele_hold_take (path);
    int code = !self->hold && errno == ENOMEM? STELE_ENO_MEMORY: stele_sql_code (sqlite3_open_v2 (path, &self->db,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ()));
    if (code == 0)
        code = s_configure (self);
    if (code)
        stele_refuse (refusal, code, "ledger", "cannot open %s: %s", path,
            self->db? sqlite3_errmsg (self->db): "out of memory");
    self->content = stele_content_new (self->db);
    if (code == 0 && !self->content)
        code = stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
    if (code == 0)
        code = s_check (self, refusal);
    if (code == 0 && reader_archives_attach (self))
        code = stele_refuse (refusal, self->status, "ledger", "%s", self->error);
    if (code)
        stele_reader_close (&self);
    else
        s_identify_file (self);
    return self;
}

stele_reader_t *
stele_reader_over (sqlite3 *db)
{
    stele_reader_t *self = s_new ("");
    if (!self)
        return NULL;
    self->db = db;
    self->borrowed = true;
    s_identify_file (self);
    self->content = stele_content_new (db);
    if (!self->content)
        stele_reader_close (&self);
    return self;
}

void
stele_reader_close (stele_reader_t **self_p)
{
    assert (self_p);
    stele_reader_t *self = *self_p;
    if (!self)
        return;
    reader_statements_finalize (self);
    stele_content_destroy (&self->content);
    if (!self->borrowed)
        sqlite3_close (self->db);
    stele_hold_release (&self->hold);
    reader_word_cache_trim (&self->words, 0);
    stele_record_destroy (&self->row);
    stele_record_destroy (&self->text);
    reader_keys_free (&self->scope.words);
    reader_search_close (self);
    reader_rollup_close (self);
    free (self->zones);
    free (self->ledger_id);
    free (self->path);
    free (self);
    *self_p = NULL;
}

void
reader_search_close (stele_reader_t *self)
{
    sqlite3_close (self->search);
    self->search = NULL;
}

void
reader_rollup_close (stele_reader_t *self)
{
    sqlite3_close (self->rollup);
    self->rollup = NULL;
}

const char *
stele_reader_error (const stele_reader_t *self)
{
    return self->error;
}

void
stele_reader_set_ledger_id (stele_reader_t *self, const char *id)
{
    free (self->ledger_id);
    self->ledger_id = strdup (id);
    assert (self->ledger_id);
}

const char *
stele_reader_ledger_id (const stele_reader_t *self)
{
    return self->ledger_id;
}

void
stele_reader_set_deadline (stele_reader_t *self, int64_t time_ms)
{
    self->deadline = time_ms > 0? stele_clock_steady_ms () + time_ms: 0;
}

void
stele_reader_set_bounds (stele_reader_t *self, const stele_reader_bounds_t *bounds)
{
    self->bounds = *bounds;
}

//  -- calls ---------------------------------------------------------------------

int
reader_fail (stele_reader_t *self, int code, const char *what)
{
    if (self->status == 0) {
        self->status = code;
        snprintf (self->error, sizeof self->error, "%s", what);
    }
    return self->status;
}

int
reader_fail_sqlite (stele_reader_t *self)
{
    int code = stele_sql_code (sqlite3_errcode (self->db));
    return reader_fail (self, code, code == STELE_ETIMEOUT?
        "the time for this request has run out": sqlite3_errmsg (self->db));
}

bool
reader_overdue (stele_reader_t *self)
{
    if (!s_on_progress (self))
        return false;
    reader_fail (self, STELE_ETIMEOUT, "the time for this request has run out");
    return true;
}

//  A COMMIT may run out of memory. A transaction left open would keep the write-ahead log from
//  being reset, and every later BEGIN would fail.
static void
s_rollback (stele_reader_t *self)
{
    if (!sqlite3_get_autocommit (self->db))
        sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
}

//  Begin a transaction. Returns whether all archives are attached that its snapshot has.
static bool
s_begin_complete (stele_reader_t *self)
{
    s_rollback (self);
    reader_step (self, reader_statement (self, SLOT_BEGIN, "BEGIN"));
    return reader_integer (self, reader_statement (self, SLOT_ARCHIVES, "SELECT count (*) FROM main.archives"), 0)
        <= self->archives;
}

static int
s_begin (stele_reader_t *self)
{
    self->no_set_backs = false;
    while (!s_begin_complete (self) && self->status == 0) {
        s_rollback (self);
        reader_archives_attach (self);
    }
    if (self->status)
        s_rollback (self);
    return self->status;
}

//  Also after an error: the snapshot is released in any case
static void
s_commit (stele_reader_t *self)
{
    int status = self->status;
    self->status = 0;
    if (!sqlite3_get_autocommit (self->db))
        reader_step (self, reader_statement (self, SLOT_COMMIT, "COMMIT"));
    s_rollback (self);
    self->status = status? status: self->status;
}

int
reader_enter (stele_reader_t *self)
{
    assert (!self->busy);           // A row function must not call its reader
    self->status = 0;
    self->attempt = (reader_attempt_t) { 0 };
    //  A word that the writer rolled back may return with another id
    reader_word_cache_trim (&self->words, self->borrowed? 0: WORDS_MAX);
    if (!self->begun && !self->borrowed && s_begin (self))
        return self->status;
    self->busy = true;
    return self->scope.count && reader_scope_open (self)? (int) reader_leave (self, 0): 0;
}

int
reader_enter_unbound (stele_reader_t *self)
{
    int rc = reader_enter (self);
    if (rc || self->scope.count == 0)
        return rc;
    reader_fail (self, STELE_EUNAUTHORIZED, "only for keys that are not bound to users");
    return (int) reader_leave (self, 0);
}

int64_t
reader_leave (stele_reader_t *self, int64_t result)
{
    self->busy = false;             // Ends the deadline: the COMMIT must not be interrupted
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        if (self->slots [slot] && sqlite3_stmt_busy (self->slots [slot]))
            sqlite3_reset (self->slots [slot]);
    //  Rows may be large: free their memory
    stele_record_clear (self->row);
    stele_record_clear (self->text);
    if (!self->begun && !self->borrowed)
        s_commit (self);
    return self->status? self->status: result;
}

int
reader_return_row (stele_reader_t *self, int found, stele_row_fn *fn, void *arg)
{
    int rc = found == 1? fn (self->row, arg): 0;
    return (int) reader_leave (self, rc < 0? rc: found);
}

int
stele_reader_begin (stele_reader_t *self)
{
    assert (!self->busy && !self->begun);
    self->status = 0;
    //  The writer's own transaction is a snapshot already
    if (!self->borrowed && s_begin (self))
        return self->status;
    self->begun = true;
    return 0;
}

void
stele_reader_end (stele_reader_t *self)
{
    assert (!self->busy && self->begun);
    self->begun = false;
    if (!self->borrowed)
        s_commit (self);
}

//  -- statements ------------------------------------------------------------------

void
reader_statements_finalize (stele_reader_t *self)
{
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        sqlite3_finalize (self->slots [slot]);
    for (int shape = 0; shape < 2; shape++)
        for (int branch = 0; branch < READER_BRANCHES; branch++)
            sqlite3_finalize (self->branches [shape] [branch]);
    memset (self->slots, 0, sizeof self->slots);
    memset (self->branches, 0, sizeof self->branches);
}

sqlite3_stmt *
reader_statement (stele_reader_t *self, int slot, const char *sql)
{
    sqlite3_stmt **statement = &self->slots [slot];
    if (*statement) {
        sqlite3_reset (*statement);
        return *statement;
    }
    if (sqlite3_prepare_v3 (self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL)) {
        reader_fail_sqlite (self);
        return NULL;
    }
    return *statement;
}

sqlite3_stmt *
reader_with_key (stele_reader_t *self, int slot, const char *sql, int64_t key)
{
    sqlite3_stmt *statement = reader_statement (self, slot, sql);
    if (statement)
        sqlite3_bind_int64 (statement, 1, key);
    return statement;
}

int
reader_step (stele_reader_t *self, sqlite3_stmt *statement)
{
    if (self->status)
        return self->status;
    int rc = stele_sql_step (statement);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_NOMEM)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (rc != SQLITE_DONE)
        reader_fail_sqlite (self);
    sqlite3_reset (statement);
    return self->status;
}

void
reader_bind_text (sqlite3_stmt *statement, int index, const char *text, size_t size)
{
    if (statement)
        sqlite3_bind_text64 (statement, index, text, size, SQLITE_STATIC, SQLITE_UTF8);
}

void
reader_bind_id (sqlite3_stmt *statement, int index, const char *text, size_t size)
{
    if (statement)
        stele_id_bind (statement, index, text, size);
}

int64_t
reader_integer (stele_reader_t *self, sqlite3_stmt *statement, int64_t otherwise)
{
    int64_t value = otherwise;
    int rc = reader_step (self, statement);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        if (sqlite3_column_type (statement, 0) != SQLITE_NULL)
            value = sqlite3_column_int64 (statement, 0);
        sqlite3_reset (statement);
    }
    return value;
}

const char *
stele_reader_file_id (const stele_reader_t *self)
{
    return self->file_id;
}

//  -- head and commits ---------------------------------------------------------------

int64_t
reader_head (stele_reader_t *self)
{
    return reader_integer (self, reader_statement (self, SLOT_HEAD,
        "SELECT last FROM commits ORDER BY first DESC LIMIT 1"), 0);
}

int64_t
stele_reader_head (stele_reader_t *self)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    return reader_leave (self, reader_head (self));
}

//  The last commit that began at or before a position, into self->commit: 1, 0 none, or an error
static int
s_find_commit (stele_reader_t *self, int64_t position)
{
    sqlite3_stmt *statement = reader_with_key (self, SLOT_COMMIT_OF,
        "SELECT first, last, time FROM commits WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
        position);
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    self->commit.first = sqlite3_column_int64 (statement, 0);
    self->commit.last = sqlite3_column_int64 (statement, 1);
    self->commit.time = sqlite3_column_int64 (statement, 2);
    sqlite3_reset (statement);
    return 1;
}

int
reader_commit_of (stele_reader_t *self, int64_t position, int64_t *first, int64_t *last, int64_t *time)
{
    bool found = self->commit.first && position >= self->commit.first && position <= self->commit.last;
    if (!found || self->borrowed) {
        int rc = s_find_commit (self, position);
        if (rc != 1)
            return rc;
    }
    *first = self->commit.first;
    *last = self->commit.last;
    *time = self->commit.time;
    return position <= *last;
}

void
reader_set_heard (stele_reader_t *self)
{
    int64_t first, last, time;
    if (reader_commit_of (self, stele_record_integer (self->row, STELE_POSITION, 0), &first, &last, &time) == 1)
        stele_record_set_integer (self->row, STELE_HEARD_AT, time);
}

int64_t
stele_reader_follower (stele_reader_t *self, const char *name)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_FOLLOWER,
        "SELECT position FROM followers WHERE name = ?1");
    reader_bind_text (statement, 1, name, strlen (name));
    return reader_leave (self, reader_integer (self, statement, -1));
}
