/*  append_audit - the row of an event about an operation on the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/write/ledger_internal.h"

int
stele_ledger_append_audit (stele_ledger_t *self, const stele_record_t *event)
{
    static const stele_field_t words [] = { STELE_USER_ID, STELE_WHO, STELE_OPERATION, STELE_OUTCOME };
    static const stele_field_t plain [] = {
        STELE_TARGET, STELE_PEER, STELE_REQUEST_ID, STELE_COUNT, STELE_IMPORTED
    };
    const stele_value_t *values = event->values;
    sqlite3_stmt *stmt = self->sql.audit;
    int column = 1, code = 0;
    sqlite3_bind_int64 (stmt, column++, self->next);
    stele_sql_bind_value (stmt, column++, &values [STELE_TIME]);
    for (size_t i = 0; i < sizeof words / sizeof words [0] && code == 0; i++)
        code = stele_ledger_bind_word (self, stmt, column++, &values [words [i]]);
    if (code)
        return code;
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        stele_sql_bind_value (stmt, column++, &values [plain [i]]);
    stele_content_bind (self->content, stmt, column++, &values [STELE_DETAILS]);
    stele_content_bind (self->content, stmt, column, &event->extra);
    code = stele_ledger_run (self, stmt);
    return code? code: 1;
}
