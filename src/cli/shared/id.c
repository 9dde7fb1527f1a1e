/*  id - ids as arguments of a program

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/shared/id.h"

//  An argument cannot have a NUL. It is read from \x00, and as it is shown: on screen as its picture U+2400,
//  in JSON as \u0000. Text that looks like one of these has its first byte escaped.
typedef struct {
    const char *text;
    char byte;
} s_escape_t;

static const s_escape_t s_escapes [] = {
    { "\\x00", '\0' }, { "\\u0000", '\0' }, { "\xe2\x90\x80", '\0' }, { "\\x5c", '\\' }, { "\\xe2", '\xe2' }
};

#define ESCAPE_SIZE 4               // Of those that are written

//  NULL: there is none at that place
static const s_escape_t *
s_escape_at (const char *text)
{
    for (size_t i = 0; i < sizeof s_escapes / sizeof *s_escapes; i++)
        if (strncmp (text, s_escapes [i].text, strlen (s_escapes [i].text)) == 0)
            return &s_escapes [i];
    return NULL;
}

json_t *
cli_id_read (const char *argument)
{
    char *id = stele_memory_new (strlen (argument) + 1);
    size_t size = 0;
    while (*argument) {
        const s_escape_t *escape = s_escape_at (argument);
        id [size++] = escape? escape->byte: *argument;
        argument += escape? strlen (escape->text): 1;
    }
    json_t *value = json_stringn (id, size);
    free (id);
    return value;
}

char *
cli_id_argument (const json_t *id)
{
    if (!json_is_string (id))
        return NULL;
    const char *text = json_string_value (id);
    size_t size = json_string_length (id);
    char *argument = stele_memory_new (size * ESCAPE_SIZE + 1), *next = argument;
    for (size_t i = 0; i < size; i++) {
        //  The text ends with a NUL that is not counted
        const char *escape = !text [i]? "\\x00": !s_escape_at (text + i)? NULL: text [i] == '\\'? "\\x5c": "\\xe2";
        if (escape) {
            memcpy (next, escape, ESCAPE_SIZE);
            next += ESCAPE_SIZE;
        }
        else
            *next++ = text [i];
    }
    return argument;
}
