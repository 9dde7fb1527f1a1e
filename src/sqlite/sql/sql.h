/*  sql - statements, bindings and error codes of SQLite

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQL_H_INCLUDED
#define STELE_SQL_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

/*  The code of a SQLite result: 0, or STELE_EFULL, EBUSY, EIO, ETIMEOUT (interrupted),
    ENO_MEMORY, ELEDGER (corrupt, not a database), EINTERNAL.                */
int
    stele_sql_code (int sqlite_rc);

/*  Text of the last error of the connection: the operation, the file, and the error of the system.
    Returns 'code', or STELE_EFULL if a write failed for lack of space that
    SQLite reports as an I/O error (a quota, the shared memory).              */
int
    stele_sql_error_text (sqlite3 *db, int code, char *text, size_t size);

/*  Note the result of a binding that copies its bytes. If it failed (out of memory), the next
    step or run on this thread fails with SQLITE_NOMEM: a statement must not run
    with NULL in place of a value. A rollback forgets it.                    */
void
    stele_sql_bound (int sqlite_rc);
void
    stele_sql_bound_forget (void);

/*  sqlite3_step, unless a binding before it failed.                         */
int
    stele_sql_step (sqlite3_stmt *stmt);

/*  Prepare a statement that lives as long as the connection. NULL: the error is that of the
    connection.                                                              */
sqlite3_stmt *
    stele_sql_prepare (sqlite3 *db, const char *sql);

/*  Run a statement, ignore its rows, and reset it. Returns 0 or a code.     */
int
    stele_sql_run (sqlite3_stmt *stmt);

/*  Run SQL text and ignore its rows. Returns 0 or a code.                   */
int
    stele_sql_exec (sqlite3 *db, const char *sql);

/*  First column of the first row as an integer; 'otherwise' if there is none, or after an error. */
int64_t
    stele_sql_integer (sqlite3 *db, const char *sql, int64_t otherwise);

/*  The same, but an error is returned: a row that cannot be read is not a missing one. Returns 0
    or a code.                                                               */
int
    stele_sql_integer_into (sqlite3 *db, const char *sql, int64_t otherwise, int64_t *value);

/*  Bind a value by its kind; numbers that neither INTEGER nor REAL can hold (integers above
    INT64_MAX, NaN, infinities) as TEXT. Text is borrowed until the reset.   */
void
    stele_sql_bind_value (sqlite3_stmt *stmt, int index, const stele_value_t *value);

/*  Bind an integer, 0 as NULL.                                              */
void
    stele_sql_bind_key (sqlite3_stmt *stmt, int index, int64_t key);

/*  Bind text, NULL as NULL.                                                 */
void
    stele_sql_bind_text (sqlite3_stmt *stmt, int index, const char *text, size_t size);

#endif
