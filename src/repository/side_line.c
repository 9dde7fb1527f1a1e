/*  side_line - the form of the lines of a segment

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "repository/side_line.h"
#include "wire/json/json.h"

static const char *const s_starts [STELE_LINE_UNKNOWN] = {
    [STELE_LINE_COMMIT] = "{\"$commit\":",
    [STELE_LINE_OWNER] = "{\"$owner\":",
    [STELE_LINE_PRODUCER] = "{\"$producer\":",
    [STELE_LINE_FENCE] = "{\"$fence\":",
    [STELE_LINE_REJECTED] = "{\"$rejected\":",
    [STELE_LINE_RETRIED] = "{\"$retried\":",
    [STELE_LINE_FOLLOWER] = "{\"$follower\":",
    [STELE_LINE_LOSS] = "{\"$loss\":",
    [STELE_LINE_META] = "{\"$meta\":"
};

stele_line_kind_t
stele_side_line_kind (const char *text, size_t size, const char **value, size_t *value_size)
{
    *value = text;
    *value_size = size;
    if (size < 3 || memcmp (text, "{\"$", 3) != 0)
        return STELE_LINE_EVENT;
    for (int kind = 0; kind < STELE_LINE_UNKNOWN; kind++) {
        size_t start = s_starts [kind]? strlen (s_starts [kind]): 0;
        if (start && size > start + 1 && memcmp (text, s_starts [kind], start) == 0) {
            *value = text + start;
            *value_size = size - start - 1;
            return (stele_line_kind_t) kind;
        }
    }
    return STELE_LINE_UNKNOWN;
}

char *
stele_side_line_new (stele_line_kind_t kind, const void *packed, size_t packed_size, size_t *size)
{
    size_t value_size, start = strlen (s_starts [kind]);
    char *value = stele_json_line (packed, packed_size, false, &value_size);
    if (!value)
        return NULL;
    char *line = stele_memory_new (start + value_size + 2);
    memcpy (line, s_starts [kind], start);
    memcpy (line + start, value, value_size);
    line [start + value_size] = '}';
    *size = start + value_size + 1;
    free (value);
    return line;
}
