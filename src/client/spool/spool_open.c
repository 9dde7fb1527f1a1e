/*  spool_open - find out what the file of a spool holds

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // memmem

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client/spool/spool_internal.h"

#define SEARCH_BYTES 65536

bool
stele_spool_owner (const char *path, char *producer)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_identity_t identity;
    int handle = open (path, O_RDONLY | O_CLOEXEC);
    bool known = handle >= 0
        && pread (handle, block, sizeof block, STELE_SPOOL_IDENTITY) == sizeof block
        && stele_spool_read_identity (block, &identity);
    if (handle >= 0)
        close (handle);
    if (known)
        memcpy (producer, identity.producer, sizeof identity.producer);
    return known;
}

static bool
s_read_block (const stele_spool_t *self, unsigned char *block, off_t offset)
{
    return pread (self->handle, block, STELE_SPOOL_BLOCK, offset) == STELE_SPOOL_BLOCK;
}

int
stele_spool_load (stele_spool_t *self, int64_t offset, stele_spool_record_t *record)
{
    unsigned char head [STELE_SPOOL_HEAD];
    ssize_t size = pread (self->handle, head, sizeof head, offset);
    if (size < 0)
        return STELE_EIO;
    int64_t room = self->end_offset - offset - STELE_SPOOL_HEAD;
    if (room > STELE_SPOOL_EVENT_MAX)
        room = STELE_SPOOL_EVENT_MAX;
    if (size != sizeof head || room < 0 || !stele_spool_read_head (head, room, record))
        return 0;
    if (record->size > self->buffer_size) {
        self->buffer = realloc (self->buffer, record->size);
        assert (self->buffer);
        self->buffer_size = record->size;
    }
    size = pread (self->handle, self->buffer, record->size, offset + STELE_SPOOL_HEAD);
    if (size < 0)
        return STELE_EIO;
    return size == (ssize_t) record->size
        && stele_spool_is_whole (head, self->buffer, record->size);
}

//  Behind a record that is not whole: is there a whole one that was written when the other one was
//  synced already? Then that one was not torn by a crash but damaged. 1, 0 or STELE_EIO.
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
            " number %" PRId64 " are whole, later ones are not. Move it away to begin a new one",
            self->path, offset, number - 1);
    self->end = number - 1;
    self->end_offset = offset;
    return 0;
}

int
stele_spool_scan (stele_spool_t *self, const char *producer, stele_refusal_t *refusal)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    struct stat file;
    if (fstat (self->handle, &file) != 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot read %s: %s",
            self->path, strerror (errno));
    if (!s_read_block (self, block, STELE_SPOOL_IDENTITY)
    ||  !stele_spool_read_identity (block, &self->identity))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "spool",
            "%s is not a spool, or its beginning is damaged: name another file", self->path);
    if (strcmp (self->identity.producer, producer) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "spool",
            "%s is the spool of producer %.80s, not of %.80s: a spool has one producer",
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
    //  What a crash tore off goes; what it left is made durable before more is built on it
    if (ftruncate (self->handle, self->end_offset) != 0 || fdatasync (self->handle) != 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot write %s: %s",
            self->path, strerror (errno));
    if (self->acked > self->end) {
        //  What was acked needs no record, but its numbers are not given again
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
