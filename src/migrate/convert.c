/*  convert - one record of an earlier system, column by column, into an event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/convert.h"
#include "model/field.h"
#include "stele_event.h"

void
convert_start (convert_t *self, stele_migrate_t *migrate, const char *table, json_t *columns)
{
    *self = (convert_t) {
        .migrate = migrate, .table = table, .columns = columns, .kept = json_object ()
    };
}

void
convert_end (convert_t *self)
{
    json_decref (self->columns);
    json_decref (self->kept);
    json_decref (self->rests);
}

void
convert_report (convert_t *self, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&text, format, args) < 0)
        abort ();
    va_end (args);
    self->migrate->counts.odd++;
    size_t size;
    char *id = convert_decode (self->id, &size);
    self->migrate->options.odd_fn (self->table, id, size, text, self->migrate->options.arg);
    free (id);
    free (text);
}

void
convert_show (convert_t *self, const char *id)
{
    if (!self->migrate->options.record_fn)
        return;
    json_t *text = convert_string (id);
    self->migrate->options.record_fn (self->table, text, self->columns, self->migrate->options.arg);
    json_decref (text);
}

void
convert_report_repairs (convert_t *self, const char *name, const convert_repairs_t *repairs)
{
    if (repairs->words)
        convert_report (self, "%s has %zu of NaN, Infinity, -Infinity or numbers beyond 64 bits, which are not JSON: "
            "imported as text", name, repairs->words);
    if (repairs->characters)
        convert_report (self, "%s has text that is not Unicode (half a surrogate pair): U+FFFD is imported in its place, "
            "the original is kept", name);
}

//  -- kept values ----------------------------------------------------------------------

//  Longest text that is kept in the metadata of a task
#define KEPT_BYTES 65536

static size_t
s_size (const json_t *value)
{
    return json_dumpb (value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

void
convert_add_rest (convert_t *self, const char *name, json_t *value)
{
    if (!self->rests)
        self->rests = json_array ();
    json_array_append_new (self->rests, json_pack ("{ssso}", "of", name, "content", value));
}

void
convert_keep (convert_t *self, const char *name, json_t *value)
{
    if (value && self->has_outputs && s_size (value) > KEPT_BYTES) {
        char *text = json_is_string (value) || json_object_get (value, "$bin")? NULL: json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);
        convert_report (self, "%s is too large to be kept in migrated: it becomes an output", name);
        convert_add_rest (self, name, text? json_string (text): json_incref (value));
        free (text);
        json_decref (value);
        return;
    }
    if (value && convert_depth (value) > CONVERT_NESTING) {
        char *text = json_dumps (value, JSON_COMPACT);
        json_decref (value);
        value = json_string (text? text: "");
        free (text);
    }
    if (value && !json_object_get (self->kept, name))
        json_object_set_new (self->kept, name, value);
    else
        json_decref (value);
}

void
convert_keep_rest (convert_t *self)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe (self->columns, next, key, value)
        if (!json_is_null (value)) {
            //  A kept value may have that name already
            char name [160];
            snprintf (name, sizeof name, "%s", key);
            while (json_object_get (self->kept, name) && strlen (name) + 1 < sizeof name)
                strcat (name, "_");
            convert_keep (self, name, json_incref (value));
        }
    json_object_clear (self->columns);
}

void
convert_keep_others (convert_t *self, json_t *others, const char *rule)
{
    for (size_t i = 0; i < json_array_size (others); i++)
        convert_report (self, "%zu records have this id: %s is imported, another one is kept in migrated.duplicates",
            json_array_size (others) + 1, rule);
    if (others)
        convert_keep (self, "duplicates", others);
}

void
convert_attach (convert_t *self, json_t *event, const char *inside)
{
    if (json_object_size (self->kept) == 0)
        return;
    json_t *kept = self->kept;
    self->kept = json_object ();
    //  Each kept value is small, but there may be many
    size_t room = inside? STELE_LIMIT_TEXT: STELE_LIMIT_CONTENT;
    if (self->has_outputs && s_size (kept) + (inside? s_size (json_object_get (event, inside)): 0) > room) {
        char *text = json_dumps (kept, JSON_COMPACT);
        convert_report (self, "what is kept is too large for one event: it becomes an output");
        convert_add_rest (self, "migrated", json_string (text));
        free (text);
        json_decref (kept);
        return;
    }
    if (!inside) {
        json_object_set_new (event, "migrated", kept);
        return;
    }
    json_t *map = json_object_get (event, inside);
    if (!map) {
        map = json_object ();
        json_object_set_new (event, inside, map);
    }
    //  An escaped map cannot take another key: keep it, and start an empty one
    if (json_object_get (map, "$map")) {
        json_object_set (kept, inside, map);
        map = json_object ();
        json_object_set_new (event, inside, map);
    }
    json_object_set_new (map, json_object_get (map, "migrated")? "migrated_from": "migrated", kept);
}

//  -- columns --------------------------------------------------------------------------

bool
convert_next_name (const char **names, char name [64])
{
    if (!**names)
        return false;
    size_t size = strcspn (*names, " ");
    snprintf (name, 64, "%.*s", (int) size, *names);
    *names += size + ((*names) [size] == ' ');
    return true;
}

json_t *
convert_take_as (convert_t *self, const char *names, char name [64])
{
    while (convert_next_name (&names, name)) {
        json_t *value = json_incref (json_object_get (self->columns, name));
        if (!value)
            continue;
        json_object_del (self->columns, name);
        if (!json_is_null (value))
            return value;
    }
    return NULL;
}

json_t *
convert_take (convert_t *self, const char *names)
{
    char name [64];
    return convert_take_as (self, names, name);
}

char *
convert_take_text_as (convert_t *self, const char *names, char name [64])
{
    json_t *value = convert_take_as (self, names, name);
    char *text = convert_text_of (value);
    if (value && !text) {
        convert_report (self, "%s is not text: kept in migrated.%s", name, name);
        convert_keep (self, name, json_incref (value));
    }
    json_decref (value);
    return text;
}

char *
convert_take_text (convert_t *self, const char *names)
{
    char name [64];
    return convert_take_text_as (self, names, name);
}

bool
convert_take_time (convert_t *self, const char *names, int64_t *time_us)
{
    char name [64];
    json_t *value = convert_take_as (self, names, name);
    if (!value)
        return false;
    convert_time_t time;
    bool read = convert_read_time (self->migrate->zone, value, &time);
    if (!read)
        convert_report (self, "%s is not a time: kept unchanged in migrated.%s", name, name);
    else
    if (time.is_number)
        convert_report (self, "%s is a number: read as time since 1970, kept in migrated.%s", name, name);
    if (read && time.is_doubtful)
        convert_report (self, "%s occurs twice or never in its time zone, where summer time changes: the first is imported, "
            "kept in migrated.%s", name, name);
    if (!read || time.is_number || time.is_doubtful)
        convert_keep (self, name, json_incref (value));
    if (read)
        *time_us = time.us;
    json_decref (value);
    return read;
}

//  -- events ---------------------------------------------------------------------------

void
convert_emit (convert_t *self, int64_t order, json_t *json)
{
    char error [256] = "it is not JSON";
    char *text = json_dumps (json, JSON_COMPACT);
    size_t size = text? strlen (text): 0;
    stele_event_t *event = text? stele_event_from_json (text, size, error, sizeof error): NULL;
    if (!event || stele_event_check (event, error, sizeof error)) {
        //  Count the record once, and report an error that its events share once
        if (!*self->failure)
            self->migrate->counts.failed++;
        if (strcmp (self->failure, error) != 0)
            convert_report (self, self->migrate->options.skip? "skipped, since it cannot be published: %s":
                "cannot be published: %s", error);
        snprintf (self->failure, sizeof self->failure, "%s", error);
    }
    else {
        stele_event_sort_add (self->migrate->sort, order, text, size);
        self->migrate->counts.events++;
    }
    stele_event_destroy (&event);
    free (text);
    json_decref (json);
}

//  Take the first part of a text or bytes that fits into one output. *rest is what remains; NULL: nothing
static json_t *
s_part (json_t *content, json_t **rest)
{
    *rest = NULL;
    const char *bytes = json_string_value (json_object_get (content, "$bin"));
    const char *text = bytes? bytes: json_string_value (content);
    size_t size = bytes? strlen (bytes): json_string_length (content);
    size_t most = bytes? STELE_LIMIT_CONTENT / 3 * 4: STELE_LIMIT_CONTENT;
    if (size <= most)
        return json_incref (content);
    while (!bytes && ((unsigned char) text [most] & 0xC0) == 0x80)
        most--;
    *rest = bytes? json_pack ("{ss}", "$bin", text + most): json_stringn_nocheck (text + most, size - most);
    return bytes? json_pack ("{ss%}", "$bin", text, most): json_stringn_nocheck (text, most);
}

void
convert_emit_rests (convert_t *self, int64_t order, int64_t time_us, const char *task_id)
{
    size_t i;
    json_t *rest;
    json_array_foreach (self->rests, i, rest) {
        json_t *content = json_incref (json_object_get (rest, "content"));
        while (content) {
            json_t *more, *event = convert_event ("task.output_added", time_us, "task_id", task_id);
            json_object_set_new (event, "output_type", json_string ("log"));
            json_object_set_new (event, "content", s_part (content, &more));
            json_object_set_new (event, "migrated", json_pack ("{ssso}", "inserted", "text over the limit",
                "rest_of", json_sprintf ("%s.%s", self->table, json_string_value (json_object_get (rest, "of")))));
            convert_emit (self, order, event);
            json_decref (content);
            content = more;
        }
    }
    json_decref (self->rests);
    self->rests = NULL;
}
