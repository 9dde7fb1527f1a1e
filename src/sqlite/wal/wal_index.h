/*  wal_index - discard the index of the write-ahead log in SQLite's shared memory

    SQLite keeps an index of the log in memory that all processes share (the file
    LEDGER-shm). It contains a number: how many pages of the log are in the
    database file already. The number is raised before the file is synced. A broker that is killed
    in between, or whose disk refuses the sync, leaves it too high. Normally that is
    harmless: the first process that opens a database discards what is in LEDGER-shm.
    But where another process, such as a sqlite3 shell, has the ledger open meanwhile,
    the memory and the number outlive the broker. The next checkpoint would skip these pages and the
    log would be overwritten: acked events would be lost. So a start discards the number.

    SQLite has no function for that. There are two ways:

      stele_wal_index_forget   clears the header of the memory, as SQLite itself does
                               in a recovery. It depends on the layout of the memory,
                               so it is refused where that layout was not checked.
      stele_wal_index_renew    makes sure that no process has the memory, with documented
                               functions only. It fails while another process has
                               the ledger open.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WAL_INDEX_H_INCLUDED
#define STELE_WAL_INDEX_H_INCLUDED

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/*  The versions of SQLite whose layout was checked, inclusive (wal_index.c describes how). Raise the second
    one after a check of a newer version.                                    */
#define STELE_WAL_INDEX_VERSION_MIN 3037000
#define STELE_WAL_INDEX_VERSION_MAX 3054001

/*  Bytes of the header: two copies of 48 bytes.                             */
#define STELE_WAL_INDEX_HEADER 96

/*  Is that a header as the checked versions write it: both copies equal, of a known format, with a
    correct checksum?                                                        */
bool
    stele_wal_index_is_known (const void *header);

/*  Discard the number, at a start, before the first commit, outside a transaction of 'db', which
    has read already. Waits at most 'busy_ms' for a process that writes. Returns 1: done.
    0: not done, and nothing changed, because the version of SQLite or the header is unknown.
    Negative: an error.                                                      */
int
    stele_wal_index_forget (sqlite3 *db, int busy_ms);

/*  The same for the database at 'path', without any connection open in this process. Returns 0;
    STELE_EBUSY: another process still had it open after 'busy_ms'; or another error. */
int
    stele_wal_index_renew (const char *path, int busy_ms);

#endif
