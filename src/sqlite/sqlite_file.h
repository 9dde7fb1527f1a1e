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

typedef struct stele_foreign stele_foreign_t;

/*  Copy (to TMPDIR, or /tmp) and open. NULL: why is in 'error'. Caller owns return value. */
stele_foreign_t *
    stele_foreign_open (const char *path, char *error, size_t error_size);

/*  Close, and remove the copy.                                              */
void
    stele_foreign_close (stele_foreign_t **self_p);

/*  When the source was last written to, microseconds since the Unix epoch.   */
int64_t
    stele_foreign_modified_us (const stele_foreign_t *self);

/*  Is it a ledger of Stele itself?                                          */
bool
    stele_foreign_is_ledger (const stele_foreign_t *self);

bool
    stele_foreign_has_table (stele_foreign_t *self, const char *table);

/*  The name of every table, and how many rows it has.                       */
typedef void (stele_foreign_table_fn) (const char *table, int64_t rows, void *arg);
void
    stele_foreign_tables (stele_foreign_t *self, stele_foreign_table_fn *fn, void *arg);

/*  Has the table a column of that name (whatever its case)?                 */
bool
    stele_foreign_has_column (stele_foreign_t *self, const char *table, const char *column);

/*  A row: values by the names of the columns. INTEGER, REAL, TEXT, BYTES or NONE;
    TEXT need not be UTF-8. Valid during the call.                           */
typedef struct {
    int count;
    const char *const *names;
    const stele_value_t *values;
} stele_foreign_row_t;

typedef int (stele_foreign_fn) (const stele_foreign_row_t *row, void *arg);

/*  The rows of a table in their own order; where 'column' is not NULL, those whose column
    is that text (an integer compares by its digits). A function that returns non-zero
    ends it. Returns 0, what fn returned, or a code. Calls may be nested.     */
int
    stele_foreign_rows (stele_foreign_t *self, const char *table,
        const char *column, const char *text, stele_foreign_fn *fn, void *arg);

/*  The rows of 'table' whose 'column' names no row of 'other' by its 'other_column'. */
int
    stele_foreign_orphans (stele_foreign_t *self, const char *table, const char *column,
        const char *other, const char *other_column, stele_foreign_fn *fn, void *arg);

/*  Text of the last error. Owned by the database.                           */
const char *
    stele_foreign_error (const stele_foreign_t *self);

#endif
