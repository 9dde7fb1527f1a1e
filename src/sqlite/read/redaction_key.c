/*  redaction_key - the key of the marks in masks of secrets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/sql.h"

int
stele_reader_redaction_key (stele_reader_t *self, unsigned char key [STELE_REDACTION_KEY])
{
    sqlite3_stmt *statement = stele_sql_prepare (self->db,
        "SELECT value FROM meta WHERE key = '" STELE_REDACTION_KEY_NAME "'");
    int rc = statement? sqlite3_step (statement): sqlite3_errcode (self->db);
    bool found = rc == SQLITE_ROW && sqlite3_column_bytes (statement, 0) == STELE_REDACTION_KEY;
    if (found)
        memcpy (key, sqlite3_column_blob (statement, 0), STELE_REDACTION_KEY);
    sqlite3_finalize (statement);
    return found? 1: rc == SQLITE_ROW || rc == SQLITE_DONE? 0: stele_sql_code (rc);
}
