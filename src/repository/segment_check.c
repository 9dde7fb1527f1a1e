/*  segment_check - verify every byte of the segments, and that their positions have no gap

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "repository/repository_internal.h"
#include "repository/side_line.h"

typedef struct {
    const stele_repository_t *repository;
    stele_fault_fn *fn;
    void *arg;
    int64_t faults;
    int64_t good;                   // Last position before the first fault
} s_check_t;

static void
s_fault (s_check_t *self, const char *file, int64_t first, int64_t last, const char *text)
{
    if (self->faults++ == 0 && self->good >= first)
        self->good = first - 1;
    self->fn (file, first, last, text, self->arg);
}

//  Events of the text of a frame
static int64_t
s_count_events (const char *text, size_t size)
{
    int64_t count = 0;
    while (size) {
        const char *value, *end = memchr (text, '\n', size);
        size_t value_size, length = end? (size_t) (end - text): size;
        count += stele_side_line_kind (text, length, &value, &value_size) == STELE_LINE_EVENT;
        size -= end? length + 1: length;
        text += end? length + 1: length;
    }
    return count;
}

static void
s_check_frame (s_check_t *self, int fd, const stele_segment_t *segment, const stele_frame_t *frame)
{
    stele_refusal_t refusal;
    size_t size = 0;
    char *text = stele_frame_read (fd, frame, &size, &refusal);
    if (!text)
        s_fault (self, segment->name, frame->first, frame->last, refusal.message);
    else
    if (s_count_events (text, size) != frame->last - frame->first + 1)
        s_fault (self, segment->name, frame->first, frame->last, "has another number of events than its trailer says");
    else
    if (self->faults == 0)
        self->good = frame->last;
    free (text);
}

static void
s_check_segment (s_check_t *self, const stele_segment_t *segment, int64_t next_first)
{
    stele_refusal_t refusal;
    stele_trailer_t trailer = { .count = 0 };
    int fd = stele_segment_open (self->repository, segment->name, &refusal);
    int code = fd < 0? fd: stele_trailer_read (fd, &trailer, &refusal);
    if (code == 0 && strcmp (trailer.ledger_id, self->repository->ledger_id))
        code = stele_refuse (&refusal, STELE_ELEDGER, NULL, "is a segment of ledger %s", trailer.ledger_id);
    if (code == 0 && (trailer.first != segment->first || (trailer.complete == segment->open && !segment->open)))
        code = stele_refuse (&refusal, STELE_ELEDGER, NULL, "has the name of another segment");
    //  How far it went is only known if another one follows
    if (code)
        s_fault (self, segment->name, segment->first, next_first? next_first - 1: INT64_MAX, refusal.message);
    for (size_t i = 0; code == 0 && i < trailer.count; i++)
        s_check_frame (self, fd, segment, &trailer.frames [i]);
    stele_trailer_clear (&trailer);
    if (fd >= 0)
        close (fd);
}

//  Does a segment continue the one before it?
static void
s_check_seam (s_check_t *self, const stele_segment_t *before, const stele_segment_t *segment)
{
    if (segment->first > before->last + 1)
        s_fault (self, segment->name, before->last + 1, segment->first - 1, "follows a gap: no segment has these positions");
    else
    if (segment->first <= before->last)
        s_fault (self, segment->name, segment->first, before->last, "has positions that the segment before has, too");
    else
    if (segment->readable && strcmp (segment->previous, before->digest))
        s_fault (self, segment->name, segment->first, segment->last, "follows another segment than the one before it");
}

int64_t
stele_repository_check (const stele_repository_t *repository, int64_t from, stele_fault_fn *fn, void *arg,
    int64_t *last, stele_refusal_t *refusal)
{
    s_check_t self = { .repository = repository, .fn = fn, .arg = arg };
    stele_segment_t *list = NULL;
    int64_t count = stele_repository_list (repository, &list, refusal), start = 0;
    if (count < 0)
        return count;
    while (start + 1 < count && list [start + 1].first <= from)
        start++;
    self.good = count? list [start].first - 1: 0;
    for (int64_t i = start; i < count; i++) {
        if (i > start && list [i - 1].readable)
            s_check_seam (&self, &list [i - 1], &list [i]);
        s_check_segment (&self, &list [i], i + 1 < count? list [i + 1].first: 0);
    }
    free (list);
    *last = self.good;
    return self.faults;
}
