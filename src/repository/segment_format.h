/*  segment_format - the frames and the trailer of a segment, as bytes (repository.h describes them)

    Nothing here touches a file, except stele_trailer_read, which reads the end of one.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEGMENT_FORMAT_H_INCLUDED
#define STELE_SEGMENT_FORMAT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

//  SHA-256 as hex, terminated
#define STELE_DIGEST_TEXT 65

//  Frames of a segment: also of one whose frames ended early
#define STELE_TRAILER_FRAMES_MAX 1024

/*  Growing bytes. Zero is empty; free() data.                               */
typedef struct {
    char *data;
    size_t size, room;
} stele_bytes_t;

void
    stele_bytes_add (stele_bytes_t *self, const void *data, size_t size);

typedef struct {
    int64_t offset, size;           // In the file
    int64_t first, last;            // Positions; last < first: no events
    char digest [STELE_DIGEST_TEXT];
} stele_frame_t;

typedef struct {
    char ledger_id [40];
    char previous [STELE_DIGEST_TEXT];  // Digest of the trailer before; "": none
    char digest [STELE_DIGEST_TEXT];    // Of this one; set by _write and _read
    bool complete;
    int64_t first, last;
    int64_t producers, rejected;    // Greatest numbers written so far
    int64_t committed, committed_at;    // The last commit: its last position, and its time
    stele_frame_t *frames;          // Owned
    size_t count, room;
} stele_trailer_t;

/*  Free what it owns, and clear it.                                         */
void
    stele_trailer_clear (stele_trailer_t *self);

/*  Add a frame. Returns it, to be filled.                                   */
stele_frame_t *
    stele_trailer_add (stele_trailer_t *self);

/*  Append the trailer to the bytes of a segment.                            */
void
    stele_trailer_write (stele_trailer_t *self, stele_bytes_t *bytes);

/*  Read the trailer of an open file. Returns 0, STELE_ELEDGER (there is none, or it is damaged) or STELE_EIO, with a
    refusal that gives the reason without the name of the file. On success the frames cover the file from its start
    to the trailer, without gap, and so do their positions. The caller clears it in any case. */
int
    stele_trailer_read (int fd, stele_trailer_t *self, stele_refusal_t *refusal);

/*  Append the text as one zstd frame, and describe it: offset, size, digest. */
void
    stele_frame_write (stele_frame_t *self, const void *text, size_t size, stele_bytes_t *bytes);

/*  Read a frame of an open file and verify its digest. Returns its text, with a NUL after it; caller frees it. NULL:
    the reason is in the refusal (STELE_ELEDGER, STELE_EIO).                 */
char *
    stele_frame_read (int fd, const stele_frame_t *frame, size_t *size, stele_refusal_t *refusal);

#endif
