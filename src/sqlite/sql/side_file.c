/*  side_file - a database next to a ledger that can be derived from it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/side_file.h"
#include "sqlite/wal/shm_vfs.h"
#include "stele_error.h"

//  SQLite gives a new file the mode 0644, and its log that of the file: start with the ledger's mode.
//  Nothing has a new file open, so closing it drops no lock.
static void
s_create (const char *ledger, const char *name)
{
    struct stat status;
    if (stat (ledger, &status) != 0)
        return;
    int handle = stele_file_open (name, O_RDWR | O_CREAT | O_EXCL, status.st_mode & 0777);
    if (handle < 0)
        return;                     // It exists, or SQLite reports why not
    fchmod (handle, status.st_mode & 0777);
    close (handle);
}

int
stele_side_open (const char *ledger, const char *suffix, sqlite3 **db)
{
    char *name = sqlite3_mprintf ("%s%s", ledger, suffix);
    if (name)
        s_create (ledger, name);
    int rc = !name? SQLITE_NOMEM: sqlite3_open_v2 (name, db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, stele_shm_vfs ());
    sqlite3_free (name);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout (*db, 1000);
        //  It can be rebuilt: no need to sync each transaction
        rc = sqlite3_exec (*db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "PRAGMA secure_delete = OFF; PRAGMA cache_size = -16384;", NULL, NULL, NULL);
    }
    return stele_sql_code (rc);
}

void
stele_side_unlink (const char *ledger, const char *suffix)
{
    static const char *const suffixes [] = { "", STELE_WAL_SUFFIX, STELE_SHM_SUFFIX };
    for (size_t i = 0; i < 3; i++) {
        char *name = sqlite3_mprintf ("%s%s%s", ledger, suffix, suffixes [i]);
        if (name)
            unlink (name);
        sqlite3_free (name);
    }
}

const char *
stele_side_fault (sqlite3 *db, int version, const char *ledger_id, int64_t head, int64_t *position)
{
    bool ours = false;
    int64_t found = stele_sql_integer (db, "PRAGMA user_version", -1);
    if (found != version)
        return found == 0? "is missing": found > 0 && found < version? "is of an earlier version": "is not usable";
    sqlite3_stmt *statement = stele_sql_prepare (db, "SELECT value FROM meta WHERE key = 'ledger_id'");
    if (statement && sqlite3_step (statement) == SQLITE_ROW)
        ours = strcmp ((const char *) sqlite3_column_text (statement, 0), ledger_id) == 0;
    sqlite3_finalize (statement);
    int64_t at = stele_sql_integer (db, "SELECT value FROM meta WHERE key = 'position'", -1);
    if (!ours || at < 0 || at > head)
        return "is not usable";
    *position = at;
    return NULL;
}

bool
stele_side_is_stale (sqlite3 *db, int64_t erasure)
{
    //  One that an earlier version made has no such row
    return erasure > stele_sql_integer (db, "SELECT value FROM meta WHERE key = 'erasure'", 0);
}

int
stele_side_make (sqlite3 *db, int version, const char *ledger_id, int64_t erasure, const char *schema)
{
    char *sql = sqlite3_mprintf ("BEGIN; CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
        " INSERT INTO meta VALUES ('position', 0), ('ledger_id', %Q), ('erasure', %lld); %s PRAGMA user_version = %d; COMMIT",
        ledger_id, (long long) erasure, schema, version);
    int code = sql? stele_sql_exec (db, sql): STELE_ENO_MEMORY;
    sqlite3_free (sql);
    return code;
}
