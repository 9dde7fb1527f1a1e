/*  audit - audit events, newest first

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

//  Number of a word, 0: the filter does not name one. False: the ledger has no such word.
static bool
s_word (stele_reader_t *self, stele_span_t word, int64_t *id)
{
    *id = word.text? reader_word_id (self, word.text, word.size): 0;
    return !word.text || *id > 0;
}

static void
s_rows (stele_reader_t *self, sqlite3_stmt *statement, const stele_audit_filter_t *filter,
    stele_row_fn *fn, void *arg, int *rc, int64_t *next)
{
    int64_t last = 0;
    for (int64_t count = 0; *rc == 0 && reader_step (self, statement) == 1; count++) {
        if (count == filter->limit) {
            *next = last;
            return;
        }
        last = sqlite3_column_int64 (statement, 0);
        sqlite3_stmt *row = reader_row_statement (self, SOURCE_AUDIT, last);
        stele_record_clear (self->row);
        if (reader_step (self, row) != 1 || reader_fill_record (self, SOURCE_AUDIT, row))
            return;
        *rc = fn (self->row, arg);
    }
}

int
stele_reader_audit (stele_reader_t *self, const stele_audit_filter_t *filter,
    stele_row_fn *fn, void *arg, int64_t *next)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    int64_t cursor = 0, who, operation, outcome;
    bool known = s_word (self, filter->who, &who);
    known = s_word (self, filter->operation, &operation) && known;
    known = s_word (self, filter->outcome, &outcome) && known;
    sqlite3_stmt *statement = known? reader_with_key (self, SLOT_AUDIT,
        "SELECT position FROM audit_events WHERE position < ?1 AND (?2 = 0 OR who = ?2)"
        " AND (?3 = 0 OR operation = ?3) AND (?4 = 0 OR outcome = ?4)"
        " AND (?5 = 0 OR time >= ?5) AND (?6 = 0 OR time <= ?6) ORDER BY position DESC",
        filter->before? filter->before: INT64_MAX): NULL;
    if (statement) {
        sqlite3_bind_int64 (statement, 2, who);
        sqlite3_bind_int64 (statement, 3, operation);
        sqlite3_bind_int64 (statement, 4, outcome);
        sqlite3_bind_int64 (statement, 5, filter->from_us);
        sqlite3_bind_int64 (statement, 6, filter->to_us);
        s_rows (self, statement, filter, fn, arg, &rc, &cursor);
    }
    int64_t result = reader_leave (self, rc < 0? rc: 0);
    if (result == 0)
        *next = cursor;
    return (int) result;
}
