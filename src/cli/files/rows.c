/*  rows - the rows of an answer, as raw JSON text

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/files/rows.h"
#include "wire/json/json_skip.h"

static bool
s_key_is (const char *text, const char *key)
{
    size_t size = strlen (key);
    return *text == '"' && strncmp (text + 1, key, size) == 0
        && text [1 + size] == '"' && text [2 + size] == ':';
}

//  The value of the member whose name starts at 'name'; NULL: it has none
static const char *
s_value (const char *name, const char *end)
{
    const char *colon = stele_json_skip_string (name, end);
    return colon && colon + 1 < end? colon + 1: NULL;
}

//  The member of the object that starts at 'object'; NULL: there is none
static const char *
s_member (const char *object, const char *end, const char *key)
{
    const char *text = object + 1;
    while (text && text < end && *text == '"') {
        if (s_key_is (text, key))
            return text;
        text = s_value (text, end);
        text = text? stele_json_skip_value (text, end): NULL;
        if (text && text < end && *text == ',')
            text++;
    }
    return NULL;
}

cli_rows_t
cli_rows_start (const char *answer, const char *key)
{
    const char *end = answer + strlen (answer);
    const char *member = *answer == '{'? s_member (answer, end, key): NULL;
    const char *array = member? s_value (member, end): NULL;
    if (!array || *array != '[')
        return (cli_rows_t) { "", "", false };
    return (cli_rows_t) { array + 1, end, true };
}

bool
cli_rows_next (cli_rows_t *self, const char **row, size_t *size)
{
    if (!self->inside || *self->next != '{')
        return false;
    const char *end = stele_json_skip_value (self->next, self->end);
    if (!end)
        return false;
    *row = self->next;
    *size = (size_t) (end - self->next);
    self->inside = end < self->end && *end == ',';
    self->next = self->inside? end + 1: end;
    return true;
}

bool
cli_rows_value (const char *row, size_t size, const char *key,
    const char **value, size_t *value_size)
{
    const char *start = s_member (row, row + size, key);
    const char *end = start? stele_json_skip_value (s_value (start, row + size), row + size): NULL;
    if (!end)
        return false;
    *value = s_value (start, row + size);
    *value_size = (size_t) (end - *value);
    return true;
}

bool
cli_rows_member (const char *row, size_t size, const char *key,
    const char **member, size_t *member_size)
{
    const char *start = s_member (row, row + size, key);
    const char *value;
    size_t value_size;
    if (!cli_rows_value (row, size, key, &value, &value_size))
        return false;
    const char *end = value + value_size;
    if (end < row + size && *end == ',')
        end++;                      // The comma that follows it,
    else
    if (start [-1] == ',')
        start--;                    // or the comma before it, if it is the last
    *member = start;
    *member_size = (size_t) (end - start);
    return true;
}
