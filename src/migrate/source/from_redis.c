/*  from_redis - convert tasks and sessions of which only a key in Redis remains

    A key task_status:ID holds one JSON string: id, role, branch, state, last_error, provider, model.
    It was written one day before its expiry. A key cli_session:ID holds a session, with its times.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cache/redis/redis_keys.h"
#include "migrate/convert.h"
#include "migrate/duplicates.h"
#include "migrate/source/sqlite_source.h"
#include "model/field.h"
#include "stele_error.h"

#define EXPIRY_MS 86400000
#define SESSION_KEY "cli_session:"

//  Keys are read once and kept: which of several with one id is imported is known at the end
typedef struct {
    stele_migrate_t *migrate;
    stele_redis_key_t *keys;
    char **ids;                     // Of the records in them
    size_t count, key_room, id_room;
    duplicates_t *duplicates, *sessions;
    int64_t now_us;
} s_source_t;

static void
s_take_fields (convert_t *convert, json_t *event, const char *id)
{
    static const char *const fields [] = { "branch", "provider", "model" };
    if (!convert_take_field (convert, event, "title", "title")) {
        convert_report (convert, "a key has no title and no description: the title is set to the id");
        json_object_set_new (event, "title", convert_string (id));
    }
    if (!convert_take_field (convert, event, "description", "description"))
        json_object_set_new (event, "description", json_string (""));
    if (!convert_take_field (convert, event, "role", "role")) {
        convert_report (convert, "it has no role: set to 'unknown'");
        json_object_set_new (event, "role", json_string ("unknown"));
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        convert_take_field (convert, event, fields [i], fields [i]);
}

//  task.created, and a change of state if it is not queued or there was an error
static void
s_emit (convert_t *convert, const char *id, int64_t time_us)
{
    json_t *created = convert_event ("task.created", time_us, "task_id", id);
    s_take_fields (convert, created, id);
    int state = convert_take_word (convert, "state status", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED);
    if (state == 0) {
        convert_report (convert, "it has no state: set to queued");
        state = STELE_TASK_QUEUED;
    }
    json_t *changed = convert_event ("task.state_changed", time_us, "task_id", id);
    json_object_set_new (changed, "state", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state)));
    bool error = convert_take_error (convert, changed, "last_error error_message");
    convert_keep_rest (convert);
    convert_attach (convert, created, "metadata");
    //  Events of one time remain in the order of the keys
    convert_emit (convert, time_us, created);
    convert_emit_rests (convert, time_us, time_us, id);
    if (state != STELE_TASK_QUEUED || error)
        convert_emit (convert, time_us, changed);
    else
        json_decref (changed);
    timeline_t timeline = { .convert = convert, .task_id = id, .state = (stele_task_state_t) state };
    timeline_interrupt (&timeline);
}

//  The id in a key
static const char *
s_suffix (const stele_redis_key_t *key, size_t *size)
{
    const char *colon = memchr (key->key, ':', key->key_size);
    const char *suffix = colon? colon + 1: key->key;
    *size = key->key_size - (size_t) (suffix - key->key);
    return suffix;
}

//  Does the key hold a session? "cli_session:" may follow a prefix of the application
static bool
s_is_session (const stele_redis_key_t *key)
{
    return memmem (key->key, key->key_size, SESSION_KEY, strlen (SESSION_KEY)) != NULL;
}

//  The record's own id if it is valid, else that of its key. Caller frees.
static char *
s_id_of (const json_t *columns, const stele_redis_key_t *key, bool *own)
{
    static const char *const names [] = { "id", "task_id" }, *const session_names [] = { "id", "session_id" };
    const char *const *name = s_is_session (key)? session_names: names;
    size_t size;
    const char *suffix = s_suffix (key, &size);
    const json_t *value = json_object_get (columns, name [0]);
    if (!value || json_is_null (value))
        value = json_object_get (columns, name [1]);
    char *id = convert_text_of (value);
    size_t id_size = 0;
    if (id)
        free (convert_decode (id, &id_size));
    *own = id_size > 0 && id_size <= STELE_LIMIT_ID;
    if (*own)
        return id;
    free (id);
    json_t *text = convert_text (suffix, size);
    id = size? sqlite_id_of (text): stele_memory_copy ("", 0);
    json_decref (text);
    return id;
}

static bool
s_names_key (const char *id, const stele_redis_key_t *key)
{
    size_t size;
    const char *suffix = s_suffix (key, &size);
    size_t id_size;
    char *raw = convert_decode (id, &id_size);
    bool same = id_size == size && memcmp (raw, suffix, size) == 0;
    free (raw);
    return same;
}

static char *
s_take_id (convert_t *convert, const stele_redis_key_t *key)
{
    bool own;
    char *id = s_id_of (convert->columns, key, &own);
    json_t *stated = convert_take (convert, s_is_session (key)? "id session_id": "id task_id");
    if (stated && !own)
        convert_keep (convert, "id", json_incref (stated));
    json_decref (stated);
    if (own && !s_names_key (id, key))
        convert_report (convert, "its id '%s' differs from that of the key: the id is imported", id);
    if (*id)
        snprintf (convert->id, sizeof convert->id, "%s", id);
    if (!own)
        convert_report (convert, *id? "it has no id: set to that of the key": "neither it nor its key has an id");
    return id;
}

static json_t *
s_parse (const stele_redis_key_t *key, convert_repairs_t *repairs)
{
    json_t *columns = convert_parse (key->text, key->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, repairs);
    if (json_is_object (columns))
        return columns;
    json_decref (columns);
    return NULL;
}

//  The form in which a duplicate is kept
static json_t *
s_record (const stele_redis_key_t *key)
{
    convert_repairs_t repairs;
    json_t *record = json_object (), *columns = s_parse (key, &repairs);
    json_object_set_new (record, "key", convert_text (key->key, key->key_size));
    json_object_set_new (record, "value", columns? convert_escape (columns): convert_text (key->text, key->size));
    return record;
}

//  The task of a key whose columns 'convert' has
static void
s_emit_task (s_source_t *self, convert_t *convert, const stele_redis_key_t *key, const char *id)
{
    self->migrate->counts.tasks++;
    migrate_add_task (self->migrate, id);
    int64_t time_us = key->expires_ms > EXPIRY_MS? (key->expires_ms - EXPIRY_MS) * 1000: 0;
    convert_report (convert, time_us? "a key has no times: set to that of its expiry, less one day":
        "it has no expiry, which would give its time: set to the time of the migration");
    s_emit (convert, id, time_us);
}

static void
s_emit_session (s_source_t *self, convert_t *convert, const char *id)
{
    sqlite_source_t source = { .migrate = self->migrate, .fallback_us = self->now_us };
    self->migrate->counts.sessions++;
    sqlite_convert_session (&source, convert, id, NULL);
}

static void
s_emit_key (s_source_t *self, const stele_redis_key_t *key, json_t *others)
{
    convert_t convert;
    convert_repairs_t repairs;
    json_t *columns = s_parse (key, &repairs);
    bool readable = columns != NULL, is_session = s_is_session (key);
    //  Kept values must have the form of the protocol
    const char *name;
    json_t *value;
    json_object_foreach (columns, name, value)
        json_object_set_new_nocheck (columns, name, convert_escape (json_incref (value)));
    convert_start (&convert, self->migrate, is_session? "redis session": "redis", readable? columns: json_object ());
    convert.has_outputs = !is_session;
    json_t *text = convert_text (key->key, key->key_size);
    char *name_of_key = convert_text_of (text);
    sqlite_set_id (&convert, name_of_key? name_of_key: "a key that is not text");
    free (name_of_key);
    json_decref (text);
    if (!readable)
        convert_report (&convert, "its value is not a JSON object: kept unchanged in migrated.value");
    if (!readable || repairs.characters)
        convert_keep (&convert, "value", convert_text (key->text, key->size));
    json_t *shown = json_copy (convert.columns);
    char *id = s_take_id (&convert, key);
    json_t *rest = convert.columns;
    convert.columns = shown;
    convert_show (&convert, id);
    convert.columns = rest;
    json_decref (shown);
    if (readable)
        convert_report_repairs (&convert, "its value", &repairs);
    convert_keep_others (&convert, others, "the key of that name (else the last key)");
    if (is_session)
        s_emit_session (self, &convert, id);
    else
        s_emit_task (self, &convert, key, id);
    free (id);
    convert_end (&convert);
}

//  Emit a key, or of several with one id the chosen one after the last
static void
s_resolve_key (s_source_t *self, size_t number)
{
    json_t *others;
    bool is_session = s_is_session (&self->keys [number]);
    json_t *chosen = duplicates_resolve (is_session? self->sessions: self->duplicates, self->ids [number],
        json_integer ((json_int_t) number), &others);
    if (!chosen) {
        is_session? self->migrate->counts.sessions++: self->migrate->counts.tasks++;
        return;
    }
    for (size_t i = 0; i < json_array_size (others); i++)
        json_array_set_new (others, i, s_record (&self->keys [json_integer_value (json_array_get (others, i))]));
    s_emit_key (self, &self->keys [json_integer_value (chosen)], others);
    json_decref (chosen);
}

static int
s_keep_key (const stele_redis_key_t *key, void *arg)
{
    s_source_t *self = arg;
    if (!key->text) {
        convert_t convert;
        convert_start (&convert, self->migrate, "redis", json_object ());
        snprintf (convert.id, sizeof convert.id, "%.*s", (int) key->key_size, key->key);
        convert_report (&convert, "it is not a string, so neither a task nor a session of an earlier system: skipped");
        convert_end (&convert);
        return 0;
    }
    self->keys = stele_array_must_grow (self->keys, &self->key_room, self->count + 1, sizeof *self->keys);
    self->ids = stele_array_must_grow (self->ids, &self->id_room, self->count + 1, sizeof *self->ids);
    stele_redis_key_t *kept = &self->keys [self->count];
    *kept = *key;
    kept->key = stele_memory_copy (key->key, key->key_size);
    kept->text = stele_memory_copy (key->text, key->size);
    convert_repairs_t repairs;
    json_t *columns = s_parse (kept, &repairs);
    bool own;
    char *id = s_id_of (columns, kept, &own);
    duplicates_add (s_is_session (kept)? self->sessions: self->duplicates, id, s_names_key (id, kept));
    json_decref (columns);
    self->ids [self->count++] = id;
    return 0;
}

int
stele_migrate_from_redis (stele_migrate_t *migrate, const char *url, const char *const *patterns,
    int timeout_ms, char *error, size_t error_size)
{
    migrate->sort = stele_event_sort_new ();
    if (!migrate->sort) {
        snprintf (error, error_size, "cannot create a temporary file: %s", strerror (errno));
        return STELE_EIO;
    }
    s_source_t self = { .migrate = migrate, .duplicates = duplicates_new (), .sessions = duplicates_new (),
        .now_us = stele_clock_us () };
    int rc = 0;
    for (; *patterns && rc == 0; patterns++)
        rc = stele_redis_keys (url, *patterns, timeout_ms, s_keep_key, &self, error, error_size);
    for (size_t i = 0; i < self.count; i++) {
        if (rc == 0)
            s_resolve_key (&self, i);
    }
    for (size_t i = 0; i < self.count; i++) {
        free ((char *) self.keys [i].key);
        free ((char *) self.keys [i].text);
        free (self.ids [i]);
    }
    free (self.keys);
    free (self.ids);
    duplicates_destroy (&self.duplicates);
    duplicates_destroy (&self.sessions);
    return rc;
}
