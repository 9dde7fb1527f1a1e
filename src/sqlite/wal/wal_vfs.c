/*  wal_vfs - VFS shim for the -wal file: coalesces writes, preallocates

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite/wal/shm_vfs.h"
#include "sqlite/wal/wal_vfs.h"

#define BUFFER_SIZE (64 * 1024)           // SQLite writes less than 128 KiB at once
#define AHEAD       (4 * BUFFER_SIZE)     // Zeros that are appended at once
#define FRAME_HEADER 24                   // Of a frame of the log, in a write of its own; no other write is as short

typedef struct {
    sqlite3_file base;
    sqlite3_file *file;             // SQLite's own, after this struct
    char *buffer;
    int used;
    sqlite3_int64 offset;           // Of the buffer in the file
    sqlite3_int64 size;             // Of the file
    sqlite3_int64 read_at;          // Offset of the last read
    bool ends;                      // The last frame that was begun ends a transaction
    bool excused;                   // The last error was one of writing zeros: no call of SQLite failed
} s_log_t;

//  After an error of a call of SQLite, its error number is the right one to report
static int
s_note (s_log_t *self, int rc)
{
    if (rc != SQLITE_OK)
        self->excused = false;
    return rc;
}

static int
s_write_through (s_log_t *self, const void *data, int size, sqlite3_int64 offset)
{
    static const char zeros [BUFFER_SIZE];
    int rc = s_note (self, self->file->pMethods->xWrite (self->file, data, size, offset));
    if (rc != SQLITE_OK || offset + size <= self->size)
        return rc;
    //  If there is no room for zeros, the commit that needs it reports so
    self->size = offset + size;
    for (sqlite3_int64 end = self->size + AHEAD; self->size < end; self->size += BUFFER_SIZE)
        if (self->file->pMethods->xWrite (self->file, zeros, BUFFER_SIZE, self->size) != SQLITE_OK) {
            self->excused = true;
            break;
        }
    return SQLITE_OK;
}

static int
s_flush (sqlite3_file *base)
{
    s_log_t *self = (s_log_t *) base;
    int used = self->used;
    //  What cannot be written is dropped: SQLite rolls back the transaction
    self->used = 0;
    return used? s_write_through (self, self->buffer, used, self->offset): SQLITE_OK;
}

//  Does that write complete the last frame of a transaction? SQLite publishes the transaction after it, with or
//  without a sync. The header of a frame has the size of the database at bytes 4 to 7, or 0 in other frames
//  (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). Its page follows, but for a transaction that wrote
//  frames again: then SQLite reads each frame and writes its header alone, with a new checksum.
static bool
s_completes (s_log_t *self, const unsigned char *data, int size, sqlite3_int64 offset)
{
    if (size != FRAME_HEADER)
        return self->ends;
    self->ends = (data [4] | data [5] | data [6] | data [7]) != 0;
    return self->ends && offset == self->read_at;
}

static int
s_write (sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    s_log_t *self = (s_log_t *) base;
    bool completes = s_completes (self, data, size, offset);
    int rc = SQLITE_OK;
    if (self->used && (offset != self->offset + self->used || size > BUFFER_SIZE - self->used))
        rc = s_flush (base);
    if (rc == SQLITE_OK && size > BUFFER_SIZE)
        return s_write_through (self, data, size, offset);
    if (rc != SQLITE_OK)
        return rc;
    if (self->used == 0)
        self->offset = offset;
    memcpy (self->buffer + self->used, data, (size_t) size);
    self->used += size;
    return completes? s_flush (base): SQLITE_OK;
}

static int
s_close (sqlite3_file *base)
{
    s_log_t *self = (s_log_t *) base;
    int rc = s_flush (base);
    int close_rc = self->file->pMethods->xClose (self->file);
    free (self->buffer);
    return rc == SQLITE_OK? close_rc: rc;
}

//  The other methods: write what is buffered, then call the method of the file
#define AFTER_FLUSH(name, parameters, arguments) \
    static int \
    name parameters \
    { \
        int rc = s_flush (base); \
        return rc == SQLITE_OK? s_note ((s_log_t *) base, ((s_log_t *) base)->file->pMethods->arguments): rc; \
    }
#define FILE_OF(base) ((s_log_t *) base)->file

AFTER_FLUSH (s_read_file, (sqlite3_file *base, void *data, int size, sqlite3_int64 offset),
    xRead (FILE_OF (base), data, size, offset))
AFTER_FLUSH (s_sync, (sqlite3_file *base, int flags), xSync (FILE_OF (base), flags))
AFTER_FLUSH (s_size, (sqlite3_file *base, sqlite3_int64 *size), xFileSize (FILE_OF (base), size))
AFTER_FLUSH (s_lock, (sqlite3_file *base, int lock), xLock (FILE_OF (base), lock))
AFTER_FLUSH (s_unlock, (sqlite3_file *base, int lock), xUnlock (FILE_OF (base), lock))
AFTER_FLUSH (s_reserved, (sqlite3_file *base, int *result), xCheckReservedLock (FILE_OF (base), result))

static int
s_read (sqlite3_file *base, void *data, int size, sqlite3_int64 offset)
{
    ((s_log_t *) base)->read_at = offset;
    return s_read_file (base, data, size, offset);
}

static int
s_control (sqlite3_file *base, int op, void *arg)
{
    s_log_t *self = (s_log_t *) base;
    int rc = s_flush (base);
    if (rc == SQLITE_OK && op == SQLITE_FCNTL_LAST_ERRNO && self->excused)
        *(int *) arg = 0;
    else
    if (rc == SQLITE_OK)
        rc = self->file->pMethods->xFileControl (self->file, op, arg);
    return rc;
}

static int
s_truncate (sqlite3_file *base, sqlite3_int64 size)
{
    s_log_t *self = (s_log_t *) base;
    int rc = s_flush (base);
    if (rc == SQLITE_OK)
        rc = s_note (self, self->file->pMethods->xTruncate (self->file, size));
    if (rc == SQLITE_OK)
        self->size = size;
    return rc;
}

static int
s_sector_size (sqlite3_file *base)
{
    return FILE_OF (base)->pMethods->xSectorSize (FILE_OF (base));
}

static int
s_characteristics (sqlite3_file *base)
{
    return FILE_OF (base)->pMethods->xDeviceCharacteristics (FILE_OF (base));
}

static const sqlite3_io_methods s_methods = {
    .iVersion = 1, .xClose = s_close, .xRead = s_read, .xWrite = s_write,
    .xTruncate = s_truncate, .xSync = s_sync, .xFileSize = s_size, .xLock = s_lock,
    .xUnlock = s_unlock, .xCheckReservedLock = s_reserved, .xFileControl = s_control,
    .xSectorSize = s_sector_size, .xDeviceCharacteristics = s_characteristics
};

//  -- the VFS ------------------------------------------------------------------------

static sqlite3_vfs s_vfs;
static sqlite3_vfs *s_real;

static int
s_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    (void) vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return s_real->xOpen (s_real, name, base, flags, out_flags);
    s_log_t *self = (s_log_t *) base;
    memset (self, 0, sizeof *self);
    self->file = (sqlite3_file *) (self + 1);
    self->buffer = malloc (BUFFER_SIZE);
    if (!self->buffer)
        return SQLITE_NOMEM;
    int rc = s_real->xOpen (s_real, name, self->file, flags, out_flags);
    if (rc == SQLITE_OK)
        rc = self->file->pMethods->xFileSize (self->file, &self->size);
    if (rc == SQLITE_OK)
        base->pMethods = &s_methods;
    else {
        if (self->file->pMethods)
            self->file->pMethods->xClose (self->file);
        free (self->buffer);
    }
    return rc;
}

static void
s_register (void)
{
    s_real = sqlite3_vfs_find (stele_shm_vfs ());
    if (!s_real)
        return;
    s_vfs = *s_real;
    s_vfs.zName = "stele";
    s_vfs.pNext = NULL;
    s_vfs.szOsFile = (int) sizeof (s_log_t) + s_real->szOsFile;
    s_vfs.xOpen = s_open;
    if (sqlite3_vfs_register (&s_vfs, 0) != SQLITE_OK)
        s_real = NULL;
}

const char *
stele_wal_vfs (void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once (&once, s_register);
    return s_real? s_vfs.zName: NULL;
}
