/*  cli - definition of a subcommand of stele, and the state that all of them share

    A subcommand is one file commands/GROUP/NAME.c with one cli_command_t: its options in a
    table, its help, and the function that runs it. stele.c lists them. Results go to stdout,
    messages to stderr; the exit status is one of sysexits(3).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_H_INCLUDED
#define STELE_CLI_H_INCLUDED

#include <limits.h>
#include "stele_client.h"
#include "cli/terminal/format.h"
#include "cli/terminal/message.h"
#include "cli/terminal/options.h"

/*  Besides those of sysexits(3)                                             */
#define CLI_NO 1                    // Not found, or not consistent
#define CLI_INTERRUPTED 130         // 128 + SIGINT, as shells report it

/*  Rows requested per page: the most that a broker returns by default       */
#define CLI_PAGE_ROWS 1000

/*  How long to wait for an answer or an ack without --timeout               */
#define CLI_TIMEOUT_MS 5000

typedef struct cli cli_t;

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

struct cli {
    const char *events;             // Endpoints
    const char *requests;
    const char *feed;
    const char *key;                // File of the key to connect with; NULL: none
    bool json;                      // Print JSON
    bool help;
    bool version;
    int64_t timeout_ms;             // 0: --timeout was not given
    cli_style_t style;              // Of stdout
    stele_client_t *client;         // For requests (ask.h)
    char *text;                     // The last answer as JSON
    bool mode_reported;             // The warning about mode redis was printed
    int64_t tail;                   // Print only the last rows of a list (pages.h); 0: all
    size_t rows;                    // Of the lists that were printed (pages.h)
    int status;                     // Exit status for the last failure
    char why [640];                 // Reason of the last failure of cli_try (ask.h)
    const cli_command_t *const *commands;   // All of them, up to NULL
    const cli_option_t *options;    // The global ones
};

extern const cli_command_t cli_cmd_publish, cli_cmd_status, cli_cmd_get, cli_cmd_list,
    cli_cmd_history, cli_cmd_outputs, cli_cmd_metrics, cli_cmd_sessions, cli_cmd_replay, cli_cmd_scan,
    cli_cmd_follow, cli_cmd_erase, cli_cmd_compact, cli_cmd_recover, cli_cmd_check, cli_cmd_rejected, cli_cmd_stats, cli_cmd_stuck,
    cli_cmd_ping, cli_cmd_info, cli_cmd_export, cli_cmd_import, cli_cmd_migrate, cli_cmd_mode, cli_cmd_show,
    cli_cmd_top, cli_cmd_key, cli_cmd_completion, cli_cmd_health,
    cli_cmd_audit, cli_cmd_run, cli_cmd_token, cli_cmd_backup, cli_cmd_restore,
    cli_cmd_verify, cli_cmd_prove, cli_cmd_nodes, cli_cmd_log, cli_cmd_storage;

/*  The time-out to use: --timeout if given, else this one.                  */
static inline int
cli_timeout (const cli_t *self, int otherwise_ms)
{
    if (self->timeout_ms == 0)
        return otherwise_ms;
    return self->timeout_ms < INT_MAX? (int) self->timeout_ms: INT_MAX;
}

#endif
