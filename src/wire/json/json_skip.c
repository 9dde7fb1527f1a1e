/*  json_skip - find where a string or a value of JSON text ends

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stddef.h>
#include "wire/json/json_skip.h"

const char *
stele_json_skip_string (const char *text, const char *end)
{
    if (text == end || *text != '"')
        return NULL;
    for (text++; text < end; text++) {
        if (*text == '"')
            return text + 1;
        if (*text == '\\')
            text++;
    }
    return NULL;
}

const char *
stele_json_skip_value (const char *text, const char *end)
{
    int depth = 0;
    while (text && text < end) {
        if (*text == '"') {
            text = stele_json_skip_string (text, end);
            if (depth == 0)
                return text;
            continue;
        }
        if (*text == '{' || *text == '[')
            depth++;
        else
        if (*text == '}' || *text == ']') {
            if (depth == 0)
                return text;        // End of the object around a number or a literal
            if (--depth == 0)
                return text + 1;
        }
        else
        if (*text == ',' && depth == 0)
            return text;
        text++;
    }
    return NULL;
}
