/*  archive_file - the archives of a ledger: files of its schema that hold the tasks of one year

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "ledger/archive.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/schema.h"
#include "sqlite/sql/sql.h"
#include "sqlite/wal/shm_vfs.h"

#define BUSY_MS 2000

char *
stele_archive_path (const char *ledger, int64_t year)
{
    size_t size = strlen (ledger), suffix = strlen (STELE_RESTORING_SUFFIX);
    char *path = sqlite3_mprintf ("%s" STELE_ARCHIVE_SUFFIX "%04lld", ledger, (long long) year);
    //  A ledger that is being restored (repository/restore.c) has archives of its own, or those of its target
    if (path && size > suffix && strcmp (ledger + size - suffix, STELE_RESTORING_SUFFIX) == 0 && access (path, F_OK) != 0) {
        sqlite3_free (path);
        path = sqlite3_mprintf ("%.*s" STELE_ARCHIVE_SUFFIX "%04lld", (int) (size - suffix), ledger, (long long) year);
    }
    return path;
}

//  The year of an archive of that name of a ledger; -1: it is another file
static int64_t
s_year_of (const char *file, const char *ledger)
{
    size_t size = strlen (ledger), suffix = strlen (STELE_ARCHIVE_SUFFIX);
    if (strncmp (file, ledger, size) != 0 || strncmp (file + size, STELE_ARCHIVE_SUFFIX, suffix) != 0)
        return -1;
    const char *year = file + size + suffix;
    return strlen (year) == 4 && strspn (year, "0123456789") == 4? strtoll (year, NULL, 10): -1;
}

int
stele_archives_beside (const char *ledger, int64_t *years, int max)
{
    const char *slash = strrchr (ledger, '/');
    char *folder = stele_file_folder (ledger);
    DIR *files = folder? opendir (folder): NULL;
    struct dirent *file;
    int count = files? 0: -1, error = errno;
    while (files && count < max && (file = readdir (files))) {
        int64_t year = s_year_of (file->d_name, slash? slash + 1: ledger);
        if (year >= 0)
            years [count++] = year;
    }
    if (files)
        closedir (files);
    free (folder);
    errno = error;
    return count;
}

int64_t
stele_archive_year (int64_t time_us)
{
    struct tm tm;
    time_t seconds = (time_t) (time_us / 1000000);
    return gmtime_r (&seconds, &tm)? (int64_t) tm.tm_year + 1900: 0;
}

static int
s_newest (void)
{
    int newest = 0;
    for (const stele_migration_t *m = stele_schema; m->version; m++)
        newest = m->version;
    return newest;
}

static int
s_fail (sqlite3 *db, int code, const char *path, stele_refusal_t *refusal)
{
    const char *text = db? sqlite3_errmsg (db): "out of memory";
    return stele_refuse (refusal, code, "archive", "the archive %s cannot be used: %s", path, text);
}

//  -- checks ----------------------------------------------------------------------------

static int
s_pragma (sqlite3 *db, const char *schema, const char *name, int64_t *value)
{
    char sql [80];
    snprintf (sql, sizeof sql, "PRAGMA %s.%s", schema, name);
    return stele_sql_integer_into (db, sql, 0, value);
}

int
stele_archive_note (sqlite3 *db, const char *schema, const char *key, char *value, size_t size)
{
    char sql [120];
    snprintf (sql, sizeof sql, "SELECT value FROM %s.meta WHERE key = '%s'", schema, key);
    sqlite3_stmt *stmt = stele_sql_prepare (db, sql);
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (db);
    const char *text = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (value, size, "%s", text? text: "");
    sqlite3_finalize (stmt);
    return stele_sql_code (rc);
}

int
stele_archive_check (sqlite3 *db, const char *schema, const char *path, const char *archive_id,
    stele_refusal_t *refusal)
{
    int64_t application = 0, version = 0;
    char id [64] = "";
    int code = s_pragma (db, schema, "application_id", &application);
    if (code == 0)
        code = s_pragma (db, schema, "user_version", &version);
    if (code == 0 && application == STELE_ARCHIVE_APPLICATION_ID && version == s_newest ())
        code = stele_archive_note (db, schema, "archive_id", id, sizeof id);
    if (code)
        return s_fail (db, code, path, refusal);
    if (application != STELE_ARCHIVE_APPLICATION_ID)
        return stele_refuse (refusal, STELE_ELEDGER, "archive", "%s is not an archive of a ledger: put the archive back", path);
    if (version != s_newest ())
        return stele_refuse (refusal, STELE_ELEDGER, "archive", "the archive %s has schema %d, this version reads %d: start the "
            "broker of its ledger to migrate it", path, (int) version, s_newest ());
    if (strcmp (id, archive_id) != 0)
        return stele_refuse (refusal, STELE_ELEDGER, "archive", "%s is an archive of another ledger (its id is %s, not %s): put "
            "the right one back", path, id, archive_id);
    return 0;
}

//  -- open ------------------------------------------------------------------------------

static int
s_migrate (sqlite3 *db, int64_t version)
{
    int code = 0;
    char sql [120];
    for (const stele_migration_t *m = stele_schema; m->version && code == 0; m++) {
        if (m->version <= version)
            continue;
        snprintf (sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
            STELE_ARCHIVE_APPLICATION_ID, m->version);
        code = stele_sql_exec (db, "BEGIN IMMEDIATE");
        if (code == 0)
            code = stele_sql_exec (db, m->sql);
        if (code == 0)
            code = stele_sql_exec (db, sql);
    }
    return code;
}

//  Name a new archive. It may be there since a run that was killed: then it has a name.
static int
s_identify (sqlite3 *db, const char *ledger_id)
{
    char *sql = sqlite3_mprintf ("BEGIN IMMEDIATE;"
        "INSERT OR IGNORE INTO meta VALUES ('archive_id', lower (hex (randomblob (16))));"
        "INSERT OR IGNORE INTO meta VALUES ('ledger_id', %Q);"
        "INSERT OR IGNORE INTO meta VALUES ('created_at', strftime ('%%Y-%%m-%%dT%%H:%%M:%%SZ')); COMMIT", ledger_id);
    int code = sql? stele_sql_exec (db, sql): STELE_ENO_MEMORY;
    sqlite3_free (sql);
    return code;
}

//  A new file is created with the mode, whatever the umask
static int
s_create (const char *path, mode_t mode, stele_refusal_t *refusal)
{
    struct stat status;
    if (stat (path, &status) == 0)
        return 0;
    int handle = stele_file_open (path, O_RDWR | O_CREAT | O_EXCL, mode);
    if (handle < 0) {
        char reason [400];
        stele_file_reason (path, errno, reason, sizeof reason);
        return stele_refuse (refusal, errno == ENOSPC? STELE_EFULL: STELE_EIO, "archive",
            "cannot create the archive %s: %s", path, reason);
    }
    int rc = fchmod (handle, mode);
    close (handle);
    if (rc == 0)
        rc = stele_file_sync_folder (path);
    return rc == 0? 0: stele_refuse (refusal, STELE_EIO, "archive", "cannot create the archive %s: %s", path, strerror (errno));
}

static pthread_mutex_t s_writing = PTHREAD_MUTEX_INITIALIZER;

bool
stele_archive_begin (bool wait)
{
    return (wait? pthread_mutex_lock (&s_writing): pthread_mutex_trylock (&s_writing)) == 0;
}

void
stele_archive_end (void)
{
    pthread_mutex_unlock (&s_writing);
}

sqlite3 *
stele_archive_open (const char *path, mode_t mode, const char *ledger_id, stele_refusal_t *refusal)
{
    sqlite3 *db = NULL;
    int64_t application = 0, version = 0, tables = 0;
    if (ledger_id && s_create (path, mode, refusal))
        return NULL;
    //  As of the ledger: at every start
    chmod (path, mode);
    int code = stele_sql_code (sqlite3_open_v2 (path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        | SQLITE_OPEN_EXRESCODE, stele_shm_vfs ()));
    if (code == 0) {
        sqlite3_busy_timeout (db, BUSY_MS);
        code = stele_sql_exec (db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF");
    }
    if (code == 0)
        code = s_pragma (db, "main", "application_id", &application);
    if (code == 0)
        code = s_pragma (db, "main", "user_version", &version);
    if (code == 0)
        code = stele_sql_integer_into (db, "SELECT count (*) FROM sqlite_schema", 0, &tables);
    if (code == 0 && (tables || !ledger_id? application != STELE_ARCHIVE_APPLICATION_ID: application != 0))
        code = stele_refuse (refusal, STELE_ELEDGER, "archive", "%s is not an archive of a ledger: %s", path,
            ledger_id? "move it away": "put the archive back");
    else
    if (code == 0 && version > s_newest ())
        code = stele_refuse (refusal, STELE_ELEDGER, "archive", "the archive %s has schema %d, this version supports schemas up "
            "to %d: use the newer version that wrote it", path, (int) version, s_newest ());
    else {
        code = code? code: s_migrate (db, version);
        if (code == 0 && ledger_id)
            code = s_identify (db, ledger_id);
        if (code)
            s_fail (db, code, path, refusal);
    }
    if (code) {
        sqlite3_close (db);
        return NULL;
    }
    return db;
}
