/*  shm_vfs - VFS shim that maps no shared memory for which the disk has no room

    SQLite makes the -shm file longer by one byte in each 4 KiB, and then writes to it through a mapping. Where the blocks of
    the file system are smaller than a page of memory (ext4 below 512 MB: 1 KiB), the rest of such a page has no block yet: on
    a full disk, the first write to it is a SIGBUS, and the process is gone. This VFS gets the blocks of what is mapped first
    (MADV_POPULATE_WRITE, madvise(2), Linux 5.14; without it, there is no difference), and says SQLITE_FULL if there are
    none, or if they cannot be read.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SHM_VFS_H_INCLUDED
#define STELE_SHM_VFS_H_INCLUDED

/*  Name of the VFS, for sqlite3_open_v2; the first call registers it. NULL: SQLite has no
    default VFS to build on; NULL as a name then selects what there is.      */
const char *
    stele_shm_vfs (void);

#endif
