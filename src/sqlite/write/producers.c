/*  producers - the rows of producers, fences and refused events; interruptions

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"

//  Read the row of a statement over STELE_PRODUCER_COLUMNS. Returns SQLITE_ROW or SQLITE_NOMEM.
static int
s_read (sqlite3_stmt *stmt, stele_producer_t *producer)
{
    *producer = (stele_producer_t) {
        .id = sqlite3_column_int64 (stmt, 0),
        .sequence = sqlite3_column_int64 (stmt, 2),
        .lease_ms = sqlite3_column_int64 (stmt, 4),
        .status = sqlite3_column_int (stmt, 5),
        .seen_at = sqlite3_column_int64 (stmt, 6)
    };
    const char *name = (const char *) sqlite3_column_text (stmt, 1);
    const char *instance = (const char *) sqlite3_column_text (stmt, 3);
    if (!name || !instance)
        return SQLITE_NOMEM;
    snprintf (producer->name, sizeof producer->name, "%s", name);
    snprintf (producer->instance, sizeof producer->instance, "%s", instance);
    return SQLITE_ROW;
}

int
stele_ledger_producers (stele_ledger_t *self, stele_producer_fn *fn, void *arg)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "SELECT " STELE_PRODUCER_COLUMNS " FROM producers WHERE instance IS NOT ''");
    if (!stmt)
        return stele_ledger_fail (self, STELE_EINTERNAL);
    int rc;
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        stele_producer_t producer;
        rc = s_read (stmt, &producer);
        if (rc != SQLITE_ROW)
            break;
        fn (&producer, arg);
    }
    sqlite3_finalize (stmt);
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_producer_find (stele_ledger_t *self, const char *name, stele_producer_t *producer)
{
    sqlite3_stmt *stmt = self->sql.producer_find;
    sqlite3_bind_text (stmt, 1, name, -1, SQLITE_STATIC);
    int rc = stele_sql_step (stmt);
    if (rc == SQLITE_ROW)
        rc = s_read (stmt, producer);
    sqlite3_reset (stmt);
    return rc == SQLITE_ROW? 1: rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_producer_owns (stele_ledger_t *self, int64_t producer)
{
    //  The query reads rows, so write what this batch changed first
    int code = sqlite3_get_autocommit (self->db)? 0: stele_task_cache_flush (self->tasks);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_bind_int64 (self->sql.producer_owns, 1, producer);
    int rc = stele_sql_step (self->sql.producer_owns);
    sqlite3_reset (self->sql.producer_owns);
    return rc == SQLITE_ROW? 1: rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_producer_save (stele_ledger_t *self, stele_producer_t *producer)
{
    int code = STELE_FAULT_CODE (producer_save_before);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_stmt *stmt = producer->id? self->sql.producer_update: self->sql.producer_insert;
    if (producer->id)
        sqlite3_bind_int64 (stmt, 1, producer->id);
    else
        sqlite3_bind_text (stmt, 2, producer->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (stmt, 3, producer->sequence);
    //  '' is an anonymous one that is gone
    stele_sql_bind_text (stmt, 4, *producer->instance || producer->anonymous? producer->instance: NULL,
        strlen (producer->instance));
    stele_sql_bind_key (stmt, 5, producer->lease_ms);
    sqlite3_bind_int (stmt, 6, producer->status);
    sqlite3_bind_int64 (stmt, 7, producer->seen_at);
    code = stele_ledger_run (self, stmt);
    if (code == 0 && producer->id == 0)
        producer->id = sqlite3_last_insert_rowid (self->db);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_PRODUCER, producer->id, producer->name, producer->instance,
            (int64_t) producer->anonymous, producer->sequence, producer->lease_ms, (int64_t) producer->status,
            producer->seen_at);
    return code;
}

int
stele_ledger_producer_advance (stele_ledger_t *self, int64_t producer, int64_t sequence)
{
    int code = STELE_FAULT_CODE (producer_advance_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_note_sequence (self, producer, sequence);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_SEQUENCE, producer, sequence);
    return code;
}

int
stele_ledger_fence (stele_ledger_t *self, int64_t producer, const char *instance, int64_t time_us)
{
    int code = STELE_FAULT_CODE (fence_before);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_bind_int64 (self->sql.fence, 1, producer);
    sqlite3_bind_text (self->sql.fence, 2, instance, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (self->sql.fence, 3, time_us);
    code = stele_ledger_run (self, self->sql.fence);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_FENCE, producer, instance, time_us);
    STELE_FAULT (fence_after);
    return code;
}

int
stele_ledger_fenced (stele_ledger_t *self, int64_t producer, const char *instance)
{
    sqlite3_bind_int64 (self->sql.fenced, 1, producer);
    sqlite3_bind_text (self->sql.fenced, 2, instance, -1, SQLITE_STATIC);
    int rc = sqlite3_step (self->sql.fenced);
    sqlite3_reset (self->sql.fenced);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_reject (stele_ledger_t *self, int64_t producer, int64_t sequence,
    const stele_refusal_t *refusal, int64_t time_us,
    const void *event, size_t event_size, int64_t *id)
{
    int code = STELE_FAULT_CODE (reject_before);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_stmt *stmt = self->sql.reject;
    const char *code_name = stele_error_name (refusal->code);
    stele_sql_bind_key (stmt, 1, producer);
    stele_sql_bind_key (stmt, 2, sequence);
    sqlite3_bind_text (stmt, 3, code_name, -1, SQLITE_STATIC);
    stele_sql_bind_text (stmt, 4, *refusal->field? refusal->field: NULL, strlen (refusal->field));
    sqlite3_bind_text (stmt, 5, refusal->message, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (stmt, 6, time_us);
    sqlite3_bind_blob (stmt, 7, event_size? event: "", (int) event_size, SQLITE_STATIC);
    code = stele_ledger_run (self, stmt);
    if (code == 0)
        self->next_rejected = sqlite3_last_insert_rowid (self->db);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_REFUSAL, self->next_rejected, producer, sequence, code_name,
            refusal->field, refusal->message, time_us, event_size? event: "", event_size);
    if (code == 0 && id)
        *id = self->next_rejected;
    STELE_FAULT (reject_after);
    return code;
}

int
stele_ledger_rejected_done (stele_ledger_t *self, int64_t id, int64_t time_us, int64_t position)
{
    sqlite3_bind_int64 (self->sql.rejected_done, 1, id);
    sqlite3_bind_int64 (self->sql.rejected_done, 2, time_us);
    stele_sql_bind_key (self->sql.rejected_done, 3, position);
    int code = stele_ledger_run (self, self->sql.rejected_done);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_RETRY, id, time_us, position);
    return code;
}

//  Ids of at most STELE_INTERRUPT_MAX tasks in progress, in the arena of the record.
static int
s_in_progress (stele_ledger_t *self, int64_t producer, stele_record_t *arena,
    stele_value_t *ids, int *count)
{
    sqlite3_stmt *stmt = self->sql.in_progress;
    sqlite3_bind_int64 (stmt, 1, producer);
    int rc;
    *count = 0;
    while ((rc = sqlite3_step (stmt)) == SQLITE_ROW) {
        char room [STELE_ID_TEXT];
        size_t size;
        const char *id = stele_id_column (stmt, 0, room, &size);
        char *copy = id? stele_record_alloc (arena, size): NULL;
        if (!copy) {
            bool is_short = id || sqlite3_errcode (self->db) == SQLITE_NOMEM;
            rc = is_short? SQLITE_NOMEM: SQLITE_CORRUPT;
            break;
        }
        memcpy (copy, id, size);
        ids [*count].kind = STELE_VALUE_TEXT;
        ids [*count].text = copy;
        ids [*count].size = (uint32_t) size;
        ++*count;
    }
    sqlite3_reset (stmt);
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int64_t
stele_ledger_interrupt (stele_ledger_t *self, int64_t producer, const char *reason, int64_t time_us, int64_t most)
{
    stele_record_t *arena = stele_record_new ();
    stele_record_t *event = stele_record_new ();
    if (!arena || !event) {
        stele_record_destroy (&arena);
        stele_record_destroy (&event);
        return stele_ledger_fail (self, STELE_ENO_MEMORY);
    }
    event->type = STELE_TASK_STATE_CHANGED;
    stele_record_set_integer (event, STELE_TIME, time_us);
    stele_record_set_word (event, STELE_STATE, STELE_VOCABULARY_TASK_STATE, STELE_TASK_FAILED);
    stele_record_set_text (event, STELE_ERROR_MESSAGE, reason, strlen (reason));
    stele_record_set_bool (event, STELE_INTERRUPTED, true);

    int64_t interrupted = 0;
    int64_t code;
    int count;
    do {
        //  The query reads rows, so write what this batch changed first
        stele_value_t ids [STELE_INTERRUPT_MAX];
        stele_record_clear (arena);
        code = stele_task_cache_flush (self->tasks);
        if (code)
            stele_ledger_fail (self, (int) code);
        else
            code = s_in_progress (self, producer, arena, ids, &count);
        for (int i = 0; i < count && code == 0 && interrupted < most; i++) {
            event->values [STELE_TASK_ID] = ids [i];
            int64_t position;
            code = stele_ledger_append (self, event, 0, &position, NULL);
            if (code == 1) {
                interrupted++;
                code = STELE_FAULT_CODE (interrupt_inside);
            }
        }
    } while (code == 0 && count > 0 && interrupted < most);
    stele_record_destroy (&event);
    stele_record_destroy (&arena);
    return code? code: interrupted;
}
