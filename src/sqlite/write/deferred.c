/*  deferred - batches in one open transaction, while another store keeps the acked events

    Changed pages stay in memory (cache_spill off): nothing is written to the disk until
    stele_ledger_resume commits all of it. Each batch is a savepoint in that transaction.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdint.h>
#include <stdio.h>
#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"

//  Rows of meta: 'suspended' is the start of the current period (if there was no room for the row, the
//  high-water mark has it), 'resumed' the start of the last finished one, 'recovered' how many
//  elements of the list in Redis are in the ledger. 'format' is SQL text with places for both numbers.
static int
s_note (stele_ledger_t *self, const char *format, int64_t since, int64_t elements)
{
    char sql [320];
    snprintf (sql, sizeof sql, format, (long long) since, (long long) elements);
    return stele_sql_exec (self->db, sql);
}

//  Finish the period, and commit the open transaction
static int
s_settle (stele_ledger_t *self, int64_t since)
{
    int code = s_note (self, "DELETE FROM meta WHERE key IN ('suspended', 'recovered');"
        "INSERT OR REPLACE INTO meta VALUES ('resumed', %lld); COMMIT", since, 0);
    //  If the mark cannot be removed, 'resumed' still shows that its period is over
    if (code == 0 && stele_high_water_suspend (self->high_water, 0) == STELE_EIO)
        self->high_water_code = STELE_EIO;
    return code;
}

int
stele_ledger_suspend (stele_ledger_t *self, int64_t since)
{
    int code = s_note (self, "INSERT OR REPLACE INTO meta VALUES ('suspended', %lld)", since, 0);
    if (code == STELE_EFULL)
        code = stele_high_water_suspend (self->high_water, since);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_sql_exec (self->db, "PRAGMA cache_spill = OFF; BEGIN IMMEDIATE");
    if (code)
        return stele_ledger_fail (self, code);
    self->suspended = true;
    stele_reader_set_ledger_id (self->reader, self->id);
    return 0;
}

int
stele_ledger_resume (stele_ledger_t *self, int64_t since)
{
    //  If SQLite has rolled back, the events are gone, but the mark would show that the period is over, and
    //  the next start would ignore what Redis has
    if (sqlite3_get_autocommit (self->db))
        return stele_ledger_rolled_back (self);
    int code = s_settle (self, since);
    //  After a rollback it stays suspended: no batch may follow on events that are gone
    if (code)
        return stele_ledger_fail (self, code);
    self->suspended = false;
    //  Committed to files that were removed or replaced: the list in Redis must remain
    if (!stele_ledger_in_place (self))
        return STELE_EIO;
    self->head = self->top;
    self->rejected = self->top_rejected;
    stele_sql_exec (self->db, "PRAGMA cache_spill = ON");
    if (stele_high_water_set (self->high_water, self->head, self->rejected))
        self->high_water_code = STELE_EIO;
    return 0;
}

bool
stele_ledger_suspended (const stele_ledger_t *self)
{
    return self->suspended && !sqlite3_get_autocommit (self->db);
}

static int64_t
s_read (stele_ledger_t *self, const char *sql)
{
    int64_t value = 0;
    int code = stele_sql_integer_into (self->db, sql, 0, &value);
    return code? stele_ledger_fail (self, code): value;
}

int64_t
stele_ledger_left_suspended (stele_ledger_t *self)
{
    int64_t since = s_read (self, "SELECT value FROM meta WHERE key = 'suspended'");
    if (since == 0 && stele_high_water_suspended (self->high_water) != stele_ledger_last_resumed (self))
        since = stele_high_water_suspended (self->high_water);
    return since;
}

int
stele_ledger_note_recovered (stele_ledger_t *self, int64_t since, int64_t elements)
{
    int code = s_note (self, "INSERT OR REPLACE INTO meta VALUES ('suspended', %lld), ('recovered', %lld)",
        since, elements);
    return code? stele_ledger_fail (self, code): 0;
}

int64_t
stele_ledger_recovered (stele_ledger_t *self)
{
    return s_read (self, "SELECT value FROM meta WHERE key = 'recovered'");
}

int64_t
stele_ledger_last_resumed (stele_ledger_t *self)
{
    return s_read (self, "SELECT value FROM meta WHERE key = 'resumed'");
}

int
stele_ledger_settle_suspended (stele_ledger_t *self, int64_t since)
{
    int code = stele_sql_exec (self->db, "BEGIN IMMEDIATE");
    if (code == 0)
        code = s_settle (self, since);
    if (code) {
        code = stele_ledger_fail (self, code);
        if (!sqlite3_get_autocommit (self->db))
            stele_sql_exec (self->db, "ROLLBACK");
    }
    //  The caller clears the list in Redis next
    return code || stele_ledger_in_place (self)? code: STELE_EIO;
}

int
stele_ledger_flush (stele_ledger_t *self)
{
    int code = STELE_FAULT_CODE (flush_before);
    if (code == 0)
        code = stele_task_cache_flush (self->tasks);
    return code? stele_ledger_fail (self, code): 0;
}

int64_t
stele_ledger_last_rejected (const stele_ledger_t *self)
{
    return self->top_rejected;
}

int64_t
stele_ledger_durable_rejected (const stele_ledger_t *self)
{
    return self->rejected;
}
