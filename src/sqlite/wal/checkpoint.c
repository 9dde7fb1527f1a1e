/*  checkpoint - copy the write-ahead log into the database file without delaying commits

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // pthread_tryjoin_np
#endif

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/fault.h"
#include "sqlite/wal/checkpoint.h"
#include "sqlite/wal/shm_vfs.h"
#include "ledger/ledger.h"
#include "sqlite/sql/sql.h"
#include "base/clock.h"
#include "base/thread.h"
#include "stele_error.h"

#define FRAME_BYTES     (4096 + 24)
#define PAGES_LEAST     1600        // Of the longest log
//  A checkpoint starts at this part of the longest log, since it takes a moment: at full load 8,000 pages
//  are added meanwhile. The longer the log, the less often a page that changes often is copied.
#define FOLD_AT(pages)  ((pages) / 8 * 5)
#define PAGES_EARLY     1000        // Length at which it starts in idle time:
#define IDLE_US         300000      //    no commit for this long. A short gap is not the end of a load
#define PAGES_LAST      250         // The writer itself copies at most this many,
#define ROUNDS_MAX      5           //    or all that are left after so many rounds
#define PAGES_RETRY     500         // Growth before a retry, after a step that a reader blocked
#define PAGES_NO_ROOM   2500        //    and after one without room
#define SPARE_US_RETRY  2000000     // Idle time before a retry
#define NICE            10          // Of the thread, in the first round

struct stele_checkpoint {
    sqlite3 *db;
    //  Two more connections to the same file, opened when first needed:
    sqlite3 *pin;
    sqlite3_stmt *hold;             // Holds the read snapshot while it has a row
    sqlite3 *folder;                // Checkpoints, on the thread
    pthread_t thread;
    bool folding;                   // The thread runs
    int code;                       // Its result, once it has ended
    bool read_only;                 // It could not write: SQLite opened a file read-only
    char error [512];
    int pages_max;                  // Length of the log at which the writer waits for the thread
    int pages;                      // Of the log
    int pages_pinned;               // Of them in the read snapshot
    int pages_done;                 // Of them in the file, which is synced
    int pages_next;                 // A step is due at this length of the log
    int rounds;                     // Since the log was restarted
    int pages_idle;                 // Length when the caller became idle,
    int64_t idle_us;                //    and how long it has been since
    int64_t spare_us;               // Idle time of the caller since the last step
    int64_t spare_us_next;          // Needed before the next step in idle time
};

stele_checkpoint_t *
stele_checkpoint_new (sqlite3 *db, int64_t log_bytes)
{
    assert (db);
    stele_checkpoint_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    int64_t pages = log_bytes / FRAME_BYTES;
    self->pages_max = pages < PAGES_LEAST? PAGES_LEAST: pages > INT_MAX? INT_MAX: (int) pages;
    self->pages_next = FOLD_AT (self->pages_max);
    return self;
}

//  -- the other connections --------------------------------------------------------------

static sqlite3 *
s_open (stele_checkpoint_t *self, int flags)
{
    sqlite3 *db = NULL;
    const char *path = sqlite3_db_filename (self->db, "main");
    int rc = sqlite3_open_v2 (path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ());
    //  Closing it checkpoints nothing
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec (db, "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA synchronous = FULL; PRAGMA cache_size = 16;"
            //  Until its first read a connection has not noticed the log
            "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    //  Without permission or a file descriptor to write, SQLite opens a database read-only
    if (rc == SQLITE_OK && (flags == SQLITE_OPEN_READONLY || sqlite3_db_readonly (db, "main") == 0))
        return db;
    sqlite3_close (db);
    return NULL;
}

static bool
s_has_others (stele_checkpoint_t *self)
{
    if (!self->pin)
        self->pin = s_open (self, SQLITE_OPEN_READONLY);
    if (self->pin && !self->hold)
        sqlite3_prepare_v2 (self->pin, "SELECT 1 FROM sqlite_schema", -1, &self->hold, NULL);
    if (!self->folder)
        self->folder = s_open (self, SQLITE_OPEN_READWRITE);
    return self->hold && self->folder;
}

static void
s_release (stele_checkpoint_t *self)
{
    if (self->hold)
        sqlite3_reset (self->hold);
}

//  A snapshot of the whole log
static bool
s_pin (stele_checkpoint_t *self)
{
    self->pages_pinned = self->pages;
    if (sqlite3_step (self->hold) == SQLITE_ROW)
        return true;
    s_release (self);
    return false;
}

static sqlite3_file *
s_file (sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_file_control (db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    assert (file);
    return file;
}

//  -- folding ------------------------------------------------------------------------------

//  Checkpoint as far as the oldest snapshot that is being read; sets pages_done. Returns 0 or a code.
static int
s_fold (stele_checkpoint_t *self, sqlite3 *db)
{
    int rc = sqlite3_wal_checkpoint_v2 (db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &self->pages_done);
    return rc == SQLITE_OK? 0: stele_sql_error_text (db, stele_sql_code (rc), self->error, sizeof self->error);
}

//  SQLite syncs the file only with the last page of the log
static int
s_sync (stele_checkpoint_t *self, sqlite3_file *file)
{
    int rc = file->pMethods->xSync (file, SQLITE_SYNC_NORMAL);
    if (rc == SQLITE_OK)
        return 0;
    int number = 0;
    file->pMethods->xFileControl (file, SQLITE_FCNTL_LAST_ERRNO, &number);
    snprintf (self->error, sizeof self->error, "cannot sync %s: %s (errno %d, SQLite %d)",
        sqlite3_db_filename (self->folder, "main"), strerror (number), number, rc);
    return STELE_EIO;
}

static void *
s_run (void *arg)
{
    stele_checkpoint_t *self = arg;
    stele_thread_name ("checkpoint");
    //  The writer will soon wait for a later round
    if (self->rounds == 1)
        stele_thread_nice (NICE);
    self->code = s_fold (self, self->folder);
    self->read_only = self->code && (sqlite3_errcode (self->folder) & 0xFF) == SQLITE_READONLY;
    if (self->code == 0) {
        STELE_FAULT (checkpoint_copied);
        self->code = s_sync (self, s_file (self->folder));
    }
    return NULL;
}

//  Has the thread ended? 'wait': wait for it.
static bool
s_ended (stele_checkpoint_t *self, bool wait)
{
    if (self->folding) {
        int rc = wait? pthread_join (self->thread, NULL): pthread_tryjoin_np (self->thread, NULL);
        self->folding = rc != 0;
    }
    return !self->folding;
}

int
stele_checkpoint_settle (stele_checkpoint_t *self)
{
    s_ended (self, true);
    return self->read_only || stele_error_is_transient (self->code)? 0: self->code;
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
    sqlite3_close (self->folder);
    free (self);
    *self_p = NULL;
}

//  The file of the log, NULL: there is none
static sqlite3_file *
s_log (stele_checkpoint_t *self)
{
    sqlite3_file *log = NULL;
    sqlite3_file_control (self->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    return log && log->pMethods? log: NULL;
}

//  -- when -------------------------------------------------------------------------------

void
stele_checkpoint_grown (stele_checkpoint_t *self, int pages)
{
    self->pages = pages;
}

//  All of the log is in the database file, but its file is still as long as it was while a reader held it
static bool
s_is_oversized (stele_checkpoint_t *self)
{
    sqlite3_file *log = s_log (self);
    sqlite3_int64 size = 0;
    return self->pages == 0 && log && log->pMethods->xFileSize (log, &size) == SQLITE_OK
        && size > (int64_t) self->pages_max * FRAME_BYTES;
}

bool
stele_checkpoint_due (stele_checkpoint_t *self, int64_t spare_us)
{
    self->spare_us += spare_us;
    if (self->rounds)
        return s_ended (self, self->pages >= self->pages_max);
    if (self->pages != self->pages_idle)
        self->idle_us = 0;
    self->pages_idle = self->pages;
    self->idle_us += spare_us;
    bool idle = self->idle_us >= IDLE_US && self->spare_us >= self->spare_us_next;
    return self->pages >= self->pages_next || (idle && (self->pages >= PAGES_EARLY || s_is_oversized (self)));
}

bool
stele_checkpoint_ends (const stele_checkpoint_t *self)
{
    return self->rounds > 0 && self->code == 0
        && (self->pages - self->pages_done <= PAGES_LAST || self->rounds == ROUNDS_MAX
            || self->pages >= self->pages_max);
}

const char *
stele_checkpoint_error (const stele_checkpoint_t *self)
{
    return self->error;
}

//  -- the steps ----------------------------------------------------------------------------

static void
s_restart (stele_checkpoint_t *self, int pages_next, int64_t spare_us_next)
{
    self->rounds = 0;
    self->code = 0;
    self->pages_next = pages_next;
    self->spare_us_next = spare_us_next;
    self->spare_us = 0;
}

//  Back off: a reader pins the remaining frames, or the disk is full
static int
s_put_off (stele_checkpoint_t *self, int code)
{
    if (!stele_error_is_transient (code))
        return code;
    bool busy = code == 0 || code == STELE_EBUSY;
    s_restart (self, self->pages + (busy? PAGES_RETRY: PAGES_NO_ROOM), SPARE_US_RETRY);
    return busy? 0: code;
}

//  Copy the rest on the connection that commits
static int
s_end (stele_checkpoint_t *self)
{
    int code = s_fold (self, self->db);
    if (code || self->pages_done < self->pages)
        return s_put_off (self, code);
    //  All of it is in the file: the next commit restarts the log
    self->pages = 0;
    s_restart (self, FOLD_AT (self->pages_max), 0);
    return 0;
}

//  Shorten the file of the log in idle time. A commit that comes meanwhile must not wait for a reader.
static int
s_shrink (stele_checkpoint_t *self)
{
    int busy_ms = (int) stele_sql_integer (self->db, "PRAGMA busy_timeout", 0);
    sqlite3_busy_timeout (self->db, 0);
    int code = stele_checkpoint_truncate (self);
    sqlite3_busy_timeout (self->db, busy_ms);
    return code? s_put_off (self, code): 0;
}

int
stele_checkpoint_step (stele_checkpoint_t *self)
{
    s_ended (self, true);
    s_release (self);
    if (self->rounds == 0 && self->pages == 0)
        return s_shrink (self);
    if (self->read_only) {
        self->read_only = false;
        sqlite3_close (self->folder);
        self->folder = NULL;
        return s_end (self);
    }
    if (self->code || (self->rounds && self->pages_done < self->pages_pinned))
        return s_put_off (self, self->code);
    if (stele_checkpoint_ends (self) || !s_has_others (self) || !s_pin (self))
        return s_end (self);
    self->rounds++;
    if ((self->folding = stele_thread_start (&self->thread, s_run, self)))
        return 0;
    s_release (self);
    return s_end (self);
}

int
stele_checkpoint_truncate (stele_checkpoint_t *self)
{
    int code = stele_checkpoint_settle (self);
    if (code)
        return code;
    s_release (self);
    s_restart (self, FOLD_AT (self->pages_max), 0);
    int log_pages = -1, done_pages = -1;
    int rc = sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &log_pages, &done_pages);
    if (rc == SQLITE_OK || (log_pages >= 0 && done_pages == log_pages))
        self->pages = 0;            // Nothing is left to copy, even if the file could not be shortened
    return rc == SQLITE_OK? 0:
        stele_sql_error_text (self->db, stele_sql_code (rc), self->error, sizeof self->error);
}
