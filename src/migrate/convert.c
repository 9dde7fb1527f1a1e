/*  convert - one record of an earlier system, column by column, into an event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "migrate/convert.h"
#include "model/field.h"
#include "stele_event.h"
#include "wire/base64.h"
#include "wire/event_codec.h"
#include "wire/scan.h"

#define NESTING_KEPT 12             // Of a value that is kept: it stands inside others

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
}

void
convert_odd (convert_t *self, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&text, format, args) < 0)
        abort ();
    va_end (args);
    self->migrate->counts.odd++;
    self->migrate->odd_fn (self->table, self->id, text, self->migrate->odd_arg);
    free (text);
}

//  -- JSON -----------------------------------------------------------------------------

json_t *
convert_bytes (const void *text, size_t size)
{
    char *base64 = malloc (STELE_BASE64_SIZE (size) + 1);
    assert (base64);
    base64 [stele_base64_encode (text, size, base64)] = 0;
    json_t *bytes = json_pack ("{ss}", "$bin", base64);
    free (base64);
    return bytes;
}

json_t *
convert_text (const char *text, size_t size)
{
    return stele_utf8_valid (text, size)? json_stringn_nocheck (text, size): convert_bytes (text, size);
}

//  Does one of the bare words that JSON has not begin here? Its length, or 0.
static size_t
s_bare_word (const char *text, size_t size)
{
    static const char *const words [] = { "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++) {
        size_t length = strlen (words [i]);
        if (size >= length && memcmp (text, words [i], length) == 0)
            return length;
    }
    return 0;
}

json_t *
convert_parse (const char *text, size_t size, size_t flags, size_t *words)
{
    *words = 0;
    json_t *value = json_loadb (text, size, flags, NULL);
    if (value)
        return value;
    //  A word of three letters gets two quotes
    char *quoted = malloc (size * 2 + 1);
    assert (quoted);
    size_t length = 0;
    bool inside = false;
    for (size_t i = 0; i < size; ) {
        size_t word = inside? 0: s_bare_word (text + i, size - i);
        size_t take = word? word: inside && text [i] == '\\' && i + 1 < size? 2: 1;
        if (word)
            quoted [length++] = '"';
        else
        if (text [i] == '"')
            inside = !inside;
        memcpy (quoted + length, text + i, take);
        length += take;
        if (word)
            quoted [length++] = '"';
        *words += word > 0;
        i += take;
    }
    value = *words? json_loadb (quoted, length, flags, NULL): NULL;
    free (quoted);
    return value;
}

void
convert_say_words (convert_t *self, const char *name, size_t words)
{
    if (words)
        convert_odd (self, "%s has %zu of NaN, Infinity, -Infinity, which JSON has not: taken as text", name, words);
}

json_t *
convert_time (int64_t time_us)
{
    char text [64];
    stele_time_print (time_us, text, sizeof text);
    return json_string (text);
}

static size_t
s_depth (const json_t *value)
{
    size_t deepest = 0;
    const char *key;
    json_t *member;
    size_t i;
    if (!json_is_object (value) && !json_is_array (value))
        return 0;
    if (json_is_object (value))
        json_object_foreach ((json_t *) value, key, member) {
            size_t depth = s_depth (member);
            deepest = depth > deepest? depth: deepest;
        }
    else
        json_array_foreach (value, i, member) {
            size_t depth = s_depth (member);
            deepest = depth > deepest? depth: deepest;
        }
    return deepest + 1;
}

json_t *
convert_escape (json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array (value)) {
        json_t *array = json_array ();
        json_array_foreach (value, i, member)
            json_array_append_new (array, convert_escape (json_incref (member)));
        json_decref (value);
        return array;
    }
    if (!json_is_object (value))
        return value;
    json_t *object = json_object ();
    json_object_foreach (value, key, member)
        json_object_set_new_nocheck (object, key, convert_escape (json_incref (member)));
    if (json_object_size (object) == 1) {
        key = json_object_iter_key (json_object_iter (object));
        if (key [0] == '$') {
            json_t *pair = json_pack ("[sO]", key, json_object_get (object, key));
            json_decref (object);
            object = json_pack ("{s[o]}", "$map", pair);
        }
    }
    json_decref (value);
    return object;
}

//  -- what is kept ---------------------------------------------------------------------

void
convert_keep (convert_t *self, const char *name, json_t *value)
{
    if (value && s_depth (value) > NESTING_KEPT) {
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
            //  A column may have the name of what was made
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
        convert_odd (self, "%zu records have this id: %s stands, another one is kept in migrated.duplicates",
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
    if (!inside) {
        json_object_set_new (event, "migrated", kept);
        return;
    }
    json_t *map = json_object_get (event, inside);
    if (!map) {
        map = json_object ();
        json_object_set_new (event, inside, map);
    }
    //  A map that had to be escaped has no room: then it goes into what is kept
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

//  The same as convert_take; which of the names it had is in 'name'
static json_t *
s_take (convert_t *self, const char *names, char name [64])
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
    return s_take (self, names, name);
}

char *
convert_text_of (const json_t *value)
{
    if (json_is_string (value))
        return strdup (json_string_value (value));
    if (json_is_integer (value) || json_is_real (value))
        return json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT);
    return NULL;
}

static char *
s_take_text (convert_t *self, const char *names, char name [64])
{
    json_t *value = s_take (self, names, name);
    char *text = convert_text_of (value);
    if (value && !text) {
        convert_odd (self, "%s is no text: kept in migrated.%s", name, name);
        convert_keep (self, name, json_incref (value));
    }
    json_decref (value);
    return text;
}

char *
convert_take_text (convert_t *self, const char *names)
{
    char name [64];
    return s_take_text (self, names, name);
}

//  Seconds, milliseconds or microseconds since the Unix epoch, by how large it is
static bool
s_epoch (double number, int64_t *time_us)
{
    double size = fabs (number);
    double scale = size < 1e11? 1e6: size < 1e14? 1e3: 1;
    *time_us = (int64_t) llround (number * scale);
    return size > 0 && size < 1e17;
}

bool
convert_read_time (const json_t *value, int64_t *time_us)
{
    if (json_is_number (value))
        return s_epoch (json_number_value (value), time_us);
    if (!json_is_string (value))
        return false;
    const char *text = json_string_value (value);
    char *zoned = NULL;
    if (stele_time_parse (text, strlen (text), time_us) == 0)
        return true;
    //  UTC without saying so; a date alone is its beginning
    if (asprintf (&zoned, "%s%sZ", text, strlen (text) == 10? " 00:00:00": "") < 0)
        abort ();
    bool read = stele_time_parse (zoned, strlen (zoned), time_us) == 0;
    free (zoned);
    return read;
}

bool
convert_take_time (convert_t *self, const char *names, int64_t *time_us)
{
    char name [64];
    json_t *value = s_take (self, names, name);
    if (!value)
        return false;
    bool read = convert_read_time (value, time_us);
    if (!read)
        convert_odd (self, "%s is no time: kept as it is in migrated.%s", name, name);
    else
    if (json_is_number (value))
        convert_odd (self, "%s is a number: taken for time since 1970, kept in migrated.%s", name, name);
    if (!read || json_is_number (value))
        convert_keep (self, name, json_incref (value));
    json_decref (value);
    return read;
}

//  -- words ----------------------------------------------------------------------------

static const struct { const char *word; stele_vocabulary_t vocabulary; int code; } s_guesses [] = {
    { "pending", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "new", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "created", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "waiting", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "retrying", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "initializing", STELE_VOCABULARY_TASK_STATE, STELE_TASK_STARTING },
    { "active", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "in_progress", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "processing", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "suspended", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED },
    { "blocked", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED },
    { "done", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "complete", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "completed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "success", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "succeeded", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "failure", STELE_VOCABULARY_TASK_STATE, STELE_TASK_FAILED },
    { "crashed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_ERROR },
    { "canceled", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "aborted", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "killed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "timed_out", STELE_VOCABULARY_TASK_STATE, STELE_TASK_TIMEOUT },
    { "active", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_RUNNING },
    { "ready", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_WAITING_INPUT },
    { "idle", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_WAITING_INPUT },
    { "failed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_ERROR },
    { "closed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_TERMINATED },
    { "killed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_TERMINATED },
    { "output", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_STDOUT },
    { "error", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_STDERR },
    { "file", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_ARTIFACT }
};

//  An enumeration is spelled like this in every row: once is enough
static void
s_say_spelling (convert_t *self, const char *name, const char *text, const char *word)
{
    char *key = NULL;
    if (asprintf (&key, "%s %s", self->table, text) < 0)
        abort ();
    if (!json_object_get (self->migrate->spellings, key)) {
        convert_odd (self, "%s '%s' is another spelling of %s: taken for it, here and in all records that follow",
            name, text, word);
        json_object_set_new_nocheck (self->migrate->spellings, key, json_true ());
    }
    free (key);
}

int
convert_take_word (convert_t *self, const char *names, stele_vocabulary_t vocabulary, int otherwise)
{
    char name [64];
    char *text = s_take_text (self, names, name);
    if (!text)
        return 0;
    //  RUNNING and TaskState.RUNNING are how an enumeration of Python may be stored
    char word [64];
    const char *dot = strrchr (text, '.');
    snprintf (word, sizeof word, "%s", dot? dot + 1: text);
    for (char *c = word; *c; c++)
        *c = *c == ' ' || *c == '-'? '_': (char) tolower ((unsigned char) *c);
    int code = stele_vocabulary_code (vocabulary, word, strlen (word));
    if (code == 0) {
        for (size_t i = 0; i < sizeof s_guesses / sizeof s_guesses [0] && !code; i++)
            if (s_guesses [i].vocabulary == vocabulary && strcmp (s_guesses [i].word, word) == 0)
                code = s_guesses [i].code;
        code = code? code: otherwise;
        convert_odd (self, "%s '%s' is not known: taken for %s, kept in migrated.%s",
            name, text, stele_vocabulary_word (vocabulary, code), name);
        convert_keep (self, name, json_string (text));
    }
    else
    if (strcmp (text, stele_vocabulary_word (vocabulary, code)) != 0)
        s_say_spelling (self, name, text, stele_vocabulary_word (vocabulary, code));
    free (text);
    return code;
}

//  -- fields ---------------------------------------------------------------------------

//  Text that is longer than the field may be is cut where a character begins. NULL: it is none.
static json_t *
s_fit_text (convert_t *self, const char *field, stele_kind_t kind, size_t limit, json_t *value)
{
    if (!json_is_string (value)) {
        char *digits = convert_text_of (value);
        if (!digits) {
            convert_odd (self, "%s is no text: kept in migrated.%s", field, field);
            convert_keep (self, field, value);
            return NULL;
        }
        //  An id is a number as often as not
        if (kind != STELE_KIND_ID)
            convert_odd (self, "%s is a number: its digits are taken as text", field);
        json_decref (value);
        value = json_string (digits);
        free (digits);
    }
    size_t size = json_string_length (value);
    if (size <= limit)
        return value;
    const char *text = json_string_value (value);
    size = limit;
    while (size && ((unsigned char) text [size] & 0xC0) == 0x80)
        size--;
    convert_odd (self, "%s has %zu bytes, the limit is %zu: cut, whole in migrated.%s",
        field, json_string_length (value), limit, field);
    json_t *cut = json_stringn_nocheck (text, size);
    convert_keep (self, field, value);
    return cut;
}

//  A map as text of JSON, or what takes its place
static json_t *
s_fit_map (convert_t *self, const char *field, size_t limit, json_t *value)
{
    const char *text = json_string_value (value);
    size_t words = 0;
    json_t *parsed = text? convert_parse (text, json_string_length (value), JSON_DECODE_ANY | JSON_ALLOW_NUL, &words): NULL;
    if (text && !*text)
        parsed = json_null ();
    if (!parsed || s_depth (parsed) > NESTING_KEPT || json_string_length (value) > limit / 2) {
        convert_odd (self, "%s is no JSON that fits: kept as text in migrated.%s", field, field);
        convert_keep (self, field, value);
        json_decref (parsed);
        return NULL;
    }
    convert_say_words (self, field, words);
    json_decref (value);
    if (json_is_null (parsed)) {
        json_decref (parsed);
        return NULL;
    }
    if (!json_is_object (parsed)) {
        const char *key = json_is_array (parsed)? "items": "value";
        convert_odd (self, "%s is not a map: it became one with the key %s", field, key);
        parsed = json_pack ("{so}", key, parsed);
    }
    return convert_escape (parsed);
}

static json_t *
s_fit_number (convert_t *self, const char *field, stele_kind_t kind, json_t *value)
{
    json_t *number = json_incref (value);
    if (json_is_string (value)) {
        json_decref (number);
        number = json_loads (json_string_value (value), JSON_DECODE_ANY, NULL);
    }
    bool fits = json_is_number (number);
    if (fits && kind != STELE_KIND_NUMBER && json_is_real (number)) {
        double real = json_real_value (number);
        fits = real == floor (real) && fabs (real) < 9e15;
        if (fits) {
            json_decref (number);
            number = json_integer ((json_int_t) real);
        }
    }
    if (fits && kind == STELE_KIND_NATURAL)
        fits = json_integer_value (number) >= 0;
    if (fits) {
        json_decref (value);
        return number;
    }
    convert_odd (self, "%s is no number that fits: kept in migrated.%s", field, field);
    convert_keep (self, field, value);
    json_decref (number);
    return NULL;
}

static json_t *
s_fit_bool (convert_t *self, const char *field, json_t *value)
{
    char *text = convert_text_of (value);
    int truth = json_is_boolean (value)? json_is_true (value): -1;
    static const char *const words [] = { "0", "1", "false", "true", "no", "yes", "f", "t" };
    for (int i = 0; text && i < 8; i++)
        if (strcasecmp (text, words [i]) == 0)
            truth = i % 2;
    free (text);
    if (truth >= 0) {
        json_decref (value);
        return json_boolean (truth);
    }
    convert_odd (self, "%s is neither true nor false: kept in migrated.%s", field, field);
    convert_keep (self, field, value);
    return NULL;
}

bool
convert_take_field (convert_t *self, json_t *event, const char *field, const char *names)
{
    char name [64];                 // What is said and kept goes by the name in the source
    json_t *value = s_take (self, names, name);
    if (!value)
        return false;
    stele_field_t known = stele_field_find (field, strlen (field));
    assert (known != STELE_FIELD_NONE);
    stele_kind_t kind = stele_field_kind (known);
    size_t limit = stele_field_limit (known);
    switch (kind) {
        case STELE_KIND_MAP:
            value = s_fit_map (self, name, limit, value);
            break;
        case STELE_KIND_BOOL:
            value = s_fit_bool (self, name, value);
            break;
        case STELE_KIND_NATURAL:
        case STELE_KIND_INTEGER:
        case STELE_KIND_NUMBER:
            value = s_fit_number (self, name, kind, value);
            break;
        case STELE_KIND_CONTENT:
            //  Bytes stay bytes
            if (!json_object_get (value, "$bin"))
                value = s_fit_text (self, name, kind, limit, value);
            break;
        default:
            value = s_fit_text (self, name, kind, limit, value);
            if (value && kind == STELE_KIND_ID && json_string_length (value) == 0) {
                json_decref (value);
                value = NULL;
            }
            break;
    }
    if (value)
        json_object_set_new (event, field, value);
    return value != NULL;
}

//  Is the name one of those, separated by spaces?
static bool
s_is_one_of (const char *name, const char *names)
{
    char one [64];
    while (convert_next_name (&names, one))
        if (strcmp (one, name) == 0)
            return true;
    return false;
}

bool
convert_take_error (convert_t *self, json_t *event, const char *names)
{
    //  Were it taken as it is, an empty text would count as an error, and be the last one
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe (self->columns, next, key, value)
        if (json_is_string (value) && json_string_length (value) == 0 && s_is_one_of (key, names))
            json_object_del (self->columns, key);
    return convert_take_field (self, event, "error_message", names);
}

//  -- events ---------------------------------------------------------------------------

json_t *
convert_event (const char *type, int64_t time_us, const char *id_field, const char *id)
{
    json_t *event = json_object ();
    json_object_set_new (event, "type", json_string (type));
    if (time_us)
        json_object_set_new (event, "time", convert_time (time_us));
    if (id_field)
        json_object_set_new (event, id_field, json_string (id));
    return event;
}

void
convert_emit (convert_t *self, int64_t order, json_t *json)
{
    char error [256] = "it is no JSON";
    char *text = json_dumps (json, JSON_COMPACT);
    size_t size = text? strlen (text): 0;
    stele_event_t *event = text? stele_event_from_json (text, size, error, sizeof error): NULL;
    if (!event || stele_event_check (event, error, sizeof error)) {
        //  Records are counted, and what all events of one have in common is said once
        if (!*self->failure)
            self->migrate->counts.failed++;
        if (strcmp (self->failure, error) != 0)
            convert_odd (self, "cannot be published: %s", error);
        snprintf (self->failure, sizeof self->failure, "%s", error);
    }
    else {
        stele_event_sort_add (self->migrate->spool, order, text, size);
        self->migrate->counts.events++;
    }
    stele_event_destroy (&event);
    free (text);
    json_decref (json);
}
