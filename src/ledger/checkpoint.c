/*  checkpoint - fold the write-ahead log into the file, without holding up commits

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // pthread_tryjoin_np
#endif

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/fault.h"
#include "ledger/checkpoint.h"
#include "ledger/sql.h"
#include "model/clock.h"
#include "stele_error.h"

//  Pages of 4 KiB that the log has grown by, when the next step is due. SQLite's own rule is
//  1,000; more of them are fewer copies of a page that changes often, and a longer step.
#define PAGES_FOLD      4000
#define PAGES_EARLY     1000        // Where there is time to spare
#define PAGES_LAST      500         // So few may be left for the last step,
#define ROUNDS_MAX      4           // unless that takes too long to come about
#define PAGES_MAX       10000       // A log of that length waits for the sync
#define PAGES_RETRY     2500
#define SPARE_US_RETRY  2000000     // After a step that could not do all

//  Bytes of the memory that SQLite shares beside the log: of its first region, of the two copies of
//  its header
#define INDEX_REGION    32768
#define INDEX_HEADERS   96

struct stele_checkpoint {
    sqlite3 *db;
    sqlite3 *pin;                   // A reader of the same file, made when first needed:
    sqlite3_stmt *hold;             // while it has a row of this, the log is not begun anew
    sqlite3_file *file;
    pthread_t syncer;
    bool syncing;                   // There is a syncer
    int sync_rc;                    // What became of it, once it has ended
    char error [512];
    int pages;                      // Of the log
    int pages_copied;               // Of them in the file
    int pages_next;                 // A step is due when the log is that long
    int rounds;                     // Copies of this log without an end
    int64_t spare_us;               // That the caller had since the last step
    int64_t spare_us_next;          // A step is due early when it had that
};

stele_checkpoint_t *
stele_checkpoint_new (sqlite3 *db)
{
    assert (db);
    stele_checkpoint_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    self->pages_next = PAGES_FOLD;
    sqlite3_file_control (db, "main", SQLITE_FCNTL_FILE_POINTER, &self->file);
    assert (self->file);
    return self;
}

//  -- the reader that keeps the log from beginning anew --------------------------------

static void
s_let_go (stele_checkpoint_t *self)
{
    if (self->hold)
        sqlite3_reset (self->hold);
}

//  Read-only, and closing it checkpoints nothing
static int
s_open_pin (stele_checkpoint_t *self)
{
    const char *path = sqlite3_db_filename (self->db, "main");
    int rc = sqlite3_open_v2 (path, &self->pin, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_db_config (self->pin, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = sqlite3_exec (self->pin, "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA cache_size = 16", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2 (self->pin, "SELECT 1 FROM sqlite_schema", -1, &self->hold, NULL);
    if (rc != SQLITE_OK) {
        sqlite3_close (self->pin);
        self->pin = NULL;
    }
    return rc;
}

//  A snapshot of the whole log. False: it is folded in the ordinary way then.
static bool
s_pin (stele_checkpoint_t *self)
{
    if (!self->pin && s_open_pin (self) != SQLITE_OK)
        return false;
    if (sqlite3_step (self->hold) == SQLITE_ROW)
        return true;
    s_let_go (self);
    return false;
}

//  -- the thread that syncs ------------------------------------------------------------

static void *
s_run_syncer (void *arg)
{
    stele_checkpoint_t *self = arg;
    self->sync_rc = self->file->pMethods->xSync (self->file, SQLITE_SYNC_NORMAL);
    return NULL;
}

//  No signal of the process is for this thread. Where there is none it is done at once.
static void
s_start_syncer (stele_checkpoint_t *self)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    self->syncing = pthread_create (&self->syncer, NULL, s_run_syncer, self) == 0;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (!self->syncing)
        s_run_syncer (self);
}

//  Has it ended? 'wait': then it has.
static bool
s_sync_ended (stele_checkpoint_t *self, bool wait)
{
    if (self->syncing) {
        int rc = wait? pthread_join (self->syncer, NULL): pthread_tryjoin_np (self->syncer, NULL);
        self->syncing = rc != 0;
    }
    return !self->syncing;
}

int
stele_checkpoint_settle (stele_checkpoint_t *self)
{
    s_sync_ended (self, true);
    if (self->sync_rc == SQLITE_OK)
        return 0;
    int number = 0;
    self->file->pMethods->xFileControl (self->file, SQLITE_FCNTL_LAST_ERRNO, &number);
    snprintf (self->error, sizeof self->error, "cannot sync %s: %s (errno %d, SQLite %d)",
        sqlite3_db_filename (self->db, "main"), strerror (number), number, self->sync_rc);
    return STELE_EIO;
}

//  Without its header the memory is made anew from the log by who looks next
//  (https://sqlite.org/walformat.html, "The WAL-Index File Format"). Behind the lock of those that write:
//  who only reads copes with a header that changes.
int
stele_checkpoint_forget (stele_checkpoint_t *self, int busy_ms)
{
    const sqlite3_io_methods *methods = self->file->pMethods;
    void volatile *memory = NULL;
    int rc = methods->xShmMap (self->file, 0, INDEX_REGION, 0, &memory);
    if (rc == SQLITE_OK && !memory)
        return 0;                   // A new one
    int64_t until_ms = stele_clock_steady_ms () + busy_ms;
    while (rc == SQLITE_OK
    && (rc = methods->xShmLock (self->file, 0, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)) == SQLITE_BUSY
    &&  stele_clock_steady_ms () < until_ms) {
        sqlite3_sleep (10);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK)
        return stele_sql_code (rc);
    memset ((void *) memory, 0, INDEX_HEADERS);
    methods->xShmBarrier (self->file);
    methods->xShmLock (self->file, 0, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return 0;
}

void
stele_checkpoint_destroy (stele_checkpoint_t **self_p)
{
    assert (self_p);
    stele_checkpoint_t *self = *self_p;
    if (!self)
        return;
    stele_checkpoint_settle (self);
    sqlite3_finalize (self->hold);
    sqlite3_close (self->pin);
    free (self);
    *self_p = NULL;
}

//  -- when -------------------------------------------------------------------------------

void
stele_checkpoint_grown (stele_checkpoint_t *self, int pages)
{
    self->pages = pages;
}

bool
stele_checkpoint_due (stele_checkpoint_t *self, int64_t spare_us)
{
    self->spare_us += spare_us;
    if (self->rounds)
        return s_sync_ended (self, self->pages >= PAGES_MAX);
    return self->pages >= self->pages_next
        || (self->pages >= PAGES_EARLY && self->spare_us >= self->spare_us_next);
}

bool
stele_checkpoint_ends (const stele_checkpoint_t *self)
{
    return self->rounds > 0 && self->sync_rc == SQLITE_OK
        && (self->pages - self->pages_copied <= PAGES_LAST || self->rounds == ROUNDS_MAX
            || self->pages >= PAGES_MAX);
}

const char *
stele_checkpoint_error (const stele_checkpoint_t *self)
{
    return self->error;
}

//  -- the steps ----------------------------------------------------------------------------

static void
s_begin_anew (stele_checkpoint_t *self, int pages_next, int64_t spare_us_next)
{
    self->rounds = 0;
    self->pages_copied = 0;
    self->pages_next = pages_next;
    self->spare_us_next = spare_us_next;
    self->spare_us = 0;
}

//  One checkpoint. Returns 0, 1 where something is left, or a code. Where a reader holds the rest, or
//  there is no room, it is tried later, not again with every commit.
static int
s_fold (stele_checkpoint_t *self)
{
    int log_pages = 0, done_pages = 0;
    int rc = sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done_pages);
    if (rc == SQLITE_OK && done_pages == log_pages)
        return 0;
    int code = rc == SQLITE_OK? 0: stele_sql_trouble (self->db, stele_sql_code (rc), self->error, sizeof self->error);
    s_let_go (self);
    s_begin_anew (self, self->pages + PAGES_RETRY, SPARE_US_RETRY);
    return code == 0 || code == STELE_EBUSY? 1: code;
}

//  Whether a checkpoint syncs is the connection's setting, as it is for commits: so it has to be
//  what it was before anything else is done
static int
s_fold_unsynced (stele_checkpoint_t *self)
{
    int code = stele_sql_exec (self->db, "PRAGMA synchronous = OFF");
    if (code)
        return stele_sql_trouble (self->db, code, self->error, sizeof self->error);
    code = s_fold (self);
    if (stele_sql_exec (self->db, STELE_CONTROL (sync_normal)?
        "PRAGMA synchronous = NORMAL": "PRAGMA synchronous = FULL")) {
        snprintf (self->error, sizeof self->error, "SQLite does not sync commits any more: %s",
            sqlite3_errmsg (self->db));
        return STELE_EIO;
    }
    return code;
}

static int
s_end (stele_checkpoint_t *self, int64_t begun_us)
{
    int code = s_fold (self);
    if (code)
        return code < 0? code: 0;
    //  All of it is in the file: the next commit begins the log anew
    self->pages = 0;
    s_begin_anew (self, PAGES_FOLD, stele_clock_steady_us () - begun_us);
    return 0;
}

static int
s_copy (stele_checkpoint_t *self)
{
    int code = s_fold_unsynced (self);
    if (code)
        return code < 0? code: 0;
    self->pages_copied = self->pages;
    self->rounds++;
    STELE_FAULT (checkpoint_copied);
    s_start_syncer (self);
    return 0;
}

int
stele_checkpoint_step (stele_checkpoint_t *self)
{
    int64_t begun_us = stele_clock_steady_us ();
    int code = stele_checkpoint_settle (self);
    if (code)
        return code;
    bool ends = stele_checkpoint_ends (self);
    //  Nobody commits between these two
    s_let_go (self);
    return ends || !s_pin (self)? s_end (self, begun_us): s_copy (self);
}

int
stele_checkpoint_truncate (stele_checkpoint_t *self)
{
    int code = stele_checkpoint_settle (self);
    if (code)
        return code;
    s_let_go (self);
    s_begin_anew (self, PAGES_FOLD, 0);
    int rc = sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK)
        self->pages = 0;
    return rc == SQLITE_OK? 0:
        stele_sql_trouble (self->db, stele_sql_code (rc), self->error, sizeof self->error);
}
