/*  erase - replace the contents of a task's events by the hashes of their lines

    All hashes are made before the first row is changed: the line of a task.created is made from its row of tasks and from
    later rows.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "fault/fault.h"
#include "ledger/erase.h"
#include "sqlite/sql/json_fields.h"
#include "sqlite/write/ledger_internal.h"
#include "wire/map.h"
#include "wire/quote.h"
#include "wire/scan.h"

#define ERASED "'" STELE_ERASED_TEXT "'"
#define IS_WHOLE " WHERE ifnull (r.extra, '') NOT GLOB '{\"" STELE_ERASED_LEAF "\":\"*'"
#define OR_NULL(column) column " = iif (" column " IS NULL, NULL, " ERASED ")"
#define EXTRA_SIZE (sizeof "{\"" STELE_ERASED_LEAF "\":\"\"}" - 1 + STELE_ERASED_LEAF_SIZE)

//  What a task.updated may keep: task_states, the counts and the lists by role follow from it
#define LIVE (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE) | STELE_FIELD_BIT (STELE_PROVIDER) \
    | STELE_FIELD_BIT (STELE_MODEL))
#define NAMED (STELE_FIELD_BIT (STELE_TITLE) | STELE_FIELD_BIT (STELE_DESCRIPTION))
#define SESSION_NAMED (STELE_FIELD_BIT (STELE_CLI_TOOL) | STELE_FIELD_BIT (STELE_MODE) \
    | STELE_FIELD_BIT (STELE_CURRENT_DIRECTORY))
#define SESSION_KEPT (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_TASK_ID))

typedef enum { HISTORY, OUTPUTS, METRICS, SESSIONS, COMMANDS, TABLES } s_table_t;

//  X (table, column of cli_sessions with its last row)
#define SESSION_CHAIN(table, last) \
    "WITH RECURSIVE c (p) AS (SELECT s." last " FROM main.cli_sessions s JOIN main.tasks t ON t.task_id = s.task_id" \
    " WHERE t.id = ?1 AND s." last " IS NOT NULL UNION ALL SELECT e.previous FROM c JOIN main." table \
    " e ON e.position = c.p WHERE e.previous IS NOT NULL) SELECT p FROM c JOIN main." table " r ON r.position = c.p" IS_WHOLE
#define TASK_CHAIN(table, last) STELE_TASK_CHAIN (table, last) "SELECT p FROM c JOIN main." table " r ON r.position = c.p" IS_WHOLE

#define TYPE(type) (1u << STELE_##type)

//  The positions of a task that are not erased yet; how their rows are erased: ?1 the position, ?2 the column extra; and the
//  types of the events that are there
static const struct { const char *find, *update; uint32_t types; } s_sql [TABLES] = {
    [HISTORY] = { TASK_CHAIN ("task_history", "last_history"), "UPDATE main.task_history SET extra = ?2, changes = ?3,"
        " replaced = ?4, " OR_NULL ("error_message") ", details = NULL WHERE position = ?1",
        TYPE (TASK_CREATED) | TYPE (TASK_UPDATED) | TYPE (TASK_STATE_CHANGED) },
    [OUTPUTS] = { TASK_CHAIN ("task_outputs", "last_output"), "UPDATE main.task_outputs SET extra = ?2, file_path = NULL,"
        " file_size = NULL, mime_type = NULL, commit_hash = NULL, branch = NULL, encoding = 0, content = " ERASED
        " WHERE position = ?1", TYPE (TASK_OUTPUT_ADDED) },
    [METRICS] = { TASK_CHAIN ("task_metrics", "last_metric"),
        "UPDATE main.task_metrics SET extra = ?2, name = ?3, value = 0, unit = NULL WHERE position = ?1",
        TYPE (TASK_METRIC_RECORDED) },
    [SESSIONS] = { SESSION_CHAIN ("cli_session_history", "last_history"),
        "UPDATE main.cli_session_history SET extra = ?2, fields = ?3 WHERE position = ?1",
        TYPE (SESSION_STARTED) | TYPE (SESSION_STATE_CHANGED) },
    [COMMANDS] = { SESSION_CHAIN ("cli_session_commands", "last_command"), "UPDATE main.cli_session_commands SET extra = ?2,"
        " command = " ERASED ", encoding = 0, output = NULL WHERE position = ?1", TYPE (SESSION_COMMAND_EXECUTED) }
};

//  The rows that follow from the events
static const char *const s_derived [] = {
    "UPDATE main.tasks SET title = " ERASED ", " OR_NULL ("description") ", branch = NULL, worktree_path = NULL,"
    " base_branch = NULL, commit_hash = NULL, target_dir = NULL, full_access = NULL, provider_override = NULL,"
    " repository_url = NULL, acceptance_criteria = NULL, metadata = NULL WHERE id = ?1",
    "UPDATE main.cli_sessions SET " OR_NULL ("cli_tool") ", " OR_NULL ("mode") ", " OR_NULL ("current_directory") ", pid = NULL,"
    " authentication_required = NULL, auth_prompt = NULL WHERE task_id = (SELECT task_id FROM main.tasks WHERE id = ?1)"
};

typedef struct {
    int64_t position;
    s_table_t table;
    char extra [EXTRA_SIZE + 1];
} s_event_t;

typedef struct {
    stele_ledger_t *ledger;
    stele_leaf_fn *fn;
    void *arg;
    int64_t task;
    s_event_t *events;
    size_t count, room, next;
    sqlite3_stmt *updates [TABLES];
    stele_record_t *record;         // Of one column with JSON
} s_erase_t;

//  -- hashes ------------------------------------------------------------------------------

static sqlite3_stmt *
s_prepare (s_erase_t *self, const char *sql, int *code)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->ledger->db, sql);
    *code = stmt? 0: stele_ledger_fail (self->ledger, stele_sql_code (sqlite3_errcode (self->ledger->db)));
    return stmt;
}

static int
s_find (s_erase_t *self, s_table_t table)
{
    int code, rc = SQLITE_DONE;
    sqlite3_stmt *stmt = s_prepare (self, s_sql [table].find, &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, self->task);
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        self->events = stele_array_must_grow (self->events, &self->room, self->count + 1, sizeof *self->events);
        self->events [self->count++] = (s_event_t) { .position = sqlite3_column_int64 (stmt, 0), .table = table };
    }
    sqlite3_finalize (stmt);
    return stele_sql_code (rc)? stele_ledger_fail (self->ledger, stele_sql_code (rc)): 0;
}

static int
s_hash (const stele_record_t *event, void *arg)
{
    s_erase_t *self = arg;
    char leaf [STELE_ERASED_LEAF_SIZE + 1];
    int code = self->fn (event, leaf, self->arg);
    snprintf (self->events [self->next].extra, EXTRA_SIZE + 1, "{\"" STELE_ERASED_LEAF "\":\"%s\"}", code? "": leaf);
    return code;
}

static int
s_hash_all (s_erase_t *self)
{
    int code = 0;
    for (self->next = 0; self->next < self->count && code == 0; self->next++)
        //  With the types, one table is looked at instead of seven
        code = stele_reader_events (self->ledger->reader, self->events [self->next].position - 1, 1,
            s_sql [self->events [self->next].table].types, s_hash, self);
    return code? stele_ledger_fail (self->ledger, code): 0;
}

//  -- rows --------------------------------------------------------------------------------

//  The fields of a column with JSON. Returns those that it has, in *given, or a code.
static int
s_read (s_erase_t *self, sqlite3_stmt *stmt, int column, stele_vocabulary_t states, stele_field_set_t *given)
{
    size_t size;
    *given = 0;
    stele_record_clear (self->record);
    if (sqlite3_column_type (stmt, column) == SQLITE_NULL)
        return 0;
    const char *text = stele_content_column (self->ledger->content, stmt, column, self->record, &size);
    int code = text? stele_json_fields_set (text, size, states, self->record): stele_content_error (self->ledger->content);
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT && code == 0; field++)
        if (stele_record_has (self->record, field))
            *given |= STELE_FIELD_BIT (field);
    return code? stele_ledger_fail (self->ledger, code): 0;
}

static void
s_set_erased (s_erase_t *self, stele_field_set_t fields)
{
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (fields & STELE_FIELD_BIT (field))
            stele_record_set_text (self->record, field, STELE_ERASED_TEXT, strlen (STELE_ERASED_TEXT));
}

//  The columns changes and replaced
static int
s_bind_history (s_erase_t *self, sqlite3_stmt *stmt, int64_t position)
{
    int code;
    stele_field_set_t given, named;
    stele_value_t changes = { .kind = STELE_VALUE_NONE }, replaced = changes;
    sqlite3_stmt *row = s_prepare (self, "SELECT kind, changes, replaced FROM main.task_history WHERE position = ?1", &code);
    if (code)
        return code;
    sqlite3_bind_int64 (row, 1, position);
    int rc = sqlite3_step (row);
    code = rc == SQLITE_ROW? s_read (self, row, 1, STELE_VOCABULARY_TASK_STATE, &given): stele_ledger_fail (self->ledger,
        stele_sql_code (rc)? stele_sql_code (rc): STELE_EINTERNAL);
    bool updated = code == 0 && sqlite3_column_int (row, 0) == STELE_HISTORY_UPDATED;
    if (code == 0) {
        //  A task.updated needs a field
        named = given & NAMED? given & NAMED: updated && !(given & LIVE)? STELE_FIELD_BIT (STELE_TITLE): 0;
        s_set_erased (self, named);
        code = stele_ledger_fields_json (self->ledger, self->record, (given & LIVE) | named, false, &changes);
        stele_content_bind (self->ledger->content, stmt, 3, &changes);
    }
    //  Those of other kinds have only nulls, provider and model
    if (code == 0 && !updated)
        sqlite3_bind_value (stmt, 4, sqlite3_column_value (row, 2));
    else
    if (code == 0) {
        stele_field_set_t kept = given & LIVE & ~STELE_FIELD_BIT (STELE_STATE);
        code = s_read (self, row, 2, STELE_VOCABULARY_TASK_STATE, &given);
        if (code == 0)
            code = stele_ledger_fields_json (self->ledger, self->record, kept, true, &replaced);
        if (code == 0)
            stele_content_bind (self->ledger->content, stmt, 4, &replaced);
    }
    sqlite3_finalize (row);
    return code;
}

static int
s_bind_session (s_erase_t *self, sqlite3_stmt *stmt, int64_t position)
{
    int code;
    stele_field_set_t given;
    stele_value_t fields = { .kind = STELE_VALUE_NONE };
    sqlite3_stmt *row = s_prepare (self, "SELECT fields FROM main.cli_session_history WHERE position = ?1", &code);
    if (code)
        return code;
    sqlite3_bind_int64 (row, 1, position);
    int rc = sqlite3_step (row);
    code = rc == SQLITE_ROW? s_read (self, row, 0, STELE_VOCABULARY_SESSION_STATE, &given): stele_ledger_fail (self->ledger,
        stele_sql_code (rc)? stele_sql_code (rc): STELE_EINTERNAL);
    if (code == 0) {
        s_set_erased (self, given & SESSION_NAMED);
        code = stele_ledger_fields_json (self->ledger, self->record, given & (SESSION_NAMED | SESSION_KEPT), false, &fields);
        stele_content_bind (self->ledger->content, stmt, 3, &fields);
    }
    sqlite3_finalize (row);
    return code;
}

static int
s_update (s_erase_t *self, const s_event_t *event)
{
    static const stele_value_t name = { .kind = STELE_VALUE_TEXT, .text = STELE_ERASED_TEXT, .size = sizeof STELE_ERASED_TEXT - 1 };
    int code = 0;
    stele_record_clear (self->ledger->scratch);
    if (!self->updates [event->table])
        self->updates [event->table] = s_prepare (self, s_sql [event->table].update, &code);
    sqlite3_stmt *stmt = self->updates [event->table];
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, event->position);
    stele_sql_bind_text (stmt, 2, event->extra, EXTRA_SIZE);
    if (event->table == HISTORY)
        code = s_bind_history (self, stmt, event->position);
    else
    if (event->table == SESSIONS)
        code = s_bind_session (self, stmt, event->position);
    else
    if (event->table == METRICS)
        code = stele_ledger_bind_word (self->ledger, stmt, 3, &name);
    return code? code: stele_ledger_run (self->ledger, stmt);
}

static int
s_update_all (s_erase_t *self)
{
    int code = 0;
    for (size_t i = 0; i < self->count && code == 0; i++)
        code = s_update (self, &self->events [i]);
    for (size_t i = 0; i < sizeof s_derived / sizeof s_derived [0] && code == 0; i++) {
        sqlite3_stmt *stmt = s_prepare (self, s_derived [i], &code);
        if (code)
            return code;
        sqlite3_bind_int64 (stmt, 1, self->task);
        code = stele_ledger_run (self->ledger, stmt);
        sqlite3_finalize (stmt);
    }
    return code;
}

//  -- refused events ------------------------------------------------------------------------

//  Is it about the task, or about a session of it, which 'session' finds?
static int
s_is_about (sqlite3_stmt *row, sqlite3_stmt *session, const char *id, size_t size)
{
    const char *why;
    const void *event = sqlite3_column_blob (row, 1);
    size_t event_size = (size_t) sqlite3_column_bytes (row, 1);
    if (!event || stele_scan_check (event, event_size, event_size, &why))
        return 0;
    stele_token_t found = stele_scan_find (event, event_size, "task_id", NULL, NULL);
    if (found.kind == STELE_SCAN_TEXT && found.size == size && memcmp (found.data, id, size) == 0)
        return 1;
    found = stele_scan_find (event, event_size, "session_id", NULL, NULL);
    if (found.kind != STELE_SCAN_TEXT || found.size == 0 || found.size > STELE_LIMIT_ID)
        return 0;
    stele_id_bind (session, 2, found.data, found.size);
    int rc = sqlite3_step (session);
    sqlite3_reset (session);
    return rc == SQLITE_ROW? 1: stele_sql_code (rc);
}

//  Those about the task and its sessions are emptied, and can no longer be retried
static int
s_empty_refused (s_erase_t *self, const char *id, size_t size, int64_t time_us)
{
    int code, rc = SQLITE_DONE;
    sqlite3_stmt *row = s_prepare (self, "SELECT id, event FROM main.rejected_events", &code);
    sqlite3_stmt *stmt = code? NULL: s_prepare (self, "UPDATE main.rejected_events SET event = x'c0', message = " ERASED
        ", retried_at = ifnull (retried_at, ?2) WHERE id = ?1", &code);
    sqlite3_stmt *session = code? NULL: s_prepare (self, "SELECT 1 FROM main.cli_sessions s JOIN main.tasks t"
        " ON t.task_id = s.task_id WHERE t.id = ?1 AND s.session_id = ?2", &code);
    if (session)
        sqlite3_bind_int64 (session, 1, self->task);
    while (code == 0 && (rc = sqlite3_step (row)) == SQLITE_ROW) {
        int about = s_is_about (row, session, id, size);
        if (about <= 0) {
            code = about? stele_ledger_fail (self->ledger, about): 0;
            continue;
        }
        sqlite3_bind_int64 (stmt, 1, sqlite3_column_int64 (row, 0));
        sqlite3_bind_int64 (stmt, 2, time_us);
        code = stele_ledger_run (self->ledger, stmt);
    }
    sqlite3_finalize (session);
    sqlite3_finalize (row);
    sqlite3_finalize (stmt);
    return code? code: stele_sql_code (rc)? stele_ledger_fail (self->ledger, stele_sql_code (rc)): 0;
}

//  -- the task ------------------------------------------------------------------------------

//  Its row of erased_tasks, if there is one. Returns 1, 0 or a code.
static int
s_erased_before (s_erase_t *self, stele_erasure_t *erasure)
{
    int code;
    sqlite3_stmt *stmt = s_prepare (self, "SELECT position, time, events, reason FROM main.erased_tasks WHERE id = ?1", &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, self->task);
    int rc = sqlite3_step (stmt);
    if (rc == SQLITE_ROW) {
        erasure->position = sqlite3_column_int64 (stmt, 0);
        erasure->time_us = sqlite3_column_int64 (stmt, 1);
        erasure->events = sqlite3_column_int64 (stmt, 2);
        snprintf (erasure->reason, sizeof erasure->reason, "%s", (const char *) sqlite3_column_text (stmt, 3));
    }
    sqlite3_finalize (stmt);
    return rc == SQLITE_ROW? 1: stele_sql_code (rc)? stele_ledger_fail (self->ledger, stele_sql_code (rc)): 0;
}

//  With this row in the transaction, the triggers let the events of the task be erased
static int
s_note (s_erase_t *self, const stele_erasure_t *erasure)
{
    int code;
    sqlite3_stmt *stmt = s_prepare (self, "INSERT OR REPLACE INTO main.erased_tasks (id, position, time, events, reason)"
        " VALUES (?1, ?2, ?3, ?4, ?5)", &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, self->task);
    sqlite3_bind_int64 (stmt, 2, erasure->position);
    sqlite3_bind_int64 (stmt, 3, erasure->time_us);
    sqlite3_bind_int64 (stmt, 4, erasure->events);
    stele_sql_bind_text (stmt, 5, erasure->reason, strlen (erasure->reason));
    code = stele_ledger_run (self->ledger, stmt);
    sqlite3_finalize (stmt);
    return code;
}

static int64_t
s_erase (s_erase_t *self, const char *id, size_t size, stele_erasure_t *erasure)
{
    stele_erasure_t before = { .task = self->task };
    int code = stele_task_cache_flush (self->ledger->tasks);
    for (int table = 0; table < TABLES && code == 0; table++)
        code = s_find (self, (s_table_t) table);
    int known = code? code: s_erased_before (self, &before);
    if (known < 0)
        return known;
    if (known && self->count == 0) {
        *erasure = before;
        return 0;
    }
    erasure->task = self->task;
    erasure->position = self->ledger->next;
    //  A backup may have events that were erased before they were written to it
    int64_t count = (int64_t) self->count > erasure->events? (int64_t) self->count: erasure->events;
    erasure->events = before.events + count;
    //  What is replaced is overwritten with zeros, in the pages that this transaction changes
    code = stele_sql_exec (self->ledger->db, "PRAGMA secure_delete = ON");
    code = code? stele_ledger_fail (self->ledger, code): s_hash_all (self);
    if (code == 0)
        code = s_note (self, erasure);
    if (code == 0)
        code = s_update_all (self);
    if (code == 0)
        code = s_empty_refused (self, id, size, erasure->time_us);
    stele_sql_exec (self->ledger->db, "PRAGMA secure_delete = OFF");
    stele_ledger_scrub_soon (self->ledger);
    return code? code: (int64_t) self->count;
}

static int
s_refuse_none (const char *id, size_t size, stele_refusal_t *refusal)
{
    char shown [STELE_QUOTE_SIZE];
    return stele_refuse (refusal, STELE_ENOT_FOUND, "task_id", "there is no task '%s'", stele_quote (shown, id, size));
}

int64_t
stele_ledger_erase (stele_ledger_t *self, const char *id, size_t size, stele_leaf_fn *fn, void *arg,
    stele_erasure_t *erasure, stele_refusal_t *refusal)
{
    stele_task_t *task = NULL;
    stele_value_t value = { .kind = STELE_VALUE_TEXT, .text = id, .size = (uint32_t) size };
    int code = STELE_FAULT_CODE (erase_before);
    if (code == 0)
        code = stele_task_cache_find (self->tasks, id, size, &task);
    if (code)
        return stele_ledger_fail (self, code);
    if (!task && self->archives) {
        int recalled = stele_ledger_recall (self, &value, refusal);
        if (recalled < 0)
            return recalled;
        code = recalled? stele_task_cache_find (self->tasks, id, size, &task): 0;
        if (code)
            return stele_ledger_fail (self, code);
    }
    if (!task)
        return s_refuse_none (id, size, refusal);
    if (task->life.state < STELE_TASK_TERMINAL_FROM)
        return stele_refuse (refusal, STELE_EBAD_REQUEST, "task_id", "the task is %s, and only ended tasks can be erased: end it, for "
            "example with task.state_changed to cancelled", stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, task->life.state));
    s_erase_t erase = { .ledger = self, .fn = fn, .arg = arg, .task = task->key, .record = stele_record_new () };
    int64_t erased = erase.record? s_erase (&erase, id, size, erasure): stele_ledger_fail (self, STELE_ENO_MEMORY);
    for (int table = 0; table < TABLES; table++)
        sqlite3_finalize (erase.updates [table]);
    stele_record_destroy (&erase.record);
    free (erase.events);
    if (erased >= 0)
        STELE_FAULT (erase_after);
    return erased;
}

static bool
s_is (const stele_record_t *event, stele_field_t field, const char *text)
{
    const stele_value_t *value = &event->values [field];
    return value->kind == STELE_VALUE_TEXT && value->size == strlen (text) && memcmp (value->text, text, value->size) == 0;
}

//  The id of the task with that first event; *size 0: there is none
static int
s_id_of (s_erase_t *self, int64_t task, char id [STELE_LIMIT_ID], size_t *size)
{
    int code;
    char room [STELE_ID_TEXT];
    *size = 0;
    sqlite3_stmt *stmt = s_prepare (self, "SELECT task_id FROM main.tasks WHERE id = ?1"
        " UNION ALL SELECT task_id FROM main.archived_tasks WHERE id = ?1", &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, task);
    int rc = sqlite3_step (stmt);
    const char *text = rc == SQLITE_ROW? stele_id_column (stmt, 0, room, size): NULL;
    if (text && *size <= STELE_LIMIT_ID)
        memcpy (id, text, *size);
    else
        *size = 0;
    sqlite3_finalize (stmt);
    return stele_sql_code (rc)? stele_ledger_fail (self->ledger, stele_sql_code (rc)): 0;
}

int64_t
stele_ledger_erase_again (stele_ledger_t *self, const stele_record_t *event, stele_leaf_fn *fn, void *arg,
    stele_refusal_t *refusal)
{
    const stele_value_t *target = &event->values [STELE_TARGET], *details = &event->values [STELE_DETAILS];
    if (event->type != STELE_AUDIT_RECORDED || !s_is (event, STELE_OPERATION, STELE_ERASED_OPERATION)
    ||  !s_is (event, STELE_OUTCOME, "ok") || stele_record_has (event, STELE_IMPORTED) || target->kind != STELE_VALUE_TEXT)
        return 0;
    stele_erasure_t erasure = { .time_us = event->values [STELE_TIME].integer };
    int code;
    s_erase_t reading = { .ledger = self };
    sqlite3_stmt *stmt = s_prepare (&reading, "SELECT json_extract (?1, '$.reason'), json_extract (?1, '$.time'),"
        " json_extract (?1, '$.events'), json_extract (?1, '$.first_position')", &code);
    if (code)
        return code;
    stele_sql_bind_value (stmt, 1, details);
    if (sqlite3_step (stmt) == SQLITE_ROW && sqlite3_column_type (stmt, 0) == SQLITE_TEXT) {
        snprintf (erasure.reason, sizeof erasure.reason, "%s", (const char *) sqlite3_column_text (stmt, 0));
        if (sqlite3_column_type (stmt, 1) == SQLITE_INTEGER)
            erasure.time_us = sqlite3_column_int64 (stmt, 1);
        erasure.events = sqlite3_column_int64 (stmt, 2);
        erasure.task = sqlite3_column_int64 (stmt, 3);
    }
    sqlite3_finalize (stmt);
    //  Its id may have had what looks like a secret: then the target is masked
    char id [STELE_LIMIT_ID];
    size_t size = 0;
    if (erasure.task && (code = s_id_of (&reading, erasure.task, id, &size)))
        return code;
    int64_t erased = stele_ledger_erase (self, size? id: target->text, size? size: target->size, fn, arg, &erasure, refusal);
    return erased == STELE_ENOT_FOUND? 0: erased;
}
