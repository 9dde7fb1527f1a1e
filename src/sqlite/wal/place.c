/*  place - path and lock of a ledger: one broker per file, and files that stay at their path

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/wal/hold.h"
#include "sqlite/wal/mount.h"
#include "sqlite/wal/place.h"
#include "stele_error.h"

#define NOTICES_MAX 4
#define PAGE_MAX 4096               // Of a ledger
#define ID_TRIES 20
#define LOCK_TRIES 3                // If the file is replaced at this moment

static const char *const s_suffixes [] = {
    "", STELE_WAL_SUFFIX, STELE_SHM_SUFFIX, STELE_LOCK_SUFFIX, STELE_HIGH_WATER_SUFFIX, STELE_SEARCH_SUFFIX,
    STELE_SEARCH_SUFFIX STELE_WAL_SUFFIX, STELE_SEARCH_SUFFIX STELE_SHM_SUFFIX, STELE_ROLLUP_SUFFIX,
    STELE_ROLLUP_SUFFIX STELE_WAL_SUFFIX, STELE_ROLLUP_SUFFIX STELE_SHM_SUFFIX
};
#define SUFFIXES (sizeof s_suffixes / sizeof *s_suffixes)

struct stele_place {
    char *path;
    char *log_path;                 // Of the write-ahead log
    char *lock_path;
    int lock;                       // On the lock file
    stele_hold_t *hold;             // With the lock on the database file
    bool created;
    bool watched;                   // 'log' is known
    struct stat log;
    char id [40];                   // Of the ledger; "": not known
    off_t id_offset;                // Of the page that has it
    int id_page;                    // Size of that page
    bool id_seen;                   // The page had it: from then on it always has
    off_t size;                     // Of the database file: it never shrinks
    int log_handle;                 // Reads the log; -1: not open
    char *notices [NOTICES_MAX];
    size_t notice_count, notice_next;
};

stele_place_t *
stele_place_new (const char *path)
{
    stele_place_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->lock = -1;
    self->log_handle = -1;
    self->path = strdup (path);
    if (asprintf (&self->log_path, "%s" STELE_WAL_SUFFIX, path) < 0)
        self->log_path = NULL;
    if (asprintf (&self->lock_path, "%s" STELE_LOCK_SUFFIX, path) < 0)
        self->lock_path = NULL;
    if (!self->path || !self->log_path || !self->lock_path)
        stele_place_destroy (&self);
    return self;
}

void
stele_place_destroy (stele_place_t **self_p)
{
    assert (self_p);
    stele_place_t *self = *self_p;
    if (!self)
        return;
    if (self->hold)
        stele_hold_unlock (self->hold);
    stele_hold_release (&self->hold);
    if (self->lock >= 0)
        close (self->lock);
    if (self->log_handle >= 0)
        close (self->log_handle);
    for (size_t i = 0; i < self->notice_count; i++)
        free (self->notices [i]);
    free (self->path);
    free (self->log_path);
    free (self->lock_path);
    free (self);
    *self_p = NULL;
}

const char *
stele_place_path (const stele_place_t *self)
{
    return self->path;
}

void
stele_place_note (stele_place_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *text;
    if (self->notice_count < NOTICES_MAX && vasprintf (&text, format, args) >= 0)
        self->notices [self->notice_count++] = text;
    va_end (args);
}

const char *
stele_place_notice (stele_place_t *self)
{
    return self->notice_next < self->notice_count? self->notices [self->notice_next++]: NULL;
}

//  -- the path -------------------------------------------------------------------------------

static bool
s_ends (const char *path, const char *suffix)
{
    size_t size = strlen (path), end = strlen (suffix);
    return size > end && strcmp (path + size - end, suffix) == 0;
}

//  Names that SQLite takes for something else than a file, and those of files that belong to a ledger
static int
s_check_name (const char *path, stele_refusal_t *refusal)
{
    static const char *const beside [] = {
        STELE_WAL_SUFFIX, STELE_SHM_SUFFIX, STELE_JOURNAL_SUFFIX, STELE_LOCK_SUFFIX, STELE_HIGH_WATER_SUFFIX,
        STELE_SEARCH_SUFFIX, STELE_ROLLUP_SUFFIX
    };
    if (*path == 0 || strcmp (path, ":memory:") == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger",
            "ledger takes the path of a file, not '%s': acked events must be on a disk", path);
    if (strncmp (path, "file:", 5) == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger",
            "ledger takes the path of a file, not the URI '%s': for a file of that name, write './%s'", path, path);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        if (s_ends (path, beside [i]))
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger",
                "%s has a name that ends in %s, like a file next to a ledger: choose the ledger itself, or another name",
                path, beside [i]);
    return 0;
}

//  What cannot be a ledger, or would lose its log
static int
s_check_file (const char *path, const struct stat *status, stele_refusal_t *refusal)
{
    if (!S_ISREG (status->st_mode))
        return stele_refuse (refusal, STELE_ELEDGER, "ledger", "%s is %s, not a file: add the name of a file",
            path, S_ISDIR (status->st_mode)? "a directory": "a device, pipe or socket");
    if (stele_mount_is (path))
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s is a mount point: its write-ahead log and its high-water mark would be in another directory than the"
            " file, and acked events would be lost with it. Mount the directory that holds the ledger instead"
            " (docker: -v ./data:/data, not -v ./data/stele.db:/data/stele.db)", path);
    if (status->st_nlink > 1)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s has %lu names (hard links), but its write-ahead log and its high-water mark go by one name: remove"
            " the other names (find them with 'find / -xdev -inum %llu'), or make a copy with sqlite3 and .backup",
            path, (unsigned long) status->st_nlink, (unsigned long long) status->st_ino);
    return 0;
}

static void
s_check_folder (stele_place_t *self)
{
    struct stat status;
    char *folder = stele_file_folder (self->path);
    if (folder && stat (folder, &status) == 0 && (status.st_mode & S_IWOTH) && !(status.st_mode & S_ISVTX))
        stele_place_note (self, "every user may remove or replace the ledger %s, since its directory has mode %04o: chmod o-w it",
            self->path, (unsigned) status.st_mode & 07777);
    free (folder);
}

static int
s_refuse_open (const char *path, int error, stele_refusal_t *refusal)
{
    char reason [320];
    stele_file_reason (path, error, reason, sizeof reason);
    int code = error == ENOSPC || error == EDQUOT? STELE_EFULL: error == ENOMEM? STELE_ENO_MEMORY: STELE_EIO;
    return stele_refuse (refusal, code, "ledger",
        "cannot open %s: %s%s", path, reason, error == EACCES || error == EROFS?
            "; the broker must be able to write the ledger and to create files next to it": "");
}

//  -- the locks ------------------------------------------------------------------------------

static int
s_refuse_locked (const char *path, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_EBUSY, "ledger",
        "another broker has %s open: only one broker per ledger", path);
}

static int
s_lock_name (stele_place_t *self, mode_t mode, stele_refusal_t *refusal)
{
    self->lock = stele_file_open (self->lock_path, O_RDWR | O_CREAT, mode);
    if (self->lock < 0)
        return s_refuse_open (self->lock_path, errno, refusal);
    if (flock (self->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK? s_refuse_locked (self->path, refusal):
        stele_refuse (refusal, STELE_EIO, "ledger", "cannot lock %s: %s", self->lock_path, strerror (errno));
}

//  Open the file, or create it. Nothing of this process has a new file open, so closing it is safe.
static int
s_create (stele_place_t *self, mode_t mode, stele_refusal_t *refusal)
{
    int handle = stele_file_open (self->path, O_RDWR | O_CREAT | O_EXCL, mode);
    if (handle < 0)
        return errno == EEXIST? 0: s_refuse_open (self->path, errno, refusal);
    self->created = true;
    fchmod (handle, mode);          // Whatever the umask
    close (handle);
    return 0;
}

static int
s_lock_file (stele_place_t *self, mode_t mode, stele_refusal_t *refusal)
{
    int error = 0;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int code = s_create (self, mode, refusal);
        if (code)
            return code;
        self->hold = stele_hold_take (self->path);
        if (self->hold && stele_hold_lock (self->hold, self->path) == 0)
            return 0;
        error = errno;
        stele_hold_release (&self->hold);
        if (error == EAGAIN)
            return s_refuse_locked (self->path, refusal);
        if (error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK)
            return stele_refuse (refusal, STELE_EIO, "ledger", "cannot lock %s: %s: its file system has no locks that "
                "belong to an open file (fcntl, F_OFD_SETLK), without which two brokers could write it. Put the ledger "
                "on a local disk (ext4, xfs, btrfs)", self->path, strerror (error));
        if (error != ESTALE && error != ENOENT)
            return s_refuse_open (self->path, error, refusal);
    }
    //  A symbolic link to a folder that does not exist, or a file that another program replaces all the time
    return s_refuse_open (self->path, error, refusal);
}

int
stele_place_claim (stele_place_t *self, mode_t mode, stele_refusal_t *refusal)
{
    struct stat status;
    int code = s_check_name (self->path, refusal);
    if (code == 0 && stat (self->path, &status) == 0)
        code = s_check_file (self->path, &status, refusal);
    else
    if (code == 0 && errno != ENOENT)
        code = s_refuse_open (self->path, errno, refusal);
    if (code == 0)
        code = s_lock_name (self, mode, refusal);
    if (code == 0)
        code = s_lock_file (self, mode, refusal);
    if (code == 0)
        s_check_folder (self);
    if (code)
        stele_place_discard (self);
    return code;
}

void
stele_place_discard (stele_place_t *self)
{
    struct stat status;
    if (!self->created || stat (self->path, &status) != 0 || status.st_size > 0)
        return;
    unlink (self->path);
    if (self->lock >= 0)
        unlink (self->lock_path);
}

void
stele_place_remove (stele_place_t *self)
{
    for (size_t i = 0; self->created && i < SUFFIXES; i++) {
        char *name;
        if (asprintf (&name, "%s%s", self->path, s_suffixes [i]) < 0)
            continue;
        unlink (name);
        free (name);
    }
}

//  -- modes ----------------------------------------------------------------------------------

static void
s_set_mode (stele_place_t *self, const char *suffix, mode_t mode)
{
    char *name;
    struct stat status;
    if (asprintf (&name, "%s%s", self->path, suffix) < 0)
        return;
    bool other = stat (name, &status) == 0 && S_ISREG (status.st_mode) && (status.st_mode & 07777) != mode;
    if (other && chmod (name, mode) == 0 && *suffix == 0 && !self->created)
        stele_place_note (self, "the mode of %s and of the files next to it was changed from %04o to %04o (setting "
            "file-mode): programs that read them as another user need a wider one", name,
            (unsigned) status.st_mode & 07777, (unsigned) mode);
    else
    if (other && stat (name, &status) == 0 && (status.st_mode & 07777) != mode)
        stele_place_note (self, "cannot change the mode of %s from %04o to %04o (setting file-mode): %s", name,
            (unsigned) status.st_mode & 07777, (unsigned) mode, strerror (errno));
    free (name);
}

void
stele_place_settle (stele_place_t *self, mode_t mode)
{
    for (size_t i = 0; i < SUFFIXES; i++)
        s_set_mode (self, s_suffixes [i], mode);
    self->watched = stat (self->log_path, &self->log) == 0;
    if (self->watched && self->log_handle < 0)
        self->log_handle = stele_file_open (self->log_path, O_RDONLY, 0);
}

//  -- is it still there? -----------------------------------------------------------------

static bool
s_same (const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

//  1: there is such a file, 0: there is none, -1: this cannot be found out now
static int
s_look (const char *path, struct stat *status)
{
    if (stat (path, status) == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR? 0: -1;
}

void
stele_place_set_log_aside (const stele_place_t *self)
{
    struct stat status;
    char name [PATH_MAX + 32];
    if (s_look (self->path, &status) == 1 && stele_hold_is (self->hold, &status))
        return;
    if (!self->watched || s_look (self->log_path, &status) != 1 || !s_same (&status, &self->log))
        return;
    snprintf (name, sizeof name, "%s.displaced", self->log_path);
    if (rename (self->log_path, name) == 0) {
        snprintf (name, sizeof name, "%s" STELE_SHM_SUFFIX, self->path);
        unlink (name);
    }
}

void
stele_place_identify (stele_place_t *self, const char *id, int64_t page, int page_size)
{
    snprintf (self->id, sizeof self->id, "%s", id);
    self->id_offset = (off_t) (page - 1) * page_size;
    self->id_page = page_size <= PAGE_MAX? page_size: 0;
    self->id_seen = false;
}

static bool
s_has_id (const stele_place_t *self)
{
    char page [PAGE_MAX];
    ssize_t count = pread (stele_hold_handle (self->hold), page, (size_t) self->id_page, self->id_offset);
    return count < 0 || memmem (page, (size_t) count, self->id, strlen (self->id));
}

//  Another ledger, or an older copy of this one, was written over the file. A checkpoint may write the page
//  that has the id at this moment: then it is there a moment later.
static bool
s_is_other (stele_place_t *self)
{
    struct stat status;
    if (fstat (stele_hold_handle (self->hold), &status) != 0 || self->id_page == 0)
        return false;
    if (status.st_size < self->size)
        return true;
    self->size = status.st_size;
    bool has = s_has_id (self);
    for (int i = 0; self->id_seen && !has && i < ID_TRIES; i++) {
        poll (NULL, 0, 1);
        has = s_has_id (self);
    }
    bool was = self->id_seen;
    self->id_seen |= has;
    return was && !has;
}

//  Both files begin with words that SQLite never changes. A log that is empty has none.
//  Sources: sqlite.org/fileformat.html 1.3.1, sqlite.org/walformat.html 2
bool
stele_place_overwritten (stele_place_t *self, char *text, size_t size)
{
    char begin [16];
    ssize_t count = pread (stele_hold_handle (self->hold), begin, sizeof begin, 0);
    bool database = count < 0 || (count == sizeof begin && memcmp (begin, "SQLite format 3", sizeof begin) == 0);
    count = self->log_handle >= 0? pread (self->log_handle, begin, 4, 0): 0;
    bool log = count <= 0 || (count == 4 && memcmp (begin, "\x37\x7f\x06", 3) == 0 && (begin [3] & ~1) == '\x82');
    if (database && log && !s_is_other (self))
        return false;
    snprintf (text, size, "%s was overwritten while the broker was using it: restore it from a backup",
        database && !log? self->log_path: self->path);
    return true;
}

bool
stele_place_verify (const stele_place_t *self, char *text, size_t size)
{
    struct stat status;
    int there = s_look (self->path, &status);
    if (there < 0)
        return true;                // Permission, I/O: no sign that a file was removed
    if (there && stele_hold_is (self->hold, &status)) {
        there = self->watched? s_look (self->log_path, &status): -1;
        if (there < 0 || (there && s_same (&status, &self->log)))
            return true;
        snprintf (text, size, "%s was %s while the broker was using it", self->log_path,
            there? "replaced by another file": "removed or moved");
        return false;
    }
    snprintf (text, size, "%s was %s while the broker was using it", self->path,
        there? "replaced by another file": "removed or moved");
    return false;
}

bool
stele_place_moved (const stele_place_t *self, char *path, size_t size)
{
    char link [64], log [PATH_MAX + 8], target [PATH_MAX];
    struct stat status;
    snprintf (link, sizeof link, "/proc/self/fd/%d", stele_hold_handle (self->hold));
    ssize_t length = readlink (link, target, sizeof target - 1);
    if (length < 0)
        return false;
    target [length] = 0;
    if (strcmp (target, self->path) == 0 || stat (target, &status) != 0 || !stele_hold_is (self->hold, &status))
        return false;
    snprintf (log, sizeof log, "%s" STELE_WAL_SUFFIX, target);
    if (self->watched && (stat (log, &status) != 0 || !s_same (&status, &self->log)))
        return false;
    snprintf (path, size, "%s", target);
    return true;
}
