/*  state - what a backup has besides events: commits, and the rows of small tables

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger/erase.h"
#include "sqlite/reader/reader_internal.h"
#include "wire/pack.h"

int
stele_reader_commits (stele_reader_t *self, int64_t from, int64_t limit, stele_commit_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_COMMITS,
        "SELECT first, last, time FROM commits WHERE last >= ?1"
        " AND first >= ifnull ((SELECT max (first) FROM commits WHERE first <= ?1), 0) ORDER BY first", from);
    for (int64_t count = 0; rc == 0 && count < limit && reader_step (self, statement) == 1; count++)
        rc = fn (sqlite3_column_int64 (statement, 0), sqlite3_column_int64 (statement, 1),
            sqlite3_column_int64 (statement, 2), arg);
    return (int) reader_leave (self, rc < 0? rc: 0);
}

//  Column 0 identifies the row, column 1 is its number, column 2 whether it is gone; the others are packed
#define HIDDEN 3
static const char *const s_sql [] = {
    [STELE_STATE_PRODUCERS] = "SELECT name, id, instance IS '', name, sequence, instance, lease_ms, status, first_seen_at,"
        " last_seen_at FROM producers WHERE id > ?1",
    [STELE_STATE_FENCES] = "SELECT p.name || char (0) || f.instance, 0, 0, p.name AS producer, f.instance, f.fenced_at"
        " FROM producer_fences f JOIN producers p ON p.id = f.producer WHERE f.producer > ?1",
    [STELE_STATE_REJECTED] = "SELECT r.id, r.id, 0, r.id AS id, p.name AS producer, r.sequence AS sequence, code, field,"
        " message, time, event FROM rejected_events r LEFT JOIN producers p ON p.id = r.producer WHERE r.id > ?1 ORDER BY r.id",
    [STELE_STATE_RETRIED] = "SELECT id, id, 0, id, retried_at, position AS stored_at FROM rejected_events"
        " WHERE retried_at IS NOT NULL AND id > ?1",
    [STELE_STATE_FOLLOWERS] = "SELECT name, 0, 0, name, position AS cursor, updated_at FROM followers WHERE ?1 >= 0",
    [STELE_STATE_LOSSES] = "SELECT id, 0, 0, id, time, ledger_id, first, last, rejected, evidence FROM losses WHERE id > ?1",
    [STELE_STATE_NOTES] = "SELECT key, 0, 0, key, value FROM meta WHERE key != 'ledger_id'"
        " AND key NOT GLOB '" STELE_ERASING_KEY "*' AND ?1 >= 0"
        " UNION ALL SELECT key, 0, 0, key, NULL FROM (SELECT 'suspended' AS key UNION ALL SELECT 'recovered') n"
        " WHERE NOT EXISTS (SELECT 1 FROM meta m WHERE m.key = n.key)"
};

static void
s_pack_column (sqlite3_stmt *statement, int column, stele_pack_t *pack)
{
    const void *text;
    switch (sqlite3_column_type (statement, column)) {
        case SQLITE_INTEGER:
            stele_pack_integer (pack, sqlite3_column_int64 (statement, column));
            break;
        case SQLITE_FLOAT:
            stele_pack_real (pack, sqlite3_column_double (statement, column));
            break;
        case SQLITE_TEXT:
            text = sqlite3_column_text (statement, column);
            stele_pack_text (pack, text? text: "", text? (size_t) sqlite3_column_bytes (statement, column): 0);
            break;
        case SQLITE_BLOB:
            text = sqlite3_column_blob (statement, column);
            stele_pack_bytes (pack, text? text: "", text? (size_t) sqlite3_column_bytes (statement, column): 0);
            break;
        default:
            stele_pack_nil (pack);
    }
}

//  Pack the row. Returns the status of the call.
static int
s_pack_row (stele_reader_t *self, sqlite3_stmt *statement, stele_pack_t *pack)
{
    int columns = sqlite3_column_count (statement);
    stele_pack_clear (pack);
    stele_pack_map (pack, (size_t) (columns - HIDDEN));
    for (int i = HIDDEN; i < columns; i++) {
        stele_pack_string (pack, sqlite3_column_name (statement, i));
        s_pack_column (statement, i, pack);
    }
    if (stele_pack_failed (pack))
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    return self->status;
}

int
stele_reader_state (stele_reader_t *self, stele_state_table_t table, int64_t after, int64_t limit,
    stele_state_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    stele_pack_t *pack = stele_pack_new ();
    if (!pack)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    sqlite3_stmt *statement = reader_with_key (self, SLOT_STATE + (int) table, s_sql [table], after);
    for (int64_t count = 0; rc == 0 && count < limit && reader_step (self, statement) == 1; count++) {
        stele_state_row_t row = {
            .key = (const char *) sqlite3_column_text (statement, 0),
            .key_size = (size_t) sqlite3_column_bytes (statement, 0),
            .number = sqlite3_column_int64 (statement, 1),
            .gone = sqlite3_column_int (statement, 2)
        };
        if (s_pack_row (self, statement, pack))
            break;
        row.packed = stele_pack_data (pack);
        row.size = stele_pack_size (pack);
        rc = fn (&row, arg);
    }
    stele_pack_destroy (&pack);
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int64_t
stele_reader_version (stele_reader_t *self)
{
    int rc = reader_enter_unbound (self);
    return rc? rc: reader_leave (self, reader_integer (self, reader_statement (self, SLOT_VERSION, "PRAGMA data_version"), 0));
}
