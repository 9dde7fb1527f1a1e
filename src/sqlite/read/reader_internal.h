/*  reader_internal - what the files of the reader share

    A public call is one enter, some statements, one leave. Statements are
    prepared once and kept in slots; what a call leaves half read is reset when
    it leaves. The first thing that goes wrong in a call is kept in 'status'.

    Rows are filled into one record, self->row, column by column after a table
    that stands beside the SQL. So a row function must not call its reader.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_READER_INTERNAL_H_INCLUDED
#define STELE_READER_INTERNAL_H_INCLUDED

#include <sqlite3.h>
#include "sqlite/compress/content.h"
#include "sqlite/sql/codes.h"
#include "sqlite/sql/id_codec.h"
#include "sqlite/sql/json_fields.h"
#include "ledger/reader.h"
#include "sqlite/read/word_cache.h"

//  Event tables, in the order of their types of event
typedef enum {
    SOURCE_HISTORY,
    SOURCE_OUTPUTS,
    SOURCE_METRICS,
    SOURCE_SESSIONS,
    SOURCE_COMMANDS,
    SOURCE_PREFERENCES,
    SOURCE_COUNT
} reader_source_t;

//  Statements that are kept
typedef enum {
    SLOT_BEGIN, SLOT_COMMIT, SLOT_HEAD, SLOT_COMMIT_OF, SLOT_FOLLOWER, SLOT_WORD, SLOT_WORD_ID,
    SLOT_LOG,                                   // One a source
    SLOT_LOG_LAST = SLOT_LOG + SOURCE_COUNT - 1,
    SLOT_TOUCHED,
    SLOT_TOUCHED_LAST = SLOT_TOUCHED + SOURCE_COUNT - 1,
    SLOT_ROW,
    SLOT_ROW_LAST = SLOT_ROW + SOURCE_COUNT - 1,
    SLOT_LINK,
    SLOT_LINK_LAST = SLOT_LINK + SOURCE_COUNT - 1,
    SLOT_BETWEEN,
    SLOT_BETWEEN_LAST = SLOT_BETWEEN + SOURCE_COUNT - 1,
    SLOT_CHAIN_TASK, SLOT_CHAIN_SESSION,
    SLOT_CREATED, SLOT_CREATED_LINK, SLOT_CREATED_REPLACED,
    SLOT_TASK, SLOT_TASK_BY_KEY, SLOT_LIVE, SLOT_LIVE_BY_KEY, SLOT_ACTIVE,
    SLOT_AS_OF_KEY, SLOT_AS_OF_TASK, SLOT_AS_OF_HISTORY, SLOT_AS_OF_OUTPUT, SLOT_AS_OF_METRIC, SLOT_AS_OF_ERROR,
    SLOT_PAIRS, SLOT_SUMMARY, SLOT_TASK_BELONGS, SLOT_ZONES, SLOT_UNORDERED, SLOT_CHILDREN, SLOT_PAIR_TASKS,
    SLOT_ZONE_ROWS,                                  // One an order and a kind of moment
    SLOT_ZONE_ROWS_LAST = SLOT_ZONE_ROWS + 3,
    SLOT_TASK_COUNT, SLOT_ANY_UNORDERED, SLOT_REPORT_ERROR, SLOT_ZONE_KEYS, SLOT_REPORT_ALL, SLOT_TOTAL_TEXTS,
    SLOT_REPORT_NOW,
    SLOT_REPORT_NOW_LAST = SLOT_REPORT_NOW + 3,
    SLOT_COMMANDS, SLOT_SESSION_TIMES, SLOT_SESSION_HISTORY, SLOT_SESSION_RAN, SLOT_TASK_TEXT, SLOT_TEXT_CHANGES, SLOT_NEW_TASKS, SLOT_OWNER, SLOT_ZONE_CHANGED, SLOT_STATES_CHANGED,
    SLOT_SESSION, SLOT_SESSION_BY_KEY, SLOT_SESSIONS, SLOT_SESSIONS_OF_TASK, SLOT_PREFERENCES,
    SLOT_TABLE_TASKS, SLOT_TABLE_SESSIONS, SLOT_TABLE_SESSION, SLOT_TABLE_SESSION_HISTORY,
    SLOT_TABLE_SESSION_COMMAND, SLOT_TABLE_SESSION_FIRST,
    SLOT_REJECTED, SLOT_REJECTED_ONE,
    SLOT_STATS_STATES, SLOT_STATS_SESSIONS, SLOT_STATS_COMMITS, SLOT_STATS_REJECTED,
    SLOT_LOSSES, SLOT_LOSS_COUNT,
    SLOT_COUNTS_ROLE, SLOT_COUNTS_PROVIDER, SLOT_COUNTS_MODEL,
    SLOT_COUNT
} reader_slot_t;

//  A row of zones
typedef struct {
    int64_t zone;
    int64_t min_time, max_time;
    int64_t min_created, max_created;
    int64_t min_task;
} reader_zone_t;

//  Cursors of the list, see list.c
#define READER_BRANCHES 256

struct stele_reader {
    sqlite3 *db;
    char *path;
    char *ledger_id;
    char error [256];
    int status;                     // Of the call under way: 0, or its first error
    bool busy;                      // A call is under way
    bool begun;                     // By stele_reader_begin
    bool borrowed;                  // The connection is the writer's
    int64_t deadline;               // Monotonic milliseconds, 0 is none
    stele_reader_bounds_t bounds;
    sqlite3 *search;                // The index of texts (text_index.h), NULL: not opened
    sqlite3_stmt *slots [SLOT_COUNT];
    sqlite3_stmt *branches [2] [READER_BRANCHES];
    reader_word_t *words;
    stele_content_t *content;
    stele_record_t *row;
    stele_record_t *text;           // Of reader_text
    reader_zone_t *zones;           // In their order (reader_zones)
    size_t zone_count, zone_room;
    //  Tables that only grow are counted once, and then what was added
    int64_t sessions_counted, sessions_until;
    int64_t commits_counted, commits_until;
};

/*  -- calls -------------------------------------------------------------------- */

//  Begin a call; 0, or an error: then return it at once.
int
    reader_enter (stele_reader_t *self);

//  End it. Returns its error if it had one, else 'result'.
int64_t
    reader_leave (stele_reader_t *self, int64_t result);

//  Keep the first error of the call. Returns it.
int
    reader_fail (stele_reader_t *self, int code, const char *what);

//  The same where fields in a row are not JSON, or memory runs out.
int
    reader_fail_json (stele_reader_t *self, int code);

//  The same with what SQLite says.
int
    reader_fail_sqlite (stele_reader_t *self);

//  Is the time over? Then the call fails. For loops of many short statements.
bool
    reader_overdue (stele_reader_t *self);

//  End a call for one row: 'found' is 1 (the row is handed to fn), 0 or an error, and
//  what the call returns where fn does not.
int
    reader_return_row (stele_reader_t *self, int found, stele_row_fn *fn, void *arg);

//  Position of the last event, inside a call.
int64_t
    reader_head (stele_reader_t *self);

/*  -- statements ------------------------------------------------------------------ */

//  The statement of a slot, prepared from 'sql' the first time. NULL: the call fails.
sqlite3_stmt *
    reader_statement (stele_reader_t *self, int slot, const char *sql);

//  The same, with an integer bound as ?1.
sqlite3_stmt *
    reader_with_key (stele_reader_t *self, int slot, const char *sql, int64_t key);

//  Next row: 1, 0 there is none (the statement is reset), or an error. A NULL
//  statement gives the error of the call.
int
    reader_step (stele_reader_t *self, sqlite3_stmt *statement);

//  Bind text that stays where it is until the call ends.
void
    reader_bind_text (sqlite3_stmt *statement, int index, const char *text, size_t size);

//  The same for an id or hash, as its column has it.
void
    reader_bind_id (sqlite3_stmt *statement, int index, const char *text, size_t size);

//  The first integer of a statement's only row, 'otherwise' where it has none or NULL;
//  resets it.
int64_t
    reader_integer (stele_reader_t *self, sqlite3_stmt *statement, int64_t otherwise);

/*  -- columns into self->row -------------------------------------------------------- */

typedef enum {
    COLUMN_SKIP,
    COLUMN_INTEGER,
    COLUMN_BOOL,
    COLUMN_TEXT,                    // Or a frame of it
    COLUMN_JSON,
    COLUMN_ID,                      // Text, or its bytes
    COLUMN_WORD,                    // Id of the table words
    COLUMN_TASK_STATE,
    COLUMN_SESSION_STATE,
    COLUMN_OUTPUT_TYPE,
    COLUMN_NUMBER,                  // Of any kind
    COLUMN_CONTENT,                 // After a column with its encoding
    COLUMN_EXTRA
} reader_how_t;

typedef struct {
    int8_t field;                   // stele_field_t
    uint8_t how;                    // reader_how_t
} reader_column_t;

//  Fill the row from the columns first, first + 1, ... NULL leaves a field as it is.
//  Returns the status of the call.
int
    reader_fill (stele_reader_t *self, sqlite3_stmt *statement, int first,
        const reader_column_t *columns, int count);

#define READER_FILL(self, statement, first, columns) \
    reader_fill (self, statement, first, columns, (int) (sizeof columns / sizeof columns [0]))

//  Text of a word, valid until the call ends. NULL: the call fails.
const char *
    reader_word (stele_reader_t *self, int64_t id, size_t *size);

//  Id of a word, 0 where the ledger does not have it, or an error.
int64_t
    reader_word_id (stele_reader_t *self, const char *word, size_t size);

//  A text field's default.
void
    reader_default_text (stele_reader_t *self, stele_field_t field, const char *text);

/*  -- rows of the event tables (rows.c) ---------------------------------------- */

//  The statement that reads events of a source after a position, and the one that
//  reads a single row.
sqlite3_stmt *
    reader_log_statement (stele_reader_t *self, reader_source_t source, int64_t after);
sqlite3_stmt *
    reader_row_statement (stele_reader_t *self, reader_source_t source, int64_t position);

//  Type of the event that the statement is at.
int
    reader_row_type (reader_source_t source, sqlite3_stmt *statement);

//  Fill the cleared row with it: as the event that it was, or as a record. Returns
//  the status of the call.
int
    reader_fill_event (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement);
int
    reader_fill_record (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement);

/*  -- the past of a task (task_as_of.c) ----------------------------------------------- */

//  The row of a task.created. One that filled in a placeholder gave a value to some fields alone.
typedef struct {
    int64_t task;
    int64_t position;
    stele_field_set_t filled;       // Fields that it gave a value
} reader_created_t;

//  Those fields, of a row of history whose columns state_from and replaced are these.
stele_field_set_t
    reader_created_fields (stele_reader_t *self, sqlite3_stmt *statement, int from, int replaced);

//  Add to the row what the event gave a value, but state, provider and model (which are in
//  its own row of history), and but the fields in 'decided'. Returns the status of the call.
int
    reader_fill_created (stele_reader_t *self, const reader_created_t *created,
        stele_field_set_t decided);

//  A column of text that may be compressed, to be looked at: it is valid until the next one, or until
//  the statement moves on. So a walk along many rows takes the memory of one. NULL where the
//  column is; "" after a failure.
const char *
    reader_column_text (stele_reader_t *self, sqlite3_stmt *statement, int column, size_t *size);

//  Which fields a JSON object has, as a set.
stele_field_set_t
    reader_json_fields (stele_reader_t *self, const char *text, size_t size);

//  The record of the task with that key into the cleared row: 1, 0 there is none, or an error.
int
    reader_task_row (stele_reader_t *self, int64_t key, bool live);

//  The record of a task as it was at a position: the same.
int
    reader_task_as_of (stele_reader_t *self, const char *task_id, size_t size, int64_t position);

//  The record of a session: the same.
int
    reader_session_row (stele_reader_t *self, int64_t key);

//  Defaults of a task's record.
void
    reader_task_defaults (stele_reader_t *self);

//  Let go of the index of texts: it is opened again when it is needed.
void
    reader_search_close (stele_reader_t *self);

//  Let another connection of the reader end with its deadline too.
void
    reader_set_watch (stele_reader_t *self, sqlite3 *db);

//  The zones of the log, ascending, valid until the call ends. Returns their number.
size_t
    reader_zones (stele_reader_t *self, const reader_zone_t **zones);

/*  -- growing arrays of keys ------------------------------------------------------------ */

typedef struct {
    int64_t *keys;
    size_t count;
    size_t room;
} reader_keys_t;

//  Tasks that have an event in the zones that can have times in that range, sorted. False, and
//  nothing done: these zones have more than so many events.
bool
    reader_zone_keys (stele_reader_t *self, int64_t from, int64_t to, int64_t events,
        reader_keys_t *keys);

//  Out of memory the call fails. Returns the status of the call.
int
    reader_keys_add (stele_reader_t *reader, reader_keys_t *self, int64_t key);

//  Add the first column of all rows of a statement. The same.
int
    reader_keys_collect (stele_reader_t *reader, sqlite3_stmt *statement, reader_keys_t *self);
void
    reader_keys_free (reader_keys_t *self);
//  Ascending, each once.
void
    reader_keys_sort (reader_keys_t *self);
//  Of sorted ones.
bool
    reader_keys_has (const reader_keys_t *self, int64_t key);

//  The record of the task as it was then, into the cleared row: 1, 0, or an error (task_as_of.c).
int
    reader_row_as_of (stele_reader_t *self, int64_t key, int64_t position, int64_t time);

#endif
