/*  csv - records as lines of RFC 4180

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "cli/files/csv.h"
#include "cli/files/rows.h"

#define ENCODING "_encoding"

static void
s_field (FILE *file, const char *text, size_t size)
{
    bool plain = size > 0;
    for (size_t i = 0; i < size && plain; i++)
        plain = !strchr (",\"\r\n", text [i]) || !text [i];
    if (plain) {
        fwrite (text, 1, size, file);
        return;
    }
    putc ('"', file);
    for (size_t start = 0; start < size; ) {
        const char *quote = memchr (text + start, '"', size - start);
        size_t end = quote? (size_t) (quote + 1 - text): size;
        fwrite (text + start, 1, end - start, file);
        if (quote)
            putc ('"', file);
        start = end;
    }
    putc ('"', file);
}

//  Does a spreadsheet take the text for a formula?
static bool
s_is_formula (const char *text, size_t size)
{
    return size > 0 && text [0] && strchr ("=+-@\t\r", text [0]);
}

static void
s_text (FILE *file, bool spreadsheet, const json_t *value)
{
    const char *text = json_string_value (value);
    size_t size = json_string_length (value);
    if (!spreadsheet || !s_is_formula (text, size)) {
        s_field (file, text, size);
        return;
    }
    char *harmless = malloc (size + 1);
    assert (harmless);
    harmless [0] = '\'';
    memcpy (harmless + 1, text, size);
    s_field (file, harmless, size + 1);
    free (harmless);
}

static void
s_json (FILE *file, const json_t *value)
{
    char *text = json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    assert (text);
    s_field (file, text, strlen (text));
    free (text);
}

//  Base64 of a value that is bytes: {"$bin":"..."}; otherwise NULL
static const json_t *
s_bytes (const json_t *value)
{
    return json_object_size (value) == 1? json_object_get (value, "$bin"): NULL;
}

//  The text of a value that plain JSON cannot hold
static const json_t *
s_unwrap (const json_t *value)
{
    static const char *const keys [] = { "$bin", "$uint", "$float" };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0] && json_object_size (value) == 1; i++)
        if (json_is_string (json_object_get (value, keys [i])))
            return json_object_get (value, keys [i]);
    return value;
}

static void
s_value (FILE *file, bool spreadsheet, const char *row, size_t size, const json_t *record, const char *key)
{
    const json_t *whole = json_object_get (record, key), *value = s_unwrap (whole);
    const char *member;
    size_t member_size;
    if (json_is_string (value))
        s_text (file, spreadsheet && value == whole, value);
    else
    if (value && !json_is_null (value) && cli_rows_value (row, size, key, &member, &member_size))
        s_field (file, member, member_size);
}

static bool
s_is_encoding (const char *column)
{
    size_t size = strlen (column);
    return size > strlen (ENCODING) && strcmp (column + size - strlen (ENCODING), ENCODING) == 0;
}

//  The value that a column NAME_encoding describes
static const json_t *
s_encoded (const json_t *record, const char *column)
{
    char name [64];
    snprintf (name, sizeof name, "%.*s", (int) (strlen (column) - strlen (ENCODING)), column);
    return json_object_get (record, name);
}

static void
s_extra (FILE *file, cli_csv_columns_t columns, json_t *record)
{
    json_t *extra = json_copy (record);
    for (size_t i = 0; columns [i]; i++)
        if (strcmp (columns [i], "extra") != 0 && !s_is_encoding (columns [i]))
            json_object_del (extra, columns [i]);
    if (json_object_size (extra))
        s_json (file, extra);
    json_decref (extra);
}

void
cli_csv_header (FILE *file, cli_csv_columns_t columns)
{
    for (size_t i = 0; columns [i]; i++)
        fprintf (file, "%s%s", i? ",": "", columns [i]);
    fputs ("\r\n", file);
}

void
cli_csv_row (FILE *file, cli_csv_columns_t columns, bool spreadsheet, const char *row, size_t size, json_t *record)
{
    for (size_t i = 0; columns [i]; i++) {
        if (i)
            putc (',', file);
        if (strcmp (columns [i], "extra") == 0)
            s_extra (file, columns, record);
        else
        if (!s_is_encoding (columns [i]))
            s_value (file, spreadsheet, row, size, record, columns [i]);
        else
        if (s_bytes (s_encoded (record, columns [i])))
            fputs ("base64", file);
    }
    fputs ("\r\n", file);
}
