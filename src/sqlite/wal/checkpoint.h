/*  checkpoint - copy the write-ahead log into the database file without delaying commits

    The slow parts of a checkpoint are copying the pages of the log and syncing the file. A thread
    does both while the writer continues to commit; a second round takes the pages that were
    added meanwhile, and so on. When few pages are left, the writer copies them between two
    commits, with the sync of an ordinary checkpoint, and the log restarts from its beginning.

    SQLite up to 3.51.2 can lose committed pages when one connection restarts the log while
    another one checkpoints it (https://sqlite.org/wal.html, "The WAL-Reset Bug"). So the
    writer holds a read snapshot of the log from before the thread starts until it has ended:
    SQLite does not restart a log that is being read (the same page, "Avoiding Excessively
    Large WAL Files"). A snapshot that reads the file alone, because all of the log is in it,
    would keep a checkpoint from writing to the file. To commit during a checkpoint is safe by the design of the log.
    One connection commits, and one thread at a time checkpoints; nothing else may write to
    the file.

    A power cut finds a complete log at any time: SQLite counts pages as copied before it has synced
    them, but the snapshot is held until the thread has synced. Pages that an earlier run copied
    and may not have synced are copied again by a start (wal_index.h).

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

/*  For the connection that writes, which is borrowed and outlives this. At 'log_bytes' commits wait for a
    checkpoint, so the log gets longer only while a reader holds it. NULL: out of memory.
    Caller owns return value.                                                */
stele_checkpoint_t *
    stele_checkpoint_new (sqlite3 *db, int64_t log_bytes);

/*  Wait for the thread; the close of the connection copies the rest.        */
void
    stele_checkpoint_destroy (stele_checkpoint_t **self_p);

/*  Note the length of the log (from SQLite's wal_hook).                     */
void
    stele_checkpoint_grown (stele_checkpoint_t *self, int pages);

/*  Is a step due? 'spare_us' is how long the caller was idle since the last call: in idle time
    shorter logs are copied, too, and a file that a reader made longer is shortened. */
bool
    stele_checkpoint_due (stele_checkpoint_t *self, int64_t spare_us);

/*  Is the next step the last one, after which the log may restart?          */
bool
    stele_checkpoint_ends (const stele_checkpoint_t *self);

/*  Take the next step, outside a transaction: start a round, or finish. Waits for the round before.
    If readers block it, or the ledger is busy, the rest is postponed. Returns 0;
    STELE_EFULL: the file cannot grow; STELE_ENO_MEMORY; STELE_EIO and any other: the state of the
    file is unknown.                                                         */
int
    stele_checkpoint_step (stele_checkpoint_t *self);

/*  Wait for the thread. Returns 0, or its error: the state of the file is unknown, and the log must
    stay as it is.                                                           */
int
    stele_checkpoint_settle (stele_checkpoint_t *self);

/*  Copy everything at once, and return the disk space of the log. Errors as of a step; STELE_EBUSY:
    a reader blocks it.                                                      */
int
    stele_checkpoint_truncate (stele_checkpoint_t *self);

/*  Text of the last error of a step, settle or truncate. Owned by the object. */
const char *
    stele_checkpoint_error (const stele_checkpoint_t *self);

#endif
