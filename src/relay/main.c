/*  main - stele-relay: options and commands

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "cli/files/descriptors.h"
#include "cli/terminal/options.h"
#include "relay/commands.h"
#include "relay/run.h"
#include "relay/post.h"
#include "relay/status.h"
#include "stele_library.h"

typedef struct {
    const char *config;
    bool check_config, json, version, help;
    int64_t timeout_ms;
} s_args_t;

static const cli_option_t s_options [] = {
    { "config", 'c', "FILE", "Read the targets and the other settings from FILE (default: " STELE_RELAY_CONFIG_FILE ").", CLI_TEXT,
        offsetof (s_args_t, config), 0, NULL },
    { "check-config", 0, NULL, "Check the file, and exit: status 0, or 78 with the reason.", CLI_FLAG, offsetof (s_args_t, check_config),
        0, NULL },
    { "json", 'j', NULL, "status and dead list: print JSON.", CLI_FLAG, offsetof (s_args_t, json), 0, NULL },
    { "timeout", 't', "MS", "status and metrics: time to wait for each answer of the broker, in milliseconds (default: 5000).", CLI_NUMBER,
        offsetof (s_args_t, timeout_ms), 1, NULL },
    { "version", 'V', NULL, "Print the version and exit.", CLI_FLAG, offsetof (s_args_t, version), 0, NULL },
    { "help", 'h', NULL, "Show this help and exit.", CLI_FLAG, offsetof (s_args_t, help), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_usage_t s_usage = {
    "stele-relay [OPTION]...\n"
    "stele-relay [OPTION]... status|metrics|secret\n"
    "stele-relay [OPTION]... dead list|retry|drop TARGET [POSITION|all]\n"
    "stele-relay [OPTION]... enable TARGET\n"
    "stele-relay [OPTION]... reset TARGET now|beginning|POSITION",
    "Deliver the events of a Stele broker to other systems: webhooks that are signed, and traces of OpenTelemetry. Every event "
    "is delivered at least once, and those of one task in their order. Without a command it runs until SIGTERM or SIGINT. It is a client "
    "of the broker, and may be restarted at any time.\n"
    "Commands: status (how far each target is), metrics (the same for Prometheus), secret (print a new secret for a webhook), dead (list, "
    "retry or drop events that could not be delivered), enable (send to a target again that answered 410), reset (begin after a "
    "position).",
    "stele-relay(8) describes the file, what is sent, and the signature.",
    "  umask 077; stele-relay secret > /etc/stele/ci.secret\n"
    "  stele-relay --config relay.conf\n"
    "  stele-relay status\n"
    "  stele-relay dead retry ci all\n"
};

//  The file is fine: so are those that it names?
static int
s_check_files (const relay_settings_t *settings)
{
    stele_refusal_t refusal;
    int rc = 0;
    for (size_t i = 0; i < settings->count && rc == 0; i++) {
        relay_poster_t poster = { 0 };
        rc = relay_poster_open (&poster, &settings->targets [i], &refusal);
        relay_poster_clear (&poster);
    }
    if (rc != 0)
        fprintf (stderr, "stele-relay: %s\n", refusal.message);
    return rc == 0? EX_OK: EX_CONFIG;
}

static int
s_with_settings (const s_args_t *args, const cli_operands_t *operands)
{
    relay_settings_t settings = { 0 };
    stele_refusal_t refusal;
    const char *command = operands->count > 0? operands->items [0]: NULL;
    int status;
    if (relay_settings_load (&settings, args->config, &refusal) != 0) {
        fprintf (stderr, "stele-relay: %s\n", refusal.message);
        status = EX_CONFIG;
    }
    else
    if (args->check_config)
        status = s_check_files (&settings);
    else
    if (!command)
        status = relay_run (&settings);
    else
    if (operands->count == 1 && strcmp (command, "status") == 0)
        status = relay_status_print (&settings, args->json, args->timeout_ms);
    else
    if (operands->count == 1 && strcmp (command, "metrics") == 0)
        status = relay_status_metrics (&settings, args->timeout_ms);
    else
        status = relay_command (&settings, operands, args->json);
    relay_settings_clear (&settings);
    return status;
}

int
main (int argc, char **argv)
{
    s_args_t args = { .config = STELE_RELAY_CONFIG_FILE, .timeout_ms = 5000 };
    const cli_group_t groups [] = { { "Options", s_options, &args }, CLI_GROUPS_END };
    cli_operands_t operands = { 0 };
    char error [256];
    int status = EX_OK;
    cli_descriptors_open ();
    signal (SIGPIPE, SIG_IGN);
    if (cli_options_parse (groups, argc - 1, argv + 1, false, &operands, error, sizeof error) < 0) {
        fprintf (stderr, "stele-relay: %s\nTry 'stele-relay --help'.\n", error);
        status = EX_USAGE;
    }
    else
    if (args.help)
        cli_options_help (stdout, &s_usage, groups);
    else
    if (args.version)
        puts ("stele-relay " STELE_VERSION);
    else
    if (operands.count == 1 && strcmp (operands.items [0], "secret") == 0)
        relay_secret_make (stdout);
    else
        status = s_with_settings (&args, &operands);
    cli_operands_clear (&operands);
    return status;
}
