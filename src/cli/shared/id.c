/*  id - ids as arguments of a program

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/shared/id.h"

#define ESCAPE_SIZE 4

static bool
s_is_escape (const char *text)
{
    return strncmp (text, "\\x00", ESCAPE_SIZE) == 0 || strncmp (text, "\\x5c", ESCAPE_SIZE) == 0;
}

json_t *
cli_id_read (const char *argument)
{
    char *id = stele_memory_new (strlen (argument) + 1);
    size_t size = 0;
    while (*argument) {
        bool is_escape = s_is_escape (argument);
        id [size++] = is_escape && argument [2] == '0'? '\0': *argument;
        argument += is_escape? ESCAPE_SIZE: 1;
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
        const char *escape = !text [i]? "\\x00": s_is_escape (text + i)? "\\x5c": NULL;
        if (escape) {
            memcpy (next, escape, ESCAPE_SIZE);
            next += ESCAPE_SIZE;
        }
        else
            *next++ = text [i];
    }
    return argument;
}
