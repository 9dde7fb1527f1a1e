/*  derive - what follows from the events of a ledger: events to expected rows

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "proof/derive_internal.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"

const stele_field_t derived_preference_fields [4] = {
    STELE_PREFERRED_PROVIDER, STELE_PREFERRED_MODEL, STELE_FULL_ACCESS_PREFERRED, STELE_ROLE_PREFERENCES
};

stele_derive_t *
stele_derive_new (stele_reader_t *reader)
{
    stele_derive_t *self = STELE_NEW (stele_derive_t);
    self->reader = reader;
    self->pack = stele_pack_new ();
    assert (self->pack);
    return self;
}

void
stele_derive_destroy (stele_derive_t **self_p)
{
    stele_derive_t *self = *self_p;
    if (!self)
        return;
    derived_preference_t *preference, *next;
    HASH_ITER (hh, self->preferences, preference, next) {
        HASH_DEL (self->preferences, preference);
        free (preference);
    }
    stele_pack_destroy (&self->pack);
    for (size_t i = 0; i < self->task_count; i++)
        free (self->tasks [i].fields);
    free (self->tasks);
    free (self->sessions);
    free (self->zones);
    free (self);
    *self_p = NULL;
}

//  -- hashes ----------------------------------------------------------------------------

//  FNV-1a; never 0
uint64_t
derived_hash_text (const char *text, size_t size)
{
    uint64_t hash = UINT64_C (0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char) text [i]) * UINT64_C (0x100000001b3);
    return hash? hash: 1;
}

uint64_t
derived_hash_value (stele_derive_t *self, const stele_value_t *value)
{
    if (value->kind == STELE_VALUE_NONE)
        return 0;
    stele_pack_clear (self->pack);
    stele_value_pack (value, self->pack);
    return derived_hash_text (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

uint64_t
derived_hash_session (stele_derive_t *self, const stele_record_t *record)
{
    static const stele_field_t fields [] = {
        STELE_CLI_TOOL, STELE_MODE, STELE_CURRENT_DIRECTORY, STELE_PID, STELE_AUTHENTICATION_REQUIRED, STELE_AUTH_PROMPT,
        STELE_TASK_ID
    };
    stele_pack_clear (self->pack);
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        stele_value_pack (&record->values [fields [i]], self->pack);
    return derived_hash_text (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

static uint64_t
s_hash_word (const stele_value_t *value)
{
    return value->kind == STELE_VALUE_TEXT? derived_hash_text (value->text, value->size): 0;
}

//  -- find ------------------------------------------------------------------------------

derived_task_t *
derived_task (const stele_derive_t *self, int64_t key)
{
    size_t low = 0, high = self->task_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->tasks [middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->task_count && self->tasks [low].key == key? &self->tasks [low]: NULL;
}

derived_session_t *
derived_session (const stele_derive_t *self, int64_t key)
{
    size_t low = 0, high = self->session_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->sessions [middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->session_count && self->sessions [low].key == key? &self->sessions [low]: NULL;
}

//  -- tasks -----------------------------------------------------------------------------

static int
s_refuse (int64_t position, const char *text, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_ELEDGER, NULL, "position %" PRId64 ": the event %s", position, text);
}

static int
s_move (derived_task_t *task, const stele_record_t *event, int to, int64_t position, stele_refusal_t *refusal)
{
    if (to <= 0 || to >= STELE_TASK_STATE_END || !stele_lifecycle_legal (&task->life, (stele_task_state_t) to))
        return s_refuse (position, "changes its task to a state that cannot follow its state before", refusal);
    stele_lifecycle_move (&task->life, (stele_task_state_t) to, event->values [STELE_TIME].integer,
        stele_record_has (event, STELE_ERROR_MESSAGE), stele_record_has (event, STELE_INTERRUPTED));
    task->flags |= DERIVED_STATED;
    return 0;
}

//  A task.created keeps what earlier events have set; others replace it
static void
s_set_words (derived_task_t *task, const stele_record_t *event)
{
    bool created = event->type == STELE_TASK_CREATED;
    uint64_t *const words [] = { &task->role, &task->provider, &task->model };
    static const stele_field_t fields [] = { STELE_ROLE, STELE_PROVIDER, STELE_MODEL };
    for (size_t i = event->type == STELE_TASK_STATE_CHANGED; i < sizeof fields / sizeof fields [0]; i++) {
        uint64_t word = s_hash_word (&event->values [fields [i]]);
        if (word && !(created && *words [i]))
            *words [i] = word;
    }
}

//  What a task.created gives is in its own line; later values are in the row of the task only
static void
s_set_fields (stele_derive_t *self, derived_task_t *task, const stele_record_t *event)
{
    //  Those of task_states are compared there
    const stele_field_set_t set = STELE_TASK_FIELDS & ~(STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE)
        | STELE_FIELD_BIT (STELE_PROVIDER) | STELE_FIELD_BIT (STELE_MODEL));
    if (!task->fields)
        task->fields = stele_memory_new (STELE_EVENT_FIELD_COUNT * sizeof *task->fields);
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if ((set & STELE_FIELD_BIT (field)) && stele_record_has (event, field))
            task->fields [field] = derived_hash_value (self, &event->values [field]);
}

static int
s_history (derived_task_t *task, const stele_record_t *event, int64_t position, stele_refusal_t *refusal)
{
    int to = (int) stele_record_integer (event, STELE_STATE, 0), code = 0;
    s_set_words (task, event);
    if (event->type == STELE_TASK_CREATED) {
        if (task->flags & DERIVED_CREATED)
            return s_refuse (position, "creates its task a second time", refusal);
        task->created = position;
        task->created_at = event->values [STELE_TIME].integer;
        task->user = s_hash_word (&event->values [STELE_USER_ID]);
        if (!(task->flags & DERIVED_STATED))
            code = s_move (task, event, to? to: STELE_TASK_QUEUED, position, refusal);
        task->flags |= DERIVED_CREATED;
    }
    else
    if (to || event->type == STELE_TASK_STATE_CHANGED)
        code = s_move (task, event, to, position, refusal);
    if (stele_record_has (event, STELE_ERROR_MESSAGE))
        task->last_error = position;
    task->last_history = position;
    return code;
}

static void
s_widen (stele_derive_t *self, const derived_task_t *task, int64_t position, int64_t time)
{
    size_t number = (size_t) (position / STELE_ZONE_POSITIONS);
    if (number >= self->zone_count) {
        self->zones = stele_array_must_grow (self->zones, &self->zone_room, number + 1, sizeof *self->zones);
        memset (self->zones + self->zone_count, 0, (number + 1 - self->zone_count) * sizeof *self->zones);
        self->zone_count = number + 1;
    }
    derived_zone_t *zone = &self->zones [number];
    if (!zone->used || time < zone->min_time)
        zone->min_time = time;
    if (!zone->used || time > zone->max_time)
        zone->max_time = time;
    if (!zone->used || task->key < zone->min_task)
        zone->min_task = task->key;
    zone->used = true;
    if (task->placeholder)
        return;                     // Its created_at was another one before its task.created
    if (!zone->has_created || task->created_at < zone->min_created)
        zone->min_created = task->created_at;
    if (!zone->has_created || task->created_at > zone->max_created)
        zone->max_created = task->created_at;
    zone->has_created = true;
}

static int
s_task (stele_derive_t *self, const stele_record_t *event, int64_t position, stele_refusal_t *refusal)
{
    int64_t key = stele_reader_event_key (self->reader), time = event->values [STELE_TIME].integer;
    derived_task_t *task = derived_task (self, key);
    if (!task && key != position)
        return s_refuse (position, "belongs to a task that has no first event", refusal);
    if (!task) {
        self->tasks = stele_array_must_grow (self->tasks, &self->task_room, self->task_count + 1, sizeof *self->tasks);
        task = &self->tasks [self->task_count++];
        *task = (derived_task_t) {
            .key = key, .created_at = time, .updated_at = time, .placeholder = event->type != STELE_TASK_CREATED, .owner = -1,
            .user = s_hash_word (&event->values [STELE_USER_ID])
        };
        task->life.state = STELE_TASK_QUEUED;
    }
    else
    if (event->type == STELE_TASK_CREATED || time < task->updated_at)
        task->unordered = true;
    int code = 0;
    if (event->type == STELE_TASK_OUTPUT_ADDED)
        task->last_output = position;
    else
    if (event->type == STELE_TASK_METRIC_RECORDED)
        task->last_metric = position;
    else
        code = s_history (task, event, position, refusal);
    if (event->type == STELE_TASK_UPDATED)
        s_set_fields (self, task, event);
    task->updated_at = time;
    s_widen (self, task, position, time);
    return code;
}

//  -- sessions and preferences ------------------------------------------------------------

static int
s_session (stele_derive_t *self, const stele_record_t *event, int64_t position, stele_refusal_t *refusal)
{
    int64_t key = stele_reader_event_key (self->reader), time = event->values [STELE_TIME].integer;
    derived_session_t *session = derived_session (self, key);
    if (!session && key != position)
        return s_refuse (position, "belongs to a session that has no first event", refusal);
    if (!session) {
        self->sessions = stele_array_must_grow (self->sessions, &self->session_room, self->session_count + 1,
            sizeof *self->sessions);
        session = &self->sessions [self->session_count++];
        *session = (derived_session_t) { .key = key, .created_at = time, .state = STELE_SESSION_INITIALIZING,
            .user = s_hash_word (&event->values [STELE_USER_ID]) };
        stele_record_t none = { .type = 0 };
        session->fields = derived_hash_session (self, &none);
    }
    session->updated_at = time;
    session->position = position;
    if (event->type == STELE_SESSION_COMMAND_EXECUTED) {
        session->commands++;
        session->last_command = position;
        return 0;
    }
    if (event->type == STELE_SESSION_STARTED) {
        //  A state that came before the first start stays
        if (!session->last_history || session->started)
            session->state = (int) stele_record_integer (event, STELE_STATE, STELE_SESSION_INITIALIZING);
        session->started = position;
        session->created_at = time;
        session->fields = derived_hash_session (self, event);
        if (stele_record_has (event, STELE_USER_ID))
            session->user = s_hash_word (&event->values [STELE_USER_ID]);
    }
    else
        session->state = (int) stele_record_integer (event, STELE_STATE, 0);
    session->completed_at = session->state >= STELE_SESSION_TERMINAL_FROM? time: 0;
    session->last_history = position;
    return 0;
}

static void
s_preference (stele_derive_t *self, const stele_record_t *event, int64_t position)
{
    const stele_value_t *user = &event->values [STELE_USER_ID];
    const char *name = user->kind == STELE_VALUE_TEXT? user->text: "default";
    size_t size = user->kind == STELE_VALUE_TEXT? user->size: strlen (name);
    derived_preference_t *preference;
    HASH_FIND (hh, self->preferences, name, size, preference);
    if (!preference) {
        preference = stele_memory_new (sizeof *preference + size);
        memcpy (preference->user, name, size);
        preference->size = size;
        preference->created_at = event->values [STELE_TIME].integer;
        HASH_ADD_KEYPTR (hh, self->preferences, preference->user, size, preference);
    }
    for (size_t i = 0; i < 4; i++) {
        uint64_t value = derived_hash_value (self, &event->values [derived_preference_fields [i]]);
        preference->fields [i] = value? value: preference->fields [i];
    }
    preference->updated_at = event->values [STELE_TIME].integer;
    preference->position = position;
}

int
stele_derive_event (stele_derive_t *self, const stele_record_t *event, stele_refusal_t *refusal)
{
    int64_t position = event->values [STELE_POSITION].integer;
    switch ((stele_event_type_t) event->type) {
        case STELE_TASK_CREATED: case STELE_TASK_UPDATED: case STELE_TASK_STATE_CHANGED:
        case STELE_TASK_OUTPUT_ADDED: case STELE_TASK_METRIC_RECORDED:
            return s_task (self, event, position, refusal);
        case STELE_SESSION_STARTED: case STELE_SESSION_STATE_CHANGED: case STELE_SESSION_COMMAND_EXECUTED:
            return s_session (self, event, position, refusal);
        case STELE_PREFERENCE_SET:
            s_preference (self, event, position);
            return 0;
        default:
            return 0;               // Nothing follows from an audit event
    }
}
