/*  loss - detect a ledger that is shorter than what was acked, and record an accepted loss

    Two places outside the ledger record its last position: the high-water mark next to it, and
    another store (Redis). Both are read before SQLite may write anything, so that a refusal
    leaves every file as it was.

      high-water mark     verdict
      none                good: it is created
      of this ledger      good if the ledger is as long or longer (after a power cut the mark may be
                          a second old); behind if it is shorter
      of another ledger   good if that one was accepted as lost here before; else
                          behind: its whole history is missing
      damaged             behind: nothing is known

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite/write/ledger_internal.h"
#include "sqlite/sql/schema.h"
#include "base/clock.h"

#define BUSY_MS 5000                // As at any open

//  -- contents of the file -------------------------------------------------------------

//  First column of the first row as text, "" if there is none. Returns 0 or a code.
static int
s_text (sqlite3 *db, const char *sql, char *text, size_t size_max)
{
    sqlite3_stmt *stmt = stele_sql_prepare (db, sql);
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (db);
    const char *found = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    snprintf (text, size_max, "%s", found? found: "");
    sqlite3_finalize (stmt);
    return stele_sql_code (rc);
}

static int
s_read_file_mark (stele_ledger_t *self, stele_mark_t *has, bool *is_ledger)
{
    int64_t application, version, tables;
    int code = stele_sql_integer_into (self->db, "PRAGMA application_id", 0, &application);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "PRAGMA user_version", 0, &version);
    if (code == 0)
        code = stele_sql_integer_into (self->db, "SELECT count(*) FROM sqlite_schema", 0, &tables);
    if (code)
        return code;
    int newest = 0;
    for (const stele_migration_t *m = stele_schema; m->version; m++)
        newest = m->version;
    *is_ledger = tables == 0 || (application == STELE_APPLICATION_ID && version <= newest);
    if (tables == 0 || !*is_ledger)
        return 0;
    code = s_text (self->db, "SELECT value FROM meta WHERE key = 'ledger_id'",
        has->ledger_id, sizeof has->ledger_id);
    if (code == 0)
        code = stele_sql_integer_into (self->db,
            "SELECT last FROM commits ORDER BY first DESC LIMIT 1", 0, &has->position);
    if (code == 0)
        code = stele_sql_integer_into (self->db,
            "SELECT max (id) FROM rejected_events", 0, &has->rejected);
    return code;
}

//  Read how far the file is. Returns 1: a ledger, or an empty file; 0: a file that the open refuses
//  anyway; or a code with a refusal.
static int
s_file_mark (stele_ledger_t *self, const char *path, stele_mark_t *has, stele_refusal_t *refusal)
{
    bool is_ledger = false;
    memset (has, 0, sizeof *has);
    sqlite3_busy_timeout (self->db, BUSY_MS);
    int code = s_read_file_mark (self, has, &is_ledger);
    if (code == 0)
        return is_ledger;
    code = stele_ledger_fail (self, code);
    return stele_refuse (refusal, code == STELE_EINTERNAL? STELE_ELEDGER: code, "ledger",
        "%s: %s", path, self->error);
}

//  Was the loss of that ledger accepted here, and only the high-water file not written yet?
static bool
s_accepted_before (stele_ledger_t *self, const char *ledger_id)
{
    char *sql = sqlite3_mprintf ("SELECT count(*) FROM losses WHERE ledger_id = %Q", ledger_id);
    int64_t count = sql? stele_sql_integer (self->db, sql, 0): 0;
    sqlite3_free (sql);
    return count > 0;
}

//  -- evidence outside the ledger ------------------------------------------------------------

static void
s_evidence (stele_loss_t *loss, const char *format, ...) STELE_PRINTF (2, 3);

static void
s_evidence (stele_loss_t *loss, const char *format, ...)
{
    size_t used = strlen (loss->evidence);
    if (used && used + 2 < sizeof loss->evidence) {
        memcpy (loss->evidence + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start (args, format);
    vsnprintf (loss->evidence + used, sizeof loss->evidence - used, format, args);
    va_end (args);
    loss->found = true;
}

//  There is evidence that this ledger had that position
static void
s_had (stele_loss_t *loss, const stele_mark_t *has, int64_t position)
{
    snprintf (loss->ledger_id, sizeof loss->ledger_id, "%s", has->ledger_id);
    loss->same_ledger = true;
    loss->first = has->position + 1;
    if (loss->last < position)
        loss->last = position;
    if (loss->last < has->position)
        loss->last = has->position;
}

static int
s_compare_high_water (stele_ledger_t *self, const stele_mark_t *has, stele_refusal_t *refusal)
{
    stele_mark_t mark;
    stele_loss_t *loss = &self->loss;
    int code = stele_high_water_read (self->high_water, &mark, refusal);
    if (code == STELE_ELEDGER) {
        s_had (loss, has, 0);
        s_evidence (loss, "the high-water file is damaged: how many events there were is unknown");
        return 0;
    }
    if (code <= 0)
        return code;
    if (strcmp (mark.ledger_id, has->ledger_id) == 0) {
        if (mark.position <= has->position && mark.rejected <= has->rejected)
            return 0;
        s_had (loss, has, mark.position);
        if (mark.position > has->position)
            s_evidence (loss, "the high-water file: %" PRId64, mark.position);
        if (mark.rejected > has->rejected) {
            loss->rejected = mark.rejected - has->rejected;
            s_evidence (loss, "the high-water file: %" PRId64 " more refused event%s than here",
                loss->rejected, loss->rejected == 1? "": "s");
        }
    }
    else
    if ((mark.position > 0 || mark.rejected > 0) && !s_accepted_before (self, mark.ledger_id)) {
        snprintf (loss->ledger_id, sizeof loss->ledger_id, "%s", mark.ledger_id);
        loss->first = 1;
        loss->last = mark.position;
        loss->rejected = mark.rejected;
        s_evidence (loss, "the high-water file: ledger %s, with %" PRId64 " event%s",
            mark.ledger_id, mark.position, mark.position == 1? "": "s");
    }
    return 0;
}

static void
s_compare_last_position (stele_ledger_t *self, const stele_mark_t *has, const stele_ledger_options_t *options)
{
    char name [120] = "";
    if (!options->last_position || !*has->ledger_id)
        return;
    int64_t position = options->last_position (has->ledger_id, name, sizeof name, options->last_position_arg);
    if (position <= has->position)
        return;
    s_had (&self->loss, has, position);
    s_evidence (&self->loss, "%s: %" PRId64, name, position);
}

//  -- the verdict -----------------------------------------------------------------------

static int
s_refuse (stele_ledger_t *self, const char *path, const stele_mark_t *has, stele_refusal_t *refusal)
{
    const stele_loss_t *loss = &self->loss;
    if (!loss->same_ledger) {
        char *copy = stele_ledger_rescued_copy (path);
        int code = stele_refuse (refusal, STELE_EBEHIND, "ledger",
            "%s is %s%s, at position %" PRId64 ", but another ledger that has acked events was there before"
            " (%s). Was it deleted, or its write-ahead log? Nothing was changed: restore it%s%s, or continue with"
            " this one and record the loss: start once with --accept-loss",
            path, *has->ledger_id? "ledger ": "missing or empty", has->ledger_id, has->position, loss->evidence,
            copy? ", a running broker saved it in ": "", copy? copy: "");
        free (copy);
        return code;
    }
    if (loss->last == has->position && loss->rejected == 0)
        return stele_refuse (refusal, STELE_EBEHIND, "ledger",
            "%s is damaged: it is unknown whether %s, which ends at position %" PRId64 ", has every acked"
            " event. Nothing was changed: if you know that it is complete, remove that file; if not, start once"
            " with --accept-loss", stele_high_water_path (self->high_water), path, has->position);
    return stele_refuse (refusal, STELE_EBEHIND, "ledger",
        "%s ends at position %" PRId64 ", but more was acked (%s): %" PRId64 " event%s missing."
        " Was its write-ahead log damaged or removed, or was it replaced by an older copy? Nothing was changed:"
        " restore the right files, or continue from %" PRId64 " and record the loss: start once with"
        " --accept-loss", path, has->position, loss->evidence, loss->last - has->position,
        loss->last - has->position == 1? " is": "s are", has->position);
}

int
stele_ledger_compare (stele_ledger_t *self, const char *path,
    const stele_ledger_options_t *options, stele_refusal_t *refusal)
{
    stele_mark_t has;
    int code = s_file_mark (self, path, &has, refusal);
    if (code <= 0 || options->shared)
        return code < 0? code: 0;
    code = s_compare_high_water (self, &has, refusal);
    if (code)
        return code;
    s_compare_last_position (self, &has, options);
    if (self->loss.found && !options->accept_loss)
        return s_refuse (self, path, &has, refusal);
    return 0;
}

//  -- a loss that was accepted -------------------------------------------------------------

static int
s_record (stele_ledger_t *self)
{
    stele_loss_t *loss = &self->loss;
    int64_t now_us = stele_clock_us ();
    char *sql = sqlite3_mprintf (
        "BEGIN IMMEDIATE;"
        "INSERT INTO losses (time, ledger_id, first, last, rejected, evidence)"
        " VALUES (%lld, %Q, %lld, %lld, %lld, %Q);"
        "UPDATE followers SET position = %lld WHERE position > %lld;"
        "%s"
        "COMMIT", (long long) now_us, loss->ledger_id, (long long) loss->first,
        (long long) loss->last, (long long) loss->rejected, loss->evidence,
        (long long) self->head, (long long) self->head,
        //  Positions and numbers of refusals will be assigned again, to other events
        loss->same_ledger? "UPDATE meta SET value = " STELE_LEDGER_NEW_ID " WHERE key = 'ledger_id';": "");
    int code = sql? stele_sql_exec (self->db, sql): STELE_ENO_MEMORY;
    sqlite3_free (sql);
    if (code) {
        stele_ledger_fail (self, code);
        stele_sql_exec (self->db, "ROLLBACK");
        return code;
    }
    code = s_text (self->db, "SELECT value FROM meta WHERE key = 'ledger_id'", self->id, sizeof self->id);
    if (code)
        return stele_ledger_fail (self, code);
    snprintf (loss->text, sizeof loss->text, "accepted as lost: %" PRId64 " event%s%s%s%s of ledger %s (%s);"
        " continues from position %" PRId64 " as ledger %s",
        loss->last - loss->first + 1, loss->last == loss->first? "": "s", loss->rejected? " and ": "",
        loss->rejected? "refusals": "", loss->last < loss->first? ", as far as is known,": "",
        loss->ledger_id, loss->evidence, self->head, self->id);
    return 0;
}

int
stele_ledger_settle_loss (stele_ledger_t *self, stele_refusal_t *refusal)
{
    if (self->loss.found) {
        int code = s_record (self);
        if (code)
            return stele_refuse (refusal, code, "ledger", "cannot record the loss: %s", self->error);
    }
    stele_mark_t mark;
    if (stele_high_water_read (self->high_water, &mark, NULL) == 1
    &&  strcmp (mark.ledger_id, self->id) == 0) {
        if (stele_high_water_set (self->high_water, self->head, self->rejected) == STELE_EIO)
            return stele_refuse (refusal, STELE_EIO, "ledger", "cannot write %s",
                stele_high_water_path (self->high_water));
        return 0;
    }
    mark = (stele_mark_t) { .position = self->head, .rejected = self->rejected };
    snprintf (mark.ledger_id, sizeof mark.ledger_id, "%s", self->id);
    return stele_high_water_create (self->high_water, &mark, refusal);
}

int
stele_ledger_give_up (stele_ledger_t *self, const char *evidence, stele_refusal_t *refusal)
{
    return stele_ledger_cut (self, self->head, evidence, refusal);
}

int
stele_ledger_cut (stele_ledger_t *self, int64_t last, const char *evidence, stele_refusal_t *refusal)
{
    self->loss = (stele_loss_t) { .same_ledger = true, .first = self->head + 1, .last = last };
    snprintf (self->loss.ledger_id, sizeof self->loss.ledger_id, "%s", self->id);
    s_evidence (&self->loss, "%s", evidence);
    return stele_ledger_settle_loss (self, refusal);
}

const char *
stele_ledger_notice (stele_ledger_t *self)
{
    return stele_place_notice (self->place);
}

const char *
stele_ledger_loss (const stele_ledger_t *self)
{
    return self->loss.found? self->loss.text: NULL;
}
