/*  replay - rows that a restored ledger gets besides those of events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "sqlite/write/ledger_internal.h"
#include "wire/scan.h"

int
stele_ledger_replay_id (stele_ledger_t *self, const char *id, stele_refusal_t *refusal)
{
    char *sql = sqlite3_mprintf ("UPDATE meta SET value = %Q WHERE key = 'ledger_id'", id);
    int code = sql? stele_sql_exec (self->db, sql): STELE_ENO_MEMORY;
    sqlite3_free (sql);
    if (code) {
        stele_ledger_fail (self, code);
        return stele_refuse (refusal, code, "ledger", "cannot set the id: %s", self->error);
    }
    snprintf (self->id, sizeof self->id, "%s", id);
    if ((code = stele_ledger_identify_file (self)))
        return stele_refuse (refusal, code, "ledger", "cannot set the id: %s", self->error);
    stele_mark_t mark = { .position = self->head, .rejected = self->rejected };
    snprintf (mark.ledger_id, sizeof mark.ledger_id, "%s", self->id);
    return stele_high_water_create (self->high_water, &mark, refusal);
}

//  Prepared once per call: these are rows of small tables
static int
s_run (stele_ledger_t *self, sqlite3_stmt *stmt)
{
    if (!stmt)
        return stele_ledger_fail (self, STELE_EINTERNAL);
    int rc = sqlite3_step (stmt);
    int code = rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc)? stele_sql_code (rc): STELE_EINTERNAL);
    sqlite3_finalize (stmt);
    return code;
}

int
stele_ledger_replay_producer (stele_ledger_t *self, stele_producer_t *producer, int64_t first_seen_at, bool newer)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "INSERT INTO producer_rows (name, sequence, instance, lease_ms, status, first_seen_at, last_seen_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET sequence = max (sequence, ?2),"
        " instance = iif (?8 OR ?7 >= last_seen_at, ?3, instance), lease_ms = iif (?8 OR ?7 >= last_seen_at, ?4, lease_ms),"
        " status = iif (?8 OR ?7 >= last_seen_at, ?5, status), first_seen_at = iif (?8 OR ?7 >= last_seen_at, ?6, first_seen_at),"
        " last_seen_at = iif (?8, ?7, max (last_seen_at, ?7))");
    if (stmt) {
        sqlite3_bind_text (stmt, 1, producer->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (stmt, 2, producer->sequence);
        stele_sql_bind_text (stmt, 3, *producer->instance || producer->anonymous? producer->instance: NULL,
            strlen (producer->instance));
        stele_sql_bind_key (stmt, 4, producer->lease_ms);
        sqlite3_bind_int (stmt, 5, producer->status);
        sqlite3_bind_int64 (stmt, 6, first_seen_at);
        sqlite3_bind_int64 (stmt, 7, producer->seen_at);
        sqlite3_bind_int (stmt, 8, newer);
    }
    int code = s_run (self, stmt);
    if (code)
        return code;
    stele_producer_t stored;
    int found = stele_ledger_producer_find (self, producer->name, &stored);
    producer->id = found == 1? stored.id: 0;
    return found < 0? found: 0;
}

int
stele_ledger_replay_loss (stele_ledger_t *self, int64_t id, const stele_lost_t *loss)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "INSERT OR REPLACE INTO losses (id, time, ledger_id, first, last, rejected, evidence)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    if (stmt) {
        sqlite3_bind_int64 (stmt, 1, id);
        sqlite3_bind_int64 (stmt, 2, loss->time_us);
        sqlite3_bind_text (stmt, 3, loss->ledger_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (stmt, 4, loss->first);
        sqlite3_bind_int64 (stmt, 5, loss->last);
        sqlite3_bind_int64 (stmt, 6, loss->rejected);
        sqlite3_bind_text (stmt, 7, loss->evidence, -1, SQLITE_STATIC);
    }
    return s_run (self, stmt);
}

static void
s_bind_packed (sqlite3_stmt *stmt, int index, const stele_token_t *token)
{
    if (token->kind == STELE_SCAN_INTEGER)
        sqlite3_bind_int64 (stmt, index, token->integer);
    else
    if (token->kind == STELE_SCAN_REAL)
        sqlite3_bind_double (stmt, index, token->real);
    else
    if (token->kind == STELE_SCAN_BYTES)
        sqlite3_bind_blob (stmt, index, token->data, (int) token->size, SQLITE_STATIC);
    else
    if (token->kind == STELE_SCAN_TEXT)
        sqlite3_bind_text (stmt, index, token->data, (int) token->size, SQLITE_STATIC);
}

int
stele_ledger_replay_note (stele_ledger_t *self, const char *key, const void *packed, size_t size)
{
    stele_scan_t scan = stele_scan_start (packed, size);
    stele_token_t token = stele_scan_next (&scan);
    if (strcmp (key, "ledger_id") == 0)
        return 0;
    //  What was replayed has other numbers of producers than the shared log: it cannot be continued from there
    bool removes = token.kind == STELE_SCAN_NIL || strcmp (key, STELE_LOG_MARK) == 0;
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, removes?
        "DELETE FROM meta WHERE key = ?1": "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
    if (stmt) {
        sqlite3_bind_text (stmt, 1, key, -1, SQLITE_STATIC);
        if (!removes)
            s_bind_packed (stmt, 2, &token);
    }
    return s_run (self, stmt);
}
