/*  from_redis - convert tasks of which only a key in Redis remains

    A key holds one JSON string: id, role, branch, state, last_error, provider, model.
    It was written one day before its expiry.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cache/redis/redis_keys.h"
#include "migrate/convert.h"
#include "migrate/duplicates.h"
#include "stele_error.h"

#define EXPIRY_MS 86400000

//  Keys are read once and kept: which of several with one id is imported is known at the end
typedef struct {
    stele_migrate_t *migrate;
    stele_redis_key_t *keys;
    char **ids;                     // Of the records in them
    size_t count, key_room, id_room;
    duplicates_t *duplicates;
} s_source_t;

static void
s_take_fields (convert_t *convert, json_t *event, const char *id)
{
    static const char *const fields [] = { "branch", "provider", "model" };
    if (!convert_take_field (convert, event, "title", "title"))
        json_object_set_new (event, "title", json_string (id));
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
    if (state != STELE_TASK_QUEUED || error)
        convert_emit (convert, time_us, changed);
    else
        json_decref (changed);
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

//  The record's own id if it is valid, else that of its key. Caller frees.
static char *
s_id_of (const json_t *columns, const stele_redis_key_t *key, bool *own)
{
    static const char *const names [] = { "id", "task_id" };
    size_t size;
    const char *suffix = s_suffix (key, &size);
    char *id = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++) {
        const json_t *value = json_object_get (columns, names [i]);
        if (!value || json_is_null (value))
            continue;
        id = convert_text_of (value);
        break;
    }
    *own = id && *id && strlen (id) <= 255;
    if (*own)
        return id;
    free (id);
    if (asprintf (&id, "%.*s", size < 255? (int) size: 255, suffix) < 0)
        abort ();
    return id;
}

static bool
s_names_key (const char *id, const stele_redis_key_t *key)
{
    size_t size;
    const char *suffix = s_suffix (key, &size);
    return strlen (id) == size && memcmp (id, suffix, size) == 0;
}

static char *
s_take_id (convert_t *convert, const stele_redis_key_t *key)
{
    bool own;
    char *id = s_id_of (convert->columns, key, &own);
    char *stated = convert_take_text (convert, "id task_id");
    if (stated && *stated && !own)
        convert_keep (convert, "id", json_string (stated));
    free (stated);
    if (own && !s_names_key (id, key))
        convert_report (convert, "its id '%s' differs from that of the key: the id is imported", id);
    if (*id)
        snprintf (convert->id, sizeof convert->id, "%s", id);
    if (!own)
        convert_report (convert, *id? "it has no id: set to that of the key": "neither it nor its key has an id");
    return id;
}

static json_t *
s_parse (const stele_redis_key_t *key, size_t *words)
{
    json_t *columns = convert_parse (key->text, key->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, words);
    if (json_is_object (columns))
        return columns;
    json_decref (columns);
    return NULL;
}

//  The form in which a duplicate is kept
static json_t *
s_record (const stele_redis_key_t *key)
{
    size_t words;
    json_t *record = json_object (), *columns = s_parse (key, &words);
    json_object_set_new (record, "key", convert_text (key->key, key->key_size));
    json_object_set_new (record, "value", columns? convert_escape (columns): convert_text (key->text, key->size));
    return record;
}

static void
s_emit_key (s_source_t *self, const stele_redis_key_t *key, json_t *others)
{
    convert_t convert;
    size_t words;
    json_t *columns = s_parse (key, &words);
    bool readable = columns != NULL;
    //  Kept values must have the form of the protocol
    const char *name;
    json_t *value;
    json_object_foreach (columns, name, value)
        json_object_set_new_nocheck (columns, name, convert_escape (json_incref (value)));
    convert_start (&convert, self->migrate, "redis", readable? columns: json_object ());
    snprintf (convert.id, sizeof convert.id, "%.*s", (int) key->key_size, key->key);
    if (!readable) {
        convert_report (&convert, "its value is not a JSON object: kept unchanged in migrated.value");
        convert_keep (&convert, "value", convert_text (key->text, key->size));
    }
    char *id = s_take_id (&convert, key);
    convert_report_bare_words (&convert, "its value", readable? words: 0);
    convert_keep_others (&convert, others, "the key of that name (else the last key)");
    migrate_add_task (self->migrate, id);
    int64_t time_us = key->expires_ms > EXPIRY_MS? (key->expires_ms - EXPIRY_MS) * 1000: 0;
    if (!time_us)
        convert_report (&convert, "it has no expiry, which would give its time: set to the time of the migration");
    s_emit (&convert, id, time_us);
    free (id);
    convert_end (&convert);
}

//  Emit a key, or of several with one id the chosen one after the last
static void
s_resolve_key (s_source_t *self, size_t number)
{
    json_t *others;
    self->migrate->counts.tasks++;
    json_t *chosen = duplicates_resolve (self->duplicates, self->ids [number], json_integer ((json_int_t) number), &others);
    if (!chosen)
        return;
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
        convert_report (&convert, "it is not a string, so not a task of an earlier system: skipped");
        convert_end (&convert);
        return 0;
    }
    self->keys = stele_array_must_grow (self->keys, &self->key_room, self->count + 1, sizeof *self->keys);
    self->ids = stele_array_must_grow (self->ids, &self->id_room, self->count + 1, sizeof *self->ids);
    stele_redis_key_t *kept = &self->keys [self->count];
    *kept = *key;
    kept->key = stele_memory_copy (key->key, key->key_size);
    kept->text = stele_memory_copy (key->text, key->size);
    size_t words;
    json_t *columns = s_parse (kept, &words);
    bool own;
    char *id = s_id_of (columns, kept, &own);
    duplicates_add (self->duplicates, id, s_names_key (id, kept));
    json_decref (columns);
    self->ids [self->count++] = id;
    return 0;
}

int
stele_migrate_from_redis (stele_migrate_t *migrate, const char *url, const char *pattern,
    int timeout_ms, char *error, size_t error_size)
{
    migrate->sort = stele_event_sort_new ();
    if (!migrate->sort) {
        snprintf (error, error_size, "cannot create a temporary file: %s", strerror (errno));
        return STELE_EIO;
    }
    s_source_t self = { .migrate = migrate, .duplicates = duplicates_new () };
    int rc = stele_redis_keys (url, pattern, timeout_ms, s_keep_key, &self, error, error_size);
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
    return rc;
}
