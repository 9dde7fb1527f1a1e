/*  sql - the few things that every statement of the ledger needs

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include <stdio.h>
#include "stele_error.h"
#include "ledger/sql.h"

int
stele_sql_code (int sqlite_rc)
{
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

sqlite3_stmt *
stele_sql_prepare (sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3 (db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return NULL;
    return stmt;
}

int
stele_sql_run (sqlite3_stmt *stmt)
{
    int rc;
    do
        rc = sqlite3_step (stmt);
    while (rc == SQLITE_ROW);
    int reset_rc = sqlite3_reset (stmt);
    return stele_sql_code (rc == SQLITE_DONE? reset_rc: rc);
}

int
stele_sql_exec (sqlite3 *db, const char *sql)
{
    return stele_sql_code (sqlite3_exec (db, sql, NULL, NULL, NULL));
}

int64_t
stele_sql_integer (sqlite3 *db, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *stmt = NULL;
    int64_t result = otherwise;
    if (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL) == SQLITE_OK
    &&  sqlite3_step (stmt) == SQLITE_ROW
    &&  sqlite3_column_type (stmt, 0) != SQLITE_NULL)
        result = sqlite3_column_int64 (stmt, 0);
    sqlite3_finalize (stmt);
    return result;
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
            sqlite3_bind_text (stmt, index, digits, -1, SQLITE_TRANSIENT);
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
