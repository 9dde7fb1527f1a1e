/*  wal_vfs - a write-ahead log that is written in one piece, and is longer than what it holds

    SQLite writes each page of a commit with two calls, a header and the page. This VFS
    keeps what follows on from each other in memory, and writes it when the log is synced,
    or read, or the buffer is full. What was synced is as durable as without it, and nobody
    else looks at pages that were not: SQLite tells others of them after the sync.

    What lengthens a file takes twice as long to sync, since its size has to be synced too. So
    the file ends in zeros: one commit in many writes a quarter of a MiB of them, and those after it
    write over them. They are no frames of the log: SQLite reads it up to the first one whose
    salts are not the log's (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WAL_VFS_H_INCLUDED
#define STELE_WAL_VFS_H_INCLUDED

/*  Name of the VFS, for sqlite3_open_v2; registered by the first call. NULL where SQLite
    has no VFS to stand on: then use that of the caller's choice.            */
const char *
    stele_wal_vfs (void);

#endif
