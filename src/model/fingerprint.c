/*  fingerprint - the text that errors of one kind have in common

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdbool.h>
#include <string.h>
#include "model/fingerprint.h"

#define HEX_MIN 8                   // Shorter runs of hexadecimal digits are read as words with numbers
#define QUOTE_MAX 200               // Bytes between quotes
#define TRACEBACK "Traceback (most recent call last)"

typedef struct {
    const char *next, *end;
    char *result;
    size_t size;
    bool full;
} s_print_t;

//  -- characters, of ASCII only: no locale ------------------------------------------------

static bool
s_is_digit (char c)
{
    return c >= '0' && c <= '9';
}

static bool
s_is_hex (char c)
{
    return s_is_digit (c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

//  Bytes of other alphabets count as letters
static bool
s_is_letter (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool
s_is_alnum (char c)
{
    return s_is_letter (c) || s_is_digit (c);
}

static bool
s_is_space (char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0;
}

//  -- output -----------------------------------------------------------------------------

static void
s_add (s_print_t *self, const char *text, size_t size)
{
    if (self->full || self->size + size > STELE_FINGERPRINT_MAX) {
        self->full = true;
        return;
    }
    memcpy (self->result + self->size, text, size);
    self->size += size;
}

static void
s_add_string (s_print_t *self, const char *string)
{
    s_add (self, string, strlen (string));
}

//  Two numbers with nothing but punctuation of numbers between them are one
static void
s_add_number (s_print_t *self)
{
    if (self->size == 0 || self->result [self->size - 1] != '#')
        s_add (self, "#", 1);
}

//  -- parts of the text -------------------------------------------------------------------

static size_t
s_run (const s_print_t *self, const char *at, bool (*is) (char))
{
    size_t size = 0;
    while (at + size < self->end && is (at [size]))
        size++;
    return size;
}

//  8-4-4-4-12 hexadecimal digits; 0: there is none here
static size_t
s_uuid (const s_print_t *self)
{
    static const size_t parts [] = { 8, 4, 4, 4, 12 };
    const char *at = self->next;
    for (size_t i = 0; i < 5; i++) {
        if (s_run (self, at, s_is_hex) != parts [i])
            return 0;
        at += parts [i];
        if (i < 4 && (at == self->end || *at++ != '-'))
            return 0;
    }
    return (size_t) (at - self->next);
}

//  The text up to the closing quote, with both quotes; 0: this quote opens nothing, like that in "can't"
static size_t
s_quoted (const s_print_t *self, const char *start)
{
    char quote = *self->next;
    if (self->next > start && s_is_alnum (self->next [-1]))
        return 0;
    for (const char *at = self->next + 1; at < self->end && at - self->next <= QUOTE_MAX && *at != '\n'; at++)
        if (*at == quote && (at + 1 == self->end || !s_is_alnum (at [1])))
            return (size_t) (at + 1 - self->next);
    return 0;
}

static bool
s_is_of_path (char c)
{
    return !s_is_space (c) && !strchr ("()[]{}<>,;|\"'`", c);
}

//  A word is a path if it begins like one, has the :// of a URL, or two slashes. What follows a colon belongs to it: a line.
static size_t
s_path (const s_print_t *self)
{
    const char *at = self->next;
    size_t size = s_run (self, at, s_is_of_path), slashes = 0;
    if (size < 2)
        return 0;
    for (size_t i = 0; i < size && (slashes || at [i] != '='); i++)
        slashes += at [i] == '/' || at [i] == '\\';
    bool begins = *at == '/' || (*at == '.' && (at [1] == '/' || (size > 2 && at [1] == '.' && at [2] == '/')))
        || (*at == '~' && at [1] == '/') || (size > 2 && s_is_letter (*at) && at [1] == ':' && at [2] == '\\');
    if (!begins && slashes < 2)
        return 0;
    while (size > 1 && strchr (".:!?", at [size - 1]))
        size--;
    return size;
}

//  A run of letters and digits
static void
s_add_word (s_print_t *self)
{
    const char *word = self->next;
    size_t size = s_run (self, word, s_is_alnum), hex = s_run (self, word, s_is_hex), digits = 0;
    for (size_t i = 0; i < size; i++)
        digits += s_is_digit (word [i]);
    self->next += size;
    if (digits && ((hex == size && size >= HEX_MIN) || (size > 2 && word [0] == '0' && (word [1] | 0x20) == 'x'))) {
        s_add_number (self);
        return;
    }
    for (size_t i = 0; i < size; i++)
        if (s_is_digit (word [i]))
            s_add_number (self);
        else
            s_add (self, word + i, 1);
}

//  Is this the point, comma or colon of a number: 1.5, 1,000, 12:30:00?
static bool
s_is_in_number (const s_print_t *self, const char *start)
{
    return self->next > start && self->next + 1 < self->end && strchr (".,:", *self->next)
        && s_is_digit (self->next [-1]) && s_is_digit (self->next [1]);
}

static void
s_add_next (s_print_t *self, const char *start)
{
    char c = *self->next;
    bool begins = self->next == start || !s_is_of_path (self->next [-1]) || self->next [-1] == '=';
    size_t size;
    if (s_is_space (c)) {
        if (self->size && self->result [self->size - 1] != ' ')
            s_add (self, " ", 1);
        self->next++;
    }
    else
    if ((c == '\'' || c == '"' || c == '`') && (size = s_quoted (self, start)) > 0) {
        char quotes [] = { c, '\xe2', '\x80', '\xa6', c };
        s_add (self, quotes, sizeof quotes);
        self->next += size;
    }
    else
    if (begins && (size = s_path (self)) > 0) {
        s_add_string (self, "<path>");
        self->next += size;
    }
    else
    if ((size = s_is_hex (c)? s_uuid (self): 0) > 0) {
        s_add_number (self);
        self->next += size;
    }
    else
    if (s_is_alnum (c))
        s_add_word (self);
    else {
        if (!s_is_in_number (self, start))
            s_add (self, self->next, 1);
        self->next++;
    }
}

//  -- the text ----------------------------------------------------------------------------

//  Of a traceback, the last line that has anything
static const char *
s_start (const char *text, size_t *size)
{
    size_t length = strlen (TRACEBACK);
    while (*size && s_is_space (text [*size - 1]))
        (*size)--;
    if (*size < length || memcmp (text, TRACEBACK, length) != 0)
        return text;
    const char *line = text + *size;
    while (line > text && line [-1] != '\n')
        line--;
    *size -= (size_t) (line - text);
    return line;
}

//  Without the last character if not all of its bytes are there: the text was cut
static size_t
s_whole (const char *text, size_t size)
{
    size_t lead = size;
    while (lead && (text [lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0 || !(text [lead - 1] & 0x80))
        return size;
    char first = text [lead - 1];
    size_t need = (first & 0xe0) == 0xc0? 2: (first & 0xf0) == 0xe0? 3: 4;
    return size - (lead - 1) < need? lead - 1: size;
}

size_t
stele_fingerprint (const char *text, size_t size, char result [STELE_FINGERPRINT_MAX])
{
    const char *start = s_start (text, &size);
    if (size > STELE_FINGERPRINT_TEXT_MAX)
        size = STELE_FINGERPRINT_TEXT_MAX;
    s_print_t print = { .next = start, .end = start + size, .result = result };
    while (print.next < print.end && !print.full)
        s_add_next (&print, start);
    size_t kept = s_whole (result, print.size);
    while (kept && result [kept - 1] == ' ')
        kept--;
    return kept;
}
