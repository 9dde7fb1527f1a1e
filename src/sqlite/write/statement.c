/*  statement - run and bind the statements of a batch, and keep the text of their errors

    At the bottom of the writer: every other file here may call it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "sqlite/write/ledger_internal.h"
#include "wire/json/json.h"

int
stele_ledger_fail (stele_ledger_t *self, int code)
{
    code = stele_sql_error_text (self->db, code, self->error, sizeof self->error);
    if (code == STELE_EIO)
        self->broken = true;
    return code;
}

int
stele_ledger_run (stele_ledger_t *self, sqlite3_stmt *stmt)
{
    int code = stmt == self->sql.begin? 0: stele_ledger_in_batch (self);
    if (code)
        return code;
    code = stele_sql_run (stmt);
    return code? stele_ledger_fail (self, code): 0;
}

//  After some errors (no memory, no room, I/O) SQLite rolls back the transaction, even if only a
//  SELECT failed. A caller that ignored such an error must not store the rest of the
//  batch.
int
stele_ledger_in_batch (stele_ledger_t *self)
{
    return sqlite3_get_autocommit (self->db)? stele_ledger_fail (self, STELE_EINTERNAL): 0;
}

int
stele_ledger_rolled_back (stele_ledger_t *self)
{
    snprintf (self->error, sizeof self->error,
        "SQLite rolled back what was not committed: restart the broker, what was acked is in Redis");
    return STELE_EIO;
}

int
stele_ledger_bind_word (stele_ledger_t *self, sqlite3_stmt *stmt, int index,
    const stele_value_t *value)
{
    int64_t number = 0;
    int code = stele_intern_value (self->words, value, &number);
    if (code)
        return stele_ledger_fail (self, code);
    stele_sql_bind_key (stmt, index, number);
    return 0;
}

int
stele_ledger_fields_json (stele_ledger_t *self, const stele_record_t *record,
    stele_field_set_t set, bool nulls, stele_value_t *json)
{
    json->kind = STELE_VALUE_NONE;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT && !nulls; field++)
        if (!stele_record_has (record, field))
            set &= ~STELE_FIELD_BIT (field);
    if (set == 0)
        return 0;
    const char *text;
    size_t size;
    int code = stele_json_fields (record, set, self->pack, self->scratch, &text, &size);
    if (code)
        return stele_ledger_fail (self, code == STELE_ENO_MEMORY? code: STELE_EINTERNAL);
    json->kind = STELE_VALUE_JSON;
    json->text = text;
    json->size = (uint32_t) size;
    return 0;
}
