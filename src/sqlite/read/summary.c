/*  summary - the narrow row of a task (table task_states)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/read/summary.h"

void
reader_summary_fill (reader_summary_t *summary, sqlite3_stmt *statement, int first)
{
    *summary = (reader_summary_t) {
        .key = sqlite3_column_int64 (statement, first),
        .state = sqlite3_column_int (statement, first + 1),
        .role = sqlite3_column_int64 (statement, first + 2),
        .provider = sqlite3_column_int64 (statement, first + 3),
        .model = sqlite3_column_int64 (statement, first + 4),
        .flags = sqlite3_column_int (statement, first + 5),
        .created_at = sqlite3_column_int64 (statement, first + 6),
        .updated_at = sqlite3_column_int64 (statement, first + 7),
        .started_at = sqlite3_column_int64 (statement, first + 8),
        .completed_at = sqlite3_column_int64 (statement, first + 9),
        .error_count = sqlite3_column_int64 (statement, first + 10),
        .position = sqlite3_column_int64 (statement, first + 11),
        .last_error_at = sqlite3_column_int64 (statement, first + 12),
        .owner = sqlite3_column_int64 (statement, first + 13)
    };
}

int
reader_summary (stele_reader_t *self, int64_t key, reader_summary_t *summary)
{
    sqlite3_stmt *statement = reader_with_key (self, SLOT_SUMMARY,
        "SELECT " READER_SUMMARY_COLUMNS " FROM states_plain s WHERE s.task = ?1", key);
    int rc = reader_step (self, statement);
    if (rc == 1) {
        reader_summary_fill (summary, statement, 0);
        sqlite3_reset (statement);
    }
    return rc;
}

int64_t
reader_summary_time (const reader_summary_t *summary, stele_order_t order)
{
    switch (order) {
        case STELE_ORDER_CREATED_DESC:
        case STELE_ORDER_CREATED_ASC:
            return summary->created_at;
        case STELE_ORDER_UPDATED_DESC:
        case STELE_ORDER_UPDATED_ASC:
            return summary->updated_at;
        case STELE_ORDER_HEARD_DESC:
        case STELE_ORDER_HEARD_ASC:
            return summary->position;
        default:
            return summary->completed_at;
    }
}
