/*  sqlite_file - read a SQLite database of another program without touching it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sqlite_file.h"
#include "sqlite/sql/schema.h"
#include "sqlite/sql/sql.h"
#include "stele_error.h"

#define COPIES_MAX 3                // Attempts, if the source changes meanwhile
#define COLUMNS_MAX 256

struct stele_sqlite_file {
    sqlite3 *db;
    char *folder, *copy;
    int64_t modified_us;
};

static const char *const s_suffixes [] = { "", STELE_WAL_SUFFIX, STELE_JOURNAL_SUFFIX };
#define SUFFIXES (sizeof s_suffixes / sizeof s_suffixes [0])

typedef struct { struct timespec modified; off_t size; bool there; } s_look_t;

//  -- the copy ------------------------------------------------------------------------

static void
s_look (const char *path, s_look_t looks [SUFFIXES])
{
    for (size_t i = 0; i < SUFFIXES; i++) {
        char *name;
        struct stat status;
        if (asprintf (&name, "%s%s", path, s_suffixes [i]) < 0)
            abort ();
        memset (&looks [i], 0, sizeof looks [i]);
        if (stat (name, &status) == 0)
            looks [i] = (s_look_t) { status.st_mtim, status.st_size, true };
        free (name);
    }
}

static bool
s_same (const s_look_t *one, const s_look_t *other)
{
    return one->there == other->there && one->size == other->size
        && one->modified.tv_sec == other->modified.tv_sec
        && one->modified.tv_nsec == other->modified.tv_nsec;
}

//  Returns 0, or -1 with errno; a missing file gets no copy.
static int
s_copy_one (const char *from, const char *to)
{
    unlink (to);
    int in = stele_file_open (from, O_RDONLY, 0);
    if (in < 0)
        return errno == ENOENT? 0: -1;
    int out = stele_file_open (to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char buffer [1 << 16];
    ssize_t size = out < 0? -1: 0;
    while (out >= 0 && (size = read (in, buffer, sizeof buffer)) > 0)
        if (write (out, buffer, (size_t) size) != size) {
            size = -1;
            break;
        }
    int why = errno;
    close (in);
    if (out >= 0 && close (out))
        size = -1;
    errno = why;
    return size < 0? -1: 0;
}

static int
s_copy_all (stele_sqlite_file_t *self, const char *path, char *error, size_t error_size)
{
    s_look_t before [SUFFIXES], after [SUFFIXES];
    for (int attempt = 0; attempt < COPIES_MAX; attempt++) {
        s_look (path, before);
        for (size_t i = 0; i < SUFFIXES; i++) {
            char *from, *to;
            if (asprintf (&from, "%s%s", path, s_suffixes [i]) < 0
            ||  asprintf (&to, "%s%s", self->copy, s_suffixes [i]) < 0)
                abort ();
            int rc = s_copy_one (from, to);
            if (rc)
                snprintf (error, error_size, "copying %s to %s failed: %s", from, self->folder, strerror (errno));
            free (from);
            free (to);
            if (rc)
                return -1;
        }
        s_look (path, after);
        if (s_same (&before [0], &after [0]) && s_same (&before [1], &after [1])
        &&  s_same (&before [2], &after [2])) {
            self->modified_us = (int64_t) after [0].modified.tv_sec * 1000000
                + after [0].modified.tv_nsec / 1000;
            return 0;
        }
    }
    snprintf (error, error_size, "%s is being written to: stop the program that does", path);
    return -1;
}

static int
s_open_copy (stele_sqlite_file_t *self, const char *path, char *error, size_t error_size)
{
    if (access (path, R_OK)) {
        snprintf (error, error_size, "%s: %s", path, strerror (errno));
        return -1;
    }
    const char *where = getenv ("TMPDIR");
    if (asprintf (&self->folder, "%s/stele-migrate-XXXXXX", where && *where? where: "/tmp") < 0)
        abort ();
    if (!mkdtemp (self->folder)) {
        snprintf (error, error_size, "%s: %s", self->folder, strerror (errno));
        free (self->folder);
        self->folder = NULL;
        return -1;
    }
    if (asprintf (&self->copy, "%s/copy", self->folder) < 0)
        abort ();
    if (s_copy_all (self, path, error, error_size))
        return -1;
    int rc = sqlite3_open_v2 (self->copy, &self->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec (self->db, "PRAGMA trusted_schema = OFF; SELECT count (*) FROM sqlite_schema",
            NULL, NULL, NULL);
    if (rc) {
        snprintf (error, error_size, "%s cannot be read: %s", path,
            self->db? sqlite3_errmsg (self->db): sqlite3_errstr (rc));
        return -1;
    }
    sqlite3_stmt *check = stele_sql_prepare (self->db, "PRAGMA quick_check (1)");
    bool sound = check && sqlite3_step (check) == SQLITE_ROW
        && strcmp ((const char *) sqlite3_column_text (check, 0), "ok") == 0;
    if (!sound)
        snprintf (error, error_size, "%s is damaged: %s", path,
            check? (const char *) sqlite3_column_text (check, 0): sqlite3_errmsg (self->db));
    sqlite3_finalize (check);
    return sound? 0: -1;
}

stele_sqlite_file_t *
stele_sqlite_file_open (const char *path, char *error, size_t error_size)
{
    stele_sqlite_file_t *self = calloc (1, sizeof *self);
    assert (self);
    if (s_open_copy (self, path, error, error_size))
        stele_sqlite_file_close (&self);
    return self;
}

void
stele_sqlite_file_close (stele_sqlite_file_t **self_p)
{
    static const char *const made [] = { "", STELE_WAL_SUFFIX, STELE_JOURNAL_SUFFIX, STELE_SHM_SUFFIX };
    stele_sqlite_file_t *self = *self_p;
    if (!self)
        return;
    sqlite3_close_v2 (self->db);
    for (size_t i = 0; self->copy && i < sizeof made / sizeof made [0]; i++) {
        char *name;
        if (asprintf (&name, "%s%s", self->copy, made [i]) < 0)
            abort ();
        unlink (name);
        free (name);
    }
    if (self->folder)
        rmdir (self->folder);
    free (self->folder);
    free (self->copy);
    free (self);
    *self_p = NULL;
}

//  -- contents -------------------------------------------------------------------

int64_t
stele_sqlite_file_modified_us (const stele_sqlite_file_t *self)
{
    return self->modified_us;
}

const char *
stele_sqlite_file_error (const stele_sqlite_file_t *self)
{
    return sqlite3_errmsg (self->db);
}

static bool
s_exists (stele_sqlite_file_t *self, const char *sql, const char *one, const char *two)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    if (stmt) {
        sqlite3_bind_text (stmt, 1, one, -1, SQLITE_STATIC);
        if (two)
            sqlite3_bind_text (stmt, 2, two, -1, SQLITE_STATIC);
    }
    bool exists = stmt && sqlite3_step (stmt) == SQLITE_ROW;
    sqlite3_finalize (stmt);
    return exists;
}

bool
stele_sqlite_file_is_ledger (const stele_sqlite_file_t *self)
{
    return stele_sql_integer (self->db, "PRAGMA application_id", 0) == STELE_APPLICATION_ID;
}

bool
stele_sqlite_file_has_table (stele_sqlite_file_t *self, const char *table)
{
    return s_exists (self, "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view')"
        " AND name = ?1 COLLATE NOCASE", table, NULL);
}

bool
stele_sqlite_file_has_column (stele_sqlite_file_t *self, const char *table, const char *column)
{
    return s_exists (self, "SELECT 1 FROM pragma_table_info (?1) WHERE name = ?2 COLLATE NOCASE",
        table, column);
}

void
stele_sqlite_file_tables (stele_sqlite_file_t *self, stele_sqlite_file_table_fn *fn, void *arg)
{
    sqlite3_stmt *names = stele_sql_prepare (self->db, "SELECT name FROM sqlite_schema"
        " WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
    while (names && sqlite3_step (names) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text (names, 0);
        char *sql = sqlite3_mprintf ("SELECT count (*) FROM \"%w\"", name);
        fn (name, stele_sql_integer (self->db, sql, 0), arg);
        sqlite3_free (sql);
    }
    sqlite3_finalize (names);
}

static void
s_value (sqlite3_stmt *stmt, int column, stele_value_t *value)
{
    memset (value, 0, sizeof *value);
    switch (sqlite3_column_type (stmt, column)) {
        case SQLITE_INTEGER:
            value->kind = STELE_VALUE_INTEGER;
            value->integer = sqlite3_column_int64 (stmt, column);
            break;
        case SQLITE_FLOAT:
            value->kind = STELE_VALUE_REAL;
            value->real = sqlite3_column_double (stmt, column);
            break;
        case SQLITE_TEXT:
        case SQLITE_BLOB: {
            bool text = sqlite3_column_type (stmt, column) == SQLITE_TEXT;
            value->kind = text? STELE_VALUE_TEXT: STELE_VALUE_BYTES;
            value->text = text?
                (const char *) sqlite3_column_text (stmt, column): sqlite3_column_blob (stmt, column);
            value->size = (uint32_t) sqlite3_column_bytes (stmt, column);
            if (!value->text)
                value->text = "";
            break;
        }
        default:
            break;
    }
}

static int
s_hand_out (sqlite3_stmt *stmt, stele_sqlite_file_fn *fn, void *arg)
{
    const char *names [COLUMNS_MAX];
    stele_value_t values [COLUMNS_MAX];
    int count = sqlite3_column_count (stmt);
    count = count < COLUMNS_MAX? count: COLUMNS_MAX;
    int rc, result = 0;
    while (result == 0 && (rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++) {
            names [i] = sqlite3_column_name (stmt, i);
            s_value (stmt, i, &values [i]);
        }
        result = fn (&(stele_sqlite_file_row_t) { count, names, values }, arg);
    }
    return result? result: rc == SQLITE_DONE? 0: stele_sql_code (rc);
}

//  A quoted SQL name. Caller frees return value.
static char *
s_quote (const char *name)
{
    char *sqlite = sqlite3_mprintf ("\"%w\"", name);
    char *quoted = strdup (sqlite? sqlite: "");
    assert (quoted);
    sqlite3_free (sqlite);
    return quoted;
}

//  An index for a look-up: the copy may be changed
static void
s_index (stele_sqlite_file_t *self, const char *table, const char *column)
{
    char *sql = sqlite3_mprintf ("CREATE INDEX IF NOT EXISTS \"stele %w %w\" ON \"%w\" (CAST (\"%w\" AS TEXT))",
        table, column, table, column);
    sqlite3_exec (self->db, sql, NULL, NULL, NULL);     // Fails for a view, which is slow without, but not wrong
    sqlite3_free (sql);
}

int
stele_sqlite_file_rows (stele_sqlite_file_t *self, const char *table,
    const char *column, const char *text, size_t size, stele_sqlite_file_fn *fn, void *arg)
{
    if (column)
        s_index (self, table, column);
    char *sql = column?
        sqlite3_mprintf ("SELECT * FROM \"%w\" WHERE CAST (\"%w\" AS TEXT) = ?1", table, column):
        sqlite3_mprintf ("SELECT * FROM \"%w\"", table);
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    sqlite3_free (sql);
    if (!stmt)
        return STELE_ELEDGER;
    if (column)
        sqlite3_bind_text (stmt, 1, text, (int) size, SQLITE_TRANSIENT);
    int rc = s_hand_out (stmt, fn, arg);
    sqlite3_finalize (stmt);
    return rc;
}

int
stele_sqlite_file_orphans (stele_sqlite_file_t *self, const char *table, const char *column,
    const char *other, const char *other_column, stele_sqlite_file_fn *fn, void *arg)
{
    char *names [] = { s_quote (table), s_quote (column), s_quote (other), s_quote (other_column) };
    s_index (self, other, other_column);
    char *sql = sqlite3_mprintf ("SELECT * FROM %s AS t WHERE NOT EXISTS (SELECT 1 FROM %s AS o"
        " WHERE CAST (o.%s AS TEXT) = CAST (t.%s AS TEXT))", names [0], names [2], names [3], names [1]);
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    sqlite3_free (sql);
    for (size_t i = 0; i < 4; i++)
        free (names [i]);
    if (!stmt)
        return STELE_ELEDGER;
    int rc = s_hand_out (stmt, fn, arg);
    sqlite3_finalize (stmt);
    return rc;
}
