/*  structure - is the file of a ledger sound, and does it have the tables, views and triggers of this version?

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "ledger/derived.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/schema.h"
#include "sqlite/sql/sql.h"

//  An empty database with all migrations; NULL: out of memory
static sqlite3 *
s_expected_new (void)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2 (":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    for (const stele_migration_t *migration = stele_schema; rc == SQLITE_OK && migration->version; migration++)
        rc = sqlite3_exec (db, migration->sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        sqlite3_close (db);
        return NULL;
    }
    return db;
}

//  Is the text in column 1 of the row of 'actual' the one in column 2 of that of 'expected'? Indexes of SQLite have none
static bool
s_is_same (stele_reader_t *self, sqlite3_stmt *actual, sqlite3_stmt *expected)
{
    const char *sql = (const char *) sqlite3_column_text (expected, 2);
    sqlite3_bind_text (actual, 1, (const char *) sqlite3_column_text (expected, 0), -1, SQLITE_STATIC);
    sqlite3_bind_text (actual, 2, (const char *) sqlite3_column_text (expected, 1), -1, SQLITE_STATIC);
    bool same = reader_step (self, actual) == 1;
    if (same) {
        const char *found = (const char *) sqlite3_column_text (actual, 0);
        same = sql && found? strcmp (sql, found) == 0: sql == found;
        sqlite3_reset (actual);
    }
    sqlite3_clear_bindings (actual);
    return same;
}

static int
s_compare_schema (stele_reader_t *self, sqlite3 *db, stele_structure_fn *fn, void *arg)
{
    char text [200];
    int rc = 0;
    sqlite3_stmt *expected = stele_sql_prepare (db, "SELECT type, name, sql FROM sqlite_schema ORDER BY rowid");
    sqlite3_stmt *actual = reader_statement (self, SLOT_SCHEMA, "SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2");
    while (expected && actual && rc == 0 && sqlite3_step (expected) == SQLITE_ROW)
        if (!s_is_same (self, actual, expected)) {
            snprintf (text, sizeof text, "the %s %s is missing, or not the one of this version",
                sqlite3_column_text (expected, 0), sqlite3_column_text (expected, 1));
            rc = fn (text, arg);
        }
    sqlite3_finalize (expected);
    //  Whatever else is there does nothing, except a trigger
    sqlite3_stmt *triggers = reader_statement (self, SLOT_TRIGGERS, "SELECT name FROM sqlite_schema WHERE type = 'trigger'");
    sqlite3_stmt *known = stele_sql_prepare (db, "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = ?1");
    while (known && rc == 0 && reader_step (self, triggers) == 1) {
        const char *name = (const char *) sqlite3_column_text (triggers, 0);
        sqlite3_bind_text (known, 1, name, -1, SQLITE_TRANSIENT);
        if (sqlite3_step (known) != SQLITE_ROW) {
            snprintf (text, sizeof text, "the trigger %.100s was added", name? name: "");
            rc = fn (text, arg);
        }
        sqlite3_reset (known);
    }
    sqlite3_finalize (known);
    return rc;
}

int
stele_reader_structure (stele_reader_t *self, stele_structure_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_STRUCTURE, "PRAGMA integrity_check (100)");
    while (rc == 0 && reader_step (self, statement) == 1) {
        const char *text = (const char *) sqlite3_column_text (statement, 0);
        if (text && strcmp (text, "ok") != 0)
            rc = fn (text, arg);
    }
    sqlite3 *expected = s_expected_new ();
    if (!expected)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (rc == 0)
        rc = s_compare_schema (self, expected, fn, arg);
    sqlite3_close (expected);
    return (int) reader_leave (self, rc < 0? rc: 0);
}
