/*  ledger_internal - the writer's own structure, shared by its files

    open.c       open, migrate, close
    check.c      verify the file at a start
    rescue.c     save a ledger whose files were removed, replaced or moved
    loss.c       detect a ledger that is shorter than what was acked, and record an accepted loss
    ledger.c     batches, upkeep
    statement.c  run and bind statements, keep error texts (called by all others)
    deferred.c   batches in one open transaction
    append.c     dispatch of events by their type
    append_task.c, append_row.c, append_output.c, append_session.c,
    append_audit.c   the rows per kind of event
    archive.c    replace tasks and sessions by stubs
    recall.c     bring them back from their archives
    compact.c    give free pages back
    erase.c      erase the contents of a task
    erase_rest.c continue that in steps, if it has very many outputs
    erase_rows.c the rows of events (called by both)
    settle.c     write to their tables what rows of commits hold
    scrub.c      remove what archives and the log still have of an erased task
    producers.c  producers, fences, refused events, interruptions

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEDGER_INTERNAL_H_INCLUDED
#define STELE_LEDGER_INTERNAL_H_INCLUDED

#include <sqlite3.h>
#include "sqlite/archive/archive_file.h"
#include "sqlite/wal/checkpoint.h"
#include "sqlite/compress/content.h"
#include "sqlite/wal/high_water.h"
#include "sqlite/wal/place.h"
#include "sqlite/reader/reader_over.h"
#include "sqlite/sql/codes.h"
#include "sqlite/sql/id_codec.h"
#include "ledger/erase.h"
#include "ledger/ledger.h"
#include "sqlite/sql/sql.h"
#include "sqlite/write/task_cache.h"
#include "sqlite/write/intern.h"
#include "sqlite/write/zone_map.h"
#include "wire/event/decisions.h"
#include "wire/pack.h"

//  A random UUID, as an SQL expression
#define STELE_LEDGER_NEW_ID \
    "lower (printf ('%s-%s-4%s-8%s-%s'," \
    " hex (randomblob (4)), hex (randomblob (2)), substr (hex (randomblob (2)), 2)," \
    " substr (hex (randomblob (2)), 2), hex (randomblob (6))))"

//  Text of a column that holds the number of a word, or the text itself
#define REPEATED(column) \
    " CASE typeof (" column ") WHEN 'integer' THEN (SELECT word FROM words WHERE id = " column ") ELSE " column " END"

//  Key of meta: what the ledger has of a shared log (decided.c)
#define STELE_LOG_MARK "log"

//  Tasks that are interrupted per query
#define STELE_INTERRUPT_MAX 1000

//  X (name, SQL): one prepared statement each
#define STELE_PRODUCER_COLUMNS "id, name, sequence, ifnull (instance, ''), ifnull (lease_ms, 0), status, last_seen_at"

//  As STELE_SQL_USER_IN, for a row x of archived_sessions
#define STUB_USER_IN(tasks) "(SELECT (SELECT word FROM words WHERE id = t.user_id) FROM " tasks " t WHERE t.id = x.task AND t.id < x.id)"

#define STELE_LEDGER_STATEMENTS(X) \
    X (begin, "BEGIN IMMEDIATE") \
    X (commit, "COMMIT") \
    X (savepoint, "SAVEPOINT batch") \
    X (release, "RELEASE batch") \
    X (commits, "INSERT INTO commits (first, last, time, producer, sequence, count_more, count_less)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") \
    X (settle_sequences, "UPDATE producer_rows SET sequence = max (producer_rows.sequence, u.sequence)" \
        " FROM unsettled_sequences u WHERE u.id = producer_rows.id") \
    X (settle_counts, "UPDATE task_count_rows SET count = count + u.number" \
        " FROM unsettled_counts u WHERE u.id = task_count_rows.id AND u.number != 0") \
    X (settled, "UPDATE settled SET first = (SELECT max (first) FROM commits)") \
    X (task_insert, "INSERT INTO tasks (id, task_id, created, user_id, title, description," \
        " branch, worktree_path, base_branch, commit_hash, target_dir, full_access," \
        " provider_override, repository_url, acceptance_criteria, metadata, parent_id, since)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)") \
    X (task_update, "UPDATE tasks SET created = ?3, user_id = ?4, title = ?5, description = ?6," \
        " branch = ?7, worktree_path = ?8, base_branch = ?9, commit_hash = ?10, target_dir = ?11," \
        " full_access = ?12, provider_override = ?13, repository_url = ?14," \
        " acceptance_criteria = ?15, metadata = ?16, parent_id = ?17 WHERE id = ?1") \
    X (task_select, "SELECT created, (SELECT word FROM words WHERE id = user_id), title, description," \
        " branch, worktree_path, " REPEATED ("base_branch") ", commit_hash," \
        REPEATED ("target_dir") ", full_access," REPEATED ("provider_override") "," \
        REPEATED ("repository_url") ", acceptance_criteria, metadata, parent_id FROM tasks WHERE id = ?1") \
    X (word, "SELECT word FROM words WHERE id = ?1") \
    X (history, "INSERT INTO task_history (position, task_back, previous_back, kind, state_from, state_to," \
        " elapsed, provider, model, user_id, error_message, details, changes, replaced, extra, owner)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)") \
    X (output, "INSERT INTO task_outputs (position, task_back, previous_back, output_type, elapsed, user_id," \
        " file_path, file_size, mime_type, commit_hash, branch, extra, encoding, content)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)") \
    X (metric, "INSERT INTO task_metrics (position, task_back, previous_back, name, value, unit, elapsed," \
        " user_id, extra) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") \
    X (session_find, "SELECT id, state, last_history, last_command, started FROM cli_sessions WHERE session_id = ?1") \
    X (session_insert, "INSERT INTO cli_sessions (id, session_id, state, created_at, updated_at," \
        " command_count, position, user_id) VALUES (?1, ?2, ?3, ?4, ?4, 0, ?1, ?5)") \
    X (task_user, "SELECT (SELECT word FROM words WHERE id = user_id) FROM tasks WHERE task_id = ?1" \
        " UNION ALL SELECT (SELECT word FROM words WHERE id = user_id) FROM archived_tasks WHERE task_id = ?1") \
    X (session_user, "SELECT coalesce (s.user_id, " STELE_SQL_USER_IN ("tasks") ", " STELE_SQL_USER_IN ("archived_tasks") \
        ") FROM cli_sessions s WHERE s.session_id = ?1" \
        " UNION ALL SELECT coalesce (x.user_id, " STUB_USER_IN ("tasks") ", " STUB_USER_IN ("archived_tasks") \
        ") FROM archived_sessions x WHERE x.session_id = ?1") \
    X (session_start, "UPDATE cli_sessions SET started = ?2, state = ?3, cli_tool = ?4, mode = ?5," \
        " current_directory = ?6, pid = ?7, authentication_required = ?8, auth_prompt = ?9," \
        " task_id = ?10, user_id = ifnull (?11, user_id), created_at = ?12, updated_at = ?12, completed_at = ?13," \
        " last_history = ?2, position = ?2 WHERE id = ?1") \
    X (session_state, "UPDATE cli_sessions SET state = ?2, completed_at = ?3, updated_at = ?4," \
        " last_history = ?5, position = ?5 WHERE id = ?1") \
    X (session_ran, "UPDATE cli_sessions SET command_count = command_count + 1, updated_at = ?2," \
        " last_command = ?3, position = ?3 WHERE id = ?1") \
    X (session_history, "INSERT INTO cli_session_history (position, session, previous, kind," \
        " state_from, state_to, time, user_id, fields, extra)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") \
    X (command, "INSERT INTO cli_session_commands (position, session, previous, time, user_id," \
        " execution_time_ms, exit_code, extra, command, encoding, output)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)") \
    X (preference, "INSERT INTO user_preferences (user_id, preferred_provider, preferred_model," \
        " full_access_preferred, role_preferences, created_at, updated_at, position)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7) ON CONFLICT DO UPDATE SET" \
        " preferred_provider = ifnull (?2, preferred_provider)," \
        " preferred_model = ifnull (?3, preferred_model)," \
        " full_access_preferred = ifnull (?4, full_access_preferred)," \
        " role_preferences = ifnull (?5, role_preferences), updated_at = ?6, position = ?7") \
    X (preference_history, "INSERT INTO user_preference_history (position, user_id, time, fields," \
        " extra) VALUES (?1, ?2, ?3, ?4, ?5)") \
    X (audit, "INSERT INTO audit_events (position, time, user_id, who, operation, outcome, target, peer," \
        " request_id, count, imported, details, extra)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)") \
    X (producer_insert, "INSERT INTO producer_rows (name, sequence, instance, lease_ms, status," \
        " first_seen_at, last_seen_at) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?7)") \
    X (producer_update, "UPDATE producer_rows SET sequence = ?3, instance = ?4, lease_ms = ?5," \
        " status = ?6, last_seen_at = ?7 WHERE id = ?1") \
    X (producer_find, "SELECT " STELE_PRODUCER_COLUMNS " FROM producers WHERE name = ?1") \
    X (producer_users, "SELECT DISTINCT (SELECT word FROM words WHERE id = t.user_id) FROM states_plain s" \
        " JOIN tasks t ON t.id = s.task WHERE s.state IN " STELE_SQL_IN_PROGRESS " AND s.owner = ?1") \
    X (producer_owns, "SELECT 1 FROM states_plain WHERE state IN " STELE_SQL_IN_PROGRESS " AND owner = ?1 LIMIT 1") \
    X (producer_sequence, "UPDATE producer_rows SET sequence = ?3 WHERE id = ?1") \
    X (fence, "INSERT OR IGNORE INTO producer_fences (producer, instance, fenced_at) VALUES (?1, ?2, ?3)") \
    X (fenced, "SELECT 1 FROM producer_fences WHERE producer = ?1 AND instance = ?2") \
    X (in_progress, "SELECT t.task_id FROM states_plain s JOIN tasks t ON t.id = s.task" \
        " WHERE s.state IN " STELE_SQL_IN_PROGRESS " AND (?1 = -1 OR s.owner = ?1) ORDER BY s.task LIMIT " \
        STELE_SQL_CODE (STELE_INTERRUPT_MAX)) \
    X (reject, "INSERT INTO rejected_events (producer, sequence, code, field, message, time, event)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") \
    X (rejected_done, "UPDATE rejected_events SET retried_at = ?2, position = ?3 WHERE id = ?1") \
    X (log_mark, "INSERT OR REPLACE INTO meta (key, value) VALUES ('" STELE_LOG_MARK "', ?1)") \
    X (archive_insert, "INSERT INTO archives (id, archive_id, position, tasks) VALUES (?1, ?2, 0, 0)" \
        " ON CONFLICT DO UPDATE SET archive_id = ?2 WHERE archive_id = ?2") \
    X (archive_stub, "INSERT INTO archived_tasks (id, task_id, archive, events, user_id)" \
        " SELECT t.id, t.task_id, ?3, ?4, t.user_id FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1" \
        " AND s.position = ?2 AND s.state >= " STELE_SQL_CODE (STELE_CODE_TASK_TERMINAL_FROM) \
        " AND NOT EXISTS (SELECT 1 FROM main.erased_tasks e WHERE e.id = t.id) RETURNING task_id") \
    X (archive_history, STELE_TASK_CHAIN ("task_history", "last_history") \
        "DELETE FROM task_history WHERE position IN (SELECT p FROM c)") \
    X (archive_outputs, STELE_TASK_CHAIN ("task_outputs", "last_output") \
        "DELETE FROM task_outputs WHERE position IN (SELECT p FROM c)") \
    X (archive_metrics, STELE_TASK_CHAIN ("task_metrics", "last_metric") \
        "DELETE FROM task_metrics WHERE position IN (SELECT p FROM c)") \
    X (archive_state, "DELETE FROM task_states WHERE task = ?1") \
    X (archive_task, "DELETE FROM tasks WHERE id = ?1") \
    X (archive_moved, "UPDATE archives SET tasks = tasks + 1, position = max (position, ?2) WHERE id = ?1") \
    X (archive_id, "SELECT archive_id FROM archives WHERE id = ?1") \
    X (archive_session_stub, "INSERT INTO archived_sessions (id, session_id, archive, events, task, user_id)" \
        " SELECT s.id, s.session_id, ?3, ?4, x.id, s.user_id FROM cli_sessions s JOIN archived_tasks x ON x.task_id = s.task_id" \
        " WHERE s.id = ?1 AND s.position = ?2") \
    X (archive_session_history, STELE_SESSION_CHAIN ("cli_session_history", "last_history") \
        "DELETE FROM cli_session_history WHERE position IN (SELECT p FROM c)") \
    X (archive_session_commands, STELE_SESSION_CHAIN ("cli_session_commands", "last_command") \
        "DELETE FROM cli_session_commands WHERE position IN (SELECT p FROM c)") \
    X (archive_session, "DELETE FROM cli_sessions WHERE id = ?1") \
    X (archive_session_moved, "UPDATE archives SET sessions = sessions + 1, position = max (position, ?2) WHERE id = ?1") \
    X (recall_find, "SELECT id, archive, events FROM archived_tasks WHERE task_id = ?1") \
    X (recall_stub, "DELETE FROM archived_tasks WHERE id = ?1") \
    X (recalled, "UPDATE archives SET tasks = tasks - 1 WHERE id = ?1") \
    X (recall_session_find, "SELECT id, archive, events FROM archived_sessions WHERE session_id = ?1") \
    X (recall_session_next, "SELECT id, archive, events FROM archived_sessions WHERE task = ?1 LIMIT 1") \
    X (recall_session_stub, "DELETE FROM archived_sessions WHERE id = ?1") \
    X (recalled_session, "UPDATE archives SET sessions = sessions - 1 WHERE id = ?1") \
    X (follower, "INSERT INTO followers (name, position, updated_at) VALUES (?1, ?2, ?3)" \
        " ON CONFLICT DO UPDATE SET position = ?2, updated_at = ?3")

//  What is missing at the end of a ledger, and the evidence (loss.c)
typedef struct {
    bool found;
    bool same_ledger;               // Of this ledger; false: of one that was at its path before
    char ledger_id [40];            // Whose history is incomplete
    int64_t first, last;            // Positions; last < first: none
    int64_t rejected;               // Refused events
    char evidence [400];
    char text [640];                // All of it, for a person
} stele_loss_t;

//  What the row of commits holds of the open batch (settle.c). 0: nothing
typedef struct {
    int64_t producer, sequence;
    int64_t count_more, count_less;
} stele_unsettled_t;

//  An archive that is open for reading (recall.c)
typedef struct stele_recall stele_recall_t;

struct stele_ledger {
    sqlite3 *db;
    stele_place_t *place;           // Path, locks
    mode_t file_mode;               // Of its files
    int64_t log_bytes;              // Longest write-ahead log, unless a reader holds it
    bool opened;                    // The open succeeded
    bool discarded;                 // Remove it if it is new and empty
    bool displaced;                 // Its files are no longer at their paths
    int64_t verified_ms;            // Monotonic: when that was last checked in idle time
    char id [40];
    char migration [80];            // What the open migrated, for the log; "": nothing
    char error [1200];
    int64_t head;                   // Committed
    int64_t next;                   // Position of the next event of this batch
    int64_t rejected;               // Number of the last refused event, committed
    int64_t next_rejected;          // The same, of this batch
    bool suspended;                 // Batches go to one open transaction (deferred.c)
    int64_t top;                    // Position of the last event of a finished batch: equals
    int64_t top_rejected;           //    the head, unless suspended
    stele_high_water_t *high_water;
    int high_water_code;            // Its last error, reported by the next upkeep
    stele_loss_t loss;
    int64_t committed_at;           // Time of the last row of commits
    stele_unsettled_t unsettled;
    int unsettled_commits;          // Rows of commits after the settled ones
    stele_checkpoint_t *checkpoint;
    bool broken;                    // After an I/O error: the contents of the files are unknown, write nothing more
    stele_intern_t *words;
    stele_task_cache_t *tasks;
    stele_zone_map_t *zones;
    stele_content_t *content;
    stele_decisions_t *decisions;   // Of the open batch; NULL: they are not recorded
    stele_pack_t *pack;
    stele_record_t *scratch;
    stele_reader_t *reader;         // On the same connection: it sees the open batch
    bool archives;                  // Tasks and sessions may be archived
    stele_recall_t *recall;         // The archive that was read last; NULL: none
    bool scrub;                     // Archives and the log may have contents of erased tasks
    int64_t scrub_ms;               // Monotonic: not again before that
    int64_t scrub_delay_ms;         // After the last try, 0: it did not fail
    int64_t scrub_since_ms;         // Monotonic: when it first failed
    char scrub_error [500];         // Of the first file that could not be scrubbed
    bool erasing;                   // Outputs of erased tasks are still there
    int64_t erasing_ms;             // Monotonic: the next of them not before that
    int64_t erasing_since_ms;       // Monotonic: since when they cannot be erased, 0: they can
    char erasing_error [500];       // Why
#define STELE_STATEMENT_MEMBER(name, text) sqlite3_stmt *name;
    struct { STELE_LEDGER_STATEMENTS (STELE_STATEMENT_MEMBER) } sql;
#undef STELE_STATEMENT_MEMBER
};

//  Compare the file with the high-water mark and the other store, before anything is written. Returns 0:
//  nothing is missing, or the options accept the loss, which is then in self->loss.
int
    stele_ledger_compare (stele_ledger_t *self, const char *path,
        const stele_ledger_options_t *options, stele_refusal_t *refusal);

//  Record self->loss if there is one, and make the high-water mark that of this ledger.
int
    stele_ledger_settle_loss (stele_ledger_t *self, stele_refusal_t *refusal);

//  The file is recognised by the id that it has now. Returns 0 or a storage error.
int
    stele_ledger_identify_file (stele_ledger_t *self);

//  Are the files still at their paths (rescue.c)? If not, the error describes the reason.
bool
    stele_ledger_in_place (stele_ledger_t *self);

//  The newest copy that was saved when a ledger at that path was removed. Caller frees return value; NULL:
//  there is none.
char *
    stele_ledger_rescued_copy (const char *path);

//  Verify the file at a start (check.c). Returns 0, or a code with a refusal.
int
    stele_ledger_check (stele_ledger_t *self, const char *path, stele_check_t check,
        stele_refusal_t *refusal);

//  Note the connection's error text. Returns the code, for return statements.
int
    stele_ledger_fail (stele_ledger_t *self, int code);

//  Returns 0 if the batch is still open, else STELE_EINTERNAL.
int
    stele_ledger_in_batch (stele_ledger_t *self);

//  Note that SQLite rolled back the suspended transaction; returns STELE_EIO.
int
    stele_ledger_rolled_back (stele_ledger_t *self);

//  Run a statement of the open batch; notes its error.
int
    stele_ledger_run (stele_ledger_t *self, sqlite3_stmt *stmt);

//  Note the sequence of a producer, for the row of commits (settle.c). It holds one: of a further producer it is
//  written to its table.
int
    stele_ledger_note_sequence (stele_ledger_t *self, int64_t producer, int64_t sequence);

//  Bind what was noted, and the counts of tasks that fit, to the statement that inserts the batch's row of commits, and
//  write the others to their tables. NULL: it has no row, so write all of them.
int
    stele_ledger_bind_unsettled (stele_ledger_t *self, sqlite3_stmt *row);

//  After each row of commits: if it is time, write to the tables what these rows hold.
int
    stele_ledger_settle (stele_ledger_t *self);

//  At an open, and after a rollback: forget what was noted. It is not known how many rows are not settled.
void
    stele_ledger_settle_soon (stele_ledger_t *self);

//  Bind a TEXT value (or NONE) as the number of its word.
int
    stele_ledger_bind_word (stele_ledger_t *self, sqlite3_stmt *stmt, int index,
        const stele_value_t *value);

//  Bind a TEXT value (or NONE) as an id.
static inline void
stele_ledger_bind_id (sqlite3_stmt *stmt, int index, const stele_value_t *value)
{
    stele_id_bind (stmt, index, value->kind == STELE_VALUE_NONE? NULL: value->text, value->size);
}

//  The fields of 'set' as a JSON object, in the arena of the scratch record; with 'nulls' fields that
//  the record does not have are null, else they are omitted. NONE: there are none.
int
    stele_ledger_fields_json (stele_ledger_t *self, const stele_record_t *record,
        stele_field_set_t set, bool nulls, stele_value_t *json);

//  Find out whether there are archives, and migrate those whose files are there. Returns 0, or a code with a refusal.
int
    stele_ledger_archives_open (stele_ledger_t *self, stele_refusal_t *refusal);

//  If a task is archived, copy it back in the open batch: 1, 0 it is not archived, STELE_EUNAVAILABLE with a refusal if
//  its archive cannot be read, or a storage error.
int
    stele_ledger_recall (stele_ledger_t *self, const stele_value_t *id, stele_refusal_t *refusal);

//  The same for a session, by its id, and for those sessions whose task, with that key, was archived when they were. Of
//  the latter, those before one that cannot be read come back.
int
    stele_ledger_recall_session (stele_ledger_t *self, const stele_value_t *id, stele_refusal_t *refusal);
int
    stele_ledger_recall_sessions_of (stele_ledger_t *self, int64_t task, stele_refusal_t *refusal);
void
    stele_ledger_recall_close (stele_ledger_t *self);

//  Remove what archives and the log still have of erased tasks, outside a batch. 'wait': for a moment, for programs that read
//  them; no commit can be made meanwhile. Returns 0 or a code; it may be tried again.
int
    stele_ledger_scrub (stele_ledger_t *self, bool wait);

//  There is something to remove.
void
    stele_ledger_scrub_soon (stele_ledger_t *self);

//  The same as stele_ledger_scrub, without waiting, if it is needed and due. Returns 0, or STELE_EIO: the files of the ledger.
int
    stele_ledger_scrub_step (stele_ledger_t *self);

//  At a start: whether there are erased tasks. Sets self->scrub; returns 0 or a code.
int
    stele_ledger_scrub_needed (stele_ledger_t *self);

//  In the open batch: the outputs of that task will be erased in steps, from its last one on. Returns 0 or a storage error.
int
    stele_ledger_erase_later (stele_ledger_t *self, int64_t task);

//  The next output of such a task: that one and older ones are still to be erased. 0: none; or a storage error.
int64_t
    stele_ledger_erase_next (stele_ledger_t *self, int64_t task);

//  At a start: whether there are such outputs. Sets self->erasing; returns 0 or a code.
int
    stele_ledger_erase_needed (stele_ledger_t *self);

//  Append an event by its subject. Return as stele_ledger_append does.
int
    stele_ledger_append_task (stele_ledger_t *self, const stele_record_t *event,
        int64_t producer, stele_refusal_t *refusal);
int
    stele_ledger_append_session (stele_ledger_t *self, const stele_record_t *event, stele_refusal_t *refusal);
int
    stele_ledger_append_preference (stele_ledger_t *self, const stele_record_t *event);
int
    stele_ledger_append_audit (stele_ledger_t *self, const stele_record_t *event);

#endif
