/*  reader_internal - state and functions shared by the files of the reader

    The reader is one class in several files: reader.c has open, close, calls and
    statements; the others build on it, each for one kind of query.

    A public call is one enter, some statements, one leave. Statements are
    prepared once and kept in slots; those that a call did not read to the end
    are reset when it leaves. The first error of a call is kept in 'status'.

    Rows are filled into one record, self->row, column by column, by a table
    next to the SQL text. So a row function must not call its reader.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_READER_INTERNAL_H_INCLUDED
#define STELE_READER_INTERNAL_H_INCLUDED

#include <sqlite3.h>
#include <sys/types.h>
#include "sqlite/compress/content.h"
#include "sqlite/sql/codes.h"
#include "sqlite/sql/event_tables.h"
#include "sqlite/sql/id_codec.h"
#include "sqlite/sql/json_fields.h"
#include "sqlite/reader/reader_bounds.h"
#include "ledger/reader.h"
#include "sqlite/reader/word_cache.h"
#include "sqlite/wal/hold.h"

//  Event tables (sql/event_tables.h)
#define READER_SOURCE(name, table, subject) SOURCE_##name,
typedef enum { STELE_EVENT_TABLES (READER_SOURCE) SOURCE_COUNT } reader_source_t;
#undef READER_SOURCE

//  Prepared statements
typedef enum {
    SLOT_BEGIN, SLOT_COMMIT, SLOT_HEAD, SLOT_COMMIT_OF, SLOT_SET_BACKS, SLOT_FOLLOWER, SLOT_WORD, SLOT_WORD_ID,
    SLOT_LOG,                                   // One per source
    SLOT_LOG_LAST = SLOT_LOG + SOURCE_COUNT - 1,
    SLOT_TOUCHED,
    SLOT_TOUCHED_LAST = SLOT_TOUCHED + SOURCE_COUNT - 1,
    SLOT_ROW,
    SLOT_ROW_LAST = SLOT_ROW + SOURCE_COUNT - 1,
    SLOT_LINK,
    SLOT_LINK_LAST = SLOT_LINK + SOURCE_COUNT - 1,
    SLOT_BETWEEN,
    SLOT_BETWEEN_LAST = SLOT_BETWEEN + SOURCE_COUNT - 1,
    SLOT_CHAIN_TASK, SLOT_CHAIN_SESSION, SLOT_ATTEMPT, SLOT_ATTEMPT_TASK,
    SLOT_ATTEMPT_SESSION,
    SLOT_CREATED, SLOT_CREATED_LINK, SLOT_CREATED_REPLACED,
    SLOT_TASK, SLOT_TASK_BY_KEY, SLOT_LIVE, SLOT_LIVE_BY_KEY, SLOT_ACTIVE, SLOT_ENDED,
    SLOT_AS_OF_KEY, SLOT_AS_OF_TASK, SLOT_AS_OF_HISTORY, SLOT_AS_OF_OUTPUT, SLOT_AS_OF_METRIC, SLOT_AS_OF_ERROR,
    SLOT_PAIRS, SLOT_SUMMARY, SLOT_TASK_BELONGS, SLOT_ZONES, SLOT_UNORDERED, SLOT_CHILDREN, SLOT_PAIR_TASKS,
    SLOT_ZONE_ROWS,                             // One per order, without its direction
    SLOT_ZONE_ROWS_LAST = SLOT_ZONE_ROWS + 3,
    SLOT_TASK_COUNT, SLOT_ANY_UNORDERED, SLOT_REPORT_ERROR, SLOT_ZONE_KEYS, SLOT_REPORT_ALL,
    SLOT_REPORT_NOW,
    SLOT_REPORT_NOW_LAST = SLOT_REPORT_NOW + 3,
    SLOT_COMMANDS, SLOT_SESSION_TIMES, SLOT_SESSION_HISTORY, SLOT_SESSION_RAN,
    SLOT_TASK_TEXT, SLOT_TEXT_CHANGES, SLOT_NEW_TASKS, SLOT_OWNER, SLOT_ZONE_CHANGED, SLOT_STATES_CHANGED,
    SLOT_SESSION, SLOT_SESSION_BY_KEY, SLOT_SESSIONS, SLOT_SESSIONS_OF_TASK, SLOT_PREFERENCES,
    SLOT_TABLE_TASKS, SLOT_TABLE_SESSIONS, SLOT_TABLE_SESSION, SLOT_TABLE_SESSION_HISTORY,
    SLOT_TABLE_SESSION_COMMAND, SLOT_TABLE_SESSION_FIRST,
    SLOT_REJECTED, SLOT_REJECTED_ONE, SLOT_AUDIT,
    SLOT_PRODUCER_NAME, SLOT_PRODUCER_ID, SLOT_HEARD,
    SLOT_STATS_STATES, SLOT_STATS_SESSIONS, SLOT_STATS_COMMITS, SLOT_STATS_REJECTED,
    SLOT_STORAGE_PAGE, SLOT_STORAGE_COUNT, SLOT_STORAGE_FREE, SLOT_STORAGE_PAGES, SLOT_STORAGE_TABLE, SLOT_STORAGE_ARCHIVES,
    SLOT_LOSSES, SLOT_LOSS_COUNT,
    SLOT_COUNTS_ROLE, SLOT_COUNTS_PROVIDER, SLOT_COUNTS_MODEL,
    SLOT_STATE,                                 // One per stele_state_table_t
    SLOT_STATE_LAST = SLOT_STATE + STELE_STATE_NOTES,
    SLOT_COMMITS, SLOT_VERSION,
    SLOT_ARCHIVES, SLOT_ARCHIVE_LIST, SLOT_STATS_ARCHIVED, SLOT_STATS_ARCHIVED_SESSIONS,
    SLOT_TASK_USER, SLOT_SESSION_USER, SLOT_USER_TASKS, SLOT_REPORT_USER,
    SLOT_ROLLUP_NOW, SLOT_ROLLUP_CHANGE, SLOT_ROLLUP_HISTORY, SLOT_ROLLUP_METRICS, SLOT_ROLLUP_REJECTED, SLOT_ROLLUP_TASK_ID,
    SLOT_TASK_ROWS, SLOT_SESSION_ROWS, SLOT_ZONES_STORED, SLOT_UNORDERED_STORED, SLOT_STRUCTURE, SLOT_SCHEMA, SLOT_TRIGGERS,
    SLOT_LINKS,                                 // One per stele_link_table_t
    SLOT_LINKS_LAST = SLOT_LINKS + 4,
    SLOT_DERIVED_COUNT,                         // One per stele_derived_count_t
    SLOT_DERIVED_COUNT_LAST = SLOT_DERIVED_COUNT + 5,
    SLOT_ERASURE, SLOT_LAST_ERASURE, SLOT_ERASED_TASKS, SLOT_ERASED_SESSIONS,
    SLOT_COUNT
} reader_slot_t;

//  A row of zones
typedef struct {
    int64_t zone;
    int64_t min_time, max_time;
    int64_t min_created, max_created;
    int64_t min_task;
} reader_zone_t;

//  The attempt of the last row that was read as a record
typedef struct {
    int64_t task, position, number;
} reader_attempt_t;

//  A growing array of keys
typedef struct {
    int64_t *keys;
    size_t count;
    size_t room;
} reader_keys_t;

//  The users whose records may be seen (scope.c). Tasks and sessions that were looked up in the current
//  call are remembered.
#define READER_SCOPE_MEMO 512
typedef struct {
    const stele_span_t *users;      // Borrowed
    size_t count;                   // 0: all records may be seen
    bool has_default;               // Rows without a user belong to one of them
    reader_keys_t words;            // Of the users, sorted
    int64_t tasks [READER_SCOPE_MEMO], sessions [READER_SCOPE_MEMO];
} reader_scope_t;

//  Cursors of a list (list/by_index.h)
#define READER_BRANCHES 256

struct stele_reader {
    sqlite3 *db;
    stele_hold_t *hold;             // While the connection has the file open; NULL if it is the writer's
    char *path;
    char *ledger_id;
    char file_id [96];
    char error [256];
    int status;                     // Of the current call: 0, or its first error
    bool busy;                      // In a call
    bool begun;                     // By stele_reader_begin
    bool borrowed;                  // The connection is the writer's
    int archives;                   // Attached ones (archives.c)
    int64_t deadline;               // Monotonic, in ms; 0: none
    stele_reader_bounds_t bounds;
    sqlite3 *search;                // The text index (ledger/text_index.h), NULL: not open
    sqlite3 *rollup;                // The counts per time (ledger/rollup.h), the same
    ino_t rollup_inode;             // Of that file
    sqlite3_stmt *slots [SLOT_COUNT];
    sqlite3_stmt *branches [2] [READER_BRANCHES];
    reader_word_t *words;
    stele_content_t *content;
    stele_record_t *row;
    stele_record_t *text;           // Of reader_text
    reader_attempt_t attempt;       // Of the current call
    reader_scope_t scope;
    int64_t looked_to;              // See stele_reader_looked_to
    reader_source_t event_source;   // Of the row that stele_reader_events passes to its function
    int64_t event_subject;          // Key of its task or session; of a preference, its user (a word)
    int64_t event_owner;            // As of reader_row_owner
    reader_zone_t *zones;           // Ascending (reader_zones)
    size_t zone_count, zone_room;
    struct { int64_t first, last, time; } commit;   // Found last: such a row never changes
    bool no_set_backs;              // The snapshot has none (commit_time.c)
    //  Tables that only grow: rows counted so far, up to this key
    int64_t sessions_counted, sessions_until;
    int64_t commits_counted, commits_until;
    stele_storage_t storage;        // As it was measured last
};

/*  -- calls -------------------------------------------------------------------- */

//  Begin a call. Returns 0 or an error: then return it at once.
int
    reader_enter (stele_reader_t *self);

//  The same for what belongs to no user: STELE_EUNAUTHORIZED for a reader that is restricted to some.
int
    reader_enter_unbound (stele_reader_t *self);

//  End the call. Returns its error, or 'result' if it had none.
int64_t
    reader_leave (stele_reader_t *self, int64_t result);

//  The commit that contains a position: 1 found, 0 not found, or an error
int
    reader_commit_of (stele_reader_t *self, int64_t position, int64_t *first, int64_t *last, int64_t *time);

//  Keep the first error of the call. Returns it.
int
    reader_fail (stele_reader_t *self, int code, const char *what);

//  The same for a code of wire/json/json or sql/json_fields: damaged JSON, or out of memory.
int
    reader_fail_json (stele_reader_t *self, int code);

//  The same with the error of the last SQLite call.
int
    reader_fail_sqlite (stele_reader_t *self);

//  True, and the call fails, if its deadline has passed. For loops of many short statements.
bool
    reader_overdue (stele_reader_t *self);

//  End a call for one row: 'found' is 1 (the row is passed to fn), 0 or an error. Returns
//  'found', or the error of fn.
int
    reader_return_row (stele_reader_t *self, int found, stele_row_fn *fn, void *arg);

//  Size of a file next to the ledger, 0: there is none; "" is the ledger.
int64_t
    reader_file_size (const stele_reader_t *self, const char *suffix);

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

//  Next row: 1, 0 no more rows (the statement is reset), or an error. For a NULL statement
//  the error of the call.
int
    reader_step (stele_reader_t *self, sqlite3_stmt *statement);

//  Finalize all of them: their tables may mean others now.
void
    reader_statements_finalize (stele_reader_t *self);

//  Attach the archives that the ledger has and the connection does not (archives.c); not in a transaction. Returns the
//  status of the call.
int
    reader_archives_attach (stele_reader_t *self);

//  Bind text that stays valid until the call ends.
void
    reader_bind_text (sqlite3_stmt *statement, int index, const char *text, size_t size);

//  The same for an id or hash, packed as its column is.
void
    reader_bind_id (sqlite3_stmt *statement, int index, const char *text, size_t size);

//  The first column of a statement's only row, 'otherwise' if there is no row or it is NULL.
//  Resets the statement.
int64_t
    reader_integer (stele_reader_t *self, sqlite3_stmt *statement, int64_t otherwise);

/*  -- columns into self->row -------------------------------------------------------- */

typedef enum {
    COLUMN_SKIP,
    COLUMN_INTEGER,
    COLUMN_BOOL,
    COLUMN_TEXT,                    // May be compressed
    COLUMN_JSON,
    COLUMN_ID,                      // Text, or packed
    COLUMN_WORD,                    // An id of the table words
    COLUMN_TASK_STATE,
    COLUMN_SESSION_STATE,
    COLUMN_OUTPUT_TYPE,
    COLUMN_NUMBER,                  // Of any kind
    COLUMN_CONTENT,                 // The column before it has the encoding
    COLUMN_EXTRA
} reader_how_t;

typedef struct {
    int8_t field;                   // stele_field_t
    uint8_t how;                    // reader_how_t
} reader_column_t;

//  Fill the row from the columns first, first + 1, ... NULL leaves a field unchanged.
//  Returns the status of the call.
int
    reader_fill (stele_reader_t *self, sqlite3_stmt *statement, int first,
        const reader_column_t *columns, int count);

#define READER_FILL(self, statement, first, columns) \
    reader_fill (self, statement, first, columns, (int) (sizeof columns / sizeof columns [0]))

//  Text of a word, valid until the call ends. NULL: the call fails.
const char *
    reader_word (stele_reader_t *self, int64_t id, size_t *size);

//  Id of a word, 0 if the ledger does not have it, or an error.
int64_t
    reader_word_id (stele_reader_t *self, const char *word, size_t size);

//  Set a text field that has no value yet.
void
    reader_default_text (stele_reader_t *self, stele_field_t field, const char *text);

/*  -- rows of the event tables (rows.c) ---------------------------------------- */

//  The statement that reads events of a source after a position, and the one that
//  reads a single row.
sqlite3_stmt *
    reader_log_statement (stele_reader_t *self, reader_source_t source, int64_t after);
sqlite3_stmt *
    reader_row_statement (stele_reader_t *self, reader_source_t source, int64_t position);

//  Subject of the events of a source.
stele_subject_t
    reader_source_subject (reader_source_t source);

//  The sources that have events of these types (bits 1 << stele_event_type_t), as a set of bits
//  1 << reader_source_t.
uint32_t
    reader_sources_of (uint32_t types);

//  Key of the task or session of the row; of a preference, its user (a word, 0: 'default').
int64_t
    reader_row_subject (reader_source_t source, sqlite3_stmt *statement);

//  Producer to whom its task belongs from this row on, 0: none, -1: to whom it did before.
int64_t
    reader_row_owner (reader_source_t source, sqlite3_stmt *statement);

//  May the row be seen?
bool
    reader_row_in_scope (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement);

//  Type of the event in the statement's current row.
int
    reader_row_type (reader_source_t source, sqlite3_stmt *statement);

//  Fill the cleared record from that row: as the event that was published, or as a record.
//  Returns the status of the call.
int
    reader_fill_event (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement);
int
    reader_fill_record (stele_reader_t *self, reader_source_t source, sqlite3_stmt *statement);

/*  -- a task as it was (task_as_of.c) ------------------------------------------------ */

//  A task.created. One that filled in a placeholder gave a value to some fields only.
typedef struct {
    int64_t task;
    int64_t position;
    stele_field_set_t filled;       // Fields that it gave a value
} reader_created_t;

//  Those fields, from a row of history. 'from' and 'replaced' are its columns state_from and replaced.
stele_field_set_t
    reader_created_fields (stele_reader_t *self, sqlite3_stmt *statement, int from, int replaced);

//  Add to the row the values that the event gave, except state, provider and model (which its own
//  row of history has), and except the fields in 'decided'. Returns the status of the call.
int
    reader_fill_created (stele_reader_t *self, const reader_created_t *created,
        stele_field_set_t decided);

//  A column of text that may be compressed. Valid until the next call or step, so reading many
//  rows takes the memory of one. NULL if the column is NULL; "" after a failure.
const char *
    reader_column_text (stele_reader_t *self, sqlite3_stmt *statement, int column, size_t *size);

//  The set of fields that a JSON object has.
stele_field_set_t
    reader_json_fields (stele_reader_t *self, const char *text, size_t size);

//  Fill the cleared row with the record of a task: 1, 0 no such task, or an error.
int
    reader_task_row (stele_reader_t *self, int64_t key, bool live);

//  The same for a task as of a position.
int
    reader_task_as_of (stele_reader_t *self, const char *task_id, size_t size, int64_t position);

//  The same for a session.
int
    reader_session_row (stele_reader_t *self, int64_t key);

//  Set the defaults of a task's record.
void
    reader_task_defaults (stele_reader_t *self);

//  Close the text index; the next search opens it again.
void
    reader_search_close (stele_reader_t *self);

//  The same for the counts per time.
void
    reader_rollup_close (stele_reader_t *self);

//  Apply the reader's deadline to another connection too.
void
    reader_watch (stele_reader_t *self, sqlite3 *db);

//  The zones of the log, ascending, valid until the call ends. Returns their number.
size_t
    reader_zones (stele_reader_t *self, const reader_zone_t **zones);

/*  -- whose records (scope.c) -------------------------------------------------------------- */

//  Look up the users of the scope, if there is one. Returns the status of the call.
int
    reader_scope_open (stele_reader_t *self);

//  May records of that user be seen? By its number in words (0: none), or by its name.
bool
    reader_scope_has_word (const stele_reader_t *self, int64_t user);
bool
    reader_scope_has_name (const stele_reader_t *self, const char *user, size_t size);

//  The record in self->row, by its user_id. For tasks and preferences only.
bool
    reader_scope_has_row (const stele_reader_t *self);

//  A task or session, by its key; false as well if there is none.
bool
    reader_scope_has_task (stele_reader_t *self, int64_t key);
bool
    reader_scope_has_session (stele_reader_t *self, int64_t key);

//  The tasks of these users (words), if there are at most bounds.set. False, with no keys: there are more, or
//  those of 'default' are wanted.
bool
    reader_keys_of_users (stele_reader_t *self, const reader_keys_t *users, bool with_default, reader_keys_t *keys);

//  To whom it belongs: a word, 0 for 'default', or below 0 if there is no such task; a name that is valid until
//  the next call of the function, NULL if there is no such session.
int64_t
    reader_task_user (stele_reader_t *self, int64_t key);
const char *
    reader_session_user (stele_reader_t *self, int64_t key, size_t *size);

//  Name of the user with that number
const char *
    reader_user_name (stele_reader_t *self, int64_t user, size_t *size);

/*  -- growing arrays of keys ------------------------------------------------------------ */

//  Tasks with an event in the zones that can have times in that range, sorted. False, with no
//  keys: these zones have more than 'events' events.
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
//  Sort ascending, remove duplicates.
void
    reader_keys_sort (reader_keys_t *self);
//  The keys must be sorted.
bool
    reader_keys_has (const reader_keys_t *self, int64_t key);

//  Fill the cleared row with a task as of a position and a time (INT64_MAX: any): 1, 0 it did not
//  exist yet, or an error (task_as_of.c).
int
    reader_row_as_of (stele_reader_t *self, int64_t key, int64_t position, int64_t time);

//  Set heard_at of a task's row: when its last event was committed (reader.c).
void
    reader_set_heard (stele_reader_t *self);

#endif
