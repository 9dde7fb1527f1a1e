/*  place - path and lock of a ledger: one broker per file, and files that stay at their path

    A ledger is several files that belong together by their names: the database, its write-ahead log,
    the high-water mark. So a database that has a second name (a hard link), or is itself a mount point
    (docker -v ./tasks.db:/data/stele.db), is refused: its log would stay behind in another folder.

    The writer's lock is on the database file (hold.h), and on LEDGER.lock, which 0.1.0 locks.

    While it is open, files may be removed, replaced or moved under it. Writes then go to files that
    no later start finds, so the writer compares paths and files after each commit, before the acks
    (stele_place_verify): two stat(2) per batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PLACE_H_INCLUDED
#define STELE_PLACE_H_INCLUDED

#include <stdbool.h>
#include <sys/types.h>
#include "model/refusal.h"

typedef struct stele_place stele_place_t;

/*  Touches no file. Caller owns return value. NULL: out of memory.          */
stele_place_t *
    stele_place_new (const char *path);

/*  Release the locks. Only after SQLite has closed the file.                */
void
    stele_place_destroy (stele_place_t **self_p);

/*  Check the path, take the locks, and create the file, with this mode, if there is none. Returns 0, or
    a code with a refusal: then no database was created.                     */
int
    stele_place_claim (stele_place_t *self, mode_t mode, stele_refusal_t *refusal);

/*  Remove the file if stele_place_claim created it and it is still empty.    */
void
    stele_place_discard (stele_place_t *self);

/*  Remove all files of the ledger if stele_place_claim created it.           */
void
    stele_place_remove (stele_place_t *self);

/*  The ledger is open: give its files this mode, and remember which file its write-ahead log is. */
void
    stele_place_settle (stele_place_t *self, mode_t mode);

/*  Are the files still at their paths? If not, prints what happened and returns false. */
bool
    stele_place_verify (const stele_place_t *self, char *text, size_t size);

/*  After that: are the files all at another path, where a start finds the whole ledger? Prints the
    path.                                                                    */
bool
    stele_place_moved (const stele_place_t *self, char *path, size_t size);

const char *
    stele_place_path (const stele_place_t *self);

/*  Was the database or its log truncated and written, or overwritten by something else, as by a
    shell's '>' or a cp of another ledger? Prints which one. What it held is lost then: there is nothing to
    copy. A copy of the same ledger that is not smaller is not noticed.      */
bool
    stele_place_overwritten (stele_place_t *self, char *text, size_t size);

/*  The id of the ledger, and the page of the database file that has it.     */
void
    stele_place_identify (stele_place_t *self, const char *id, int64_t page, int page_size);

/*  If the database file is not at its path any more but its log is: rename the log, and remove its
    index, so that SQLite does not take them for those of the file that is there now. For a ledger
    that was saved elsewhere.                                                */
void
    stele_place_set_log_aside (const stele_place_t *self);

/*  Add a notice.                                                            */
void
    stele_place_note (stele_place_t *self, const char *format, ...) STELE_PRINTF (2, 3);

/*  The next message for the operator of the broker; NULL: no more. Owned by the place. */
const char *
    stele_place_notice (stele_place_t *self);

#endif
