/*  sqlite_tasks - convert the tasks of an earlier system, with their history, outputs and metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "migrate/source/sqlite_source.h"
#include "model/field.h"

//  -- history ------------------------------------------------------------------------------

//  Collect a row, to be converted in the order of their times
static int
s_collect_step (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    const char *names = SQLITE_TIMES;
    char name [64];
    json_t *columns = sqlite_columns (row);
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", json_incref (columns));
    sqlite_set_id (&convert, owner->id);
    convert_show (&convert, owner->id);
    convert_end (&convert);
    owner->source->migrate->counts.history++;
    convert_time_t time = { .us = owner->last_us };
    while (convert_next_name (&names, name))
        if (convert_read_time (owner->source->migrate->zone, json_object_get (columns, name), &time))
            break;
        else
            time.us = owner->last_us;
    owner->last_us = time.us;
    json_array_append_new (owner->steps, json_pack ("[Io]", (json_int_t) time.us, columns));
    return 0;
}

static int64_t
s_time_of (const json_t *steps, size_t i)
{
    return json_integer_value (json_array_get (json_array_get (steps, i), 0));
}

//  Insertion sort: rows are nearly in order. Within a second, rows with a time of whole seconds keep
//  their place.
static void
s_sort_steps (json_t *steps)
{
    for (size_t i = 1; i < json_array_size (steps); i++) {
        json_t *step = json_incref (json_array_get (steps, i));
        int64_t time_us = s_time_of (steps, i);
        size_t to = i;
        while (to > 0 && s_time_of (steps, to - 1) > time_us && !convert_same_time (s_time_of (steps, to - 1), time_us))
            to--;
        if (to < i) {
            json_array_remove (steps, i);
            json_array_insert (steps, to, step);
        }
        json_decref (step);
    }
}

//  The states of a row. Returns the state before; 0: none
static int
s_take_states (convert_t *convert, timeline_t *timeline, int *to)
{
    stele_task_state_t before = timeline->count? timeline->steps [timeline->count - 1].state: 0;
    int from = convert_take_word (convert, "state_from from_state old_state previous_state",
        STELE_VOCABULARY_TASK_STATE, before? (int) before: STELE_TASK_QUEUED);
    *to = convert_take_word (convert, "state_to to_state new_state state",
        STELE_VOCABULARY_TASK_STATE, from? from: STELE_TASK_PAUSED);
    if (*to == 0) {
        *to = from? from: before? (int) before: STELE_TASK_QUEUED;
        convert_report (convert, "a row of its history has no state: set to %s",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, *to));
    }
    if (before && from && from != (int) before) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, from);
        convert_report (convert, "a row of its history starts from %s, the previous one ended with %s: kept in migrated",
            word, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, before));
        convert_keep (convert, "state_from", json_string (word));
    }
    return from;
}

//  A row that records only the creation is no change of state: its other values are kept with the creation.
//  True: it was one. 'step' has its fields
static bool
s_merge_creation (timeline_t *timeline, convert_t *convert, json_t *created, json_t *step, int64_t time_us)
{
    if (json_object_get (step, "error_message"))
        return false;
    timeline->first_provider = json_incref (json_object_get (step, "provider"));
    timeline->first_model = json_incref (json_object_get (step, "model"));
    json_object_del (step, "provider");
    json_object_del (step, "model");
    if (json_equal (json_object_get (step, "user_id"), timeline->user)
    ||  strcmp (json_string_value (json_object_get (step, "user_id"))? json_string_value (json_object_get (step, "user_id")): "",
            "default") == 0)
        json_object_del (step, "user_id");
    if (!convert_same_time (time_us, timeline->created_us))
        convert_keep (convert, "timestamp", convert_time (time_us));
    json_object_update_missing (convert->kept, step);
    if (json_object_size (convert->kept))
        json_object_set (created, "migrated", convert->kept);
    return true;
}

//  Convert a row of the history. 'created' is the event of the task's creation
static void
s_take_step (sqlite_owner_t *owner, json_t *columns, int64_t time_us, json_t *created)
{
    timeline_t *timeline = owner->timeline;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", json_incref (columns));
    convert.has_outputs = true;
    sqlite_set_id (&convert, owner->id);
    json_decref (convert_take (&convert, "id"));
    json_decref (convert_take (&convert, "task_id"));
    int64_t own_us;
    if (!convert_take_time (&convert, SQLITE_TIMES, &own_us))
        convert_report (&convert, "it has no time: set to that of the previous row");
    int to, from = s_take_states (&convert, timeline, &to);
    json_t *event = json_object ();
    convert_take_error (&convert, event, "error_message error");
    convert_take_field (&convert, event, "provider", "provider");
    convert_take_field (&convert, event, "model", "model");
    convert_take_field (&convert, event, "details", "details change_details metadata");
    sqlite_take_user (&convert, event, NULL);
    convert_keep_rest (&convert);
    bool is_first = timeline->count == 0 && !timeline->has_creation;
    if (is_first)
        timeline->first = (stele_task_state_t) (from? from: to);
    timeline->has_creation = true;
    if (is_first && from == 0 && s_merge_creation (timeline, &convert, created, event, time_us))
        json_decref (event);
    else {
        timeline_add (timeline, time_us, (stele_task_state_t) to, event, convert.kept);
        convert.kept = NULL;
    }
    convert_emit_rests (&convert, time_us > timeline->created_us? time_us: timeline->created_us, time_us, owner->id);
    convert_end (&convert);
}

static void
s_take_steps (sqlite_owner_t *owner, json_t *created)
{
    int64_t earliest_us = owner->timeline->created_us;
    for (size_t i = 0; i < json_array_size (owner->steps); i++) {
        int64_t time_us = convert_not_before (s_time_of (owner->steps, i), earliest_us);
        s_take_step (owner, json_array_get (json_array_get (owner->steps, i), 1), time_us, created);
        earliest_us = time_us > earliest_us? time_us: earliest_us;
    }
}

//  -- outputs and metrics ------------------------------------------------------------------

//  The time of a row, and its order. A whole second that began before the task was created is not before it
static int64_t
s_take_row_time (sqlite_owner_t *owner, convert_t *convert, int64_t *order)
{
    int64_t time_us = sqlite_take_row_time (convert, SQLITE_TIMES, owner);
    if (owner->timeline)
        time_us = convert_not_before (time_us, owner->timeline->created_us);
    *order = owner->timeline? timeline_order (owner->timeline, time_us): time_us;
    return time_us;
}

static void
s_emit_output (sqlite_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t order, time_us = s_take_row_time (owner, convert, &order);
    json_t *event = convert_event ("task.output_added", time_us, "task_id", owner->id);
    int type = convert_take_word (convert, "output_type type", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_LOG);
    if (!type)
        convert_report (convert, "an output has no type: set to log");
    json_object_set_new (event, "output_type", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_OUTPUT_TYPE, type? type: STELE_OUTPUT_LOG)));
    if (!convert_take_field (convert, event, "content", "content")) {
        convert_report (convert, "an output has no content: set to empty");
        json_object_set_new (event, "content", json_string (""));
    }
    convert_take_field (convert, event, "file_path", "file_path");
    convert_take_field (convert, event, "file_size", "file_size");
    convert_take_field (convert, event, "mime_type", "mime_type");
    convert_take_field (convert, event, "commit_hash", "commit_hash");
    convert_take_field (convert, event, "branch", "branch");
    sqlite_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, order, event);
    convert_emit_rests (convert, order, time_us, owner->id);
}

static void
s_emit_metric (sqlite_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t order, time_us = s_take_row_time (owner, convert, &order);
    json_t *event = convert_event ("task.metric_recorded", time_us, "task_id", owner->id);
    if (!convert_take_field (convert, event, "name", "name metric_name")) {
        convert_report (convert, "a metric has no name: set to unnamed");
        json_object_set_new (event, "name", json_string ("unnamed"));
    }
    if (!convert_take_field (convert, event, "value", "value metric_value")) {
        //  SQLite stores NaN as NULL
        convert_report (convert, "a metric has no value: set to NaN");
        json_object_set_new (event, "value", json_pack ("{ss}", "$float", "NaN"));
    }
    convert_take_field (convert, event, "unit", "unit metric_unit");
    sqlite_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, order, event);
    convert_emit_rests (convert, order, time_us, owner->id);
}

static int
s_take_output (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_outputs", sqlite_columns (row));
    convert.has_outputs = true;
    sqlite_set_id (&convert, owner->id);
    convert_show (&convert, owner->id);
    owner->source->migrate->counts.outputs++;
    s_emit_output (owner, &convert);
    convert_end (&convert);
    return 0;
}

static int
s_take_metric (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_metrics", sqlite_columns (row));
    convert.has_outputs = true;
    sqlite_set_id (&convert, owner->id);
    convert_show (&convert, owner->id);
    owner->source->migrate->counts.metrics++;
    s_emit_metric (owner, &convert);
    convert_end (&convert);
    return 0;
}

//  -- tasks ------------------------------------------------------------------------------

//  A task without a title gets its description, as far as that fits, or its id
static void
s_make_title (convert_t *convert, json_t *event, const char *id)
{
    json_t *value = json_object_get (convert->columns, "description");
    size_t size;
    char *raw = value && !json_is_null (value)? convert_raw (value, &size): NULL;
    if (raw && size > 0) {
        json_t *text = convert_repair (raw, size);
        size_t most = json_string_length (text) < STELE_LIMIT_TITLE? json_string_length (text): STELE_LIMIT_TITLE;
        while (((unsigned char) json_string_value (text) [most] & 0xC0) == 0x80)
            most--;
        json_object_set_new (event, "title", json_stringn_nocheck (json_string_value (text), most));
        json_decref (text);
        convert_report (convert, "it has no title: set to its description, up to the limit of %d bytes", STELE_LIMIT_TITLE);
    }
    else {
        convert_report (convert, "it has no title: set to its id");
        json_object_set_new (event, "title", convert_string (id));
    }
    free (raw);
}

//  Take the fields of task.created except state, provider and model
static void
s_take_task_fields (convert_t *convert, json_t *event, const char *id)
{
    static const char *const plain [] [2] = {
        { "branch", "branch branch_name" }, { "worktree_path", "worktree_path" }, { "base_branch", "base_branch" },
        { "commit_hash", "commit_hash" }, { "target_dir", "target_dir" }, { "full_access", "full_access" },
        { "provider_override", "provider_override" }, { "repository_url", "repository_url" },
        { "acceptance_criteria", "acceptance_criteria" }, { "metadata", "metadata task_metadata meta_data extra_metadata context" },
        { "parent_id", "parent_id parent_task_id" }, { "user_id", "user_id" }
    };
    if (!convert_take_field (convert, event, "title", "title name"))
        s_make_title (convert, event, id);
    sqlite_require (convert, event, "description", "description", "");
    sqlite_require (convert, event, "role", "role agent_type", "unknown");
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        convert_take_field (convert, event, plain [i] [0], plain [i] [1]);
}

//  Take the times of the row
static void
s_take_times (sqlite_owner_t *owner, convert_t *convert)
{
    timeline_t *timeline = owner->timeline;
    convert_take_time (convert, "created_at", &timeline->created_us);
    convert_take_time (convert, "updated_at", &timeline->updated_us);
    convert_take_time (convert, "started_at", &timeline->started_us);
    convert_take_time (convert, "completed_at finished_at", &timeline->completed_us);
    //  A task that was assigned but never in progress was not started
    if (timeline->state == STELE_TASK_STARTING)
        convert_take_time (convert, "assigned_at", timeline->updated_us? &timeline->started_us: &timeline->updated_us);
    else
    if (!timeline->started_us)
        convert_take_time (convert, "assigned_at", &timeline->started_us);
    if (!timeline->created_us) {
        timeline->created_us = json_array_size (owner->steps)? s_time_of (owner->steps, 0): timeline->started_us?
            timeline->started_us: timeline->updated_us? timeline->updated_us: timeline->completed_us?
            timeline->completed_us: owner->source->fallback_us;
        convert_report (convert, "it has no created_at: set to the first known time");
    }
}

static void
s_take_state (convert_t *convert, timeline_t *timeline)
{
    const char *begun = json_object_get (convert->columns, "started_at")? "started_at": "assigned_at";
    int unknown = json_is_string (json_object_get (convert->columns, "completed_at"))? STELE_TASK_ERROR:
        json_is_string (json_object_get (convert->columns, begun))? STELE_TASK_PAUSED: STELE_TASK_QUEUED;
    timeline->state = (stele_task_state_t) convert_take_word (convert, "state status", STELE_VOCABULARY_TASK_STATE, unknown);
}

//  Take the errors, provider and model of the row
static void
s_take_record (sqlite_source_t *self, convert_t *convert, timeline_t *timeline)
{
    json_t *provider = json_object (), *count;
    convert_take_field (convert, provider, "provider", "provider");
    convert_take_field (convert, provider, "model", "model");
    timeline->provider = json_incref (json_object_get (provider, "provider"));
    timeline->model = json_incref (json_object_get (provider, "model"));
    timeline->has_last_error = json_object_get (convert->columns, "last_error") != NULL
        || stele_sqlite_file_has_column (self->source, "tasks", "last_error");
    if (convert_take_error (convert, provider, "last_error error_message error"))
        timeline->last_error = json_incref (json_object_get (provider, "error_message"));
    count = convert_take (convert, "error_count");
    timeline->error_count = json_is_integer (count) && json_integer_value (count) >= 0?
        (int64_t) json_integer_value (count): -1;
    if (count && timeline->error_count < 0) {
        convert_report (convert, "error_count is not a count: kept in migrated.error_count");
        convert_keep (convert, "error_count", json_incref (count));
    }
    json_decref (count);
    json_decref (provider);
}

//  Set the first provider or model: that of the record, unless its history has changes
static void
s_set_first (timeline_t *timeline, json_t *event, const char *field, json_t *value, json_t *first)
{
    if (first)
        value = first;
    for (size_t i = 0; i < timeline->count && value && !first; i++) {
        const json_t *given = json_object_get (timeline->steps [i].event, field);
        if (given && !json_equal (given, value))
            return;
    }
    if (value)
        json_object_set (event, field, value);
}

//  The result of a task, which the one-table generation has in its row
static void
s_emit_result (convert_t *convert, timeline_t *timeline, const char *id)
{
    json_t *event = json_object ();
    if (convert_take_field (convert, event, "content", "result") && (!json_is_string (json_object_get (event, "content"))
    ||  json_string_length (json_object_get (event, "content")))) {
        int64_t time_us = timeline->last_time_us;
        json_t *output = convert_event ("task.output_added", time_us, "task_id", id);
        json_object_set_new (output, "output_type", json_string ("stdout"));
        json_object_update (output, event);
        json_object_set_new (output, "migrated", json_pack ("{ss}", "column", "result"));
        convert_emit (convert, timeline->last_order_us, output);
        convert_emit_rests (convert, timeline->last_order_us, time_us, id);
    }
    json_decref (event);
}

//  Emit the creation, the history, and the rows of the task
static int
s_emit_task (sqlite_owner_t *owner, convert_t *convert, json_t *event)
{
    timeline_t *timeline = owner->timeline;
    json_object_set_new (event, "time", convert_time (timeline->created_us));
    json_object_set_new (event, "state", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, timeline->first)));
    s_set_first (timeline, event, "provider", timeline->provider, timeline->first_provider);
    s_set_first (timeline, event, "model", timeline->model, timeline->first_model);
    json_t *title = json_incref (json_object_get (event, "title"));
    timeline->order_us = timeline_order (timeline, timeline->created_us);
    convert_emit (convert, timeline->order_us, event);
    convert_emit_rests (convert, timeline->order_us, timeline->created_us, owner->id);
    timeline_emit (timeline);
    owner->last_us = timeline->created_us;
    int rc = sqlite_rows_of (owner->source, "task_outputs", "task_id", s_take_output, owner);
    owner->last_us = timeline->created_us;
    if (rc == 0)
        rc = sqlite_rows_of (owner->source, "task_metrics", "task_id", s_take_metric, owner);
    timeline_close (timeline, title);
    timeline_interrupt (timeline);
    json_decref (title);
    return rc;
}

//  Pass the columns on as they were in the source
static void
s_show (convert_t *convert, json_t *shown, const char *id)
{
    json_t *columns = convert->columns;
    convert->columns = shown;
    convert_show (convert, id);
    convert->columns = columns;
    json_decref (shown);
}

int
sqlite_take_task (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_source_t *self = arg;
    convert_t convert;
    json_t *others, *columns = sqlite_resolve (self, row, &others);
    self->migrate->counts.tasks++;
    if (!columns)
        return 0;
    convert_start (&convert, self->migrate, "tasks", columns);
    convert.has_outputs = true;
    json_t *key, *shown = json_copy (columns);
    char *id = sqlite_take_id (self, &convert, self->task_key, &key);
    s_show (&convert, shown, id);
    if (strcmp (self->task_key, "id") != 0)
        json_decref (convert_take (&convert, "id"));
    migrate_add_task (self->migrate, id);
    convert_keep_others (&convert, others, SQLITE_RULE);
    json_t *event = convert_event ("task.created", 0, "task_id", id);
    s_take_task_fields (&convert, event, id);
    timeline_t timeline = {
        .convert = &convert, .task_id = id, .first = STELE_TASK_QUEUED, .order_us = INT64_MIN,
        .last_order_us = INT64_MIN, .user = json_incref (json_object_get (event, "user_id"))
    };
    sqlite_owner_t owner = { .source = self, .timeline = &timeline, .id = id, .key = key, .user = timeline.user,
        .steps = json_array (), .last_us = self->fallback_us };
    int rc = sqlite_rows_of (self, "task_history", "task_id", s_collect_step, &owner);
    s_sort_steps (owner.steps);
    s_take_state (&convert, &timeline);
    s_take_times (&owner, &convert);
    s_take_steps (&owner, event);
    s_take_record (self, &convert, &timeline);
    if (!timeline.state) {
        timeline.state = timeline.count? timeline.steps [timeline.count - 1].state: timeline.first;
        convert_report (&convert, "it has no state: set to %s",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, timeline.state));
    }
    timeline_reconcile (&timeline);
    //  The result is an output, after the events before it
    json_t *result = convert_take (&convert, "result");
    convert_keep_rest (&convert);
    convert_attach (&convert, event, "metadata");
    if (result)
        json_object_set_new (convert.columns, "result", result);
    int emitted = s_emit_task (&owner, &convert, event);
    s_emit_result (&convert, &timeline, id);
    timeline_clear (&timeline);
    json_decref (owner.steps);
    json_decref (key);
    free (id);
    convert_end (&convert);
    return rc? rc: emitted;
}

//  -- rows without a task ------------------------------------------------------------------

int
sqlite_orphan_step (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", sqlite_columns (row));
    owner->source->migrate->counts.history++;
    convert.has_outputs = true;
    char *id = sqlite_orphan (owner, &convert, "task_id", "task");
    json_decref (convert_take (&convert, "id"));
    int64_t time_us = sqlite_take_row_time (&convert, SQLITE_TIMES, owner);
    //  Without a task no state can be set: record the row as an output
    json_t *event = convert_event ("task.output_added", time_us, "task_id", id);
    json_object_set_new (event, "output_type", json_string ("diagnostic"));
    json_object_set_new (event, "content", json_string ("a row of the history of a task that was not there"));
    convert_keep_rest (&convert);
    convert_attach (&convert, event, NULL);
    convert_emit (&convert, time_us, event);
    free (id);
    convert_end (&convert);
    return 0;
}

int
sqlite_orphan_output (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_outputs", sqlite_columns (row));
    owner->source->migrate->counts.outputs++;
    convert.has_outputs = true;
    char *id = sqlite_orphan (owner, &convert, "task_id", "task");
    convert_show (&convert, id);
    s_emit_output (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}

int
sqlite_orphan_metric (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_metrics", sqlite_columns (row));
    owner->source->migrate->counts.metrics++;
    convert.has_outputs = true;
    char *id = sqlite_orphan (owner, &convert, "task_id", "task");
    convert_show (&convert, id);
    s_emit_metric (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}
