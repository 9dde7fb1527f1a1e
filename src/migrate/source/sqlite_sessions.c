/*  sqlite_sessions - convert the CLI sessions, commands and preferences of an earlier system

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "migrate/source/sqlite_source.h"

//  -- sessions -----------------------------------------------------------------------------

static void
s_emit_command (sqlite_owner_t *owner, convert_t *convert)
{
    json_decref (convert_take (convert, "id"));
    json_decref (convert_take (convert, "session_id"));
    int64_t time_us = sqlite_take_row_time (convert, SQLITE_TIMES, owner);
    if (owner->timeline)
        time_us = convert_not_before (time_us, owner->timeline->created_us);
    json_t *event = convert_event ("session.command_executed", time_us, "session_id", owner->id);
    sqlite_require (convert, event, "command", "command", "");
    convert_take_field (convert, event, "output", "output");
    convert_take_field (convert, event, "execution_time_ms", "execution_time_ms duration_ms");
    convert_take_field (convert, event, "exit_code", "exit_code");
    sqlite_take_user (convert, event, owner->user);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    convert_emit (convert, owner->timeline? timeline_order (owner->timeline, time_us): time_us, event);
}

static int
s_take_command (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "cli_session_commands", sqlite_columns (row));
    sqlite_set_id (&convert, owner->id);
    convert_show (&convert, owner->id);
    owner->source->migrate->counts.commands++;
    s_emit_command (owner, &convert);
    convert_end (&convert);
    return 0;
}

int
sqlite_orphan_command (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_owner_t *owner = arg;
    convert_t convert;
    convert_start (&convert, owner->source->migrate, "cli_session_commands", sqlite_columns (row));
    owner->source->migrate->counts.commands++;
    char *id = sqlite_orphan (owner, &convert, "session_id", "session");
    s_emit_command (owner, &convert);
    free (id);
    convert_end (&convert);
    return 0;
}

static void
s_emit_start (convert_t *convert, timeline_t *timeline, json_t *event, int state)
{
    json_object_set_new (event, "time", convert_time (timeline->created_us));
    if (state < STELE_SESSION_COMPLETED)
        json_object_set_new (event, "state", json_string (
            stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state)));
    convert_emit (convert, timeline_order (timeline, timeline->created_us), event);
}

//  The state, if the start did not set it, and the time of the last change
static void
s_emit_end (convert_t *convert, timeline_t *timeline, const char *id, int state)
{
    bool over = state >= STELE_SESSION_COMPLETED;
    const char *word = stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state);
    int64_t time_us = over && timeline->completed_us? timeline->completed_us:
        timeline->updated_us? timeline->updated_us: timeline->created_us;
    if (!over && convert_same_time (time_us, timeline->last_time_us))
        return;
    //  Also not before its last command, if that had a finer time
    time_us = convert_not_before (time_us, timeline->last_time_us);
    json_t *change = convert_event ("session.state_changed", time_us, "session_id", id);
    json_object_set_new (change, "state", json_string (word));
    if (timeline->user)
        json_object_set (change, "user_id", timeline->user);
    int64_t order_us = timeline_order (timeline, time_us);
    convert_emit (convert, order_us > timeline->last_order_us? order_us: timeline->last_order_us, change);
}

static int
s_take_session_state (convert_t *convert, const timeline_t *timeline)
{
    int state = convert_take_word (convert, "state status", STELE_VOCABULARY_SESSION_STATE,
        timeline->completed_us? STELE_SESSION_TERMINATED: STELE_SESSION_RUNNING);
    if (!state) {
        state = timeline->completed_us? STELE_SESSION_TERMINATED: STELE_SESSION_INITIALIZING;
        convert_report (convert, "it has no state: set to %s", stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state));
    }
    bool over = state >= STELE_SESSION_COMPLETED;
    if (!over && timeline->completed_us) {
        convert_report (convert, "it is not over, but has a time of its end: kept in migrated.completed_at");
        convert_keep (convert, "completed_at", convert_time (timeline->completed_us));
    }
    if (over && timeline->completed_us && timeline->updated_us
    && !convert_same_time (timeline->updated_us, timeline->completed_us)) {
        convert_report (convert, "its last activity and its end differ: the end is imported, the former is kept in "
            "migrated.updated_at");
        convert_keep (convert, "updated_at", convert_time (timeline->updated_us));
    }
    return state;
}

int
sqlite_convert_session (sqlite_source_t *self, convert_t *convert, const char *id, const json_t *key)
{
    json_t *event = convert_event ("session.started", 0, "session_id", id);
    sqlite_require (convert, event, "cli_tool", "cli_tool tool provider", "unknown");
    sqlite_require (convert, event, "mode", "mode", "unknown");
    sqlite_require (convert, event, "current_directory", "current_directory working_directory cwd", ".");
    convert_take_field (convert, event, "pid", "pid process_id");
    convert_take_field (convert, event, "authentication_required", "authentication_required");
    convert_take_field (convert, event, "auth_prompt", "auth_prompt");
    convert_take_field (convert, event, "task_id", "task_id");
    convert_take_field (convert, event, "user_id", "user_id");
    if (self->source)
        json_decref (convert_take (convert, "command_count"));      // Computed from the commands
    timeline_t timeline = {
        .convert = convert, .task_id = id, .last_order_us = INT64_MIN,
        .user = json_incref (json_object_get (event, "user_id"))
    };
    convert_take_time (convert, "created_at started_at", &timeline.created_us);
    convert_take_time (convert, "updated_at last_activity", &timeline.updated_us);
    convert_take_time (convert, "completed_at terminated_at ended_at", &timeline.completed_us);
    if (!timeline.created_us) {
        timeline.created_us = timeline.updated_us? timeline.updated_us:
            timeline.completed_us? timeline.completed_us: self->fallback_us;
        convert_report (convert, "it has no created_at: set to the first known time");
    }
    timeline.updated_us = convert_not_before (timeline.updated_us, timeline.created_us);
    timeline.completed_us = convert_not_before (timeline.completed_us, timeline.created_us);
    int state = s_take_session_state (convert, &timeline);
    convert_keep_rest (convert);
    convert_attach (convert, event, NULL);
    sqlite_owner_t owner = { .source = self, .timeline = &timeline, .id = id, .key = key, .user = timeline.user,
        .last_us = timeline.created_us };
    s_emit_start (convert, &timeline, event, state);
    int rc = sqlite_rows_of (self, "cli_session_commands", "session_id", s_take_command, &owner);
    s_emit_end (convert, &timeline, id, state);
    timeline_clear (&timeline);
    return rc;
}

int
sqlite_take_session (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_source_t *self = arg;
    convert_t convert;
    json_t *key, *others, *columns = sqlite_resolve (self, row, &others);
    self->migrate->counts.sessions++;
    if (!columns)
        return 0;
    convert_start (&convert, self->migrate, "cli_sessions", columns);
    char *peeked = sqlite_id_of (json_object_get (columns, self->session_key));
    if (peeked)
        convert_show (&convert, peeked);
    free (peeked);
    char *id = sqlite_take_id (self, &convert, self->session_key, &key);
    if (strcmp (self->session_key, "id") != 0)
        json_decref (convert_take (&convert, "id"));
    convert_keep_others (&convert, others, SQLITE_RULE);
    int rc = sqlite_convert_session (self, &convert, id, key);
    json_decref (key);
    free (id);
    convert_end (&convert);
    return rc;
}

//  -- preferences ----------------------------------------------------------------------------

int
sqlite_take_preference (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_source_t *self = arg;
    convert_t convert;
    json_t *others, *columns = sqlite_resolve (self, row, &others);
    self->migrate->counts.preferences++;
    if (!columns)
        return 0;
    convert_start (&convert, self->migrate, "user_preferences", columns);
    json_t *shown = json_copy (columns), *key = convert_take (&convert, "user_id id");
    char *user = sqlite_id_of (key);
    sqlite_set_id (&convert, user? user: "default");
    if (!user)
        convert_report (&convert, "preferences without a user: set to 'default'");
    convert.columns = shown;
    convert_show (&convert, convert.id);
    convert.columns = columns;
    json_decref (shown);
    json_decref (key);
    convert_keep_others (&convert, others, SQLITE_RULE);
    json_decref (convert_take (&convert, "id"));
    json_t *event = convert_event ("preference.set", 0, "user_id", convert.id);
    bool some = convert_take_field (&convert, event, "preferred_provider", "preferred_provider default_provider");
    some |= convert_take_field (&convert, event, "preferred_model", "preferred_model default_model");
    some |= convert_take_field (&convert, event, "full_access_preferred", "full_access_preferred full_access");
    some |= convert_take_field (&convert, event, "role_preferences", "role_preferences");
    int64_t created_us = 0, updated_us = 0;
    convert_take_time (&convert, "created_at", &created_us);
    convert_take_time (&convert, "updated_at", &updated_us);
    if (!created_us)
        convert_report (&convert, "it has no created_at: set to the first known time");
    created_us = created_us? created_us: updated_us? updated_us: self->fallback_us;
    updated_us = updated_us? updated_us: created_us;
    if (!some) {
        convert_report (&convert, "no preference is set: role_preferences set to an empty map");
        json_object_set_new (event, "role_preferences", json_object ());
    }
    convert_keep_rest (&convert);
    convert_attach (&convert, event, NULL);
    if (convert_same_time (updated_us, created_us))
        created_us = updated_us > created_us? updated_us: created_us;
    json_object_set_new (event, "time", convert_time (created_us));
    if (!convert_same_time (updated_us, created_us)) {
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
