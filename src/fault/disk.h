/*  disk - files that fail on purpose, in builds with fault points

    The calls by which this process writes files are ours there, also those of
    SQLite: so what SQLite makes of an error is tested too, not assumed.
    STELE_FAULT_DISK in the environment says what is to fail, in rules separated
    by commas: CALL@SUFFIX:WHAT, or CALL@SUFFIX:WHAT:WHEN.

      CALL    open, read, write, sync or truncate
      SUFFIX  how the path ends: .db, -wal, -shm, ... An empty one fits every file.
      WHAT    EIO, ENOSPC, EDQUOT, EROFS, EMFILE: the error. short: half of what was to be
              written is. kill: SIGKILL before the call. torn: half is written, then SIGKILL.
              sleep=MS: a slow disk.
      WHEN    N: the N-th such call. N+: from there on. N-M: those. while=PATH: as long
              as that file is there. Without it: every time.

    So write@-wal:ENOSPC:5+ is a disk that is full at the fifth write to the write-ahead
    log and stays so.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DISK_H_INCLUDED
#define STELE_DISK_H_INCLUDED

#include <stddef.h>

/*  Replace all rules and count from 0 again; NULL or "": none. Returns 0, or -1 with the
    reason in 'error': then nothing has changed. Not while other threads write. */
int
    stele_fault_disk_set (const char *rules, char *error, size_t error_size);

/*  Called by the places of fault.h, so that this file is always linked.     */
void
    stele_fault_disk_start (void);

#endif
