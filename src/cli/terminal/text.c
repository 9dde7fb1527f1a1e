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
#include "base/character.h"
#include "cli/terminal/text.h"

#define ELLIPSIS "\xe2\x80\xa6"

/*  One character of the text as it is shown                                 */
typedef struct {
    size_t size;                    // Bytes of the text
    size_t columns;
    char shown [16];
} s_glyph_t;

static s_glyph_t
s_glyph (const char *text, size_t size)
{
    s_glyph_t self = { 1, 1, "" };
    uint32_t code = 0;
    size_t length = stele_character_decode (text, size, &code);
    if (length == 0)
        self.columns = (size_t) snprintf (self.shown, sizeof self.shown, "\\x%02x",
            (unsigned char) text [0]);
    else
    if (code < 0x20 || code == 0x7f)    // Control pictures: U+2400 + code, U+2421
        snprintf (self.shown, sizeof self.shown, "\xe2\x90%c",
            (char) (0x80 + (code == 0x7f? 0x21: code)));
    else
    if (stele_character_is_control (code) || stele_character_is_hidden (code)) {
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
        size_t length = stele_character_decode (text, size, &code);
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
        size_t length = stele_character_decode (text, size, &code);
        assert (length);            // Checked by the caller
        if (code == '"' || code == '\\')
            fprintf (file, "\\%c", (char) code);
        else
        if (stele_character_is_control (code) || stele_character_is_hidden (code))
            s_print_json_escape (file, code);
        else
            fwrite (text, 1, length, file);
        text += length;
        size -= length;
    }
    fputc ('"', file);
}

void
cli_text_print_json (FILE *file, const char *json, size_t size)
{
    size_t from = 0;                // Of what is not printed yet
    for (size_t i = 0; i < size; ) {
        //  Outside of strings, JSON has ASCII only, and its spaces are harmless
        uint32_t code = (unsigned char) json [i];
        size_t length = code < 0x7f? 1: stele_character_decode (json + i, size - i, &code);
        if (code >= 0x7f && length && (stele_character_is_control (code) || stele_character_is_hidden (code))) {
            fwrite (json + from, 1, i - from, file);
            s_print_json_escape (file, code);
            from = i + length;
        }
        i += length? length: 1;
    }
    fwrite (json + from, 1, size - from, file);
}
