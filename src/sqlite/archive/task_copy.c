/*  task_copy - copy the rows of a task between a ledger and an archive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "sqlite/archive/archive_file.h"
#include "sqlite/sql/sql.h"
#include "stele_error.h"

#define TABLES 5                    // Of which the first two have one row of a task

#define CHAIN_TABLE(table, last) table,
#define CHAIN_SELECT(table, last) STELE_TASK_CHAIN (table, last) \
    "SELECT r.* FROM c JOIN main." table " r ON r.position = c.p",

static const char *const s_tables [TABLES] = { "tasks", "task_states", STELE_TASK_CHAINS (CHAIN_TABLE) };
static const char *const s_selects [TABLES] = {
    "SELECT * FROM main.tasks WHERE id = ?1", "SELECT * FROM main.task_states WHERE task = ?1",
    STELE_TASK_CHAINS (CHAIN_SELECT)
};

struct stele_task_copy {
    sqlite3_stmt *selects [TABLES], *inserts [TABLES];
};

static sqlite3_stmt *
s_insert (sqlite3 *db, const char *table, int columns, bool replace)
{
    sqlite3_str *sql = sqlite3_str_new (db);
    sqlite3_str_appendf (sql, "INSERT%s INTO main.%s VALUES (?", replace? " OR REPLACE": "", table);
    while (--columns > 0)
        sqlite3_str_appendall (sql, ", ?");
    sqlite3_str_appendall (sql, ")");
    char *text = sqlite3_str_finish (sql);
    sqlite3_stmt *stmt = text? stele_sql_prepare (db, text): NULL;
    sqlite3_free (text);
    return stmt;
}

stele_task_copy_t *
stele_task_copy_new (sqlite3 *from, sqlite3 *to, bool replace)
{
    stele_task_copy_t *self = calloc (1, sizeof *self);
    for (int i = 0; self && i < TABLES; i++) {
        self->selects [i] = stele_sql_prepare (from, s_selects [i]);
        if (self->selects [i])
            self->inserts [i] = s_insert (to, s_tables [i], sqlite3_column_count (self->selects [i]), replace);
        if (!self->inserts [i])
            stele_task_copy_destroy (&self);
    }
    return self;
}

void
stele_task_copy_destroy (stele_task_copy_t **self_p)
{
    assert (self_p);
    stele_task_copy_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < TABLES; i++) {
        sqlite3_finalize (self->selects [i]);
        sqlite3_finalize (self->inserts [i]);
    }
    free (self);
    *self_p = NULL;
}

//  Read all of a row, large texts too
static void
s_touch (sqlite3_stmt *select)
{
    for (int column = 0; column < sqlite3_column_count (select); column++)
        if (sqlite3_column_type (select, column) != SQLITE_NULL)
            sqlite3_column_blob (select, column);
}

static int
s_insert_row (sqlite3_stmt *select, sqlite3_stmt *insert)
{
    for (int column = 0; column < sqlite3_column_count (select); column++)
        stele_sql_bound (sqlite3_bind_value (insert, column + 1, sqlite3_column_value (select, column)));
    int code = stele_sql_run (insert);
    sqlite3_clear_bindings (insert);
    return code;
}

//  The rows of one table; insert NULL: only read them. Returns their number, or a code.
static int64_t
s_rows (sqlite3_stmt *select, sqlite3_stmt *insert, int64_t task)
{
    int64_t rows = 0;
    int rc, code = 0;
    sqlite3_bind_int64 (select, 1, task);
    while (code == 0 && (rc = sqlite3_step (select)) == SQLITE_ROW) {
        if (insert)
            code = s_insert_row (select, insert);
        else
            s_touch (select);
        rows++;
    }
    code = code? code: stele_sql_code (rc);
    sqlite3_reset (select);
    return code? code: rows;
}

static int64_t
s_run (stele_task_copy_t *self, int64_t task, bool copies)
{
    int64_t events = 0;
    for (int i = 0; i < TABLES; i++) {
        int64_t rows = s_rows (self->selects [i], copies? self->inserts [i]: NULL, task);
        if (rows < 0)
            return rows;
        if (i < 2 && rows != 1)
            return STELE_ELEDGER;
        events += i < 2? 0: rows;
    }
    return events;
}

int64_t
stele_task_copy_read (stele_task_copy_t *self, int64_t task)
{
    return s_run (self, task, false);
}

int64_t
stele_task_copy_run (stele_task_copy_t *self, int64_t task)
{
    return s_run (self, task, true);
}
