/*  from_sqlite - convert the tables of an earlier system, row by row

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/memory.h"
#include "migrate/source/sqlite_source.h"
#include "model/field.h"
#include "stele_error.h"

json_t *
sqlite_columns (const stele_sqlite_file_row_t *row)
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

//  Text of an id that a ledger takes; NULL: it does not
static char *
s_valid_id (const json_t *value)
{
    char *id = convert_text_of (value);
    size_t size = 0;
    if (id)
        free (convert_decode (id, &size));
    if (size > 0 && size <= STELE_LIMIT_ID)
        return id;
    free (id);
    return NULL;
}

char *
sqlite_id_of (const json_t *value)
{
    char *id = s_valid_id (value), *made = NULL;
    if (id)
        return id;
    size_t size = 0;
    char *raw = convert_raw (value, &size);
    //  FNV-1a: the same id in every run
    uint64_t hash = UINT64_C (14695981039346656037);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char) raw [i]) * UINT64_C (1099511628211);
    free (raw);
    if (size && asprintf (&made, "migrated-%016llx", (unsigned long long) hash) < 0)
        abort ();
    return made;
}

//  The id that sqlite_take_id will take; NULL: one is generated. Caller frees.
static char *
s_peek_id (const sqlite_source_t *self, const json_t *columns)
{
    const char *names = self->key;
    char name [64];
    while (convert_next_name (&names, name)) {
        const json_t *value = json_object_get (columns, name);
        if (value && !json_is_null (value))
            return sqlite_id_of (value);
    }
    return self->otherwise? stele_memory_copy (self->otherwise, strlen (self->otherwise)): NULL;
}

static int64_t
s_peek_updated (const sqlite_source_t *self, const json_t *columns)
{
    static const char *const names [] = {
        "updated_at", "last_activity", "completed_at", "finished_at", "terminated_at", "ended_at", "started_at",
        "created_at"
    };
    convert_time_t time;
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++)
        if (convert_read_time (self->migrate->zone, json_object_get (columns, names [i]), &time))
            return time.us;
    return INT64_MIN;
}

static int
s_add_id (const stele_sqlite_file_row_t *row, void *arg)
{
    sqlite_source_t *self = arg;
    json_t *columns = sqlite_columns (row);
    char *id = s_peek_id (self, columns);
    if (id)
        duplicates_add (self->duplicates, id, s_peek_updated (self, columns));
    free (id);
    json_decref (columns);
    return 0;
}

json_t *
sqlite_resolve (sqlite_source_t *self, const stele_sqlite_file_row_t *row, json_t **others)
{
    *others = NULL;
    json_t *columns = sqlite_columns (row);
    char *id = s_peek_id (self, columns);
    if (id)
        columns = duplicates_resolve (self->duplicates, id, columns, others);
    free (id);
    return columns;
}

void
sqlite_set_id (convert_t *convert, const char *id)
{
    snprintf (convert->id, sizeof convert->id, "%s", id);
}

char *
sqlite_take_id (sqlite_source_t *self, convert_t *convert, const char *column, json_t **key)
{
    *key = convert_take (convert, column);
    char *valid = s_valid_id (*key);
    char *id = valid? valid: sqlite_id_of (*key);
    if (!id && asprintf (&id, "migrated-%s-%lld", convert->table, (long long) ++self->without_id) < 0)
        abort ();
    sqlite_set_id (convert, id);
    if (!valid) {
        convert_report (convert, *key? "its id is empty, not valid text, or longer than the limit: set to this one, its own "
            "is kept in migrated.%s": "it has no id: set to this one", column);
        convert_keep (convert, column, json_incref (*key));
    }
    return id;
}

int64_t
sqlite_take_row_time (convert_t *convert, const char *names, sqlite_owner_t *owner)
{
    int64_t time_us;
    if (!convert_take_time (convert, names, &time_us)) {
        time_us = owner->last_us;
        convert_report (convert, "it has no time: set to that of the previous row");
    }
    owner->last_us = time_us;
    return time_us;
}

void
sqlite_take_user (convert_t *convert, json_t *event, const json_t *user)
{
    if (!convert_take_field (convert, event, "user_id", "user_id") && user)
        json_object_set (event, "user_id", (json_t *) user);
}

int
sqlite_rows_of (sqlite_source_t *self, const char *table, const char *column, stele_sqlite_file_fn *fn,
    sqlite_owner_t *owner)
{
    if (!owner->key || !self->source || !stele_sqlite_file_has_table (self->source, table))
        return 0;
    size_t size;
    char *key = convert_raw (owner->key, &size);
    int rc = stele_sqlite_file_rows (self->source, table, column, key, size, fn, owner);
    free (key);
    return rc;
}

void
sqlite_require (convert_t *convert, json_t *event, const char *field, const char *names, const char *otherwise)
{
    if (convert_take_field (convert, event, field, names))
        return;
    convert_report (convert, "it has no %s: set to '%s'", field, otherwise);
    json_object_set_new (event, field, json_string (otherwise));
}

char *
sqlite_orphan (sqlite_owner_t *owner, convert_t *convert, const char *column, const char *what)
{
    json_t *value = convert_take (convert, column);
    char *valid = s_valid_id (value);
    char *id = valid? valid: sqlite_id_of (value);
    if (!id)
        id = stele_memory_copy ("migrated-without-owner", strlen ("migrated-without-owner"));
    sqlite_set_id (convert, id);
    convert_report (convert, "no such %s: imported without its record", what);
    if (!valid)
        convert_keep (convert, column, json_incref (value));
    json_decref (value);
    owner->id = id;
    return id;
}

//  -- the whole source --------------------------------------------------------------------------

static const char *const s_tables [] = {
    "tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions", "cli_session_commands",
    "user_preferences"
};

static void
s_report_unknown_table (const char *table, int64_t rows, void *arg)
{
    stele_migrate_t *migrate = arg;
    for (size_t i = 0; i < sizeof s_tables / sizeof s_tables [0]; i++)
        if (strcasecmp (table, s_tables [i]) == 0)
            return;
    char what [128];
    snprintf (what, sizeof what, "unknown table with %lld rows: skipped", (long long) rows);
    migrate->counts.odd++;
    migrate->options.odd_fn (table, "", 0, what, migrate->options.arg);
}

static int
s_check_columns (sqlite_source_t *self, char *error, size_t error_size)
{
    static const struct { const char *table, *column; } needed [] = {
        { "task_history", "task_id" }, { "task_outputs", "task_id" }, { "task_metrics", "task_id" },
        { "cli_session_commands", "session_id" }
    };
    if (stele_sqlite_file_is_ledger (self->source)) {
        snprintf (error, error_size, "it is a ledger of Stele; use 'stele export' from its broker, then "
            "'stele import' into another one");
        return STELE_ELEDGER;
    }
    if (!stele_sqlite_file_has_table (self->source, "tasks")
    &&  !stele_sqlite_file_has_table (self->source, "cli_sessions")) {
        snprintf (error, error_size, "no table tasks or cli_sessions; it is not a database of an earlier system");
        return STELE_ELEDGER;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed [0]; i++)
        if (stele_sqlite_file_has_table (self->source, needed [i].table)
        && !stele_sqlite_file_has_column (self->source, needed [i].table, needed [i].column)) {
            snprintf (error, error_size, "table %s has no column %s; the owners of its rows are unknown",
                needed [i].table, needed [i].column);
            return STELE_ELEDGER;
        }
    return 0;
}

static int
s_take_table (sqlite_source_t *self, const char *table, const char *key, const char *otherwise,
    stele_sqlite_file_fn *fn)
{
    if (!stele_sqlite_file_has_table (self->source, table))
        return 0;
    self->key = key;
    self->otherwise = otherwise;
    self->duplicates = duplicates_new ();
    int rc = stele_sqlite_file_rows (self->source, table, NULL, NULL, 0, s_add_id, self);
    if (rc == 0)
        rc = stele_sqlite_file_rows (self->source, table, NULL, NULL, 0, fn, self);
    duplicates_destroy (&self->duplicates);
    return rc;
}

static int
s_take_orphans (sqlite_source_t *self, const char *table, const char *column,
    const char *other, const char *key, stele_sqlite_file_fn *fn)
{
    sqlite_owner_t owner = { .source = self, .last_us = self->fallback_us };
    if (!stele_sqlite_file_has_table (self->source, table))
        return 0;
    if (!stele_sqlite_file_has_table (self->source, other))
        return stele_sqlite_file_rows (self->source, table, NULL, NULL, 0, fn, &owner);
    return stele_sqlite_file_orphans (self->source, table, column, other, key, fn, &owner);
}

//  The one-table generation writes local times without a zone
static void
s_report_zone (sqlite_source_t *self)
{
    self->is_queue = stele_sqlite_file_has_column (self->source, "tasks", "agent_type");
    if (!self->is_queue || self->migrate->options.zone)
        return;
    self->migrate->counts.odd++;
    self->migrate->options.odd_fn ("tasks", "", 0, "this system writes local times without a zone: read as UTC; "
        "name its zone with --zone (for example --zone Europe/Berlin, or --zone UTC if that is right)",
        self->migrate->options.arg);
}

int
stele_migrate_from_sqlite (stele_migrate_t *migrate, const char *path,
    char *error, size_t error_size)
{
    migrate->sort = stele_event_sort_new ();
    if (!migrate->sort) {
        snprintf (error, error_size, "cannot create a temporary file: %s", strerror (errno));
        return STELE_EIO;
    }
    sqlite_source_t self = { .migrate = migrate, .source = stele_sqlite_file_open (path, error, error_size) };
    if (!self.source)
        return STELE_EIO;
    self.fallback_us = stele_sqlite_file_modified_us (self.source);
    self.task_key = stele_sqlite_file_has_column (self.source, "tasks", "task_id")? "task_id": "id";
    self.session_key = stele_sqlite_file_has_column (self.source, "cli_sessions", "session_id")? "session_id": "id";
    int rc = s_check_columns (&self, error, error_size);
    bool checked = rc == 0;
    if (checked) {
        stele_sqlite_file_tables (self.source, s_report_unknown_table, migrate);
        s_report_zone (&self);
    }
    if (rc == 0)
        rc = s_take_table (&self, "tasks", self.task_key, NULL, sqlite_take_task);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_history", "task_id", "tasks", self.task_key, sqlite_orphan_step);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_outputs", "task_id", "tasks", self.task_key, sqlite_orphan_output);
    if (rc == 0)
        rc = s_take_orphans (&self, "task_metrics", "task_id", "tasks", self.task_key, sqlite_orphan_metric);
    if (rc == 0)
        rc = s_take_table (&self, "cli_sessions", self.session_key, NULL, sqlite_take_session);
    if (rc == 0)
        rc = s_take_orphans (&self, "cli_session_commands", "session_id", "cli_sessions", self.session_key,
            sqlite_orphan_command);
    if (rc == 0)
        rc = s_take_table (&self, "user_preferences", "user_id id", "default", sqlite_take_preference);
    if (rc && checked)
        snprintf (error, error_size, "%s: %s", path, stele_sqlite_file_error (self.source));
    stele_sqlite_file_close (&self.source);
    return rc;
}
