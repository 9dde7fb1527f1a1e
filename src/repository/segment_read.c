/*  segment_read - the lines of a repository, in order

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "repository/repository_internal.h"
#include "repository/side_line.h"
#include "wire/json/json.h"
#include "wire/json/json_quick.h"
#include "wire/map.h"

#define END 1                       // Of s_line and those above it: nothing more is wanted

typedef struct {
    int64_t after, upto;
    uint32_t kinds;                 // Wanted; 0: all
    stele_line_fn *fn;
    void *arg;
    stele_pack_t *pack;
    int64_t position;               // Of the last event that was seen
    bool beyond;                    // An event after 'upto' was seen: only the commit that holds 'upto' is wanted
    int result;                     // Of fn
    stele_refusal_t *refusal;
} s_read_t;

//  -- one line -----------------------------------------------------------------------

static bool
s_wanted (const s_read_t *self, stele_line_kind_t kind)
{
    return self->kinds == 0 || (self->kinds & 1u << kind);
}

//  Position of the parsed line; false: it has none
static bool
s_position (stele_line_kind_t kind, const stele_line_t *line, int64_t *first, int64_t *position)
{
    stele_map_t map;
    if (stele_map_open (&map, line->packed, line->packed_size))
        return false;
    if (kind == STELE_LINE_COMMIT)
        return stele_map_integer (&map, "first", first) && stele_map_integer (&map, "last", position);
    return stele_map_integer (&map, "position", position);
}

//  Is the line in the range? END: it is after it, and so is everything that follows.
static int
s_in_range (s_read_t *self, const stele_line_t *line, int64_t first)
{
    switch (line->kind) {
        case STELE_LINE_EVENT:
            self->position = line->position;
            self->beyond = line->position > self->upto;
            return line->position > self->after && !self->beyond;
        case STELE_LINE_COMMIT:
            if (first > self->upto)
                return END + 1;
            return line->position > self->after;
        case STELE_LINE_OWNER:
            return line->position > self->after && line->position <= self->upto;
        default:
            return line->position >= self->after && line->position <= self->upto;
    }
}

//  Events need no parsing where only other lines are wanted: they are counted by their order
static bool
s_skip (s_read_t *self, stele_line_kind_t kind)
{
    if (kind == STELE_LINE_EVENT) {
        if (s_wanted (self, kind) && !self->beyond && self->position >= self->after)
            return false;
        self->position++;
        self->beyond = self->position > self->upto;
        //  The first one after the range, and the first one in it, are what the parsed ones would be
        return true;
    }
    return kind == STELE_LINE_UNKNOWN || (kind != STELE_LINE_COMMIT && (self->beyond || !s_wanted (self, kind)));
}

static int
s_line (s_read_t *self, const char *text, size_t size)
{
    const char *value;
    size_t value_size;
    int64_t first = 0;
    stele_line_t line = { .text = text, .size = size };
    line.kind = stele_side_line_kind (text, size, &value, &value_size);
    if (s_skip (self, line.kind))
        return 0;
    stele_pack_clear (self->pack);
    int code = stele_json_quick_pack (value, value_size, self->pack)? 0:
        stele_json_parse_pack (value, value_size, self->pack, self->refusal);
    if (code)
        return stele_refuse (self->refusal, code == STELE_ENO_MEMORY? code: STELE_ELEDGER, NULL, "has a line that is not JSON");
    line.packed = stele_pack_data (self->pack);
    line.packed_size = stele_pack_size (self->pack);
    int64_t expected = self->position + 1;
    if (!s_position (line.kind, &line, &first, &line.position)
    || (line.kind == STELE_LINE_EVENT && line.position != expected))
        return stele_refuse (self->refusal, STELE_ELEDGER, NULL, "has a line without its position");
    int in_range = s_in_range (self, &line, first);
    if (in_range > END)
        return END;
    if (!in_range || !s_wanted (self, line.kind))
        return 0;
    self->result = self->fn (&line, self->arg);
    //  The commit that holds 'upto' is the last line if it ends later
    return self->result || (line.kind == STELE_LINE_COMMIT && line.position > self->upto)? END: 0;
}

//  -- frames and segments --------------------------------------------------------------

static int
s_text (s_read_t *self, const char *text, size_t size)
{
    int rc = 0;
    while (size && rc == 0) {
        const char *end = memchr (text, '\n', size);
        if (!end)
            return stele_refuse (self->refusal, STELE_ELEDGER, NULL, "ends inside a line");
        rc = s_line (self, text, (size_t) (end - text));
        size -= (size_t) (end - text) + 1;
        text = end + 1;
    }
    return rc;
}

static int
s_frame (s_read_t *self, int fd, const stele_segment_t *segment, const stele_frame_t *frame)
{
    size_t size;
    char *text = stele_frame_read (fd, frame, &size, self->refusal);
    self->position = frame->first - 1;
    int rc = text? s_text (self, text, size): self->refusal->code;
    if (rc == 0 && self->position != frame->last)
        rc = stele_refuse (self->refusal, STELE_ELEDGER, NULL, "has fewer events than its trailer says");
    free (text);
    return rc < 0? stele_segment_refuse (segment->name, frame->first, frame->last, self->refusal): rc;
}

static int
s_segment (s_read_t *self, const stele_repository_t *repository, const stele_segment_t *segment)
{
    stele_trailer_t trailer = { .count = 0 };
    int fd = stele_segment_open (repository, segment->name, self->refusal);
    int rc = fd < 0? fd: stele_trailer_read (fd, &trailer, self->refusal);
    if (rc < 0 && fd >= 0)
        stele_segment_refuse (segment->name, segment->first, segment->last, self->refusal);
    for (size_t i = 0; i < trailer.count && rc == 0; i++)
        if (trailer.frames [i].last >= self->after)
            rc = s_frame (self, fd, segment, &trailer.frames [i]);
    stele_trailer_clear (&trailer);
    if (fd >= 0)
        close (fd);
    return rc;
}

//  Index of the segment from which on lines are wanted, -1: there is none
static int64_t
s_first (const s_read_t *self, const stele_segment_t *list, int64_t count)
{
    int64_t at = count - 1;
    //  The states as of 'after' follow its event, in the same segment or at the start of the next
    while (at > 0 && list [at].first > self->after)
        at--;
    return at;
}

static int
s_segments (s_read_t *self, const stele_repository_t *repository, const stele_segment_t *list, int64_t count)
{
    int64_t next = self->after + 1;
    int rc = 0;
    for (int64_t i = s_first (self, list, count); i >= 0 && i < count && rc == 0; i++) {
        if (list [i].first > next && next <= self->upto)
            return stele_refuse (self->refusal, STELE_ELEDGER, "backup",
                "%s: positions %" PRId64 " to %" PRId64 " are missing: no segment has them", repository->path,
                next, list [i].first - 1);
        rc = s_segment (self, repository, &list [i]);
        //  Nothing but states could be missed
        if (rc == STELE_ELEDGER && list [i].first > self->upto)
            rc = END;
        next = list [i].last + 1;
    }
    return rc;
}

int
stele_repository_read (const stele_repository_t *repository, int64_t after, int64_t upto, uint32_t kinds,
    stele_line_fn *fn, void *arg, stele_refusal_t *refusal)
{
    stele_refusal_t own;
    s_read_t self = {
        .after = after, .upto = upto, .kinds = kinds, .fn = fn, .arg = arg, .refusal = refusal? refusal: &own
    };
    stele_segment_t *list = NULL;
    int64_t count = stele_repository_list (repository, &list, self.refusal);
    self.pack = stele_pack_new ();
    assert (self.pack);
    int rc = count < 0? (int) count: s_segments (&self, repository, list, count);
    stele_pack_destroy (&self.pack);
    free (list);
    return rc < 0? rc: self.result < 0? self.result: 0;
}

//  -- by time ------------------------------------------------------------------------

typedef struct { int64_t time_us, found; } s_at_t;

static int
s_at (const stele_line_t *line, void *arg)
{
    s_at_t *at = arg;
    stele_map_t map;
    int64_t time = INT64_MAX;
    if (stele_map_open (&map, line->packed, line->packed_size) == 0)
        stele_map_integer (&map, "time", &time);
    if (time <= at->time_us)
        at->found = line->position;
    return 0;
}

int64_t
stele_repository_position_at (const stele_repository_t *self, int64_t after, int64_t time_us,
    stele_refusal_t *refusal)
{
    s_at_t at = { time_us, after };
    int code = stele_repository_read (self, after, INT64_MAX, 1u << STELE_LINE_COMMIT, s_at, &at, refusal);
    return code? code: at.found;
}
