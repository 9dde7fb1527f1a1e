/*  segment_writer - the open end of a repository

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // asprintf
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include "base/memory.h"
#include "repository/repository_internal.h"
#include "repository/segment_writer.h"
#include "repository/side_line.h"
#include "wire/json/json.h"
#include "wire/scan.h"

//  The last state that was added of a key, both as hashes
typedef struct {
    uint64_t key;
    uint64_t state;
    UT_hash_handle hh;
} s_known_t;

struct stele_segment_writer {
    const stele_repository_t *repository;
    stele_trailer_t trailer;        // Of the open segment: its finished frames
    stele_bytes_t frames;           // Their bytes
    stele_bytes_t text;             // Of the last frame, which is open
    int64_t frame_first;
    int64_t next;                   // Position of the next event
    int64_t durable;
    bool changed;                   // Since the last flush
    bool has_file;                  // There is an open end on the disk
    int64_t added_bytes;            // Since the last flush
    s_known_t *known;
    char damaged [48];
};

//  FNV-1a
static uint64_t
s_hash (uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes [i]) * UINT64_C (0x100000001b3);
    return hash;
}

static uint64_t
s_key (stele_line_kind_t kind, const void *key, size_t size)
{
    unsigned char byte = (unsigned char) kind;
    return s_hash (s_hash (UINT64_C (0xcbf29ce484222325), &byte, 1), key, size);
}

//  -- the end of the repository ------------------------------------------------------

//  Start a segment at self->next, after the one with that trailer (it may be the writer's own)
static void
s_start (stele_segment_writer_t *self, const stele_trailer_t *before)
{
    stele_trailer_t trailer = {
        .first = self->next, .producers = before->producers, .rejected = before->rejected,
        .committed = before->committed, .committed_at = before->committed_at
    };
    snprintf (trailer.ledger_id, sizeof trailer.ledger_id, "%s", self->repository->ledger_id);
    memcpy (trailer.previous, before->digest, sizeof trailer.previous);
    stele_trailer_clear (&self->trailer);
    self->trailer = trailer;
    self->frame_first = self->next;
    self->frames.size = self->text.size = 0;
    self->has_file = false;
}

static int
s_read_all (int fd, const stele_frame_t *frame, stele_bytes_t *bytes)
{
    char *data = stele_memory_new ((size_t) frame->size + 1);
    bool read = pread (fd, data, (size_t) frame->size, (off_t) frame->offset) == (ssize_t) frame->size;
    if (read)
        stele_bytes_add (bytes, data, (size_t) frame->size);
    free (data);
    return read? 0: STELE_EIO;
}

//  Take the frames of the open end; its last one is continued
static int
s_continue (stele_segment_writer_t *self, const char *name, stele_refusal_t *refusal)
{
    int fd = stele_segment_open (self->repository, name, refusal);
    int code = fd < 0? fd: stele_trailer_read (fd, &self->trailer, refusal);
    size_t count = self->trailer.count, size = 0;
    char *text = NULL;
    //  Each is verified: a damaged one must not get into a complete segment
    for (size_t i = 0; code == 0 && i < count; i++) {
        free (text);
        text = stele_frame_read (fd, &self->trailer.frames [i], &size, refusal);
        code = !text? refusal->code: i + 1 < count? s_read_all (fd, &self->trailer.frames [i], &self->frames): 0;
    }
    if (code == 0) {
        self->next = self->trailer.last + 1;
        self->frame_first = count? self->trailer.frames [count - 1].first: self->next;
        self->trailer.count -= count? 1: 0;
        stele_bytes_add (&self->text, text, text? size: 0);
        self->has_file = true;
    }
    free (text);
    if (fd >= 0)
        close (fd);
    return code;
}

//  Start a segment after the one with that name; NULL: after none
static void
s_start_after (stele_segment_writer_t *self, const stele_segment_t *before)
{
    stele_refusal_t refusal;
    stele_trailer_t trailer = { .count = 0 };
    int fd = before? stele_segment_open (self->repository, before->name, &refusal): -1;
    if (fd < 0 || stele_trailer_read (fd, &trailer, &refusal))
        stele_trailer_clear (&trailer);
    s_start (self, &trailer);
    stele_trailer_clear (&trailer);
    if (fd >= 0)
        close (fd);
}

static int
s_find_end (stele_segment_writer_t *self, stele_refusal_t *refusal)
{
    stele_segment_t *list = NULL;
    int64_t count = stele_repository_list (self->repository, &list, refusal);
    if (count < 0)
        return (int) count;
    const stele_segment_t *last = count? &list [count - 1]: NULL;
    const stele_segment_t *before = count > 1? &list [count - 2]: NULL;
    int code = 0;
    if (last && last->readable && last->open && (code = s_continue (self, last->name, refusal)) == 0) {
        free (list);
        return 0;
    }
    if (code && code != STELE_ELEDGER) {
        free (list);
        return code;
    }
    bool damaged = last && (!last->readable || code);
    if (damaged)
        snprintf (self->damaged, sizeof self->damaged, "%s", last->name);
    self->next = damaged? last->first: last? last->last + 1: 1;
    s_start_after (self, damaged? before: last);
    free (list);
    return 0;
}

stele_segment_writer_t *
stele_segment_writer_new (const stele_repository_t *repository, const char **damaged, stele_refusal_t *refusal)
{
    stele_segment_writer_t *self = STELE_NEW (stele_segment_writer_t);
    self->repository = repository;
    if (s_find_end (self, refusal))
        stele_segment_writer_destroy (&self);
    else {
        self->durable = self->next - 1;
        if (damaged)
            *damaged = *self->damaged? self->damaged: NULL;
    }
    return self;
}

void
stele_segment_writer_destroy (stele_segment_writer_t **self_p)
{
    stele_segment_writer_t *self = *self_p;
    if (!self)
        return;
    s_known_t *known, *next;
    HASH_ITER (hh, self->known, known, next) {
        HASH_DEL (self->known, known);
        free (known);
    }
    stele_trailer_clear (&self->trailer);
    free (self->frames.data);
    free (self->text.data);
    free (self);
    *self_p = NULL;
}

int64_t
stele_segment_writer_next (const stele_segment_writer_t *self)
{
    return self->next;
}

int64_t
stele_segment_writer_durable (const stele_segment_writer_t *self)
{
    return self->durable;
}

int64_t
stele_segment_writer_unwritten (const stele_segment_writer_t *self)
{
    return self->changed? self->added_bytes: 0;
}

int64_t
stele_segment_writer_producers (const stele_segment_writer_t *self)
{
    return self->trailer.producers;
}

int64_t
stele_segment_writer_rejected (const stele_segment_writer_t *self)
{
    return self->trailer.rejected;
}

void
stele_segment_writer_note (stele_segment_writer_t *self, int64_t producer, int64_t rejected)
{
    if (producer > self->trailer.producers)
        self->trailer.producers = producer;
    if (rejected > self->trailer.rejected)
        self->trailer.rejected = rejected;
}

//  -- files -------------------------------------------------------------------------

static void
s_end_frame (stele_segment_writer_t *self)
{
    if (self->text.size == 0)
        return;
    stele_frame_t *frame = stele_trailer_add (&self->trailer);
    frame->first = self->frame_first;
    frame->last = self->next - 1;
    stele_frame_write (frame, self->text.data, self->text.size, &self->frames);
    self->text.size = 0;
    self->frame_first = self->next;
}

//  Write the segment as it is: its frames, and the trailer after them
static int
s_put (stele_segment_writer_t *self, bool complete, stele_refusal_t *refusal)
{
    char name [48];
    size_t size = self->frames.size;
    stele_segment_name (name, self->trailer.first, !complete);
    self->trailer.last = self->next - 1;
    self->trailer.complete = complete;
    stele_trailer_write (&self->trailer, &self->frames);
    int code = stele_repository_put (self->repository->segments, name, self->frames.data, self->frames.size, refusal);
    self->frames.size = size;
    if (code)
        return code;
    self->durable = self->next - 1;
    self->changed = false;
    self->added_bytes = 0;
    return 0;
}

static int
s_complete (stele_segment_writer_t *self, stele_refusal_t *refusal)
{
    char name [48], *path;
    int code = s_put (self, true, refusal);
    if (code)
        return code;
    //  A crash before this leaves both: stele_repository_list ignores the open end then
    stele_segment_name (name, self->trailer.first, true);
    if (self->has_file) {
        if (asprintf (&path, "%s/%s", self->repository->segments, name) < 0)
            abort ();
        unlink (path);
        free (path);
    }
    s_start (self, &self->trailer);
    return 0;
}

int
stele_segment_writer_flush (stele_segment_writer_t *self, stele_refusal_t *refusal)
{
    if (!self->changed)
        return 0;
    //  The open frame is written, and continued afterwards
    size_t size = self->frames.size;
    if (self->text.size) {
        stele_frame_t *frame = stele_trailer_add (&self->trailer);
        frame->first = self->frame_first;
        frame->last = self->next - 1;
        stele_frame_write (frame, self->text.data, self->text.size, &self->frames);
    }
    int code = s_put (self, false, refusal);
    self->has_file = self->has_file || code == 0;
    self->trailer.count -= self->text.size? 1: 0;
    self->frames.size = size;
    return code;
}

//  -- lines -------------------------------------------------------------------------

static void
s_add (stele_segment_writer_t *self, const char *line, size_t size)
{
    stele_bytes_add (&self->text, line, size);
    stele_bytes_add (&self->text, "\n", 1);
    self->added_bytes += (int64_t) size + 1;
    self->changed = true;
}

static void
s_add_side (stele_segment_writer_t *self, stele_line_kind_t kind, const void *packed, size_t packed_size)
{
    size_t size;
    char *line = stele_side_line_new (kind, packed, packed_size, &size);
    assert (line);
    s_add (self, line, size);
    free (line);
}

//  States alone may have filled it. One without events never is: the next one would have its name.
static bool
s_is_full (const stele_segment_writer_t *self)
{
    return self->next > self->trailer.first
        && (self->trailer.count >= STELE_SEGMENT_FILE_FRAMES || self->frames.size >= STELE_SEGMENT_FILE_BYTES);
}

int
stele_segment_writer_complete (stele_segment_writer_t *self, stele_refusal_t *refusal)
{
    if (!s_is_full (self))
        return 0;
    s_end_frame (self);
    return s_complete (self, refusal);
}

int
stele_segment_writer_event (stele_segment_writer_t *self, const void *packed, size_t packed_size,
    const void *owner, size_t owner_size, stele_refusal_t *refusal)
{
    if ((self->next > self->frame_first && (self->next - 1) % STELE_SEGMENT_FRAME_EVENTS == 0)
    ||  self->text.size >= STELE_SEGMENT_FRAME_BYTES)
        s_end_frame (self);
    if (self->text.size == 0 && s_is_full (self))
        return 1;
    size_t size;
    char *line = stele_json_line (packed, packed_size, true, &size);
    if (!line)
        return stele_refuse (refusal, STELE_ELEDGER, "backup", "the event at position %" PRId64 " cannot be written as JSON",
            self->next);
    if (owner)
        s_add_side (self, STELE_LINE_OWNER, owner, owner_size);
    s_add (self, line, size);
    self->next++;
    free (line);
    return 0;
}

void
stele_segment_writer_commit (stele_segment_writer_t *self, int64_t first, int64_t last, int64_t time_us)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "first", first);
    stele_pack_key_integer (pack, "last", last);
    stele_pack_key_integer (pack, "time", time_us);
    stele_pack_map_end (pack);
    s_add_side (self, STELE_LINE_COMMIT, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
    self->trailer.committed = last;
    self->trailer.committed_at = time_us;
}

int64_t
stele_segment_writer_committed (const stele_segment_writer_t *self, int64_t *time_us)
{
    *time_us = self->trailer.committed_at;
    return self->trailer.committed;
}

static s_known_t *
s_find (const stele_segment_writer_t *self, uint64_t key)
{
    s_known_t *known;
    HASH_FIND (hh, self->known, &key, sizeof key, known);
    return known;
}

bool
stele_segment_writer_knows (const stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size)
{
    return s_find (self, s_key (kind, key, key_size)) != NULL;
}

void
stele_segment_writer_forget (stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size)
{
    s_known_t *known = s_find (self, s_key (kind, key, key_size));
    if (!known)
        return;
    HASH_DEL (self->known, known);
    free (known);
}

//  The packed map with one more key
static void
s_pack_positioned (stele_pack_t *pack, const void *packed, size_t size, int64_t position)
{
    stele_scan_t scan = stele_scan_start (packed, size);
    stele_token_t map = stele_scan_next (&scan);
    stele_pack_map (pack, map.count + 1);
    stele_pack_packed (pack, scan.next, (size_t) (scan.end - scan.next));
    stele_pack_string (pack, "position");
    stele_pack_integer (pack, position);
}

bool
stele_segment_writer_state (stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size,
    const void *packed, size_t size)
{
    uint64_t hash = s_key (kind, key, key_size), state = s_hash (UINT64_C (0xcbf29ce484222325), packed, size);
    s_known_t *known = s_find (self, hash);
    if (known && known->state == state)
        return false;
    if (!known) {
        known = STELE_NEW (s_known_t);
        known->key = hash;
        HASH_ADD (hh, self->known, key, sizeof known->key, known);
    }
    known->state = state;
    if (self->text.size >= STELE_SEGMENT_FRAME_BYTES)
        s_end_frame (self);
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    s_pack_positioned (pack, packed, size, self->next - 1);
    s_add_side (self, kind, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
    return true;
}
