/*  task_copy - copy the rows of a task, or of a session, between a ledger and an archive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "sqlite/archive/archive_file.h"
#include "sqlite/sql/sql.h"
#include "stele_error.h"

#define TABLES_MAX 5

#define CHAIN_SELECT "SELECT r.* FROM c JOIN main."
#define TASK_TABLE(table, last) { table, STELE_TASK_CHAIN (table, last) CHAIN_SELECT table " r ON r.position = c.p" },
#define SESSION_TABLE(table, last) { table, STELE_SESSION_CHAIN (table, last) CHAIN_SELECT table " r ON r.position = c.p" },

//  First the tables that have one row of it, then those of its events
typedef struct { const char *name, *select; } s_table_t;
static const s_table_t s_task [] = {
    { "tasks", "SELECT * FROM main.tasks WHERE id = ?1" }, { "task_states", "SELECT * FROM main.task_states WHERE task = ?1" },
    STELE_TASK_CHAINS (TASK_TABLE)
};
static const s_table_t s_session [] = {
    { "cli_sessions", "SELECT * FROM main.cli_sessions WHERE id = ?1" }, STELE_SESSION_CHAINS (SESSION_TABLE)
};
#define COUNT(tables) ((int) (sizeof tables / sizeof tables [0]))
_Static_assert (sizeof s_task / sizeof s_task [0] <= TABLES_MAX && sizeof s_session / sizeof s_session [0] <= TABLES_MAX,
    "there is room for each table");

struct stele_task_copy {
    const s_table_t *tables;
    int count;                      // Of tables,
    int single;                     // and of those that have one row of it
    sqlite3_stmt *selects [TABLES_MAX], *inserts [TABLES_MAX];
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
stele_task_copy_new (sqlite3 *from, sqlite3 *to, bool sessions, bool replace)
{
    stele_task_copy_t *self = calloc (1, sizeof *self);
    if (self) {
        self->tables = sessions? s_session: s_task;
        self->count = sessions? COUNT (s_session): COUNT (s_task);
        self->single = sessions? 1: 2;
    }
    for (int i = 0; self && i < self->count; i++) {
        self->selects [i] = stele_sql_prepare (from, self->tables [i].select);
        if (self->selects [i])
            self->inserts [i] = s_insert (to, self->tables [i].name, sqlite3_column_count (self->selects [i]), replace);
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
    for (int i = 0; i < self->count; i++) {
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
s_rows (sqlite3_stmt *select, sqlite3_stmt *insert, int64_t key)
{
    int64_t rows = 0;
    int rc, code = 0;
    sqlite3_bind_int64 (select, 1, key);
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
s_run (stele_task_copy_t *self, int64_t key, bool copies)
{
    int64_t events = 0;
    for (int i = 0; i < self->count; i++) {
        int64_t rows = s_rows (self->selects [i], copies? self->inserts [i]: NULL, key);
        if (rows < 0)
            return rows;
        if (i < self->single && rows != 1)
            return STELE_ELEDGER;
        events += i < self->single? 0: rows;
    }
    return events;
}

int64_t
stele_task_copy_read (stele_task_copy_t *self, int64_t key)
{
    return s_run (self, key, false);
}

int64_t
stele_task_copy_run (stele_task_copy_t *self, int64_t key)
{
    return s_run (self, key, true);
}
