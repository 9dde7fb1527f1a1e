/*  append_task - the rows of an event about a task

    Rules are checked before the first row is written, so that a refused event
    leaves no trace. The row of tasks holds what a task is, the row of
    task_states (written at the end of the batch) what it does; the event
    itself is one row of history, outputs or metrics.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "ledger/ledger_internal.h"
#include "wire/event.h"

#define LIVE_FIELDS (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE) \
    | STELE_FIELD_BIT (STELE_PROVIDER) | STELE_FIELD_BIT (STELE_MODEL))

typedef struct {
    stele_ledger_t *ledger;
    const stele_record_t *event;
    stele_task_t *task;
    int64_t time;
    int64_t user;                   // words
    int64_t producer;
} s_append_t;

//  A row of task_history, as far as it differs between the kinds
typedef struct {
    int kind;
    int state_from;                 // 0: NULL
    int64_t provider, model;        // words, as the event gave them
    stele_value_t changes;
    stele_value_t replaced;
} s_history_t;

//  Columns of tasks from ?4 on, in the order of task_insert, task_update and task_select
static const struct { stele_field_t field; bool is_word; } s_columns [] = {
    { STELE_USER_ID, true }, { STELE_TITLE, false }, { STELE_DESCRIPTION, false },
    { STELE_BRANCH, false }, { STELE_WORKTREE_PATH, false }, { STELE_BASE_BRANCH, true },
    { STELE_COMMIT_HASH, false }, { STELE_TARGET_DIR, true }, { STELE_FULL_ACCESS, false },
    { STELE_PROVIDER_OVERRIDE, true }, { STELE_REPOSITORY_URL, true },
    { STELE_ACCEPTANCE_CRITERIA, false }, { STELE_METADATA, false }, { STELE_PARENT_ID, false }
};
#define COLUMN_COUNT (sizeof s_columns / sizeof s_columns [0])

static int
s_write_task (s_append_t *self, sqlite3_stmt *stmt, const stele_record_t *values, int64_t created)
{
    sqlite3_bind_int64 (stmt, 1, self->task->key);
    stele_sql_bind_key (stmt, 3, created);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const stele_value_t *value = &values->values [s_columns [i].field];
        if (!s_columns [i].is_word)
            stele_sql_bind_value (stmt, (int) i + 4, value);
        else {
            int code = stele_ledger_bind_word (self->ledger, stmt, (int) i + 4, value);
            if (code)
                return code;
        }
    }
    return stele_ledger_run (self->ledger, stmt);
}

//  A row of tasks for a task seen for the first time. 'values' is the event where it is
//  task.created; for a placeholder there is nothing to say yet.
static int
s_add_task (s_append_t *self, bool created)
{
    stele_ledger_t *ledger = self->ledger;
    const stele_value_t *id = &self->event->values [STELE_TASK_ID];
    self->task = stele_tasks_add (ledger->tasks, id->text, id->size, ledger->next);
    self->task->created_at = self->time;
    sqlite3_bind_text (ledger->task_insert, 2, id->text, (int) id->size, SQLITE_STATIC);
    if (created)
        return s_write_task (self, ledger->task_insert, self->event, ledger->next);
    //  The user of its first event is the task's, until task.created says otherwise
    stele_record_t *values = stele_record_new ();
    values->values [STELE_USER_ID] = self->event->values [STELE_USER_ID];
    int code = s_write_task (self, ledger->task_insert, values, 0);
    stele_record_destroy (&values);
    return code;
}

static int
s_word_text (s_append_t *self, int64_t number, stele_record_t *record, stele_field_t field)
{
    if (number == 0)
        return 0;
    sqlite3_stmt *stmt = self->ledger->word;
    sqlite3_bind_int64 (stmt, 1, number);
    int rc = sqlite3_step (stmt);
    if (rc == SQLITE_ROW) {
        size_t size = (size_t) sqlite3_column_bytes (stmt, 0);
        char *copy = stele_record_alloc (record, size + 1);
        memcpy (copy, sqlite3_column_text (stmt, 0), size);
        stele_record_set_text (record, field, copy, size);
    }
    sqlite3_reset (stmt);
    return stele_sql_code (rc);
}

//  What tasks and task_states say of the task now, into 'record'.
static int
s_read_task (s_append_t *self, stele_record_t *record, int64_t *created)
{
    sqlite3_stmt *stmt = self->ledger->task_select;
    sqlite3_bind_int64 (stmt, 1, self->task->key);
    int rc = sqlite3_step (stmt);
    if (rc == SQLITE_ROW) {
        *created = sqlite3_column_int64 (stmt, 0);
        for (size_t i = 0; i < COLUMN_COUNT; i++) {
            stele_field_t field = s_columns [i].field;
            int column = (int) i + 1;
            if (sqlite3_column_type (stmt, column) == SQLITE_NULL)
                continue;
            if (stele_field_kind (field) == STELE_KIND_BOOL)
                stele_record_set_bool (record, field, sqlite3_column_int (stmt, column));
            else
            if (stele_field_kind (field) == STELE_KIND_MAP)
                stele_record_set_json (record, field, (const char *) sqlite3_column_text (stmt, column),
                    (size_t) sqlite3_column_bytes (stmt, column));
            else
                stele_record_set_text (record, field, (const char *) sqlite3_column_text (stmt, column),
                    (size_t) sqlite3_column_bytes (stmt, column));
        }
        stele_record_own (record);
    }
    sqlite3_reset (stmt);
    if (rc != SQLITE_ROW)
        return stele_ledger_fail (self->ledger, rc == SQLITE_DONE? STELE_ELEDGER: stele_sql_code (rc));
    stele_record_set_word (record, STELE_STATE, STELE_VOCABULARY_TASK_STATE, self->task->life.state);
    int code = s_word_text (self, self->task->role, record, STELE_ROLE);
    if (code == 0)
        code = s_word_text (self, self->task->provider, record, STELE_PROVIDER);
    if (code == 0)
        code = s_word_text (self, self->task->model, record, STELE_MODEL);
    return code;
}

static int
s_words (s_append_t *self, int64_t *role, int64_t *provider, int64_t *model)
{
    const stele_value_t *values = self->event->values;
    stele_words_t *words = self->ledger->words;
    int code = stele_words_value (words, &values [STELE_ROLE], role);
    if (code == 0)
        code = stele_words_value (words, &values [STELE_PROVIDER], provider);
    if (code == 0)
        code = stele_words_value (words, &values [STELE_MODEL], model);
    return code? stele_ledger_fail (self->ledger, code): 0;
}

//  The task has one more event; its row will be written.
static void
s_touch (s_append_t *self)
{
    self->task->position = self->ledger->next;
    self->task->updated_at = self->time;
    stele_tasks_touch (self->ledger->tasks, self->task);
}

static int
s_write_history (s_append_t *self, const s_history_t *history)
{
    stele_ledger_t *ledger = self->ledger;
    sqlite3_stmt *stmt = ledger->history;
    const stele_value_t *values = self->event->values;
    sqlite3_bind_int64 (stmt, 1, ledger->next);
    sqlite3_bind_int64 (stmt, 2, self->task->key);
    stele_sql_bind_key (stmt, 3, self->task->last_history);
    sqlite3_bind_int (stmt, 4, history->kind);
    stele_sql_bind_key (stmt, 5, history->state_from);
    sqlite3_bind_int (stmt, 6, self->task->life.state);
    sqlite3_bind_int64 (stmt, 7, self->time);
    stele_sql_bind_key (stmt, 8, history->provider);
    stele_sql_bind_key (stmt, 9, history->model);
    stele_sql_bind_key (stmt, 10, self->user);
    stele_sql_bind_value (stmt, 11, &values [STELE_ERROR_MESSAGE]);
    stele_sql_bind_value (stmt, 12, &values [STELE_DETAILS]);
    stele_sql_bind_value (stmt, 13, &history->changes);
    stele_sql_bind_value (stmt, 14, &history->replaced);
    stele_sql_bind_value (stmt, 15, &self->event->extra);
    int code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    if (stele_record_has (self->event, STELE_ERROR_MESSAGE))
        self->task->last_error_at = ledger->next;
    self->task->last_history = ledger->next;
    s_touch (self);
    return 1;
}

//  Move the task to the state that the event gives; the transition is known to be legal.
static void
s_move (s_append_t *self, stele_task_state_t to, bool by_broker)
{
    stele_lifecycle_move (&self->task->life, to, self->time,
        stele_record_has (self->event, STELE_ERROR_MESSAGE), by_broker);
    if (to == STELE_TASK_RUNNING)
        self->task->owner = self->producer;
    self->task->flags |= STELE_TASK_FLAG_STATED;
}

static int
s_refuse_transition (s_append_t *self, stele_task_state_t to, stele_refusal_t *refusal)
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
    compare->equal = stele_record_equal (stored, compare->event);
    return 0;
}

//  A second task.created: 0 where it says what the first one said, else a refusal.
static int
s_created_again (s_append_t *self, stele_refusal_t *refusal)
{
    stele_ledger_t *ledger = self->ledger;
    //  The reader on this connection sees the batch, once the states are written
    int code = stele_tasks_flush (ledger->tasks);
    if (code)
        return stele_ledger_fail (ledger, code);
    stele_record_t *record = stele_record_new ();
    int64_t created = 0;
    code = s_read_task (self, record, &created);
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

//  task.created fills in a placeholder. What later events gave already stays; what this one
//  says of it is kept in changes, what it fills in is null in replaced.
static int
s_fill_in (s_append_t *self, s_history_t *history)
{
    const stele_record_t *event = self->event;
    stele_record_t *now = stele_record_new ();
    int64_t created = 0;
    int code = s_read_task (self, now, &created);
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
    //  The default is what an event without a state says
    if (!stele_record_has (event, STELE_STATE) && (self->task->flags & STELE_TASK_FLAG_STATED)) {
        stele_record_set_word (self->ledger->scratch, STELE_STATE,
            STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED);
        kept |= STELE_FIELD_BIT (STELE_STATE);
    }
    now->values [STELE_USER_ID] = event->values [STELE_USER_ID];
    if (code == 0)
        code = s_write_task (self, self->ledger->task_update, now, self->ledger->next);

    stele_record_t *said = stele_record_new ();
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
s_created (s_append_t *self, stele_refusal_t *refusal)
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
        code = s_add_task (self, true);
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
s_updated (s_append_t *self, stele_refusal_t *refusal)
{
    const stele_record_t *event = self->event;
    stele_task_state_t to = (stele_task_state_t) stele_record_integer (event, STELE_STATE, 0);
    if (to && self->task && !stele_lifecycle_legal (&self->task->life, to))
        return s_refuse_transition (self, to, refusal);
    s_history_t history = { .kind = STELE_HISTORY_UPDATED };
    int code = self->task? 0: s_add_task (self, false);
    history.state_from = self->task->position? self->task->life.state: 0;
    if (code)
        return code;

    stele_record_t *now = stele_record_new ();
    int64_t created = 0;
    code = s_read_task (self, now, &created);
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
        code = s_write_task (self, self->ledger->task_update, now, created);
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
s_state_changed (s_append_t *self, bool by_broker, stele_refusal_t *refusal)
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
    int code = self->task? 0: s_add_task (self, false);
    if (code == 0)
        code = s_words (self, &role, &history.provider, &history.model);
    if (code)
        return code;

    //  Who runs it now: kept in the task, and what it replaces in the history
    stele_task_t *task = self->task;
    bool new_provider = history.provider && history.provider != task->provider;
    bool new_model = history.model && history.model != task->model;
    if (new_provider || new_model) {
        stele_record_t *old = stele_record_new ();
        code = s_word_text (self, task->provider, old, STELE_PROVIDER);
        if (code == 0)
            code = s_word_text (self, task->model, old, STELE_MODEL);
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

static int
s_output_added (s_append_t *self)
{
    stele_ledger_t *ledger = self->ledger;
    int code = self->task? 0: s_add_task (self, false);
    if (code)
        return code;
    const stele_value_t *values = self->event->values;
    const void *data;
    size_t size;
    stele_encoding_t encoding = stele_content_pack (ledger->content, &values [STELE_CONTENT], &data, &size);
    sqlite3_stmt *stmt = ledger->output;
    sqlite3_bind_int64 (stmt, 1, ledger->next);
    sqlite3_bind_int64 (stmt, 2, self->task->key);
    stele_sql_bind_key (stmt, 3, self->task->last_output);
    stele_sql_bind_value (stmt, 4, &values [STELE_OUTPUT_TYPE]);
    sqlite3_bind_int64 (stmt, 5, self->time);
    stele_sql_bind_key (stmt, 6, self->user);
    stele_sql_bind_value (stmt, 7, &values [STELE_FILE_PATH]);
    stele_sql_bind_value (stmt, 8, &values [STELE_FILE_SIZE]);
    code = stele_ledger_bind_word (ledger, stmt, 9, &values [STELE_MIME_TYPE]);
    if (code)
        return code;
    stele_sql_bind_value (stmt, 10, &values [STELE_COMMIT_HASH]);
    stele_sql_bind_value (stmt, 11, &values [STELE_BRANCH]);
    stele_sql_bind_value (stmt, 12, &self->event->extra);
    sqlite3_bind_int (stmt, 13, encoding);
    if (encoding == STELE_ENCODING_PLAIN)
        stele_sql_bind_value (stmt, 14, &values [STELE_CONTENT]);
    else
        sqlite3_bind_blob (stmt, 14, data, (int) size, SQLITE_STATIC);
    code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    self->task->last_output = ledger->next;
    s_touch (self);
    return 1;
}

static int
s_metric_recorded (s_append_t *self)
{
    stele_ledger_t *ledger = self->ledger;
    int code = self->task? 0: s_add_task (self, false);
    if (code)
        return code;
    const stele_value_t *values = self->event->values;
    sqlite3_stmt *stmt = ledger->metric;
    sqlite3_bind_int64 (stmt, 1, ledger->next);
    sqlite3_bind_int64 (stmt, 2, self->task->key);
    stele_sql_bind_key (stmt, 3, self->task->last_metric);
    stele_sql_bind_value (stmt, 5, &values [STELE_VALUE]);
    code = stele_ledger_bind_word (ledger, stmt, 4, &values [STELE_NAME]);
    if (code == 0)
        code = stele_ledger_bind_word (ledger, stmt, 6, &values [STELE_UNIT]);
    if (code)
        return code;
    sqlite3_bind_int64 (stmt, 7, self->time);
    stele_sql_bind_key (stmt, 8, self->user);
    stele_sql_bind_value (stmt, 9, &self->event->extra);
    code = stele_ledger_run (ledger, stmt);
    if (code)
        return code;
    self->task->last_metric = ledger->next;
    s_touch (self);
    return 1;
}

int
stele_ledger_append_task (stele_ledger_t *ledger, const stele_record_t *event,
    int64_t producer, stele_refusal_t *refusal)
{
    s_append_t self = {
        .ledger = ledger,
        .event = event,
        .time = event->values [STELE_TIME].integer,
        .producer = producer
    };
    const stele_value_t *id = &event->values [STELE_TASK_ID];
    int code = stele_tasks_find (ledger->tasks, id->text, id->size, &self.task);
    if (code == 0)
        code = stele_words_value (ledger->words, &event->values [STELE_USER_ID], &self.user);
    if (code)
        return stele_ledger_fail (ledger, code);
    switch ((stele_event_type_t) event->type) {
        case STELE_TASK_CREATED:
            return s_created (&self, refusal);
        case STELE_TASK_UPDATED:
            return s_updated (&self, refusal);
        case STELE_TASK_STATE_CHANGED:
            return s_state_changed (&self, stele_record_has (event, STELE_INTERRUPTED), refusal);
        case STELE_TASK_OUTPUT_ADDED:
            return s_output_added (&self);
        default:
            return s_metric_recorded (&self);
    }
}
