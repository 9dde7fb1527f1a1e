/*  convert_parse - JSON as Python writes it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/convert.h"

//  Bytes of the word at 'text' that Python takes for a number, 0: none
static size_t
s_no_number (const char *text, size_t size)
{
    static const char *const words [] = { "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++)
        if (size >= strlen (words [i]) && memcmp (text, words [i], strlen (words [i])) == 0)
            return strlen (words [i]);
    return 0;
}

json_t *
convert_parse (const char *text, size_t size, size_t flags, bool *mended)
{
    json_t *value = json_loadb (text, size, flags, NULL);
    if (value)
        return value;
    char *copy = malloc (size * 2 + 1);
    assert (copy);
    size_t used = 0;
    bool inside = false;            // A string
    for (size_t i = 0; i < size;) {
        size_t word = inside? 0: s_no_number (text + i, size - i);
        if (word) {
            copy [used++] = '"';
            memcpy (copy + used, text + i, word);
            used += word;
            copy [used++] = '"';
            i += word;
            continue;
        }
        if (inside && text [i] == '\\' && i + 1 < size)
            copy [used++] = text [i++];
        else
        if (text [i] == '"')
            inside = !inside;
        copy [used++] = text [i++];
    }
    value = json_loadb (copy, used, flags, NULL);
    free (copy);
    *mended = value != NULL;
    return value;
}
