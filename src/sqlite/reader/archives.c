/*  archives - attach the archives of the ledger to a reader's connection

    Then views with the names of the tables of tasks and sessions have the rows of the ledger and those of all archives that the
    ledger says are there. They are temporary, so unqualified names mean them first: every statement of a
    reader reads archived rows too, and none has to know. SQLite merges the parts by their indexes.

    The snapshot of the ledger is taken before that of any archive, and an archived task, or session, is changed only by being
    copied back to the ledger. So what the snapshot says is archived is there.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "sqlite/archive/archive_file.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/sql.h"

//  X (table or view, key of the task or session in a row r), by the table that has the stubs
#define MERGED_TASKS(X) \
    X ("tasks", "r.id") X ("task_states", "r.task") X ("states_plain", "r.task") \
    X ("history_plain", "r.task") X ("outputs_plain", "r.task") X ("metrics_plain", "r.task") \
    X ("task_history", "r.position - r.task_back") X ("task_outputs", "r.position - r.task_back") \
    X ("task_metrics", "r.position - r.task_back")
#define MERGED_SESSIONS(X) \
    X ("cli_sessions", "r.id") X ("cli_session_history", "r.session") X ("cli_session_commands", "r.session") \
    X ("session_history_plain", "r.session") X ("session_commands_plain", "r.session")

#define OF_TASKS(name, key) { name, key, "archived_tasks" },
#define OF_SESSIONS(name, key) { name, key, "archived_sessions" },
static const struct { const char *name, *key, *stubs; } s_merged [] = { MERGED_TASKS (OF_TASKS) MERGED_SESSIONS (OF_SESSIONS) };

typedef struct {
    int64_t year;
    char id [40];
} s_archive_t;

//  Those that the ledger has. Returns their number, or a code.
static int
s_list (stele_reader_t *self, s_archive_t archives [STELE_ARCHIVES_MAX])
{
    int count = 0;
    sqlite3_stmt *stmt = reader_statement (self, SLOT_ARCHIVE_LIST, "SELECT id, archive_id FROM main.archives ORDER BY id");
    while (count < STELE_ARCHIVES_MAX && reader_step (self, stmt) == 1) {
        archives [count].year = sqlite3_column_int64 (stmt, 0);
        snprintf (archives [count++].id, sizeof archives [0].id, "%s", (const char *) sqlite3_column_text (stmt, 1));
    }
    if (stmt)
        sqlite3_reset (stmt);
    return self->status? self->status: count;
}

static void
s_schema (int64_t year, char name [32])
{
    snprintf (name, 32, "archive_%lld", (long long) year);
}

static int
s_attach (stele_reader_t *self, const s_archive_t *archive)
{
    char schema [32];
    stele_refusal_t refusal = { 0 };
    s_schema (archive->year, schema);
    if (sqlite3_db_filename (self->db, schema))
        return 0;
    char *path = stele_archive_path (self->path, archive->year);
    char *sql = path? sqlite3_mprintf ("ATTACH %Q AS %s", path, schema): NULL;
    int code = sql? stele_sql_exec (self->db, sql): STELE_ENO_MEMORY;
    if (code)
        stele_refuse (&refusal, code, "archive", "the archive %s cannot be opened: %s: put it back", path? path: "",
            sqlite3_errmsg (self->db));
    else
    if (stele_archive_check (self->db, schema, path, archive->id, &refusal)) {
        sqlite3_free (sql);
        sql = sqlite3_mprintf ("DETACH %s", schema);
        if (sql)
            stele_sql_exec (self->db, sql);
    }
    sqlite3_free (sql);
    sqlite3_free (path);
    //  Unavailable: what is in the ledger itself is not to be read as if it were all
    return refusal.code? reader_fail (self, refusal.code == STELE_ELEDGER || refusal.code == STELE_EIO? STELE_EUNAVAILABLE:
        refusal.code, refusal.message): 0;
}

static char *
s_views (const s_archive_t *archives, int count)
{
    char schema [32];
    sqlite3_str *sql = sqlite3_str_new (NULL);
    sqlite3_str_appendall (sql, "PRAGMA query_only = 0; BEGIN;");
    for (size_t i = 0; i < sizeof s_merged / sizeof s_merged [0]; i++) {
        sqlite3_str_appendf (sql, "DROP VIEW IF EXISTS temp.%s; CREATE TEMP VIEW %s AS SELECT * FROM main.%s",
            s_merged [i].name, s_merged [i].name, s_merged [i].name);
        for (int k = 0; k < count; k++) {
            s_schema (archives [k].year, schema);
            sqlite3_str_appendf (sql, " UNION ALL SELECT r.* FROM %s.%s r WHERE EXISTS (SELECT 1 FROM main.%s x"
                " WHERE x.id = %s AND x.archive = %lld)", schema, s_merged [i].name, s_merged [i].stubs, s_merged [i].key,
                (long long) archives [k].year);
        }
        sqlite3_str_appendall (sql, ";");
    }
    sqlite3_str_appendall (sql, "COMMIT; PRAGMA query_only = 1;");
    return sqlite3_str_finish (sql);
}

int
reader_archives_attach (stele_reader_t *self)
{
    s_archive_t archives [STELE_ARCHIVES_MAX];
    int count = s_list (self, archives);
    for (int i = 0; i < count && self->status == 0; i++)
        s_attach (self, &archives [i]);
    if (self->status || count == self->archives)
        return self->status;
    //  Statements that were prepared before mean the tables of the ledger
    reader_statements_finalize (self);
    char *sql = s_views (archives, count);
    int code = sql? stele_sql_exec (self->db, sql): STELE_ENO_MEMORY;
    sqlite3_free (sql);
    if (code == 0) {
        self->archives = count;
        return 0;
    }
    reader_fail (self, code, code == STELE_ENO_MEMORY? "out of memory": sqlite3_errmsg (self->db));
    sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_exec (self->db, "PRAGMA query_only = 1", NULL, NULL, NULL);
    return self->status;
}
