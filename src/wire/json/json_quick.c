/*  json_quick - canonical JSON text to msgpack, without a tree

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "model/field.h"
#include "wire/json/json_quick.h"

#define NESTING_MAX (STELE_LIMIT_NESTING * 2)
#define DIGITS_MAX 18               // Of an integer that certainly fits
#define NUMBER_MAX 64               // Bytes of a number

typedef struct {
    const char *next, *end;
    stele_pack_t *pack;
} s_quick_t;

static bool
    s_value (s_quick_t *self, int depth);

static bool
s_take (s_quick_t *self, char wanted)
{
    if (self->next == self->end || *self->next != wanted)
        return false;
    self->next++;
    return true;
}

//  -- strings ------------------------------------------------------------------------

//  The character of an escape after its backslash, -1: none, or a rare one
static int
s_escaped (s_quick_t *self)
{
    static const char forms [] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    if (self->next == self->end)
        return -1;
    char form = *self->next++;
    for (const char *pair = forms; *pair; pair += 2)
        if (*pair == form)
            return (unsigned char) pair [1];
    if (form != 'u' || self->end - self->next < 4 || memcmp (self->next, "00", 2) != 0)
        return -1;
    char digits [3] = { self->next [2], self->next [3], 0 }, *rest;
    long code = strtol (digits, &rest, 16);
    self->next += 4;
    return *rest || rest == digits || code >= 0x80? -1: (int) code;
}

static bool
s_string_with_escapes (s_quick_t *self)
{
    //  It only becomes shorter
    char *text = malloc ((size_t) (self->end - self->next) + 1);
    size_t size = 0;
    bool ended = false, good = text != NULL;
    while (good && !ended && self->next < self->end) {
        int byte = (unsigned char) *self->next++;
        if (byte == '"')
            ended = true;
        else {
            if (byte == '\\')
                byte = s_escaped (self);
            good = byte >= 0;
            if (good)
                text [size++] = (char) byte;
        }
    }
    if (good && ended)
        stele_pack_text (self->pack, text, size);
    free (text);
    return good && ended;
}

static bool
s_string (s_quick_t *self)
{
    if (!s_take (self, '"'))
        return false;
    const char *quote = memchr (self->next, '"', (size_t) (self->end - self->next));
    if (!quote)
        return false;
    if (memchr (self->next, '\\', (size_t) (quote - self->next)))
        return s_string_with_escapes (self);
    stele_pack_text (self->pack, self->next, (size_t) (quote - self->next));
    self->next = quote + 1;
    return true;
}

//  -- other values ---------------------------------------------------------------------

static bool
s_number (s_quick_t *self)
{
    char text [NUMBER_MAX], *rest;
    size_t size = 0, digits = 0;
    while (self->next + size < self->end && strchr ("+-.0123456789eE", self->next [size]) && self->next [size])
        size++;
    if (size == 0 || size >= sizeof text)
        return false;
    memcpy (text, self->next, size);
    text [size] = 0;
    self->next += size;
    digits = strspn (text + (*text == '-'), "0123456789");
    if (digits + (*text == '-') == size) {
        if (digits == 0 || digits > DIGITS_MAX)
            return false;
        stele_pack_integer (self->pack, strtoll (text, NULL, 10));
        return true;
    }
    //  Numbers of a locale with another point are rare
    double real = strtod (text, &rest);
    if (*rest || digits == 0 || rest [-1] == '.' || !isfinite (real))
        return false;
    stele_pack_real (self->pack, real);
    return true;
}

static bool
s_word (s_quick_t *self, const char *word)
{
    size_t size = strlen (word);
    if ((size_t) (self->end - self->next) < size || memcmp (self->next, word, size) != 0)
        return false;
    self->next += size;
    return true;
}

static bool
s_object (s_quick_t *self, int depth)
{
    size_t mark = stele_pack_open_map (self->pack), count = 0;
    self->next++;
    while (!s_take (self, '}')) {
        if (count && !s_take (self, ','))
            return false;
        //  It may be one of the reserved forms
        if (self->end - self->next > 1 && self->next [1] == '$')
            return false;
        if (!s_string (self) || !s_take (self, ':') || !s_value (self, depth))
            return false;
        count++;
    }
    stele_pack_close (self->pack, mark, count);
    return true;
}

static bool
s_array (s_quick_t *self, int depth)
{
    size_t mark = stele_pack_open_array (self->pack), count = 0;
    self->next++;
    while (!s_take (self, ']')) {
        if ((count && !s_take (self, ',')) || !s_value (self, depth))
            return false;
        count++;
    }
    stele_pack_close (self->pack, mark, count);
    return true;
}

static bool
s_value (s_quick_t *self, int depth)
{
    if (self->next == self->end || depth == NESTING_MAX)
        return false;
    switch (*self->next) {
        case '{':
            return s_object (self, depth + 1);
        case '[':
            return s_array (self, depth + 1);
        case '"':
            return s_string (self);
        case 't':
            stele_pack_bool (self->pack, true);
            return s_word (self, "true");
        case 'f':
            stele_pack_bool (self->pack, false);
            return s_word (self, "false");
        case 'n':
            stele_pack_nil (self->pack);
            return s_word (self, "null");
        default:
            return s_number (self);
    }
}

bool
stele_json_quick_pack (const char *text, size_t size, stele_pack_t *pack)
{
    s_quick_t self = { text, text + size, pack };
    size_t start = stele_pack_size (pack);
    if (s_value (&self, 0) && self.next == self.end && !stele_pack_failed (pack))
        return true;
    stele_pack_rewind (pack, start);
    return false;
}
