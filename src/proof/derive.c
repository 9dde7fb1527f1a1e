/*  derive - what follows from the events of a ledger: events to expected rows

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "proof/derive_internal.h"

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

//  The caller names the position
static int
s_refuse (const char *text, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_ELEDGER, NULL, "the event %s", text);
}

static int
s_move (derived_task_t *task, const derived_event_t *event, int to, stele_refusal_t *refusal)
{
    if (to <= 0 || to >= STELE_TASK_STATE_END || !stele_lifecycle_legal (&task->life, (stele_task_state_t) to))
        return s_refuse ("changes its task to a state that cannot follow its state before", refusal);
    stele_lifecycle_move (&task->life, (stele_task_state_t) to, event->time, event->has_error, event->interrupted);
    task->flags |= DERIVED_STATED;
    return 0;
}

//  A task.created keeps what earlier events have set; others replace it
static void
s_set_words (derived_task_t *task, const derived_event_t *event)
{
    bool created = event->type == STELE_TASK_CREATED;
    uint64_t *const words [] = { &task->role, &task->provider, &task->model };
    for (size_t i = event->type == STELE_TASK_STATE_CHANGED; i < sizeof words / sizeof words [0]; i++)
        if (event->words [i] && !(created && *words [i]))
            *words [i] = event->words [i];
}

//  What a task.created gives as the first event is in its own line; other values are in the row of the task only. A later
//  task.created keeps what earlier events have set.
static void
s_set_fields (derived_task_t *task, const derived_event_t *event, const derived_set_t *sets)
{
    bool created = event->type == STELE_TASK_CREATED;
    if (!task->fields)
        task->fields = stele_memory_new (STELE_EVENT_FIELD_COUNT * sizeof *task->fields);
    for (size_t i = 0; i < event->set_count; i++)
        if (!created || !task->fields [sets [i].field])
            task->fields [sets [i].field] = sets [i].hash;
}

static int
s_history (derived_task_t *task, const derived_event_t *event, stele_refusal_t *refusal)
{
    int to = event->state, code = 0;
    s_set_words (task, event);
    if (event->type == STELE_TASK_CREATED) {
        if (task->flags & DERIVED_CREATED)
            return s_refuse ("creates its task a second time", refusal);
        task->created = event->position;
        task->created_at = event->time;
        task->user = event->user;
        if (!(task->flags & DERIVED_STATED))
            code = s_move (task, event, to? to: STELE_TASK_QUEUED, refusal);
        task->flags |= DERIVED_CREATED;
    }
    else
    if (to || event->type == STELE_TASK_STATE_CHANGED)
        code = s_move (task, event, to, refusal);
    if (event->has_error)
        task->last_error = event->position;
    task->last_history = event->position;
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
s_task (stele_derive_t *self, const derived_event_t *event, const derived_set_t *sets, stele_refusal_t *refusal)
{
    int64_t key = event->key, time = event->time, position = event->position;
    derived_task_t *task = derived_task (self, key);
    if (!task && key != position)
        return s_refuse ("belongs to a task that has no first event", refusal);
    if (!task) {
        self->tasks = stele_array_must_grow (self->tasks, &self->task_room, self->task_count + 1, sizeof *self->tasks);
        task = &self->tasks [self->task_count++];
        *task = (derived_task_t) {
            .key = key, .created_at = time, .updated_at = time, .placeholder = event->type != STELE_TASK_CREATED, .owner = -1,
            .user = event->user
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
        code = s_history (task, event, refusal);
    task->erased |= event->erased;
    if (event->set_count)
        s_set_fields (task, event, sets);
    task->updated_at = time;
    s_widen (self, task, position, time);
    return code;
}

//  -- sessions and preferences ------------------------------------------------------------

static int
s_session (stele_derive_t *self, const derived_event_t *event, stele_refusal_t *refusal)
{
    int64_t key = event->key, time = event->time, position = event->position;
    derived_session_t *session = derived_session (self, key);
    if (!session && key != position)
        return s_refuse ("belongs to a session that has no first event", refusal);
    if (!session) {
        self->sessions = stele_array_must_grow (self->sessions, &self->session_room, self->session_count + 1,
            sizeof *self->sessions);
        session = &self->sessions [self->session_count++];
        *session = (derived_session_t) { .key = key, .created_at = time, .state = STELE_SESSION_INITIALIZING,
            .user = event->user };
        stele_record_t none = { .type = 0 };
        session->fields = derived_hash_session (self->pack, &none);
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
            session->state = event->state? event->state: STELE_SESSION_INITIALIZING;
        session->started = position;
        session->created_at = time;
        session->fields = event->session;
        if (event->has_user)
            session->user = event->user;
    }
    else
        session->state = event->state;
    session->completed_at = session->state >= STELE_SESSION_TERMINAL_FROM? time: 0;
    session->last_history = position;
    return 0;
}

static void
s_preference (stele_derive_t *self, const derived_event_t *event, const derived_set_t *sets)
{
    derived_preference_t *preference;
    HASH_FIND (hh, self->preferences, event->name, event->name_size, preference);
    if (!preference) {
        preference = stele_memory_new (sizeof *preference + event->name_size);
        memcpy (preference->user, event->name, event->name_size);
        preference->size = event->name_size;
        preference->created_at = event->time;
        HASH_ADD_KEYPTR (hh, self->preferences, preference->user, preference->size, preference);
    }
    for (size_t i = 0; i < event->set_count; i++)
        preference->fields [sets [i].field] = sets [i].hash;
    preference->updated_at = event->time;
    preference->position = event->position;
}

//  -- all -------------------------------------------------------------------------------

static int
s_take (stele_derive_t *self, const derived_event_t *event, const derived_set_t *sets, stele_refusal_t *refusal)
{
    switch (event->type) {
        case STELE_TASK_CREATED: case STELE_TASK_UPDATED: case STELE_TASK_STATE_CHANGED:
        case STELE_TASK_OUTPUT_ADDED: case STELE_TASK_METRIC_RECORDED:
            return s_task (self, event, sets, refusal);
        case STELE_SESSION_STARTED: case STELE_SESSION_STATE_CHANGED: case STELE_SESSION_COMMAND_EXECUTED:
            return s_session (self, event, refusal);
        case STELE_PREFERENCE_SET:
            s_preference (self, event, sets);
            return 0;
        default:
            return 0;               // Nothing follows from an audit event
    }
}

int
stele_derive_take (stele_derive_t *self, const stele_derive_batch_t *batch, int64_t *position, stele_refusal_t *refusal)
{
    int code = 0;
    size_t sets = 0;
    for (size_t i = 0; i < batch->count && code == 0; i++) {
        const derived_event_t *event = &batch->events [i];
        *position = event->position;
        //  NULL if no event of the batch has any
        code = s_take (self, event, event->set_count? &batch->sets [sets]: NULL, refusal);
        sets += event->set_count;
    }
    return code;
}
