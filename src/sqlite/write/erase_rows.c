/*  erase_rows - replace what rows of events say by the hashes of their lines

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/sql/json_fields.h"
#include "sqlite/write/erase_rows.h"

#define ERASED STELE_SQL_ERASED
#define IS_WHOLE "ifnull (r.extra, '') NOT GLOB '" STELE_ERASED_BEGIN "*'"
#define OR_NULL(column) column " = iif (" column " IS NULL, NULL, " ERASED ")"
#define EXTRA_SIZE (sizeof STELE_ERASED_BEGIN "\"}" - 1 + STELE_ERASED_LEAF_SIZE)

//  What a task.updated may keep: task_states, the counts and the lists by role follow from it
#define LIVE (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE) | STELE_FIELD_BIT (STELE_PROVIDER) \
    | STELE_FIELD_BIT (STELE_MODEL))
#define NAMED (STELE_FIELD_BIT (STELE_TITLE) | STELE_FIELD_BIT (STELE_DESCRIPTION))
#define SESSION_NAMED (STELE_FIELD_BIT (STELE_CLI_TOOL) | STELE_FIELD_BIT (STELE_MODE) \
    | STELE_FIELD_BIT (STELE_CURRENT_DIRECTORY))
#define SESSION_KEPT (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_TASK_ID))

//  X (table, column of cli_sessions with its last row)
#define SESSION_CHAIN(table, last) \
    "WITH RECURSIVE c (p) AS (SELECT s." last " FROM main.cli_sessions s JOIN main.tasks t ON t.task_id = s.task_id" \
    " WHERE t.id = ?1 AND s." last " IS NOT NULL UNION ALL SELECT e.previous FROM c JOIN main." table \
    " e ON e.position = c.p WHERE e.previous IS NOT NULL) SELECT p FROM c JOIN main." table " r ON r.position = c.p WHERE " IS_WHOLE
#define TASK_CHAIN(table, last) STELE_TASK_CHAIN (table, last) "SELECT p FROM c JOIN main." table " r ON r.position = c.p WHERE " IS_WHOLE

#define TYPE(type) (1u << STELE_##type)

//  The positions of a task that are not erased yet; how their rows are erased: ?1 the position, ?2 the column extra; and the
//  types of the events that are there
static const struct { const char *find, *update; uint32_t types; } s_sql [STELE_ERASE_TABLES] = {
    [STELE_ERASE_HISTORY] = { TASK_CHAIN ("task_history", "last_history"), "UPDATE main.task_history SET extra = ?2, changes = ?3,"
        " replaced = ?4, " OR_NULL ("error_message") ", details = NULL WHERE position = ?1",
        TYPE (TASK_CREATED) | TYPE (TASK_UPDATED) | TYPE (TASK_STATE_CHANGED) },
    [STELE_ERASE_OUTPUTS] = { TASK_CHAIN ("task_outputs", "last_output"), "UPDATE main.task_outputs SET extra = ?2, file_path = NULL,"
        " file_size = NULL, mime_type = NULL, commit_hash = NULL, branch = NULL, encoding = 0, content = " ERASED
        " WHERE position = ?1", TYPE (TASK_OUTPUT_ADDED) },
    [STELE_ERASE_METRICS] = { TASK_CHAIN ("task_metrics", "last_metric"),
        "UPDATE main.task_metrics SET extra = ?2, name = ?3, value = 0, unit = NULL WHERE position = ?1",
        TYPE (TASK_METRIC_RECORDED) },
    [STELE_ERASE_SESSIONS] = { SESSION_CHAIN ("cli_session_history", "last_history"),
        "UPDATE main.cli_session_history SET extra = ?2, fields = ?3 WHERE position = ?1",
        TYPE (SESSION_STARTED) | TYPE (SESSION_STATE_CHANGED) },
    [STELE_ERASE_COMMANDS] = { SESSION_CHAIN ("cli_session_commands", "last_command"), "UPDATE main.cli_session_commands SET extra = ?2,"
        " command = " ERASED ", encoding = 0, output = NULL WHERE position = ?1", TYPE (SESSION_COMMAND_EXECUTED) }
};

struct stele_erase_event {
    int64_t position;
    stele_erase_table_t table;
    char extra [EXTRA_SIZE + 1];
};

//  -- find, and hash ----------------------------------------------------------------------

sqlite3_stmt *
stele_erase_prepare (stele_ledger_t *ledger, const char *sql, int *code)
{
    sqlite3_stmt *stmt = stele_sql_prepare (ledger->db, sql);
    *code = stmt? 0: stele_ledger_fail (ledger, stele_sql_code (sqlite3_errcode (ledger->db)));
    return stmt;
}

void
stele_erase_rows_clear (stele_erase_rows_t *self)
{
    for (int table = 0; table < STELE_ERASE_TABLES; table++)
        sqlite3_finalize (self->updates [table]);
    stele_record_destroy (&self->record);
    free (self->events);
    *self = (stele_erase_rows_t) { .ledger = self->ledger, .fn = self->fn, .arg = self->arg };
}

static void
s_add (stele_erase_rows_t *self, stele_erase_table_t table, int64_t position)
{
    self->events = stele_array_must_grow (self->events, &self->room, self->count + 1, sizeof *self->events);
    self->events [self->count++] = (stele_erase_event_t) { .position = position, .table = table };
}

int
stele_erase_rows_find (stele_erase_rows_t *self, stele_erase_table_t table, int64_t task, int64_t after)
{
    int code, rc = SQLITE_DONE;
    sqlite3_stmt *stmt = stele_erase_prepare (self->ledger, s_sql [table].find, &code);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, task);
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW)
        if (sqlite3_column_int64 (stmt, 0) > after)
            s_add (self, table, sqlite3_column_int64 (stmt, 0));
    sqlite3_finalize (stmt);
    return stele_sql_code (rc)? stele_ledger_fail (self->ledger, stele_sql_code (rc)): 0;
}

int
stele_erase_rows_follow_outputs (stele_erase_rows_t *self, int64_t *position, int most)
{
    int code, rc = SQLITE_DONE;
    sqlite3_stmt *stmt = stele_erase_prepare (self->ledger, "SELECT r.position - r.previous_back, " IS_WHOLE
        " FROM main.task_outputs r WHERE r.position = ?1", &code);
    for (int i = 0; i < most && code == 0 && *position; i++) {
        sqlite3_bind_int64 (stmt, 1, *position);
        if ((rc = sqlite3_step (stmt)) == SQLITE_ROW && sqlite3_column_int (stmt, 1))
            s_add (self, STELE_ERASE_OUTPUTS, *position);
        *position = rc == SQLITE_ROW? sqlite3_column_int64 (stmt, 0): 0;
        sqlite3_reset (stmt);
        if (stele_sql_code (rc))
            code = stele_ledger_fail (self->ledger, stele_sql_code (rc));
    }
    sqlite3_finalize (stmt);
    return code;
}

static int
s_hash (const stele_record_t *event, void *arg)
{
    stele_erase_rows_t *self = arg;
    char leaf [STELE_ERASED_LEAF_SIZE + 1];
    int code = self->fn (event, leaf, self->arg);
    snprintf (self->events [self->next].extra, EXTRA_SIZE + 1, STELE_ERASED_BEGIN "%s\"}", code? "": leaf);
    return code;
}

static int
s_hash_all (stele_erase_rows_t *self)
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
s_read (stele_erase_rows_t *self, sqlite3_stmt *stmt, int column, stele_vocabulary_t states, stele_field_set_t *given)
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
s_set_erased (stele_erase_rows_t *self, stele_field_set_t fields)
{
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (fields & STELE_FIELD_BIT (field))
            stele_record_set_text (self->record, field, STELE_ERASED_TEXT, strlen (STELE_ERASED_TEXT));
}

//  The columns changes and replaced
static int
s_bind_history (stele_erase_rows_t *self, sqlite3_stmt *stmt, int64_t position)
{
    int code;
    stele_field_set_t given, named;
    stele_value_t changes = { .kind = STELE_VALUE_NONE }, replaced = changes;
    sqlite3_stmt *row = stele_erase_prepare (self->ledger, "SELECT kind, changes, replaced FROM main.task_history WHERE position = ?1", &code);
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
s_bind_session (stele_erase_rows_t *self, sqlite3_stmt *stmt, int64_t position)
{
    int code;
    stele_field_set_t given;
    stele_value_t fields = { .kind = STELE_VALUE_NONE };
    sqlite3_stmt *row = stele_erase_prepare (self->ledger, "SELECT fields FROM main.cli_session_history WHERE position = ?1", &code);
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
s_update (stele_erase_rows_t *self, const stele_erase_event_t *event)
{
    static const stele_value_t name = { .kind = STELE_VALUE_TEXT, .text = STELE_ERASED_TEXT, .size = sizeof STELE_ERASED_TEXT - 1 };
    int code = 0;
    stele_record_clear (self->ledger->scratch);
    if (!self->updates [event->table])
        self->updates [event->table] = stele_erase_prepare (self->ledger, s_sql [event->table].update, &code);
    sqlite3_stmt *stmt = self->updates [event->table];
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 1, event->position);
    stele_sql_bind_text (stmt, 2, event->extra, EXTRA_SIZE);
    if (event->table == STELE_ERASE_HISTORY)
        code = s_bind_history (self, stmt, event->position);
    else
    if (event->table == STELE_ERASE_SESSIONS)
        code = s_bind_session (self, stmt, event->position);
    else
    if (event->table == STELE_ERASE_METRICS)
        code = stele_ledger_bind_word (self->ledger, stmt, 3, &name);
    return code? code: stele_ledger_run (self->ledger, stmt);
}

int
stele_erase_rows_run (stele_erase_rows_t *self)
{
    if (!self->record && !(self->record = stele_record_new ()))
        return stele_ledger_fail (self->ledger, STELE_ENO_MEMORY);
    int code = s_hash_all (self);
    for (size_t i = 0; i < self->count && code == 0; i++)
        code = s_update (self, &self->events [i]);
    return code;
}
