/*  wal_index - discard the index of the write-ahead log in SQLite's shared memory

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdint.h>
#include <string.h>
#include "base/clock.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/wal_index.h"
#include "stele_error.h"

//  -- the layout of the memory ----------------------------------------------------------
//
//  Everything that depends on the layout is in this section and in s_clear. It is described in
//  https://sqlite.org/walformat.html, "The WAL-Index File Format", which also states that a later
//  version may change it. It is the same in 3.37.2, 3.39.1, 3.40.0, 3.43.1, 3.45.1, 3.46.0,
//  3.49.1, 3.50.2, 3.50.4, 3.51.2, 3.51.3, 3.53.1 and 3.54.1: compared were, in src/wal.c, the
//  structures WalIndexHdr and WalCkptInfo, WALINDEX_PGSZ, WALINDEX_MAX_VERSION, WAL_WRITE_LOCK
//  and the checksum in walIndexTryHdr. tests/unit/test_wal_index.c fails with a version that is
//  newer than those, so that it is compared, too.

#define REGION      32768           // Bytes that are mapped at once
#define WRITE_LOCK  0               // Held by the process that commits, and by one that recovers
#define FORMAT      3007000

//  In the byte order of the machine
typedef struct {
    uint32_t format;
    uint32_t unused;
    uint32_t change;
    uint8_t is_initialized;
    uint8_t big_endian_checksums;   // Of the log
    uint16_t page_size;             // 1: 65536
    uint32_t log_pages;
    uint32_t database_pages;
    uint32_t log_checksum [2];
    uint32_t salt [2];
    uint32_t checksum [2];          // Of all before it
} s_header_t;

_Static_assert (sizeof (s_header_t) == 48 && offsetof (s_header_t, page_size) == 14
    && offsetof (s_header_t, checksum) == 40, "as in the description");
_Static_assert (2 * sizeof (s_header_t) == STELE_WAL_INDEX_HEADER, "two copies");

bool
stele_wal_index_is_known (const void *header)
{
    s_header_t copies [2];
    memcpy (copies, header, sizeof copies);
    uint32_t words [offsetof (s_header_t, checksum) / sizeof (uint32_t)], sum [2] = { 0, 0 };
    memcpy (words, copies, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i += 2) {
        sum [0] += words [i] + sum [1];
        sum [1] += words [i + 1] + sum [0];
    }
    return copies [0].format == FORMAT && copies [0].is_initialized == 1
        && memcmp (&copies [0], &copies [1], sizeof copies [0]) == 0
        && memcmp (copies [0].checksum, sum, sizeof sum) == 0;
}

//  While this process holds the write lock, no other changes the header, so it is whole unless a process died while it
//  wrote it. Cleared, it is not initialized, in both copies: the next reader takes the write
//  lock and rebuilds all of the memory from the log, with the number of copied pages 0. A process that
//  reads meanwhile uses its own copy of the header, and expects this one to change.
static int
s_clear (void *memory)
{
    static const char cleared [STELE_WAL_INDEX_HEADER];
    if (memcmp (memory, cleared, sizeof cleared) == 0)
        return 1;
    if (!stele_wal_index_is_known (memory))
        return 0;
    memset (memory, 0, sizeof cleared);
    return 1;
}

//  -- the two ways -----------------------------------------------------------------------

static int
s_lock (sqlite3_file *file, int busy_ms)
{
    int64_t until_ms = stele_clock_steady_ms () + busy_ms;
    int rc;
    while ((rc = file->pMethods->xShmLock (file, WRITE_LOCK, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)) == SQLITE_BUSY
    &&  stele_clock_steady_ms () < until_ms)
        sqlite3_sleep (10);
    return rc;
}

int
stele_wal_index_forget (sqlite3 *db, int busy_ms)
{
    int version = sqlite3_libversion_number ();
    if (version < STELE_WAL_INDEX_VERSION_MIN || version > STELE_WAL_INDEX_VERSION_MAX)
        return 0;
    sqlite3_file *file = NULL;
    sqlite3_file_control (db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (!file || !file->pMethods || file->pMethods->iVersion < 2)
        return 0;
    void volatile *memory = NULL;
    int rc = file->pMethods->xShmMap (file, 0, REGION, 0, &memory);
    if (rc == SQLITE_OK && !memory)
        return 1;                   // It does not exist yet
    if (rc == SQLITE_OK)
        rc = s_lock (file, busy_ms);
    if (rc != SQLITE_OK)
        return stele_sql_code (rc);
    int done = s_clear ((void *) memory);
    file->pMethods->xShmBarrier (file);
    file->pMethods->xShmLock (file, WRITE_LOCK, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return done;
}

//  A connection in exclusive mode from its first access on uses no shared memory, and gets the
//  database only while no other connection has it (https://sqlite.org/wal.html, "Use of WAL Without
//  Shared-Memory"). Once it got the database, no process holds the old memory, and the next one to open
//  the database creates a new one. Its close writes nothing.
int
stele_wal_index_renew (const char *path, int busy_ms)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout (db, busy_ms);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec (db, "PRAGMA wal_autocheckpoint = 0; PRAGMA locking_mode = EXCLUSIVE;"
            "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    sqlite3_close (db);
    return stele_sql_code (rc);
}
