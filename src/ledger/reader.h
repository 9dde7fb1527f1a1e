/*  reader - a read-only view of a ledger

    Each thread that reads has its own. A reader blocks neither the writer nor
    other readers. A call sees one state of the ledger and releases it before it
    returns; stele_reader_begin keeps one state for several calls. A state that is
    kept for long costs disk space: keep it short.

    Rows are passed to a function; the values that a record borrows are valid during that
    call only (stele_record_own copies them). A function that returns non-zero
    ends the read; that value is then returned if it is negative, else 0. It
    must not call its reader, except for stele_reader_event_user; the function of
    stele_reader_touched may.

    Fields of a record, by its kind (model/field.h; a field without a value is absent):
      task     task_id title description role state provider model branch worktree_path
               base_branch commit_hash target_dir full_access provider_override
               repository_url acceptance_criteria metadata parent_id user_id created_at
               updated_at started_at completed_at attempt error_count last_error
               interruptions (only above 0) interrupted (only when true) position.
               Defaults are applied: user_id "default", target_dir ".", full_access false.
      history  id task_id state_from state_to timestamp provider model error_message
               details user_id attempt interrupted (only when true) changes extra; and 'type',
               the event's
      output   id task_id output_type content timestamp file_path file_size mime_type
               commit_hash branch user_id attempt extra
      metric   id task_id name value unit timestamp user_id attempt extra
      session  session_id state cli_tool mode current_directory pid authentication_required
               auth_prompt task_id user_id created_at updated_at completed_at command_count position
      command  id session_id command output execution_time_ms exit_code timestamp user_id extra
               attempt (if its session had a task by then)
      audit    id timestamp who operation target peer outcome request_id count imported (only when
               true) details user_id extra
      preferences user_id preferred_provider preferred_model full_access_preferred
               role_preferences created_at updated_at position
      rejected id producer sequence code field message time event (PACKED; BYTES where it is
               not well-formed msgpack) retried_at position (when retried)
      event    the event as it came: type, position, time, its fields and extra;
               'interrupted' true on the broker's own

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_READER_H_INCLUDED
#define STELE_READER_H_INCLUDED

#include "model/lifecycle.h"
#include "model/record.h"
#include "model/refusal.h"

typedef struct stele_reader stele_reader_t;

typedef struct { const char *text; size_t size; } stele_span_t;

typedef int (stele_row_fn) (const stele_record_t *row, void *arg);

/*  Open the ledger at 'path' for reading; it must exist, in the format of this
    version. Caller owns return value. NULL: the reason is in the refusal.   */
stele_reader_t *
    stele_reader_open (const char *path, stele_refusal_t *refusal);

void
    stele_reader_close (stele_reader_t **self_p);

/*  Text of the last error. Owned by the reader.                             */
const char *
    stele_reader_error (const stele_reader_t *self);

/*  Set a deadline 'time_ms' from now for all following calls: after it they end with
    STELE_ETIMEOUT until it is set again. 0: no deadline (the default).      */
void
    stele_reader_set_deadline (stele_reader_t *self, int64_t time_ms);

/*  From now on only what belongs to these users: all functions for clients then behave as if there were
    nothing else, and those that cannot (rejected events, statistics) return STELE_EUNAUTHORIZED. The functions for
    followers (_touched, _by_key, _active, _ended) are not restricted. count 0: all users. The array is borrowed
    until the next call of this function.                                    */
void
    stele_reader_set_users (stele_reader_t *self, const stele_span_t *users, size_t count);

/*  Keep one state of the ledger for several calls: begin, calls, end.       */
int
    stele_reader_begin (stele_reader_t *self);
void
    stele_reader_end (stele_reader_t *self);

/*  Id of the ledger. Owned by the reader.                                   */
const char *
    stele_reader_ledger_id (const stele_reader_t *self);

/*  Text that distinguishes the file of this ledger from every other file, copies and those on other machines
    too; it changes when the machine is booted. Owned by the reader.          */
const char *
    stele_reader_file_id (const stele_reader_t *self);

/*  Position of the last committed event, or a negative code.                */
int64_t
    stele_reader_head (stele_reader_t *self);

/*  Last position committed at or before that time, 0: none. Negative: an error. */
int64_t
    stele_reader_position_at (stele_reader_t *self, int64_t time_us);

/*  Time of the commit that holds a position, 0: no such position. Negative: an error. If the clock
    was ahead then and was set back later, not after the first commit with the right time. */
int64_t
    stele_reader_commit_time (stele_reader_t *self, int64_t position);

/*  The same as it was recorded, whatever the clock was then: it never changes, so it identifies a history. If the clock
    went back by no more than STELE_SET_BACK_US, that is the time of the commit before.  */
#define STELE_SET_BACK_US 10000000
int64_t
    stele_reader_commit_recorded (stele_reader_t *self, int64_t position);

/*  Cursor of a follower (stele_ledger_follower_save); -1: none yet.         */
int64_t
    stele_reader_follower (stele_reader_t *self, const char *name);

/*  -- the log ------------------------------------------------------------------ */

/*  Events after a position, in order, at most 'limit'. 'types' is a set of bits
    1 << stele_event_type_t; 0: all. Contents are complete. Rows are events.  */
int
    stele_reader_events (stele_reader_t *self, int64_t after, int64_t limit,
        uint32_t types, stele_row_fn *fn, void *arg);

/*  If the last call of stele_reader_events reached neither its limit nor the end of the log, because most
    events were of other users: the position from which to continue. A position after the head: it did.  */
int64_t
    stele_reader_looked_to (const stele_reader_t *self);

/*  Only in the function of stele_reader_events: the user to whom its row belongs, valid during that call
    of the function; NULL: an error, or none. It costs a look-up.            */
const char *
    stele_reader_event_user (stele_reader_t *self, size_t *size);

/*  The same for the producer to whom its task belongs from this event on, if that changed or this is the first event of
    the history of the task. 1: *size bytes of *name, which is NULL for no producer; 0: it did not change. Negative: an
    error.                                                                   */
int
    stele_reader_event_owner (stele_reader_t *self, const char **name, size_t *size);

/*  -- what a backup has besides events ------------------------------------------- */

/*  Commits whose last position is at or after 'from', in order, at most 'limit'. */
typedef int (stele_commit_fn) (int64_t first, int64_t last, int64_t time_us, void *arg);
int
    stele_reader_commits (stele_reader_t *self, int64_t from, int64_t limit, stele_commit_fn *fn, void *arg);

/*  Small tables, row by row. Keys of a row, with the columns of sql/001-ledger.sql as values:
      PRODUCERS  name sequence instance lease_ms status first_seen_at last_seen_at; number: its id
      FENCES     producer (its name) instance fenced_at
      REJECTED   id producer (its name) sequence code field message time event; those with an id after 'after'
      RETRIED    id retried_at stored_at: refused events that a retry has accepted
      FOLLOWERS  name cursor updated_at
      LOSSES     id time ledger_id first last rejected evidence
      NOTES      key value, of meta without the id of the ledger; those that the ledger removes again are nil  */
typedef enum {
    STELE_STATE_PRODUCERS, STELE_STATE_FENCES, STELE_STATE_REJECTED, STELE_STATE_RETRIED, STELE_STATE_FOLLOWERS,
    STELE_STATE_LOSSES, STELE_STATE_NOTES
} stele_state_table_t;

/*  Call fn per row: its packed map, a text that identifies the row in its table, and a number (PRODUCERS, REJECTED: its
    id). At most 'limit' rows. All of it is borrowed.                        */
typedef struct {
    const void *packed;
    size_t size;
    const char *key;
    size_t key_size;
    int64_t number;
    bool gone;                      // An anonymous producer that has ended
} stele_state_row_t;
typedef int (stele_state_fn) (const stele_state_row_t *row, void *arg);
int
    stele_reader_state (stele_reader_t *self, stele_state_table_t table, int64_t after, int64_t limit,
        stele_state_fn *fn, void *arg);

/*  A number that changes when another connection commits anything: outside of stele_reader_begin. Negative: an error. */
int64_t
    stele_reader_version (stele_reader_t *self);

/*  The tasks and sessions that the events in (after, upto] touched, at most 'limit' events:
    call fn once per key, in ascending order, first the tasks (is_task), then the
    sessions. Keys are those of stele_reader_task_by_key and _session_by_key.
    Without 'tasks', only the sessions.
    Returns the last position examined ('after' if there was none), or an error. */
typedef int (stele_touched_fn) (bool is_task, int64_t key, void *arg);
int64_t
    stele_reader_touched (stele_reader_t *self, int64_t after, int64_t upto,
        int64_t limit, bool tasks, stele_touched_fn *fn, void *arg);

/*  -- tasks ------------------------------------------------------------------- */

/*  One task: 1 found and passed to fn, 0 no such task, or an error.         */
int
    stele_reader_task (stele_reader_t *self, const char *task_id, size_t size,
        stele_row_fn *fn, void *arg);

/*  The same, without description, acceptance_criteria and metadata: what Redis holds. */
int
    stele_reader_task_live (stele_reader_t *self, const char *task_id, size_t size,
        stele_row_fn *fn, void *arg);
int
    stele_reader_task_by_key (stele_reader_t *self, int64_t key, stele_row_fn *fn, void *arg);

/*  A task in the past: as of the event at 'position' (time_us 0), or as of its events whose
    time is at most 'time_us' (position 0), in the order of their positions.
    0: it did not exist yet.                                                 */
int
    stele_reader_task_at (stele_reader_t *self, const char *task_id, size_t size,
        int64_t position, int64_t time_us, stele_row_fn *fn, void *arg);

typedef enum {
    STELE_ORDER_CREATED_DESC,       // Newest first: the default
    STELE_ORDER_CREATED_ASC,
    STELE_ORDER_UPDATED_DESC,
    STELE_ORDER_UPDATED_ASC,
    STELE_ORDER_COMPLETED_DESC,
    STELE_ORDER_COMPLETED_ASC,
    STELE_ORDER_HEARD_DESC,         // By the position of its last event; rows then have a heard_at
    STELE_ORDER_HEARD_ASC
} stele_order_t;

/*  Which tasks. Several values of one field: any of them. Zero means "any". */
typedef struct {
    uint32_t states;                // Bits 1 << stele_task_state_t
    const stele_span_t *roles;
    size_t role_count;
    const stele_span_t *providers;
    size_t provider_count;
    const stele_span_t *models;
    size_t model_count;
    const stele_span_t *producers;  // To whom the task belongs
    size_t producer_count;
    stele_span_t user_id;           // .text NULL: any
    stele_span_t parent_id;
    stele_span_t search;            // Words as a person typed them; .text NULL: no search
    stele_span_t contains;          // A part of the title or description, in any case of ASCII letters; .text NULL: any
    int64_t from_us;                // created_at >= from, 0: any
    int64_t to_us;                  // created_at <= to
    int64_t updated_from_us, updated_to_us;
    int64_t completed_from_us, completed_to_us;
    int has_error;                  // 1: with an error_message at any time, -1: without, 0: any
    int64_t heard_to;               // Its last event has at most this position, 0: any; below 0: none has
    int interrupted;                // 1: interrupted since its last change of state, -1: not, 0: any
    stele_order_t order;
    int64_t limit;
    int64_t offset;                 // Ignored with a cursor
    bool has_cursor;                // Continue after the row with this time and key
    int64_t cursor_time;
    int64_t cursor_key;
    int64_t cursor_skip;            // Rows of the offset that are still to be skipped
    int64_t position;               // As of that event; 0: now
    int64_t time_us;                // And as of the events with at most this time; 0: any
} stele_filter_t;

/*  The end of a page of tasks. If 'more', the rest is the cursor of the next page. */
typedef struct {
    bool more;
    int64_t time, key, skip;        // The cursor (time: a position if the order is one of HEARD): pass it on with the position
    int64_t position;               // That all pages of the list are as of
    bool partial;                   // The text index is incomplete, and so is the search
    int64_t indexed;                // Of a search: the index was complete up to here; the log was searched after it
    bool cut;                       // Ended early, to bound the work: it may have fewer rows than its
} stele_page_t;                     //    limit, even none, although more follow

/*  Tasks that pass the filter, in its order, ties by key.                   */
int
    stele_reader_tasks (stele_reader_t *self, const stele_filter_t *filter,
        stele_row_fn *fn, void *arg, stele_page_t *next);

/*  The earliest time of any event about a task: 1, 0 no such event, or an error. INT64_MIN for a reader that
    is restricted to some users.                                             */
int
    stele_reader_first_time (stele_reader_t *self, int64_t *time_us);

/*  How many tasks pass the filter in all (order, limit and cursor are ignored). *complete is false
    if there was no time to count all: then the result is a lower bound.     */
int64_t
    stele_reader_task_total (stele_reader_t *self, const stele_filter_t *filter, bool *complete);

/*  Tasks that are not terminal (the live records), ascending by key, after the key 'after', at
    most 'limit'. Returns the last key passed to fn ('after': none are left). */
int64_t
    stele_reader_active (stele_reader_t *self, int64_t after, int64_t limit,
        stele_row_fn *fn, void *arg);

/*  Terminal tasks (the live records) by the position of their last change of state or fields, in (after, upto]. Of those
    that have none after 'since', also by that of their last event. Only tasks without an event after 'head'. So the
    ranges from 'since' to 'head' together give each task with an event in them that has ended once, and one call per
    range costs less than asking for the tasks it touched one by one. If fn returns 1, the call ends.
    Returns the position read up to.                                         */
int64_t
    stele_reader_ended (stele_reader_t *self, int64_t after, int64_t upto, int64_t since, int64_t head,
        stele_row_fn *fn, void *arg);

/*  -- what belongs to a task or a session ------------------------------------- */

typedef enum {
    STELE_CHAIN_HISTORY,
    STELE_CHAIN_OUTPUTS,
    STELE_CHAIN_METRICS,
    STELE_CHAIN_COMMANDS            // of a session
} stele_chain_t;

typedef struct {
    uint32_t output_types;          // Bits 1 << stele_output_type_t, of OUTPUTS; 0: all
    uint32_t event_types;           // Bits 1 << stele_event_type_t, of HISTORY; 0: all
    const stele_span_t *names;      // Of METRICS; none: all
    size_t name_count;
    int64_t after;                  // Cursor: position of the last row seen, 0 from the start
    bool newest_first;              // Default: oldest first
    int64_t limit;
} stele_chain_filter_t;

/*  Rows of one task or session, oldest first by default. 1 found, 0 no such task or session,
    or an error. *next is the cursor of the next page, 0: no more.           */
int
    stele_reader_chain (stele_reader_t *self, stele_chain_t chain,
        const char *id, size_t id_size, const stele_chain_filter_t *filter,
        stele_row_fn *fn, void *arg, int64_t *next);

/*  -- sessions, preferences, refusals ------------------------------------------ */

int
    stele_reader_session (stele_reader_t *self, const char *session_id, size_t size,
        stele_row_fn *fn, void *arg);
int
    stele_reader_session_by_key (stele_reader_t *self, int64_t key, stele_row_fn *fn, void *arg);

/*  Commands of all sessions, newest first, before the position 'before' (0: from the newest), from
    from_us to to_us (0: any); 'failed': only those with an exit_code other than 0. *next is the
    cursor of the next page, 0: no more. A page that has to skip too many rows ends early. */
int
    stele_reader_commands (stele_reader_t *self, bool failed, int64_t from_us, int64_t to_us,
        int64_t before, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next);

/*  How a session spent its time, from its start to its end, or to its last event.  */
typedef struct {
    int64_t wall_us;
    int64_t by_state_us [STELE_SESSION_STATE_END];
    int64_t commands, failed;
    double execution_ms;
} stele_session_times_t;

/*  1 found, 0 no such session, or an error.                                 */
int
    stele_reader_session_times (stele_reader_t *self, const char *session_id, size_t size,
        stele_session_times_t *times);

/*  Sessions, newest first, after the one with key 'before' (0: from the newest).
    'states' bits 1 << stele_session_state_t, 0: all; task_id.text NULL: of any task. */
int
    stele_reader_sessions (stele_reader_t *self, uint32_t states, stele_span_t task_id,
        int64_t before, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next);

int
    stele_reader_preferences (stele_reader_t *self, const char *user_id, size_t size,
        stele_row_fn *fn, void *arg);

/*  The key of the marks in masks of secrets, as the ledger has it. 1, 0: it has none (a broker of an
    earlier version wrote it), or an error.                                  */
#define STELE_REDACTION_KEY 32
int
    stele_reader_redaction_key (stele_reader_t *self, unsigned char key [STELE_REDACTION_KEY]);

/*  Refused events by id, after 'after'; 'open_only' omits those that were accepted by a retry.
    producer NULL: of any producer.                                          */
int
    stele_reader_rejected (stele_reader_t *self, const char *producer, bool open_only,
        int64_t after, int64_t limit, stele_row_fn *fn, void *arg, int64_t *next);
/*  One of them: 1 found, 0 not.                                             */
int
    stele_reader_rejected_one (stele_reader_t *self, int64_t id, stele_row_fn *fn, void *arg);

/*  -- audit events ---------------------------------------------------------------- */

/*  Which ones; zero means any.                                              */
typedef struct {
    stele_span_t who, operation, outcome;
    int64_t from_us, to_us;         // Both inclusive
    int64_t before;                 // Only positions before this one: the cursor of a page
    int64_t limit;
} stele_audit_filter_t;

/*  Audit events that pass the filter, newest first. *next is the cursor of the next page, 0: no more. */
int
    stele_reader_audit (stele_reader_t *self, const stele_audit_filter_t *filter,
        stele_row_fn *fn, void *arg, int64_t *next);

/*  -- whole tables ---------------------------------------------------------------- */

typedef enum {
    STELE_TABLE_TASKS,
    STELE_TABLE_HISTORY,
    STELE_TABLE_OUTPUTS,
    STELE_TABLE_METRICS,
    STELE_TABLE_SESSIONS,
    STELE_TABLE_COMMANDS,
    STELE_TABLE_AUDIT
} stele_table_t;

/*  Rows of a table as it was at position 'at', in the order of the positions of their
    (first) events, from the one after 'after'. *next is the 'after' of the next
    page, 0: no more. All pages with the same 'at' are of the same state.    */
int
    stele_reader_table (stele_reader_t *self, stele_table_t table, int64_t after, int64_t at,
        int64_t limit, stele_row_fn *fn, void *arg, int64_t *next);

/*  -- statistics ----------------------------------------------------------------- */

/*  A figure of the engine's own; the name is its key in the answer to 'stats'. Static storage. */
typedef struct { const char *name; int64_t value; } stele_figure_t;
#define STELE_FIGURES_MAX 8

typedef struct {
    int64_t tasks;
    int64_t by_state [STELE_TASK_STATE_END];
    int64_t sessions;
    int64_t rejected;               // Not accepted by a retry yet
    int64_t commits;
    int64_t losses;                 // Accepted ones (stele_reader_losses)
    stele_figure_t storage [STELE_FIGURES_MAX + 1];     // Ended by a NULL name
} stele_ledger_stats_t;

int
    stele_reader_stats (stele_reader_t *self, stele_ledger_stats_t *stats);

/*  A table with its indexes, or a file next to the ledger                   */
typedef struct { char name [48]; int64_t bytes; } stele_storage_part_t;
#define STELE_STORAGE_TABLES_MAX 64
#define STELE_STORAGE_FILES_MAX  16

typedef struct {
    int64_t file_bytes;             // Of the ledger itself, with what is still in its log
    int64_t free_bytes;             // Of those, what is used again before the file grows
    int64_t unmeasured_bytes;       // And what was not looked at: above 0 for a large file, or without dbstat
    int64_t measured_us;            // Wall clock: at most five minutes ago
    stele_storage_part_t tables [STELE_STORAGE_TABLES_MAX + 1];     // The largest first, until one of 0 bytes
    stele_storage_part_t files [STELE_STORAGE_FILES_MAX + 1];       // Now: "log", "search", "rollup", "archive-YEAR"
} stele_storage_t;

/*  Space on the disk. It reads the whole file, up to a bound, and remembers the result.   */
int
    stele_reader_storage (stele_reader_t *self, stele_storage_t *storage);

/*  Number of tasks per role (which 0), provider (1) or model (2), largest first;
    word NULL: tasks without one.                                            */
typedef int (stele_count_fn) (const char *word, int64_t count, void *arg);
int
    stele_reader_counts (stele_reader_t *self, int which, stele_count_fn *fn, void *arg);

/*  Report on the tasks in a range of time, by groups                        */
typedef enum {
    STELE_REPORT_STATE, STELE_REPORT_ROLE, STELE_REPORT_PROVIDER, STELE_REPORT_MODEL,
    STELE_REPORT_HOUR, STELE_REPORT_DAY,
    STELE_REPORT_ERROR              // last_error of those that failed
} stele_report_by_t;

typedef struct {
    stele_report_by_t by;
    int64_t from_us, to_us;         // Both inclusive, 0: any
    int64_t groups;                 // At most this many
    int64_t slowest;                // This many of the tasks that ran longest
    int64_t tasks_max;              // Examine at most this many; 0: some millions
} stele_report_t;

//  Percentiles by nearest rank, in microseconds; all 0 if the count is
typedef struct { int64_t p50, p90, p99, max, count; } stele_spread_t;

typedef struct {
    stele_span_t name;              // Word or error; .text NULL: none, or the group is an hour or a day
    int64_t time;                   // Start of the hour or day; of an error, its last time
    int64_t now;                    // Tasks of that state, role, provider or model at any time
    int64_t created, started, completed, failed;
    stele_spread_t queue_us;        // From created_at to started_at, of tasks started in the range
    stele_spread_t run_us;          // From started_at to completed_at, of tasks completed in the range
} stele_report_group_t;

typedef struct {
    int64_t groups;                 // All there are, reported or not
    bool cut;                       // Not all tasks were examined: only those of looked_to and later
    int64_t looked_to;
} stele_report_end_t;

/*  Call fn per group, the most failures first, hours and days newest first; then 'slow' per
    slowest task, as a live record. Both functions end the read as a stele_row_fn does. */
typedef int (stele_report_fn) (const stele_report_group_t *group, void *arg);
int
    stele_reader_report (stele_reader_t *self, const stele_report_t *ask, stele_report_fn *fn,
        stele_row_fn *slow, void *arg, stele_report_end_t *end);

/*  -- losses ---------------------------------------------------------------------- */

/*  Events at the end of the history that are missing and were accepted as lost. Borrowed. */
typedef struct {
    int64_t time_us;                // When it was accepted
    const char *ledger_id;          // The ledger that had the positions
    int64_t first, last;            // last < first: none, or unknown
    int64_t rejected;               // Number of refused events
    const char *evidence;
} stele_lost_t;

/*  Accepted losses, newest first, at most 'limit'; a function that returns non-zero ends the read. */
typedef int (stele_lost_fn) (const stele_lost_t *lost, void *arg);
int
    stele_reader_losses (stele_reader_t *self, int64_t limit, stele_lost_fn *fn, void *arg);

#endif
