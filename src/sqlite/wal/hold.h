/*  hold - keep database files open, so that no close drops the locks of SQLite

    One broker per ledger is a matter of the file, not of its name: a hard link, a second mount, or a
    removed lock file must not let a second broker in. So the lock is on the database file itself.

    Two rules of Linux shape this class:
    - A process that closes ANY descriptor of a file drops all POSIX locks that it has on that file,
      those of SQLite too. So the descriptor for the lock is closed only when no connection of this
      process has the file open: each one takes a hold before it opens the file and releases it
      after it has closed it, and the last release closes the descriptor.
    - The lock must not meet those of SQLite. It is an open file description lock (F_OFD_SETLK) of one
      byte that SQLite never locks, far beyond the end of any file. Unlike flock(2), it needs a
      descriptor for writing, so a user who may only read the file cannot take it, and it works
      over NFS, where flock(2) would lock the bytes that SQLite locks.

    Holds of one file share one entry in a table of the process, behind a mutex.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HOLD_H_INCLUDED
#define STELE_HOLD_H_INCLUDED

#include <stdbool.h>
#include <sys/stat.h>

typedef struct stele_hold stele_hold_t;

/*  Take a hold of the file at 'path'. NULL with errno: there is none, or no memory. */
stele_hold_t *
    stele_hold_take (const char *path);

/*  Release the hold, after the connection has closed the file.              */
void
    stele_hold_release (stele_hold_t **self_p);

/*  Open the file and lock it against every other writer. Returns 0, or -1 with errno: EAGAIN if another
    process or another ledger of this process has locked it, ESTALE if another file is at 'path'. */
int
    stele_hold_lock (stele_hold_t *self, const char *path);

void
    stele_hold_unlock (stele_hold_t *self);

/*  Descriptor of the file, -1 before stele_hold_lock. Not to be closed.      */
int
    stele_hold_handle (const stele_hold_t *self);

/*  Is that the file?                                                        */
bool
    stele_hold_is (const stele_hold_t *self, const struct stat *status);

#endif
