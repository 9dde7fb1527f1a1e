/*  decided - what a batch decided, for a log that is shared by several nodes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/write/ledger_internal.h"

int
stele_ledger_share (stele_ledger_t *self)
{
    //  The header of the write-ahead log, and what a checkpoint copies, are synced as before
    int code = stele_sql_exec (self->db, "PRAGMA synchronous = NORMAL");
    return code? stele_ledger_fail (self, code): 0;
}

int
stele_ledger_is_blank (stele_ledger_t *self)
{
    if (self->top || self->top_rejected)
        return 0;
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT 1 FROM producers LIMIT 1");
    if (!stmt)
        return stele_ledger_fail (self, STELE_EINTERNAL);
    int rc = sqlite3_step (stmt);
    sqlite3_finalize (stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE? rc == SQLITE_DONE: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_record (stele_ledger_t *self, bool record)
{
    if (!record)
        stele_decisions_destroy (&self->decisions);
    else
    if (!self->decisions && !(self->decisions = stele_decisions_new ()))
        return stele_ledger_fail (self, STELE_ENO_MEMORY);
    return 0;
}

int
stele_ledger_record_identity (stele_ledger_t *self)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT key, value, typeof (value) = 'text' FROM meta"
        " WHERE key IN ('created_at', '" STELE_REDACTION_KEY_NAME "') ORDER BY key");
    if (!stmt)
        return stele_ledger_fail (self, STELE_EINTERNAL);
    int rc;
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        stele_pack_clear (self->pack);
        size_t size = (size_t) sqlite3_column_bytes (stmt, 1);
        if (sqlite3_column_int (stmt, 2))
            stele_pack_text (self->pack, (const char *) sqlite3_column_text (stmt, 1), size);
        else
            stele_pack_bytes (self->pack, sqlite3_column_blob (stmt, 1), size);
        stele_decisions_add (self->decisions, STELE_DECIDED_NOTE, sqlite3_column_text (stmt, 0), stele_pack_data (self->pack),
            stele_pack_size (self->pack));
    }
    sqlite3_finalize (stmt);
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

const void *
stele_ledger_decisions (stele_ledger_t *self, size_t *size, size_t *count)
{
    *count = stele_decisions_count (self->decisions);
    const void *data = stele_decisions_data (self->decisions, size);
    if (!data)
        stele_ledger_fail (self, STELE_ENO_MEMORY);
    return data;
}

int
stele_ledger_log_mark (stele_ledger_t *self, const void *mark, size_t size)
{
    sqlite3_bind_blob (self->sql.log_mark, 1, mark, (int) size, SQLITE_STATIC);
    return stele_ledger_run (self, self->sql.log_mark);
}

int
stele_ledger_log_marked (stele_ledger_t *self, void *mark, size_t size)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, "SELECT value FROM meta WHERE key = '" STELE_LOG_MARK "'");
    if (!stmt)
        return stele_ledger_fail (self, STELE_EINTERNAL);
    int rc = sqlite3_step (stmt);
    bool found = rc == SQLITE_ROW && sqlite3_column_bytes (stmt, 0) == (int) size;
    if (found)
        memcpy (mark, sqlite3_column_blob (stmt, 0), size);
    sqlite3_finalize (stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE? found: stele_ledger_fail (self, stele_sql_code (rc));
}
