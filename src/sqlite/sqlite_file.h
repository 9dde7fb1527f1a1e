/*  sqlite_file - a SQLite database of somebody else, read and never touched

    The file and its write-ahead log or journal, if there is one, are copied into a
    folder of their own, byte by byte, and the copy is opened: SQLite then finishes
    there what was unfinished, and the source gets no lock, no -shm, no change at all.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQLITE_FILE_H_INCLUDED
#define STELE_SQLITE_FILE_H_INCLUDED

#include "model/record.h"

typedef struct stele_sqlite_file stele_sqlite_file_t;

/*  Copy (to TMPDIR, or /tmp) and open. NULL: why is in 'error'. Caller owns return value. */
stele_sqlite_file_t *
    stele_sqlite_file_open (const char *path, char *error, size_t error_size);

/*  Close, and remove the copy.                                              */
void
    stele_sqlite_file_close (stele_sqlite_file_t **self_p);

/*  When the source was last written to, microseconds since the Unix epoch.   */
int64_t
    stele_sqlite_file_modified_us (const stele_sqlite_file_t *self);

/*  Is it a ledger of Stele itself?                                          */
bool
    stele_sqlite_file_is_ledger (const stele_sqlite_file_t *self);

bool
    stele_sqlite_file_has_table (stele_sqlite_file_t *self, const char *table);

/*  The name of every table, and how many rows it has.                       */
typedef void (stele_sqlite_file_table_fn) (const char *table, int64_t rows, void *arg);
void
    stele_sqlite_file_tables (stele_sqlite_file_t *self, stele_sqlite_file_table_fn *fn, void *arg);

/*  Has the table a column of that name (whatever its case)?                 */
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

/*  The rows of a table in their own order; where 'column' is not NULL, those whose column
    is that text (an integer compares by its digits). A function that returns non-zero
    ends it. Returns 0, what fn returned, or a code. Calls may be nested.     */
int
    stele_sqlite_file_rows (stele_sqlite_file_t *self, const char *table,
        const char *column, const char *text, stele_sqlite_file_fn *fn, void *arg);

/*  The rows of 'table' whose 'column' names no row of 'other' by its 'other_column'. */
int
    stele_sqlite_file_orphans (stele_sqlite_file_t *self, const char *table, const char *column,
        const char *other, const char *other_column, stele_sqlite_file_fn *fn, void *arg);

/*  Text of the last error. Owned by the database.                           */
const char *
    stele_sqlite_file_error (const stele_sqlite_file_t *self);

#endif
