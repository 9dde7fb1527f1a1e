/*  pairs - pairs of a state and a role that a list selects

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/list/pairs.h"

int
reader_pairs_find (reader_page_t *page, reader_pair_t *pairs, int64_t *tasks)
{
    stele_reader_t *self = page->reader;
    bool ended = page->query->order == STELE_ORDER_COMPLETED_DESC
        || page->query->order == STELE_ORDER_COMPLETED_ASC;
    int count = 0;
    *tasks = 0;
    sqlite3_stmt *statement = reader_statement (self, SLOT_PAIRS,
        "SELECT state, role, provider, model, count FROM task_counts WHERE count > 0"
        " ORDER BY state, role");
    while (reader_step (self, statement) == 1) {
        reader_pair_t pair = { sqlite3_column_int (statement, 0), sqlite3_column_int64 (statement, 1) };
        if (!reader_filter_codes_pass (&page->filter, pair.state, pair.role,
                sqlite3_column_int64 (statement, 2), sqlite3_column_int64 (statement, 3))
        || (ended && !stele_lifecycle_terminal ((stele_task_state_t) pair.state)))
            continue;
        *tasks += sqlite3_column_int64 (statement, 4);
        //  Rows come in order of their key: a repeated pair is the last one
        if (count > 0 && count <= READER_BRANCHES && pairs [count - 1].state == pair.state
        &&  pairs [count - 1].role == pair.role)
            continue;
        if (count < READER_BRANCHES)
            pairs [count] = pair;
        if (count <= READER_BRANCHES)
            count++;
    }
    return count;
}

void
reader_pair_bind (sqlite3_stmt *statement, const reader_pair_t *pair)
{
    if (!statement)
        return;
    sqlite3_bind_int (statement, 1, pair->state);
    if (pair->role)
        sqlite3_bind_int64 (statement, 2, pair->role);
    else
        sqlite3_bind_null (statement, 2);
}
