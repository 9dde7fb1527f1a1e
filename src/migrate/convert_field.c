/*  convert_field - a column as the field of an event, by the field's kind and limit

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "migrate/convert.h"
#include "model/field.h"

#define KEPT_WHOLE_BYTES 65536      // Up to this size a text that was cut is also kept whole

//  Text of a value of another type; NULL: none, and the value is kept. Takes the value
static json_t *
s_make_text (convert_t *self, const char *field, stele_kind_t kind, json_t *value)
{
    char *digits = convert_text_of (value);
    json_t *text = NULL;
    size_t size;
    char *raw = json_is_object (value)? convert_raw (value, &size): NULL;
    if (raw) {
        text = convert_repair (raw, size);
        bool same = json_string_length (text) == size && memcmp (json_string_value (text), raw, size) == 0;
        convert_report (self, same? "%s is bytes: read as UTF-8": "%s is not valid UTF-8: imported with U+FFFD in place of "
            "the wrong bytes, the original is kept in migrated.%s", field, field);
        convert_keep (self, field, same? NULL: json_incref (value));
    }
    else
    if (digits) {
        //  Numeric ids are common
        if (kind != STELE_KIND_ID)
            convert_report (self, "%s is a number: its digits are imported as text", field);
        text = json_string (digits);
    }
    else {
        convert_report (self, "%s is not text: kept in migrated.%s", field, field);
        convert_keep (self, field, json_incref (value));
    }
    free (raw);
    free (digits);
    json_decref (value);
    return text;
}

//  Bytes, cut if they are longer than the limit. Base64 has 4 characters for 3 bytes
static json_t *
s_fit_bytes (convert_t *self, const char *field, size_t limit, json_t *value)
{
    const char *text = json_string_value (json_object_get (value, "$bin"));
    size_t most = limit / 3 * 4;
    if (strlen (text) <= most || !self->has_outputs)
        return value;
    convert_report (self, "%s is longer than its limit of %zu bytes: cut, the rest becomes an output", field, limit);
    convert_add_rest (self, field, json_pack ("{ss}", "$bin", text + most));
    json_t *cut = json_pack ("{ss%}", "$bin", text, most);
    json_decref (value);
    return cut;
}

//  Text, cut at a character boundary if it is longer than the limit. NULL: not text.
static json_t *
s_fit_text (convert_t *self, const char *field, stele_kind_t kind, size_t limit, json_t *value)
{
    if (!json_is_string (value))
        value = s_make_text (self, field, kind, value);
    size_t size = json_string_length (value);
    if (!value || size <= limit)
        return value;
    const char *text = json_string_value (value);
    size_t most = limit;
    while (most && ((unsigned char) text [most] & 0xC0) == 0x80)
        most--;
    json_t *cut = json_stringn_nocheck (text, most);
    convert_report (self, self->has_outputs? "%s is longer than its limit of %zu bytes: cut, the rest becomes an output":
        "%s is longer than its limit of %zu bytes: cut, complete in migrated.%s", field, limit, field);
    if (self->has_outputs)
        convert_add_rest (self, field, json_stringn_nocheck (text + most, size - most));
    if (!self->has_outputs || size <= KEPT_WHOLE_BYTES)
        convert_keep (self, field, json_incref (value));
    json_decref (value);
    return cut;
}

//  The map in a JSON text; other JSON values are wrapped in one
static json_t *
s_fit_map (convert_t *self, const char *field, size_t limit, json_t *value)
{
    const char *text = json_string_value (value);
    convert_repairs_t repairs = { 0 };
    json_t *parsed = text?
        convert_parse (text, json_string_length (value), JSON_DECODE_ANY | JSON_ALLOW_NUL, &repairs): NULL;
    if (text && !*text)
        parsed = json_null ();
    //  Some room for what is kept under "migrated"
    size_t room = limit - KEPT_WHOLE_BYTES;
    if (!parsed || convert_depth (parsed) > CONVERT_NESTING || json_dumpb (parsed, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) > room) {
        convert_report (self, "%s is not JSON, or too large or deep: kept as text in migrated.%s", field, field);
        convert_keep (self, field, value);
        json_decref (parsed);
        return NULL;
    }
    convert_report_repairs (self, field, &repairs);
    if (repairs.characters)
        convert_keep (self, field, json_incref (value));
    json_decref (value);
    if (json_is_null (parsed)) {
        json_decref (parsed);
        return NULL;
    }
    if (!json_is_object (parsed)) {
        const char *key = json_is_array (parsed)? "items": "value";
        convert_report (self, "%s is not a map: wrapped in one with the key %s", field, key);
        parsed = json_pack ("{so}", key, parsed);
    }
    return convert_escape (parsed);
}

json_t *
convert_float (const json_t *value)
{
    const char *word = json_string_value (json_is_object (value)? json_object_get (value, "$float"): value);
    static const char *const words [] [2] = {
        { "nan", "NaN" }, { "inf", "Infinity" }, { "infinity", "Infinity" }, { "+inf", "Infinity" },
        { "-inf", "-Infinity" }, { "-infinity", "-Infinity" }
    };
    for (size_t i = 0; word && i < sizeof words / sizeof words [0]; i++)
        if (strcasecmp (word, words [i] [0]) == 0)
            return json_pack ("{ss}", "$float", words [i] [1]);
    return NULL;
}

static json_t *
s_fit_number (convert_t *self, const char *field, stele_kind_t kind, json_t *value)
{
    json_t *number = kind == STELE_KIND_NUMBER? convert_float (value): NULL;
    if (number) {
        json_decref (value);
        return number;
    }
    number = json_incref (value);
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
    convert_report (self, "%s is not a number in the range of the field: kept in migrated.%s", field, field);
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
    convert_report (self, "%s is neither true nor false: kept in migrated.%s", field, field);
    convert_keep (self, field, value);
    return NULL;
}

bool
convert_take_field (convert_t *self, json_t *event, const char *field, const char *names)
{
    char name [64];                 // In the source; used in reports and for kept values
    json_t *value = convert_take_as (self, names, name);
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
            //  Bytes remain bytes
            if (json_object_get (value, "$bin"))
                value = s_fit_bytes (self, name, limit, value);
            else
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

//  Is the name one of 'names', separated by spaces?
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
    //  An empty text would count as an error, and become last_error
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe (self->columns, next, key, value)
        if (json_is_string (value) && json_string_length (value) == 0 && s_is_one_of (key, names))
            json_object_del (self->columns, key);
    return convert_take_field (self, event, "error_message", names);
}
