/*  derive_compare - what follows from the events of a ledger: expected and stored rows

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "proof/derive_internal.h"

//  Upper bounds of zones are written ahead of the events, and stay so after a kill
#define ZONE_AHEAD_US INT64_C (3600000000)

typedef struct {
    stele_derive_t *derive;
    stele_difference_fn *fn;
    void *arg;
    int64_t count;
    bool ended;
    size_t next;                    // Task or zone that is expected next
    stele_link_table_t table;       // That is being read
} s_compare_t;

static void s_differ (s_compare_t *self, int64_t position, const char *format, ...) STELE_PRINTF (3, 4);

static void
s_differ (s_compare_t *self, int64_t position, const char *format, ...)
{
    char text [400];
    va_list args;
    if (self->ended)
        return;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    self->count++;
    self->ended = !self->fn (position, text, self->arg);
}

//  Name the first column that differs. Returns whether there is one.
typedef struct { const char *column; int64_t expected, stored; } s_number_t;

static bool
s_compare_numbers (s_compare_t *self, const char *table, int64_t key, const s_number_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (numbers [i].expected != numbers [i].stored) {
            s_differ (self, key, "%s.%s is %" PRId64 ", but %" PRId64 " follows from the events", table, numbers [i].column,
                numbers [i].stored, numbers [i].expected);
            return true;
        }
    return false;
}

#define COUNT(array) (sizeof array / sizeof array [0])

//  -- tasks -----------------------------------------------------------------------------

static void
s_compare_word (s_compare_t *self, int64_t key, const char *column, uint64_t expected, const stele_span_t *stored)
{
    uint64_t hash = stored->text? derived_hash_text (stored->text, stored->size): 0;
    if (hash != expected)
        s_differ (self, key, "task_states.%s is '%.*s', which does not follow from the events", column,
            (int) (stored->size < 60? stored->size: 60), stored->text? stored->text: "");
}

static bool
s_is_set (const derived_task_t *task, stele_field_t field, bool stored)
{
    return !task->placeholder? stored: task->fields && task->fields [field];
}

static void
s_compare_task (s_compare_t *self, const derived_task_t *task, const stele_task_row_t *row)
{
    int flags = task->flags | (task->life.interrupted? DERIVED_INTERRUPTED: 0);
    const s_number_t numbers [] = {
        { "created (of tasks)", task->created, row->created },
        { "state", (int64_t) task->life.state, row->state }, { "flags", flags, row->flags },
        { "created_at", task->created_at, row->created_at }, { "updated_after", task->updated_at, row->updated_at },
        { "started_after", task->life.started_at, row->started_at },
        { "completed_after", task->life.completed_at, row->completed_at },
        { "error_count", task->life.error_count, row->error_count },
        { "interruptions", task->life.interruptions, row->interruptions }, { "retries", task->life.retries, row->retries },
        { "last_error", task->last_error, row->last_error }, { "last_history", task->last_history, row->last_history },
        { "last_output", task->last_output, row->last_output }, { "last_metric", task->last_metric, row->last_metric },
        //  Ledgers of earlier versions did not record it with events
        { "owner", task->owner < 0? row->owner: task->owner, row->owner },
        //  Of a task whose first event is no task.created; those of the others are in its line
        { "target_dir (of tasks: whether there is one)", s_is_set (task, STELE_TARGET_DIR, row->target_dir), row->target_dir },
        { "full_access (of tasks: whether there is one)", s_is_set (task, STELE_FULL_ACCESS, row->full_access), row->full_access }
    };
    if (s_compare_numbers (self, "task_states", task->key, numbers, COUNT (numbers)))
        return;
    uint64_t user = row->user.text? derived_hash_text (row->user.text, row->user.size): 0;
    if (user != task->user)
        s_differ (self, task->key, "tasks.user_id does not follow from the events");
    s_compare_word (self, task->key, "role", task->role, &row->role);
    s_compare_word (self, task->key, "provider", task->provider, &row->provider);
    s_compare_word (self, task->key, "model", task->model, &row->model);
}

typedef struct {
    s_compare_t *compare;
    const derived_task_t *task;
    char id [STELE_LIMIT_ID + 1];
    size_t id_size;
} s_fields_t;

static int
s_take_id (const stele_record_t *row, void *arg)
{
    s_fields_t *self = arg;
    self->id_size = row->values [STELE_TASK_ID].size;
    memcpy (self->id, row->values [STELE_TASK_ID].text, self->id_size);
    return 0;
}

//  An erasure gives every task a title, and keeps its parent, which erased events no longer name; a task.created that comes
//  later keeps both
static bool
s_left_by_erasure (const derived_task_t *task, int field)
{
    return task->erased && task->placeholder && (field == STELE_TITLE || field == STELE_PARENT_ID);
}

static int
s_take_fields (const stele_record_t *row, void *arg)
{
    s_fields_t *self = arg;
    const derived_task_t *task = self->task;
    //  Without the two that a record has in any case
    const stele_field_set_t fields = DERIVED_TASK_FIELDS & ~(STELE_FIELD_BIT (STELE_TARGET_DIR) | STELE_FIELD_BIT (STELE_FULL_ACCESS));
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) {
        const stele_value_t *value = &row->values [field];
        uint64_t set = task->fields? task->fields [field]: 0;
        if (s_left_by_erasure (task, field))
            continue;
        if (set && derived_hash_value (self->compare->derive->pack, value) != set)
            s_differ (self->compare, task->key, "tasks.%s is not what the last event has set", stele_field_name (field));
        else
        if (!set && task->placeholder && fields & STELE_FIELD_BIT (field) && value->kind != STELE_VALUE_NONE)
            s_differ (self->compare, task->key, "tasks.%s has a value that no event has set", stele_field_name (field));
    }
    return 0;
}

//  Fields that events have set, of the tasks that have such an event; and all of those whose first event is no task.created,
//  with which the others are compared
static int
s_compare_fields (s_compare_t *self)
{
    const stele_derive_t *derive = self->derive;
    int found = 0;
    for (size_t i = 0; i < derive->task_count && found >= 0 && !self->ended; i++) {
        s_fields_t fields = { .compare = self, .task = &derive->tasks [i] };
        if (!fields.task->fields && !fields.task->placeholder)
            continue;
        found = stele_reader_task_by_key (derive->reader, fields.task->key, s_take_id, &fields);
        if (found == 1)
            found = stele_reader_task (derive->reader, fields.id, fields.id_size, s_take_fields, &fields);
    }
    return found < 0? found: 0;
}

static void
s_miss_tasks (s_compare_t *self, int64_t before)
{
    const stele_derive_t *derive = self->derive;
    while (!self->ended && self->next < derive->task_count && derive->tasks [self->next].key < before) {
        int64_t key = derive->tasks [self->next++].key;
        s_differ (self, key, "the row of tasks with id %" PRId64 " is missing", key);
    }
}

static int
s_take_task (const stele_task_row_t *row, void *arg)
{
    s_compare_t *self = arg;
    const stele_derive_t *derive = self->derive;
    s_miss_tasks (self, row->key);
    if (self->next == derive->task_count || derive->tasks [self->next].key != row->key)
        s_differ (self, row->key, "the row of tasks with id %" PRId64 " has no events", row->key);
    else {
        const derived_task_t *task = &derive->tasks [self->next++];
        if (row->has_state)
            s_compare_task (self, task, row);
        else
            s_differ (self, row->key, "the row of task_states with task %" PRId64 " is missing", row->key);
    }
    return self->ended;
}

static int
s_take_unordered (int64_t key, void *arg)
{
    s_compare_t *self = arg;
    derived_task_t *task = derived_task (self->derive, key);
    if (!task || !task->unordered)
        s_differ (self, key, "unordered_tasks has task %" PRId64 ", whose events are in the order of their times", key);
    else
        task->unordered = false;    // Seen
    return self->ended;
}

static int
s_compare_tasks (s_compare_t *self)
{
    stele_derive_t *derive = self->derive;
    self->next = 0;
    int code = stele_reader_task_rows (derive->reader, s_take_task, self);
    if (code == 0)
        s_miss_tasks (self, INT64_MAX);
    if (code == 0)
        code = s_compare_fields (self);
    if (code == 0)
        code = stele_reader_unordered (derive->reader, s_take_unordered, self);
    for (size_t i = 0; code == 0 && i < derive->task_count; i++)
        if (derive->tasks [i].unordered)
            s_differ (self, derive->tasks [i].key, "unordered_tasks does not have task %" PRId64, derive->tasks [i].key);
    return code;
}

//  -- links -----------------------------------------------------------------------------

static const char *const s_tables [] = {
    "task_history", "task_outputs", "task_metrics", "cli_session_history", "cli_session_commands"
};

static void
s_compare_previous (s_compare_t *self, const stele_link_t *link, int64_t *linked)
{
    if (link->previous != *linked)
        s_differ (self, link->position, "%s: the row before it is said to be %" PRId64 ", but is %" PRId64, s_tables [self->table],
            link->previous, *linked);
    *linked = link->position;
}

static void
s_compare_from (s_compare_t *self, const stele_link_t *link, int *state)
{
    if (link->state_from != *state)
        s_differ (self, link->position, "state_from is %d, but the state before was %d", link->state_from, *state);
    *state = link->state_to;
}

static int
s_take_link (const stele_link_t *link, void *arg)
{
    s_compare_t *self = arg;
    bool of_task = self->table <= STELE_LINK_METRICS;
    derived_task_t *task = of_task? derived_task (self->derive, link->key): NULL;
    derived_session_t *session = of_task? NULL: derived_session (self->derive, link->key);
    if (task) {
        //  Before its first change of state, a task that an output or a metric came first of is queued
        if (self->table == STELE_LINK_HISTORY && task->linked [0] == 0 && link->position != task->key)
            task->state = STELE_TASK_QUEUED;
        s_compare_previous (self, link, &task->linked [self->table]);
        if (self->table == STELE_LINK_HISTORY)
            s_compare_from (self, link, &task->state);
        if (self->table == STELE_LINK_HISTORY && link->owner >= 0)
            task->owner = link->owner;
    }
    else
    if (session) {
        if (self->table == STELE_LINK_SESSIONS && session->linked [0] == 0 && link->position != session->key)
            session->linked_state = STELE_SESSION_INITIALIZING;
        s_compare_previous (self, link, &session->linked [self->table - STELE_LINK_SESSIONS]);
        if (self->table == STELE_LINK_SESSIONS)
            s_compare_from (self, link, &session->linked_state);
    }
    else
        s_differ (self, link->position, "its row names a task or session that has no events: %" PRId64, link->key);
    if (link->kind < 1 || link->kind > 4)
        s_differ (self, link->position, "its kind is %d, which does not exist", link->kind);
    if (link->stray)
        s_differ (self, link->position, "%s: a column has a value that no event of kind %d has", s_tables [self->table], link->kind);
    return self->ended;
}

//  The state after the last row of history is compared here, the rest with the rows of the tasks
static void
s_compare_ends (s_compare_t *self)
{
    const stele_derive_t *derive = self->derive;
    for (size_t i = 0; i < derive->task_count; i++) {
        const derived_task_t *task = &derive->tasks [i];
        if (task->last_history && task->state != (int) task->life.state)
            s_differ (self, task->last_history, "state_to is %d, but %d follows from the events", task->state,
                (int) task->life.state);
    }
    for (size_t i = 0; i < derive->session_count; i++) {
        const derived_session_t *session = &derive->sessions [i];
        if (session->last_history && session->linked_state != session->state)
            s_differ (self, session->last_history, "state_to is %d, but %d follows from the events", session->linked_state,
                session->state);
    }
}

static int
s_compare_links (s_compare_t *self)
{
    int code = 0;
    for (int table = STELE_LINK_HISTORY; table <= STELE_LINK_COMMANDS && code == 0; table++) {
        self->table = (stele_link_table_t) table;
        code = stele_reader_links (self->derive->reader, self->table, s_take_link, self);
    }
    if (code == 0)
        s_compare_ends (self);
    return code;
}

//  -- sessions and preferences ------------------------------------------------------------

typedef struct {
    s_compare_t *compare;
    const derived_session_t *session;
    const derived_preference_t *preference;
} s_row_t;

static int
s_take_session (const stele_record_t *row, void *arg)
{
    const s_row_t *self = arg;
    const derived_session_t *session = self->session;
    const s_number_t numbers [] = {
        { "state", session->state, stele_record_integer (row, STELE_STATE, 0) },
        { "created_at", session->created_at, stele_record_integer (row, STELE_CREATED_AT, 0) },
        { "updated_at", session->updated_at, stele_record_integer (row, STELE_UPDATED_AT, 0) },
        { "completed_at", session->completed_at, stele_record_integer (row, STELE_COMPLETED_AT, 0) },
        { "command_count", session->commands, stele_record_integer (row, STELE_COMMAND_COUNT, 0) },
        { "position", session->position, stele_record_integer (row, STELE_POSITION, 0) }
    };
    if (!s_compare_numbers (self->compare, "cli_sessions", session->key, numbers, COUNT (numbers))
    &&  derived_hash_session (self->compare->derive->pack, row) != session->fields)
        s_differ (self->compare, session->key, "cli_sessions: a column does not follow from the last session.started, at position %"
            PRId64, session->started);
    return 0;
}

static int
s_take_session_row (const stele_session_row_t *row, void *arg)
{
    s_compare_t *self = arg;
    const derived_session_t *session = derived_session (self->derive, row->key);
    if (!session)
        return 0;                   // Counted below
    const s_number_t numbers [] = {
        { "started", session->started, row->started }, { "last_history", session->last_history, row->last_history },
        { "last_command", session->last_command, row->last_command }
    };
    //  Earlier versions did not store the user of an event before the start
    if (!s_compare_numbers (self, "cli_sessions", session->key, numbers, COUNT (numbers)) && row->user.text
    &&  derived_hash_text (row->user.text, row->user.size) != session->user)
        s_differ (self, session->key, "cli_sessions.user_id does not follow from the events");
    return self->ended;
}

static int
s_take_preference (const stele_record_t *row, void *arg)
{
    static const char *const columns [] = {
        "preferred_provider", "preferred_model", "full_access_preferred", "role_preferences"
    };
    const s_row_t *self = arg;
    const derived_preference_t *preference = self->preference;
    const s_number_t numbers [] = {
        { "created_at", preference->created_at, stele_record_integer (row, STELE_CREATED_AT, 0) },
        { "updated_at", preference->updated_at, stele_record_integer (row, STELE_UPDATED_AT, 0) },
        { "position", preference->position, stele_record_integer (row, STELE_POSITION, 0) }
    };
    if (s_compare_numbers (self->compare, "user_preferences", preference->position, numbers, COUNT (numbers)))
        return 0;
    for (size_t i = 0; i < 4; i++)
        if (derived_hash_value (self->compare->derive->pack, &row->values [derived_preference_fields [i]]) != preference->fields [i])
            s_differ (self->compare, preference->position, "user_preferences.%s does not follow from the events", columns [i]);
    return 0;
}

static int
s_compare_sessions (s_compare_t *self)
{
    const stele_derive_t *derive = self->derive;
    int found = stele_reader_session_rows (derive->reader, s_take_session_row, self);
    for (size_t i = 0; found >= 0 && i < derive->session_count; i++) {
        s_row_t row = { .compare = self, .session = &derive->sessions [i] };
        found = stele_reader_session_by_key (derive->reader, row.session->key, s_take_session, &row);
        if (found == 0)
            s_differ (self, row.session->key, "the row of cli_sessions with id %" PRId64 " is missing", row.session->key);
    }
    for (const derived_preference_t *next = derive->preferences; found >= 0 && next; next = next->hh.next) {
        s_row_t row = { .compare = self, .preference = next };
        found = stele_reader_preferences (derive->reader, next->user, next->size, s_take_preference, &row);
        if (found == 0)
            s_differ (self, next->position, "the row of user_preferences of '%.*s' is missing", (int) next->size, next->user);
    }
    return found < 0? found: 0;
}

//  -- zones -----------------------------------------------------------------------------

static bool
s_zone_fits (const derived_zone_t *zone, const stele_zone_row_t *row)
{
    return zone->used && row->min_time == zone->min_time && row->min_task == zone->min_task
        && row->max_time >= zone->max_time && (zone->max_time > INT64_MAX - ZONE_AHEAD_US || row->max_time <= zone->max_time + ZONE_AHEAD_US)
        && (!zone->has_created || (row->min_created <= zone->min_created && row->max_created >= zone->max_created));
}

static void
s_miss_zones (s_compare_t *self, int64_t before)
{
    const stele_derive_t *derive = self->derive;
    for (; self->next < derive->zone_count && (int64_t) self->next < before; self->next++)
        if (derive->zones [self->next].used)
            s_differ (self, (int64_t) self->next * STELE_ZONE_POSITIONS, "the row of zones with zone %zu is missing", self->next);
}

static int
s_take_zone (const stele_zone_row_t *row, void *arg)
{
    s_compare_t *self = arg;
    const stele_derive_t *derive = self->derive;
    s_miss_zones (self, row->zone);
    if (row->zone < 0 || row->zone >= (int64_t) derive->zone_count || !s_zone_fits (&derive->zones [row->zone], row))
        s_differ (self, row->zone * STELE_ZONE_POSITIONS, "the bounds of zone %" PRId64 " do not follow from its events", row->zone);
    self->next = (size_t) row->zone + 1;
    return self->ended;
}

static int
s_compare_zones (s_compare_t *self)
{
    self->next = 0;
    int code = stele_reader_zone_rows (self->derive->reader, s_take_zone, self);
    if (code == 0)
        s_miss_zones (self, INT64_MAX);
    return code;
}

//  -- all -------------------------------------------------------------------------------

static int
s_compare_counts (s_compare_t *self)
{
    const stele_derive_t *derive = self->derive;
    const struct { stele_derived_count_t which; int64_t expected; const char *text; } counts [] = {
        { STELE_DERIVED_STRAY_STATES, 0, "task_states has rows without a task" },
        { STELE_DERIVED_WRONG_COUNTS, 0, "task_counts differs from the states of the tasks" },
        { STELE_DERIVED_STRAY_COMMITS, 0, "commits has a row that does not begin after the one before it" },
        { STELE_DERIVED_SESSIONS, (int64_t) derive->session_count, "cli_sessions has rows without events, or lacks rows" },
        { STELE_DERIVED_PREFERENCES, (int64_t) HASH_COUNT (derive->preferences),
            "user_preferences has rows without events, or lacks rows" },
        { STELE_DERIVED_WRONG_STUBS, 0, "archived_tasks or archives differ from what is in the archives" },
        { STELE_DERIVED_ZEROS, 0, "tasks, task_states or sessions have a column that is 0 where only NULL says that there is none" }
    };
    for (size_t i = 0; i < COUNT (counts); i++) {
        int64_t count = stele_reader_derived_count (derive->reader, counts [i].which);
        if (count < 0)
            return (int) count;
        if (count != counts [i].expected)
            s_differ (self, 0, "%s", counts [i].text);
    }
    return 0;
}

int64_t
stele_derive_compare (stele_derive_t *derive, stele_difference_fn *fn, void *arg)
{
    s_compare_t self = { .derive = derive, .fn = fn, .arg = arg };
    //  The links first: they tell the owners
    int code = s_compare_links (&self);
    if (code == 0)
        code = s_compare_tasks (&self);
    if (code == 0)
        code = s_compare_sessions (&self);
    if (code == 0)
        code = s_compare_zones (&self);
    if (code == 0)
        code = s_compare_counts (&self);
    return code? code: self.count;
}
