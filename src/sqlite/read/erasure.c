/*  erasure - which tasks were erased, when and why

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "ledger/erase.h"
#include "sqlite/reader/reader_internal.h"

int
stele_reader_erasure (stele_reader_t *self, const char *id, size_t size, stele_erasure_t *erasure)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_ERASURE, "SELECT e.position, e.time, e.events, e.reason,"
        " EXISTS (SELECT 1 FROM main.meta WHERE key = '" STELE_ERASING_KEY "' || e.id) FROM main.erased_tasks e JOIN main.tasks t ON t.id = e.id WHERE t.task_id = ?1");
    if (statement)
        reader_bind_id (statement, 1, id, size);
    int found = reader_step (self, statement);
    if (found == 1) {
        erasure->position = sqlite3_column_int64 (statement, 0);
        erasure->time_us = sqlite3_column_int64 (statement, 1);
        erasure->events = sqlite3_column_int64 (statement, 2);
        const char *reason = (const char *) sqlite3_column_text (statement, 3);
        snprintf (erasure->reason, sizeof erasure->reason, "%s", reason? reason: "");
        erasure->rest = sqlite3_column_int (statement, 4);
    }
    return (int) reader_leave (self, found);
}

int64_t
stele_reader_last_erasure (stele_reader_t *self)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    return reader_leave (self, reader_integer (self, reader_statement (self, SLOT_LAST_ERASURE,
        "SELECT max (position) FROM main.erased_tasks"), 0));
}
