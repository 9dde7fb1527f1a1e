/*  repository - the folder that holds the backups of one ledger

    Layout:

      format.json                       {"format":1,"ledger_id":"UUID"}: written once, when the folder is first used
      lock                              locked by the process that writes segments or snapshots
      segments/PPPPPPPPPPPPPPPP.jsonl.zst        complete: never changed again (P: position of the first event)
      segments/PPPPPPPPPPPPPPPP.open.jsonl.zst   the open end, the last one only: replaced as a whole by rename
      snapshots/PPPPPPPPPPPPPPPP-yyyymmddThhmmssZ.db.zst    the ledger as of that position
      snapshots/PPPPPPPPPPPPPPPP-yyyymmddThhmmssZ.json      what was verified of it
      archives/YEAR-yyyymmddThhmmss.ffffffZ-AAAAAAAA.db.zst copies of archives (archive_copies.h)
      checkpoints/yyyy-mm-dd.note     the last checkpoint of a day, if the history is sealed (proof/note.h)

    A segment is a sequence of zstd frames (with checksums) of JSON Lines: at most 1,024 positions per frame,
    and a frame never crosses a multiple of 1,024; at most 64 frames per file. After the last frame comes the
    trailer, a skippable frame of zstd, so that zstdcat prints the lines only:

      bytes  0..3     0x184D2A53, little-endian
      bytes  4..7     number of bytes that follow, little-endian
      then            the trailer, a JSON object
      last 44 bytes   SHA-256 of that JSON object (32), its size (4, little-endian), "STELESG1"

    The trailer: {"committed":P, "committed_at":T, "complete":bool, "first":P, "format":1, "frames":[[offset, size, first, last, "SHA-256"], ...],
    "last":P, "ledger_id":UUID, "previous":"SHA-256 of the trailer of the segment before, or empty",
    "producers":N, "rejected":N}. 'last' is first - 1 where a frame or a segment has no events. The last two are the
    greatest numbers of a producer and of a refused event of the ledger that were written so far; 'committed' is the
    last position of the last commit line so far, which identifies the history.

    A line of a segment is an event, as canonical JSON (protocol, section 10: sorted keys), or an object of
    one key that begins with "$", for what events do not say:

      {"$commit":{"first":P,"last":P,"time":T}}        after its last event
      {"$owner":{"position":P,"producer":NAME|null}}   before the event with that position, if it changed
                                                       to which producer the task belongs
      {"$producer":{"position":P,"name":...,"sequence":...,"instance":...,"lease_ms":...,"status":...,
                    "first_seen_at":T,"last_seen_at":T}}
      {"$fence":{"position":P,"producer":NAME,"instance":...,"fenced_at":T}}
      {"$rejected":{"position":P,"id":N,"producer":NAME|null,"sequence":...,"code":...,"field":...,
                    "message":...,"time":T,"event":{"$bin":"msgpack, byte for byte"}}}
      {"$retried":{"position":P,"id":N,"retried_at":T,"stored_at":P|null}}
      {"$follower":{"position":P,"name":...,"cursor":P,"updated_at":T}}
      {"$loss":{"position":P,"id":N,"time":T,"ledger_id":...,"first":P,"last":P,"rejected":N,"evidence":...}}
      {"$meta":{"position":P,"key":KEY,"value":VALUE|null}}     null: the ledger has no such key any more

    The last seven are states as of 'position', the head at which they were read: a later line replaces an
    earlier one with the same key. T is microseconds since the Unix epoch.

    This folder knows no sockets and no SQL. Objects are used by one thread each.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REPOSITORY_H_INCLUDED
#define STELE_REPOSITORY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

typedef struct stele_repository stele_repository_t;

#define STELE_REPOSITORY_FORMAT 1
#define STELE_REPOSITORY_SEGMENTS  "segments"
#define STELE_REPOSITORY_SNAPSHOTS "snapshots"
#define STELE_REPOSITORY_CHECKPOINTS "checkpoints"

#define STELE_SEGMENT_FRAME_EVENTS 1024
#define STELE_SEGMENT_FILE_FRAMES  64
//  Texts of a frame, and bytes of a file, after which it ends early
#define STELE_SEGMENT_FRAME_BYTES  (8 * 1024 * 1024)
#define STELE_SEGMENT_FILE_BYTES   (16 * 1024 * 1024)

/*  Open a repository for reading. Caller owns return value. NULL: the reason is in the refusal (STELE_ENOT_FOUND:
    no such folder, or no repository; STELE_ELEDGER: another format).        */
stele_repository_t *
    stele_repository_open (const char *path, stele_refusal_t *refusal);

/*  Open a repository for writing, and create it if the folder is missing or empty. Locks it: STELE_EBUSY if another
    process writes to it. STELE_ELEDGER: it belongs to another ledger.       */
stele_repository_t *
    stele_repository_create (const char *path, const char *ledger_id, stele_refusal_t *refusal);

void
    stele_repository_close (stele_repository_t **self_p);

/*  Its folder, and the id of its ledger. Owned by the repository.           */
const char *
    stele_repository_path (const stele_repository_t *self);
const char *
    stele_repository_ledger_id (const stele_repository_t *self);

/*  -- segments ----------------------------------------------------------------- */

/*  One file of segments/, as its name and its trailer say.                  */
typedef struct {
    char name [48];
    int64_t first, last;            // Positions; last < first: no events
    int64_t bytes;
    int64_t written_us;             // Modification time of the file
    bool open;                      // The open end
    bool readable;                  // Its trailer is intact; false: 'last' is not known (first - 1)
    char digest [65];               // SHA-256 of its trailer, hex
    char previous [65];             // That of the segment before; "": there is none
} stele_segment_t;

/*  Call fn once per segment, in the order of their positions, until it returns non-zero. Returns 0, that value if it
    is negative, or a code with the refusal (the folder cannot be read).     */
typedef int (stele_segment_fn) (const stele_segment_t *segment, void *arg);
int
    stele_repository_segments (const stele_repository_t *self, stele_segment_fn *fn, void *arg,
        stele_refusal_t *refusal);

/*  Verify every byte of the segments from the one that holds 'from' on (1: all), and that positions have no gap. Calls
    fn once per fault, with the file and the positions that are missing or damaged. Returns the number of faults,
    or a code. *last is the last position up to which there is none.         */
typedef void (stele_fault_fn) (const char *file, int64_t first, int64_t last, const char *text, void *arg);
int64_t
    stele_repository_check (const stele_repository_t *self, int64_t from, stele_fault_fn *fn, void *arg,
        int64_t *last, stele_refusal_t *refusal);

/*  -- reading ------------------------------------------------------------------ */

typedef enum {
    STELE_LINE_EVENT,
    STELE_LINE_COMMIT,
    STELE_LINE_OWNER,
    STELE_LINE_PRODUCER,
    STELE_LINE_FENCE,
    STELE_LINE_REJECTED,
    STELE_LINE_RETRIED,
    STELE_LINE_FOLLOWER,
    STELE_LINE_LOSS,
    STELE_LINE_META,
    STELE_LINE_UNKNOWN              // Of a later version
} stele_line_kind_t;

typedef struct {
    stele_line_kind_t kind;
    int64_t position;               // Of the event (of a commit: its last); of the others, their "position"
    const char *text;               // The line without its end. Borrowed
    size_t size;
    const void *packed;             // As msgpack: the event, or the value of the "$..." key. Borrowed
    size_t packed_size;
} stele_line_t;

/*  Read the lines in order: events and their owners after position 'after', commits with a last event after it, and
    states as of 'after' or later. Ends with 'upto' (INT64_MAX: at the end): no event and no state after it is passed
    on. The commit that holds 'upto' is, even if it ends later: its time is that of its events. 'kinds' is a set of
    bits 1 << stele_line_kind_t, 0: all; other lines are not parsed. fn ends the read with non-zero; a negative value is
    returned. Returns 0, or a code with a refusal that names the file and its positions: STELE_ELEDGER (damaged,
    or a gap: nothing of it was passed on), STELE_EIO, ...                   */
typedef int (stele_line_fn) (const stele_line_t *line, void *arg);
int
    stele_repository_read (const stele_repository_t *self, int64_t after, int64_t upto, uint32_t kinds,
        stele_line_fn *fn, void *arg, stele_refusal_t *refusal);

/*  The last position of the segments that was committed at or before that time, searched from 'after' on; 'after': none.
    Negative: a code.                                                        */
int64_t
    stele_repository_position_at (const stele_repository_t *self, int64_t after, int64_t time_us,
        stele_refusal_t *refusal);

/*  The last commit of the segments: its last position (0: none is known), and its time. It identifies the history.
    Negative: a code.                                                        */
int64_t
    stele_repository_committed (const stele_repository_t *self, int64_t *time_us, stele_refusal_t *refusal);

/*  The last position that the segments hold without a gap from the segment with position 'after' on, 0: none. Reads
    trailers only. 'broken' becomes the name of the segment that is damaged, or follows a gap, there; "": none is.
    Negative: a code.                                                        */
int64_t
    stele_repository_last (const stele_repository_t *self, int64_t after, char broken [48], stele_refusal_t *refusal);

#endif
