/*  chain - the rows of one task or session

    The rows of a task are linked, each to the one before it; the task has the
    position of the newest. Newest first, a page follows the links. Oldest first, it
    works from both ends in turn, each time for twice as long: along the links,
    which ends soon if the task has few rows; and through the table from where the
    page starts, which ends soon if many of the rows there are the task's. Of a row
    only its link, its task and what the filter needs are read.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/reader/reader_internal.h"

#define CHECK_EVERY 64                   // Rows between checks of the deadline
#define LINKS_FIRST 256                 // Links followed in the first turn
#define ROWS_PER_LINK 8                   // Scanning a row costs an eighth of a lookup
#define ROWS_MAX 65536                 // Positions scanned by one statement

#define BETWEEN " WHERE position > ?1 AND position <= ?2 AND "

static const struct {
    reader_source_t source;
    const char *link;               // previous, the value that the filter tests, the task or session
    const char *between;            // position, the value that the filter tests
} s_chains [] = {
    [STELE_CHAIN_HISTORY] = { SOURCE_HISTORY,
        "SELECT previous, kind, task FROM history_plain WHERE position = ?1",
        "SELECT position, kind FROM task_history" BETWEEN "task_back = position - ?3" },
    [STELE_CHAIN_OUTPUTS] = { SOURCE_OUTPUTS,
        "SELECT previous, output_type, task FROM outputs_plain WHERE position = ?1",
        "SELECT position, output_type FROM task_outputs" BETWEEN "task_back = position - ?3" },
    [STELE_CHAIN_METRICS] = { SOURCE_METRICS,
        "SELECT previous, name, task FROM metrics_plain WHERE position = ?1",
        "SELECT position, name FROM task_metrics" BETWEEN "task_back = position - ?3" },
    [STELE_CHAIN_COMMANDS] = { SOURCE_COMMANDS,
        "SELECT previous, 0, session FROM cli_session_commands WHERE position = ?1",
        "SELECT position, 0 FROM cli_session_commands" BETWEEN "session = ?3" }
};

typedef struct {
    stele_reader_t *reader;
    stele_chain_t kind;
    const stele_chain_filter_t *filter;
    reader_keys_t names;            // Words of the filter
    int64_t key;                    // Of the task or session
    int64_t next;                   // The next link to follow: from the newest back
    int64_t scanned;                // Oldest first: the table is scanned up to there
    reader_keys_t found;            // Positions that pass, in the order of the page
    reader_keys_t last;             // Oldest first: found along the links, newest first
} s_chain_t;

//  Find the task or session and its newest row: 1, 0 not found, or an error
static int
s_find (s_chain_t *chain, const char *id, size_t id_size)
{
    stele_reader_t *self = chain->reader;
    sqlite3_stmt *statement;
    if (chain->kind == STELE_CHAIN_COMMANDS)
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
    chain->key = sqlite3_column_int64 (statement, 0);
    chain->next = sqlite3_column_int64 (statement, columns [chain->kind]);
    return chain->kind == STELE_CHAIN_COMMANDS? reader_scope_has_session (self, chain->key):
        reader_scope_has_task (self, chain->key);
}

//  True if a row with that value passes the filter
static bool
s_passes (const s_chain_t *chain, int64_t value)
{
    const stele_chain_filter_t *filter = chain->filter;
    switch (chain->kind) {
        case STELE_CHAIN_HISTORY: {
            int64_t type = value == STELE_HISTORY_CREATED? STELE_TASK_CREATED:
                value == STELE_HISTORY_UPDATED? STELE_TASK_UPDATED: STELE_TASK_STATE_CHANGED;
            return !filter->event_types || (filter->event_types & (1u << type));
        }
        case STELE_CHAIN_OUTPUTS:
            return !filter->output_types || (filter->output_types & (1u << value));
        case STELE_CHAIN_METRICS:
            return filter->name_count == 0 || reader_keys_has (&chain->names, value);
        default:
            return true;
    }
}

static int
s_find_names (s_chain_t *chain)
{
    const stele_chain_filter_t *filter = chain->filter;
    if (chain->kind != STELE_CHAIN_METRICS)
        return 0;
    for (size_t i = 0; i < filter->name_count; i++) {
        int64_t id = reader_word_id (chain->reader, filter->names [i].text, filter->names [i].size);
        //  0, for a name that no metric has, is not the id of a word: it matches nothing
        reader_keys_add (chain->reader, &chain->names, id);
    }
    reader_keys_sort (&chain->names);
    return chain->reader->status;
}

static sqlite3_stmt *
s_link (s_chain_t *chain, int64_t position)
{
    return reader_with_key (chain->reader, SLOT_LINK + (int) chain->kind,
        s_chains [chain->kind].link, position);
}

//  Follow at most 'links' links, back to 'stop', or until 'max' rows are found
static int
s_follow_links (s_chain_t *chain, int64_t stop, int64_t links, reader_keys_t *found, size_t max)
{
    stele_reader_t *self = chain->reader;
    for (int64_t count = 1; chain->next > stop && count <= links && found->count < max; count++) {
        sqlite3_stmt *statement = s_link (chain, chain->next);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_passes (chain, sqlite3_column_int64 (statement, 1)))
            reader_keys_add (self, found, chain->next);
        chain->next = sqlite3_column_int64 (statement, 0);
    }
    return self->status;
}

static int
s_collect_newest (s_chain_t *chain, size_t max)
{
    stele_reader_t *self = chain->reader;
    int64_t cursor = chain->filter->after;
    if (cursor) {
        //  The cursor is a row of this chain: continue from there
        sqlite3_stmt *statement = s_link (chain, cursor);
        if (reader_step (self, statement) != 1
        ||  sqlite3_column_int64 (statement, 2) != chain->key)
            return self->status;
        chain->next = sqlite3_column_int64 (statement, 0);
    }
    return s_follow_links (chain, 0, INT64_MAX, &chain->found, max);
}

//  Scan that many positions of the table, up to the row that the links have reached, or until 'max'
//  rows are found
static int
s_scan (s_chain_t *chain, int64_t positions, size_t max)
{
    stele_reader_t *self = chain->reader;
    while (positions > 0 && chain->scanned < chain->next && chain->found.count < max) {
        int64_t until = chain->scanned + (positions < ROWS_MAX? positions: ROWS_MAX);
        until = until < chain->next? until: chain->next;
        sqlite3_stmt *statement = reader_with_key (self, SLOT_BETWEEN + (int) chain->kind,
            s_chains [chain->kind].between, chain->scanned);
        if (statement) {
            sqlite3_bind_int64 (statement, 2, until);
            sqlite3_bind_int64 (statement, 3, chain->key);
        }
        while (chain->found.count < max && reader_step (self, statement) == 1)
            if (s_passes (chain, sqlite3_column_int64 (statement, 1)))
                reader_keys_add (self, &chain->found, sqlite3_column_int64 (statement, 0));
        if (self->status || reader_overdue (self))
            break;
        positions -= until - chain->scanned;
        chain->scanned = until;
    }
    return self->status;
}

static int
s_collect_oldest (s_chain_t *chain, size_t max)
{
    stele_reader_t *self = chain->reader;
    //  The key of a task or session is the position of its first event
    chain->scanned = chain->filter->after < chain->key? chain->key - 1: chain->filter->after;
    for (int64_t links = LINKS_FIRST; chain->next > chain->scanned && chain->found.count < max; links *= 2)
        if (s_follow_links (chain, chain->scanned, links, &chain->last, SIZE_MAX)
        ||  s_scan (chain, links * ROWS_PER_LINK, max))
            return self->status;
    for (size_t i = chain->last.count; i > 0 && chain->found.count < max; i--)
        reader_keys_add (self, &chain->found, chain->last.keys [i - 1]);
    return self->status;
}

//  Pass the rows of the page to fn. Returns what fn returned
static int
s_emit (s_chain_t *chain, stele_row_fn *fn, void *arg, int64_t *next)
{
    stele_reader_t *self = chain->reader;
    const stele_chain_filter_t *filter = chain->filter;
    reader_source_t source = s_chains [chain->kind].source;
    size_t count = chain->found.count;
    size_t page = count < (size_t) filter->limit? count: (size_t) filter->limit;
    int64_t cursor = 0;
    for (size_t i = 0; i < page; i++) {
        cursor = chain->found.keys [i];
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
stele_reader_chain (stele_reader_t *self, stele_chain_t kind,
    const char *id, size_t id_size, const stele_chain_filter_t *filter,
    stele_row_fn *fn, void *arg, int64_t *next)
{
    assert (filter->limit > 0);
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_chain_t chain = { .reader = self, .kind = kind, .filter = filter };
    int64_t cursor = 0;
    int found = s_find (&chain, id, id_size);
    //  One more than the page, to detect that there is another page
    size_t max = (size_t) filter->limit + 1;
    if (found == 1 && s_find_names (&chain) == 0
    && (filter->newest_first? s_collect_newest (&chain, max): s_collect_oldest (&chain, max)) == 0)
        rc = s_emit (&chain, fn, arg, &cursor);
    reader_keys_free (&chain.names);
    reader_keys_free (&chain.found);
    reader_keys_free (&chain.last);
    int64_t result = reader_leave (self, rc < 0? rc: found);
    if (result >= 0)
        *next = cursor;
    return (int) result;
}
