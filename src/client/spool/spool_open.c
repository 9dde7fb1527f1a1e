/*  spool_open - open and close a spool, and determine what its file holds

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // memmem

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "client/spool/spool_internal.h"

#define SEARCH_BYTES 65536

bool
stele_spool_owner (const char *path, char *producer)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_identity_t identity;
    int handle = stele_file_open (path, O_RDONLY, 0);
    bool known = handle >= 0
        && pread (handle, block, sizeof block, STELE_SPOOL_IDENTITY) == sizeof block
        && stele_spool_read_identity (block, &identity);
    if (handle >= 0)
        close (handle);
    if (known)
        memcpy (producer, identity.producer, sizeof identity.producer);
    return known;
}

//  -- contents of the file ---------------------------------------------------------------

static bool
s_read_block (const stele_spool_t *self, unsigned char *block, off_t offset)
{
    return pread (self->handle, block, STELE_SPOOL_BLOCK, offset) == STELE_SPOOL_BLOCK;
}

//  The record at 'offset' is not complete. Search after it for a complete one that was written
//  when that record was already synced: then a crash has not torn it, it is damaged. Returns 1, 0
//  or STELE_EIO.
static int
s_search_synced (stele_spool_t *self, int64_t offset)
{
    unsigned char bytes [SEARCH_BYTES];
    static const unsigned char magic [4] = { 's', 't', 'r', 'c' };
    for (int64_t at = offset + 1; at + STELE_SPOOL_HEAD <= self->end_offset; ) {
        ssize_t size = pread (self->handle, bytes, sizeof bytes, at);
        if (size < 0)
            return STELE_EIO;
        if (size < STELE_SPOOL_HEAD)
            return 0;
        const unsigned char *found = memmem (bytes, (size_t) size, magic, sizeof magic);
        if (!found) {
            at += size - (ssize_t) sizeof magic + 1;
            continue;
        }
        at += found - bytes;
        stele_spool_record_t record;
        int rc = stele_spool_load (self, at, &record);
        if (rc < 0)
            return rc;
        if (rc == 1 && record.synced > offset)
            return 1;
        at++;
    }
    return 0;
}

static int
s_scan_records (stele_spool_t *self, stele_refusal_t *refusal)
{
    int64_t offset = STELE_SPOOL_RECORDS;
    int64_t number = self->identity.first;
    int rc;
    self->acked_offset = offset;
    while (true) {
        stele_spool_record_t record;
        rc = stele_spool_load (self, offset, &record);
        if (rc != 1 || record.number != number)
            break;
        offset += STELE_SPOOL_HEAD + record.size;
        if (number++ <= self->acked)
            self->acked_offset = offset;
    }
    if (rc >= 0 && offset < self->end_offset)
        rc = s_search_synced (self, offset);
    if (rc < 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot read %s: %s",
            self->path, strerror (errno));
    if (rc == 1 && offset < self->end_offset)
        return stele_refuse (refusal, STELE_EIO, "spool", "%s is damaged at byte %" PRId64 ": its events up to"
            " number %" PRId64 " are intact, later ones are not. Move it away to start a new one",
            self->path, offset, number - 1);
    self->end = number - 1;
    self->end_offset = offset;
    return 0;
}

static int
s_scan (stele_spool_t *self, const char *producer, stele_refusal_t *refusal)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    struct stat file;
    if (fstat (self->handle, &file) != 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot read %s: %s",
            self->path, strerror (errno));
    if (!s_read_block (self, block, STELE_SPOOL_IDENTITY)
    ||  !stele_spool_read_identity (block, &self->identity))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "spool",
            "%s is not a spool, or its start is damaged: use another file", self->path);
    if (strcmp (self->identity.producer, producer) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "spool",
            "%s is the spool of producer %.80s, not of %.80s: use one spool per producer",
            self->path, self->identity.producer, producer);
    self->has_base = s_read_block (self, block, STELE_SPOOL_BASE)
        && stele_spool_read_base (block, &self->base);
    if (!s_read_block (self, block, STELE_SPOOL_ACKED)
    ||  !stele_spool_read_acked (block, &self->acked)
    ||  self->acked < self->identity.first - 1)
        self->acked = self->identity.first - 1;
    self->end_offset = file.st_size > STELE_SPOOL_RECORDS? file.st_size: STELE_SPOOL_RECORDS;
    int code = s_scan_records (self, refusal);
    if (code)
        return code;
    //  Cut off what a crash has torn, and sync the rest before anything is appended to it
    if (ftruncate (self->handle, self->end_offset) != 0 || fdatasync (self->handle) != 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot write %s: %s",
            self->path, strerror (errno));
    if (self->acked > self->end) {
        //  Acked events need no record, but their numbers must not be reused
        self->end = self->acked;
        self->acked_offset = self->end_offset;
        code = stele_spool_rewrite (self);
        if (code)
            return stele_refuse (refusal, code, "spool", "cannot write %s: %s",
                self->path, strerror (errno));
    }
    self->skip = self->acked;
    self->next = self->acked + 1;
    self->next_offset = self->acked_offset;
    return 0;
}

//  -- open, close -----------------------------------------------------------------------

static int
s_open (stele_spool_t *self, const char *producer, stele_refusal_t *refusal)
{
    char *name = stele_spool_join (self->path, ".lock");
    self->lock = stele_file_open (name, O_RDWR | O_CREAT, 0600);
    free (name);
    if (self->lock < 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot open %s.lock: %s",
            self->path, strerror (errno));
    if (flock (self->lock, LOCK_EX | LOCK_NB) != 0)
        return stele_refuse (refusal, STELE_EBUSY, "spool",
            "another process has the spool %s open: only one process per spool", self->path);
    self->handle = stele_file_open (self->path, O_RDWR, 0);
    if (self->handle < 0 && errno == ENOENT) {
        snprintf (self->identity.producer, sizeof self->identity.producer, "%s", producer);
        self->acked_offset = self->end_offset = STELE_SPOOL_RECORDS;
        int code = stele_spool_rewrite (self);
        if (code)
            return stele_refuse (refusal, code, "spool", "cannot create %s: %s",
                self->path, strerror (errno));
    }
    if (self->handle < 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot open %s: %s",
            self->path, strerror (errno));
    return s_scan (self, producer, refusal);
}

stele_spool_t *
stele_spool_open (const char *path, const char *producer, int64_t bytes_max,
    stele_refusal_t *refusal)
{
    stele_spool_t *self = STELE_NEW (stele_spool_t);
    self->path = stele_memory_copy (path, strlen (path));
    self->lock = self->handle = -1;
    self->bytes_max = bytes_max;
    if (s_open (self, producer, refusal)) {
        self->broken = true;
        stele_spool_close (&self);
    }
    return self;
}

void
stele_spool_close (stele_spool_t **self_p)
{
    assert (self_p);
    stele_spool_t *self = *self_p;
    if (!self)
        return;
    //  If this fails, the next run sends acked events again, as duplicates
    if (!self->broken && self->acked == self->end && self->end_offset > STELE_SPOOL_RECORDS)
        stele_spool_rewrite (self);
    stele_spool_abandon (self_p);
}

void
stele_spool_abandon (stele_spool_t **self_p)
{
    stele_spool_t *self = *self_p;
    if (!self)
        return;
    if (self->handle >= 0)
        close (self->handle);
    if (self->lock >= 0)
        close (self->lock);
    free (self->buffer);
    free (self->path);
    free (self);
    *self_p = NULL;
}
