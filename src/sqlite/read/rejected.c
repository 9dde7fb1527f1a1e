/*  rejected - refused events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "ledger/ledger.h"
#include "sqlite/reader/reader_internal.h"
#include "wire/scan.h"

static const reader_column_t s_rejected [] = {
    { STELE_ID, COLUMN_INTEGER }, { STELE_PRODUCER, COLUMN_TEXT },
    { STELE_SEQUENCE, COLUMN_INTEGER }, { STELE_CODE, COLUMN_TEXT },
    { STELE_FIELD, COLUMN_TEXT }, { STELE_MESSAGE, COLUMN_TEXT }, { STELE_TIME, COLUMN_INTEGER },
    { STELE_RETRIED_AT, COLUMN_INTEGER }, { STELE_POSITION, COLUMN_INTEGER }
};
#define REJECTED_SQL \
    "SELECT r.id, p.name, r.sequence, r.code, r.field, r.message, r.time, r.retried_at," \
    " r.position, r.event" \
    " FROM rejected_events r LEFT JOIN producers p ON p.id = r.producer "
enum { REJECTED_EVENT = 9 };

//  True if these bytes can be sent as a value inside a reply
static bool
s_presentable (const void *event, size_t size)
{
    const char *why;
    //  An element takes at least one byte, so there cannot be more than 'size' of them
    if (size == 0 || stele_scan_check (event, size, size, &why)
    ||  stele_scan_depth (event, size, STELE_LIMIT_NESTING) > STELE_LIMIT_NESTING)
        return false;
    stele_scan_t scan = stele_scan_start (event, size);
    for (;;) {
        stele_token_t token = stele_scan_next (&scan);
        if (token.kind == STELE_SCAN_END)
            return true;
        if (token.kind == STELE_SCAN_TEXT && !stele_utf8_valid (token.data, token.size))
            return false;
    }
}

static int
s_fill (stele_reader_t *self, sqlite3_stmt *statement)
{
    READER_FILL (self, statement, 0, s_rejected);
    const void *event = sqlite3_column_blob (statement, REJECTED_EVENT);
    size_t size = (size_t) sqlite3_column_bytes (statement, REJECTED_EVENT);
    stele_record_set_bytes (self->row, STELE_EVENT, size? event: "", size);
    if (s_presentable (event, size))
        self->row->values [STELE_EVENT].kind = STELE_VALUE_PACKED;
    return self->status;
}

int
stele_reader_rejected (stele_reader_t *self, const char *producer, bool open_only,
    int64_t after, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_REJECTED,
        REJECTED_SQL "WHERE r.id > ?1 AND (?2 IS NULL OR p.name = ?2)"
        " AND (NOT ?3 OR r.retried_at IS NULL) ORDER BY r.id", after);
    if (statement) {
        sqlite3_bind_null (statement, 2);
        sqlite3_bind_int (statement, 3, open_only);
    }
    if (producer)
        reader_bind_text (statement, 2, producer, strlen (producer));
    int64_t last = 0, cursor = 0;
    for (int64_t count = 0; reader_step (self, statement) == 1; count++) {
        if (count == limit) {
            cursor = last;
            break;
        }
        last = sqlite3_column_int64 (statement, 0);
        stele_record_clear (self->row);
        if (s_fill (self, statement))
            break;
        rc = fn (self->row, arg);
        if (rc)
            break;
    }
    int64_t result = reader_leave (self, rc < 0? rc: 0);
    if (result == 0)
        *next = cursor;
    return (int) result;
}

int
stele_reader_rejected_one (stele_reader_t *self, int64_t id, stele_row_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_REJECTED_ONE,
        REJECTED_SQL "WHERE r.id = ?1", id);
    int found = reader_step (self, statement);
    if (found == 1)
        s_fill (self, statement);
    return reader_return_row (self, self->status? self->status: found, fn, arg);
}
