/*  convert_value - JSON values and times of an earlier system, in the form of the protocol

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/convert.h"
#include "wire/base64.h"
#include "wire/scan.h"
#include "wire/time.h"

json_t *
convert_bytes (const void *text, size_t size)
{
    char *base64 = stele_memory_new (STELE_BASE64_SIZE (size) + 1);
    stele_base64_encode (text, size, base64);
    json_t *bytes = json_pack ("{ss}", "$bin", base64);
    free (base64);
    return bytes;
}

json_t *
convert_text (const char *text, size_t size)
{
    return stele_utf8_valid (text, size)? json_stringn_nocheck (text, size): convert_bytes (text, size);
}

//  Length of the bare word that begins here and is not JSON; 0: none
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
    //  Two quotes around a word of at least three letters
    char *quoted = stele_memory_new (size * 2 + 1);
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

json_t *
convert_time (int64_t time_us)
{
    char text [64];
    stele_time_print (time_us, text, sizeof text);
    return json_string (text);
}

size_t
convert_depth (const json_t *value)
{
    size_t deepest = 0;
    const char *key;
    json_t *member;
    size_t i;
    if (!json_is_object (value) && !json_is_array (value))
        return 0;
    if (json_is_object (value))
        json_object_foreach ((json_t *) value, key, member) {
            size_t depth = convert_depth (member);
            deepest = depth > deepest? depth: deepest;
        }
    else
        json_array_foreach (value, i, member) {
            size_t depth = convert_depth (member);
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

char *
convert_text_of (const json_t *value)
{
    if (json_is_string (value))
        return stele_memory_copy (json_string_value (value), strlen (json_string_value (value)));
    if (json_is_integer (value) || json_is_real (value))
        return json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT);
    return NULL;
}

//  Seconds, milliseconds or microseconds since the Unix epoch, by their magnitude
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
    //  Without a zone it is UTC; a date alone is its midnight
    if (asprintf (&zoned, "%s%sZ", text, strlen (text) == 10? " 00:00:00": "") < 0)
        abort ();
    bool read = stele_time_parse (zoned, strlen (zoned), time_us) == 0;
    free (zoned);
    return read;
}

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
