/*  value - fields of an answer as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/value.h"
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

/*  -- content ---------------------------------------------------------------- */

/*  The base64 of bytes, NULL where the value is not bytes                   */
static const json_t *
s_bytes (const json_t *value)
{
    const json_t *base64 = json_object_size (value) == 1? json_object_get (value, "$bin"): NULL;
    return json_is_string (base64)? base64: NULL;
}

char *
cli_value_content (const json_t *value, size_t *size)
{
    const json_t *base64 = s_bytes (value);
    if (base64) {
        char *bytes = malloc (json_string_length (base64) + 1);
        assert (bytes);
        ptrdiff_t count = stele_base64_decode (json_string_value (base64), json_string_length (base64), bytes);
        *size = count < 0? 0: (size_t) count;
        bytes [*size] = 0;
        return bytes;
    }
    if (!json_is_string (value))
        return NULL;
    *size = json_string_length (value);
    char *text = malloc (*size + 1);
    assert (text);
    memcpy (text, json_string_value (value), *size + 1);
    return text;
}

/*  -- text ------------------------------------------------------------------- */

static char *
s_copy (const char *text, size_t *size)
{
    char *copy = strdup (text);
    assert (copy);
    *size = strlen (copy);
    return copy;
}

static bool
s_ends_with (const char *key, const char *end)
{
    size_t size = strlen (key), end_size = strlen (end);
    return size >= end_size && strcmp (key + size - end_size, end) == 0;
}

/*  A number by the unit in the name of its key                              */
static cli_short_t
s_number (const char *key, const json_t *value)
{
    static const struct { const char *end; double us; } durations [] = {
        { "_us", 1 }, { "_ms", 1000 }, { "_s", 1000000 }, { "seconds", 1000000 }
    };
    double number = json_number_value (value);
    for (size_t i = 0; i < sizeof durations / sizeof durations [0]; i++)
        if (s_ends_with (key, durations [i].end) && number > -9e12 && number < 9e12)
            return cli_format_duration ((int64_t) (number * durations [i].us));
    if (json_is_real (value) && number > 1000 && number < 9e15)
        return cli_format_count ((int64_t) (number + 0.5));
    if (json_is_real (value)) {
        cli_short_t real;
        snprintf (real.text, sizeof real.text, "%.4g", number);
        return real;
    }
    if (s_ends_with (key, "bytes") || s_ends_with (key, "_size"))
        return cli_format_size (json_integer_value (value));
    if (s_ends_with (key, "pid") || s_ends_with (key, "exit_code") || s_ends_with (key, "protocol")) {
        cli_short_t plain;
        snprintf (plain.text, sizeof plain.text, "%" PRId64, (int64_t) json_integer_value (value));
        return plain;
    }
    return cli_format_count (json_integer_value (value));
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
        snprintf (note, sizeof note, "(%s of bytes)", cli_format_size ((int64_t) *size).text);
        return s_copy (note, size);
    }
    if (json_is_number (value))
        return s_copy (s_number (key, value).text, size);
    if (json_is_boolean (value))
        return s_copy (json_is_true (value)? "yes": "no", size);
    if (!value || json_is_null (value))
        return s_copy ("", size);
    char *text = json_dumps (value, JSON_ENCODE_ANY | JSON_REAL_PRECISION (15));
    assert (text);
    *size = strlen (text);
    return text;
}

/*  -- cells of a table ----------------------------------------------------------- */

void
cli_cell (cli_table_t *table, const json_t *record, const char *key)
{
    const json_t *value = json_object_get (record, key);
    if (json_is_integer (value)) {
        char number [24];
        snprintf (number, sizeof number, "%" PRId64, (int64_t) json_integer_value (value));
        cli_table_word (table, number);
    }
    else
    if (json_is_real (value))
        cli_table_word (table, cli_format_real (json_real_value (value)).text);
    else {
        size_t size;
        char *text = cli_value_text (key, value, &size);
        cli_table_text (table, text, size);
        free (text);
    }
}

void
cli_cell_time (cli_table_t *table, const json_t *record, const char *key)
{
    int64_t time_us;
    if (cli_value_time (record, key, &time_us))
        cli_table_word (table, cli_format_time (time_us).text);
    else
        cli_table_word (table, NULL);
}

void
cli_cell_state (cli_table_t *table, const json_t *record, const char *key)
{
    const char *state = cli_value_string (record, key);
    cli_table_colour (table, cli_style_state (state? state: ""), state);
}

void
cli_cell_duration (cli_table_t *table, int64_t duration_us)
{
    cli_table_word (table, cli_format_duration (duration_us).text);
}

void
cli_cell_preview (cli_table_t *table, const json_t *record, const char *key)
{
    size_t size;
    const json_t *value = json_object_get (record, key);
    char *content = s_bytes (value)? NULL: cli_value_content (value, &size);
    if (!content) {
        cli_table_word (table, s_bytes (value)? "(bytes)": NULL);
        return;
    }
    const char *text = content;
    while (size && strchr (" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    const char *end = memchr (text, '\n', size);
    if (end)
        size = (size_t) (end - text);
    while (size && (text [size - 1] == '\r' || text [size - 1] == ' '))
        size--;
    cli_table_text (table, text, size);
    free (content);
}

void
cli_cell_content_size (cli_table_t *table, const json_t *record, const char *key)
{
    size_t size;
    char *content = cli_value_content (json_object_get (record, key), &size);
    cli_table_word (table, content? cli_format_size ((int64_t) size).text: NULL);
    free (content);
}
