/*  seals - the file LEDGER.seals: the roots of the complete tiles of a ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "fault/fault.h"
#include "proof/seals.h"

#define MAGIC "STELESL1"
#define HEAD_BYTES 64
#define ID_AT 12
#define MARK_BYTES 2                // Of a leaf
#define RECORD_BYTES (STELE_HASH_BYTES + STELE_TILE * MARK_BYTES)

struct stele_seals {
    char *path;
    int fd;
    unsigned char head [HEAD_BYTES];
    stele_hash_t *roots;
    size_t room;
    int64_t tiles;
};

static off_t
s_offset (int64_t tile)
{
    return (off_t) (HEAD_BYTES + tile * RECORD_BYTES);
}

static int
s_refuse (const stele_seals_t *self, stele_refusal_t *refusal, const char *what)
{
    return stele_refuse (refusal, errno == ENOSPC || errno == EDQUOT? STELE_EFULL: STELE_EIO, "seals", "cannot %s '%.300s': %s",
        what, self->path, strerror (errno));
}

//  -- open ------------------------------------------------------------------------------

static void
s_make_head (unsigned char head [HEAD_BYTES], const char *ledger_id)
{
    uint32_t tile = htole32 (STELE_TILE);
    memset (head, 0, HEAD_BYTES);
    memcpy (head, MAGIC, 8);
    memcpy (head + 8, &tile, sizeof tile);
    memcpy (head + ID_AT, ledger_id, strnlen (ledger_id, HEAD_BYTES - ID_AT - 1));
}

//  Read the roots of all whole records
static int
s_read (stele_seals_t *self, stele_refusal_t *refusal)
{
    struct stat status;
    if (fstat (self->fd, &status))
        return s_refuse (self, refusal, "read");
    int64_t tiles = (status.st_size - HEAD_BYTES) / RECORD_BYTES;
    self->roots = stele_array_must_grow (self->roots, &self->room, (size_t) tiles + 1, sizeof *self->roots);
    for (int64_t i = 0; i < tiles; i++)
        if (pread (self->fd, &self->roots [i], STELE_HASH_BYTES, s_offset (i)) != STELE_HASH_BYTES)
            return s_refuse (self, refusal, "read");
    self->tiles = tiles;
    return 0;
}

static int
s_start (stele_seals_t *self, stele_refusal_t *refusal)
{
    self->tiles = 0;
    return ftruncate (self->fd, 0) || pwrite (self->fd, self->head, HEAD_BYTES, 0) != HEAD_BYTES
        || stele_file_sync_folder (self->path)? s_refuse (self, refusal, "write"): 0;
}

static int
s_open (stele_seals_t *self, const char *ledger, bool write, stele_refusal_t *refusal)
{
    struct stat status;
    unsigned char head [HEAD_BYTES];
    mode_t mode = stat (ledger, &status) == 0? status.st_mode & 0666: 0600;
    self->fd = stele_file_open (self->path, write? O_RDWR | O_CREAT: O_RDONLY, mode);
    if (self->fd < 0)
        return errno == ENOENT? stele_refuse (refusal, STELE_ENOT_FOUND, "seals", "there is no file '%.300s'", self->path):
            s_refuse (self, refusal, "open");
    ssize_t size = pread (self->fd, head, HEAD_BYTES, 0);
    if (size < 0)
        return s_refuse (self, refusal, "read");
    if (size == HEAD_BYTES && memcmp (head, self->head, HEAD_BYTES) == 0)
        return s_read (self, refusal);
    return write? s_start (self, refusal): stele_refuse (refusal, STELE_ELEDGER, "seals",
        "'%.300s' is damaged, or belongs to another ledger", self->path);
}

stele_seals_t *
stele_seals_open (const char *ledger, const char *ledger_id, bool write, stele_refusal_t *refusal)
{
    stele_seals_t *self = STELE_NEW (stele_seals_t);
    if (asprintf (&self->path, "%s" STELE_SEALS_SUFFIX, ledger) < 0)
        abort ();
    s_make_head (self->head, ledger_id);
    if (s_open (self, ledger, write, refusal))
        stele_seals_close (&self);
    return self;
}

void
stele_seals_close (stele_seals_t **self_p)
{
    stele_seals_t *self = *self_p;
    if (!self)
        return;
    if (self->fd >= 0)
        close (self->fd);
    free (self->roots);
    free (self->path);
    free (self);
    *self_p = NULL;
}

//  -- read ------------------------------------------------------------------------------

int64_t
stele_seals_tiles (const stele_seals_t *self)
{
    return self->tiles;
}

const stele_hash_t *
stele_seals_roots (const stele_seals_t *self)
{
    return self->roots;
}

int
stele_seals_differing (const stele_seals_t *self, int64_t tile, const stele_hash_t *leaves, int count)
{
    unsigned char record [RECORD_BYTES];
    if (tile >= self->tiles || pread (self->fd, record, RECORD_BYTES, s_offset (tile)) != RECORD_BYTES)
        return -1;
    for (int i = 0; i < count; i++)
        if (memcmp (record + STELE_HASH_BYTES + i * MARK_BYTES, leaves [i].bytes, MARK_BYTES) != 0)
            return i;
    return -1;
}

//  -- write -----------------------------------------------------------------------------

int
stele_seals_cut (stele_seals_t *self, int64_t tiles, stele_refusal_t *refusal)
{
    if (tiles < self->tiles)
        self->tiles = tiles;
    return ftruncate (self->fd, s_offset (self->tiles))? s_refuse (self, refusal, "write"): 0;
}

int
stele_seals_add (stele_seals_t *self, const stele_hash_t *root, const stele_hash_t leaves [STELE_TILE],
    stele_refusal_t *refusal)
{
    unsigned char record [RECORD_BYTES];
    memcpy (record, root->bytes, STELE_HASH_BYTES);
    for (int i = 0; i < STELE_TILE; i++)
        memcpy (record + STELE_HASH_BYTES + i * MARK_BYTES, leaves [i].bytes, MARK_BYTES);
    errno = ENOSPC;                 // Of a write that takes a part of it
    if (pwrite (self->fd, record, RECORD_BYTES, s_offset (self->tiles)) != RECORD_BYTES)
        return s_refuse (self, refusal, "write");
    STELE_FAULT (seal_written);
    self->roots = stele_array_must_grow (self->roots, &self->room, (size_t) self->tiles + 2, sizeof *self->roots);
    self->roots [self->tiles++] = *root;
    return 0;
}

int
stele_seals_sync (stele_seals_t *self, stele_refusal_t *refusal)
{
    int code = fdatasync (self->fd)? s_refuse (self, refusal, "sync"): 0;
    STELE_FAULT (seal_synced);
    return code;
}
