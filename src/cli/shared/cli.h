/*  cli - what the subcommands of stele share

    A subcommand is one file cmd_NAME.c with one cli_command_t: its options in a
    table, its help, and the function that does it. stele.c has them in a list.
    Results go to stdout, talk to stderr; the status is one of sysexits(3).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_H_INCLUDED
#define STELE_CLI_H_INCLUDED

#include <sysexits.h>
#include "stele_client.h"
#include "cli/terminal/format.h"
#include "cli/terminal/options.h"

/*  Beside those of sysexits(3): the answer is "no"                          */
#define CLI_NO 1                    // Not found, not consistent
#define CLI_INTERRUPTED 130         // As shells say of a program ended by Ctrl-C

/*  Where the rows of one answer end, by default the most a broker gives     */
#define CLI_PAGE_ROWS 1000

/*  How long to wait for an answer or an ack, where --timeout does not say   */
#define CLI_TIMEOUT_MS 5000

typedef struct {
    const char *events;             // Endpoints
    const char *requests;
    const char *feed;
    bool json;                      // Print JSON
    bool help;
    bool version;
    int64_t timeout_ms;             // 0: --timeout was not given
    cli_style_t style;              // Of stdout
    stele_client_t *client;         // That asks (ask.h)
    char *text;                     // The last answer as JSON
    bool mode_said;                 // That the ledger stands still
    int status;                     // Of the last failure, for exit
} cli_t;

typedef struct {
    const char *name;
    const char *summary;            // A few words, for the list of commands
    cli_usage_t usage;
    const cli_option_t *options;    // May be NULL
    size_t args_size;               // Of the struct that the options write to, all zero before
    size_t operands_min;
    size_t operands_max;
    int (*run) (cli_t *cli, void *args, const cli_operands_t *operands);
} cli_command_t;

extern const cli_command_t cli_cmd_publish, cli_cmd_status, cli_cmd_get, cli_cmd_list,
    cli_cmd_history, cli_cmd_outputs, cli_cmd_metrics, cli_cmd_sessions, cli_cmd_replay,
    cli_cmd_follow, cli_cmd_recover, cli_cmd_check, cli_cmd_rejected, cli_cmd_stats, cli_cmd_stuck,
    cli_cmd_ping, cli_cmd_info, cli_cmd_export, cli_cmd_import, cli_cmd_migrate, cli_cmd_mode, cli_cmd_show,
    cli_cmd_top, cli_cmd_completion;

/*  All of them, up to NULL; and the options that each one has               */
extern const cli_command_t *const cli_commands [];
extern const cli_option_t cli_global_options [];

/*  One line to stderr, "stele: ..."; whatever a broker or a task put into it is
    made safe to show.                                                       */
void
    cli_say (const char *format, ...) STELE_PRINTF (1, 2);

/*  The usage was wrong: say why and where help is. Returns EX_USAGE.        */
int
    cli_say_usage (const char *command, const char *format, ...) STELE_PRINTF (2, 3);

/*  The time-out to use: --timeout, or else 'otherwise'.                     */
int
    cli_timeout (const cli_t *self, int otherwise_ms);

/*  Bring to its reader what was printed. A reader that went away ends the program,
    quietly; a full disk ends it with EX_IOERR. Call it between pages.       */
void
    cli_flush_stdout (void);

#endif
