/*  sqlite_file - read a SQLite database of another program without touching it

    The file and its write-ahead log or journal, if there is one, are copied byte by
    byte into a new folder, and the copy is opened: SQLite recovers the copy if it has
    to, and the source gets no lock, no -shm file, no change at all.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQLITE_FILE_H_INCLUDED
#define STELE_SQLITE_FILE_H_INCLUDED

#include "model/record.h"

typedef struct stele_sqlite_file stele_sqlite_file_t;

/*  Copy (to TMPDIR, or /tmp) and open. NULL: the reason is in 'error'. Caller owns return value. */
stele_sqlite_file_t *
    stele_sqlite_file_open (const char *path, char *error, size_t error_size);

/*  Close and remove the copy.                                               */
void
    stele_sqlite_file_close (stele_sqlite_file_t **self_p);

/*  Time of the last write to the source, microseconds since the Unix epoch.  */
int64_t
    stele_sqlite_file_modified_us (const stele_sqlite_file_t *self);

/*  Is it a ledger of Stele?                                                 */
bool
    stele_sqlite_file_is_ledger (const stele_sqlite_file_t *self);

bool
    stele_sqlite_file_has_table (stele_sqlite_file_t *self, const char *table);

/*  Call fn per table with its name and number of rows.                      */
typedef void (stele_sqlite_file_table_fn) (const char *table, int64_t rows, void *arg);
void
    stele_sqlite_file_tables (stele_sqlite_file_t *self, stele_sqlite_file_table_fn *fn, void *arg);

/*  Does the table have a column of that name (in any case)?                 */
bool
    stele_sqlite_file_has_column (stele_sqlite_file_t *self, const char *table, const char *column);

/*  A row: values by the names of the columns. INTEGER, REAL, TEXT, BYTES or NONE;
    TEXT need not be UTF-8. Valid during the call.                           */
typedef struct {
    int count;
    const char *const *names;
    const stele_value_t *values;
} stele_sqlite_file_row_t;

typedef int (stele_sqlite_file_fn) (const stele_sqlite_file_row_t *row, void *arg);

/*  The rows of a table in their own order; if 'column' is not NULL, only those in which it equals
    the text, which may hold NUL (an integer compares by its digits). A function that returns non-zero ends
    the read. Returns 0, the result of fn, or a code. Calls may be nested.    */
int
    stele_sqlite_file_rows (stele_sqlite_file_t *self, const char *table,
        const char *column, const char *text, size_t size, stele_sqlite_file_fn *fn, void *arg);

/*  The rows of 'table' whose 'column' matches no 'other_column' of 'other'.  */
int
    stele_sqlite_file_orphans (stele_sqlite_file_t *self, const char *table, const char *column,
        const char *other, const char *other_column, stele_sqlite_file_fn *fn, void *arg);

/*  Text of the last error. Owned by the database.                           */
const char *
    stele_sqlite_file_error (const stele_sqlite_file_t *self);

#endif
