/*  sql - statements, bindings and error codes of SQLite

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "stele_error.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/sql.h"

int
stele_sql_code (int sqlite_rc)
{
    if (sqlite_rc == SQLITE_IOERR_NOMEM)
        return STELE_ENO_MEMORY;
    switch (sqlite_rc & 0xFF) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
            return 0;
        case SQLITE_FULL:
            return STELE_EFULL;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return STELE_EBUSY;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return STELE_EIO;
        case SQLITE_INTERRUPT:
            return STELE_ETIMEOUT;
        case SQLITE_NOMEM:
            return STELE_ENO_MEMORY;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return STELE_ELEDGER;
        default:
            return STELE_EINTERNAL;
    }
}

static int
s_last_errno (sqlite3 *db, int pointer)
{
    sqlite3_file *file = NULL;
    int number = 0;
    if (sqlite3_file_control (db, "main", pointer, &file) == SQLITE_OK && file && file->pMethods)
        file->pMethods->xFileControl (file, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

//  The file that failed, by the end of its name, and its error number.
static const char *
s_failed_file (sqlite3 *db, int rc, int *number)
{
    switch (rc) {
        case SQLITE_IOERR_SHMSIZE:
            //  It could not grow. In a commit SQLite loses the reason: nearly always lack of space.
            *number = sqlite3_system_errno (db);
            *number = *number? *number: ENOSPC;
            return STELE_SHM_SUFFIX;
        case SQLITE_IOERR_SHMOPEN:
        case SQLITE_IOERR_SHMMAP:
        case SQLITE_IOERR_SHMLOCK:
            *number = sqlite3_system_errno (db);
            return STELE_SHM_SUFFIX;
        default:
            break;
    }
    *number = s_last_errno (db, SQLITE_FCNTL_JOURNAL_POINTER);
    if (*number)
        return STELE_WAL_SUFFIX;
    *number = s_last_errno (db, SQLITE_FCNTL_FILE_POINTER);
    if (*number == 0 && (rc & 0xFF) != SQLITE_CORRUPT)
        *number = sqlite3_system_errno (db);
    return "";
}

static const char *
s_doing (int rc)
{
    switch (rc) {
        case SQLITE_IOERR_READ:
        case SQLITE_IOERR_SHORT_READ:
        case SQLITE_IOERR_CORRUPTFS:
        case SQLITE_CORRUPT:
            return "read";
        case SQLITE_IOERR_FSYNC:
        case SQLITE_IOERR_DIR_FSYNC:
            return "sync";
        case SQLITE_IOERR_TRUNCATE:
        case SQLITE_IOERR_SHMSIZE:
            return "resize";
        default:
            return (rc & 0xFF) == SQLITE_CANTOPEN? "open": "write";
    }
}

int
stele_sql_error_text (sqlite3 *db, int code, char *text, size_t size)
{
    int rc = db? sqlite3_extended_errcode (db): SQLITE_OK;
    int kind = rc & 0xFF;
    const char *path = db? sqlite3_db_filename (db, "main"): NULL;
    if (!path)
        path = "the ledger";        // The open failed
    if (kind == SQLITE_OK || kind == SQLITE_ROW || kind == SQLITE_DONE || code == STELE_ENO_MEMORY)
        snprintf (text, size, "%s", stele_error_text (code));
    else
    if (kind == SQLITE_FULL)
        snprintf (text, size, "cannot write %s: %s (SQLite %d)", path, strerror (ENOSPC), rc);
    else
    if (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_CORRUPT) {
        int number;
        const char *suffix = s_failed_file (db, rc, &number);
        //  SQLite reports corruption, too, when the disk cannot be read
        if (kind == SQLITE_CORRUPT && number == 0) {
            snprintf (text, size, "%s: %s (SQLite %d)", path, sqlite3_errmsg (db), rc);
            return code;
        }
        if (kind == SQLITE_CORRUPT)
            code = STELE_EIO;
        snprintf (text, size, "cannot %s %s%s: %s (errno %d, SQLite %d)", s_doing (rc), path,
            suffix, number? strerror (number): sqlite3_errmsg (db), number, rc);
        //  After a failed sync the contents of the disk are unknown, whatever the reason
        if ((number == ENOSPC || number == EDQUOT || number == EFBIG) && rc != SQLITE_IOERR_FSYNC
        &&  kind == SQLITE_IOERR)
            return STELE_EFULL;
    }
    else
        snprintf (text, size, "%s (SQLite %d)", sqlite3_errmsg (db), rc);
    return code;
}

sqlite3_stmt *
stele_sql_prepare (sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3 (db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return NULL;
    return stmt;
}

static _Thread_local bool s_unbound;

void
stele_sql_bound (int sqlite_rc)
{
    if (sqlite_rc != SQLITE_OK)
        s_unbound = true;
}

void
stele_sql_bound_forget (void)
{
    s_unbound = false;
}

int
stele_sql_step (sqlite3_stmt *stmt)
{
    if (!s_unbound)
        return sqlite3_step (stmt);
    s_unbound = false;
    return SQLITE_NOMEM;
}

int
stele_sql_run (sqlite3_stmt *stmt)
{
    int rc;
    do
        rc = stele_sql_step (stmt);
    while (rc == SQLITE_ROW);
    int reset_rc = sqlite3_reset (stmt);
    return stele_sql_code (rc == SQLITE_DONE? reset_rc: rc);
}

int
stele_sql_exec (sqlite3 *db, const char *sql)
{
    return stele_sql_code (sqlite3_exec (db, sql, NULL, NULL, NULL));
}

int
stele_sql_integer_into (sqlite3 *db, const char *sql, int64_t otherwise, int64_t *value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step (stmt);
    int64_t result = otherwise;
    if (rc == SQLITE_ROW && sqlite3_column_type (stmt, 0) != SQLITE_NULL)
        result = sqlite3_column_int64 (stmt, 0);
    sqlite3_finalize (stmt);
    int code = stele_sql_code (rc);
    if (code == 0)
        *value = result;
    return code;
}

int64_t
stele_sql_integer (sqlite3 *db, const char *sql, int64_t otherwise)
{
    int64_t value = otherwise;
    stele_sql_integer_into (db, sql, otherwise, &value);
    return value;
}

static void
s_bind_real (sqlite3_stmt *stmt, int index, double real)
{
    if (isnan (real))
        sqlite3_bind_text (stmt, index, "NaN", -1, SQLITE_STATIC);
    else
    if (isinf (real))
        sqlite3_bind_text (stmt, index, real > 0? "Infinity": "-Infinity", -1, SQLITE_STATIC);
    else
        sqlite3_bind_double (stmt, index, real);
}

void
stele_sql_bind_value (sqlite3_stmt *stmt, int index, const stele_value_t *value)
{
    char digits [24];
    switch ((stele_value_kind_t) value->kind) {
        case STELE_VALUE_NONE:
            sqlite3_bind_null (stmt, index);
            break;
        case STELE_VALUE_INTEGER:
        case STELE_VALUE_BOOL:
        case STELE_VALUE_WORD:
            sqlite3_bind_int64 (stmt, index, value->integer);
            break;
        case STELE_VALUE_UNSIGNED:
            snprintf (digits, sizeof digits, "%llu", (unsigned long long) value->natural);
            stele_sql_bound (sqlite3_bind_text (stmt, index, digits, -1, SQLITE_TRANSIENT));
            break;
        case STELE_VALUE_REAL:
            s_bind_real (stmt, index, value->real);
            break;
        case STELE_VALUE_TEXT:
        case STELE_VALUE_JSON:
            sqlite3_bind_text (stmt, index, value->text? value->text: "", (int) value->size, SQLITE_STATIC);
            break;
        case STELE_VALUE_BYTES:
        case STELE_VALUE_PACKED:
            //  A NULL pointer would bind NULL instead of an empty blob
            sqlite3_bind_blob (stmt, index, value->size? value->text: "", (int) value->size, SQLITE_STATIC);
            break;
    }
}

void
stele_sql_bind_key (sqlite3_stmt *stmt, int index, int64_t key)
{
    if (key)
        sqlite3_bind_int64 (stmt, index, key);
    else
        sqlite3_bind_null (stmt, index);
}

void
stele_sql_bind_text (sqlite3_stmt *stmt, int index, const char *text, size_t size)
{
    if (text)
        sqlite3_bind_text (stmt, index, text, (int) size, SQLITE_STATIC);
    else
        sqlite3_bind_null (stmt, index);
}
