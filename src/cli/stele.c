/*  stele - the command line of a broker: publish, query, follow

    Global options, the list of commands, help. Each command is a file commands/GROUP/NAME.c.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/files/descriptors.h"
#include "cli/shared/cli.h"
#include "wire/address.h"

static const cli_command_t *const s_commands [] = {
    &cli_cmd_run, &cli_cmd_publish, &cli_cmd_status, &cli_cmd_get, &cli_cmd_show, &cli_cmd_list, &cli_cmd_history,
    &cli_cmd_outputs, &cli_cmd_metrics, &cli_cmd_sessions, &cli_cmd_replay, &cli_cmd_follow,
    &cli_cmd_export, &cli_cmd_import, &cli_cmd_migrate, &cli_cmd_backup, &cli_cmd_restore, &cli_cmd_verify, &cli_cmd_prove,
    &cli_cmd_compact, &cli_cmd_erase, &cli_cmd_recover, &cli_cmd_check, &cli_cmd_mode, &cli_cmd_nodes, &cli_cmd_log,
    &cli_cmd_rejected, &cli_cmd_audit, &cli_cmd_scan, &cli_cmd_stats, &cli_cmd_storage, &cli_cmd_stuck, &cli_cmd_top, &cli_cmd_health,
    &cli_cmd_ping, &cli_cmd_info, &cli_cmd_key, &cli_cmd_token, &cli_cmd_completion, NULL
};

#define COMMAND_COUNT (sizeof s_commands / sizeof s_commands [0] - 1)

static int
s_take_zone (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    (void) target;
    if (cli_zone_set (value) == 0)
        return 0;
    snprintf (error, error_size, "--%s: '%s' is not a zone; use UTC, local, an offset such as +02:00, or a name such as "
        "Europe/Berlin", option->name, value);
    return -1;
}

static int
s_take_colour (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    cli_style_t *style = (cli_style_t *) ((char *) target + option->offset);
    if (cli_colour_set (value) == 0) {
        *style = cli_style_of (stdout);
        return 0;
    }
    snprintf (error, error_size, "--%s: '%s' is not a use of colours; use auto, always or never", option->name, value);
    return -1;
}

static const cli_option_t s_global_options [] = {
    { "events", 0, "ENDPOINTS", "endpoint to publish events to, or a list of those of several nodes, separated by commas (default: STELE_EVENTS, or " STELE_DEFAULT_EVENTS ")",
        CLI_TEXT, offsetof (cli_t, events), 0, NULL },
    { "requests", 0, "ENDPOINTS", "endpoint for requests, or a list (default: STELE_REQUESTS, or " STELE_DEFAULT_REQUESTS ")",
        CLI_TEXT, offsetof (cli_t, requests), 0, NULL },
    { "feed", 0, "ENDPOINTS", "endpoint of the feed of committed events, or a list (default: STELE_FEED, or " STELE_DEFAULT_FEED ")",
        CLI_TEXT, offsetof (cli_t, feed), 0, NULL },
    { "key", 0, "FILE", "key to connect with over tcp, as made by 'stele key new' (default: STELE_KEY, or none)",
        CLI_TEXT, offsetof (cli_t, key), 0, NULL },
    { "json", 'j', NULL, "print JSON: the answers of the broker, one line per page, times in RFC 3339",
        CLI_FLAG, offsetof (cli_t, json), 0, NULL },
    { "zone", 0, "ZONE", "show times in this zone: UTC, local, an offset (+02:00) or a name (Europe/Berlin); "
        "days in options begin there (default: UTC)", CLI_CALL, 0, 0, s_take_zone },
    { "color", 0, "WHEN", "use colours: auto (on a terminal, without NO_COLOR), always or never (default: auto)",
        CLI_CALL, offsetof (cli_t, style), 0, s_take_colour },
    { "timeout", 't', "MS", "time to wait for the broker, in milliseconds (default: 5000; if nothing listens at its endpoint: 1000)",
        CLI_NUMBER, offsetof (cli_t, timeout_ms), 1, NULL },
    { "help", 'h', NULL, "show this help and exit",
        CLI_FLAG, offsetof (cli_t, help), 0, NULL },
    { "version", 0, NULL, "print the version and exit",
        CLI_FLAG, offsetof (cli_t, version), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_command_t *
s_find (const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp (s_commands [i]->name, name) == 0)
            return s_commands [i];
    return NULL;
}

static int
s_unknown (const char *name)
{
    const char *names [COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names [i] = s_commands [i]->name;
    const char *nearest = cli_options_nearest (name, names, COMMAND_COUNT);
    if (nearest)
        return cli_usage_error (NULL, "unknown command '%s'; did you mean '%s'?", name, nearest);
    return cli_usage_error (NULL, "unknown command '%s'", name);
}

static void
s_help (FILE *file)
{
    static const cli_usage_t usage = {
        .usage = "stele [OPTION]... COMMAND [ARGUMENT]...",
        .about = "Publish events of tasks to a broker (steled), and query their current and past records."
    };
    cli_options_help (file, &usage, (const cli_group_t []) { CLI_GROUPS_END });
    fputs ("\nCommands:\n", file);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf (file, "  %-11s %s\n", s_commands [i]->name, s_commands [i]->summary);

    static const cli_usage_t rest = {
        .after =
            "Options may come before or after the command. 'stele COMMAND --help' shows the help of one.\n"
            "\n"
            "Exit status: 0 success; 1 not found, not consistent, or degraded (health); 2 down (health); 64 wrong usage; 65 some of the "
            "input was invalid; 66 no such file; 69 no broker reachable, or no answer in time; 70 internal "
            "error; 73 the file exists, or cannot be created; 74 reading or writing failed; "
            "75 temporary failure: Redis is away, or another part that the request needs; a spool still holds events, "
            "is full or in use, or another run of this producer took over; 76 incompatible broker version; 77 not "
            "allowed; 78 the broker does not use Redis, which the request needs; 130 interrupted.",
        .examples =
            "  zstdcat runs.jsonl.zst | stele publish -\n"
            "  stele list --state failed --order updated\n"
            "  stele history build-7\n"
            "  stele follow task.state_changed/ --json | jq -r .task_id"
    };
    cli_options_help (file, &rest,
        (const cli_group_t []) { { "Options", s_global_options, NULL }, CLI_GROUPS_END });
}

static void
s_help_command (FILE *file, const cli_command_t *command)
{
    static const cli_option_t none [] = { CLI_OPTIONS_END };
    const cli_group_t groups [] = {
        { "Options", command->options? command->options: none, NULL },
        { "Global options", s_global_options, NULL }, CLI_GROUPS_END
    };
    cli_options_help (file, &command->usage, groups);
}

static int
s_help_about (const char *name)
{
    if (!name || strcmp (name, "help") == 0) {
        s_help (stdout);
        return EX_OK;
    }
    const cli_command_t *command = s_find (name);
    if (!command)
        return s_unknown (name);
    s_help_command (stdout, command);
    return EX_OK;
}

//  Endpoints, or lists of them, of the options, the environment or the defaults
static int
s_check_endpoints (const cli_t *self, const cli_command_t *command)
{
    const struct { const char *name, *endpoint; } all [] = {
        { "--events (STELE_EVENTS)", self->events }, { "--requests (STELE_REQUESTS)", self->requests },
        { "--feed (STELE_FEED)", self->feed }
    };
    for (size_t i = 0; i < sizeof all / sizeof all [0]; i++) {
        const char *list = all [i].endpoint;
        char *endpoint;
        do {
            stele_address_t address;
            stele_refusal_t refusal;
            endpoint = stele_address_take (&list);
            int code = stele_address_parse (&address, all [i].name, endpoint? endpoint: "", false, &refusal);
            free (endpoint);
            if (code)
                return cli_usage_error (command->name, "%s", refusal.message);
        } while (*list);
    }
    return EX_OK;
}

static int
s_check_operands (const cli_command_t *command, const cli_operands_t *operands)
{
    //  The usage line ends with the name of the argument
    if (operands->count < command->operands_min)
        return cli_usage_error (command->name, "missing argument: %s", strrchr (command->usage.usage, ' ') + 1);
    if (operands->count > command->operands_max)
        return cli_usage_error (command->name, "unexpected argument '%s'", operands->items [command->operands_max]);
    return EX_OK;
}

//  Run a command with the arguments after its name
static int
s_run (cli_t *self, const cli_command_t *command, int argc, char **argv)
{
    char error [512];
    cli_operands_t operands = { .items = NULL };
    void *args = stele_memory_new (command->args_size);
    //  An option of the command comes before a global one of the same name
    static const cli_option_t none [] = { CLI_OPTIONS_END };
    const cli_group_t groups [] = {
        { "Options", command->options? command->options: none, args },
        { "Global options", s_global_options, self }, CLI_GROUPS_END
    };
    int status = EX_OK;
    if (cli_options_parse (groups, argc, argv, false, &operands, error, sizeof error) < 0)
        status = cli_usage_error (command->name, "%s", error);
    else
    if (self->help)
        s_help_command (stdout, command);
    else
    if (self->version)
        puts ("stele " STELE_VERSION);
    else
    if ((status = s_check_operands (command, &operands)) == EX_OK
    &&  (status = s_check_endpoints (self, command)) == EX_OK)
        status = command->run (self, args, &operands);
    cli_options_clear (groups);
    cli_operands_clear (&operands);
    free (args);
    return status;
}

static int
s_main (cli_t *self, int argc, char **argv)
{
    char error [512];
    const cli_group_t groups [] = { { "Options", s_global_options, self }, CLI_GROUPS_END };
    int used = cli_options_parse (groups, argc - 1, argv + 1, true, NULL, error, sizeof error);
    if (used < 0)
        return cli_usage_error (NULL, "%s", error);
    const char *name = argv [1 + used];
    argc -= used + 2;
    argv += used + 2;
    if (self->version) {
        puts ("stele " STELE_VERSION);
        return EX_OK;
    }
    if (!name && !self->help) {
        s_help (stderr);
        return EX_USAGE;
    }
    if (!name || strcmp (name, "help") == 0)
        return s_help_about (name && argc > 0? argv [0]: NULL);
    const cli_command_t *command = s_find (name);
    return command? s_run (self, command, argc, argv): s_unknown (name);
}

static const char *
s_environment (const char *name, const char *otherwise)
{
    const char *value = getenv (name);
    return value && *value? value: otherwise;
}

int
main (int argc, char **argv)
{
    //  Before anything opens a file
    cli_descriptors_open ();
    //  A file that reached its limit is an error of a call
    signal (SIGXFSZ, SIG_IGN);
    //  Texts are UTF-8 in every locale, so their widths must be those of UTF-8
    if (!setlocale (LC_CTYPE, "") || strcmp (nl_langinfo (CODESET), "UTF-8") != 0)
        setlocale (LC_CTYPE, "C.UTF-8");
    //  The messaging library must not handle the signals of a command
    setenv ("ZSYS_SIGHANDLER", "false", 1);

    cli_t self = {
        .events = s_environment ("STELE_EVENTS", STELE_DEFAULT_EVENTS),
        .requests = s_environment ("STELE_REQUESTS", STELE_DEFAULT_REQUESTS),
        .feed = s_environment ("STELE_FEED", STELE_DEFAULT_FEED),
        .key = s_environment ("STELE_KEY", NULL),
        .style = cli_style_of (stdout),
        .commands = s_commands,
        .options = s_global_options
    };
    for (int i = 1; i < argc && strcmp (argv [i], "--"); i++)
        if (strcmp (argv [i], "--json") == 0 || strcmp (argv [i], "-j") == 0)
            cli_message_json ();
    int status = s_main (&self, argc, argv);
    cli_flush_stdout ();
    cli_message_end (status);
    stele_client_destroy (&self.client);
    free (self.text);
    return status;
}
