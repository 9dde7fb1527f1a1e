/*  stele - the command line of a broker: publish, ask, follow

    Global options, the list of commands, help. Each command is a file cmd_NAME.c.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/cli.h"

const cli_command_t *const cli_commands [] = {
    &cli_cmd_publish, &cli_cmd_status, &cli_cmd_get, &cli_cmd_show, &cli_cmd_list, &cli_cmd_history,
    &cli_cmd_outputs, &cli_cmd_metrics, &cli_cmd_sessions, &cli_cmd_replay, &cli_cmd_follow,
    &cli_cmd_export, &cli_cmd_import, &cli_cmd_migrate, &cli_cmd_recover, &cli_cmd_check, &cli_cmd_mode,
    &cli_cmd_rejected, &cli_cmd_stats, &cli_cmd_stuck, &cli_cmd_top, &cli_cmd_ping,
    &cli_cmd_info, &cli_cmd_completion, NULL
};

#define COMMAND_COUNT (sizeof cli_commands / sizeof cli_commands [0] - 1)

const cli_option_t cli_global_options [] = {
    { "events", 0, "EP", "endpoint to publish to (STELE_EVENTS, or " STELE_DEFAULT_EVENTS ")",
        CLI_TEXT, offsetof (cli_t, events), 0, NULL },
    { "requests", 0, "EP", "endpoint to ask (STELE_REQUESTS, or " STELE_DEFAULT_REQUESTS ")",
        CLI_TEXT, offsetof (cli_t, requests), 0, NULL },
    { "feed", 0, "EP", "endpoint to follow (STELE_FEED, or " STELE_DEFAULT_FEED ")",
        CLI_TEXT, offsetof (cli_t, feed), 0, NULL },
    { "json", 'j', NULL, "print JSON: the broker's answer, one line a page, times in RFC 3339",
        CLI_FLAG, offsetof (cli_t, json), 0, NULL },
    { "timeout", 't', "MS", "how long to wait for the broker, in milliseconds (5000)",
        CLI_NUMBER, offsetof (cli_t, timeout_ms), 1, NULL },
    { "help", 'h', NULL, "say what there is, and stop",
        CLI_FLAG, offsetof (cli_t, help), 0, NULL },
    { "version", 0, NULL, "print the version, and stop",
        CLI_FLAG, offsetof (cli_t, version), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_command_t *
s_find (const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp (cli_commands [i]->name, name) == 0)
            return cli_commands [i];
    return NULL;
}

static int
s_unknown (const char *name)
{
    const char *names [COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names [i] = cli_commands [i]->name;
    const char *nearest = cli_options_nearest (name, names, COMMAND_COUNT);
    if (nearest)
        return cli_say_usage (NULL, "there is no command '%s': did you mean '%s'?", name, nearest);
    return cli_say_usage (NULL, "there is no command '%s'", name);
}

static void
s_help (FILE *file)
{
    static const cli_usage_t usage = {
        .usage = "stele [OPTION]... COMMAND [ARGUMENT]...",
        .about = "Publish what happens to tasks to a broker (steled), and ask it what was, what is, and why."
    };
    cli_options_help (file, &usage, (const cli_group_t []) { CLI_GROUPS_END });
    fputs ("\nCommands:\n", file);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf (file, "  %-10s %s\n", cli_commands [i]->name, cli_commands [i]->summary);

    static const cli_usage_t rest = {
        .after =
            "Options may stand before or behind the command. 'stele COMMAND --help' explains one.\n"
            "\n"
            "Exit status: 0 done; 1 not found, or not consistent; 64 wrong usage; 65 some of the "
            "input was bad; 66 no such file; 69 no broker reachable, or no answer in time; 70 a fault "
            "inside; 73 the file exists already, or cannot be made; 74 reading or writing failed; "
            "75 not now: a spool still holds events, is full or in use, or another run of this "
            "producer took over; 76 not a broker of this version; 77 not allowed; 130 interrupted.",
        .examples =
            "  zstdcat runs.jsonl.zst | stele publish -\n"
            "  stele list --state failed --order updated\n"
            "  stele history build-7\n"
            "  stele follow task.state_changed/ --json | jq -r .task_id"
    };
    cli_options_help (file, &rest,
        (const cli_group_t []) { { "Options", cli_global_options, NULL }, CLI_GROUPS_END });
}

static void
s_help_command (FILE *file, const cli_command_t *command)
{
    static const cli_option_t none [] = { CLI_OPTIONS_END };
    const cli_group_t groups [] = {
        { "Options", command->options? command->options: none, NULL },
        { "Global options", cli_global_options, NULL }, CLI_GROUPS_END
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

static int
s_check_operands (const cli_command_t *command, const cli_operands_t *operands)
{
    if (operands->count < command->operands_min)
        return cli_say_usage (command->name, "something is missing: %s", command->usage.usage);
    if (operands->count > command->operands_max)
        return cli_say_usage (command->name, "%s does not take '%s'",
            command->name, operands->items [command->operands_max]);
    return EX_OK;
}

/*  Run a command with the arguments behind its name.                        */
static int
s_run (cli_t *self, const cli_command_t *command, int argc, char **argv)
{
    char error [512];
    cli_operands_t operands = { NULL, 0 };
    void *args = calloc (1, command->args_size + 1);
    assert (args);
    const cli_group_t groups [] = {
        { "Global options", cli_global_options, self },
        { command->options? "Options": NULL, command->options, args }, CLI_GROUPS_END
    };
    int status = EX_OK;
    if (cli_options_parse (groups, argc, argv, false, &operands, error, sizeof error) < 0)
        status = cli_say_usage (command->name, "%s", error);
    else
    if (self->help)
        s_help_command (stdout, command);
    else
    if (self->version)
        puts ("stele " STELE_VERSION);
    else
    if ((status = s_check_operands (command, &operands)) == EX_OK)
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
    const cli_group_t groups [] = { { "Options", cli_global_options, self }, CLI_GROUPS_END };
    int used = cli_options_parse (groups, argc - 1, argv + 1, true, NULL, error, sizeof error);
    if (used < 0)
        return cli_say_usage (NULL, "%s", error);
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
    // Texts are UTF-8, and so are their widths, also where the locale is plain C
    if (!setlocale (LC_CTYPE, "") || strcmp (nl_langinfo (CODESET), "UTF-8") != 0)
        setlocale (LC_CTYPE, "C.UTF-8");
    // The messaging library must not take over the signals of a command
    setenv ("ZSYS_SIGHANDLER", "false", 1);

    cli_t self = {
        .events = s_environment ("STELE_EVENTS", STELE_DEFAULT_EVENTS),
        .requests = s_environment ("STELE_REQUESTS", STELE_DEFAULT_REQUESTS),
        .feed = s_environment ("STELE_FEED", STELE_DEFAULT_FEED),
        .style = cli_style_of (stdout)
    };
    int status = s_main (&self, argc, argv);
    cli_flush_stdout ();
    stele_client_destroy (&self.client);
    free (self.text);
    return status;
}
