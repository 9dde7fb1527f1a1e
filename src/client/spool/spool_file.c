/*  spool_file - read and write the file of a spool

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "client/spool/spool_internal.h"

#define COPY_BYTES 65536

char *
stele_spool_join (const char *path, const char *suffix)
{
    size_t size = strlen (path) + strlen (suffix) + 1;
    char *name = stele_memory_new (size);
    snprintf (name, size, "%s%s", path, suffix);
    return name;
}

int
stele_spool_code (int reason)
{
    return reason == ENOSPC || reason == EDQUOT? STELE_EFULL: STELE_EIO;
}

bool
stele_spool_write (int handle, const void *data, size_t size, int64_t offset)
{
    const char *bytes = data;
    while (size > 0) {
        ssize_t written = pwrite (handle, bytes, size, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t) written;
        offset += written;
    }
    return true;
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
    if (record->size > self->buffer_size)
        self->buffer = stele_array_must_grow (self->buffer, &self->buffer_size, record->size, 1);
    size = pread (self->handle, self->buffer, record->size, offset + STELE_SPOOL_HEAD);
    if (size < 0)
        return STELE_EIO;
    return size == (ssize_t) record->size
        && stele_spool_is_whole (head, self->buffer, record->size);
}

//  -- a new file ------------------------------------------------------------------------

static bool
s_fill (const stele_spool_t *self, int handle, const stele_spool_identity_t *identity)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_pack_identity (block, identity);
    if (!stele_spool_write (handle, block, sizeof block, STELE_SPOOL_IDENTITY))
        return false;
    //  Allocate the blocks that are written later, in case the disk is full then
    memset (block, 0, sizeof block);
    if (!stele_spool_write (handle, block, sizeof block, STELE_SPOOL_ACKED))
        return false;
    if (self->has_base)
        stele_spool_pack_base (block, &self->base);
    if (!stele_spool_write (handle, block, sizeof block, STELE_SPOOL_BASE))
        return false;
    int64_t to = STELE_SPOOL_RECORDS;
    for (int64_t from = self->acked_offset; from < self->end_offset; ) {
        char bytes [COPY_BYTES];
        int64_t left = self->end_offset - from;
        ssize_t size = pread (self->handle, bytes, left < COPY_BYTES? (size_t) left: COPY_BYTES, from);
        if (size <= 0 || !stele_spool_write (handle, bytes, (size_t) size, to))
            return false;
        from += size;
        to += size;
    }
    return ftruncate (handle, to) == 0 && fsync (handle) == 0;
}

int
stele_spool_rewrite (stele_spool_t *self)
{
    stele_spool_identity_t identity = self->identity;
    identity.first = self->acked + 1;
    char *name = stele_spool_join (self->path, ".new");
    int handle = stele_file_open (name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bool done = handle >= 0 && s_fill (self, handle, &identity)
        && rename (name, self->path) == 0 && stele_file_sync_folder (self->path) == 0;
    int code = done? 0: stele_spool_code (errno);
    if (done) {
        if (self->handle >= 0)
            close (self->handle);
        self->handle = handle;
        self->identity = identity;
        int64_t shift = self->acked_offset - STELE_SPOOL_RECORDS;
        self->acked_offset -= shift;
        self->next_offset -= shift;
        self->end_offset -= shift;
    }
    else {
        if (handle >= 0)
            close (handle);
        unlink (name);
    }
    free (name);
    return code;
}
