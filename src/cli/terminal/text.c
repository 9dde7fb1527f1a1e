/*  text - text of producers, made safe to show on a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>
#include "cli/terminal/text.h"

#define ELLIPSIS "\xe2\x80\xa6"

/*  One character of the text as it is shown                                 */
typedef struct {
    size_t size;                    // Bytes of the text
    size_t columns;
    char shown [16];
} s_glyph_t;

//  Decode one character. Returns its size in bytes, 0 if it is not UTF-8.
static size_t
s_decode (const unsigned char *text, size_t size, uint32_t *code)
{
    static const uint32_t smallest [] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = text [0] < 0x80? 1: text [0] < 0xc2? 0: text [0] < 0xe0? 2:
                    text [0] < 0xf0? 3: text [0] < 0xf5? 4: 0;
    if (length == 0 || length > size)
        return 0;
    *code = length == 1? text [0]: text [0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text [i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text [i] & 0x3f);
    }
    if (*code < smallest [length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return length;
}

//  Characters that are invisible, or that move others: C1 controls, direction marks, line
//  separators, tags, zero-width ones. Not the joiner (U+200D): some scripts need it.
static bool
s_is_hidden (uint32_t code)
{
    static const struct { uint32_t first, last; } hidden [] = {
        { 0x80, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
        { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff }
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden [0]; i++)
        if (code >= hidden [i].first && code <= hidden [i].last)
            return true;
    return false;
}

static s_glyph_t
s_glyph (const char *text, size_t size)
{
    s_glyph_t self = { 1, 1, "" };
    uint32_t code = 0;
    size_t length = s_decode ((const unsigned char *) text, size, &code);
    if (length == 0)
        self.columns = (size_t) snprintf (self.shown, sizeof self.shown, "\\x%02x",
            (unsigned char) text [0]);
    else
    if (code < 0x20 || code == 0x7f)    // Control pictures: U+2400 + code, U+2421
        snprintf (self.shown, sizeof self.shown, "\xe2\x90%c",
            (char) (0x80 + (code == 0x7f? 0x21: code)));
    else
    if (s_is_hidden (code)) {
        self.size = length;
        self.columns = (size_t) snprintf (self.shown, sizeof self.shown, "\\u%04x",
            (unsigned) code);
    }
    else {
        self.size = length;
        memcpy (self.shown, text, length);
        int columns = code < 0x80? 1: wcwidth ((wchar_t) code);
        self.columns = columns < 0? 1: (size_t) columns;
    }
    return self;
}

size_t
cli_text_width (const char *text, size_t size, size_t columns_max)
{
    size_t columns = 0;
    while (size) {
        s_glyph_t glyph = s_glyph (text, size);
        columns += glyph.columns;
        if (columns_max && columns >= columns_max)
            return columns_max;
        text += glyph.size;
        size -= glyph.size;
    }
    return columns;
}

//  Print from the start while it fits. Returns the columns used.
static size_t
s_print_head (FILE *file, const char *text, size_t size, size_t columns)
{
    size_t used = 0;
    while (size) {
        s_glyph_t glyph = s_glyph (text, size);
        if (used + glyph.columns > columns)
            break;
        fputs (glyph.shown, file);
        used += glyph.columns;
        text += glyph.size;
        size -= glyph.size;
    }
    return used;
}

//  Print the end of a text of 'width' columns, as much as fits
static size_t
s_print_tail (FILE *file, const char *text, size_t size, size_t width, size_t columns)
{
    while (size && width > columns) {
        s_glyph_t glyph = s_glyph (text, size);
        width -= glyph.columns;
        text += glyph.size;
        size -= glyph.size;
    }
    return s_print_head (file, text, size, columns);
}

size_t
cli_text_print (FILE *file, const char *text, size_t size, size_t columns, cli_cut_t cut)
{
    if (columns == 0)
        return s_print_head (file, text, size, SIZE_MAX / 2);
    if (cli_text_width (text, size, columns + 1) <= columns)
        return s_print_head (file, text, size, columns);

    size_t tail = cut == CLI_CUT_MIDDLE? columns / 2: 0;
    size_t used = s_print_head (file, text, size, columns - 1 - tail);
    fputs (ELLIPSIS, file);
    used++;
    if (tail)
        used += s_print_tail (file, text, size, cli_text_width (text, size, 0), tail);
    return used;
}

static void
s_print_line (FILE *file, const char *text, size_t size, int indent)
{
    if (size && text [size - 1] == '\r')
        size--;
    if (size)
        fprintf (file, "%*s", indent, "");
    while (size) {
        const char *tab = memchr (text, '\t', size);
        size_t part = tab? (size_t) (tab - text): size;
        s_print_head (file, text, part, SIZE_MAX / 2);
        if (!tab)
            break;
        fputc ('\t', file);
        text += part + 1;
        size -= part + 1;
    }
    fputc ('\n', file);
}

size_t
cli_text_print_lines (FILE *file, const char *text, size_t size, int indent, size_t lines_max)
{
    size_t lines = 0;
    while (size) {
        const char *end = memchr (text, '\n', size);
        size_t length = end? (size_t) (end - text): size;
        if (!lines_max || lines < lines_max)
            s_print_line (file, text, length, indent);
        lines++;
        size -= length + (end != NULL);
        text += length + (end != NULL);
    }
    return lines_max && lines > lines_max? lines - lines_max: 0;
}

//  -- JSON -------------------------------------------------------------------------

bool
cli_text_is_utf8 (const char *text, size_t size)
{
    while (size) {
        uint32_t code;
        size_t length = s_decode ((const unsigned char *) text, size, &code);
        if (length == 0)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

static void
s_print_json_escape (FILE *file, uint32_t code)
{
    if (code > 0xffff) {            // A pair of surrogates
        fprintf (file, "\\u%04x", (unsigned) (0xd800 + ((code - 0x10000) >> 10)));
        code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    fprintf (file, "\\u%04x", (unsigned) code);
}

void
cli_text_print_json_string (FILE *file, const char *text, size_t size)
{
    fputc ('"', file);
    while (size) {
        uint32_t code = 0;
        size_t length = s_decode ((const unsigned char *) text, size, &code);
        assert (length);             // The caller checked it
        if (code == '"' || code == '\\')
            fprintf (file, "\\%c", (char) code);
        else
        if (code < 0x20 || code == 0x7f || s_is_hidden (code))
            s_print_json_escape (file, code);
        else
            fwrite (text, 1, length, file);
        text += length;
        size -= length;
    }
    fputc ('"', file);
}
