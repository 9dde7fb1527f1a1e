/*  reader_chain - the rows of one task or session

    Rows of one task are linked, each to the one before it, from the newest,
    which the task knows. Newest first is the way of the links; oldest first
    goes along them first to find where to start, reading no more of each row
    than its link and what the filter looks at.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "ledger/ledger_internal.h"
#include "ledger/reader_internal.h"

#define LOOK_EVERY 64                   // Rows between looks at the clock

static const struct {
    reader_source_t source;
    const char *link;               // previous, what the filter looks at, whose
} s_chains [] = {
    [STELE_CHAIN_HISTORY] = { SOURCE_HISTORY,
        "SELECT previous, kind, task FROM history_plain WHERE position = ?1" },
    [STELE_CHAIN_OUTPUTS] = { SOURCE_OUTPUTS,
        "SELECT previous, output_type, task FROM outputs_plain WHERE position = ?1" },
    [STELE_CHAIN_METRICS] = { SOURCE_METRICS,
        "SELECT previous, name, task FROM metrics_plain WHERE position = ?1" },
    [STELE_CHAIN_COMMANDS] = { SOURCE_COMMANDS,
        "SELECT previous, 0, session FROM cli_session_commands WHERE position = ?1" }
};

typedef struct {
    stele_reader_t *reader;
    stele_chain_t chain;
    const stele_chain_filter_t *filter;
    reader_keys_t names;            // Words of the filter
    int64_t key;                    // Of the task or session
    int64_t head;                   // Of the chain
    reader_keys_t found;            // Positions that pass, newest first
} s_walk_t;

//  The task or session, and its newest row: 1, 0 there is no such one, or an error
static int
s_find (s_walk_t *walk, const char *id, size_t id_size)
{
    stele_reader_t *self = walk->reader;
    sqlite3_stmt *statement;
    if (walk->chain == STELE_CHAIN_COMMANDS)
        statement = reader_statement (self, SLOT_CHAIN_SESSION,
            "SELECT id, last_command FROM cli_sessions WHERE session_id = ?1");
    else
        statement = reader_statement (self, SLOT_CHAIN_TASK,
            "SELECT t.id, s.last_history, s.last_output, s.last_metric"
            " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.task_id = ?1");
    reader_bind_id (statement, 1, id, id_size);
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    static const int columns [] = { 1, 2, 3, 1 };
    walk->key = sqlite3_column_int64 (statement, 0);
    walk->head = sqlite3_column_int64 (statement, columns [walk->chain]);
    return 1;
}

//  Does a row pass, from what its link says?
static bool
s_passes (const s_walk_t *walk, int64_t value)
{
    const stele_chain_filter_t *filter = walk->filter;
    switch (walk->chain) {
        case STELE_CHAIN_HISTORY: {
            int64_t type = value == STELE_HISTORY_CREATED? STELE_TASK_CREATED:
                value == STELE_HISTORY_UPDATED? STELE_TASK_UPDATED: STELE_TASK_STATE_CHANGED;
            return !filter->event_types || (filter->event_types & (1u << type));
        }
        case STELE_CHAIN_OUTPUTS:
            return !filter->output_types || (filter->output_types & (1u << value));
        case STELE_CHAIN_METRICS:
            return filter->name_count == 0 || reader_keys_has (&walk->names, value);
        default:
            return true;
    }
}

static int
s_find_names (s_walk_t *walk)
{
    const stele_chain_filter_t *filter = walk->filter;
    if (walk->chain != STELE_CHAIN_METRICS)
        return 0;
    for (size_t i = 0; i < filter->name_count; i++) {
        int64_t id = reader_word_id (walk->reader, filter->names [i].text, filter->names [i].size);
        //  0, for a name that no metric has, is no word's number: it matches nothing
        reader_keys_add (walk->reader, &walk->names, id);
    }
    reader_keys_sort (&walk->names);
    return walk->reader->status;
}

static sqlite3_stmt *
s_link (s_walk_t *walk, int64_t position)
{
    return reader_with_key (walk->reader, SLOT_LINK + (int) walk->chain,
        s_chains [walk->chain].link, position);
}

//  Collect the rows that pass, from the newest back: those after the cursor, or, newest
//  first, those before it, and no more than one over the limit
static int
s_collect (s_walk_t *walk)
{
    stele_reader_t *self = walk->reader;
    const stele_chain_filter_t *filter = walk->filter;
    int64_t position = walk->head;
    int64_t stop = filter->newest_first? 0: filter->after;
    size_t most = filter->newest_first? (size_t) filter->limit + 1: SIZE_MAX;
    if (filter->newest_first && filter->after) {
        //  The cursor is a row of this chain: go on from there
        sqlite3_stmt *statement = s_link (walk, filter->after);
        if (reader_step (self, statement) != 1
        ||  sqlite3_column_int64 (statement, 2) != walk->key)
            return self->status;
        position = sqlite3_column_int64 (statement, 0);
    }
    for (int count = 1; position > stop && walk->found.count < most; count++) {
        sqlite3_stmt *statement = s_link (walk, position);
        if (reader_step (self, statement) != 1 || (count % LOOK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_passes (walk, sqlite3_column_int64 (statement, 1)))
            reader_keys_add (self, &walk->found, position);
        position = sqlite3_column_int64 (statement, 0);
    }
    return self->status;
}

//  Hand out the rows of a page; what fn returned
static int
s_hand_out (s_walk_t *walk, stele_row_fn *fn, void *arg, int64_t *next)
{
    stele_reader_t *self = walk->reader;
    const stele_chain_filter_t *filter = walk->filter;
    reader_source_t source = s_chains [walk->chain].source;
    size_t count = walk->found.count;
    size_t page = count < (size_t) filter->limit? count: (size_t) filter->limit;
    int64_t cursor = 0;
    for (size_t i = 0; i < page; i++) {
        cursor = walk->found.keys [filter->newest_first? i: count - 1 - i];
        sqlite3_stmt *statement = reader_row_statement (self, source, cursor);
        stele_record_clear (self->row);
        if (reader_step (self, statement) != 1
        ||  reader_fill_record (self, source, statement))
            return 0;
        int rc = fn (self->row, arg);
        if (rc)
            return rc;
    }
    *next = page < count? cursor: 0;
    return 0;
}

int
stele_reader_chain (stele_reader_t *self, stele_chain_t chain,
    const char *id, size_t id_size, const stele_chain_filter_t *filter,
    stele_row_fn *fn, void *arg, int64_t *next)
{
    assert (filter->limit > 0);
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_walk_t walk = { .reader = self, .chain = chain, .filter = filter };
    int64_t cursor = 0;
    int found = s_find (&walk, id, id_size);
    if (found == 1 && s_find_names (&walk) == 0 && s_collect (&walk) == 0)
        rc = s_hand_out (&walk, fn, arg, &cursor);
    reader_keys_free (&walk.names);
    reader_keys_free (&walk.found);
    int64_t result = reader_leave (self, rc < 0? rc: found);
    if (result >= 0)
        *next = cursor;
    return (int) result;
}
