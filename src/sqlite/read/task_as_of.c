/*  task_as_of - what a task was

    The row of a task is what it became. What task.created gave is found by
    taking back what later events replaced; what the task was at a position or
    a time by going through its history again: once from the newest event back,
    where the first value that is met for a field is the one that held, and
    then through its states forward, by the rules of the lifecycle.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/read/reader_internal.h"

#define LOOK_EVERY 64                   // Rows between looks at the clock

//  Kept in a row of history itself, also of task.created
#define OWN_FIELDS (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_PROVIDER) \
    | STELE_FIELD_BIT (STELE_MODEL))

//  -- what task.created gave -------------------------------------------------------

static const reader_column_t s_created [] = {
    { STELE_TITLE, COLUMN_TEXT }, { STELE_DESCRIPTION, COLUMN_TEXT }, { STELE_ROLE, COLUMN_WORD },
    { STELE_BRANCH, COLUMN_TEXT }, { STELE_WORKTREE_PATH, COLUMN_TEXT },
    { STELE_BASE_BRANCH, COLUMN_WORD }, { STELE_COMMIT_HASH, COLUMN_ID },
    { STELE_TARGET_DIR, COLUMN_WORD }, { STELE_FULL_ACCESS, COLUMN_BOOL },
    { STELE_PROVIDER_OVERRIDE, COLUMN_WORD }, { STELE_REPOSITORY_URL, COLUMN_WORD },
    { STELE_ACCEPTANCE_CRITERIA, COLUMN_JSON }, { STELE_METADATA, COLUMN_JSON },
    { STELE_PARENT_ID, COLUMN_ID }
};
#define CREATED_COUNT ((int) (sizeof s_created / sizeof s_created [0]))
#define CREATED_SQL \
    "SELECT t.title, t.description, s.role, t.branch, t.worktree_path, t.base_branch," \
    " t.commit_hash, t.target_dir, t.full_access, t.provider_override, t.repository_url," \
    " t.acceptance_criteria, t.metadata, t.parent_id, s.last_history" \
    " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1"

int
reader_fail_json (stele_reader_t *self, int code)
{
    return reader_fail (self, code, code == STELE_ENO_MEMORY? "out of memory":
        "fields in a row are not the JSON that was written");
}

stele_field_set_t
reader_json_fields (stele_reader_t *self, const char *text, size_t size)
{
    stele_field_set_t set = 0;
    stele_json_fields_t members = stele_json_fields_start (text, size);
    stele_json_field_t member;
    int rc = 0;
    while (text && (rc = stele_json_fields_next (&members, &member)) == 1)
        if (member.field != STELE_FIELD_NONE)
            set |= STELE_FIELD_BIT (member.field);
    if (rc)
        reader_fail_json (self, rc);
    return set;
}

//  Set those members of an object whose fields are in *wanted, and take them out of it
static void
s_set_wanted (stele_reader_t *self, const char *text, size_t size, stele_field_set_t *wanted)
{
    stele_json_fields_t members = stele_json_fields_start (text, size);
    stele_json_field_t member;
    int rc;
    while ((rc = stele_json_fields_next (&members, &member)) == 1) {
        if (member.field == STELE_FIELD_NONE || !(*wanted & STELE_FIELD_BIT (member.field)))
            continue;
        rc = stele_json_field_set (&member, STELE_VOCABULARY_TASK_STATE, self->row);
        if (rc)
            break;
        *wanted &= ~STELE_FIELD_BIT (member.field);
    }
    if (rc)
        reader_fail_json (self, rc);
}

//  Positions of the task's events after 'position' that replaced something, newest first
static void
s_find_replacing (stele_reader_t *self, int64_t last, int64_t position, reader_keys_t *keys)
{
    for (int count = 1; last > position; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_CREATED_LINK,
            "SELECT previous, replaced IS NOT NULL FROM history_plain WHERE position = ?1", last);
        if (reader_step (self, statement) != 1 || (count % LOOK_EVERY == 0 && reader_overdue (self)))
            break;
        if (sqlite3_column_int (statement, 1))
            reader_keys_add (self, keys, last);
        last = sqlite3_column_int64 (statement, 0);
    }
}

stele_field_set_t
reader_created_fields (stele_reader_t *self, sqlite3_stmt *statement, int from, int replaced)
{
    //  No state before it, no placeholder that it filled in: all fields are its own
    if (sqlite3_column_type (statement, from) == SQLITE_NULL)
        return STELE_TASK_FIELDS;
    size_t size;
    const char *text = reader_column_text (self, statement, replaced, &size);
    return reader_json_fields (self, text, size);
}

int
reader_fill_created (stele_reader_t *self, const reader_created_t *created,
    stele_field_set_t decided)
{
    stele_field_set_t wanted = ~decided & ~OWN_FIELDS & created->filled;
    sqlite3_stmt *now = reader_with_key (self, SLOT_CREATED, CREATED_SQL, created->task);
    if (reader_step (self, now) != 1)
        return reader_fail (self, STELE_ELEDGER, "an event names a task that is not there");
    for (int i = 0; i < CREATED_COUNT; i++)
        if (wanted & STELE_FIELD_BIT (s_created [i].field))
            reader_fill (self, now, i, &s_created [i], 1);

    //  What was there before the oldest change after the event is what the event gave
    reader_keys_t keys = { NULL, 0, 0 };
    s_find_replacing (self, sqlite3_column_int64 (now, CREATED_COUNT), created->position, &keys);
    while (keys.count > 0 && wanted && self->status == 0 && !reader_overdue (self)) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_CREATED_REPLACED,
            "SELECT replaced FROM history_plain WHERE position = ?1", keys.keys [--keys.count]);
        if (reader_step (self, statement) != 1)
            break;
        size_t size;
        const char *replaced = reader_column_text (self, statement, 0, &size);
        s_set_wanted (self, replaced, size, &wanted);
    }
    reader_keys_free (&keys);
    return self->status;
}

//  -- what a task was ----------------------------------------------------------------

//  What an event did to the state of the task
typedef struct {
    int kind;
    stele_task_state_t state;       // 0: nothing
    int64_t time;
    bool with_error;
} s_step_t;

typedef struct {
    int64_t position;
    int64_t time;
} s_mark_t;

typedef struct {
    stele_reader_t *reader;
    int64_t position;               // Up to this one,
    int64_t time;                   // with times up to this one
    stele_field_set_t open;         // Fields whose value is not known yet
    s_step_t *steps;                // Newest first
    size_t count, room;
    s_mark_t newest, oldest;        // Of the events that count; position 0: none
    int64_t user;                   // words, of the oldest, or of task.created
    bool created;
    int64_t created_at;
    int64_t error_at;
    const char *kept;               // What task.created said of fields that were there
    size_t kept_size;
} s_as_of_t;

#define PAST_SQL \
    "SELECT previous, time, user_id, kind, state_to, provider, model," \
    " error_message IS NOT NULL, changes, replaced, task, state_from" \
    " FROM history_plain WHERE position = ?1"
enum {
    PAST_PREVIOUS, PAST_TIME, PAST_USER, PAST_KIND, PAST_TO, PAST_PROVIDER, PAST_MODEL,
    PAST_ERROR, PAST_CHANGES, PAST_REPLACED, PAST_TASK, PAST_FROM
};

static bool
s_counts (const s_as_of_t *past, int64_t position, int64_t time)
{
    return position <= past->position && time <= past->time;
}

//  An event that counts, of any kind
static void
s_note (s_as_of_t *past, int64_t position, sqlite3_stmt *statement)
{
    s_mark_t mark = { position, sqlite3_column_int64 (statement, PAST_TIME) };
    if (past->newest.position < position)
        past->newest = mark;
    if (past->oldest.position == 0 || position < past->oldest.position) {
        past->oldest = mark;
        if (!past->created)
            past->user = sqlite3_column_int64 (statement, PAST_USER);
    }
}

//  A word column, where its field is still open
static void
s_take_word (s_as_of_t *past, sqlite3_stmt *statement, int column, stele_field_t field)
{
    reader_column_t how = { (int8_t) field, COLUMN_WORD };
    if (!(past->open & STELE_FIELD_BIT (field))
    ||  sqlite3_column_type (statement, column) == SQLITE_NULL)
        return;
    reader_fill (past->reader, statement, column, &how, 1);
    past->open &= ~STELE_FIELD_BIT (field);
}

static stele_task_state_t
s_take_changes (s_as_of_t *past, sqlite3_stmt *statement)
{
    size_t size;
    const char *changes = reader_column_text (past->reader, statement, PAST_CHANGES, &size);
    s_set_wanted (past->reader, changes? changes: "", size, &past->open);
    stele_field_set_t given = reader_json_fields (past->reader, changes, size);
    return given & STELE_FIELD_BIT (STELE_STATE)?
        (stele_task_state_t) sqlite3_column_int (statement, PAST_TO): 0;
}

static stele_task_state_t
s_take_created (s_as_of_t *past, int64_t position, sqlite3_stmt *statement)
{
    stele_reader_t *self = past->reader;
    reader_created_t created = {
        .task = sqlite3_column_int64 (statement, PAST_TASK),
        .position = position,
        .filled = reader_created_fields (self, statement, PAST_FROM, PAST_REPLACED)
    };
    reader_fill_created (self, &created, ~past->open);
    if (created.filled & STELE_FIELD_BIT (STELE_PROVIDER))
        s_take_word (past, statement, PAST_PROVIDER, STELE_PROVIDER);
    if (created.filled & STELE_FIELD_BIT (STELE_MODEL))
        s_take_word (past, statement, PAST_MODEL, STELE_MODEL);
    past->open &= sqlite3_column_type (statement, PAST_FROM) == SQLITE_NULL? 0: ~created.filled;
    past->created = true;
    past->created_at = sqlite3_column_int64 (statement, PAST_TIME);
    past->user = sqlite3_column_int64 (statement, PAST_USER);

    size_t kept_size;
    const char *kept = reader_column_text (self, statement, PAST_CHANGES, &kept_size);
    stele_task_state_t state = (stele_task_state_t) sqlite3_column_int (statement, PAST_TO);
    if (kept) {
        past->kept_size = kept_size;
        char *copy = stele_record_alloc (self->row, past->kept_size);
        if (!copy) {
            reader_fail (self, STELE_ENO_MEMORY, "out of memory");
            return state;
        }
        past->kept = memcpy (copy, kept, past->kept_size);
        stele_field_set_t own = STELE_FIELD_BIT (STELE_STATE);
        s_set_wanted (self, kept, past->kept_size, &own);
        if (!own)
            state = (stele_task_state_t) self->row->values [STELE_STATE].integer;
    }
    return state;
}

static void
s_add_step (s_as_of_t *past, const s_step_t *step)
{
    s_step_t *steps = stele_array_grow (past->steps, &past->room, past->count + 1, sizeof *steps);
    if (!steps) {
        reader_fail (past->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    past->steps = steps;
    past->steps [past->count++] = *step;
}

static void
s_take_history (s_as_of_t *past, int64_t position, sqlite3_stmt *statement)
{
    s_note (past, position, statement);
    s_step_t step = {
        .kind = sqlite3_column_int (statement, PAST_KIND),
        .time = sqlite3_column_int64 (statement, PAST_TIME),
        .with_error = sqlite3_column_int (statement, PAST_ERROR) != 0
    };
    if (step.kind == STELE_HISTORY_CREATED)
        step.state = s_take_created (past, position, statement);
    else
    if (step.kind == STELE_HISTORY_UPDATED)
        step.state = s_take_changes (past, statement);
    else {
        step.state = (stele_task_state_t) sqlite3_column_int (statement, PAST_TO);
        s_take_word (past, statement, PAST_PROVIDER, STELE_PROVIDER);
        s_take_word (past, statement, PAST_MODEL, STELE_MODEL);
    }
    if (step.with_error && !past->error_at)
        past->error_at = position;
    s_add_step (past, &step);
}

static int
s_walk_history (s_as_of_t *past, int64_t position)
{
    stele_reader_t *self = past->reader;
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_HISTORY, PAST_SQL, position);
        if (reader_step (self, statement) != 1 || (count % LOOK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_counts (past, position, sqlite3_column_int64 (statement, PAST_TIME)))
            s_take_history (past, position, statement);
        position = sqlite3_column_int64 (statement, PAST_PREVIOUS);
    }
    if (past->kept && self->status == 0)
        s_set_wanted (self, past->kept, past->kept_size, &past->open);
    return self->status;
}

//  Outputs or metrics: the newest that counts, and where the task is still a placeholder
//  the oldest too
static int
s_walk_others (s_as_of_t *past, int slot, const char *sql, int64_t position)
{
    stele_reader_t *self = past->reader;
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, slot, sql, position);
        if (reader_step (self, statement) != 1 || (count % LOOK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_counts (past, position, sqlite3_column_int64 (statement, PAST_TIME))) {
            s_note (past, position, statement);
            if (past->created)
                break;
        }
        position = sqlite3_column_int64 (statement, PAST_PREVIOUS);
    }
    return self->status;
}

//  Through the states, oldest first. Where a time leaves out an event between others,
//  what remains need not be legal: it happened all the same.
static void
s_replay (s_as_of_t *past, stele_lifecycle_t *life)
{
    bool stated = false;
    *life = (stele_lifecycle_t) { .state = STELE_TASK_QUEUED };
    while (past->count > 0) {
        const s_step_t *step = &past->steps [--past->count];
        if (!step->state || (step->kind == STELE_HISTORY_CREATED && stated))
            continue;
        if (!stele_lifecycle_legal (life, step->state))
            life->interrupted = true;
        stele_lifecycle_move (life, step->state, step->time, step->with_error,
            step->kind == STELE_HISTORY_INTERRUPTED);
        stated = true;
    }
}

//  Into the row what is not a field that an event gave
static int
s_fill_past (s_as_of_t *past)
{
    stele_reader_t *self = past->reader;
    stele_record_t *row = self->row;
    stele_lifecycle_t life;
    s_replay (past, &life);
    stele_record_set_word (row, STELE_STATE, STELE_VOCABULARY_TASK_STATE, life.state);
    stele_record_set_integer (row, STELE_CREATED_AT,
        past->created? past->created_at: past->oldest.time);
    stele_record_set_integer (row, STELE_UPDATED_AT, past->newest.time);
    stele_record_set_integer (row, STELE_POSITION, past->newest.position);
    stele_record_set_integer (row, STELE_ERROR_COUNT, life.error_count);
    if (life.started_at)
        stele_record_set_integer (row, STELE_STARTED_AT, life.started_at);
    if (life.completed_at)
        stele_record_set_integer (row, STELE_COMPLETED_AT, life.completed_at);
    if (life.interrupted)
        stele_record_set_bool (row, STELE_INTERRUPTED, true);
    if (past->user) {
        size_t size;
        const char *user = reader_word (self, past->user, &size);
        if (user)
            stele_record_set_text (row, STELE_USER_ID, user, size);
    }
    if (past->error_at) {
        static const reader_column_t last_error = { STELE_LAST_ERROR, COLUMN_TEXT };
        sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_ERROR,
            "SELECT error_message FROM history_plain WHERE position = ?1", past->error_at);
        if (reader_step (self, statement) == 1)
            reader_fill (self, statement, 0, &last_error, 1);
    }
    reader_task_defaults (self);
    return self->status;
}

//  1 there is such a past in the row, 0 it was not there yet, or an error
static int
s_read_past (s_as_of_t *past, int64_t key)
{
    static const reader_column_t task_id = { STELE_TASK_ID, COLUMN_ID };
    stele_reader_t *self = past->reader;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_TASK,
        "SELECT s.last_history, s.last_output, s.last_metric, t.task_id"
        " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1", key);
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    if (s_walk_history (past, sqlite3_column_int64 (statement, 0))
    ||  s_walk_others (past, SLOT_AS_OF_OUTPUT,
            "SELECT previous, time, user_id FROM outputs_plain WHERE position = ?1",
            sqlite3_column_int64 (statement, 1))
    ||  s_walk_others (past, SLOT_AS_OF_METRIC,
            "SELECT previous, time, user_id FROM metrics_plain WHERE position = ?1",
            sqlite3_column_int64 (statement, 2)))
        return self->status;
    if (past->newest.position == 0)
        return 0;
    if (reader_fill (self, statement, 3, &task_id, 1))
        return self->status;
    return s_fill_past (past)? self->status: 1;
}

int
reader_row_as_of (stele_reader_t *self, int64_t key, int64_t position, int64_t time)
{
    s_as_of_t past = {
        .reader = self, .position = position, .time = time,
        .open = STELE_TASK_FIELDS & ~STELE_FIELD_BIT (STELE_STATE)
    };
    int rc = s_read_past (&past, key);
    free (past.steps);
    return rc;
}

//  Of the task with that id; position and time INT64_MAX: any
static int
s_task_as_of (stele_reader_t *self, const char *task_id, size_t size, int64_t position, int64_t time)
{
    sqlite3_stmt *statement = reader_statement (self, SLOT_AS_OF_KEY,
        "SELECT id FROM tasks WHERE task_id = ?1");
    reader_bind_id (statement, 1, task_id, size);
    int64_t key = reader_integer (self, statement, 0);
    return key > 0? reader_row_as_of (self, key, position, time): (int) key;
}

int
reader_task_as_of (stele_reader_t *self, const char *task_id, size_t size, int64_t position)
{
    return s_task_as_of (self, task_id, size, position, INT64_MAX);
}

int
stele_reader_task_at (stele_reader_t *self, const char *task_id, size_t size,
    int64_t position, int64_t time_us, stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    rc = s_task_as_of (self, task_id, size, position? position: INT64_MAX,
        position? INT64_MAX: time_us);
    return reader_return_row (self, rc, fn, arg);
}
