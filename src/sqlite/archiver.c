/*  archiver - copy tasks that ended long ago to the archives of their years, and sessions to those of their tasks

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "fault/fault.h"
#include "ledger/archive.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/sql.h"

//  A step ends with the task or session that exceeds one of these
#define EVENTS_MAX 1000
#define PAGES_MAX  128

typedef struct {
    int64_t years [STELE_ARCHIVES_MAX];
    int count;
} s_years_t;

struct stele_archiver {
    char *ledger;
    mode_t mode;
    stele_reader_t *reader;
    bool sessions;                  // All tasks were looked at, sessions are next
    int64_t cursor;                 // Key of the last one that was looked at
    s_years_t closed;               // Archives that get nothing more: of earlier ids of the ledger
    s_years_t failed;               // Archives that took no sessions, in this pass
    //  The archive that is open
    int64_t year;                   // 0: none
    char *path;
    char archive_id [40];
    struct stat file;               // When it was opened
    sqlite3 *db;
    stele_task_copy_t *tasks_copy, *sessions_copy;
};

stele_archiver_t *
stele_archiver_new (const char *ledger, mode_t mode, stele_reader_t *reader)
{
    stele_archiver_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->mode = mode;
    self->reader = reader;
    self->ledger = strdup (ledger);
    if (!self->ledger)
        stele_archiver_destroy (&self);
    return self;
}

//  Readers that have the archive open do not copy its log into it when they close it. The file alone should have all.
static void
s_close (stele_archiver_t *self)
{
    stele_task_copy_destroy (&self->tasks_copy);
    stele_task_copy_destroy (&self->sessions_copy);
    stele_archive_begin (true);
    if (self->db)
        sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_close (self->db);
    stele_archive_end ();
    sqlite3_free (self->path);
    self->db = NULL;
    self->path = NULL;
    self->year = 0;
}

void
stele_archiver_destroy (stele_archiver_t **self_p)
{
    assert (self_p);
    stele_archiver_t *self = *self_p;
    if (!self)
        return;
    s_close (self);
    free (self->ledger);
    free (self);
    *self_p = NULL;
}

static int
s_refuse_ledger (stele_archiver_t *self, stele_refusal_t *refusal)
{
    int code = stele_sql_code (sqlite3_errcode (self->reader->db));
    return stele_refuse (refusal, code? code: STELE_EINTERNAL, "ledger", "cannot read %s: %s", self->ledger,
        sqlite3_errmsg (self->reader->db));
}

static int
s_refuse_archive (stele_archiver_t *self, int code, stele_refusal_t *refusal)
{
    char text [400];
    code = stele_sql_error_text (self->db, code, text, sizeof text);
    return stele_refuse (refusal, code, "archive", "cannot write the archive %s: %s", self->path, text);
}

static int
s_refuse_replaced (stele_archiver_t *self, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_EIO, "archive", "the archive %s was removed or replaced while it was written: put it "
        "back", self->path);
}

//  -- archives that are left out ----------------------------------------------------------

static bool
s_has_year (const s_years_t *self, int64_t year)
{
    int i = 0;
    while (i < self->count && self->years [i] != year)
        i++;
    return i < self->count;
}

static void
s_add_year (s_years_t *self, int64_t year)
{
    if (!s_has_year (self, year) && self->count < STELE_ARCHIVES_MAX)
        self->years [self->count++] = year;
}

//  -- what is next ------------------------------------------------------------------------

//  The archive of a task that ended at that time, or of a session whose task is in that archive. 0: leave it out. A session
//  stays in the ledger if the archive is closed, and waits for the next pass if it could not be written.
static int64_t
s_year (const stele_archiver_t *self, int64_t value)
{
    if (self->sessions)
        return s_has_year (&self->closed, value) || s_has_year (&self->failed, value)? 0: value;
    int64_t year = stele_archive_year (value);
    return year < STELE_ARCHIVE_YEAR_MIN || year > STELE_ARCHIVE_YEAR_MAX? 0: year;
}

//  The next tasks that ended in the same year, or sessions whose tasks are in the same archive. Returns 0 or a code.
static int
s_find_items (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->reader->db, self->sessions?
        "SELECT s.id, s.position, x.archive FROM main.cli_sessions s"
        " CROSS JOIN main.archived_tasks x ON x.task_id = s.task_id WHERE s.id > ?1 AND s.updated_at < ?2 ORDER BY s.id":
        "SELECT task, position, completed_at FROM main.states_plain"
        " WHERE task > ?1 AND +state >= " STELE_SQL_CODE (STELE_CODE_TASK_TERMINAL_FROM)
        " AND completed_at < ?2 AND updated_at < ?2 AND NOT EXISTS (SELECT 1 FROM main.erased_tasks e WHERE e.id = task)"
        " ORDER BY task");
    if (!stmt)
        return stele_sql_code (sqlite3_errcode (self->reader->db));
    sqlite3_bind_int64 (stmt, 1, self->cursor);
    sqlite3_bind_int64 (stmt, 2, before_us);
    int rc = SQLITE_DONE;
    while (step->count < STELE_ARCHIVE_ITEMS && (rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        int64_t year = s_year (self, sqlite3_column_int64 (stmt, 2));
        if (year == 0)
            continue;
        if (step->count && year != step->year)
            break;
        step->year = year;
        step->items [step->count].key = sqlite3_column_int64 (stmt, 0);
        step->items [step->count++].position = sqlite3_column_int64 (stmt, 1);
    }
    sqlite3_finalize (stmt);
    return stele_sql_code (rc);
}

//  A reader can attach only so many archives. So when the ledger has them, tasks of other years go to the nearest one.
static int
s_choose (stele_archiver_t *self, int64_t *year)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->reader->db, "SELECT id FROM main.archives WHERE (SELECT count (*) FROM main.archives)"
        " >= ?2 ORDER BY abs (id - ?1), id LIMIT 1");
    if (!stmt)
        return stele_sql_code (sqlite3_errcode (self->reader->db));
    sqlite3_bind_int64 (stmt, 1, *year);
    sqlite3_bind_int64 (stmt, 2, STELE_ARCHIVES_MAX);
    int rc = sqlite3_step (stmt);
    if (rc == SQLITE_ROW)
        *year = sqlite3_column_int64 (stmt, 0);
    sqlite3_finalize (stmt);
    return stele_sql_code (rc);
}

//  The next tasks, after the last of them the next sessions, and their archive. Returns 0 or a code.
static int
s_find (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step)
{
    int code = 0;
    step->count = 0;
    step->year = 0;
    if (!self->sessions && (code = s_find_items (self, before_us, step)) == 0) {
        if (step->count)
            code = s_choose (self, &step->year);
        else {
            self->sessions = true;
            self->cursor = 0;
        }
    }
    if (code == 0 && self->sessions)
        code = s_find_items (self, before_us, step);
    step->sessions = self->sessions;
    return code;
}

//  -- the archive -------------------------------------------------------------------------

//  The id that the ledger has noted of the archive of that year; "": it has none
static int
s_known_id (stele_archiver_t *self, int64_t year, char *id, size_t size)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->reader->db,
        "SELECT archive_id FROM main.archives WHERE id = ?1");
    if (!stmt)
        return stele_sql_code (sqlite3_errcode (self->reader->db));
    sqlite3_bind_int64 (stmt, 1, year);
    int rc = sqlite3_step (stmt);
    const char *text = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (id, size, "%s", text? text: "");
    sqlite3_finalize (stmt);
    return stele_sql_code (rc);
}

//  Is it the archive that the ledger has noted, or a new one of this ledger? After an accepted loss a ledger has
//  another id: positions of copies that no longer count may be given again, so nothing is added to its earlier archives.
static int
s_check (stele_archiver_t *self, int64_t year, const char *known, stele_refusal_t *refusal)
{
    char ledger_id [40] = "";
    int code = stele_archive_note (self->db, "main", "archive_id", self->archive_id, sizeof self->archive_id);
    if (code == 0)
        code = stele_archive_note (self->db, "main", "ledger_id", ledger_id, sizeof ledger_id);
    if (code)
        return s_refuse_archive (self, code, refusal);
    if (*known)
        code = stele_archive_check (self->db, "main", self->path, known, refusal);
    if (code == 0 && strcmp (ledger_id, stele_reader_ledger_id (self->reader)) != 0) {
        if (*known)
            s_add_year (&self->closed, year);
        code = stele_refuse (refusal, STELE_ELEDGER, "archive", "%s is an archive of the ledger with the id %s, and this one is "
            "%s: %s", self->path, ledger_id, stele_reader_ledger_id (self->reader), *known?
            "the end of its history was lost since, and nothing more is moved there": "move it away");
    }
    return code;
}

static int
s_open (stele_archiver_t *self, int64_t year, stele_refusal_t *refusal)
{
    if (self->year == year)
        return 0;
    s_close (self);
    self->path = stele_archive_path (self->ledger, year);
    if (!self->path)
        return stele_refuse (refusal, STELE_ENO_MEMORY, NULL, "out of memory");
    char known [40] = "";
    int code = s_known_id (self, year, known, sizeof known);
    if (code)
        return s_refuse_ledger (self, refusal);
    //  One that the ledger has is never created a second time
    stele_archive_begin (true);
    self->db = stele_archive_open (self->path, self->mode, *known? NULL: stele_reader_ledger_id (self->reader), refusal);
    stele_archive_end ();
    code = self->db? s_check (self, year, known, refusal): refusal->code;
    if (code == 0 && stat (self->path, &self->file) != 0)
        code = s_refuse_replaced (self, refusal);
    if (code == 0 && (!(self->tasks_copy = stele_task_copy_new (self->reader->db, self->db, false, true))
    ||  !(self->sessions_copy = stele_task_copy_new (self->reader->db, self->db, true, true))))
        code = stele_refuse (refusal, STELE_EINTERNAL, "archive", "cannot copy to %s: %s", self->path, sqlite3_errmsg (self->db));
    if (code)
        s_close (self);
    else
        self->year = year;
    return code;
}

//  Rows that the archive does not have yet, of a table to which the ledger only adds
static int
s_top_up (stele_archiver_t *self, const char *table)
{
    char sql [120];
    int64_t last = 0;
    snprintf (sql, sizeof sql, "SELECT max (id) FROM main.%s", table);
    int rc = SQLITE_DONE, code = stele_sql_integer_into (self->db, sql, 0, &last);
    snprintf (sql, sizeof sql, "SELECT * FROM main.%s WHERE id > ?1 ORDER BY id", table);
    sqlite3_stmt *from = code? NULL: stele_sql_prepare (self->reader->db, sql);
    snprintf (sql, sizeof sql, "INSERT INTO main.%s VALUES (?1, ?2)", table);
    sqlite3_stmt *to = from? stele_sql_prepare (self->db, sql): NULL;
    if (code == 0 && !to)
        code = STELE_EINTERNAL;
    if (code == 0)
        sqlite3_bind_int64 (from, 1, last);
    while (code == 0 && (rc = sqlite3_step (from)) == SQLITE_ROW) {
        sqlite3_bind_value (to, 1, sqlite3_column_value (from, 0));
        sqlite3_bind_value (to, 2, sqlite3_column_value (from, 1));
        code = stele_sql_run (to);
    }
    sqlite3_finalize (from);
    sqlite3_finalize (to);
    return code? code: stele_sql_code (rc);
}

static int
s_copy_items (stele_archiver_t *self, stele_archive_step_t *step)
{
    stele_task_copy_t *copy = step->sessions? self->sessions_copy: self->tasks_copy;
    int64_t events = 0, begun = 0, pages = 0;
    int copied = 0, code = stele_sql_integer_into (self->db, "PRAGMA page_count", 0, &begun);
    while (code == 0 && copied < step->count && events < EVENTS_MAX && pages - begun < PAGES_MAX) {
        int64_t rows = stele_task_copy_run (copy, step->items [copied].key);
        if (rows < 0)
            return (int) rows;
        step->items [copied++].events = rows;
        events += rows;
        code = stele_sql_integer_into (self->db, "PRAGMA page_count", 0, &pages);
    }
    step->count = copied;
    return code;
}

//  One transaction of the archive: on return 0 it is synced
static int
s_copy (stele_archiver_t *self, stele_archive_step_t *step)
{
    int code = STELE_FAULT_CODE (archive_copy);
    stele_archive_begin (true);
    if (code == 0)
        code = stele_sql_exec (self->db, "BEGIN IMMEDIATE");
    if (code == 0)
        code = s_top_up (self, "words");
    if (code == 0)
        code = s_top_up (self, "dictionaries");
    if (code == 0)
        code = s_copy_items (self, step);
    if (code == 0)
        code = stele_sql_exec (self->db, "COMMIT");
    stele_archive_end ();
    return code;
}

//  What was written is lost if the file has lost its name
static bool
s_is_in_place (const stele_archiver_t *self)
{
    struct stat status;
    return stat (self->path, &status) == 0 && status.st_dev == self->file.st_dev && status.st_ino == self->file.st_ino;
}

//  Find what is next, and open its archive. Returns 0, or a code with a refusal.
static int
s_prepare (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step, stele_refusal_t *refusal)
{
    int code;
    do {
        code = s_find (self, before_us, step);
        if (code)
            return s_refuse_ledger (self, refusal);
        code = step->count? s_open (self, step->year, refusal): 0;
    } while (code && step->sessions && s_has_year (&self->closed, step->year));
    return code;
}

int
stele_archiver_copy (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step, stele_refusal_t *refusal)
{
    int code = stele_reader_begin (self->reader);
    if (code)
        return stele_refuse (refusal, code, "ledger", "%s", stele_reader_error (self->reader));
    code = s_prepare (self, before_us, step, refusal);
    int64_t last = step->count? step->items [step->count - 1].key: 0;
    if (code == 0 && step->count) {
        if ((code = s_copy (self, step)) || !s_is_in_place (self)) {
            code = code? s_refuse_archive (self, code, refusal): s_refuse_replaced (self, refusal);
            //  The next one opens the file again
            s_close (self);
        }
        else {
            STELE_FAULT (archive_copied);
            snprintf (step->archive_id, sizeof step->archive_id, "%s", self->archive_id);
            last = step->items [step->count - 1].key;
        }
    }
    stele_reader_end (self->reader);
    if (code == 0 && step->count == 0) {
        s_close (self);
        self->sessions = false;
        self->failed.count = 0;
    }
    if (code && step->count && step->sessions)
        s_add_year (&self->failed, step->year);
    if (code == 0 || refusal->code == STELE_ELEDGER)
        self->cursor = last;
    return code? refusal->code: step->count;
}
