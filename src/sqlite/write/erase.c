/*  erase - remove the contents of a task, and of refused events about it

    The outputs of a task with very many of them follow in steps (erase_rest.c).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "fault/fault.h"
#include "sqlite/write/erase_rows.h"
#include "wire/quote.h"
#include "wire/scan.h"

#define OR_NULL(column) column " = iif (" column " IS NULL, NULL, " STELE_SQL_ERASED ")"

//  The rows that follow from the events
static const char *const s_derived [] = {
    "UPDATE main.tasks SET title = " STELE_SQL_ERASED ", " OR_NULL ("description") ", branch = NULL, worktree_path = NULL,"
    " base_branch = NULL, commit_hash = NULL, target_dir = NULL, full_access = NULL, provider_override = NULL,"
    " repository_url = NULL, acceptance_criteria = NULL, metadata = NULL WHERE id = ?1",
    "UPDATE main.cli_sessions SET " OR_NULL ("cli_tool") ", " OR_NULL ("mode") ", " OR_NULL ("current_directory") ", pid = NULL,"
    " authentication_required = NULL, auth_prompt = NULL WHERE task_id = (SELECT task_id FROM main.tasks WHERE id = ?1)"
};

typedef struct {
    stele_ledger_t *ledger;
    int64_t task;
    stele_erase_rows_t rows;
} s_erase_t;

static int
s_update_derived (s_erase_t *self)
{
    int code = 0;
    for (size_t i = 0; i < sizeof s_derived / sizeof s_derived [0] && code == 0; i++) {
        sqlite3_stmt *stmt = stele_erase_prepare (self->ledger, s_derived [i], &code);
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
    sqlite3_stmt *row = stele_erase_prepare (self->ledger, "SELECT id, event FROM main.rejected_events", &code);
    sqlite3_stmt *stmt = code? NULL: stele_erase_prepare (self->ledger, "UPDATE main.rejected_events SET event = x'c0', message = " STELE_SQL_ERASED
        ", retried_at = ifnull (retried_at, ?2) WHERE id = ?1", &code);
    sqlite3_stmt *session = code? NULL: stele_erase_prepare (self->ledger, "SELECT 1 FROM main.cli_sessions s JOIN main.tasks t"
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
    sqlite3_stmt *stmt = stele_erase_prepare (self->ledger, "SELECT position, time, events, reason FROM main.erased_tasks WHERE id = ?1", &code);
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
    sqlite3_stmt *stmt = stele_erase_prepare (self->ledger, "INSERT OR REPLACE INTO main.erased_tasks (id, position, time, events, reason)"
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

//  What has to be erased, without outputs up to 'rest', which are being erased. *outputs: they are too many for this batch.
//  Returns the number of events, or a code.
static int64_t
s_find (s_erase_t *self, int64_t rest, bool *outputs)
{
    size_t others = 0;
    int code = stele_task_cache_flush (self->ledger->tasks);
    for (int table = 0; table < STELE_ERASE_TABLES && code == 0; table++) {
        others = self->rows.count;
        code = stele_erase_rows_find (&self->rows, (stele_erase_table_t) table, self->task,
            table == STELE_ERASE_OUTPUTS? rest: 0);
    }
    int64_t count = (int64_t) self->rows.count;
    *outputs = self->rows.count - others > STELE_ERASE_STEP;
    if (*outputs)
        self->rows.count = others;
    return code? code: count;
}

static int
s_change (s_erase_t *self, const char *id, size_t size, const stele_erasure_t *erasure, bool outputs)
{
    //  What is replaced is overwritten with zeros, in the pages that this transaction changes
    int code = stele_sql_exec (self->ledger->db, "PRAGMA secure_delete = ON");
    code = code? stele_ledger_fail (self->ledger, code): s_note (self, erasure);
    if (code == 0)
        code = stele_erase_rows_run (&self->rows);
    if (code == 0)
        code = s_update_derived (self);
    if (code == 0)
        code = s_empty_refused (self, id, size, erasure->time_us);
    if (code == 0 && outputs)
        code = stele_ledger_erase_later (self->ledger, self->task);
    stele_sql_exec (self->ledger->db, "PRAGMA secure_delete = OFF");
    return code;
}

static int64_t
s_erase (s_erase_t *self, const char *id, size_t size, stele_erasure_t *erasure)
{
    bool outputs = false;
    stele_erasure_t before = { .task = self->task };
    int known = s_erased_before (self, &before);
    //  Those of an earlier request count as erased already
    int64_t rest = known > 0? stele_ledger_erase_next (self->ledger, self->task): known;
    int64_t count = rest < 0? rest: s_find (self, rest, &outputs);
    if (count < 0)
        return count;
    before.rest = rest > 0;
    if (known && count == 0) {
        *erasure = before;
        return 0;
    }
    erasure->task = self->task;
    erasure->position = self->ledger->next;
    //  A backup may have events that were erased before they were written to it
    erasure->events = before.events + (count > erasure->events? count: erasure->events);
    erasure->rest = outputs || before.rest;
    int code = s_change (self, id, size, erasure, outputs);
    stele_ledger_scrub_soon (self->ledger);
    return code? code: count;
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
    int64_t key = task->key;
    if (task->life.state < STELE_TASK_TERMINAL_FROM)
        return stele_refuse (refusal, STELE_EBAD_REQUEST, "task_id", "the task is %s, and only ended tasks can be erased: end it, for "
            "example with task.state_changed to cancelled", stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, task->life.state));
    //  Its sessions are archived by themselves
    if (self->archives && (code = stele_ledger_recall_sessions_of (self, key, refusal)))
        return code;
    s_erase_t erase = { .ledger = self, .task = key, .rows = { .ledger = self, .fn = fn, .arg = arg } };
    int64_t erased = s_erase (&erase, id, size, erasure);
    stele_erase_rows_clear (&erase.rows);
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
s_id_of (stele_ledger_t *self, int64_t task, char id [STELE_LIMIT_ID], size_t *size)
{
    int code;
    char room [STELE_ID_TEXT];
    *size = 0;
    sqlite3_stmt *stmt = stele_erase_prepare (self, "SELECT task_id FROM main.tasks WHERE id = ?1"
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
    return stele_sql_code (rc)? stele_ledger_fail (self, stele_sql_code (rc)): 0;
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
    sqlite3_stmt *stmt = stele_erase_prepare (self, "SELECT json_extract (?1, '$.reason'), json_extract (?1, '$.time'),"
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
    if (erasure.task && (code = s_id_of (self, erasure.task, id, &size)))
        return code;
    int64_t erased = stele_ledger_erase (self, size? id: target->text, size? size: target->size, fn, arg, &erasure, refusal);
    return erased == STELE_ENOT_FOUND? 0: erased;
}
