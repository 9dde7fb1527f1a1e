/*  compact - write the ledger and its archives again, without their free pages

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "fault/fault.h"
#include "ledger/compact.h"
#include "sqlite/write/ledger_internal.h"

#define MIB (1024 * 1024)

static int64_t
s_size (const char *path)
{
    struct stat status;
    return stat (path, &status) == 0? status.st_size: 0;
}

//  A temporary copy and the log are each as large as the file at most
static int
s_check_room (const char *path, stele_refusal_t *refusal)
{
    struct statvfs disk;
    int64_t size = s_size (path);
    if (statvfs (path, &disk) != 0 || (int64_t) (disk.f_bavail * disk.f_frsize) >= 2 * size)
        return 0;
    return stele_refuse (refusal, STELE_EFULL, "ledger", "%s has %lld MiB, and compacting it takes up to twice as much free space, "
        "but only %lld MiB are free: free some, or move the ledger to a larger disk", path, (long long) (size / MIB),
        (long long) (disk.f_bavail * disk.f_frsize / MIB));
}

//  Every page is made again, so none remembers deleted rows
static int
s_vacuum (sqlite3 *db)
{
    int64_t faults = 0;
    int code = stele_sql_exec (db, "PRAGMA temp_store = FILE; VACUUM");
    if (code == 0)
        code = stele_sql_integer_into (db, "SELECT count (*) FROM pragma_quick_check WHERE quick_check != 'ok'", 1, &faults);
    return code? code: faults? STELE_ELEDGER: 0;
}

//  For each file, before the first one is changed
static int
s_check_all (stele_ledger_t *self, stele_refusal_t *refusal)
{
    int code = s_check_room (stele_place_path (self->place), refusal);
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT id FROM main.archives");
    while (stmt && code == 0 && sqlite3_step (stmt) == SQLITE_ROW) {
        char *path = stele_archive_path (stele_place_path (self->place), sqlite3_column_int64 (stmt, 0));
        code = path? s_check_room (path, refusal): stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
        sqlite3_free (path);
    }
    sqlite3_finalize (stmt);
    return code;
}

static int
s_compact_archive (stele_ledger_t *self, int64_t year, stele_compact_fn *fn, void *arg, stele_refusal_t *refusal)
{
    char text [400];
    char *path = stele_archive_path (stele_place_path (self->place), year);
    int code = path? s_check_room (path, refusal): stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
    if (path && code == 0 && access (path, F_OK) == 0) {
        sqlite3 *db = stele_archive_open (path, self->file_mode, NULL, refusal);
        int64_t before = s_size (path);
        code = db? s_vacuum (db): refusal->code;
        if (db && code == 0)
            code = stele_sql_code (sqlite3_wal_checkpoint_v2 (db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
        if (db && code) {
            code = stele_sql_error_text (db, code, text, sizeof text);
            stele_refuse (refusal, code, "archive", "cannot compact %s: %s", path, text);
        }
        sqlite3_close (db);
        if (code == 0)
            fn (path, before, s_size (path), arg);
    }
    sqlite3_free (path);
    return code;
}

static int
s_fail (stele_ledger_t *self, int code, stele_refusal_t *refusal)
{
    code = stele_ledger_fail (self, code);
    return stele_refuse (refusal, code, "ledger", "cannot compact %s: %s", stele_place_path (self->place), self->error);
}

int
stele_ledger_compact (stele_ledger_t *self, stele_compact_fn *fn, void *arg, stele_refusal_t *refusal)
{
    const char *path = stele_place_path (self->place);
    int code = s_check_all (self, refusal);
    if (code)
        return code;
    if ((code = stele_ledger_scrub (self, true)))
        return s_fail (self, code, refusal);
    int64_t before = s_size (path);
    code = STELE_FAULT_CODE (compact_before);
    if (code == 0)
        code = s_vacuum (self->db);
    STELE_FAULT (compact_written);
    if (code == 0)
        code = stele_ledger_make_room (self);
    if (code)
        return s_fail (self, code, refusal);
    STELE_FAULT (compact_after);
    fn (path, before, s_size (path), arg);
    int rc = SQLITE_DONE;
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT id FROM main.archives ORDER BY id");
    while (stmt && code == 0 && (rc = sqlite3_step (stmt)) == SQLITE_ROW)
        code = s_compact_archive (self, sqlite3_column_int64 (stmt, 0), fn, arg, refusal);
    sqlite3_finalize (stmt);
    return code? code: stmt && stele_sql_code (rc) == 0? 0: s_fail (self, STELE_EINTERNAL, refusal);
}
