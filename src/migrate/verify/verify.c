/*  verify - compare a ledger with the source of a migration, field by field

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/source/sqlite_source.h"
#include "migrate/verify/verify.h"
#include "migrate/verify/verify_value.h"

struct stele_verify {
    const stele_asker_t *asker;
    stele_migrate_odd_fn *odd_fn;
    void *arg;
    const stele_migrate_t *source;
    stele_verify_counts_t counts;
    subjects_t subjects;
    subject_t *current;
    bool failed;                    // The broker did not answer
    const char *table;              // Of the record that is compared
    int64_t last_us;                // Latest time of the current subject in the source
};

//  The columns that may hold a field
typedef struct { const char *field, *columns; } s_field_t;

stele_verify_t *
stele_verify_new (const stele_asker_t *asker, stele_migrate_odd_fn *odd_fn, void *arg)
{
    stele_verify_t *self = STELE_NEW (stele_verify_t);
    self->asker = asker;
    self->odd_fn = odd_fn;
    self->arg = arg;
    return self;
}

void
stele_verify_destroy (stele_verify_t **self_p)
{
    if (!*self_p)
        return;
    subjects_clear (&(*self_p)->subjects);
    free (*self_p);
    *self_p = NULL;
}

void
stele_verify_set_source (stele_verify_t *self, const stele_migrate_t *source)
{
    self->source = source;
}

stele_verify_counts_t
stele_verify_counts (const stele_verify_t *self)
{
    return self->counts;
}

static void
    s_differ (stele_verify_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void
s_differ (stele_verify_t *self, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&text, format, args) < 0)
        abort ();
    va_end (args);
    self->counts.differences++;
    self->odd_fn (self->table, self->current->key + 1, self->current->key_size - 1, text, self->arg);
    free (text);
}

//  -- fields ---------------------------------------------------------------------------

//  The first of the columns that is not null, with its name
static const json_t *
s_column (const json_t *columns, const char *names, char name [64])
{
    while (convert_next_name (&names, name)) {
        const json_t *value = json_object_get (columns, name);
        if (value && !json_is_null (value))
            return value;
    }
    return NULL;
}

static void
s_show (const json_t *value, char text [48])
{
    char *json = value? json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT): NULL;
    snprintf (text, 48, "%.44s", json? json: "none");
    free (json);
}

static void
s_differ_field (stele_verify_t *self, const char *column, const json_t *source, const json_t *ledger)
{
    char one [48], other [48];
    s_show (source, one);
    s_show (ledger, other);
    s_differ (self, "%s differs: '%s in the source, %s in the ledger'", column, one, other);
}

//  Compare what a field has in the source with the ledger; 'kept' is "migrated" of the record there
static void
s_compare (stele_verify_t *self, const char *column, const json_t *source, const json_t *ledger, const json_t *kept, bool same)
{
    self->counts.fields++;
    if (same)
        return;
    if (verify_kept (kept, self->current->outputs, self->table, column, source, ledger))
        self->counts.kept++;
    else
        s_differ_field (self, column, source, ledger);
}

static void
s_compare_fields (stele_verify_t *self, const json_t *columns, const json_t *ledger, const json_t *kept,
    const s_field_t *fields)
{
    char name [64];
    for (; fields->field; fields++) {
        const json_t *source = s_column (columns, fields->columns, name);
        const json_t *value = json_object_get (ledger, fields->field);
        //  What the source does not have may follow from its history; an empty text is none
        if (source && !(json_is_string (source) && !json_string_length (source) && !value))
            s_compare (self, name, source, value, kept, verify_same (source, value));
    }
}

static bool
s_time (const stele_verify_t *self, const json_t *columns, const char *names, char name [64], int64_t *time_us)
{
    const json_t *source = s_column (columns, names, name);
    return source && stele_migrate_read_time (self->source, source, time_us);
}

static bool
s_same_time (const json_t *ledger, int64_t time_us)
{
    return ledger && convert_same_time (subject_time (ledger), time_us);
}

static void
s_compare_time (stele_verify_t *self, const json_t *columns, const char *names, const json_t *ledger, const json_t *kept)
{
    char name [64];
    int64_t time_us;
    const json_t *source = s_column (columns, names, name);
    if (!source)
        return;
    bool same = s_time (self, columns, names, name, &time_us) && s_same_time (ledger, time_us);
    json_t *other = same || !stele_migrate_read_time (self->source, source, &time_us)? NULL: convert_time (time_us);
    //  A time is kept as it was in the source, or in the form of the protocol
    s_compare (self, name, source, ledger, kept, same || (other && json_equal (other, json_object_get (kept, name))));
    json_decref (other);
}

//  -- tasks ----------------------------------------------------------------------------

static const s_field_t s_task_fields [] = {
    { "title", "title name" }, { "description", "description" }, { "role", "role agent_type" },
    { "provider", "provider" }, { "model", "model" }, { "branch", "branch branch_name" },
    { "worktree_path", "worktree_path" }, { "base_branch", "base_branch" }, { "commit_hash", "commit_hash" },
    { "target_dir", "target_dir" }, { "full_access", "full_access" }, { "provider_override", "provider_override" },
    { "repository_url", "repository_url" }, { "parent_id", "parent_id parent_task_id" }, { "user_id", "user_id" },
    { "acceptance_criteria", "acceptance_criteria" }, { "last_error", "last_error error_message error" },
    { "error_count", "error_count" }, { NULL, NULL }
};

//  Time of the last output or metric, after which the record was updated
static int64_t
s_last_row (const subject_t *subject)
{
    int64_t last_us = 0;
    const json_t *lists [] = { subject->outputs, subject->metrics, subject->history };
    for (size_t i = 0; i < 3; i++) {
        size_t count = json_array_size (lists [i]);
        int64_t time_us = count? subject_time (json_object_get (json_array_get (lists [i], count - 1), "timestamp")): 0;
        last_us = time_us > last_us? time_us: last_us;
    }
    return last_us;
}

//  The ledger's record is updated by every row; a whole second may be that just before or after
static void
s_compare_updated (stele_verify_t *self, const json_t *columns, const json_t *ledger, const json_t *kept)
{
    char name [64];
    int64_t time_us, own_us = subject_time (json_object_get (ledger, "updated_at"));
    if (json_object_get (columns, "updated_at") == json_object_get (ledger, "updated_at"))
        return;                     // It was interrupted afterwards, or the source has none
    if (s_time (self, columns, "updated_at", name, &time_us)
    && (convert_same_time (own_us, time_us) || (own_us > time_us && own_us == s_last_row (self->current))
        || (time_us > own_us && time_us % 1000000 == 0 && time_us - own_us < 1000000)))
        self->counts.fields++;
    else
        s_compare_time (self, columns, "updated_at", json_object_get (ledger, "updated_at"), kept);
}

static bool
s_is_at_work (const json_t *state)
{
    static const char *const words [] = { "running", "starting", "completing", "in_progress", "assigned" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++) {
        json_t *word = json_string (words [i]);
        bool same = verify_same_word (state, word);
        json_decref (word);
        if (same)
            return true;
    }
    return false;
}

static void
s_compare_state (stele_verify_t *self, const json_t *columns, const json_t *ledger, const json_t *kept)
{
    char name [64];
    const json_t *source = s_column (columns, "state status", name), *state = json_object_get (ledger, "state");
    if (source)
        s_compare (self, name, source, state, kept, verify_same_word (source, state));
}

//  The record as it was before the migration interrupted the task
static json_t *
s_before_interruption (const json_t *record, const json_t *columns)
{
    char name [64];
    json_t *before = json_copy ((json_t *) record);
    const json_t *state = s_column (columns, "state status", name);
    if (!json_is_true (json_object_get (record, "interrupted")) || !s_is_at_work (state))
        return before;
    json_object_set (before, "last_error", (json_t *) s_column (columns, "last_error error_message error", name));
    json_object_set (before, "updated_at", json_object_get (columns, "updated_at"));
    json_object_del (before, "completed_at");
    char *word = json_dumps (state, JSON_ENCODE_ANY);
    for (char *c = word; c && *c; c++)
        *c = *c >= 'A' && *c <= 'Z'? *c + 32: *c;
    const char *dot = word? strrchr (word, '.'): NULL;
    size_t start = dot? (size_t) (dot + 1 - word): 1;
    json_object_set_new (before, "state", json_stringn (word + start, strlen (word + start) - 1));
    free (word);
    return before;
}

static void
s_compare_task (stele_verify_t *self, const json_t *columns)
{
    static const char *const taken = " id task_id title name description role agent_type provider model branch branch_name "
        "worktree_path base_branch commit_hash target_dir full_access provider_override repository_url parent_id parent_task_id "
        "user_id acceptance_criteria last_error error_message error error_count created_at updated_at started_at completed_at "
        "finished_at assigned_at state status metadata task_metadata meta_data extra_metadata context result ";
    json_t *ledger = s_before_interruption (self->current->record, columns), *metadata = json_copy (json_object_get (ledger, "metadata"));
    json_t *kept = json_incref (json_object_get (metadata, "migrated"));
    char name [64];
    json_object_del (metadata, "migrated");
    s_compare_fields (self, columns, ledger, kept, s_task_fields);
    s_compare_state (self, columns, ledger, kept);
    s_compare_time (self, columns, "created_at", json_object_get (ledger, "created_at"), kept);
    s_compare_time (self, columns, "started_at", json_object_get (ledger, "started_at"), kept);
    s_compare_time (self, columns, "completed_at finished_at", json_object_get (ledger, "completed_at"), kept);
    s_compare_updated (self, columns, ledger, kept);
    const json_t *source = s_column (columns, "metadata task_metadata meta_data extra_metadata context", name);
    if (source)
        s_compare (self, name, source, metadata, kept,
            verify_same (source, json_object_size (metadata)? metadata: NULL) || verify_same (source, metadata));
    const char *key;
    json_t *value;
    //  Other columns must be kept
    json_object_foreach ((json_t *) columns, key, value) {
        char word [160];
        snprintf (word, sizeof word, " %.150s ", key);
        if (!strstr (taken, word) && !json_is_null (value))
            s_compare (self, key, value, NULL, kept, false);
    }
    source = s_column (columns, "result", name);
    bool found = !source || (json_is_string (source) && !json_string_length (source));
    for (size_t i = 0; i < json_array_size (self->current->outputs) && !found; i++)
        found = verify_same (source, json_object_get (json_array_get (self->current->outputs, i), "content"));
    if (source)
        s_compare (self, "result", source, NULL, kept, found);
    json_decref (metadata);
    json_decref (kept);
    json_decref (ledger);
}

static void
s_compare_key (stele_verify_t *self, const json_t *columns)
{
    static const s_field_t fields [] = {
        { "provider", "provider" }, { "model", "model" }, { "last_error", "last_error error_message" }, { NULL, NULL }
    };
    json_t *ledger = s_before_interruption (self->current->record, columns);
    const json_t *kept = json_object_get (json_object_get (ledger, "metadata"), "migrated");
    const char *own = json_string_value (json_object_get (ledger, "state"));
    const char *other = json_string_value (json_object_get (columns, "state"));
    s_compare_fields (self, columns, ledger, kept, fields);
    //  Earlier systems have fewer words for states in Redis than in their database
    if (own && other && ((strcmp (own, "timeout") == 0 && strcmp (other, "failed") == 0)
    || ((strcmp (own, "paused") == 0 || strcmp (own, "completing") == 0) && strcmp (other, "running") == 0)))
        self->counts.fields++;
    else
        s_compare_state (self, columns, ledger, kept);
    json_decref (ledger);
}

//  -- rows -----------------------------------------------------------------------------

static bool
s_is_matched (const json_t *row)
{
    return json_object_get (row, " matched") != NULL;
}

//  Is this row of the ledger that of the source? It has these values, and the time
static bool
s_matches (stele_verify_t *self, const json_t *columns, const json_t *row, const s_field_t *fields, bool timed, int64_t time_us)
{
    char name [64];
    const json_t *kept = json_object_get (row, "migrated");
    int64_t kept_us = subject_time (json_object_get (kept, "timestamp"));
    if (timed && !s_same_time (json_object_get (row, "timestamp"), time_us)
    && !(kept_us && convert_same_time (kept_us, time_us)))
        return false;
    for (; fields->field; fields++) {
        const json_t *source = s_column (columns, fields->columns, name), *value = json_object_get (row, fields->field);
        bool same = !source || verify_same (source, value) || verify_same_word (source, value)
            || verify_kept (kept, self->current->outputs, self->table, name, source, value);
        //  NaN is NULL in SQLite; an orphan of the history is an output
        if (!same)
            return false;
    }
    return true;
}

//  Find the row and compare its other fields
static void
s_compare_row (stele_verify_t *self, const json_t *columns, json_t *rows, const s_field_t *match, const s_field_t *fields)
{
    char name [64];
    int64_t time_us = 0;
    bool timed = s_time (self, columns, SQLITE_TIMES, name, &time_us);
    self->last_us = time_us > self->last_us? time_us: self->last_us;
    for (size_t i = 0; i < json_array_size (rows); i++) {
        json_t *row = json_array_get (rows, i);
        if (s_is_matched (row) || !s_matches (self, columns, row, match, timed, time_us))
            continue;
        json_object_set_new (row, " matched", json_true ());
        self->counts.fields += 2;
        s_compare_fields (self, columns, row, json_object_get (row, "migrated"), fields);
        return;
    }
    s_differ (self, "a row of the source is not in the ledger: '%s'", timed? json_string_value (s_column (columns, SQLITE_TIMES, name)): "");
}

static void
s_compare_step (stele_verify_t *self, const json_t *columns)
{
    static const s_field_t match [] = { { "state_to", "state_to to_state new_state state" }, { NULL, NULL } };
    static const s_field_t fields [] = {
        { "error_message", "error_message error" }, { "provider", "provider" }, { "model", "model" },
        { "details", "details change_details metadata" }, { "user_id", "user_id" }, { NULL, NULL }
    };
    char name [64];
    json_t *first = json_array_get (self->current->history, 0);
    const json_t *record = self->current->record;
    //  The row of the creation, whose other values are kept with it
    if (!s_column (columns, "state_from from_state old_state previous_state", name) && first && !s_is_matched (first)
    &&  !s_column (columns, "error_message error", name)) {
        json_object_set_new (first, " matched", json_true ());
        s_compare (self, "state_to", s_column (columns, "state_to to_state new_state state", name),
            json_object_get (first, "state_to"), json_object_get (first, "migrated"),
            verify_same_word (s_column (columns, "state_to to_state new_state state", name), json_object_get (first, "state_to")));
        return;
    }
    if (record && json_array_size (self->current->history))
        s_compare_row (self, columns, self->current->history, match, fields);
    else
        self->counts.kept++;        // A row without a task is an output
}

//  -- records --------------------------------------------------------------------------

//  Rows that the source does not have, although they are not later than it
static void
s_end_current (stele_verify_t *self)
{
    size_t i;
    const json_t *row;
    int64_t previous_us = 0;
    if (!self->current || !self->last_us || !self->current->history)
        return;
    self->table = "task_history";
    json_array_foreach (self->current->history, i, row) {
        const json_t *kept = json_object_get (row, "migrated");
        const char *type = json_string_value (json_object_get (row, "type"));
        int64_t time_us = subject_time (json_object_get (row, "timestamp"));
        if (time_us < previous_us && !convert_same_time (time_us, previous_us))
            s_differ (self, "a row has an earlier time than the one before it");
        previous_us = time_us;
        if (!s_is_matched (row) && type && strcmp (type, "task.state_changed") == 0 && !json_object_get (kept, "inserted")
        && !json_is_true (json_object_get (row, "interrupted")) && time_us <= self->last_us)
            s_differ (self, "a row is only in the ledger");
    }
}

static void
s_forget_rows (subject_t *subject)
{
    json_t **const lists [] = { &subject->history, &subject->outputs, &subject->metrics, &subject->commands, &subject->record };
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
        json_decref (*lists [i]);
        *lists [i] = NULL;
    }
}

static bool
s_select (stele_verify_t *self, char kind, const json_t *id)
{
    subject_t *subject = subjects_add (&self->subjects, kind, id);
    if (subject == self->current)
        return true;
    s_end_current (self);
    if (self->current)
        s_forget_rows (self->current);
    self->current = subject;
    self->last_us = 0;
    if (subject_fetch (subject, self->asker) || subject_fetch_rows (subject, self->asker))
        self->failed = true;
    return !self->failed;
}

static const s_field_t s_session_fields [] = {
    { "cli_tool", "cli_tool tool provider" }, { "mode", "mode" }, { "pid", "pid process_id" },
    { "current_directory", "current_directory working_directory cwd" }, { "auth_prompt", "auth_prompt" },
    { "authentication_required", "authentication_required" }, { "task_id", "task_id" }, { "user_id", "user_id" },
    { NULL, NULL }
}, s_preference_fields [] = {
    { "preferred_provider", "preferred_provider default_provider" }, { "preferred_model", "preferred_model default_model" },
    { "full_access_preferred", "full_access_preferred full_access" }, { "role_preferences", "role_preferences" },
    { NULL, NULL }
};

static void
s_compare_session (stele_verify_t *self, const json_t *columns)
{
    const json_t *ledger = self->current->record, *kept = json_object_get (ledger, "migrated");
    char name [64];
    const json_t *state = s_column (columns, "state status", name);
    s_compare_fields (self, columns, ledger, kept, s_session_fields);
    s_compare_time (self, columns, "created_at started_at", json_object_get (ledger, "created_at"), kept);
    if (state)
        s_compare (self, name, state, json_object_get (ledger, "state"), kept,
            verify_same_word (state, json_object_get (ledger, "state")));
}

static void
s_compare_record (stele_verify_t *self, const char *table, const json_t *columns)
{
    if (!self->current->record)
        s_differ (self, "not in the ledger");
    else
    if (strcmp (table, "tasks") == 0)
        s_compare_task (self, columns);
    else
    if (strcmp (table, "redis") == 0)
        s_compare_key (self, columns);
    else
    if (strcmp (table, "user_preferences") == 0)
        s_compare_fields (self, columns, self->current->record, NULL, s_preference_fields);
    else
        s_compare_session (self, columns);
}

void
stele_verify_record (stele_verify_t *self, const char *table, const json_t *id, const json_t *columns)
{
    static const s_field_t output_match [] = { { "content", "content" }, { "output_type", "output_type type" }, { NULL, NULL } },
        output_fields [] = { { "file_path", "file_path" }, { "file_size", "file_size" }, { "mime_type", "mime_type" },
            { "commit_hash", "commit_hash" }, { "branch", "branch" }, { NULL, NULL } },
        metric_match [] = { { "name", "name metric_name" }, { "value", "value metric_value" }, { NULL, NULL } },
        metric_fields [] = { { "unit", "unit metric_unit" }, { NULL, NULL } },
        command_match [] = { { "command", "command" }, { "output", "output" }, { NULL, NULL } },
        command_fields [] = { { "exit_code", "exit_code" }, { "execution_time_ms", "execution_time_ms duration_ms" }, { NULL, NULL } };
    bool is_session = strncmp (table, "cli_session", 11) == 0 || strcmp (table, "redis session") == 0;
    char kind = is_session? 's': strcmp (table, "user_preferences") == 0? 'u': 't';
    if (self->failed || !s_select (self, kind, id))
        return;
    self->table = table;
    self->counts.records++;
    if (strcmp (table, "task_history") == 0)
        s_compare_step (self, columns);
    else
    if (strcmp (table, "task_outputs") == 0)
        s_compare_row (self, columns, self->current->outputs, output_match, output_fields);
    else
    if (strcmp (table, "task_metrics") == 0)
        s_compare_row (self, columns, self->current->metrics, metric_match, metric_fields);
    else
    if (strcmp (table, "cli_session_commands") == 0)
        s_compare_row (self, columns, self->current->commands, command_match, command_fields);
    else
        s_compare_record (self, table, columns);
}

int
stele_verify_end (stele_verify_t *self)
{
    if (!self->failed)
        s_end_current (self);
    return self->failed? -1: 0;
}
