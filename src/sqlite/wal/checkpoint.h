/*  checkpoint - fold the write-ahead log into the file, without holding up commits

    What makes a checkpoint long is to copy the pages of the log and to sync the file. A thread
    does that while the writer goes on committing; it takes what has come meanwhile in a second
    round, and so on. When few pages are left, the writer does the rest between two commits,
    with the sync of an ordinary checkpoint, and the log begins anew.

    SQLite up to 3.51.2 can lose committed pages when one connection lets the log begin anew
    while another one folds it in (https://sqlite.org/wal.html, "The WAL-Reset Bug"). So the
    writer holds a reader's snapshot of the log before the thread begins and until it has ended:
    SQLite does not begin a log anew that somebody reads (the same page, "Avoiding Excessively
    Large WAL Files"); and a snapshot that reads the file alone, since all of the log is in it,
    keeps a checkpoint from writing to the file. Committing beside a checkpoint is what the log
    is made for. One connection commits, and one thread at a time folds in; nothing else may
    write to the file.

    A power cut, too, finds what it always finds in the middle of a checkpoint, a whole log:
    SQLite counts pages as folded in before it has synced them, but the snapshot is held until the
    thread has. What an earlier run has copied and not synced counts for nothing: a start copies
    it again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CHECKPOINT_H_INCLUDED
#define STELE_CHECKPOINT_H_INCLUDED

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct stele_checkpoint stele_checkpoint_t;

/*  For the connection that writes, which is borrowed and outlives this. NULL: out of memory.
    Caller owns return value.                                                */
stele_checkpoint_t *
    stele_checkpoint_new (sqlite3 *db);

/*  Waits for the thread; leaves the rest to the close of the connection.     */
void
    stele_checkpoint_destroy (stele_checkpoint_t **self_p);

/*  The log has so many pages (SQLite's wal_hook).                           */
void
    stele_checkpoint_grown (stele_checkpoint_t *self, int pages);

/*  Is there something to do? 'spare_us' is how long the caller had nothing to do since the
    last call: a log that is not long yet is folded in when nobody wants to commit. */
bool
    stele_checkpoint_due (stele_checkpoint_t *self, int64_t spare_us);

/*  Is the next step the last one, after which the log may begin anew?       */
bool
    stele_checkpoint_ends (const stele_checkpoint_t *self);

/*  Take the next step, outside a transaction: begin a round, or end. Waits for the round before it.
    Where readers are in the way, or the ledger is busy, the rest is for a later one. Returns 0;
    STELE_EFULL: the file cannot grow; STELE_ENO_MEMORY; STELE_EIO and any other: the state of the
    file is unknown.                                                         */
int
    stele_checkpoint_step (stele_checkpoint_t *self);

/*  Wait for the thread. Returns 0, or what it could not do: the state of the file is unknown, and
    the log must stay as it is.                                              */
int
    stele_checkpoint_settle (stele_checkpoint_t *self);

/*  All at once, and give the room of the log back to the disk. As a step; STELE_EBUSY: a
    reader is in the way.                                                    */
int
    stele_checkpoint_truncate (stele_checkpoint_t *self);

/*  What the last step, settle or truncate that failed could not do. Owned by the object. */
const char *
    stele_checkpoint_error (const stele_checkpoint_t *self);

#endif
