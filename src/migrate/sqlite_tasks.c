/*  sqlite_tasks - convert the tasks of an earlier system, with their history, outputs and metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "migrate/sqlite_source.h"

//  -- rows of a task -------------------------------------------------------------------

static int
s_take_step (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    timeline_t *timeline = owner->timeline;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", sqlite_columns (row));
    sqlite_set_id (&convert, owner->id);
    owner->source->migrate->counts.history++;
    json_decref (convert_take (&convert, "id"));
    json_decref (convert_take (&convert, "task_id"));
    int64_t time_us = sqlite_take_row_time (&convert, SQLITE_TIMES, owner);
    stele_task_state_t before = timeline->count? timeline->steps [timeline->count - 1].state: 0;
    int from = convert_take_word (&convert, "state_from from_state old_state previous_state",
        STELE_VOCABULARY_TASK_STATE, before? (int) before: STELE_TASK_QUEUED);
    int to = convert_take_word (&convert, "state_to to_state new_state state",
        STELE_VOCABULARY_TASK_STATE, from? from: STELE_TASK_PAUSED);
    if (to == 0) {
        to = from? from: before? (int) before: STELE_TASK_QUEUED;
        convert_report (&convert, "a row of its history has no state: set to %s",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, to));
    }
    if (timeline->count == 0 && from)
        timeline->first = (stele_task_state_t) from;
    else
    if (before && from && from != (int) before) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, from);
        convert_report (&convert, "a row of its history starts from %s, the previous one ended with %s: kept in migrated",
            word, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, before));
        convert_keep (&convert, "state_from", json_string (word));
    }
    json_t *event = json_object ();
    convert_take_error (&convert, event, "error_message error");
    convert_take_field (&convert, event, "provider", "provider");
    convert_take_field (&convert, event, "model", "model");
    convert_take_field (&convert, event, "details", "details change_details metadata");
    sqlite_take_user (&convert, event, NULL);
    convert_keep_rest (&convert);
    bool created = timeline->count == 0 && from == 0;
    timeline_step_t *step = timeline_add (timeline, time_us, (stele_task_state_t) to, event, convert.kept);
    //  This row records the creation itself
    step->is_creation = created;
    convert.kept = NULL;
    convert_end (&convert);
    return 0;
}

static void
s_emit_output (sqlite_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t time_us = sqlite_take_row_time (convert, SQLITE_TIMES, owner);
    json_t *event = convert_event ("task.output_added", time_us, "task_id", owner->id);
    int type = convert_take_word (convert, "output_type type", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_LOG);
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
    convert_emit (convert, owner->timeline? timeline_order (owner->timeline, time_us): time_us, event);
}

static void
s_emit_metric (sqlite_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t time_us = sqlite_take_row_time (convert, SQLITE_TIMES, owner);
    json_t *event = convert_event ("task.metric_recorded", time_us, "task_id", owner->id);
    if (!convert_take_field (convert, event, "name", "name metric_name")) {
        convert_report (convert, "a metric has no name: set to unnamed");
        json_object_set_new (event, "name", json_string ("unnamed"));
    }
    if (!convert_take_field (convert, event, "value", "value metric_value")) {
        convert_report (convert, "a metric has no value: set to 0");
        json_object_set_new (event, "value", json_integer (0));
    }
    convert_take_field (convert, event, "unit", "unit metric_unit");
    sqlite_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, owner->timeline? timeline_order (owner->timeline, time_us): time_us, event);
}

static int
s_take_output (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_outputs", sqlite_columns (row));
    sqlite_set_id (&convert, owner->id);
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
    sqlite_set_id (&convert, owner->id);
    owner->source->migrate->counts.metrics++;
    s_emit_metric (owner, &convert);
    convert_end (&convert);
    return 0;
}

//  -- tasks ------------------------------------------------------------------------------

//  Take the fields of task.created except state, provider and model
static void
s_take_task_fields (convert_t *convert, json_t *event, const char *id)
{
    static const char *const plain [] [2] = {
        { "branch", "branch branch_name" }, { "worktree_path", "worktree_path" }, { "base_branch", "base_branch" },
        { "commit_hash", "commit_hash" }, { "target_dir", "target_dir" }, { "full_access", "full_access" },
        { "provider_override", "provider_override" }, { "repository_url", "repository_url" },
        { "acceptance_criteria", "acceptance_criteria" }, { "metadata", "metadata task_metadata meta_data extra_metadata" },
        { "parent_id", "parent_id parent_task_id" }, { "user_id", "user_id" }
    };
    sqlite_require (convert, event, "title", "title name", id);
    sqlite_require (convert, event, "description", "description", "");
    sqlite_require (convert, event, "role", "role", "unknown");
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        convert_take_field (convert, event, plain [i] [0], plain [i] [1]);
}

//  Take the times, errors, provider and model of the row
static void
s_take_record (sqlite_source_t *self, convert_t *convert, timeline_t *timeline)
{
    json_t *provider = json_object (), *count;
    convert_take_time (convert, "created_at", &timeline->created_us);
    convert_take_time (convert, "updated_at", &timeline->updated_us);
    convert_take_time (convert, "started_at", &timeline->started_us);
    convert_take_time (convert, "completed_at finished_at", &timeline->completed_us);
    if (!timeline->created_us) {
        timeline->created_us = timeline->count? timeline->steps [0].time_us: timeline->started_us? timeline->started_us:
            timeline->updated_us? timeline->updated_us: timeline->completed_us? timeline->completed_us: self->fallback_us;
        convert_report (convert, "it has no created_at: set to the first known time");
    }
    convert_take_field (convert, provider, "provider", "provider");
    convert_take_field (convert, provider, "model", "model");
    timeline->provider = json_incref (json_object_get (provider, "provider"));
    timeline->model = json_incref (json_object_get (provider, "model"));
    timeline->has_last_error = json_object_get (convert->columns, "last_error") != NULL
        || stele_sqlite_file_has_column (self->source, "tasks", "last_error");
    if (convert_take_error (convert, provider, "last_error error_message"))
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
s_set_first (timeline_t *timeline, json_t *event, const char *field, json_t *value)
{
    for (size_t i = 0; i < timeline->count && value; i++) {
        const json_t *given = json_object_get (timeline->steps [i].event, field);
        if (given && !json_equal (given, value))
            return;
    }
    if (value)
        json_object_set (event, field, value);
}

//  A row of history that only records the creation is not a change of state: its other
//  values are kept with the creation
static void
s_merge_creation (timeline_t *timeline, json_t *created)
{
    timeline_step_t *step = timeline->count? &timeline->steps [0]: NULL;
    if (!step || !step->is_creation)
        return;
    json_t *provider = json_object_get (step->event, "provider");
    json_t *model = json_object_get (step->event, "model");
    timeline->first = step->state;
    if (step->time_us != timeline->created_us || step->is_error
    || (provider && !json_equal (provider, timeline->provider)) || (model && !json_equal (model, timeline->model)))
        return;
    json_object_del (step->event, "provider");
    json_object_del (step->event, "model");
    if (json_equal (json_object_get (step->event, "user_id"), timeline->user))
        json_object_del (step->event, "user_id");
    json_object_update_missing (step->kept, step->event);
    if (json_object_size (step->kept))
        json_object_set (created, "migrated", step->kept);
    json_decref (step->event);
    json_decref (step->kept);
    memmove (timeline->steps, timeline->steps + 1, --timeline->count * sizeof *timeline->steps);
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
    char *id = sqlite_take_id (self, &convert, self->task_key);
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
    sqlite_owner_t owner = { .source = self, .timeline = &timeline, .id = id, .user = timeline.user, .last_us = self->fallback_us };
    int rc = sqlite_rows_of (self, "task_history", "task_id", id, s_take_step, &owner);
    s_take_record (self, &convert, &timeline);
    int unknown = timeline.completed_us? STELE_TASK_ERROR: timeline.started_us? STELE_TASK_PAUSED: STELE_TASK_QUEUED;
    timeline.state = (stele_task_state_t) convert_take_word (&convert, "state status", STELE_VOCABULARY_TASK_STATE, unknown);
    if (!timeline.state) {
        timeline.state = timeline.count? timeline.steps [timeline.count - 1].state: STELE_TASK_QUEUED;
        convert_report (&convert, "it has no state: set to %s",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, timeline.state));
    }
    s_merge_creation (&timeline, event);
    timeline_reconcile (&timeline);
    convert_keep_rest (&convert);
    convert_attach (&convert, event, "metadata");
    json_object_set_new (event, "time", convert_time (timeline.created_us));
    json_object_set_new (event, "state", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, timeline.first)));
    s_set_first (&timeline, event, "provider", timeline.provider);
    s_set_first (&timeline, event, "model", timeline.model);
    json_t *title = json_incref (json_object_get (event, "title"));
    timeline.order_us = timeline_order (&timeline, timeline.created_us);
    convert_emit (&convert, timeline.order_us, event);
    timeline_emit (&timeline);
    owner.last_us = timeline.created_us;
    if (rc == 0)
        rc = sqlite_rows_of (self, "task_outputs", "task_id", id, s_take_output, &owner);
    owner.last_us = timeline.created_us;
    if (rc == 0)
        rc = sqlite_rows_of (self, "task_metrics", "task_id", id, s_take_metric, &owner);
    timeline_close (&timeline, json_string_value (title));
    timeline_clear (&timeline);
    json_decref (title);
    free (id);
    convert_end (&convert);
    return rc;
}

//  -- rows without a task ------------------------------------------------------------------

int
sqlite_orphan_step (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", sqlite_columns (row));
    owner->source->migrate->counts.history++;
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
    char *id = sqlite_orphan (owner, &convert, "task_id", "task");
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
    char *id = sqlite_orphan (owner, &convert, "task_id", "task");
    s_emit_metric (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}
