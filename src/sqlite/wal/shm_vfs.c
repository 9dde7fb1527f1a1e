/*  shm_vfs - VFS shim that maps no shared memory for which the disk has no room

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include "sqlite/wal/shm_vfs.h"

static sqlite3_vfs s_vfs;
static sqlite3_vfs *s_real;

//  The methods of the files of databases, and the same with s_map
static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static const sqlite3_io_methods *s_plain;
static sqlite3_io_methods s_methods;

static int
s_map (sqlite3_file *file, int region, int size, int extend, void volatile **memory)
{
    int rc = s_plain->xShmMap (file, region, size, extend, memory);
#ifdef MADV_POPULATE_WRITE
    if (rc == SQLITE_OK && *memory && madvise ((void *) *memory, (size_t) size, MADV_POPULATE_WRITE) && errno == EFAULT) {
        *memory = NULL;
        rc = SQLITE_FULL;
    }
#endif
    return rc;
}

static int
s_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void) vfs;
    int rc = s_real->xOpen (s_real, name, file, flags, out_flags);
    if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB) || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap)
        return rc;
    pthread_mutex_lock (&s_mutex);
    if (!s_plain) {
        s_plain = file->pMethods;
        s_methods = *s_plain;
        s_methods.xShmMap = s_map;
    }
    pthread_mutex_unlock (&s_mutex);
    if (file->pMethods == s_plain)
        file->pMethods = &s_methods;
    return SQLITE_OK;
}

static void
s_register (void)
{
    s_real = sqlite3_vfs_find (NULL);
    if (!s_real)
        return;
    s_vfs = *s_real;
    s_vfs.zName = "stele-shm";
    s_vfs.pNext = NULL;
    s_vfs.xOpen = s_open;
    if (sqlite3_vfs_register (&s_vfs, 0) != SQLITE_OK)
        s_real = NULL;
}

const char *
stele_shm_vfs (void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once (&once, s_register);
    return s_real? s_vfs.zName: NULL;
}
