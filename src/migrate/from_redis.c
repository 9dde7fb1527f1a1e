/*  from_redis - tasks of which only a key in Redis is left

    A key holds one JSON string: id, role, branch, state, last_error, provider, model.
    It was written when it will expire, less a day.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cache/legacy.h"
#include "migrate/convert.h"
#include "model/lifecycle.h"
#include "stele_error.h"

#define EXPIRY_MS 86400000

static void
s_take_fields (convert_t *convert, json_t *event, const char *id)
{
    static const char *const fields [] = { "branch", "provider", "model" };
    if (!convert_take_field (convert, event, "title", "title"))
        json_object_set_new (event, "title", json_string (id));
    if (!convert_take_field (convert, event, "description", "description"))
        json_object_set_new (event, "description", json_string (""));
    if (!convert_take_field (convert, event, "role", "role")) {
        convert_odd (convert, "it has no role: 'unknown' is taken");
        json_object_set_new (event, "role", json_string ("unknown"));
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        convert_take_field (convert, event, fields [i], fields [i]);
}

//  task.created, and its state where that is another one or there was an error
static void
s_emit (convert_t *convert, const char *id, int64_t time_us)
{
    json_t *created = convert_event ("task.created", time_us, "task_id", id);
    s_take_fields (convert, created, id);
    int state = convert_take_word (convert, "state status", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED);
    if (state == 0) {
        convert_odd (convert, "it has no state: queued is taken");
        state = STELE_TASK_QUEUED;
    }
    json_t *changed = convert_event ("task.state_changed", time_us, "task_id", id);
    json_object_set_new (changed, "state", json_string (
        stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state)));
    bool error = convert_take_error (convert, changed, "last_error error_message");
    convert_keep_rest (convert);
    convert_attach (convert, created, "metadata");
    //  The order of keys is all there is: those of one moment stay in it
    convert_emit (convert, time_us, created);
    if (state != STELE_TASK_QUEUED || error)
        convert_emit (convert, time_us, changed);
    else
        json_decref (changed);
}

static char *
s_take_id (convert_t *convert, const stele_legacy_key_t *key)
{
    const char *colon = memchr (key->key, ':', key->key_size);
    const char *suffix = colon? colon + 1: key->key;
    size_t size = key->key_size - (size_t) (suffix - key->key);
    char *id = convert_take_text (convert, "id task_id");
    if (id && *id && strlen (id) <= 255) {
        if (strlen (id) != size || memcmp (id, suffix, size) != 0)
            convert_odd (convert, "its id is '%s', which is not that of the key: the id stands", id);
        snprintf (convert->id, sizeof convert->id, "%s", id);
        return id;
    }
    if (id && *id)
        convert_keep (convert, "id", json_string (id));
    free (id);
    if (asprintf (&id, "%.*s", size < 255? (int) size: 255, suffix) < 0)
        abort ();
    if (*id) {
        snprintf (convert->id, sizeof convert->id, "%s", id);
        convert_odd (convert, "it has no id: that of the key is taken");
    }
    else
        convert_odd (convert, "neither it nor its key has an id");
    return id;
}

static int
s_take_key (const stele_legacy_key_t *key, void *arg)
{
    stele_migrate_t *self = arg;
    convert_t convert;
    json_t *columns = key->text?
        json_loadb (key->text, key->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL): NULL;
    bool readable = json_is_object (columns);
    if (!readable) {
        json_decref (columns);
        columns = json_object ();
    }
    convert_start (&convert, self, "redis", columns);
    snprintf (convert.id, sizeof convert.id, "%.*s", (int) key->key_size, key->key);
    if (!key->text) {
        convert_odd (&convert, "it is not a string, so no task of an earlier system: left out");
        convert_end (&convert);
        return 0;
    }
    self->counts.tasks++;
    if (!readable) {
        convert_odd (&convert, "its value is no JSON object: kept as it is in migrated.value");
        convert_keep (&convert, "value", convert_text (key->text, key->size));
    }
    char *id = s_take_id (&convert, key);
    migrate_task_known (self, id);
    int64_t time_us = key->expires_ms > EXPIRY_MS? (key->expires_ms - EXPIRY_MS) * 1000: 0;
    if (!time_us)
        convert_odd (&convert, "it never expires, so nothing says when it was written: its time is that of the migration");
    s_emit (&convert, id, time_us);
    free (id);
    convert_end (&convert);
    return 0;
}

int
stele_migrate_from_redis (stele_migrate_t *self, const char *url, const char *pattern,
    int timeout_ms, char *error, size_t error_size)
{
    self->spool = stele_spool_new ();
    if (!self->spool) {
        snprintf (error, error_size, "a temporary file: %s", strerror (errno));
        return STELE_EIO;
    }
    return stele_legacy_keys (url, pattern, timeout_ms, s_take_key, self, error, error_size);
}
