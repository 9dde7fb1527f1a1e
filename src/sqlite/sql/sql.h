/*  sql - the few things that every statement of the ledger needs

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQL_H_INCLUDED
#define STELE_SQL_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

/*  A SQLite result as a code of ours: 0, or STELE_EFULL, EBUSY, EIO, ETIMEOUT (interrupted),
    ENO_MEMORY, ELEDGER (corrupt, not a database), EINTERNAL.                */
int
    stele_sql_code (int sqlite_rc);

/*  The last error of the connection for a person: what could not be done to which file, and what
    the system said. Returns 'code', or STELE_EFULL where a write failed for want of room
    and SQLite calls that an I/O error (a quota, the shared memory).          */
int
    stele_sql_error_text (sqlite3 *db, int code, char *text, size_t size);

/*  Note how a binding went that has to copy its bytes. When it failed, for want of memory, the
    next step or run on this thread fails with SQLITE_NOMEM: a statement must not
    run with NULL in the place of a value. A rollback forgets it.            */
void
    stele_sql_bound (int sqlite_rc);
void
    stele_sql_bound_forget (void);

/*  sqlite3_step, unless a binding before it has failed.                     */
int
    stele_sql_step (sqlite3_stmt *stmt);

/*  Prepare a statement that lives as long as the connection; NULL on failure (ask
    sqlite3_errmsg).                                                         */
sqlite3_stmt *
    stele_sql_prepare (sqlite3 *db, const char *sql);

/*  Run a statement that gives no rows, and reset it. Returns 0 or a code.   */
int
    stele_sql_run (sqlite3_stmt *stmt);

/*  Run SQL text that gives no rows of interest. Returns 0 or a code.        */
int
    stele_sql_exec (sqlite3 *db, const char *sql);

/*  First column of the first row as an integer; 'otherwise' where there is none. */
int64_t
    stele_sql_integer (sqlite3 *db, const char *sql, int64_t otherwise);

/*  The same where a row that cannot be read must not pass for one that is not there.
    Returns 0 or a code.                                                     */
int
    stele_sql_integer_into (sqlite3 *db, const char *sql, int64_t otherwise, int64_t *value);

/*  Bind a value by what it is; what neither INTEGER nor REAL can hold (integers above
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
