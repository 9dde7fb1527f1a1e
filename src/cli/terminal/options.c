/*  options - command line options from one table: parser and --help

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/memory.h"
#include "cli/terminal/options.h"

#define HELP_COLUMN 30              // Where the help of an option starts
#define WIDTH_MAX 100               // Longer lines are hard to read
#define WORD_MAX 64                 // Longest word that is compared

void
cli_list_append (cli_list_t *self, const char *text, size_t size)
{
    self->items = stele_array_must_grow (self->items, &self->room, self->count + 1, sizeof *self->items);
    self->items [self->count++] = stele_memory_copy (text, size);
}

void
cli_list_clear (cli_list_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->items [i]);
    free (self->items);
    self->items = NULL;
    self->count = self->room = 0;
}

static void
s_operands_append (cli_operands_t *self, const char *text)
{
    self->items = stele_array_must_grow (self->items, &self->room, self->count + 1, sizeof *self->items);
    self->items [self->count++] = text;
}

void
cli_operands_clear (cli_operands_t *self)
{
    free (self->items);
    self->items = NULL;
    self->count = self->room = 0;
}

/*  -- parsing ---------------------------------------------------------------- */

typedef struct {
    const cli_group_t *groups;
    int argc;
    char **argv;
    int next;                       // Argument to read
    char *error;
    size_t error_size;
} s_parser_t;

//  As the user wrote it: --name or -n
static const char *
s_written (const cli_option_t *option, bool by_letter, char *buffer, size_t size)
{
    if (by_letter)
        snprintf (buffer, size, "-%c", option->letter);
    else
        snprintf (buffer, size, "--%s", option->name);
    return buffer;
}

static const cli_option_t *
s_find (const cli_group_t *groups, const char *name, size_t size, char letter, void **target)
{
    for (; groups->options; groups++)
        for (const cli_option_t *option = groups->options; option->name; option++)
            if (name? strlen (option->name) == size && memcmp (option->name, name, size) == 0
                    : option->letter && option->letter == letter) {
                *target = groups->target;
                return option;
            }
    return NULL;
}

//  Words between commas; "\," is a comma of a word. False: there are none
static bool
s_append_list (cli_list_t *list, const char *value)
{
    char *word = stele_memory_new (strlen (value) + 1);
    size_t size = 0, count = list->count;
    for (;; value++) {
        if (*value == '\\' && value [1] == ',')
            word [size++] = *++value;
        else
        if (*value && *value != ',')
            word [size++] = *value;
        else {
            if (size)
                cli_list_append (list, word, size);
            size = 0;
            if (!*value)
                break;
        }
    }
    free (word);
    return list->count > count;
}

static int
s_take_number (const cli_option_t *option, const char *value, int64_t *target, s_parser_t *self)
{
    char *end;
    errno = 0;
    long long number = strtoll (value, &end, 10);
    if (errno == ERANGE && !*end) {
        snprintf (self->error, self->error_size, "--%s: %s is too large; the maximum is %lld",
            option->name, value, LLONG_MAX);
        return -1;
    }
    if (errno || end == value || *end) {
        snprintf (self->error, self->error_size, "--%s: '%s' is not a number",
            option->name, value);
        return -1;
    }
    if (number < option->minimum) {
        snprintf (self->error, self->error_size, "--%s: %s is too small; the minimum is %lld",
            option->name, value, (long long) option->minimum);
        return -1;
    }
    *target = number;
    return 0;
}

static int
s_take (s_parser_t *self, const cli_option_t *option, const char *value, void *group_target)
{
    void *target = (char *) group_target + option->offset;
    switch (option->kind) {
        case CLI_FLAG:
            *(bool *) target = true;
            return 0;
        case CLI_TEXT:
            *(const char **) target = value;
            return 0;
        case CLI_NUMBER:
            return s_take_number (option, value, target, self);
        case CLI_LIST:
            if (s_append_list (target, value))
                return 0;
            snprintf (self->error, self->error_size, "--%s needs a value; it is empty", option->name);
            return -1;
        case CLI_CALL:
            break;
    }
    return option->call (option, value, group_target, self->error, self->error_size);
}

//  An option with its value, which is glued to it or the next argument
static int
s_take_with_value (s_parser_t *self, const cli_option_t *option, const char *glued,
    bool by_letter, void *target)
{
    char written [80];
    s_written (option, by_letter, written, sizeof written);
    if (!option->argument) {
        if (glued) {
            snprintf (self->error, self->error_size, "%s takes no value", written);
            return -1;
        }
        return s_take (self, option, NULL, target);
    }
    if (!glued) {
        if (self->next == self->argc) {
            snprintf (self->error, self->error_size, "%s needs a value: %s %s",
                written, written, option->argument);
            return -1;
        }
        glued = self->argv [self->next++];
    }
    return s_take (self, option, glued, target);
}

static int
s_unknown_name (s_parser_t *self, const char *name, size_t size)
{
    const char *candidates [128];
    size_t count = 0;
    for (const cli_group_t *group = self->groups; group->options; group++)
        for (const cli_option_t *option = group->options; option->name; option++)
            if (count < sizeof candidates / sizeof candidates [0])
                candidates [count++] = option->name;

    char word [WORD_MAX + 1];
    snprintf (word, sizeof word, "%.*s", (int) (size < WORD_MAX? size: WORD_MAX), name);
    const char *nearest = cli_options_nearest (word, candidates, count);
    if (nearest)
        snprintf (self->error, self->error_size,
            "unknown option --%s; did you mean --%s?", word, nearest);
    else
        snprintf (self->error, self->error_size, "unknown option --%s", word);
    return -1;
}

static int
s_parse_long (s_parser_t *self, const char *name)
{
    size_t size = strcspn (name, "=");
    void *target;
    const cli_option_t *option = s_find (self->groups, name, size, 0, &target);
    if (!option)
        return s_unknown_name (self, name, size);
    return s_take_with_value (self, option, name [size]? name + size + 1: NULL, false, target);
}

static int
s_parse_letters (s_parser_t *self, const char *letters)
{
    while (*letters) {
        void *target;
        const cli_option_t *option = s_find (self->groups, NULL, 0, *letters, &target);
        if (!option) {
            snprintf (self->error, self->error_size, "unknown option -%c", *letters);
            return -1;
        }
        letters++;
        if (option->argument)
            return s_take_with_value (self, option, *letters? letters: NULL, true, target);
        if (s_take (self, option, NULL, target))
            return -1;
    }
    return 0;
}

int
cli_options_parse (const cli_group_t *groups, int argc, char **argv, bool stop,
    cli_operands_t *operands, char *error, size_t error_size)
{
    s_parser_t parser = { groups, argc, argv, 0, error, error_size };
    bool options_ended = false;
    while (parser.next < argc) {
        const char *argument = argv [parser.next];
        if (options_ended || argument [0] != '-' || !argument [1]) {
            if (stop)
                break;
            s_operands_append (operands, argument);
            parser.next++;
            continue;
        }
        parser.next++;
        if (strcmp (argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        int rc = argument [1] == '-'? s_parse_long (&parser, argument + 2)
                                    : s_parse_letters (&parser, argument + 1);
        if (rc)
            return -1;
    }
    return parser.next;
}

void
cli_options_clear (const cli_group_t *groups)
{
    for (; groups->options; groups++)
        for (const cli_option_t *option = groups->options; option->name; option++)
            if (option->kind == CLI_LIST)
                cli_list_clear ((cli_list_t *) ((char *) groups->target + option->offset));
}

/*  -- a mistyped word -------------------------------------------------------- */

//  Levenshtein distance
static size_t
s_distance (const char *one, const char *other)
{
    size_t row [WORD_MAX + 1];
    size_t length = strlen (other);
    for (size_t i = 0; i <= length; i++)
        row [i] = i;
    for (size_t i = 0; one [i]; i++) {
        size_t diagonal = row [0];
        row [0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t best = diagonal + (one [i] != other [j]);
            diagonal = row [j + 1];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (row [j] + 1 < best)
                best = row [j] + 1;
            row [j + 1] = best;
        }
    }
    return row [length];
}

const char *
cli_options_nearest (const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen (word) > 4? 3: 2;      // Greater distances are other words
    for (size_t i = 0; i < count; i++) {
        if (strlen (candidates [i]) > WORD_MAX)
            continue;
        size_t distance = s_distance (word, candidates [i]);
        if (distance < best) {
            best = distance;
            nearest = candidates [i];
        }
    }
    return nearest;
}

/*  -- help ------------------------------------------------------------------- */

static int
s_help_width (FILE *file)
{
    struct winsize size;
    int fd = fileno (file);
    if (fd >= 0 && ioctl (fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col < WIDTH_MAX? size.ws_col: WIDTH_MAX;
    return 80;
}

//  One line of text, wrapped between words; 'column' is that of the cursor
static void
s_wrap_line (FILE *file, const char *text, size_t size, int indent, int column, int width)
{
    size_t at = 0;
    bool first = true;
    while (at < size) {
        size_t word = strcspn (text + at, " \n");
        if (word > size - at)
            word = size - at;
        if (!first && column + 1 + (int) word > width) {
            fprintf (file, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        fprintf (file, "%s%.*s", first? "": " ", (int) word, text + at);
        column += (int) word + !first;
        first = false;
        at += word;
        while (at < size && text [at] == ' ')
            at++;
    }
    fputc ('\n', file);
}

void
cli_options_wrap (FILE *file, const char *text, int indent)
{
    int width = s_help_width (file);
    while (*text) {
        size_t size = strcspn (text, "\n");
        if (!size)
            fputc ('\n', file);
        else
        if (text [0] == ' ')
            fprintf (file, "%*s%.*s\n", indent, "", (int) size, text);
        else {
            fprintf (file, "%*s", indent, "");
            s_wrap_line (file, text, size, indent, indent, width);
        }
        text += size + (text [size] == '\n');
    }
}

static void
s_help_option (FILE *file, const cli_option_t *option, int width)
{
    int column = option->letter? fprintf (file, "  -%c, --%s", option->letter, option->name)
                               : fprintf (file, "      --%s", option->name);
    if (option->argument)
        column += fprintf (file, " %s", option->argument);
    if (column + 2 > HELP_COLUMN) {
        fputc ('\n', file);
        column = 0;
    }
    fprintf (file, "%*s", HELP_COLUMN - column, "");
    s_wrap_line (file, option->help, strlen (option->help), HELP_COLUMN, HELP_COLUMN, width);
}

void
cli_options_help (FILE *file, const cli_usage_t *usage, const cli_group_t *groups)
{
    const char *lead = "Usage: ";
    for (const char *line = usage->usage; line && *line; lead = "       ") {
        size_t size = strcspn (line, "\n");
        fprintf (file, "%s%.*s\n", lead, (int) size, line);
        line += size + (line [size] == '\n');
    }
    if (usage->about) {
        fputc ('\n', file);
        cli_options_wrap (file, usage->about, 0);
    }
    for (; groups->options; groups++) {
        if (!groups->options->name)
            continue;
        fprintf (file, "\n%s:\n", groups->title);
        for (const cli_option_t *option = groups->options; option->name; option++)
            s_help_option (file, option, s_help_width (file));
    }
    if (usage->after) {
        fputc ('\n', file);
        cli_options_wrap (file, usage->after, 0);
    }
    if (usage->examples) {
        fprintf (file, "\nExamples:\n");
        cli_options_wrap (file, usage->examples, 0);
    }
}
