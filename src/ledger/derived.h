/*  derived - the rows that follow from the events, as they are stored: to compare them with the events

    Functions of a reader (reader.h). Functions that are passed end the read by returning non-zero; a negative value is
    returned.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DERIVED_H_INCLUDED
#define STELE_DERIVED_H_INCLUDED

#include "ledger/reader.h"

/*  Only in the function of stele_reader_events: the key of the task or session that its row is about; 0: neither. */
int64_t
    stele_reader_event_key (const stele_reader_t *self);

/*  A row of tasks with its state. Times and positions are 0 where there is none. Texts are borrowed. */
typedef struct {
    int64_t key, created;           // Positions of its first event and of its task.created
    bool has_state;                 // Else only these two are set
    int state, flags;               // Flags: 1 created, 2 a state was given, 4 interrupted by the broker
    stele_span_t user, role, provider, model;
    int64_t created_at, updated_at, started_at, completed_at;
    int64_t error_count, interruptions, retries;
    int64_t last_error, last_history, last_output, last_metric;     // Positions
    int64_t owner;                  // Number of a producer, 0: none
    bool target_dir, full_access;   // Has a value: a record has that of task.created where there is none
} stele_task_row_t;
typedef int (stele_task_row_fn) (const stele_task_row_t *row, void *arg);

/*  All tasks, ascending by key.                                             */
int
    stele_reader_task_rows (stele_reader_t *self, stele_task_row_fn *fn, void *arg);

/*  A row of cli_sessions: what stele_reader_session_by_key does not have     */
typedef struct {
    int64_t key, started, last_history, last_command;   // Positions, 0: none
    stele_span_t user;              // .text NULL: none
} stele_session_row_t;
typedef int (stele_session_row_fn) (const stele_session_row_t *row, void *arg);
int
    stele_reader_session_rows (stele_reader_t *self, stele_session_row_fn *fn, void *arg);

/*  How the row of an event is linked with those before it                   */
typedef enum {
    STELE_LINK_HISTORY, STELE_LINK_OUTPUTS, STELE_LINK_METRICS, STELE_LINK_SESSIONS, STELE_LINK_COMMANDS
} stele_link_table_t;
typedef struct {
    int64_t position, key;          // key: of the task or session
    int64_t previous;               // Position of its row before this one in the table, 0: none
    int kind;                       // HISTORY and SESSIONS: 1 created or started, 2 updated, 3 state changed, 4 interrupted
    int state_from, state_to;       // HISTORY and SESSIONS; 0: none
    int64_t owner;                  // HISTORY: -1: as before
    bool stray;                     // HISTORY and SESSIONS: a column has a value that no event of this kind has
} stele_link_t;
typedef int (stele_link_fn) (const stele_link_t *link, void *arg);

/*  All rows of a table, ascending by position.                              */
int
    stele_reader_links (stele_reader_t *self, stele_link_table_t table, stele_link_fn *fn, void *arg);

/*  A zone of the log: bounds of what its events about tasks have            */
typedef struct {
    int64_t zone, min_time, max_time, min_created, max_created, min_task;
} stele_zone_row_t;
typedef int (stele_zone_row_fn) (const stele_zone_row_t *row, void *arg);
#define STELE_ZONE_POSITIONS 1024
int
    stele_reader_zone_rows (stele_reader_t *self, stele_zone_row_fn *fn, void *arg);

/*  Keys of the tasks whose events are not in the order of their times, ascending. */
typedef int (stele_key_fn) (int64_t key, void *arg);
int
    stele_reader_unordered (stele_reader_t *self, stele_key_fn *fn, void *arg);

/*  Numbers of rows: states without a task, sums of tasks by state, role, provider and model that differ from the
    tasks, commits that do not begin after the one before them, sessions, preferences, stubs and archives that differ from what is
    archived. Negative: an error.                                            */
typedef enum {
    STELE_DERIVED_STRAY_STATES, STELE_DERIVED_WRONG_COUNTS, STELE_DERIVED_STRAY_COMMITS, STELE_DERIVED_SESSIONS, STELE_DERIVED_PREFERENCES,
    STELE_DERIVED_WRONG_STUBS, STELE_DERIVED_ZEROS
} stele_derived_count_t;
int64_t
    stele_reader_derived_count (stele_reader_t *self, stele_derived_count_t which);

/*  Check the structure of the file, that its indexes fit its tables, and that its tables, views and triggers are those
    of this version. Calls fn per fault with a text, at most 200 times.       */
typedef int (stele_structure_fn) (const char *text, void *arg);
int
    stele_reader_structure (stele_reader_t *self, stele_structure_fn *fn, void *arg);

#endif
