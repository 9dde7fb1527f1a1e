/*  wal_vfs - VFS shim for the -wal file: coalesces writes, preallocates

    SQLite writes each page of a commit with two calls, a header and the page. This VFS
    collects adjacent writes in memory, and writes them when a transaction is complete, the log
    is synced or read, or the buffer is full. What was synced is as durable as without the shim, and
    no other connection reads pages before they are in the file: SQLite publishes a transaction after
    the write that completes it, or, with synchronous=FULL, after the sync.

    Syncing a write that extends a file takes twice as long, since the size has to be synced
    too. So the file ends in zeros: now and then a commit appends 256 KiB of them, and later
    commits overwrite them. Zeros are no frames of the log: SQLite reads it up to the first
    frame with other salts (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WAL_VFS_H_INCLUDED
#define STELE_WAL_VFS_H_INCLUDED

/*  Name of the VFS, for sqlite3_open_v2; the first call registers it. NULL: SQLite has no
    default VFS to build on; NULL as a name then selects what there is.      */
const char *
    stele_wal_vfs (void);

#endif
