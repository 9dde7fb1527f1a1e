/*  spool - events on the producer's own disk until a broker has acked them

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
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/file.h"
#include "client/spool/spool_internal.h"

#define SETTLED_BYTES_MAX 1048576   // Settled events that may lie in the file
#define COPY_BYTES        65536

static char *
s_join (const char *path, const char *suffix)
{
    size_t size = strlen (path) + strlen (suffix) + 1;
    char *name = malloc (size);
    assert (name);
    snprintf (name, size, "%s%s", path, suffix);
    return name;
}

static bool
s_write (int handle, const void *data, size_t size, int64_t offset)
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

static int
s_code (int reason)
{
    return reason == ENOSPC || reason == EDQUOT? STELE_EFULL: STELE_EIO;
}

//  -- a new file ------------------------------------------------------------------------

static bool
s_fill (const stele_spool_t *self, int handle, const stele_spool_identity_t *identity)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_pack_identity (block, identity);
    if (!s_write (handle, block, sizeof block, STELE_SPOOL_IDENTITY))
        return false;
    //  The blocks that are written later are there, for a disk that is full then
    memset (block, 0, sizeof block);
    if (!s_write (handle, block, sizeof block, STELE_SPOOL_ACKED))
        return false;
    if (self->has_base)
        stele_spool_pack_base (block, &self->base);
    if (!s_write (handle, block, sizeof block, STELE_SPOOL_BASE))
        return false;
    int64_t to = STELE_SPOOL_RECORDS;
    for (int64_t from = self->acked_offset; from < self->end_offset; ) {
        char bytes [COPY_BYTES];
        int64_t left = self->end_offset - from;
        ssize_t size = pread (self->handle, bytes, left < COPY_BYTES? (size_t) left: COPY_BYTES, from);
        if (size <= 0 || !s_write (handle, bytes, (size_t) size, to))
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
    char *name = s_join (self->path, ".new");
    int handle = open (name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = handle >= 0 && s_fill (self, handle, &identity)
        && rename (name, self->path) == 0 && stele_file_sync_folder (self->path) == 0;
    int code = done? 0: s_code (errno);
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

//  -- open, close -----------------------------------------------------------------------

static int
s_open (stele_spool_t *self, const char *producer, stele_refusal_t *refusal)
{
    char *name = s_join (self->path, ".lock");
    self->lock = open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free (name);
    if (self->lock < 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot open %s.lock: %s",
            self->path, strerror (errno));
    if (flock (self->lock, LOCK_EX | LOCK_NB) != 0)
        return stele_refuse (refusal, STELE_EBUSY, "spool",
            "another process has the spool %s open: one process a spool", self->path);
    self->handle = open (self->path, O_RDWR | O_CLOEXEC);
    if (self->handle < 0 && errno == ENOENT) {
        snprintf (self->identity.producer, sizeof self->identity.producer, "%s", producer);
        self->acked_offset = self->end_offset = STELE_SPOOL_RECORDS;
        int code = stele_spool_rewrite (self);
        if (code)
            return stele_refuse (refusal, code, "spool", "cannot make %s: %s",
                self->path, strerror (errno));
    }
    if (self->handle < 0)
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot open %s: %s",
            self->path, strerror (errno));
    return stele_spool_scan (self, producer, refusal);
}

stele_spool_t *
stele_spool_open (const char *path, const char *producer, int64_t bytes_max,
    stele_refusal_t *refusal)
{
    stele_spool_t *self = calloc (1, sizeof *self);
    assert (self);
    self->path = strdup (path);
    assert (self->path);
    self->lock = self->handle = -1;
    self->bytes_max = bytes_max;
    if (s_open (self, producer, refusal)) {
        self->broken = true;
        stele_spool_close (&self);
    }
    return self;
}

static bool
s_keep_acked (stele_spool_t *self)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_pack_acked (block, self->acked);
    return s_write (self->handle, block, sizeof block, STELE_SPOOL_ACKED);
}

void
stele_spool_close (stele_spool_t **self_p)
{
    assert (self_p);
    stele_spool_t *self = *self_p;
    if (!self)
        return;
    //  If this fails, the next run sends again what was acked, and is told so
    if (!self->broken && self->acked == self->end && self->end_offset > STELE_SPOOL_RECORDS)
        stele_spool_rewrite (self);
    if (self->handle >= 0)
        close (self->handle);
    if (self->lock >= 0)
        close (self->lock);
    free (self->buffer);
    free (self->path);
    free (self);
    *self_p = NULL;
}

//  -- events ----------------------------------------------------------------------------

static unsigned char *
s_pack_records (const stele_spool_t *self, const stele_spool_event_t *events, size_t count,
    size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < count; i++)
        *size += STELE_SPOOL_HEAD + events [i].size;
    unsigned char *bytes = malloc (*size);
    assert (bytes);
    unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++) {
        stele_spool_record_t record = {
            .size = (uint32_t) events [i].size,
            .number = self->end + 1 + (int64_t) i,
            .synced = self->end_offset
        };
        stele_spool_pack_head (at, &record, events [i].data);
        memcpy (at + STELE_SPOOL_HEAD, events [i].data, events [i].size);
        at += STELE_SPOOL_HEAD + events [i].size;
    }
    return bytes;
}

int
stele_spool_append (stele_spool_t *self, const stele_spool_event_t *events, size_t count,
    stele_refusal_t *refusal)
{
    int64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += STELE_SPOOL_HEAD + (int64_t) events [i].size;
    int64_t waiting = self->end_offset - self->acked_offset;
    if (waiting + size > self->bytes_max)
        return stele_refuse (refusal, STELE_EFULL, "spool", "the spool %s is full: %" PRId64 " bytes wait in it"
            " for a broker, the bound is %" PRId64, self->path, waiting, self->bytes_max);
    if (self->broken)
        return stele_refuse (refusal, STELE_EIO, "spool",
            "writing the spool %s failed before: check the disk, and open it again", self->path);
    size_t written;
    unsigned char *bytes = s_pack_records (self, events, count, &written);
    bool done = s_write (self->handle, bytes, written, self->end_offset);
    int reason = errno;
    free (bytes);
    if (!done) {
        //  As if it had not been tried
        self->broken = ftruncate (self->handle, self->end_offset) != 0;
        return stele_refuse (refusal, s_code (reason), "spool", "cannot write the spool %s: %s",
            self->path, strerror (reason));
    }
    if (fdatasync (self->handle) != 0) {
        self->broken = true;
        return stele_refuse (refusal, STELE_EIO, "spool", "cannot sync the spool %s: %s",
            self->path, strerror (errno));
    }
    self->end += (int64_t) count;
    self->end_offset += (int64_t) written;
    return 0;
}

int64_t
stele_spool_end (const stele_spool_t *self)
{
    return self->end - self->skip;
}

bool
stele_spool_next (stele_spool_t *self, const void **data, size_t *size, stele_refusal_t *refusal)
{
    refusal->code = 0;
    if (self->next > self->end)
        return false;
    if (!self->loaded) {
        int rc = stele_spool_load (self, self->next_offset, &self->record);
        if (rc != 1 || self->record.number != self->next) {
            stele_refuse (refusal, STELE_EIO, "spool", "cannot read the spool %s at byte %" PRId64 ": %s",
                self->path, self->next_offset, rc < 0? strerror (errno): "it was damaged");
            return false;
        }
        self->loaded = true;
    }
    *data = self->buffer;
    *size = self->record.size;
    return true;
}

void
stele_spool_pass (stele_spool_t *self)
{
    assert (self->loaded);
    self->loaded = false;
    self->next++;
    self->next_offset += STELE_SPOOL_HEAD + self->record.size;
}

//  The size of a record that was handed over: its head was checked then
static int64_t
s_record_size (const stele_spool_t *self, int64_t offset)
{
    unsigned char head [STELE_SPOOL_HEAD];
    stele_spool_record_t record;
    if (pread (self->handle, head, sizeof head, offset) != sizeof head
    ||  !stele_spool_read_head (head, STELE_SPOOL_EVENT_MAX, &record))
        return -1;
    return STELE_SPOOL_HEAD + record.size;
}

int
stele_spool_settle (stele_spool_t *self, int64_t number)
{
    number += self->skip;
    assert (number < self->next);
    if (number <= self->acked)
        return 0;
    while (self->acked < number) {
        int64_t size = s_record_size (self, self->acked_offset);
        if (size < 0)
            return STELE_EIO;
        self->acked_offset += size;
        self->acked++;
    }
    int64_t settled = self->acked_offset - STELE_SPOOL_RECORDS;
    if (settled > SETTLED_BYTES_MAX && settled > self->end_offset - self->acked_offset) {
        //  Without room it goes on as it is
        int code = stele_spool_rewrite (self);
        if (code != STELE_EFULL)
            return code;
    }
    //  Not synced: after a power cut what was acked is sent again, and found to be stored
    return s_keep_acked (self)? 0: STELE_EIO;
}

//  -- numbers at the broker ----------------------------------------------------------------

bool
stele_spool_offset (const stele_spool_t *self, int64_t *offset, const char **ledger)
{
    if (!self->has_base)
        return false;
    *offset = self->base.base + self->skip;
    *ledger = self->base.ledger;
    return true;
}

int
stele_spool_keep_offset (int64_t offset, const char *ledger, void *arg)
{
    //  Of another thread: it writes a block that nobody else writes, and changes nothing here
    const stele_spool_t *self = arg;
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_base_t base = { .base = offset - self->skip };
    snprintf (base.ledger, sizeof base.ledger, "%s", ledger);
    stele_spool_pack_base (block, &base);
    return s_write (self->handle, block, sizeof block, STELE_SPOOL_BASE)
        && fdatasync (self->handle) == 0? 0: STELE_EIO;
}

void
stele_spool_note_offset (stele_spool_t *self, int64_t offset, const char *ledger)
{
    self->base.base = offset - self->skip;
    snprintf (self->base.ledger, sizeof self->base.ledger, "%s", ledger);
    self->has_base = true;
}
