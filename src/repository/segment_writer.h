/*  segment_writer - the open end of a repository: lines into frames, frames into segments

    It keeps the text of the last frame and the finished frames of the last segment in memory: at most
    STELE_SEGMENT_FRAME_BYTES and STELE_SEGMENT_FILE_BYTES, and one line. A segment that is full is written
    before the next line is taken; the open end when stele_segment_writer_flush is called.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEGMENT_WRITER_H_INCLUDED
#define STELE_SEGMENT_WRITER_H_INCLUDED

#include "repository/repository.h"

typedef struct stele_segment_writer stele_segment_writer_t;

/*  Continue after the last segment. One that is damaged at the end of the repository is written again: *damaged
    (may be NULL) is its name then, owned by the writer. The repository is borrowed. NULL: a refusal.  */
stele_segment_writer_t *
    stele_segment_writer_new (const stele_repository_t *repository, const char **damaged, stele_refusal_t *refusal);

void
    stele_segment_writer_destroy (stele_segment_writer_t **self_p);

/*  Position of the event that it takes next; and the last one that is durable in the repository. */
int64_t
    stele_segment_writer_next (const stele_segment_writer_t *self);
int64_t
    stele_segment_writer_durable (const stele_segment_writer_t *self);

/*  Bytes of compressed frames that were finished, and of text that was added, since the last flush. */
int64_t
    stele_segment_writer_unwritten (const stele_segment_writer_t *self);

/*  Greatest numbers of a producer and of a refused event that were noted, also by earlier writers. */
int64_t
    stele_segment_writer_producers (const stele_segment_writer_t *self);
int64_t
    stele_segment_writer_rejected (const stele_segment_writer_t *self);

/*  Add the event with the next position, as packed msgpack, and before it the lines that belong to it ("owner": a
    packed map, or NULL). Returns 0; 1: the segment is full, the event was not taken, call stele_segment_writer_complete
    first; or a code with the refusal.                                       */
int
    stele_segment_writer_event (stele_segment_writer_t *self, const void *packed, size_t size,
        const void *owner, size_t owner_size, stele_refusal_t *refusal);

/*  Add a commit after its last event.                                       */
void
    stele_segment_writer_commit (stele_segment_writer_t *self, int64_t first, int64_t last, int64_t time_us);

/*  The last commit that was added, also by earlier writers: its last position (0: none) and its time. */
int64_t
    stele_segment_writer_committed (const stele_segment_writer_t *self, int64_t *time_us);

/*  Add a state: a packed map without "position", which becomes that of the last event. 'key' identifies it among those
    of its kind. Nothing is added if this writer has added the same state of that key before. Returns false if
    there was nothing to add.                                                */
bool
    stele_segment_writer_state (stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size,
        const void *packed, size_t size);

/*  Has this writer added a state of that key? And: forget it.               */
bool
    stele_segment_writer_knows (const stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size);
void
    stele_segment_writer_forget (stele_segment_writer_t *self, stele_line_kind_t kind, const void *key, size_t key_size);

/*  Note numbers of a producer and of a refused event whose lines were added (0: none). */
void
    stele_segment_writer_note (stele_segment_writer_t *self, int64_t producer, int64_t rejected);

/*  Write the segment if it is full, and start the next one. Waits for the disk: do not call it while a state of the
    ledger is held. Returns 0 or a code with the refusal; try again later.   */
int
    stele_segment_writer_complete (stele_segment_writer_t *self, stele_refusal_t *refusal);

/*  Make everything durable that was added. Returns 0 or a code with the refusal; try again later. */
int
    stele_segment_writer_flush (stele_segment_writer_t *self, stele_refusal_t *refusal);

#endif
