/*  cell - fields of an answer as cells of a table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/clock.h"
#include "cli/shared/cell.h"
#include "cli/shared/value.h"

void
cli_cell (cli_table_t *table, const json_t *record, const char *key)
{
    const json_t *value = json_object_get (record, key);
    double number;
    if (cli_value_number (value, &number))
        cli_table_word (table, cli_value_number_text (value).text);
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
cli_cell_age (cli_table_t *table, const json_t *record, const char *key)
{
    int64_t time_us, now_us = stele_clock_us ();
    //  A time of a clock that is ahead is no age
    if (cli_value_time (record, key, &time_us) && time_us <= now_us)
        cli_table_word (table, cli_format_age (now_us - time_us).text);
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

//  Size without the white space at the end
static size_t
s_without_end (const char *text, size_t size)
{
    while (size && text [size - 1] && strchr (" \t\r\n", text [size - 1]))
        size--;
    return size;
}

//  The first of several lines
static void
s_first_line (cli_table_t *table, const char *text, size_t size)
{
    static const char more [] = " \xe2\x80\xa6";
    char *line = stele_memory_new (size + sizeof more);
    memcpy (line, text, size);
    memcpy (line + size, more, sizeof more);
    cli_table_text (table, line, size + sizeof more - 1);
    free (line);
}

void
cli_cell_preview (cli_table_t *table, const json_t *record, const char *key)
{
    size_t size;
    const json_t *value = json_object_get (record, key);
    char *content = cli_value_is_bytes (value)? NULL: cli_value_content (value, &size);
    if (!content) {
        cli_table_word (table, cli_value_is_bytes (value)? "(binary)": NULL);
        return;
    }
    const char *text = content;
    while (size && strchr (" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    size = s_without_end (text, size);
    const char *end = memchr (text, '\n', size);
    if (end)
        s_first_line (table, text, s_without_end (text, (size_t) (end - text)));
    else
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
