/*  page - one record as labelled lines, in sections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cli/view/page.h"
#include "cli/view/value.h"
#include "cli/terminal/text.h"

#define LABEL_COLUMNS 20
#define INDENT 2
#define WORDS_MAX 12                // Members of a map such as by_role on one line

static void
s_heading (const cli_t *self, const char *title, const char *subject, size_t size)
{
    cli_style_begin (&self->style, stdout, CLI_BOLD);
    fputs (title, stdout);
    if (subject) {
        fputc (' ', stdout);
        cli_text_print (stdout, subject, size, 0, CLI_CUT_END);
    }
    cli_style_end (&self->style, stdout, CLI_BOLD);
    fputc ('\n', stdout);
}

void
cli_page_heading (const cli_t *self, const char *title, const char *subject)
{
    s_heading (self, title, subject, subject? strlen (subject): 0);
}

void
cli_page_heading_field (const cli_t *self, const char *title, const json_t *record, const char *key)
{
    const json_t *value = json_object_get (record, key);
    s_heading (self, title, json_string_value (value), json_string_length (value));
}

static void
s_label (const cli_t *self, const char *label)
{
    printf ("%*s", INDENT, "");
    cli_style_begin (&self->style, stdout, CLI_DIM);
    size_t columns = cli_text_print (stdout, label, strlen (label), 0, CLI_CUT_END);
    cli_style_end (&self->style, stdout, CLI_DIM);
    printf ("%*s", columns < LABEL_COLUMNS? (int) (LABEL_COLUMNS - columns): 1, "");
}

void
cli_page_line (const cli_t *self, const char *label, const char *text)
{
    if (!text)
        return;
    s_label (self, label);
    cli_text_print (stdout, text, strlen (text), 0, CLI_CUT_END);
    fputc ('\n', stdout);
}

void
cli_page_field (const cli_t *self, const char *label, const json_t *record, const char *key)
{
    const json_t *value = json_object_get (record, key);
    if (!value || json_is_null (value))
        return;
    size_t size;
    char *text = cli_value_text (key, value, &size);
    while (size && text [size - 1] == '\n')
        size--;
    s_label (self, label);
    const char *end = memchr (text, '\n', size);
    size_t first = end? (size_t) (end - text): size;
    cli_text_print (stdout, text, first, 0, CLI_CUT_END);
    fputc ('\n', stdout);
    if (end)
        cli_text_print_lines (stdout, end + 1, size - first - 1, INDENT + LABEL_COLUMNS, 0);
    free (text);
}

void
cli_page_state (const cli_t *self, const char *label, const json_t *record, const char *key)
{
    const char *state = cli_value_string (record, key);
    if (!state)
        return;
    s_label (self, label);
    cli_style_begin (&self->style, stdout, cli_style_state (state));
    cli_text_print (stdout, state, strlen (state), 0, CLI_CUT_END);
    cli_style_end (&self->style, stdout, cli_style_state (state));
    fputc ('\n', stdout);
}

void
cli_page_block (const cli_t *self, const char *title, const json_t *record, const char *key)
{
    const json_t *value = json_object_get (record, key);
    if (!value || json_is_null (value))
        return;
    fputc ('\n', stdout);
    cli_page_heading (self, title, NULL);
    size_t size;
    char *text;
    if (json_is_object (value)) {
        text = json_dumps (value, JSON_INDENT (2) | cli_value_precision (value));
        assert (text);
        size = strlen (text);
    }
    else
        text = cli_value_text (key, value, &size);
    cli_text_print_lines (stdout, text, size, INDENT, 0);
    free (text);
}

/*  -- members ---------------------------------------------------------------- */

//  The keys of by_role, by_op and the like are data, not names of fields: shown unchanged
static bool
s_counts_words (const char *outer_key)
{
    return strncmp (outer_key, "by_", 3) == 0;
}

//  "ack_us" as "ack": the unit is printed with the number. Beside "mode", "mode_ms" is "mode for".
static void
s_member_label (const json_t *object, const char *key, char *label, size_t label_size)
{
    static const char *const units [] = { "_bytes", "_us", "_ms", "_s" };
    if (strcmp (key, "seconds") == 0)
        key = "durations";
    size_t size = strlen (key);
    for (size_t i = 0; i < sizeof units / sizeof units [0]; i++) {
        size_t unit = strlen (units [i]);
        if (size > unit && strcmp (key + size - unit, units [i]) == 0) {
            size -= unit;
            break;
        }
    }
    snprintf (label, label_size, "%.*s", (int) size, key);
    if (key [size] && json_object_get (object, label))
        snprintf (label, label_size, "%.*s for", (int) size, key);
    for (char *c = label; *c; c++)
        if (*c == '_')
            *c = ' ';
}

//  Is every member one short value?
static bool
s_is_flat (json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value)
        if (json_is_object (value) || json_is_array (value)
        || (json_is_string (value) && json_string_length (value) > 40))
            return false;
    return true;
}

//  The key that names the unit of a member: that of its map (stages_us), except of counts.
//  Percentiles and bounds of a map without one are in microseconds.
static const char *
s_unit_key (const char *key, const char *outer_key)
{
    static const char *const units [] = { "_bytes", "_us", "_ms", "_s", "seconds" };
    size_t size = strlen (outer_key);
    for (size_t i = 0; i < sizeof units / sizeof units [0] && strcmp (key, "count") != 0; i++) {
        size_t unit = strlen (units [i]);
        if (size >= unit && strcmp (outer_key + size - unit, units [i]) == 0)
            return outer_key;
    }
    bool percentile = key [0] == 'p' && key [1] >= '0' && key [1] <= '9';
    if (percentile || strcmp (key, "max") == 0 || strcmp (key, "min") == 0)
        return "_us";
    return key;
}

//  "passed 1,203, failed 12": the members of a small map on one line. Zeros are left out if there
//  are many members.
static void
s_print_flat (const char *outer_key, json_t *object)
{
    const char *key;
    json_t *value;
    size_t seen = 0, printed = 0;
    bool sparse = json_object_size (object) > 4;
    json_object_foreach (object, key, value) {
        seen++;
        if (json_is_null (value)
        || (sparse && json_is_integer (value) && json_integer_value (value) == 0))
            continue;
        if (printed == WORDS_MAX) {
            printf (", %zu more", json_object_size (object) - seen + 1);
            break;
        }
        char label [256];
        size_t size;
        bool word = s_counts_words (outer_key);
        if (word)
            snprintf (label, sizeof label, "%s", key);
        else
            s_member_label (object, key, label, sizeof label);
        char *text = cli_value_text (word? "": s_unit_key (key, outer_key), value, &size);
        printf ("%s", printed++? ", ": "");
        cli_text_print (stdout, label, strlen (label), 0, CLI_CUT_END);
        fputc (' ', stdout);
        cli_text_print (stdout, text, size, 0, CLI_CUT_END);
        free (text);
    }
    puts (printed? "": "none");
}

static void
s_print_array (const cli_t *self, const char *label, const json_t *array)
{
    size_t count = json_array_size (array);
    if (count == 0) {
        s_label (self, label);
        puts ("none");
    }
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get (array, i);
        s_label (self, i? "": label);
        if (i == WORDS_MAX) {
            printf ("%zu more\n", count - i);
            return;
        }
        size_t size;
        char *text = cli_value_text ("", item, &size);
        cli_text_print (stdout, text, size, 0, CLI_CUT_END);
        fputc ('\n', stdout);
        free (text);
    }
}

//  A map of maps: one line per member, below its name
static void
s_print_nested (const cli_t *self, const char *label, json_t *object)
{
    printf ("%*s", INDENT, "");
    cli_style_begin (&self->style, stdout, CLI_DIM);
    cli_text_print (stdout, label, strlen (label), 0, CLI_CUT_END);
    cli_style_end (&self->style, stdout, CLI_DIM);
    fputc ('\n', stdout);
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        char name [256], indented [260];
        s_member_label (object, key, name, sizeof name);
        snprintf (indented, sizeof indented, "  %s", name);
        if (json_is_object (value)) {
            s_label (self, indented);
            s_print_flat (key, value);
        }
        else
        if (json_is_array (value))
            s_print_array (self, indented, value);
        else
            cli_page_field (self, indented, object, key);
    }
}

void
cli_page_members (const cli_t *self, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *) object, key, value) {
        char label [256];
        s_member_label (object, key, label, sizeof label);
        if (json_is_object (value) && s_is_flat (value)) {
            s_label (self, label);
            s_print_flat (key, value);
        }
        else
        if (json_is_object (value))
            s_print_nested (self, label, value);
        else
        if (json_is_array (value))
            s_print_array (self, label, value);
        else
            cli_page_field (self, label, object, key);
    }
}

void
cli_page_sections (const cli_t *self, json_t *object)
{
    const char *key;
    json_t *value;
    json_t *plain = json_object ();
    json_object_foreach (object, key, value)
        if (!json_is_object (value))
            json_object_set (plain, key, value);
    cli_page_members (self, plain);
    json_decref (plain);
    json_object_foreach (object, key, value) {
        if (json_object_size (value) == 0)
            continue;
        char title [256];
        s_member_label (object, key, title, sizeof title);
        title [0] = (char) toupper ((unsigned char) title [0]);
        fputc ('\n', stdout);
        cli_page_heading (self, title, NULL);
        cli_page_members (self, value);
    }
}
