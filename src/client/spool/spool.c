/*  spool - events on the producer's own disk until a broker has acked them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/memory.h"
#include "client/spool/spool_internal.h"

#define SETTLED_BYTES_MAX 1048576   // Settled events that the file may still hold

//  -- events ----------------------------------------------------------------------------

static unsigned char *
s_pack_records (const stele_spool_t *self, const stele_spool_event_t *events, size_t count,
    size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < count; i++)
        *size += STELE_SPOOL_HEAD + events [i].size;
    unsigned char *bytes = stele_memory_new (*size);
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
            " for a broker, the limit is %" PRId64, self->path, waiting, self->bytes_max);
    if (self->broken)
        return stele_refuse (refusal, STELE_EIO, "spool",
            "an earlier write to the spool %s failed: check the disk, and open the spool again", self->path);
    size_t written;
    unsigned char *bytes = s_pack_records (self, events, count, &written);
    bool done = stele_spool_write (self->handle, bytes, written, self->end_offset);
    int reason = errno;
    free (bytes);
    if (!done) {
        //  Undo what was written
        self->broken = ftruncate (self->handle, self->end_offset) != 0;
        return stele_refuse (refusal, stele_spool_code (reason), "spool", "cannot write the spool %s: %s",
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
                self->path, self->next_offset, rc < 0? strerror (errno): "the record is damaged");
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

static bool
s_keep_acked (stele_spool_t *self)
{
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_pack_acked (block, self->acked);
    return stele_spool_write (self->handle, block, sizeof block, STELE_SPOOL_ACKED);
}

//  Size of a record that was handed over, whose head was checked then; -1 on failure
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
        //  On a full disk, continue with the file as it is
        int code = stele_spool_rewrite (self);
        if (code != STELE_EFULL)
            return code;
    }
    //  Not synced: after a power cut acked events are sent again, as duplicates
    return s_keep_acked (self)? 0: STELE_EIO;
}

//  -- numbering of events at the broker ------------------------------------------------

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
    //  May run in another thread: it writes a block that no other function writes in place,
    //  and leaves 'self' unchanged
    const stele_spool_t *self = arg;
    unsigned char block [STELE_SPOOL_BLOCK];
    stele_spool_base_t base = { .base = offset - self->skip };
    snprintf (base.ledger, sizeof base.ledger, "%s", ledger);
    stele_spool_pack_base (block, &base);
    return stele_spool_write (self->handle, block, sizeof block, STELE_SPOOL_BASE)
        && fdatasync (self->handle) == 0? 0: STELE_EIO;
}

void
stele_spool_note_offset (stele_spool_t *self, int64_t offset, const char *ledger)
{
    self->base.base = offset - self->skip;
    snprintf (self->base.ledger, sizeof self->base.ledger, "%s", ledger);
    self->has_base = true;
}
