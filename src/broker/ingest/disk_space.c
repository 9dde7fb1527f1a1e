/*  disk_space - free space on the disk of the ledger, and when it will be used up

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include "base/memory.h"
#include "broker/ingest/disk_space.h"

static int
s_newest (const stele_disk_space_t *self)
{
    return (self->next + STELE_DISK_SAMPLES - 1) % STELE_DISK_SAMPLES;
}

static int
s_oldest (const stele_disk_space_t *self)
{
    return (self->next + STELE_DISK_SAMPLES - self->count) % STELE_DISK_SAMPLES;
}

void
stele_disk_space_note (stele_disk_space_t *self, int64_t now_us, int64_t free_bytes, int64_t size_bytes)
{
    //  A larger disk, or freed space: the rate before that no longer applies
    if (self->count && (size_bytes != self->size_bytes || free_bytes > self->free_bytes [s_newest (self)]
        + self->size_bytes / 100))
        self->count = 0;
    self->time_us [self->next] = now_us;
    self->free_bytes [self->next] = free_bytes;
    self->size_bytes = size_bytes;
    self->next = (self->next + 1) % STELE_DISK_SAMPLES;
    if (self->count < STELE_DISK_SAMPLES)
        self->count++;
}

static bool
s_read (const char *path, int64_t *free_bytes, int64_t *size_bytes)
{
    struct statvfs disk;
    const char *slash = strrchr (path, '/');
    char *folder = slash? stele_memory_copy (path, (size_t) (slash - path) + 1): stele_memory_copy (".", 1);
    bool known = statvfs (folder, &disk) == 0;
    if (known) {
        *free_bytes = (int64_t) disk.f_bavail * (int64_t) disk.f_frsize;
        *size_bytes = (int64_t) disk.f_blocks * (int64_t) disk.f_frsize;
    }
    free (folder);
    return known;
}

void
stele_disk_space_sample (stele_disk_space_t *self, int64_t now_us, const char *path)
{
    int64_t free_bytes, size_bytes;
    if (now_us < self->due_us)
        return;
    self->due_us = now_us + STELE_DISK_SAMPLE_US;
    if (s_read (path, &free_bytes, &size_bytes))
        stele_disk_space_note (self, now_us, free_bytes, size_bytes);
}

void
stele_disk_space_refresh (stele_disk_space_t *self, int64_t now_us, const char *path)
{
    int64_t free_bytes, size_bytes;
    if (now_us >= self->due_us || self->count == 0)
        stele_disk_space_sample (self, now_us, path);
    else
    if (s_read (path, &free_bytes, &size_bytes)) {
        //  The ring keeps one sample per interval
        self->next = s_newest (self);
        self->count--;
        stele_disk_space_note (self, now_us, free_bytes, size_bytes);
    }
}

int64_t
stele_disk_space_growth (const stele_disk_space_t *self)
{
    if (self->count < 2)
        return 0;
    int oldest = s_oldest (self), newest = s_newest (self);
    int64_t time_us = self->time_us [newest] - self->time_us [oldest];
    int64_t used = self->free_bytes [oldest] - self->free_bytes [newest];
    if (time_us < STELE_DISK_KNOWN_US || used <= 0)
        return 0;
    return (int64_t) ((double) used * 1e6 / (double) time_us);
}

int64_t
stele_disk_space_full_in_s (const stele_disk_space_t *self)
{
    int64_t growth = stele_disk_space_growth (self);
    return growth? self->free_bytes [s_newest (self)] / growth: -1;
}

void
stele_disk_space_pack (const stele_disk_space_t *self, stele_pack_t *pack)
{
    stele_pack_key (pack, "disk");
    stele_pack_map_begin (pack);
    if (self->count) {
        stele_pack_key_integer (pack, "free_bytes", self->free_bytes [s_newest (self)]);
        stele_pack_key_integer (pack, "size_bytes", self->size_bytes);
        stele_pack_key_integer (pack, "growth_bytes", stele_disk_space_growth (self));
        if (stele_disk_space_full_in_s (self) >= 0)
            stele_pack_key_integer (pack, "full_in_s", stele_disk_space_full_in_s (self));
    }
    stele_pack_map_end (pack);
}
