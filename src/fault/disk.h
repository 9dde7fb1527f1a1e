/*  disk - inject errors into the file operations of the process

    In builds with fault points the functions of the C library that write files are replaced,
    also for SQLite: so its handling of errors is tested, not assumed. STELE_FAULT_DISK in
    the environment has rules, separated by commas: CALL@SUFFIX:WHAT, or CALL@SUFFIX:WHAT:WHEN.

      CALL    open, read, write, sync or truncate
      SUFFIX  end of the path: .db, -wal, -shm, ... An empty one matches every file.
      WHAT    EIO, ENOSPC, EDQUOT, EROFS, EMFILE: fail with that error. short: write half of the
              bytes. kill: SIGKILL before the call. torn: write half, then SIGKILL.
              sleep=MS: a slow disk.
      WHEN    N: the N-th such call. N+: from there on. N-M: those. while=PATH: as long as
              that file exists. Without WHEN: every time.

    For example, write@-wal:ENOSPC:5+ is a disk that is full from the fifth write to the
    write-ahead log on.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DISK_H_INCLUDED
#define STELE_DISK_H_INCLUDED

#include <stddef.h>

/*  Replace all rules, and reset the counts; NULL or "": no rules. Returns 0, or -1 with the
    reason in 'error' and nothing changed. Not while other threads use files. */
int
    stele_fault_disk_set (const char *rules, char *error, size_t error_size);

/*  Read STELE_FAULT_DISK, once. Called by fault.c, so that this file is always linked. */
void
    stele_fault_disk_start (void);

#endif
