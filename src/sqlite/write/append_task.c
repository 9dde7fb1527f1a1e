/*  append_task - the rows of an event about a task

    Rules are checked before the first row is written, so that a refused event
    leaves no trace. The row of tasks holds the fields that rarely change, the row
    of task_states (written at the end of the batch) those that change with its events;
    the event itself is one row of history, outputs or metrics.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "sqlite/write/append_internal.h"
#include "wire/event/event_codec.h"

//  Shorter messages are not compressed, so that SQL can read them
#define ERROR_PLAIN_BELOW 1024

#define LIVE_FIELDS (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE) \
    | STELE_FIELD_BIT (STELE_PROVIDER) | STELE_FIELD_BIT (STELE_MODEL))

//  The columns of task_history that differ between the kinds
typedef struct {
    int kind;
    int state_from;                 // 0: NULL
    int64_t provider, model;        // Words, as the event gave them
    stele_value_t changes;
    stele_value_t replaced;
} s_history_t;

static int
s_words (stele_append_t *self, int64_t *role, int64_t *provider, int64_t *model)
{
    const stele_value_t *values = self->event->values;
    stele_intern_t *words = self->ledger->words;
    int code = stele_intern_value (words, &values [STELE_ROLE], role);
    if (code == 0)
        code = stele_intern_value (words, &values [STELE_PROVIDER], provider);
    if (code == 0)
        code = stele_intern_value (words, &values [STELE_MODEL], model);
    return code? stele_ledger_fail (self->ledger, code): 0;
}

static int
s_write_history (stele_append_t *self, const s_history_t *history)
{
    stele_ledger_t *ledger = self->ledger;
    sqlite3_stmt *stmt = ledger->sql.history;
    const stele_value_t *values = self->event->values;
    stele_append_bind_back (self, stmt, self->task->last_history);
    sqlite3_bind_int (stmt, 4, history->kind);
    stele_sql_bind_key (stmt, 5, history->state_from);
    sqlite3_bind_int (stmt, 6, self->task->life.state);
    sqlite3_bind_int64 (stmt, 7, stele_append_elapsed (self));
    stele_sql_bind_key (stmt, 8, history->provider);
    stele_sql_bind_key (stmt, 9, history->model);
    stele_sql_bind_key (stmt, 10, self->user);
    if (values [STELE_ERROR_MESSAGE].size < ERROR_PLAIN_BELOW)
        stele_sql_bind_value (stmt, 11, &values [STELE_ERROR_MESSAGE]);
    else
        stele_content_bind (ledger->content, stmt, 11, &values [STELE_ERROR_MESSAGE]);
    stele_content_bind (ledger->content, stmt, 12, &values [STELE_DETAILS]);
    stele_content_bind (ledger->content, stmt, 13, &history->changes);
    stele_content_bind (ledger->content, stmt, 14, &history->replaced);
    stele_content_bind (ledger->content, stmt, 15, &self->event->extra);
    //  The first row has the owner in any case: rows without one continue it
    if (self->task->last_history == 0 || self->task->owner != self->owner_before)
        sqlite3_bind_int64 (stmt, 16, self->task->owner);
    else
        sqlite3_bind_null (stmt, 16);
    int code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    if (stele_record_has (self->event, STELE_ERROR_MESSAGE))
        self->task->last_error_at = ledger->next;
    self->task->last_history = ledger->next;
    stele_append_touch (self);
    return 1;
}

//  Move the task to the state of the event; the transition must be legal.
static void
s_move (stele_append_t *self, stele_task_state_t to, bool by_broker)
{
    stele_lifecycle_move (&self->task->life, to, self->time,
        stele_record_has (self->event, STELE_ERROR_MESSAGE), by_broker);
    if (!by_broker && self->producer != STELE_PRODUCER_SAME)
        self->task->owner = self->producer;
    self->task->flags |= STELE_TASK_FLAG_STATED;
}

static int
s_refuse_transition (stele_append_t *self, stele_task_state_t to, stele_refusal_t *refusal)
{
    const char *from = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, self->task->life.state);
    return stele_refuse (refusal, STELE_EILLEGAL, "state",
        "task is %s, which is terminal, and may not go to %s: only queued (a retry) may follow",
        from, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, to));
}

typedef struct { const stele_record_t *event; bool equal; } s_compare_t;

static int
s_compare (const stele_record_t *stored, void *arg)
{
    s_compare_t *compare = arg;
    //  The times may differ: clients stamp events, so a program that creates its tasks again when it
    //  is restarted gives another one
    stele_record_t same_time = *stored;
    same_time.values [STELE_TIME] = compare->event->values [STELE_TIME];
    compare->equal = stele_record_equal (&same_time, compare->event);
    return 0;
}

//  A second task.created: 0 if it is identical to the first one, else a refusal.
static int
s_created_again (stele_append_t *self, stele_refusal_t *refusal)
{
    stele_ledger_t *ledger = self->ledger;
    //  The reader on this connection sees the batch once the states are written
    int code = stele_task_cache_flush (ledger->tasks);
    if (code)
        return stele_ledger_fail (ledger, code);
    stele_record_t *record = stele_record_new ();
    if (!record)
        return stele_ledger_fail (ledger, STELE_ENO_MEMORY);
    int64_t created = 0;
    code = stele_append_row_read (self, record, &created);
    stele_record_destroy (&record);
    if (code)
        return code;
    s_compare_t compare = { self->event, false };
    code = stele_reader_events (ledger->reader, created - 1, 1, 1u << STELE_TASK_CREATED,
        s_compare, &compare);
    if (code)
        return stele_ledger_fail (ledger, code);
    if (compare.equal)
        return 0;
    return stele_refuse (refusal, STELE_EEXISTS, "task_id",
        "task was created at position %lld with other fields: use task.updated to change it",
        (long long) created);
}

//  task.created fills in a placeholder. Fields that later events have set already stay; this event's
//  values of them are kept in changes, and the fields that it fills in are null in replaced.
static int
s_fill_in (stele_append_t *self, s_history_t *history)
{
    const stele_record_t *event = self->event;
    stele_record_t *now = stele_record_new ();
    if (!now)
        return stele_ledger_fail (self->ledger, STELE_ENO_MEMORY);
    int64_t created = 0;
    int code = stele_append_row_read (self, now, &created);
    stele_field_set_t kept = 0, filled = 0;
    if (!(self->task->flags & STELE_TASK_FLAG_STATED))
        now->values [STELE_STATE].kind = STELE_VALUE_NONE;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) {
        if (!(STELE_TASK_FIELDS & STELE_FIELD_BIT (field)) || !stele_record_has (event, field))
            continue;
        if (stele_record_has (now, field))
            kept |= STELE_FIELD_BIT (field);
        else {
            filled |= STELE_FIELD_BIT (field);
            now->values [field] = event->values [field];
        }
    }
    //  An event without a state means the default
    if (!stele_record_has (event, STELE_STATE) && (self->task->flags & STELE_TASK_FLAG_STATED)) {
        stele_record_set_word (self->ledger->scratch, STELE_STATE,
            STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED);
        kept |= STELE_FIELD_BIT (STELE_STATE);
    }
    now->values [STELE_USER_ID] = event->values [STELE_USER_ID];
    if (code == 0)
        code = stele_append_row_update (self, now, self->ledger->next);

    stele_record_t *said = stele_record_new ();
    if (!said) {
        stele_record_destroy (&now);
        return stele_ledger_fail (self->ledger, STELE_ENO_MEMORY);
    }
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        said->values [field] = event->values [field];
    if (!stele_record_has (said, STELE_STATE))
        said->values [STELE_STATE] = self->ledger->scratch->values [STELE_STATE];
    if (code == 0)
        code = stele_ledger_fields_json (self->ledger, said, kept, false, &history->changes);
    stele_record_clear (said);
    if (code == 0)
        code = stele_ledger_fields_json (self->ledger, said,
            filled & ~STELE_FIELD_BIT (STELE_STATE), true, &history->replaced);
    stele_record_destroy (&said);
    stele_record_destroy (&now);
    return code;
}

static int
s_created (stele_append_t *self, stele_refusal_t *refusal)
{
    const stele_record_t *event = self->event;
    s_history_t history = { .kind = STELE_HISTORY_CREATED };
    int code = 0;
    if (self->task && (self->task->flags & STELE_TASK_FLAG_CREATED))
        return s_created_again (self, refusal);
    if (self->task) {
        history.state_from = self->task->life.state;
        code = s_fill_in (self, &history);
    }
    else
        code = stele_append_row_add (self, true);
    int64_t role, provider, model;
    if (code == 0)
        code = s_words (self, &role, &provider, &model);
    if (code)
        return code;

    stele_task_t *task = self->task;
    history.provider = provider;
    history.model = model;
    task->role = task->role? task->role: role;
    task->provider = task->provider? task->provider: provider;
    task->model = task->model? task->model: model;
    task->created_at = self->time;
    if (!(task->flags & STELE_TASK_FLAG_STATED)) {
        s_move (self, (stele_task_state_t) stele_record_integer (event, STELE_STATE, STELE_TASK_QUEUED), false);
    }
    task->flags |= STELE_TASK_FLAG_CREATED;
    return s_write_history (self, &history);
}

static int
s_updated (stele_append_t *self, stele_refusal_t *refusal)
{
    const stele_record_t *event = self->event;
    stele_task_state_t to = (stele_task_state_t) stele_record_integer (event, STELE_STATE, 0);
    if (to && self->task && !stele_lifecycle_legal (&self->task->life, to))
        return s_refuse_transition (self, to, refusal);
    s_history_t history = { .kind = STELE_HISTORY_UPDATED };
    int code = self->task? 0: stele_append_row_add (self, false);
    if (code)
        return code;
    history.state_from = self->task->position? self->task->life.state: 0;

    stele_record_t *now = stele_record_new ();
    if (!now)
        return stele_ledger_fail (self->ledger, STELE_ENO_MEMORY);
    int64_t created = 0;
    code = stele_append_row_read (self, now, &created);
    stele_field_set_t given = 0;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if ((STELE_TASK_FIELDS & STELE_FIELD_BIT (field)) && stele_record_has (event, field))
            given |= STELE_FIELD_BIT (field);
    if (code == 0)
        code = stele_ledger_fields_json (self->ledger, event, given, false, &history.changes);
    if (code == 0)
        code = stele_ledger_fields_json (self->ledger, now,
            given & ~STELE_FIELD_BIT (STELE_STATE), true, &history.replaced);
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (given & STELE_FIELD_BIT (field))
            now->values [field] = event->values [field];
    if (code == 0 && (given & ~LIVE_FIELDS))
        code = stele_append_row_update (self, now, created);
    stele_record_destroy (&now);

    int64_t role, provider, model;
    if (code == 0)
        code = s_words (self, &role, &provider, &model);
    if (code)
        return code;
    self->task->role = role? role: self->task->role;
    self->task->provider = provider? provider: self->task->provider;
    self->task->model = model? model: self->task->model;
    if (to)
        s_move (self, to, false);
    return s_write_history (self, &history);
}

static int
s_state_changed (stele_append_t *self, bool by_broker, stele_refusal_t *refusal)
{
    const stele_record_t *event = self->event;
    stele_task_state_t to = (stele_task_state_t) stele_record_integer (event, STELE_STATE, 0);
    if (self->task && !stele_lifecycle_legal (&self->task->life, to))
        return s_refuse_transition (self, to, refusal);
    s_history_t history = {
        .kind = by_broker? STELE_HISTORY_INTERRUPTED: STELE_HISTORY_STATE_CHANGED
    };
    if (self->task)
        history.state_from = self->task->life.state;
    int64_t role;
    int code = self->task? 0: stele_append_row_add (self, false);
    if (code == 0)
        code = s_words (self, &role, &history.provider, &history.model);
    if (code)
        return code;

    //  The new provider and model are stored in the task, the replaced ones in the history
    stele_task_t *task = self->task;
    bool new_provider = history.provider && history.provider != task->provider;
    bool new_model = history.model && history.model != task->model;
    if (new_provider || new_model) {
        stele_record_t *old = stele_record_new ();
        if (!old)
            return stele_ledger_fail (self->ledger, STELE_ENO_MEMORY);
        code = stele_append_row_word (self, task->provider, old, STELE_PROVIDER);
        if (code == 0)
            code = stele_append_row_word (self, task->model, old, STELE_MODEL);
        if (code == 0)
            code = stele_ledger_fields_json (self->ledger, old,
                (new_provider? STELE_FIELD_BIT (STELE_PROVIDER): 0)
                | (new_model? STELE_FIELD_BIT (STELE_MODEL): 0), true, &history.replaced);
        stele_record_destroy (&old);
        if (code)
            return code;
        task->provider = new_provider? history.provider: task->provider;
        task->model = new_model? history.model: task->model;
    }
    s_move (self, to, by_broker);
    return s_write_history (self, &history);
}

int
stele_ledger_append_task (stele_ledger_t *ledger, const stele_record_t *event,
    int64_t producer, stele_refusal_t *refusal)
{
    stele_append_t self = {
        .ledger = ledger,
        .event = event,
        .time = event->values [STELE_TIME].integer,
        .producer = producer
    };
    const stele_value_t *id = &event->values [STELE_TASK_ID];
    int code = stele_task_cache_find (ledger->tasks, id->text, id->size, &self.task);
    if (code == 0 && !self.task && ledger->archives) {
        int recalled = stele_ledger_recall (ledger, id, refusal);
        if (recalled < 0)
            return recalled;
        code = recalled? stele_task_cache_find (ledger->tasks, id->text, id->size, &self.task): 0;
    }
    if (code == 0)
        code = stele_intern_value (ledger->words, &event->values [STELE_USER_ID], &self.user);
    if (code)
        return stele_ledger_fail (ledger, code);
    self.owner_before = self.task? self.task->owner: 0;
    switch ((stele_event_type_t) event->type) {
        case STELE_TASK_CREATED:
            return s_created (&self, refusal);
        case STELE_TASK_UPDATED:
            return s_updated (&self, refusal);
        case STELE_TASK_STATE_CHANGED:
            return s_state_changed (&self, stele_record_has (event, STELE_INTERRUPTED), refusal);
        case STELE_TASK_OUTPUT_ADDED:
            return stele_append_output (&self);
        case STELE_TASK_METRIC_RECORDED:
            return stele_append_metric (&self);
        default:
            assert (false);
            return STELE_EINTERNAL;
    }
}
