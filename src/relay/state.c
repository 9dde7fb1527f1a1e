/*  state - what the relay has to remember, in a file of SQLite

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/memory.h"
#include "relay/state.h"

#define VERSION 1                   // user_version of the file
#define APPLICATION 0x5374526c      // application_id: "StRl"
#define BUSY_MS 10000               // For the commit of another target or command

static const char s_schema [] =
    "CREATE TABLE targets (name TEXT PRIMARY KEY, ledger TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL DEFAULT -1,"
    " delivered INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, delivered_us INTEGER NOT NULL DEFAULT 0,"
    " failed_us INTEGER NOT NULL DEFAULT 0, edits INTEGER NOT NULL DEFAULT 0, disabled INTEGER NOT NULL DEFAULT 0,"
    " error TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE TABLE pending (target TEXT NOT NULL, position INTEGER NOT NULL, attempts INTEGER NOT NULL, first_us INTEGER NOT NULL,"
    " PRIMARY KEY (target, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE dead (target TEXT NOT NULL, position INTEGER NOT NULL, ledger TEXT NOT NULL, subject TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, dead_us INTEGER NOT NULL, reason TEXT NOT NULL, retry INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (target, position)) STRICT, WITHOUT ROWID;";

struct relay_state {
    sqlite3 *db;
};

const char *
relay_state_error (const relay_state_t *self)
{
    return sqlite3_errmsg (self->db);
}

//  Prepare a statement and bind values: 't' text, 'i' int64_t. NULL: failed
static sqlite3_stmt *
s_prepare_list (relay_state_t *self, const char *sql, const char *form, va_list values)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2 (self->db, sql, -1, &statement, NULL);
    for (int i = 0; form [i] && rc == SQLITE_OK; i++)
        rc = form [i] == 't'? sqlite3_bind_text (statement, i + 1, va_arg (values, const char *), -1, SQLITE_TRANSIENT):
            sqlite3_bind_int64 (statement, i + 1, va_arg (values, int64_t));
    if (rc == SQLITE_OK)
        return statement;
    sqlite3_finalize (statement);
    return NULL;
}

static sqlite3_stmt *
s_prepare (relay_state_t *self, const char *sql, const char *form, ...)
{
    va_list values;
    va_start (values, form);
    sqlite3_stmt *statement = s_prepare_list (self, sql, form, values);
    va_end (values);
    return statement;
}

//  Run a statement without rows. Returns the number of changed rows, or STELE_EIO.
static int
s_run (relay_state_t *self, const char *sql, const char *form, ...)
{
    va_list values;
    va_start (values, form);
    sqlite3_stmt *statement = s_prepare_list (self, sql, form, values);
    va_end (values);
    bool done = statement && sqlite3_step (statement) == SQLITE_DONE;
    //  The text of its error outlives the statement
    bool fine = (sqlite3_finalize (statement) == SQLITE_OK) & done;
    return fine? sqlite3_changes (self->db): STELE_EIO;
}

//  The first column of the first row; -1: failed
static int64_t
s_number (relay_state_t *self, const char *sql)
{
    sqlite3_stmt *statement = s_prepare (self, sql, "");
    int64_t number = statement && sqlite3_step (statement) == SQLITE_ROW? sqlite3_column_int64 (statement, 0): -1;
    sqlite3_finalize (statement);
    return number;
}

//  -- open -------------------------------------------------------------------------------------

static int
s_make (relay_state_t *self)
{
    char pragmas [96];
    snprintf (pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION, VERSION);
    if (sqlite3_exec (self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return STELE_EIO;
    if (s_number (self, "PRAGMA user_version") == 0
    && (sqlite3_exec (self->db, s_schema, NULL, NULL, NULL) != SQLITE_OK || sqlite3_exec (self->db, pragmas, NULL, NULL, NULL) != SQLITE_OK))
        return STELE_EIO;
    return sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK? 0: STELE_EIO;
}

//  Is it a file of this program, and whole?
static int
s_check (relay_state_t *self, const char *path, stele_refusal_t *refusal)
{
    sqlite3_stmt *statement = s_prepare (self, "PRAGMA quick_check(1)", "");
    bool whole = statement && sqlite3_step (statement) == SQLITE_ROW
        && strcmp ((const char *) sqlite3_column_text (statement, 0), "ok") == 0;
    int code = sqlite3_errcode (self->db);
    bool foreign = whole && s_number (self, "PRAGMA application_id") != APPLICATION;
    sqlite3_finalize (statement);
    if (!whole && (code == SQLITE_ROW || code == SQLITE_CORRUPT || code == SQLITE_NOTADB))
        return stele_refuse (refusal, STELE_ELEDGER, "state", "the state '%.200s' is damaged: move it away; then every target begins at "
            "its setting 'from', or where 'stele-relay reset' sets it", path);
    if (!whole)
        return stele_refuse (refusal, STELE_EIO, "state", "cannot read the state '%.200s': %s", path, sqlite3_errmsg (self->db));
    if (foreign || s_number (self, "PRAGMA user_version") != VERSION)
        return stele_refuse (refusal, STELE_EIO, "state", "'%.200s' is not a state of this version of stele-relay: use another path", path);
    return 0;
}

relay_state_t *
relay_state_open (const char *path, bool create, stele_refusal_t *refusal)
{
    relay_state_t *self = STELE_NEW (relay_state_t);
    //  SQLite makes files that everybody may read. Only a new one: to close one that another target has open drops its locks.
    int fd = create? open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640): -1;
    if (fd >= 0)
        close (fd);
    int rc = sqlite3_open_v2 (path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        sqlite3_busy_timeout (self->db, BUSY_MS);
    bool foreign = rc == SQLITE_OK && create && s_number (self, "PRAGMA user_version") == 0
        && s_number (self, "SELECT count(*) FROM sqlite_schema") == 0 && s_make (self) != 0;
    if (rc != SQLITE_OK || foreign)
        stele_refuse (refusal, STELE_EIO, "state", "cannot open the state '%.200s': %s%s", path,
            self->db? sqlite3_errmsg (self->db): "no memory", create? "": "; stele-relay makes it when it runs first");
    else
    if (s_check (self, path, refusal) == 0) {
        sqlite3_exec (self->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
        return self;
    }
    relay_state_close (&self);
    return NULL;
}

void
relay_state_close (relay_state_t **self_p)
{
    relay_state_t *self = *self_p;
    if (!self)
        return;
    sqlite3_close_v2 (self->db);
    free (self);
    *self_p = NULL;
}

int64_t
relay_state_version (relay_state_t *self)
{
    return s_number (self, "PRAGMA data_version");
}

//  -- read ------------------------------------------------------------------------------------

static void
s_copy (char *text, size_t size, sqlite3_stmt *statement, int column)
{
    const char *value = (const char *) sqlite3_column_text (statement, column);
    snprintf (text, size, "%s", value? value: "");
}

int
relay_state_cursor (relay_state_t *self, const char *target, bool create, relay_cursor_t *cursor)
{
    //  Without a write if it is there: a start of many targets would queue for the lock
    sqlite3_stmt *statement = s_prepare (self, "SELECT ledger, position, delivered, failures, delivered_us, failed_us, edits, disabled,"
        " error FROM targets WHERE name = ?", "t", target);
    int rc = statement? sqlite3_step (statement): SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        s_copy (cursor->ledger, sizeof cursor->ledger, statement, 0);
        cursor->position = sqlite3_column_int64 (statement, 1);
        cursor->delivered = sqlite3_column_int64 (statement, 2);
        cursor->failures = sqlite3_column_int64 (statement, 3);
        cursor->delivered_us = sqlite3_column_int64 (statement, 4);
        cursor->failed_us = sqlite3_column_int64 (statement, 5);
        cursor->edits = sqlite3_column_int64 (statement, 6);
        cursor->disabled = sqlite3_column_int (statement, 7);
        s_copy (cursor->error, sizeof cursor->error, statement, 8);
    }
    sqlite3_finalize (statement);
    if (rc != SQLITE_DONE)
        return rc == SQLITE_ROW? 0: STELE_EIO;
    if (!create)
        return STELE_ENOT_FOUND;
    return s_run (self, "INSERT INTO targets (name) VALUES (?) ON CONFLICT DO NOTHING", "t", target) < 0? STELE_EIO:
        relay_state_cursor (self, target, false, cursor);
}

int
relay_state_pending (relay_state_t *self, const char *target, relay_pending_fn *fn, void *arg)
{
    sqlite3_stmt *statement = s_prepare (self, "SELECT position, attempts, first_us FROM pending WHERE target = ? ORDER BY position",
        "t", target);
    int rc = SQLITE_ERROR;
    while (statement && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
        const relay_pending_t pending = { sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1),
            sqlite3_column_int64 (statement, 2) };
        fn (&pending, arg);
    }
    sqlite3_finalize (statement);
    return rc == SQLITE_DONE? 0: STELE_EIO;
}

int
relay_state_dead (relay_state_t *self, const char *target, bool retry, relay_dead_fn *fn, void *arg)
{
    sqlite3_stmt *statement = s_prepare (self, "SELECT position, ledger, subject, attempts, dead_us, reason, retry FROM dead"
        " WHERE target = ? AND retry >= ? ORDER BY position", "ti", target, (int64_t) retry);
    int rc = SQLITE_ERROR;
    while (statement && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
        relay_dead_t dead = { .position = sqlite3_column_int64 (statement, 0), .attempts = sqlite3_column_int64 (statement, 3),
            .dead_us = sqlite3_column_int64 (statement, 4), .retry = sqlite3_column_int (statement, 6) };
        s_copy (dead.ledger, sizeof dead.ledger, statement, 1);
        s_copy (dead.subject, sizeof dead.subject, statement, 2);
        s_copy (dead.reason, sizeof dead.reason, statement, 5);
        fn (&dead, arg);
    }
    sqlite3_finalize (statement);
    return rc == SQLITE_DONE? 0: STELE_EIO;
}

//  -- the commit of a target ------------------------------------------------------------------

//  Roll back after a failure
static int
s_settle (relay_state_t *self, int changes)
{
    if (changes < 0 && !sqlite3_get_autocommit (self->db))
        sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
    return changes < 0? changes: 0;
}

int
relay_state_begin (relay_state_t *self, const char *target, const relay_cursor_t *cursor, bool replace)
{
    if (sqlite3_exec (self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return STELE_EIO;
    int changes = s_run (self, "UPDATE targets SET ledger = ?, position = ?, delivered = ?, failures = ?, delivered_us = ?,"
        " failed_us = ?, disabled = ?, error = ? WHERE name = ? AND edits = ?", "tiiiiiitti", cursor->ledger, cursor->position,
        cursor->delivered, cursor->failures, cursor->delivered_us, cursor->failed_us, (int64_t) cursor->disabled, cursor->error, target,
        cursor->edits);
    if (changes == 0)
        changes = STELE_EFENCED;
    if (changes > 0 && replace)
        changes = s_run (self, "DELETE FROM pending WHERE target = ?", "t", target);
    return s_settle (self, changes);
}

int
relay_state_put_pending (relay_state_t *self, const char *target, const relay_pending_t *pending)
{
    return s_settle (self, s_run (self, "INSERT INTO pending VALUES (?, ?, ?, ?)", "tiii", target, pending->position,
        pending->attempts, pending->first_us));
}

int
relay_state_put_dead (relay_state_t *self, const char *target, const relay_dead_t *dead)
{
    return s_settle (self, s_run (self, "INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, 0)", "tittiit", target,
        dead->position, dead->ledger, dead->subject, dead->attempts, dead->dead_us, dead->reason));
}

int
relay_state_drop_dead (relay_state_t *self, const char *target, int64_t position)
{
    return s_settle (self, s_run (self, "DELETE FROM dead WHERE target = ? AND position = ?", "ti", target, position));
}

int
relay_state_end (relay_state_t *self)
{
    return s_settle (self, sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK? 0: STELE_EIO);
}

//  -- commands ------------------------------------------------------------------------------------

int64_t
relay_state_retry (relay_state_t *self, const char *target, int64_t position)
{
    return s_run (self, "UPDATE dead SET retry = 1 WHERE target = ? AND (position = ? OR ? = 0) AND ledger IN"
        " (SELECT ledger FROM targets WHERE name = dead.target)", "tii", target, position, position);
}

int64_t
relay_state_drop (relay_state_t *self, const char *target, int64_t position)
{
    return s_run (self, "DELETE FROM dead WHERE target = ? AND (position = ? OR ? = 0)", "tii", target, position, position);
}

int
relay_state_edit (relay_state_t *self, const char *target, bool reset, int64_t position)
{
    if (sqlite3_exec (self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return STELE_EIO;
    int changes = s_run (self, "UPDATE targets SET disabled = 0, error = '', edits = edits + 1 WHERE name = ?", "t", target);
    if (changes == 0)
        changes = STELE_ENOT_FOUND;
    if (changes > 0 && reset)
        changes = s_run (self, "UPDATE targets SET ledger = '', position = ? WHERE name = ?", "it", position, target);
    if (changes > 0 && reset)
        changes = s_run (self, "DELETE FROM pending WHERE target = ?", "t", target);
    return s_settle (self, changes) < 0? changes: relay_state_end (self);
}
