/*  high_water - the last acked position, in a small file next to the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sqlite/sql/file_names.h"
#include "sqlite/wal/high_water.h"
#include "base/clock.h"
#include "base/file.h"
#include "wire/checksum.h"

#define BLOCKS     2
#define BLOCK_STEP 4096             // Each in its own page and disk block
#define BLOCK_SIZE 512              // Bytes of it that are written: one sector
#define SYNC_MS    1000
#define SUSPENDED  " suspended="

struct stele_high_water {
    char *path;
    int handle;                     // -1: not open
    stele_mark_t mark;              // As it was last read or written
    uint64_t turn;                  // Raised by every write: the block with the higher one is newer
    bool unsynced;
    int64_t synced_ms;
};

static int
s_code (int reason)
{
    return reason == ENOSPC || reason == EDQUOT || reason == EFBIG? STELE_EFULL: STELE_EIO;
}

static char *
s_join (const char *path, const char *suffix)
{
    size_t size = strlen (path) + strlen (suffix) + 1;
    char *name = malloc (size);
    if (name)
        snprintf (name, size, "%s%s", path, suffix);
    return name;
}

stele_high_water_t *
stele_high_water_new (const char *path)
{
    stele_high_water_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->handle = -1;
    self->path = s_join (path, STELE_HIGH_WATER_SUFFIX);
    if (!self->path)
        stele_high_water_destroy (&self);
    return self;
}

static void
s_close (stele_high_water_t *self)
{
    if (self->handle >= 0)
        close (self->handle);
    self->handle = -1;
}

void
stele_high_water_destroy (stele_high_water_t **self_p)
{
    assert (self_p);
    stele_high_water_t *self = *self_p;
    if (!self)
        return;
    stele_high_water_sync (self, true);
    s_close (self);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *
stele_high_water_path (const stele_high_water_t *self)
{
    return self->path;
}

//  -- one block: a line of text -------------------------------------

static void
s_format (const stele_mark_t *mark, uint64_t turn, char *block)
{
    memset (block, ' ', BLOCK_SIZE);
    block [BLOCK_SIZE - 1] = '\n';
    int size = snprintf (block, BLOCK_SIZE, "stele-high-water 1 ledger=%s position=%" PRId64
        " rejected=%" PRId64 " turn=%" PRIu64, mark->ledger_id, mark->position,
        mark->rejected, turn);
    if (mark->suspended)
        size += snprintf (block + size, (size_t) (BLOCK_SIZE - size), SUSPENDED "%" PRId64, mark->suspended);
    assert (size > 0 && size < BLOCK_SIZE - 20);
    uint32_t sum = stele_checksum (0, block, (size_t) size);
    size += snprintf (block + size, 20, " crc32=%08" PRIx32, sum);
    block [size] = ' ';
}

static bool
s_parse (const char *block, stele_mark_t *mark, uint64_t *turn)
{
    char text [BLOCK_SIZE + 1];
    memcpy (text, block, BLOCK_SIZE);
    text [BLOCK_SIZE] = 0;
    const char *end = strstr (text, " crc32=");
    uint32_t sum;
    const char *suspended = strstr (text, SUSPENDED);
    mark->suspended = suspended? strtoll (suspended + strlen (SUSPENDED), NULL, 10): 0;
    return end && sscanf (end, " crc32=%8" SCNx32, &sum) == 1
        && sum == stele_checksum (0, text, (size_t) (end - text))
        && sscanf (text, "stele-high-water 1 ledger=%39s position=%" SCNd64
            " rejected=%" SCNd64 " turn=%" SCNu64, mark->ledger_id, &mark->position,
            &mark->rejected, turn) == 4;
}

//  -- the file ----------------------------------------------------------------------

int
stele_high_water_read (stele_high_water_t *self, stele_mark_t *mark, stele_refusal_t *refusal)
{
    s_close (self);
    self->handle = stele_file_open (self->path, O_RDWR, 0);
    if (self->handle < 0 && errno == ENOENT)
        return 0;
    if (self->handle < 0)
        return stele_refuse (refusal, STELE_EIO, "ledger", "cannot open %s: %s",
            self->path, strerror (errno));
    bool found = false;
    for (int i = 0; i < BLOCKS; i++) {
        char block [BLOCK_SIZE];
        stele_mark_t read;
        uint64_t turn;
        ssize_t size = pread (self->handle, block, sizeof block, i * BLOCK_STEP);
        if (size < 0) {
            int reason = errno;
            s_close (self);
            return stele_refuse (refusal, STELE_EIO, "ledger", "cannot read %s: %s",
                self->path, strerror (reason));
        }
        if (size != sizeof block || !s_parse (block, &read, &turn)
        ||  (found && turn <= self->turn))
            continue;
        self->mark = read;
        self->turn = turn;
        found = true;
    }
    if (!found) {
        s_close (self);
        return stele_refuse (refusal, STELE_ELEDGER, "ledger", "%s is damaged", self->path);
    }
    *mark = self->mark;
    self->synced_ms = stele_clock_steady_ms ();
    return 1;
}

static int
s_write_new (stele_high_water_t *self, const char *name)
{
    char block [BLOCK_STEP];
    struct stat status;
    mode_t mode = stat (self->path, &status) == 0? status.st_mode & 07777: 0600;
    self->handle = stele_file_open (name, O_RDWR | O_CREAT | O_TRUNC, mode);
    if (self->handle < 0 || fchmod (self->handle, mode) != 0)
        return -1;
    for (int i = 0; i < BLOCKS; i++) {
        memset (block, ' ', sizeof block);
        block [sizeof block - 1] = '\n';
        s_format (&self->mark, ++self->turn, block);
        errno = ENOSPC;             // Reason of a short write
        if (pwrite (self->handle, block, sizeof block, i * BLOCK_STEP) != sizeof block)
            return -1;
    }
    if (fsync (self->handle) != 0 || rename (name, self->path) != 0)
        return -1;
    return stele_file_sync_folder (self->path);
}

int
stele_high_water_create (stele_high_water_t *self, const stele_mark_t *mark,
    stele_refusal_t *refusal)
{
    char *name = s_join (self->path, ".new");
    if (!name)
        return stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
    s_close (self);
    self->mark = *mark;
    self->turn = 0;
    self->unsynced = false;
    self->synced_ms = stele_clock_steady_ms ();
    int code = 0;
    if (s_write_new (self, name) != 0) {
        code = stele_refuse (refusal, s_code (errno), "ledger", "cannot write %s: %s", name, strerror (errno));
        unlink (name);
        s_close (self);
    }
    free (name);
    return code;
}

//  Over the older block
static int
s_write_mark (stele_high_water_t *self, const stele_mark_t *mark)
{
    char block [BLOCK_SIZE];
    s_format (mark, self->turn + 1, block);
    //  A new file has turn 1 in the first block and 2 in the second
    errno = EIO;                    // Reason of a short write
    if (pwrite (self->handle, block, sizeof block, (off_t) (self->turn % BLOCKS) * BLOCK_STEP)
        != sizeof block)
        return s_code (errno);
    self->mark = *mark;
    self->turn++;
    self->unsynced = true;
    return 0;
}

int
stele_high_water_set (stele_high_water_t *self, int64_t position, int64_t rejected)
{
    if (position == self->mark.position && rejected == self->mark.rejected)
        return 0;
    stele_mark_t mark = self->mark;
    mark.position = position;
    mark.rejected = rejected;
    return s_write_mark (self, &mark);
}

int
stele_high_water_suspend (stele_high_water_t *self, int64_t since)
{
    if (since == self->mark.suspended)
        return 0;
    stele_mark_t mark = self->mark;
    mark.suspended = since;
    int code = s_write_mark (self, &mark);
    return code? code: stele_high_water_sync (self, true);
}

int64_t
stele_high_water_suspended (const stele_high_water_t *self)
{
    return self->mark.suspended;
}

int
stele_high_water_sync (stele_high_water_t *self, bool now)
{
    if (!self->unsynced || self->handle < 0)
        return 0;
    int64_t now_ms = stele_clock_steady_ms ();
    if (!now && now_ms - self->synced_ms < SYNC_MS)
        return 0;
    self->synced_ms = now_ms;
    self->unsynced = false;
    return fdatasync (self->handle) == 0? 0: STELE_EIO;
}
