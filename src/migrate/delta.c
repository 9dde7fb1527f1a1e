/*  delta - the events of a source that a ledger does not have yet

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/convert.h"
#include "migrate/delta.h"
#include "model/field.h"
#include "model/lifecycle.h"

#define STALE "a change of state that is older than the ledger"

typedef struct {
    const stele_delta_options_t *options;
    stele_delta_counts_t counts;
    subjects_t subjects;
    FILE *added;
} s_delta_t;

static const char *
s_text (const json_t *event, const char *key)
{
    const char *text = json_string_value (json_object_get (event, key));
    return text? text: "";
}

static bool
s_is (const json_t *event, const char *type)
{
    return strcmp (s_text (event, "type"), type) == 0;
}

//  -- keys of events -------------------------------------------------------------------

static uint64_t
s_hash (const json_t *values)
{
    char *text = json_dumps (values, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    uint64_t hash = UINT64_C (14695981039346656037);
    for (const char *c = text; c && *c; c++)
        hash = (hash ^ (unsigned char) *c) * UINT64_C (1099511628211);
    free (text);
    return hash;
}

//  The time of a change of state in the source: a second, since its history may have no more
static int64_t
s_second (const json_t *row, int64_t time_us)
{
    int64_t own_us = subject_time (json_object_get (json_object_get (row, "migrated"), "timestamp"));
    own_us = own_us? own_us: time_us;
    return (own_us - (own_us % 1000000 + 1000000) % 1000000) / 1000000;
}

//  Key of an event or of a row of the ledger, "" if it has none. 'time' is that of its kind
static void
s_key (const json_t *row, const char *type, int64_t time_us, char key [160])
{
    static const char *const fields [] [4] = {
        { "task.output_added", "output_type", "content", "file_path" },
        { "task.metric_recorded", "name", "value", "unit" },
        { "session.command_executed", "command", "output", "exit_code" }
    };
    const json_t *kept = json_object_get (row, "migrated");
    *key = 0;
    if (strcmp (s_text (kept, "inserted"), STALE) == 0) {
        snprintf (key, 160, "stale %s %lld", s_text (kept, "state"), (long long) subject_time (json_object_get (kept, "time")));
        return;
    }
    if (strcmp (type, "task.state_changed") == 0) {
        const char *state = s_text (row, "state");
        snprintf (key, 160, "state %s %lld", *state? state: s_text (row, "state_to"), (long long) s_second (row, time_us));
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        if (strcmp (type, fields [i] [0]) == 0) {
            json_t *values = json_array ();
            for (int field = 1; field < 4; field++) {
                json_t *value = json_object_get (row, fields [i] [field]);
                //  1 and 1.0 are one number
                json_array_append_new (values, json_is_integer (value)? json_real ((double) json_integer_value (value)):
                    value? json_incref (value): json_null ());
            }
            snprintf (key, 160, "%s %lld %016llx", type, (long long) time_us, (unsigned long long) s_hash (values));
            json_decref (values);
        }
}

static void
s_count_known (subject_t *subject, const char *key, int change)
{
    json_int_t count = json_integer_value (json_object_get (subject->known, key)) + change;
    json_object_set_new (subject->known, key, json_integer (count));
}

static void
s_add_known (subject_t *subject, const json_t *rows, const char *type)
{
    size_t i;
    json_t *row;
    char key [160];
    json_array_foreach (rows, i, row) {
        const char *own = s_text (row, "type");
        int64_t time_us = subject_time (json_object_get (row, "timestamp"));
        s_key (row, *own? own: type, time_us, key);
        if (*key)
            s_count_known (subject, key, 1);
        subject->newest_us = time_us > subject->newest_us? time_us: subject->newest_us;
        if (strcmp (own, "task.state_changed") == 0 && time_us > subject->state_us)
            subject->state_us = time_us;
    }
}

//  Does the ledger have the event? Each of its events counts once
static bool
s_is_known (subject_t *subject, const char *key)
{
    if (json_integer_value (json_object_get (subject->known, key)) <= 0)
        return false;
    s_count_known (subject, key, -1);
    return true;
}

//  -- output ---------------------------------------------------------------------------

static void
s_add (s_delta_t *self, const json_t *event)
{
    char *text = json_dumps (event, JSON_COMPACT);
    fprintf (self->added, "%s\n", text? text: "");
    free (text);
    self->counts.added++;
}

static void
s_report (s_delta_t *self, subject_t *subject, const char *what)
{
    const char *tables [] = { "tasks", "cli_sessions", "user_preferences" };
    const char *table = tables [subject->key [0] == 't'? 0: subject->key [0] == 's'? 1: 2];
    self->options->odd_fn (table, subject->key + 1, subject->key_size - 1, what, self->options->arg);
}

//  Is the record of the ledger newer than all of the source? Times in Redis are up to a second off
static bool
s_is_ledger_newer (const subject_t *subject)
{
    int64_t tolerance_us = 1000000;
    return subject->last_us && subject->newest_us > subject->last_us + tolerance_us;
}

static bool
s_check_newer (s_delta_t *self, subject_t *subject)
{
    if (!s_is_ledger_newer (subject))
        return false;
    if (!subject->is_reported)
        s_report (self, subject, "the ledger has a newer record than the source: its values are not changed");
    subject->is_reported = true;
    return true;
}

//  -- fields of a task -----------------------------------------------------------------

static json_t *
s_event (const subject_t *subject, const char *type, int64_t time_us)
{
    json_t *event = convert_event (type, time_us, NULL, NULL);
    json_object_set_new (event, "task_id", json_stringn_nocheck (subject->key + 1, subject->key_size - 1));
    return event;
}

static bool
s_same_value (const json_t *record, const char *field, const json_t *value)
{
    const json_t *own = json_object_get (record, field);
    if (!own)
        return (strcmp (field, "full_access") == 0 && json_is_false (value))
            || (strcmp (field, "target_dir") == 0 && strcmp (json_string_value (value)? json_string_value (value): "", ".") == 0);
    return json_equal (own, value);
}

//  A branch that earlier systems derive from the role and the id is no value
static bool
s_is_derived_branch (const subject_t *subject, const json_t *event)
{
    const char *branch = s_text (event, "branch");
    size_t id_size = subject->key_size - 1, size = strlen (branch);
    return strncmp (branch, "auto/", 5) == 0 && size > id_size
        && memcmp (branch + size - id_size, subject->key + 1, id_size) == 0;
}

//  The task exists: its fields that differ
static void
s_take_created (s_delta_t *self, subject_t *subject, json_t *event)
{
    static const char *const all [] = {
        "title", "description", "role", "branch", "worktree_path", "base_branch", "commit_hash", "target_dir", "full_access",
        "provider_override", "repository_url", "acceptance_criteria", "metadata", "parent_id", NULL
    }, *const of_redis [] = { "branch", "provider", "model", NULL };
    if (!json_object_get (subject->record, "title")) {
        //  A placeholder
        s_add (self, event);
        return;
    }
    json_t *update = s_event (subject, "task.updated", subject->last_us);
    bool some = false;
    for (const char *const *field = self->options->is_redis? of_redis: all; *field; field++) {
        json_t *value = json_object_get (event, *field);
        if (!value || s_same_value (subject->record, *field, value)
        ||  (self->options->is_redis && strcmp (*field, "branch") == 0 && s_is_derived_branch (subject, event)))
            continue;
        json_object_set (update, *field, value);
        some = true;
    }
    if (some && !s_check_newer (self, subject)) {
        json_object_set_new (update, "migrated", json_pack ("{ss}", "inserted", "newer values of the source"));
        s_add (self, update);
    }
    else
        self->counts.known++;
    json_decref (update);
}

static void
s_take_updated (s_delta_t *self, subject_t *subject, const json_t *event)
{
    int64_t time_us = subject_time (json_object_get (event, "time"));
    const json_t *provider = json_object_get (event, "provider"), *model = json_object_get (event, "model");
    bool differs = (provider && !json_equal (provider, json_object_get (subject->record, "provider")))
        || (model && !json_equal (model, json_object_get (subject->record, "model")));
    bool later = time_us > subject->newest_us && !convert_same_time (time_us, subject->newest_us);
    if (later || (differs && !s_check_newer (self, subject)))
        s_add (self, event);
    else
        self->counts.known++;
}

//  -- states of a task -----------------------------------------------------------------

static stele_task_state_t
s_state (const char *word)
{
    return (stele_task_state_t) stele_vocabulary_code (STELE_VOCABULARY_TASK_STATE, word, strlen (word));
}

//  A change that is older than the state in the ledger is kept as an output
static void
s_add_stale (s_delta_t *self, subject_t *subject, const json_t *event)
{
    //  With a time that sets no record back
    json_t *output = s_event (subject, "task.output_added", subject->newest_us);
    json_object_set_new (output, "output_type", json_string ("diagnostic"));
    json_object_set_new (output, "content", json_sprintf ("a change to %s, older than the state in the ledger",
        s_text (event, "state")));
    json_t *kept = json_copy ((json_t *) event);
    json_object_del (kept, "type");
    json_object_del (kept, "task_id");
    json_object_set_new (kept, "inserted", json_string (STALE));
    json_object_set_new (output, "migrated", kept);
    char key [160];
    s_key (output, "task.output_added", 0, key);
    if (s_is_known (subject, key))
        self->counts.known++;
    else {
        s_report (self, subject, "a change of state is older than the state in the ledger: kept as an output");
        s_add (self, output);
    }
    json_decref (output);
}

//  Publish a change of state, after a retry if the task is over
static void
s_add_state (s_delta_t *self, subject_t *subject, const json_t *event, int64_t time_us)
{
    stele_task_state_t to = s_state (s_text (event, "state"));
    stele_lifecycle_t life = { .state = s_state (s_text (subject->record, "state")),
        .interrupted = json_is_true (json_object_get (subject->record, "interrupted")) };
    if (life.state && to && !stele_lifecycle_legal (&life, to)) {
        json_t *retry = s_event (subject, "task.state_changed", time_us);
        json_object_set_new (retry, "state", json_string ("queued"));
        json_object_set_new (retry, "migrated", json_pack ("{ss}", "inserted",
            "a state that is over may only be followed by queued"));
        s_report (self, subject, "its state is over in the ledger, but not in the source: a retry (queued) was inserted");
        s_add (self, retry);
        json_decref (retry);
    }
    json_object_set (subject->record, "state", json_object_get (event, "state"));
    json_object_del (subject->record, "interrupted");
    subject->state_us = time_us > subject->state_us? time_us: subject->state_us;
    s_add (self, event);
}

//  The earlier system has fewer words for states in Redis than in its database
static bool
s_is_same_state (const subject_t *subject, const json_t *event)
{
    const char *own = s_text (subject->record, "state"), *other = s_text (event, "state");
    return strcmp (own, other) == 0
        || (strcmp (own, "timeout") == 0 && strcmp (other, "failed") == 0)
        || ((strcmp (own, "paused") == 0 || strcmp (own, "completing") == 0) && strcmp (other, "running") == 0);
}

//  The state of a key in Redis is its latest only
static void
s_take_snapshot (s_delta_t *self, subject_t *subject, const json_t *event, int64_t time_us)
{
    const json_t *error = json_object_get (event, "error_message");
    bool same_error = !error || json_equal (error, json_object_get (subject->record, "last_error"));
    if (s_is_same_state (subject, event) && same_error)
        self->counts.known++;
    else
    if (time_us && time_us + 1000000 <= subject->state_us)
        s_report (self, subject, "the state of its key is older than that in the ledger, and differs: not imported");
    else
    if (!time_us && s_is_same_state (subject, event))
        self->counts.known++;
    else {
        //  Its time may be a little before that of the database, where it was written first
        json_t *change = json_copy ((json_t *) event);
        if (same_error)
            json_object_del (change, "error_message");
        if (time_us && time_us < subject->state_us)
            json_object_set_new (change, "time", convert_time (subject->state_us));
        s_add_state (self, subject, change, time_us);
        json_decref (change);
    }
}

static void
s_take_interrupt (s_delta_t *self, subject_t *subject, const json_t *event)
{
    stele_task_state_t state = s_state (s_text (subject->record, "state"));
    bool at_work = state == STELE_TASK_RUNNING || state == STELE_TASK_STARTING || state == STELE_TASK_COMPLETING;
    if (at_work && !s_check_newer (self, subject))
        s_add_state (self, subject, event, 0);
    else
        self->counts.known++;
}

static void
s_take_state (s_delta_t *self, subject_t *subject, const json_t *event, int64_t time_us)
{
    char key [160];
    s_key (event, "task.state_changed", time_us, key);
    if (json_is_true (json_object_get (event, "interrupted")))
        s_take_interrupt (self, subject, event);
    else
    if (self->options->is_redis)
        s_take_snapshot (self, subject, event, time_us);
    else
    if (s_is_known (subject, key))
        self->counts.known++;
    else
    if (time_us < subject->state_us && !convert_same_time (time_us, subject->state_us))
        s_add_stale (self, subject, event);
    else
        s_add_state (self, subject, event, time_us);
}

//  A key that is queued again has no event that changes its state
static void
s_take_created_of_redis (s_delta_t *self, subject_t *subject, json_t *event)
{
    if (subject->has_state)
        return;
    json_t *queued = s_event (subject, "task.state_changed", subject_time (json_object_get (event, "time")));
    json_object_set_new (queued, "state", json_string ("queued"));
    s_take_snapshot (self, subject, queued, subject_time (json_object_get (event, "time")));
    json_decref (queued);
}

//  -- sessions and preferences ---------------------------------------------------------

//  The session exists: its start with the fields that differ
static void
s_take_started (s_delta_t *self, subject_t *subject, const json_t *event)
{
    static const char *const fields [] = {
        "cli_tool", "mode", "current_directory", "pid", "authentication_required", "auth_prompt", "task_id", "user_id", NULL
    };
    if (!json_object_get (subject->record, "cli_tool")) {
        //  A placeholder
        s_add (self, event);
        return;
    }
    json_t *start = json_copy ((json_t *) event);
    bool some = false;
    for (const char *const *field = fields; *field; field++) {
        json_t *value = json_object_get (event, *field), *own = json_object_get (subject->record, *field);
        //  An absent field would be cleared
        if (!value && own)
            json_object_set (start, *field, own);
        some = some || (value && !json_equal (own, value) && (own || !json_is_false (value)));
    }
    if (some && !s_check_newer (self, subject)) {
        //  It also sets the state and the time of the last change: set them back
        const char *state = s_text (subject->record, "state");
        bool over = stele_vocabulary_code (STELE_VOCABULARY_SESSION_STATE, state, strlen (state)) >= STELE_SESSION_COMPLETED;
        const char *since = over && json_object_get (subject->record, "completed_at")? "completed_at": "updated_at";
        json_t *change = convert_event ("session.state_changed", subject_time (json_object_get (subject->record, since)),
            NULL, NULL);
        json_object_set (change, "session_id", json_object_get (event, "session_id"));
        json_object_set (change, "state", json_object_get (subject->record, "state"));
        json_object_set (change, "user_id", json_object_get (start, "user_id"));
        if (!over)
            json_object_set (start, "state", json_object_get (subject->record, "state"));
        s_add (self, start);
        s_add (self, change);
        json_decref (change);
    }
    else
        self->counts.known++;
    json_decref (start);
}

static void
s_take_session (s_delta_t *self, subject_t *subject, const json_t *event, int64_t time_us)
{
    int64_t updated_us = subject_time (json_object_get (subject->record, "updated_at"));
    const char *state = s_text (subject->record, "state");
    int code = stele_vocabulary_code (STELE_VOCABULARY_SESSION_STATE, state, strlen (state));
    if (s_is (event, "session.started")) {
        s_take_started (self, subject, event);
        return;
    }
    if (!s_is (event, "session.state_changed") || code >= STELE_SESSION_COMPLETED
    ||  (strcmp (state, s_text (event, "state")) == 0 && (time_us <= updated_us || convert_same_time (time_us, updated_us)))
    ||  (time_us < updated_us && !convert_same_time (time_us, updated_us)))
        self->counts.known++;
    else
        s_add (self, event);
}

static void
s_take_preference (s_delta_t *self, subject_t *subject, const json_t *event, int64_t time_us)
{
    int64_t updated_us = subject_time (json_object_get (subject->record, "updated_at"));
    if (time_us > updated_us && !convert_same_time (time_us, updated_us))
        s_add (self, event);
    else
        self->counts.known++;
}

//  -- the whole stream -----------------------------------------------------------------

static void
s_take_event (s_delta_t *self, json_t *event)
{
    subject_t *subject = subjects_of_event (&self->subjects, event);
    int64_t time_us = subject_time (json_object_get (event, "time"));
    char key [160];
    if (!subject || !subject->record) {
        s_add (self, event);
        return;
    }
    s_key (event, s_text (event, "type"), time_us, key);
    if (s_is (event, "task.created")) {
        s_take_created (self, subject, event);
        if (self->options->is_redis)
            s_take_created_of_redis (self, subject, event);
    }
    else
    if (s_is (event, "task.updated"))
        s_take_updated (self, subject, event);
    else
    if (s_is (event, "task.state_changed"))
        s_take_state (self, subject, event, time_us);
    else
    if (subject->key [0] == 'u')
        s_take_preference (self, subject, event, time_us);
    else
    if (!*key)
        s_take_session (self, subject, event, time_us);
    else
    if (s_is_known (subject, key))
        self->counts.known++;
    else
        s_add (self, event);
}

static int
s_each_line (s_delta_t *self, FILE *events, void (*fn) (s_delta_t *self, json_t *event))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    rewind (events);
    while ((size = getline (&line, &room, events)) > 0) {
        json_t *event = json_loadb (line, (size_t) size, JSON_ALLOW_NUL, NULL);
        if (event)
            fn (self, event);
        json_decref (event);
    }
    free (line);
    return ferror (events)? -1: 0;
}

static void
s_note (s_delta_t *self, json_t *event)
{
    subject_t *subject = subjects_of_event (&self->subjects, event);
    if (!subject)
        return;
    int64_t time_us = subject_time (json_object_get (event, "time"));
    subject->last_us = time_us > subject->last_us? time_us: subject->last_us;
    subject->has_state |= s_is (event, "task.state_changed") && !json_is_true (json_object_get (event, "interrupted"));
}

static int
s_fetch (s_delta_t *self)
{
    for (subject_t *subject = self->subjects.subjects; subject; subject = subject->hh.next) {
        if (subject_fetch (subject, self->options->asker))
            return -1;
        if (!subject->record)
            continue;
        self->counts.subjects++;
        if (subject_fetch_rows (subject, self->options->asker))
            return -1;
        subject->known = json_object ();
        subject->newest_us = subject_time (json_object_get (subject->record, "updated_at"));
        s_add_known (subject, subject->history, "task.created");
        s_add_known (subject, subject->outputs, "task.output_added");
        s_add_known (subject, subject->metrics, "task.metric_recorded");
        s_add_known (subject, subject->commands, "session.command_executed");
        //  Only the keys are needed
        json_t **const lists [] = { &subject->history, &subject->outputs, &subject->metrics, &subject->commands };
        for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
            json_decref (*lists [i]);
            *lists [i] = NULL;
        }
    }
    return 0;
}

int
stele_delta (FILE *events, FILE *added, const stele_delta_options_t *options, stele_delta_counts_t *counts)
{
    s_delta_t self = { .options = options, .added = added };
    int rc = s_each_line (&self, events, s_note);
    if (rc == 0 && s_fetch (&self))
        rc = -2;
    if (rc == 0)
        rc = s_each_line (&self, events, s_take_event);
    if (rc == 0 && (fflush (added) || ferror (added)))
        rc = -1;
    *counts = self.counts;
    subjects_clear (&self.subjects);
    return rc;
}
