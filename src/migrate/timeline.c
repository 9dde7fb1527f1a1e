/*  timeline - the events of one task, completed so that they lead to its old record

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/timeline.h"

#define MOVE_US 2000000             // Longest time between a program's writes of a row and the record

static const char *
s_word (stele_task_state_t state)
{
    return stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state);
}

//  -- steps ----------------------------------------------------------------------------

static timeline_step_t *
s_insert (timeline_t *self, size_t at, int64_t time_us, stele_task_state_t state, json_t *event, json_t *kept)
{
    self->steps = stele_array_must_grow (self->steps, &self->room, self->count + 1, sizeof *self->steps);
    memmove (self->steps + at + 1, self->steps + at, (self->count - at) * sizeof *self->steps);
    self->count++;
    timeline_step_t *step = &self->steps [at];
    *step = (timeline_step_t) {
        .time_us = time_us, .state = state,
        .event = event? event: json_object (), .kept = kept? kept: json_object ()
    };
    step->is_error = json_object_get (step->event, "error_message") != NULL;
    return step;
}

timeline_step_t *
timeline_add (timeline_t *self, int64_t time_us, stele_task_state_t state, json_t *event, json_t *kept)
{
    return s_insert (self, self->count, time_us, state, event, kept);
}

static timeline_step_t *
s_insert_made (timeline_t *self, size_t at, int64_t time_us, stele_task_state_t state, const char *why)
{
    return s_insert (self, at, time_us, state, NULL, json_pack ("{ss}", "inserted", why));
}

void
timeline_clear (timeline_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        json_decref (self->steps [i].event);
        json_decref (self->steps [i].kept);
    }
    free (self->steps);
    json_decref (self->last_error);
    json_decref (self->provider);
    json_decref (self->model);
    json_decref (self->first_provider);
    json_decref (self->first_model);
    json_decref (self->user);
}

//  -- states ---------------------------------------------------------------------------

static stele_task_state_t
s_state_before (const timeline_t *self, size_t at)
{
    return at? self->steps [at - 1].state: self->first;
}

static void
s_reconcile_transitions (timeline_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        stele_lifecycle_t life = { .state = s_state_before (self, i) };
        stele_task_state_t to = self->steps [i].state;
        if (stele_lifecycle_legal (&life, to))
            continue;
        convert_report (self->convert, "its history goes from %s to %s: a retry (queued) was inserted",
            s_word (life.state), s_word (to));
        s_insert_made (self, i, self->steps [i].time_us, STELE_TASK_QUEUED,
            "a state that is over may only be followed by queued");
    }
}

//  Make the last state that of the row
static void
s_reconcile_end (timeline_t *self)
{
    bool empty = self->count == 0;
    if (empty && self->started_us)
        s_insert_made (self, 0, self->started_us, STELE_TASK_RUNNING, "started_at");
    if (empty && (self->started_us || self->first != self->state))
        convert_report (self->convert, "no history leads to its state: the changes are inserted, with the times of its record");
    if (s_state_before (self, self->count) == self->state)
        return;
    if (!empty)
        convert_report (self->convert, "its history ends with %s, but its state is %s: set at the end",
            s_word (s_state_before (self, self->count)), s_word (self->state));
    bool over = stele_lifecycle_terminal (self->state);
    int64_t time_us = over && self->completed_us? self->completed_us:
        self->state == STELE_TASK_RUNNING && self->started_us? self->started_us:
        self->updated_us? self->updated_us: self->created_us;
    s_insert_made (self, self->count, time_us, self->state, "state");
}

//  -- times ----------------------------------------------------------------------------

//  Move the step to a time of the record; keep its own. A time of whole seconds adds nothing to
//  one within that second.
static void
s_move (timeline_t *self, timeline_step_t *step, int64_t time_us, const char *column)
{
    if (convert_same_time (step->time_us, time_us)) {
        if (time_us % 1000000)
            step->time_us = time_us;
        return;
    }
    if (!json_object_get (step->kept, "inserted")) {
        json_object_set_new (step->kept, "timestamp", convert_time (step->time_us));
        convert_report (self->convert, "a row of its history is within two seconds of %s: moved to that time, its own "
            "is kept in migrated.timestamp", column);
    }
    step->time_us = time_us;
}

static bool
s_is_near (int64_t one, int64_t other)
{
    return (one > other? one - other: other - one) <= MOVE_US;
}

//  Name of the source of a step's time
static const char *
s_source (const timeline_t *self, const timeline_step_t *step)
{
    if (!json_object_get (step->kept, "inserted"))
        return "its history";
    return self->updated_us? "updated_at": "created_at";
}

static void
s_reconcile_start (timeline_t *self)
{
    size_t first = 0;
    while (first < self->count && self->steps [first].state != STELE_TASK_RUNNING)
        first++;
    bool ran = first < self->count || self->first == STELE_TASK_RUNNING;
    if (!self->started_us) {
        if (ran)
            convert_report (self->convert, "it ran, but started_at is missing: taken from %s",
                first == self->count? "created_at": s_source (self, &self->steps [first]));
        return;
    }
    if (first < self->count && self->first != STELE_TASK_RUNNING
    &&  s_is_near (self->steps [first].time_us, self->started_us)) {
        s_move (self, &self->steps [first], self->started_us, "started_at");
        return;
    }
    //  Insert running before its first occurrence, or where it fits by time
    size_t at = 0;
    while (at < first && self->steps [at].time_us < self->started_us)
        at++;
    bool late = ran && (self->first == STELE_TASK_RUNNING
        || self->steps [first].time_us < self->started_us);
    //  The last state remains the last
    if (at == self->count && at > 0 && self->state != STELE_TASK_RUNNING)
        at--;
    while (at > 0 && stele_lifecycle_terminal (s_state_before (self, at)))
        at--;
    if (late || stele_lifecycle_terminal (s_state_before (self, at))) {
        convert_report (self->convert, "started_at is later than the first run in its history: "
            "the history is imported, started_at is kept in migrated.started_at");
        convert_keep (self->convert, "started_at", convert_time (self->started_us));
        return;
    }
    if (ran)
        convert_report (self->convert, "started_at is earlier than the first run in its history: "
            "a change to running was inserted");
    s_insert_made (self, at, self->started_us, STELE_TASK_RUNNING, "started_at");
}

static void
s_reconcile_completion (timeline_t *self)
{
    bool over = stele_lifecycle_terminal (self->state);
    if (!over && self->completed_us) {
        convert_report (self->convert, "it is %s, but completed_at is set: kept in migrated.completed_at",
            s_word (self->state));
        convert_keep (self->convert, "completed_at", convert_time (self->completed_us));
    }
    if (!over)
        return;
    if (!self->completed_us) {
        convert_report (self->convert, "it is %s, but completed_at is missing: taken from %s",
            s_word (self->state), self->count? s_source (self, &self->steps [self->count - 1]): "created_at");
        return;
    }
    timeline_step_t *last = self->count? &self->steps [self->count - 1]: NULL;
    if (last && s_is_near (last->time_us, self->completed_us)) {
        s_move (self, last, self->completed_us, "completed_at");
        return;
    }
    if (last)
        convert_report (self->convert, "completed_at differs from the end of its history: "
            "a change to %s was inserted", s_word (self->state));
    s_insert_made (self, self->count, self->completed_us, self->state, "completed_at");
}

//  A last row of whole seconds has the time of updated_at, if that is within its second
static void
s_refine_last (timeline_t *self)
{
    timeline_step_t *last = self->count? &self->steps [self->count - 1]: NULL;
    if (last && self->updated_us > last->time_us && last->time_us % 1000000 == 0 && last->time_us != self->completed_us
    &&  last->time_us != self->started_us && convert_same_time (last->time_us, self->updated_us))
        last->time_us = self->updated_us;
}

//  The last pass over times: each is at least that of the previous event
static void
s_reconcile_order (timeline_t *self)
{
    int64_t earliest_us = self->created_us;
    for (size_t i = 0; i < self->count; i++) {
        timeline_step_t *step = &self->steps [i];
        int64_t time_us = step->time_us;
        if (time_us < earliest_us) {
            step->time_us = earliest_us;
            if (!convert_same_time (time_us, earliest_us)) {
                convert_report (self->convert, "the change to %s is earlier than what came before it: it gets that time, its "
                    "own is kept in migrated", s_word (step->state));
                if (!json_object_get (step->kept, "timestamp") && !json_object_get (step->kept, "inserted"))
                    json_object_set_new (step->kept, "timestamp", convert_time (time_us));
                if (time_us == self->started_us)
                    convert_keep (self->convert, "started_at", convert_time (time_us));
                if (time_us == self->completed_us)
                    convert_keep (self->convert, "completed_at", convert_time (time_us));
            }
        }
        earliest_us = step->time_us;
    }
}

//  -- errors ---------------------------------------------------------------------------

static size_t
s_errors (const timeline_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += self->steps [i].is_error;
    return count;
}

static void
s_set_error (timeline_step_t *step, json_t *message)
{
    json_object_set (step->event, "error_message", message);
    step->is_error = true;
}

//  The last step with an error (is_error), or the last failed one without; NULL: none
static timeline_step_t *
s_last (timeline_t *self, bool is_error)
{
    for (size_t i = self->count; i-- > 0; ) {
        timeline_step_t *step = &self->steps [i];
        bool wrong = step->state == STELE_TASK_FAILED || step->state == STELE_TASK_ERROR
            || step->state == STELE_TASK_TIMEOUT;
        if (is_error? step->is_error: wrong && !step->is_error)
            return step;
    }
    return NULL;
}

//  Remove the first 'count' errors, and keep their messages
static void
s_remove_errors (timeline_t *self, size_t count)
{
    convert_report (self->convert, "its history has %zu more errors than error_count: the first are kept "
        "in migrated.error_message", count);
    for (size_t i = 0; i < self->count && count; i++) {
        timeline_step_t *step = &self->steps [i];
        if (!step->is_error)
            continue;
        json_object_set (step->kept, "error_message", json_object_get (step->event, "error_message"));
        json_object_del (step->event, "error_message");
        step->is_error = false;
        count--;
    }
}

static void
s_reconcile_last_error (timeline_t *self)
{
    timeline_step_t *step = s_last (self, true);
    if (!self->last_error || !step)
        return;
    json_t *message = json_object_get (step->event, "error_message");
    if (json_equal (message, self->last_error))
        return;
    convert_report (self->convert, "last_error differs from the last error of its history: it replaces that, "
        "which is kept in migrated.error_message");
    json_object_set (step->kept, "error_message", message);
    s_set_error (step, self->last_error);
}

static void
s_reconcile_errors (timeline_t *self)
{
    size_t have = s_errors (self);
    bool had = have > 0;
    size_t want = self->error_count >= 0? (size_t) self->error_count: have;
    if (want == 0 && self->last_error) {
        if (self->error_count == 0) {
            convert_report (self->convert, "last_error is set, but error_count is 0: counted as 1");
            convert_keep (self->convert, "error_count", json_integer (0));
        }
        want = 1;
    }
    if (want > have + 1000) {
        convert_report (self->convert, "error_count %zu is kept in migrated.error_count: its history has %zu",
            want, have);
        convert_keep (self->convert, "error_count", json_integer ((json_int_t) want));
        want = have + (self->last_error != NULL && !have);
    }
    if (have > want)
        s_remove_errors (self, have - want);
    for (; have < want; have++) {
        json_t *message = self->last_error? json_incref (self->last_error): json_string ("");
        timeline_step_t *step = s_last (self, false);
        if (!step) {
            //  Repeat the state before the last step
            size_t at = self->count? self->count - 1: 0;
            step = s_insert_made (self, at, at < self->count? self->steps [at].time_us: self->created_us,
                s_state_before (self, at), "error_count");
            convert_report (self->convert, "error_count is %zu, its history has %zu: an event with "
                "last_error was inserted", want, have);
        }
        s_set_error (step, message);
        json_decref (message);
    }
    s_reconcile_last_error (self);
    if (self->has_last_error && !self->last_error && want)
        convert_report (self->convert, "it has errors, but no last_error: set to %s",
            had? "that of its history": "an empty one");
}

void
timeline_reconcile (timeline_t *self)
{
    s_reconcile_end (self);
    s_reconcile_start (self);
    s_reconcile_completion (self);
    s_reconcile_transitions (self);
    s_reconcile_errors (self);
    s_refine_last (self);
    s_reconcile_order (self);
}

//  -- emitting -------------------------------------------------------------------------

int64_t
timeline_order (timeline_t *self, int64_t time_us)
{
    int64_t order_us = time_us > self->created_us? time_us: self->created_us;
    if (order_us >= self->last_order_us) {
        self->last_order_us = order_us;
        self->last_time_us = time_us;
    }
    return order_us;
}

void
timeline_emit (timeline_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        timeline_step_t *step = &self->steps [i];
        json_t *event = convert_event ("task.state_changed", step->time_us, "task_id", self->task_id);
        json_object_set_new (event, "state", json_string (s_word (step->state)));
        if (self->user && !json_object_get (step->event, "user_id"))
            json_object_set (event, "user_id", self->user);
        json_object_update (event, step->event);
        if (json_object_size (step->kept))
            json_object_set (event, "migrated", step->kept);
        //  Steps keep their order even if their times do not ascend
        int64_t order_us = timeline_order (self, step->time_us);
        self->order_us = order_us > self->order_us? order_us: self->order_us;
        if (self->order_us >= self->last_order_us) {
            self->last_order_us = self->order_us;
            self->last_time_us = step->time_us;
        }
        convert_emit (self->convert, self->order_us, event);
    }
}

//  The last value of a field in the steps; 'created' if none has it
static json_t *
s_last_given (const timeline_t *self, const char *field, json_t *created)
{
    json_t *given = created;
    for (size_t i = 0; i < self->count; i++) {
        json_t *value = json_object_get (self->steps [i].event, field);
        given = value? value: given;
    }
    return given;
}

//  Is updated_at later than the last event? A program with whole seconds wrote it within the same second,
//  or just after it; within the second of an output, it is that of another write.
static bool
s_is_updated_later (timeline_t *self)
{
    int64_t later_us = self->updated_us - self->last_time_us;
    int64_t step_us = self->count? self->steps [self->count - 1].time_us: self->created_us;
    bool whole = self->updated_us % 1000000 == 0;
    if (!self->updated_us || later_us == 0)
        return false;
    if (convert_same_time (self->updated_us, self->last_time_us) && (whole || later_us < 0 || step_us != self->last_time_us))
        return false;
    if (later_us < 0)
        convert_report (self->convert, "updated_at is earlier than its last event: the time of that is imported");
    return later_us > 0 && !(whole && later_us < 1000000);
}

void
timeline_close (timeline_t *self, const json_t *title)
{
    json_t *provider = s_last_given (self, "provider", self->first_provider);
    json_t *model = s_last_given (self, "model", self->first_model);
    bool other_provider = self->provider && provider && !json_equal (provider, self->provider);
    bool other_model = self->model && model && !json_equal (model, self->model);
    if ((provider && !self->provider) || (model && !self->model))
        convert_report (self->convert, "it has no provider or model, but its history has: the latter is imported");
    bool later = s_is_updated_later (self);
    if (!later && !other_provider && !other_model)
        return;
    convert_report (self->convert, other_provider || other_model?
        "its provider or model differs from the last of its history: an update was inserted":
        "updated_at is later than its last event: an update was inserted");
    json_t *event = convert_event ("task.updated", later? self->updated_us: self->last_time_us, "task_id", self->task_id);
    if (self->user)
        json_object_set (event, "user_id", self->user);
    if (other_provider)
        json_object_set (event, "provider", self->provider);
    if (other_model)
        json_object_set (event, "model", self->model);
    if (!other_provider && !other_model)
        json_object_set (event, "title", (json_t *) title);
    json_object_set_new (event, "migrated", json_pack ("{ss}", "inserted", "updated_at"));
    convert_emit (self->convert, self->last_order_us, event);
}

void
timeline_interrupt (timeline_t *self)
{
    stele_migrate_t *migrate = self->convert->migrate;
    if (self->state != STELE_TASK_RUNNING && self->state != STELE_TASK_STARTING && self->state != STELE_TASK_COMPLETING)
        return;
    migrate->counts.unfinished++;
    if (!migrate->options.interrupt)
        return;
    migrate->counts.interrupted++;
    //  Without a time it gets that of the migration
    json_t *event = convert_event ("task.state_changed", 0, "task_id", self->task_id);
    json_object_set_new (event, "state", json_string ("failed"));
    json_object_set_new (event, "interrupted", json_true ());
    json_object_set_new (event, "error_message", json_sprintf (
        "interrupted: it was %s in the earlier system when it was migrated", s_word (self->state)));
    json_object_set_new (event, "migrated", json_pack ("{ss}", "inserted", "--interrupt"));
    convert_emit (self->convert, INT64_MAX, event);
}
