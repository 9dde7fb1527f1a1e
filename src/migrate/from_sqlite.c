/*  from_sqlite - the tables of the earlier system, row by row

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "ledger/foreign.h"
#include "migrate/convert.h"
#include "migrate/story.h"
#include "stele_error.h"

typedef struct {
    stele_migrate_t *migrate;
    stele_foreign_t *source;
    const char *task_key, *session_key;     // Columns with their ids
    int64_t fallback_us;                    // A time for what has none at all
    int64_t numberless;                     // Rows without an id
} s_source_t;

//  A row of a task or a session that belongs to it
typedef struct {
    s_source_t *source;
    story_t *story;                         // NULL: its task is not there
    const char *id;
    json_t *user;
    int64_t last_us;                        // Time of the row before
} s_owner_t;

static json_t *
s_columns (const stele_foreign_row_t *row)
{
    json_t *columns = json_object ();
    for (int i = 0; i < row->count; i++) {
        const stele_value_t *value = &row->values [i];
        char name [128];
        snprintf (name, sizeof name, "%s", row->names [i]);
        for (char *c = name; *c; c++)
            *c = (char) tolower ((unsigned char) *c);
        json_t *json = NULL;
        if (value->kind == STELE_VALUE_INTEGER)
            json = json_integer (value->integer);
        else
        if (value->kind == STELE_VALUE_REAL) {
            json = json_real (value->real);
            if (!json)
                json = json_pack ("{ss}", "$float", value->real > 0? "Infinity": "-Infinity");
        }
        else
        if (value->kind == STELE_VALUE_TEXT)
            json = convert_text (value->text, value->size);
        else
        if (value->kind == STELE_VALUE_BYTES)
            json = convert_bytes (value->text, value->size);
        if (json)
            json_object_set_new_nocheck (columns, name, json);
    }
    return columns;
}

static void
s_name (convert_t *convert, const char *id)
{
    snprintf (convert->id, sizeof convert->id, "%s", id);
}

//  The id of a record; one without gets a number
static char *
s_take_id (s_source_t *self, convert_t *convert, const char *column)
{
    char *id = convert_take_text (convert, column);
    if (id && *id && strlen (id) <= 255) {
        s_name (convert, id);
        return id;
    }
    char made [64];
    snprintf (made, sizeof made, "migrated-%s-%lld", convert->table, (long long) ++self->numberless);
    s_name (convert, made);
    convert_odd (convert, "it has no id that can be: it gets this one");
    if (id)
        convert_keep (convert, column, json_string (id));
    free (id);
    id = strdup (made);
    assert (id);
    return id;
}

static int64_t
s_take_moment (convert_t *convert, const char *names, s_owner_t *owner)
{
    int64_t time_us;
    if (!convert_take_time (convert, names, &time_us)) {
        time_us = owner->last_us;
        convert_odd (convert, "it has no time: that of the row before it is taken");
    }
    owner->last_us = time_us;
    return time_us;
}

static void
s_take_user (convert_t *convert, json_t *event, const json_t *user)
{
    if (!convert_take_field (convert, event, "user_id", "user_id") && user)
        json_object_set (event, "user_id", (json_t *) user);
}

//  Rows of a table that belong to an id, where there is such a table
static int
s_rows_of (s_source_t *self, const char *table, const char *column, const char *id,
    stele_foreign_fn *fn, s_owner_t *owner)
{
    if (!stele_foreign_has_table (self->source, table))
        return 0;
    return stele_foreign_rows (self->source, table, column, id, fn, owner);
}

//  -- what belongs to a task -----------------------------------------------------------

#define TIMES "timestamp created_at recorded_at time changed_at executed_at"

static int
s_take_step (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    story_t *story = owner->story;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", s_columns (row));
    s_name (&convert, owner->id);
    owner->source->migrate->counts.history++;
    json_decref (convert_take (&convert, "id"));
    json_decref (convert_take (&convert, "task_id"));
    int64_t time_us = s_take_moment (&convert, TIMES, owner);
    stele_task_state_t before = story->count? story->steps [story->count - 1].state: 0;
    int from = convert_take_word (&convert, "state_from from_state old_state previous_state",
        STELE_VOCABULARY_TASK_STATE, before? (int) before: STELE_TASK_QUEUED);
    int to = convert_take_word (&convert, "state_to to_state new_state state",
        STELE_VOCABULARY_TASK_STATE, from? from: STELE_TASK_PAUSED);
    if (to == 0) {
        to = from? from: before? (int) before: STELE_TASK_QUEUED;
        convert_odd (&convert, "a row of its history has no state: it stays %s",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, to));
    }
    if (story->count == 0 && from)
        story->first = (stele_task_state_t) from;
    else
    if (before && from && from != (int) before) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, from);
        convert_odd (&convert, "a row of its history comes from %s, the one before it ended with %s: kept in migrated",
            word, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, before));
        convert_keep (&convert, "state_from", json_string (word));
    }
    json_t *event = json_object ();
    convert_take_field (&convert, event, "error_message", "error_message error");
    convert_take_field (&convert, event, "provider", "provider");
    convert_take_field (&convert, event, "model", "model");
    convert_take_field (&convert, event, "details", "details change_details metadata");
    s_take_user (&convert, event, NULL);
    convert_keep_rest (&convert);
    bool created = story->count == 0 && from == 0;
    story_step_t *step = story_add (story, time_us, (stele_task_state_t) to, event, convert.kept);
    //  The row that tells of the creation itself
    step->is_creation = created;
    convert.kept = NULL;
    convert_end (&convert);
    return 0;
}

static void
s_emit_output (s_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t time_us = s_take_moment (convert, TIMES, owner);
    json_t *event = convert_event ("task.output_added", time_us, "task_id", owner->id);
    int type = convert_take_word (convert, "output_type type", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_LOG);
    json_object_set_new (event, "output_type", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_OUTPUT_TYPE, type? type: STELE_OUTPUT_LOG)));
    if (!convert_take_field (convert, event, "content", "content")) {
        convert_odd (convert, "an output has no content: it is empty");
        json_object_set_new (event, "content", json_string (""));
    }
    convert_take_field (convert, event, "file_path", "file_path");
    convert_take_field (convert, event, "file_size", "file_size");
    convert_take_field (convert, event, "mime_type", "mime_type");
    convert_take_field (convert, event, "commit_hash", "commit_hash");
    convert_take_field (convert, event, "branch", "branch");
    s_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, owner->story? story_order (owner->story, time_us): time_us, event);
}

static void
s_emit_metric (s_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "task_id"));
    int64_t time_us = s_take_moment (convert, TIMES, owner);
    json_t *event = convert_event ("task.metric_recorded", time_us, "task_id", owner->id);
    if (!convert_take_field (convert, event, "name", "name metric_name")) {
        convert_odd (convert, "a metric has no name: it is called unnamed");
        json_object_set_new (event, "name", json_string ("unnamed"));
    }
    if (!convert_take_field (convert, event, "value", "value metric_value")) {
        convert_odd (convert, "a metric has no value: it is 0");
        json_object_set_new (event, "value", json_integer (0));
    }
    convert_take_field (convert, event, "unit", "unit metric_unit");
    s_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, owner->story? story_order (owner->story, time_us): time_us, event);
}

static int
s_take_output (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_outputs", s_columns (row));
    s_name (&convert, owner->id);
    owner->source->migrate->counts.outputs++;
    s_emit_output (owner, &convert);
    convert_end (&convert);
    return 0;
}

static int
s_take_metric (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_metrics", s_columns (row));
    s_name (&convert, owner->id);
    owner->source->migrate->counts.metrics++;
    s_emit_metric (owner, &convert);
    convert_end (&convert);
    return 0;
}

//  -- tasks ------------------------------------------------------------------------------

static void
s_require (convert_t *convert, json_t *event, const char *field, const char *names, const char *otherwise)
{
    if (convert_take_field (convert, event, field, names))
        return;
    convert_odd (convert, "it has no %s: '%s' is taken", field, otherwise);
    json_object_set_new (event, field, json_string (otherwise));
}

//  The fields of task.created but state, provider and model
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
    s_require (convert, event, "title", "title name", id);
    s_require (convert, event, "description", "description", "");
    s_require (convert, event, "role", "role", "unknown");
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        convert_take_field (convert, event, plain [i] [0], plain [i] [1]);
}

//  What the row says of times, errors, who runs it
static void
s_take_record (s_source_t *self, convert_t *convert, story_t *story)
{
    json_t *provider = json_object (), *count;
    convert_take_time (convert, "created_at", &story->created_us);
    convert_take_time (convert, "updated_at", &story->updated_us);
    convert_take_time (convert, "started_at", &story->started_us);
    convert_take_time (convert, "completed_at finished_at", &story->completed_us);
    if (!story->created_us) {
        story->created_us = story->count? story->steps [0].time_us: story->started_us? story->started_us:
            story->updated_us? story->updated_us: story->completed_us? story->completed_us: self->fallback_us;
        convert_odd (convert, "it has no created_at: the first time that is known is taken");
    }
    convert_take_field (convert, provider, "provider", "provider");
    convert_take_field (convert, provider, "model", "model");
    story->provider = json_incref (json_object_get (provider, "provider"));
    story->model = json_incref (json_object_get (provider, "model"));
    story->says_last_error = json_object_get (convert->columns, "last_error") != NULL
        || stele_foreign_has_column (self->source, "tasks", "last_error");
    if (convert_take_field (convert, provider, "error_message", "last_error error_message"))
        story->last_error = json_incref (json_object_get (provider, "error_message"));
    count = convert_take (convert, "error_count");
    story->error_count = json_is_integer (count) && json_integer_value (count) >= 0?
        (int64_t) json_integer_value (count): -1;
    if (count && story->error_count < 0)
        convert_keep (convert, "error_count", json_incref (count));
    json_decref (count);
    json_decref (provider);
}

//  Who runs it at first: its record's, unless its history tells of changes
static void
s_set_first (story_t *story, json_t *event, const char *field, json_t *value)
{
    for (size_t i = 0; i < story->count && value; i++) {
        const json_t *given = json_object_get (story->steps [i].event, field);
        if (given && !json_equal (given, value))
            return;
    }
    if (value)
        json_object_set (event, field, value);
}

//  A row of history that says no more than that the task was created is no change
static void
s_merge_creation (story_t *story)
{
    story_step_t *step = story->count? &story->steps [0]: NULL;
    if (!step || !step->is_creation)
        return;
    json_t *provider = json_object_get (step->event, "provider");
    json_t *model = json_object_get (step->event, "model");
    size_t given = json_object_size (step->event) - (provider != NULL) - (model != NULL)
        - (json_object_get (step->event, "user_id") != NULL);
    story->first = step->state;
    if (step->time_us != story->created_us || given || json_object_size (step->kept)
    || (provider && !json_equal (provider, story->provider)) || (model && !json_equal (model, story->model)))
        return;
    json_decref (step->event);
    json_decref (step->kept);
    memmove (story->steps, story->steps + 1, --story->count * sizeof *story->steps);
}

static int
s_take_task (const stele_foreign_row_t *row, void *arg)
{
    s_source_t *self = arg;
    convert_t convert;
    convert_start (&convert, self->migrate, "tasks", s_columns (row));
    self->migrate->counts.tasks++;
    char *id = s_take_id (self, &convert, self->task_key);
    if (strcmp (self->task_key, "id") != 0)
        json_decref (convert_take (&convert, "id"));
    migrate_task_known (self->migrate, id);
    json_t *event = convert_event ("task.created", 0, "task_id", id);
    s_take_task_fields (&convert, event, id);
    story_t story = {
        .convert = &convert, .task_id = id, .first = STELE_TASK_QUEUED, .order_us = INT64_MIN,
        .last_order_us = INT64_MIN, .user = json_incref (json_object_get (event, "user_id"))
    };
    s_owner_t owner = { .source = self, .story = &story, .id = id, .user = story.user, .last_us = self->fallback_us };
    int rc = s_rows_of (self, "task_history", "task_id", id, s_take_step, &owner);
    s_take_record (self, &convert, &story);
    int unknown = story.completed_us? STELE_TASK_ERROR: story.started_us? STELE_TASK_PAUSED: STELE_TASK_QUEUED;
    story.state = (stele_task_state_t) convert_take_word (&convert, "state status", STELE_VOCABULARY_TASK_STATE, unknown);
    if (!story.state) {
        story.state = story.count? story.steps [story.count - 1].state: STELE_TASK_QUEUED;
        convert_odd (&convert, "it has no state: %s is taken",
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, story.state));
    }
    s_merge_creation (&story);
    story_mend (&story);
    convert_keep_rest (&convert);
    convert_attach (&convert, event, "metadata");
    json_object_set_new (event, "time", convert_time (story.created_us));
    json_object_set_new (event, "state", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, story.first)));
    s_set_first (&story, event, "provider", story.provider);
    s_set_first (&story, event, "model", story.model);
    char *title = strdup (json_string_value (json_object_get (event, "title")));
    story.order_us = story_order (&story, story.created_us);
    convert_emit (&convert, story.order_us, event);
    story_tell (&story);
    owner.last_us = story.created_us;
    if (rc == 0)
        rc = s_rows_of (self, "task_outputs", "task_id", id, s_take_output, &owner);
    owner.last_us = story.created_us;
    if (rc == 0)
        rc = s_rows_of (self, "task_metrics", "task_id", id, s_take_metric, &owner);
    story_close (&story, title? title: "");
    story_clear (&story);
    free (title);
    free (id);
    convert_end (&convert);
    return rc;
}

//  -- what belongs to no task --------------------------------------------------------------

static char *
s_orphan (s_owner_t *owner, convert_t *convert, const char *column, const char *what)
{
    char *id = convert_take_text (convert, column);
    if (!id || !*id || strlen (id) > 255) {
        if (id)
            convert_keep (convert, column, json_string (id));
        free (id);
        id = strdup ("migrated-without-owner");
        assert (id);
    }
    s_name (convert, id);
    convert_odd (convert, "there is no such %s: it comes without its record", what);
    owner->id = id;
    return id;
}

static int
s_orphan_step (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_history", s_columns (row));
    owner->source->migrate->counts.history++;
    char *id = s_orphan (owner, &convert, "task_id", "task");
    json_decref (convert_take (&convert, "id"));
    int64_t time_us = s_take_moment (&convert, TIMES, owner);
    //  Nothing says what may follow what: the states are told, not set
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

static int
s_orphan_output (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_outputs", s_columns (row));
    owner->source->migrate->counts.outputs++;
    char *id = s_orphan (owner, &convert, "task_id", "task");
    s_emit_output (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}

static int
s_orphan_metric (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "task_metrics", s_columns (row));
    owner->source->migrate->counts.metrics++;
    char *id = s_orphan (owner, &convert, "task_id", "task");
    s_emit_metric (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}

//  -- sessions -----------------------------------------------------------------------------

static void
s_emit_command (s_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "session_id"));
    int64_t time_us = s_take_moment (convert, TIMES, owner);
    json_t *event = convert_event ("session.command_executed", time_us, "session_id", owner->id);
    s_require (convert, event, "command", "command", "");
    convert_take_field (convert, event, "output", "output");
    convert_take_field (convert, event, "execution_time_ms", "execution_time_ms duration_ms");
    convert_take_field (convert, event, "exit_code", "exit_code");
    s_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, owner->story? story_order (owner->story, time_us): time_us, event);
}

static int
s_take_command (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "cli_session_commands", s_columns (row));
    s_name (&convert, owner->id);
    owner->source->migrate->counts.commands++;
    s_emit_command (owner, &convert);
    convert_end (&convert);
    return 0;
}

static int
s_orphan_command (const stele_foreign_row_t *row, void *arg)
{
    s_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "cli_session_commands", s_columns (row));
    owner->source->migrate->counts.commands++;
    char *id = s_orphan (owner, &convert, "session_id", "session");
    s_emit_command (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}

static void
s_emit_start (convert_t *convert, story_t *story, json_t *event, int state)
{
    json_object_set_new (event, "time", convert_time (story->created_us));
    if (state < STELE_SESSION_COMPLETED)
        json_object_set_new (event, "state", json_string (
            stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state)));
    convert_emit (convert, story_order (story, story->created_us), event);
}

//  Its state, where the start did not give it, and the time of its last change
static void
s_emit_end (convert_t *convert, story_t *story, const char *id, int state)
{
    bool over = state >= STELE_SESSION_COMPLETED;
    const char *word = stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state);
    int64_t time_us = over && story->completed_us? story->completed_us:
        story->updated_us? story->updated_us: story->created_us;
    if (!over && time_us == story->last_time_us)
        return;
    json_t *change = convert_event ("session.state_changed", time_us, "session_id", id);
    json_object_set_new (change, "state", json_string (word));
    if (story->user)
        json_object_set (change, "user_id", story->user);
    int64_t order_us = story_order (story, time_us);
    convert_emit (convert, order_us > story->last_order_us? order_us: story->last_order_us, change);
}

static int
s_take_session (const stele_foreign_row_t *row, void *arg)
{
    s_source_t *self = arg;
    convert_t convert;
    convert_start (&convert, self->migrate, "cli_sessions", s_columns (row));
    self->migrate->counts.sessions++;
    char *id = s_take_id (self, &convert, self->session_key);
    if (strcmp (self->session_key, "id") != 0)
        json_decref (convert_take (&convert, "id"));
    json_t *event = convert_event ("session.started", 0, "session_id", id);
    s_require (&convert, event, "cli_tool", "cli_tool tool", "unknown");
    s_require (&convert, event, "mode", "mode", "unknown");
    s_require (&convert, event, "current_directory", "current_directory working_directory cwd", ".");
    convert_take_field (&convert, event, "pid", "pid process_id");
    convert_take_field (&convert, event, "authentication_required", "authentication_required");
    convert_take_field (&convert, event, "auth_prompt", "auth_prompt");
    convert_take_field (&convert, event, "task_id", "task_id");
    convert_take_field (&convert, event, "user_id", "user_id");
    json_decref (convert_take (&convert, "command_count"));     // It follows from the commands
    story_t story = {
        .convert = &convert, .task_id = id, .last_order_us = INT64_MIN,
        .user = json_incref (json_object_get (event, "user_id"))
    };
    convert_take_time (&convert, "created_at started_at", &story.created_us);
    convert_take_time (&convert, "updated_at last_activity", &story.updated_us);
    convert_take_time (&convert, "completed_at terminated_at ended_at", &story.completed_us);
    if (!story.created_us) {
        story.created_us = story.updated_us? story.updated_us:
            story.completed_us? story.completed_us: self->fallback_us;
        convert_odd (&convert, "it has no created_at: the first time that is known is taken");
    }
    int state = convert_take_word (&convert, "state status", STELE_VOCABULARY_SESSION_STATE,
        story.completed_us? STELE_SESSION_TERMINATED: STELE_SESSION_RUNNING);
    state = state? state: STELE_SESSION_INITIALIZING;
    if (state < STELE_SESSION_COMPLETED && story.completed_us)
        convert_keep (&convert, "completed_at", convert_time (story.completed_us));
    if (state >= STELE_SESSION_COMPLETED && story.completed_us && story.updated_us != story.completed_us
    &&  story.updated_us)
        convert_keep (&convert, "updated_at", convert_time (story.updated_us));
    convert_keep_rest (&convert);
    convert_attach (&convert, event, NULL);
    s_owner_t owner = { .source = self, .story = &story, .id = id, .user = story.user, .last_us = story.created_us };
    s_emit_start (&convert, &story, event, state);
    int rc = s_rows_of (self, "cli_session_commands", "session_id", id, s_take_command, &owner);
    s_emit_end (&convert, &story, id, state);
    story_clear (&story);
    free (id);
    convert_end (&convert);
    return rc;
}

//  -- preferences ----------------------------------------------------------------------------

static int
s_take_preference (const stele_foreign_row_t *row, void *arg)
{
    s_source_t *self = arg;
    convert_t convert;
    convert_start (&convert, self->migrate, "user_preferences", s_columns (row));
    self->migrate->counts.preferences++;
    char *user = convert_take_text (&convert, "user_id");
    if (!user)
        user = convert_take_text (&convert, "id");
    s_name (&convert, user? user: "default");
    json_decref (convert_take (&convert, "id"));
    json_t *event = convert_event ("preference.set", 0, "user_id", convert.id);
    bool some = convert_take_field (&convert, event, "preferred_provider", "preferred_provider default_provider");
    some |= convert_take_field (&convert, event, "preferred_model", "preferred_model default_model");
    some |= convert_take_field (&convert, event, "full_access_preferred", "full_access_preferred full_access");
    some |= convert_take_field (&convert, event, "role_preferences", "role_preferences");
    int64_t created_us = 0, updated_us = 0;
    convert_take_time (&convert, "created_at", &created_us);
    convert_take_time (&convert, "updated_at", &updated_us);
    created_us = created_us? created_us: updated_us? updated_us: self->fallback_us;
    updated_us = updated_us? updated_us: created_us;
    if (!some) {
        convert_odd (&convert, "no preference is set: an empty map is");
        json_object_set_new (event, "role_preferences", json_object ());
    }
    convert_keep_rest (&convert);
    convert_attach (&convert, event, NULL);
    json_object_set_new (event, "time", convert_time (created_us));
    if (updated_us != created_us) {
        json_t *again = json_deep_copy (event);
        json_object_set_new (again, "time", convert_time (updated_us));
        json_object_del (again, "migrated");
        convert_emit (&convert, created_us, event);
        convert_emit (&convert, updated_us, again);
    }
    else
        convert_emit (&convert, created_us, event);
    free (user);
    convert_end (&convert);
    return 0;
}

//  -- the whole of it --------------------------------------------------------------------------

static const char *const s_tables [] = {
    "tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions", "cli_session_commands",
    "user_preferences"
};

static void
s_say_unknown (const char *table, int64_t rows, void *arg)
{
    stele_migrate_t *migrate = arg;
    for (size_t i = 0; i < sizeof s_tables / sizeof s_tables [0]; i++)
        if (strcasecmp (table, s_tables [i]) == 0)
            return;
    char what [128];
    snprintf (what, sizeof what, "a table that is not known, with %lld rows: it does not come along", (long long) rows);
    migrate->counts.odd++;
    migrate->odd_fn (table, "", what, migrate->odd_arg);
}

static int
s_check_columns (s_source_t *self, char *error, size_t error_size)
{
    static const struct { const char *table, *column; } needed [] = {
        { "task_history", "task_id" }, { "task_outputs", "task_id" }, { "task_metrics", "task_id" },
        { "cli_session_commands", "session_id" }
    };
    if (!stele_foreign_has_table (self->source, "tasks")
    &&  !stele_foreign_has_table (self->source, "cli_sessions")) {
        snprintf (error, error_size, "it has neither a table tasks nor cli_sessions: it is not one of the earlier system");
        return STELE_ELEDGER;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed [0]; i++)
        if (stele_foreign_has_table (self->source, needed [i].table)
        && !stele_foreign_has_column (self->source, needed [i].table, needed [i].column)) {
            snprintf (error, error_size, "its table %s has no column %s: whose rows they are is not known",
                needed [i].table, needed [i].column);
            return STELE_ELEDGER;
        }
    return 0;
}

static int
s_take_table (s_source_t *self, const char *table, stele_foreign_fn *fn)
{
    if (!stele_foreign_has_table (self->source, table))
        return 0;
    return stele_foreign_rows (self->source, table, NULL, NULL, fn, self);
}

static int
s_take_orphans (s_source_t *self, const char *table, const char *column,
    const char *other, const char *key, stele_foreign_fn *fn)
{
    s_owner_t owner = { .source = self, .last_us = self->fallback_us };
    if (!stele_foreign_has_table (self->source, table))
        return 0;
    if (!stele_foreign_has_table (self->source, other))
        return stele_foreign_rows (self->source, table, NULL, NULL, fn, &owner);
    return stele_foreign_orphans (self->source, table, column, other, key, fn, &owner);
}

int
stele_migrate_from_sqlite (stele_migrate_t *migrate, const char *path,
    char *error, size_t error_size)
{
    migrate->spool = stele_spool_new ();
    if (!migrate->spool) {
        snprintf (error, error_size, "a temporary file: %s", strerror (errno));
        return STELE_EIO;
    }
    s_source_t self = { .migrate = migrate, .source = stele_foreign_open (path, error, error_size) };
    if (!self.source)
        return STELE_EIO;
    self.fallback_us = stele_foreign_modified_us (self.source);
    self.task_key = stele_foreign_has_column (self.source, "tasks", "task_id")? "task_id": "id";
    self.session_key = stele_foreign_has_column (self.source, "cli_sessions", "session_id")? "session_id": "id";
    int rc = s_check_columns (&self, error, error_size);
    bool checked = rc == 0;
    if (checked)
        stele_foreign_tables (self.source, s_say_unknown, migrate);
    if (rc == 0)
        rc = s_take_table (&self, "tasks", s_take_task);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_history", "task_id", "tasks", self.task_key, s_orphan_step);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_outputs", "task_id", "tasks", self.task_key, s_orphan_output);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_metrics", "task_id", "tasks", self.task_key, s_orphan_metric);
    if (rc == 0)
        rc = s_take_table (&self, "cli_sessions", s_take_session);
    if (rc == 0)
        rc = s_take_orphans (&self, "cli_session_commands", "session_id", "cli_sessions", self.session_key,
            s_orphan_command);
    if (rc == 0)
        rc = s_take_table (&self, "user_preferences", s_take_preference);
    if (rc && checked)
        snprintf (error, error_size, "%s: %s", path, stele_foreign_error (self.source));
    stele_foreign_close (&self.source);
    return rc;
}
