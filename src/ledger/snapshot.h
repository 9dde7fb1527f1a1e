/*  snapshot - copy a ledger that is in use, and verify a copy

    The copy is of one state of the ledger, that of its last commit when the copy began. That state is held until the
    copy ends, so the write-ahead log grows meanwhile: copy in small portions, so that commits do not wait for the
    disk, but end soon.

    Archives (archive.h) are copied after the ledger: then they have every task that the copy of the ledger says is there.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SNAPSHOT_H_INCLUDED
#define STELE_SNAPSHOT_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

typedef struct stele_snapshot stele_snapshot_t;

/*  What a snapshot is a copy of. Equal facts of a ledger and of its copy are a part of the verification. */
typedef struct {
    char ledger_id [40];
    int64_t schema;                 // Number of its last migration
    int64_t position;               // Of the last event
    int64_t committed_us;           // Time of the last commit, microseconds since the Unix epoch; 0: none
    int64_t rejected;               // Number of the last refused event
    int64_t producers;              // Number of the last producer
    int64_t bytes;                  // Of the database file
} stele_snapshot_facts_t;

/*  Begin to copy the ledger at 'path' to a new file 'target'. Caller owns return value. NULL: the reason is in the
    refusal; STELE_EEXISTS: there is a file 'target'.                        */
stele_snapshot_t *
    stele_snapshot_new (const char *path, const char *target, stele_refusal_t *refusal);

/*  End the copy. A target that is not complete is removed.                  */
void
    stele_snapshot_destroy (stele_snapshot_t **self_p);

/*  The same of the archive of a year, which must have that id. It has no facts but its size. */
stele_snapshot_t *
    stele_snapshot_new_archive (const char *ledger, int64_t year, const char *archive_id, const char *target,
        stele_refusal_t *refusal);

const stele_snapshot_facts_t *
    stele_snapshot_facts (const stele_snapshot_t *self);

/*  Copy at most that many pages of 4 KiB, and sync the target about every 2 MiB. Returns 1: there is more to copy;
    0: the target is complete and synced; or a code with the refusal.        */
int
    stele_snapshot_step (stele_snapshot_t *self, int pages, stele_refusal_t *refusal);

/*  Bytes that were copied.                                                  */
int64_t
    stele_snapshot_copied (const stele_snapshot_t *self);

/*  Bytes of the write-ahead log of a ledger now. While a copy of the ledger is made, it only becomes longer. */
int64_t
    stele_snapshot_log_bytes (const char *ledger);

/*  Verify a copy that no other program uses: its structure (every page), that no position is missing up to the last
    one, and read its facts. 'stop' is called again and again and ends the verification if it returns true; it may be
    NULL. Returns 0, or a code with the refusal: STELE_ELEDGER if it is damaged, STELE_ETIMEOUT after 'stop'. */
typedef bool (stele_snapshot_stop_fn) (void *arg);
int
    stele_snapshot_verify (const char *path, stele_snapshot_stop_fn *stop, void *arg,
        stele_snapshot_facts_t *facts, stele_refusal_t *refusal);

/*  -- archives ------------------------------------------------------------------ */

#define STELE_SNAPSHOT_ARCHIVES 10      // At most
#define STELE_ARCHIVE_STATE 96          // Bytes of a buffer for a state

/*  An archive, as a copy of the ledger names it */
typedef struct {
    int64_t year;
    char archive_id [40];
    int64_t tasks;
    int64_t position;               // No event of them is after it
} stele_snapshot_archive_t;

/*  The archives that the copy of a ledger names, by year. Returns their number, or a code with the refusal. */
int
    stele_snapshot_archives (const char *copy, stele_snapshot_archive_t archives [STELE_SNAPSHOT_ARCHIVES],
        stele_refusal_t *refusal);

/*  Print the state of an archive's files, their sizes and times: as long as it is equal, nothing was written there. "": it
    changed just now, or cannot be read; then it is equal to none.           */
void
    stele_snapshot_archive_state (const char *ledger, int64_t year, char state [STELE_ARCHIVE_STATE]);

/*  Verify the copy of an archive next to the copy of its ledger, as stele_snapshot_verify does: its structure, its id, and that
    it has every task and session that is there according to the ledger, with all events. */
int
    stele_snapshot_verify_archive (const char *copy, const char *ledger_copy, const stele_snapshot_archive_t *archive,
        stele_snapshot_stop_fn *stop, void *arg, stele_refusal_t *refusal);

#endif
