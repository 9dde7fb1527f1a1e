/*  task_as_of - a task as it was

    A task's row has its current values. The values that task.created gave are
    found by undoing what later events replaced. A task as of a position or a time
    is found by reading its history twice: from the newest event back, where the
    first value met for a field is the one that held then; and its states
    forward, by the rules of the lifecycle.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/reader/reader_internal.h"

#define CHECK_EVERY 64                   // Rows between checks of the deadline

//  Fields that a row of history has itself, also that of task.created
#define OWN_FIELDS (STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_PROVIDER) \
    | STELE_FIELD_BIT (STELE_MODEL))

//  -- values that task.created gave ----------------------------------------------------

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
        "fields in a row are damaged: not valid JSON");
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

//  Set the members of an object whose fields are in *wanted, and remove these from it
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

//  Positions of the task's events after 'position' that replaced a value, newest first
static void
s_find_replacing (stele_reader_t *self, int64_t last, int64_t position, reader_keys_t *keys)
{
    for (int count = 1; last > position; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_CREATED_LINK,
            "SELECT previous, replaced IS NOT NULL FROM history_plain WHERE position = ?1", last);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        if (sqlite3_column_int (statement, 1))
            reader_keys_add (self, keys, last);
        last = sqlite3_column_int64 (statement, 0);
    }
}

stele_field_set_t
reader_created_fields (stele_reader_t *self, sqlite3_stmt *statement, int from, int replaced)
{
    //  No state before it: there was no placeholder to fill in, so it gave all fields
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
        return reader_fail (self, STELE_ELEDGER, "an event refers to a task that the ledger does not have");
    for (int i = 0; i < CREATED_COUNT; i++)
        if (wanted & STELE_FIELD_BIT (s_created [i].field))
            reader_fill (self, now, i, &s_created [i], 1);

    //  The event gave the value that the oldest later change replaced
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

//  -- the task as of a position or a time ----------------------------------------------

//  One event of the task, by its effect on the state
typedef struct {
    int kind;
    stele_task_state_t state;       // 0: none
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
    s_mark_t newest, oldest;        // Of the events in range; position 0: none
    int64_t owner;                  // producers.id; 0: none, or not known
    bool owner_known, moved;        // An event in range gave it; an event after the range set the state
    int64_t user;                   // A word: of task.created, else of the oldest event
    bool created;
    int64_t created_at;
    int64_t error_at;
    const char *kept;               // JSON of task.created: values for fields that had one
    size_t kept_size;
} s_as_of_t;

#define AS_OF_SQL \
    "SELECT previous, time, user_id, kind, state_to, provider, model," \
    " error_message IS NOT NULL, changes, replaced, task, state_from, owner" \
    " FROM history_plain WHERE position = ?1"
enum {
    AS_OF_PREVIOUS, AS_OF_TIME, AS_OF_USER, AS_OF_KIND, AS_OF_TO, AS_OF_PROVIDER, AS_OF_MODEL,
    AS_OF_ERROR, AS_OF_CHANGES, AS_OF_REPLACED, AS_OF_TASK, AS_OF_FROM, AS_OF_OWNER
};

static bool
s_in_range (const s_as_of_t *as_of, int64_t position, int64_t time)
{
    return position <= as_of->position && time <= as_of->time;
}

//  An event in range, of any kind
static void
s_note (s_as_of_t *as_of, int64_t position, sqlite3_stmt *statement)
{
    s_mark_t mark = { position, sqlite3_column_int64 (statement, AS_OF_TIME) };
    if (as_of->newest.position < position)
        as_of->newest = mark;
    if (as_of->oldest.position == 0 || position < as_of->oldest.position) {
        as_of->oldest = mark;
        if (!as_of->created)
            as_of->user = sqlite3_column_int64 (statement, AS_OF_USER);
    }
}

//  A word column, if its field is still open
static void
s_take_word (s_as_of_t *as_of, sqlite3_stmt *statement, int column, stele_field_t field)
{
    reader_column_t how = { (int8_t) field, COLUMN_WORD };
    if (!(as_of->open & STELE_FIELD_BIT (field))
    ||  sqlite3_column_type (statement, column) == SQLITE_NULL)
        return;
    reader_fill (as_of->reader, statement, column, &how, 1);
    as_of->open &= ~STELE_FIELD_BIT (field);
}

static stele_task_state_t
s_take_changes (s_as_of_t *as_of, sqlite3_stmt *statement)
{
    size_t size;
    const char *changes = reader_column_text (as_of->reader, statement, AS_OF_CHANGES, &size);
    s_set_wanted (as_of->reader, changes? changes: "", size, &as_of->open);
    stele_field_set_t given = reader_json_fields (as_of->reader, changes, size);
    return given & STELE_FIELD_BIT (STELE_STATE)?
        (stele_task_state_t) sqlite3_column_int (statement, AS_OF_TO): 0;
}

static stele_task_state_t
s_take_created (s_as_of_t *as_of, int64_t position, sqlite3_stmt *statement)
{
    stele_reader_t *self = as_of->reader;
    reader_created_t created = {
        .task = sqlite3_column_int64 (statement, AS_OF_TASK),
        .position = position,
        .filled = reader_created_fields (self, statement, AS_OF_FROM, AS_OF_REPLACED)
    };
    reader_fill_created (self, &created, ~as_of->open);
    if (created.filled & STELE_FIELD_BIT (STELE_PROVIDER))
        s_take_word (as_of, statement, AS_OF_PROVIDER, STELE_PROVIDER);
    if (created.filled & STELE_FIELD_BIT (STELE_MODEL))
        s_take_word (as_of, statement, AS_OF_MODEL, STELE_MODEL);
    as_of->open &= sqlite3_column_type (statement, AS_OF_FROM) == SQLITE_NULL? 0: ~created.filled;
    as_of->created = true;
    as_of->created_at = sqlite3_column_int64 (statement, AS_OF_TIME);
    as_of->user = sqlite3_column_int64 (statement, AS_OF_USER);

    size_t kept_size;
    const char *kept = reader_column_text (self, statement, AS_OF_CHANGES, &kept_size);
    stele_task_state_t state = (stele_task_state_t) sqlite3_column_int (statement, AS_OF_TO);
    if (kept) {
        as_of->kept_size = kept_size;
        char *copy = stele_record_alloc (self->row, as_of->kept_size);
        if (!copy) {
            reader_fail (self, STELE_ENO_MEMORY, "out of memory");
            return state;
        }
        as_of->kept = memcpy (copy, kept, as_of->kept_size);
        stele_field_set_t own = STELE_FIELD_BIT (STELE_STATE);
        s_set_wanted (self, kept, as_of->kept_size, &own);
        if (!own)
            state = (stele_task_state_t) self->row->values [STELE_STATE].integer;
    }
    return state;
}

static void
s_add_step (s_as_of_t *as_of, const s_step_t *step)
{
    s_step_t *steps = stele_array_grow (as_of->steps, &as_of->room, as_of->count + 1, sizeof *steps);
    if (!steps) {
        reader_fail (as_of->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    as_of->steps = steps;
    as_of->steps [as_of->count++] = *step;
}

static void
s_take_history (s_as_of_t *as_of, int64_t position, sqlite3_stmt *statement)
{
    s_note (as_of, position, statement);
    s_step_t step = {
        .kind = sqlite3_column_int (statement, AS_OF_KIND),
        .time = sqlite3_column_int64 (statement, AS_OF_TIME),
        .with_error = sqlite3_column_int (statement, AS_OF_ERROR) != 0
    };
    if (step.kind == STELE_HISTORY_CREATED)
        step.state = s_take_created (as_of, position, statement);
    else
    if (step.kind == STELE_HISTORY_UPDATED)
        step.state = s_take_changes (as_of, statement);
    else {
        step.state = (stele_task_state_t) sqlite3_column_int (statement, AS_OF_TO);
        s_take_word (as_of, statement, AS_OF_PROVIDER, STELE_PROVIDER);
        s_take_word (as_of, statement, AS_OF_MODEL, STELE_MODEL);
    }
    if (step.with_error && !as_of->error_at)
        as_of->error_at = position;
    s_add_step (as_of, &step);
}

//  Newest first. Events of earlier versions do not contain the owner: then it is the current one if no
//  later event set the state.
static void
s_take_owner (s_as_of_t *as_of, sqlite3_stmt *statement, bool in_range)
{
    bool given = sqlite3_column_type (statement, AS_OF_OWNER) != SQLITE_NULL;
    if (in_range && given && !as_of->owner_known) {
        as_of->owner = sqlite3_column_int64 (statement, AS_OF_OWNER);
        as_of->owner_known = true;
    }
    if (!in_range)
        as_of->moved |= given || sqlite3_column_int (statement, AS_OF_KIND) != STELE_HISTORY_INTERRUPTED;
}

static int
s_read_history (s_as_of_t *as_of, int64_t position)
{
    stele_reader_t *self = as_of->reader;
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_HISTORY, AS_OF_SQL, position);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        bool in_range = s_in_range (as_of, position, sqlite3_column_int64 (statement, AS_OF_TIME));
        s_take_owner (as_of, statement, in_range);
        if (in_range)
            s_take_history (as_of, position, statement);
        position = sqlite3_column_int64 (statement, AS_OF_PREVIOUS);
    }
    if (as_of->kept && self->status == 0)
        s_set_wanted (self, as_of->kept, as_of->kept_size, &as_of->open);
    return self->status;
}

//  Outputs or metrics: the newest in range, and if the task is still a placeholder the oldest too
static int
s_read_others (s_as_of_t *as_of, int slot, const char *sql, int64_t position)
{
    stele_reader_t *self = as_of->reader;
    for (int count = 1; position > 0; count++) {
        sqlite3_stmt *statement = reader_with_key (self, slot, sql, position);
        if (reader_step (self, statement) != 1 || (count % CHECK_EVERY == 0 && reader_overdue (self)))
            break;
        if (s_in_range (as_of, position, sqlite3_column_int64 (statement, AS_OF_TIME))) {
            s_note (as_of, position, statement);
            if (as_of->created)
                break;
        }
        position = sqlite3_column_int64 (statement, AS_OF_PREVIOUS);
    }
    return self->status;
}

//  Apply the states, oldest first. If a time leaves out an event between others, the remaining
//  transitions need not be legal; they are applied anyway.
static void
s_replay (s_as_of_t *as_of, stele_lifecycle_t *life)
{
    bool stated = false;
    *life = (stele_lifecycle_t) { .state = STELE_TASK_QUEUED };
    while (as_of->count > 0) {
        const s_step_t *step = &as_of->steps [--as_of->count];
        if (!step->state || (step->kind == STELE_HISTORY_CREATED && stated))
            continue;
        if (!stele_lifecycle_legal (life, step->state))
            life->interrupted = true;
        stele_lifecycle_move (life, step->state, step->time, step->with_error,
            step->kind == STELE_HISTORY_INTERRUPTED);
        stated = true;
    }
}

static void
s_fill_owner (s_as_of_t *as_of)
{
    static const reader_column_t name = { STELE_PRODUCER, COLUMN_TEXT };
    sqlite3_stmt *statement = as_of->owner <= 0? NULL: reader_with_key (as_of->reader, SLOT_PRODUCER_NAME,
        "SELECT name FROM producers WHERE id = ?1", as_of->owner);
    if (statement && reader_step (as_of->reader, statement) == 1)
        reader_fill (as_of->reader, statement, 0, &name, 1);
}

//  Fill in the fields that no event gave directly
static int
s_fill_derived (s_as_of_t *as_of)
{
    stele_reader_t *self = as_of->reader;
    stele_record_t *row = self->row;
    stele_lifecycle_t life;
    s_replay (as_of, &life);
    stele_record_set_word (row, STELE_STATE, STELE_VOCABULARY_TASK_STATE, life.state);
    stele_record_set_integer (row, STELE_CREATED_AT,
        as_of->created? as_of->created_at: as_of->oldest.time);
    stele_record_set_integer (row, STELE_UPDATED_AT, as_of->newest.time);
    stele_record_set_integer (row, STELE_POSITION, as_of->newest.position);
    stele_record_set_integer (row, STELE_ERROR_COUNT, life.error_count);
    stele_record_set_integer (row, STELE_ATTEMPT, 1 + life.retries);
    if (life.interruptions)
        stele_record_set_integer (row, STELE_INTERRUPTIONS, life.interruptions);
    if (life.started_at)
        stele_record_set_integer (row, STELE_STARTED_AT, life.started_at);
    if (life.completed_at)
        stele_record_set_integer (row, STELE_COMPLETED_AT, life.completed_at);
    if (life.interrupted)
        stele_record_set_bool (row, STELE_INTERRUPTED, true);
    if (as_of->user) {
        size_t size;
        const char *user = reader_word (self, as_of->user, &size);
        if (user)
            stele_record_set_text (row, STELE_USER_ID, user, size);
    }
    s_fill_owner (as_of);
    if (as_of->error_at) {
        static const reader_column_t last_error = { STELE_LAST_ERROR, COLUMN_TEXT };
        sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_ERROR,
            "SELECT error_message FROM history_plain WHERE position = ?1", as_of->error_at);
        if (reader_step (self, statement) == 1)
            reader_fill (self, statement, 0, &last_error, 1);
    }
    reader_task_defaults (self);
    return self->status;
}

//  1 the row is filled, 0 the task did not exist yet, or an error
static int
s_read_task (s_as_of_t *as_of, int64_t key)
{
    static const reader_column_t task_id = { STELE_TASK_ID, COLUMN_ID };
    stele_reader_t *self = as_of->reader;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_AS_OF_TASK,
        "SELECT s.last_history, s.last_output, s.last_metric, t.task_id, s.owner"
        " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1", key);
    int rc = reader_step (self, statement);
    if (rc != 1)
        return rc;
    if (s_read_history (as_of, sqlite3_column_int64 (statement, 0))
    ||  s_read_others (as_of, SLOT_AS_OF_OUTPUT,
            "SELECT previous, time, user_id FROM outputs_plain WHERE position = ?1",
            sqlite3_column_int64 (statement, 1))
    ||  s_read_others (as_of, SLOT_AS_OF_METRIC,
            "SELECT previous, time, user_id FROM metrics_plain WHERE position = ?1",
            sqlite3_column_int64 (statement, 2)))
        return self->status;
    if (as_of->newest.position == 0)
        return 0;
    if (reader_fill (self, statement, 3, &task_id, 1))
        return self->status;
    if (!as_of->owner_known && !as_of->moved)
        as_of->owner = sqlite3_column_int64 (statement, 4);
    return s_fill_derived (as_of)? self->status: 1;
}

int
reader_row_as_of (stele_reader_t *self, int64_t key, int64_t position, int64_t time)
{
    s_as_of_t as_of = {
        .reader = self, .position = position, .time = time,
        .open = STELE_TASK_FIELDS & ~STELE_FIELD_BIT (STELE_STATE)
    };
    int rc = s_read_task (&as_of, key);
    free (as_of.steps);
    return rc;
}

//  By the task's id; position or time INT64_MAX: any
static int
s_task_as_of (stele_reader_t *self, const char *task_id, size_t size, int64_t position, int64_t time)
{
    sqlite3_stmt *statement = reader_statement (self, SLOT_AS_OF_KEY,
        "SELECT id FROM tasks WHERE task_id = ?1");
    reader_bind_id (statement, 1, task_id, size);
    int64_t key = reader_integer (self, statement, 0);
    if (key > 0 && !reader_scope_has_task (self, key))
        return self->status;
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
