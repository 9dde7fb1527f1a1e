/*  rescue - save a ledger whose files were removed, replaced or moved while it was open

    SQLite still has the removed files open, so until it closes them everything can be read: the backup API
    copies it to a new file next to the old path. A high-water mark at the old path keeps the next
    start from beginning a new, empty ledger there.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "ledger/process.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/write/ledger_internal.h"

#define PAGES_PER_STEP 1000         // Copied between two signs of life
#define STAMP_SIZE 16               // Of a time as in 20260302T090000Z

static atomic_int s_state;

int
stele_ledger_rescue_state (void)
{
    return atomic_load (&s_state);
}

bool
stele_ledger_in_place (stele_ledger_t *self)
{
    if (!stele_place_verify (self->place, self->error, sizeof self->error))
        self->displaced = true;
    else
    if (!stele_place_overwritten (self->place, self->error, sizeof self->error))
        return true;
    self->broken = true;
    return false;
}

static int
s_copy_pages (stele_ledger_t *self, sqlite3 *copy, stele_rescue_fn *fn, void *arg)
{
    sqlite3_backup *backup = sqlite3_backup_init (copy, "main", self->db, "main");
    if (!backup)
        return sqlite3_errcode (copy);
    while (sqlite3_backup_step (backup, PAGES_PER_STEP) == SQLITE_OK)
        fn (arg);
    return sqlite3_backup_finish (backup);
}

//  Copy the ledger to a new file. Returns 0, or a code with the reason in 'reason'.
static int
s_copy (stele_ledger_t *self, const char *name, stele_rescue_fn *fn, void *arg, char *reason, size_t size)
{
    sqlite3 *copy = NULL;
    int handle = stele_file_open (name, O_RDWR | O_CREAT | O_EXCL, self->file_mode);
    if (handle < 0) {
        stele_file_reason (name, errno, reason, size);
        return STELE_EIO;
    }
    close (handle);
    int rc = sqlite3_open_v2 (name, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = s_copy_pages (self, copy, fn, arg);
    int code = stele_sql_code (rc);
    if (code)
        stele_sql_error_text (copy, code, reason, size);
    sqlite3_close (copy);
    return code;
}

//  Copy to a name of its own first: a copy that was interrupted must not pass for a whole one
static int
s_save (stele_ledger_t *self, const char *name, stele_rescue_fn *fn, void *arg, char *reason, size_t size)
{
    char part [PATH_MAX + 8];
    snprintf (part, sizeof part, "%s.part", name);
    int code = *name? s_copy (self, part, fn, arg, reason, size): STELE_EIO;
    if (code == 0 && (rename (part, name) != 0 || stele_file_sync_folder (name) != 0)) {
        stele_file_reason (name, errno, reason, size);
        code = STELE_EIO;
    }
    if (code)
        unlink (part);
    return code;
}

char *
stele_ledger_rescued_copy (const char *path)
{
    const char *slash = strrchr (path, '/');
    const char *base = slash? slash + 1: path;
    size_t size = strlen (base), end = strlen (STELE_RESCUED_SUFFIX);
    char newest [NAME_MAX + 1] = "", *name = NULL;
    char *folder = stele_file_folder (path);
    DIR *entries = folder? opendir (folder): NULL;
    struct dirent *entry;
    while (entries && (entry = readdir (entries)))
        if (strncmp (entry->d_name, base, size) == 0 && strncmp (entry->d_name + size, STELE_RESCUED_SUFFIX, end) == 0
        &&  strlen (entry->d_name) == size + end + STAMP_SIZE && strcmp (entry->d_name, newest) > 0)
            snprintf (newest, sizeof newest, "%s", entry->d_name);
    if (entries)
        closedir (entries);
    if (*newest && asprintf (&name, "%s/%s", folder, newest) < 0)
        name = NULL;
    free (folder);
    return name;
}

//  A mark at the old path, unless one is still there
static void
s_leave_mark (stele_ledger_t *self)
{
    stele_mark_t mark = { .position = self->head, .rejected = self->rejected,
        .suspended = stele_high_water_suspended (self->high_water) };
    snprintf (mark.ledger_id, sizeof mark.ledger_id, "%s", self->id);
    if (access (stele_high_water_path (self->high_water), F_OK) != 0)
        stele_high_water_create (self->high_water, &mark, NULL);
}

bool
stele_ledger_begin_rescue (const stele_ledger_t *self)
{
    if (self->displaced)
        atomic_store (&s_state, 1);
    return self->displaced;
}

static void
s_rescue (stele_ledger_t *self, stele_rescue_fn *fn, void *arg, char *text, size_t size)
{
    char name [PATH_MAX], moved [PATH_MAX], reason [320] = "", stamp [32];
    const char *path = stele_place_path (self->place);
    //  The open transaction of mode redis: its events are in Redis, and written at the next start
    if (!sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, "ROLLBACK");
    char *folder = stele_file_folder (path);
    if (folder)
        mkdir (folder, 0700);       // If it was removed, too
    free (folder);
    s_leave_mark (self);
    if (stele_place_moved (self->place, moved, sizeof moved)) {
        snprintf (text, size, "the whole ledger is now %s: move it back, or start with --ledger %s", moved, moved);
        return;
    }
    time_t now = time (NULL);
    struct tm tm;
    strftime (stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r (&now, &tm));
    if (snprintf (name, sizeof name, "%s" STELE_RESCUED_SUFFIX "%s", path, stamp) >= (int) sizeof name)
        name [0] = 0;
    if (s_save (self, name, fn, arg, reason, sizeof reason) == 0) {
        stele_place_set_log_aside (self->place);
        snprintf (text, size, "every acked event was saved in %s: to continue with it, remove %s, %s" STELE_WAL_SUFFIX
            " and %s" STELE_SHM_SUFFIX ", and rename it to %s; to start an empty ledger instead, remove %s",
            name, path, path, path, path, stele_high_water_path (self->high_water));
    }
    else
        snprintf (text, size, "the events could not be saved in %s (%s): restore %s from a backup", name, reason, path);
}

bool
stele_ledger_rescue (stele_ledger_t *self, stele_rescue_fn *fn, void *arg, char *text, size_t size)
{
    if (!stele_ledger_begin_rescue (self))
        return false;
    s_rescue (self, fn, arg, text, size);
    atomic_store (&s_state, 2);
    return true;
}
