/*  chain - the rows of one task or session

    Rows of one task are linked, each to the one before it, from the newest,
    which the task knows. Newest first is the way of the links. Oldest first
    comes from both ends by turns, each with twice what it had before: along the
    links, which ends soon where the task has few rows, and through the table
    from where the page begins, which ends soon where many of its rows are the
    task's. Neither reads more of a row than its link, whose it is, and what the
    filter looks at.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/read/reader_internal.h"

#define LOOK_EVERY 64                   // Rows between looks at the clock
#define LINKS_FIRST 256                 // Of the first turn
#define ROWS_A_LINK 8                   // A row met in passing costs an eighth of one looked up
#define ROWS_MOST 65536                 // In one look

static const struct {
    reader_source_t source;
    const char *link;               // previous, what the filter looks at, whose
    const char *between;            // position, what the filter looks at
} s_chains [] = {
    [STELE_CHAIN_HISTORY] = { SOURCE_HISTORY,
        "SELECT previous, kind, task FROM history_plain WHERE position = ?1",
        "SELECT position, kind FROM task_history WHERE position > ?1 AND position <= ?2 AND task_back = position - ?3" },
    [STELE_CHAIN_OUTPUTS] = { SOURCE_OUTPUTS,
        "SELECT previous, output_type, task FROM outputs_plain WHERE position = ?1",
        "SELECT position, output_type FROM task_outputs WHERE position > ?1 AND position <= ?2 AND task_back = position - ?3" },
    [STELE_CHAIN_METRICS] = { SOURCE_METRICS,
        "SELECT previous, name, task FROM metrics_plain WHERE position = ?1",
        "SELECT position, name FROM task_metrics WHERE position > ?1 AND position <= ?2 AND task_back = position - ?3" },
    [STELE_CHAIN_COMMANDS] = { SOURCE_COMMANDS,
        "SELECT previous, 0, session FROM cli_session_commands WHERE position = ?1",
        "SELECT position, 0 FROM cli_session_commands WHERE position > ?1 AND position <= ?2 AND session = ?3" }
};

typedef struct {
    stele_reader_t *reader;
    stele_chain_t chain;
    const stele_chain_filter_t *filter;
    reader_keys_t names;            // Words of the filter
    int64_t key;                    // Of the task or session
    int64_t next;                   // Of the chain, not looked at yet: from the newest back
    int64_t scanned;                // Oldest first: known up to there
    reader_keys_t found;            // Positions that pass, in the order of the page
    reader_keys_t last;             // Oldest first: those met from the newest back
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
    walk->next = sqlite3_column_int64 (statement, columns [walk->chain]);
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

//  Along the links, over so many of them, until 'stop', or until 'most' have been found
static int
s_walk_back (s_walk_t *walk, int64_t stop, int64_t links, reader_keys_t *found, size_t most)
{
    stele_reader_t *self = walk->reader;
    for (int64_t count = 1; walk->next > stop && count <= links && found->count < most; count++) {
        sqlite3_stmt *statement = s_link (walk, walk->next);
        if (reader_step (self, statement) != 1 || (count % LOOK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_passes (walk, sqlite3_column_int64 (statement, 1)))
            reader_keys_add (self, found, walk->next);
        walk->next = sqlite3_column_int64 (statement, 0);
    }
    return self->status;
}

static int
s_collect_newest (s_walk_t *walk, size_t most)
{
    stele_reader_t *self = walk->reader;
    int64_t cursor = walk->filter->after;
    if (cursor) {
        //  The cursor is a row of this chain: go on from there
        sqlite3_stmt *statement = s_link (walk, cursor);
        if (reader_step (self, statement) != 1
        ||  sqlite3_column_int64 (statement, 2) != walk->key)
            return self->status;
        walk->next = sqlite3_column_int64 (statement, 0);
    }
    return s_walk_back (walk, 0, INT64_MAX, &walk->found, most);
}

//  Through so many positions of the log, until the row that the links have come to, or until
//  'most' have been found
static int
s_scan (s_walk_t *walk, int64_t positions, size_t most)
{
    stele_reader_t *self = walk->reader;
    while (positions > 0 && walk->scanned < walk->next && walk->found.count < most) {
        int64_t until = walk->scanned + (positions < ROWS_MOST? positions: ROWS_MOST);
        until = until < walk->next? until: walk->next;
        sqlite3_stmt *statement = reader_with_key (self, SLOT_BETWEEN + (int) walk->chain,
            s_chains [walk->chain].between, walk->scanned);
        if (statement) {
            sqlite3_bind_int64 (statement, 2, until);
            sqlite3_bind_int64 (statement, 3, walk->key);
        }
        while (walk->found.count < most && reader_step (self, statement) == 1)
            if (s_passes (walk, sqlite3_column_int64 (statement, 1)))
                reader_keys_add (self, &walk->found, sqlite3_column_int64 (statement, 0));
        if (self->status || reader_overdue (self))
            break;
        positions -= until - walk->scanned;
        walk->scanned = until;
    }
    return self->status;
}

static int
s_collect_oldest (s_walk_t *walk, size_t most)
{
    stele_reader_t *self = walk->reader;
    //  Its first event is what a task or session is called by
    walk->scanned = walk->filter->after < walk->key? walk->key - 1: walk->filter->after;
    for (int64_t links = LINKS_FIRST; walk->next > walk->scanned && walk->found.count < most; links *= 2)
        if (s_walk_back (walk, walk->scanned, links, &walk->last, SIZE_MAX)
        ||  s_scan (walk, links * ROWS_A_LINK, most))
            return self->status;
    for (size_t i = walk->last.count; i > 0 && walk->found.count < most; i--)
        reader_keys_add (self, &walk->found, walk->last.keys [i - 1]);
    return self->status;
}

//  Hand out the rows of a page; what fn returned
static int
s_emit (s_walk_t *walk, stele_row_fn *fn, void *arg, int64_t *next)
{
    stele_reader_t *self = walk->reader;
    const stele_chain_filter_t *filter = walk->filter;
    reader_source_t source = s_chains [walk->chain].source;
    size_t count = walk->found.count;
    size_t page = count < (size_t) filter->limit? count: (size_t) filter->limit;
    int64_t cursor = 0;
    for (size_t i = 0; i < page; i++) {
        cursor = walk->found.keys [i];
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
    //  One more than the page: whether there is another
    size_t most = (size_t) filter->limit + 1;
    if (found == 1 && s_find_names (&walk) == 0
    && (filter->newest_first? s_collect_newest (&walk, most): s_collect_oldest (&walk, most)) == 0)
        rc = s_emit (&walk, fn, arg, &cursor);
    reader_keys_free (&walk.names);
    reader_keys_free (&walk.found);
    reader_keys_free (&walk.last);
    int64_t result = reader_leave (self, rc < 0? rc: found);
    if (result >= 0)
        *next = cursor;
    return (int) result;
}
