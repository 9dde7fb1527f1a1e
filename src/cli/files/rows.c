/*  rows - the rows of an answer, as raw JSON text

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/files/rows.h"

//  The end of the string that starts at 'text'
static const char *
s_skip_string (const char *text)
{
    for (text++; *text && *text != '"'; text++)
        if (*text == '\\' && text [1])
            text++;
    return *text? text + 1: text;
}

//  The end of the value that starts at 'text': a comma, or a bracket that closes its parent
static const char *
s_skip_value (const char *text)
{
    int depth = 0;
    while (*text) {
        if (*text == '"') {
            text = s_skip_string (text);
            continue;
        }
        if (*text == '{' || *text == '[')
            depth++;
        else
        if (*text == '}' || *text == ']') {
            if (depth == 0)
                return text;
            depth--;
        }
        else
        if (*text == ',' && depth == 0)
            return text;
        text++;
    }
    return text;
}

static bool
s_key_is (const char *text, const char *key)
{
    size_t size = strlen (key);
    return *text == '"' && strncmp (text + 1, key, size) == 0
        && text [1 + size] == '"' && text [2 + size] == ':';
}

//  The member of the object that starts at 'object'; NULL: there is none
static const char *
s_member (const char *object, const char *key)
{
    const char *text = object + 1;
    while (*text == '"') {
        if (s_key_is (text, key))
            return text;
        text = s_skip_string (text);
        text = s_skip_value (*text? text + 1: text);
        if (*text == ',')
            text++;
    }
    return NULL;
}

cli_rows_t
cli_rows_start (const char *answer, const char *key)
{
    const char *member = *answer == '{'? s_member (answer, key): NULL;
    if (!member)
        return (cli_rows_t) { "", false };
    const char *array = s_skip_string (member) + 1;
    return (cli_rows_t) { *array == '['? array + 1: "", *array == '[' };
}

bool
cli_rows_next (cli_rows_t *self, const char **row, size_t *size)
{
    if (!self->inside || *self->next != '{')
        return false;
    const char *end = s_skip_value (self->next);
    *row = self->next;
    *size = (size_t) (end - self->next);
    self->next = *end == ','? end + 1: end;
    self->inside = *end == ',';
    return true;
}

bool
cli_rows_member (const char *row, size_t size, const char *key,
    const char **member, size_t *member_size)
{
    const char *start = s_member (row, key);
    if (!start || start >= row + size)
        return false;
    const char *end = s_skip_value (s_skip_string (start) + 1);
    if (*end == ',')
        end++;                      // The comma that follows it,
    else
    if (start [-1] == ',')
        start--;                    // or the comma before it, if it is the last
    *member = start;
    *member_size = (size_t) (end - start);
    return true;
}

bool
cli_rows_value (const char *row, size_t size, const char *key,
    const char **value, size_t *value_size)
{
    const char *start = s_member (row, key);
    if (!start || start >= row + size)
        return false;
    *value = s_skip_string (start) + 1;
    *value_size = (size_t) (s_skip_value (*value) - *value);
    return true;
}
