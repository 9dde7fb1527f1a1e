/*  options - command line options from one table: parser and --help

    A program or a subcommand lists its options once; that table drives the parser and the
    text of --help.

        typedef struct { bool full; int64_t limit; cli_list_t states; } args_t;

        static const cli_option_t s_options [] = {
            { "full", 'f', NULL, "print every field", CLI_FLAG, offsetof (args_t, full), 0, NULL },
            { "limit", 'n', "N", "at most N rows", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
            { "state", 0, "STATE", "only tasks in STATE", CLI_LIST, offsetof (args_t, states), 0, NULL },
            CLI_OPTIONS_END
        };

        args_t args = { .limit = 100 };
        const cli_group_t groups [] = { { "Options", s_options, &args }, CLI_GROUPS_END };
        cli_operands_t operands = { 0 };
        char error [256];
        if (cli_options_parse (groups, argc - 1, argv + 1, false, &operands, error, sizeof error))
            ...

    --name value and --name=value, -n value and -nvalue, -abc for flags; "--" ends
    the options, "-" is an operand. Options and operands may be mixed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_OPTIONS_H_INCLUDED
#define STELE_CLI_OPTIONS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cli_option cli_option_t;

/*  Effect of an option on its target                                        */
typedef enum {
    CLI_FLAG,                       // bool, set to true
    CLI_TEXT,                       // const char *: the value, borrowed from argv
    CLI_NUMBER,                     // int64_t, at least .minimum
    CLI_LIST,                       // cli_list_t: repeated, or separated by commas; \, is a comma of a word
    CLI_CALL                        // .call is called with the group's target
} cli_kind_t;

/*  Take a value (NULL for an option without argument). Return 0, or -1 with a message in
    'error'.                                                                 */
typedef int (cli_option_fn) (const cli_option_t *option, const char *value,
    void *target, char *error, size_t error_size);

struct cli_option {
    const char *name;               // "timeout" is --timeout
    char letter;                    // 't' is -t; 0: it has none
    const char *argument;           // "MS", as shown in the help; NULL: none
    const char *help;               // One sentence, wrapped to the terminal
    cli_kind_t kind;
    size_t offset;                  // Of the target in the group's struct
    int64_t minimum;                // Of a NUMBER
    cli_option_fn *call;            // Of a CALL
};

#define CLI_OPTIONS_END { NULL, 0, NULL, NULL, CLI_FLAG, 0, 0, NULL }

/*  A table, the struct it writes to, and its title in the help              */
typedef struct {
    const char *title;
    const cli_option_t *options;
    void *target;
} cli_group_t;

#define CLI_GROUPS_END { NULL, NULL, NULL }

/*  Strings that the list owns                                               */
typedef struct {
    char **items;
    size_t count, room;
} cli_list_t;

void
    cli_list_append (cli_list_t *self, const char *text, size_t size);
void
    cli_list_clear (cli_list_t *self);

/*  Arguments that are not options. The strings are those of argv, the array is the caller's. */
typedef struct {
    const char **items;
    size_t count, room;
} cli_operands_t;

void
    cli_operands_clear (cli_operands_t *self);

/*  Parse arguments (without the program's name). 'stop' ends before the first operand: for
    options that come before a subcommand. Returns how many arguments were used, or -1 with a
    message in 'error' that names the option and the reason.                 */
int
    cli_options_parse (const cli_group_t *groups, int argc, char **argv, bool stop,
        cli_operands_t *operands, char *error, size_t error_size);

/*  Empty the lists that the options filled.                                 */
void
    cli_options_clear (const cli_group_t *groups);

/*  The parts of --help, in this order; NULL leaves a part out               */
typedef struct {
    const char *usage;              // "stele list [OPTION]...": one line per form
    const char *about;              // Paragraphs, wrapped; a line that starts with a space is kept
    const char *after;              // The same, after the options
    const char *examples;           // Lines, printed as they are
} cli_usage_t;

void
    cli_options_help (FILE *file, const cli_usage_t *usage, const cli_group_t *groups);

/*  Text wrapped to the terminal (80 columns without one), every line indented; lines that start
    with a space are printed as they are.                                    */
void
    cli_options_wrap (FILE *file, const char *text, int indent);

/*  The candidate closest to a mistyped word; NULL if none is close.          */
const char *
    cli_options_nearest (const char *word, const char *const *candidates, size_t count);

#endif
