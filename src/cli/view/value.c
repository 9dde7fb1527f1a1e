/*  value - fields of an answer as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/view/value.h"
#include "cli/terminal/format.h"
#include "wire/base64.h"
#include "wire/time.h"

const char *
cli_value_string (const json_t *record, const char *key)
{
    return json_string_value (json_object_get (record, key));
}

bool
cli_value_time (const json_t *record, const char *key, int64_t *time_us)
{
    const json_t *value = json_object_get (record, key);
    if (json_is_integer (value)) {
        *time_us = json_integer_value (value);
        return true;
    }
    return json_is_string (value) && stele_time_parse (json_string_value (value), json_string_length (value), time_us) == 0;
}

/*  -- numbers ---------------------------------------------------------------- */

//  The text of a number that JSON lacks, NULL if it is none
static const char *
s_wrapped_number (const json_t *value)
{
    if (json_object_size (value) != 1)
        return NULL;
    const char *text = cli_value_string (value, "$uint");
    return text? text: cli_value_string (value, "$float");
}

bool
cli_value_number (const json_t *value, double *number)
{
    const char *wrapped = s_wrapped_number (value);
    if (!wrapped && !json_is_number (value))
        return false;
    *number = wrapped? strtod (wrapped, NULL): json_number_value (value);
    return true;
}

cli_short_t
cli_value_number_text (const json_t *value)
{
    cli_short_t self = { "" };
    const char *wrapped = s_wrapped_number (value);
    if (wrapped)
        snprintf (self.text, sizeof self.text, "%s", wrapped);
    else
    if (json_is_integer (value))
        snprintf (self.text, sizeof self.text, "%" PRId64, (int64_t) json_integer_value (value));
    else
    if (json_is_real (value))
        self = cli_format_real (json_real_value (value));
    return self;
}

static bool
s_reads_back (const json_t *value)
{
    size_t i;
    const char *key;
    json_t *item;
    if (json_is_real (value)) {
        char text [40];
        snprintf (text, sizeof text, "%.15g", json_real_value (value));
        return strtod (text, NULL) == json_real_value (value);
    }
    json_array_foreach (value, i, item)
        if (!s_reads_back (item))
            return false;
    json_object_foreach ((json_t *) value, key, item)
        if (!s_reads_back (item))
            return false;
    return true;
}

size_t
cli_value_precision (const json_t *value)
{
    return JSON_REAL_PRECISION (s_reads_back (value)? 15: 17);
}

/*  -- content ---------------------------------------------------------------- */

//  The base64 of bytes, NULL if the value is not bytes
static const json_t *
s_bytes (const json_t *value)
{
    const json_t *base64 = json_object_size (value) == 1? json_object_get (value, "$bin"): NULL;
    return json_is_string (base64)? base64: NULL;
}

bool
cli_value_is_bytes (const json_t *value)
{
    return s_bytes (value) != NULL;
}

char *
cli_value_content (const json_t *value, size_t *size)
{
    const json_t *base64 = s_bytes (value);
    if (base64) {
        char *bytes = stele_memory_new (json_string_length (base64) + 1);
        ptrdiff_t count = stele_base64_decode (json_string_value (base64), json_string_length (base64), bytes);
        *size = count < 0? 0: (size_t) count;
        bytes [*size] = 0;
        return bytes;
    }
    if (!json_is_string (value))
        return NULL;
    *size = json_string_length (value);
    return stele_memory_copy (json_string_value (value), *size);
}

/*  -- text ------------------------------------------------------------------- */

static char *
s_copy (const char *text, size_t *size)
{
    *size = strlen (text);
    return stele_memory_copy (text, *size);
}

static bool
s_ends_with (const char *key, const char *end)
{
    size_t size = strlen (key), end_size = strlen (end);
    return size >= end_size && strcmp (key + size - end_size, end) == 0;
}

//  Digits in groups of three
static cli_short_t
s_grouped (const json_t *value)
{
    const char *wrapped = s_wrapped_number (value);
    return wrapped? cli_format_digits (wrapped): cli_format_count (json_integer_value (value));
}

//  A number with the unit that its key names
static cli_short_t
s_number (const char *key, const json_t *value)
{
    static const struct { const char *end; double us; } durations [] = {
        { "_us", 1 }, { "_ms", 1000 }, { "_s", 1000000 }, { "seconds", 1000000 }
    };
    double number = 0;
    cli_value_number (value, &number);
    if (strcmp (key, "consistent") == 0)
        return cli_format_share (number);
    for (size_t i = 0; i < sizeof durations / sizeof durations [0]; i++)
        if (s_ends_with (key, durations [i].end))
            return cli_format_duration_real (number * durations [i].us);
    if (json_is_real (value) && number > 1000 && number < 9e15)
        return cli_format_count ((int64_t) (number + 0.5));
    if (json_is_real (value) && number > -1000 && number <= 1000) {
        cli_short_t self;
        snprintf (self.text, sizeof self.text, "%.4g", number);
        return self;
    }
    bool is_whole = json_is_integer (value) || json_object_get (value, "$uint");
    if (!is_whole)
        return cli_value_number_text (value);
    if (json_is_integer (value) && (s_ends_with (key, "bytes") || s_ends_with (key, "_size")
    || strcmp (key, "wal_limit") == 0))
        return cli_format_size (json_integer_value (value));
    if (s_ends_with (key, "pid") || s_ends_with (key, "exit_code") || s_ends_with (key, "protocol"))
        return cli_value_number_text (value);
    return s_grouped (value);
}

char *
cli_value_text (const char *key, const json_t *value, size_t *size)
{
    int64_t time_us;
    if (json_is_string (value)) {
        if (stele_time_parse (json_string_value (value), json_string_length (value), &time_us) == 0)
            return s_copy (cli_format_time (time_us).text, size);
        return cli_value_content (value, size);
    }
    if (s_bytes (value)) {
        char note [80];
        free (cli_value_content (value, size));
        snprintf (note, sizeof note, "(%s of binary data)", cli_format_size ((int64_t) *size).text);
        return s_copy (note, size);
    }
    if (json_is_number (value) || s_wrapped_number (value))
        return s_copy (s_number (key, value).text, size);
    if (json_is_boolean (value))
        return s_copy (json_is_true (value)? "yes": "no", size);
    if (!value || json_is_null (value))
        return s_copy ("", size);
    char *text = json_dumps (value, JSON_ENCODE_ANY | cli_value_precision (value));
    assert (text);
    *size = strlen (text);
    return text;
}

void
cli_value_join (json_t *record, const char *key)
{
    const json_t *words = json_object_get (record, key);
    json_t *text = json_string ("");
    for (size_t i = 0; i < json_array_size (words); i++) {
        json_t *longer = json_sprintf ("%s%s%s", json_string_value (text), i? " ": "",
            json_string_value (json_array_get (words, i)));
        json_decref (text);
        text = longer;
    }
    if (words)
        json_object_set (record, key, text);
    json_decref (text);
}
