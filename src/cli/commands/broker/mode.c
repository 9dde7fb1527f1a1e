/*  mode - stele mode: show or set what acks wait for

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cli/shared/ask.h"
#include "cli/view/value.h"

#define SWITCH_MS 60000             // Leaving mode redis commits its events first

typedef struct {
    bool yes;
} args_t;

static const cli_option_t s_options [] = {
    { "yes", 'y', NULL, "set mode redis without a question", CLI_FLAG, offsetof (args_t, yes), 0, NULL },
    CLI_OPTIONS_END
};

//  Mode redis weakens the acks of every producer: ask first
static int
s_confirm (void)
{
    char line [16];
    if (!isatty (STDIN_FILENO))
        return cli_usage_error ("mode", "mode redis switches persistence off for every producer: acks then wait for "
            "Redis only, and acked events are only as safe as Redis is. Confirm with --yes");
    fputs ("Mode redis switches persistence off for every producer of this broker: acks then wait for Redis only, and\n"
        "acked events are only as safe as Redis is. Feed, lists and histories stop until 'stele mode dual'.\n"
        "Set mode redis? [y/N] ", stderr);
    if (fgets (line, sizeof line, stdin)
    && (strcasecmp (line, "y\n") == 0 || strcasecmp (line, "yes\n") == 0))
        return EX_OK;
    cli_report ("the mode was not changed");
    return CLI_NO;
}

static void
s_print (const json_t *answer)
{
    const char *mode = cli_value_string (answer, "mode");
    printf ("%s\n", mode? mode: "");
    if (mode && strcmp (mode, "redis") == 0)
        cli_warn ("PERSISTENCE IS OFF: acks wait for Redis only; %s not in the ledger. "
            "'stele mode dual' writes them to the ledger",
            cli_format_counted (json_integer_value (json_object_get (answer, "only_in_redis")), "event").text);
}

static bool
s_is_mode (const char *word)
{
    return strcmp (word, "dual") == 0 || strcmp (word, "sqlite") == 0 || strcmp (word, "redis") == 0;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (operands->count && !s_is_mode (operands->items [0]))
        return cli_usage_error ("mode", "'%s' is not a mode; use dual, sqlite or redis", operands->items [0]);
    if (operands->count && strcmp (operands->items [0], "redis") == 0 && !args->yes) {
        int status = s_confirm ();
        if (status)
            return status;
    }
    json_t *request = cli_request ("mode");
    if (operands->count)
        cli_request_text (request, "mode", operands->items [0]);
    json_t *answer = cli_ask_long (self, request, SWITCH_MS);
    if (!answer)
        return operands->count && strcmp (operands->items [0], "redis") == 0? cli_redis_status (self): self->status;
    if (self->json)
        cli_print_answer (self);
    else
        s_print (answer);
    json_decref (answer);
    return EX_OK;
}

const cli_command_t cli_cmd_mode = {
    .name = "mode",
    .summary = "show or set what acks wait for",
    .usage = {
        .usage = "stele mode [OPTION]... [dual|sqlite|redis]",
        .about =
            "Show what acks wait for, or switch it while the broker runs.\n"
            "\n"
            "dual: the ledger, on stable storage; Redis is updated afterwards. The default.\n"
            "sqlite: the ledger, on stable storage; Redis is not used.\n"
            "redis: Redis only. PERSISTENCE IS OFF: the ledger is not written, and the feed, lists and histories "
            "are not updated. Acked events are only as safe as Redis is.",
        .after =
            "Switching back from redis commits all acked events to the ledger, with their history and the positions "
            "in their acks. Stopping the broker does the same, and so does the next start after a crash. A mode set "
            "here lasts until the broker restarts; the setting 'mode' is the one that it starts with.\n"
            "\n"
            "Mode redis asks for confirmation first. If stdin is not a terminal, it needs --yes. Exit status: 1 if the "
            "question was not answered with yes.",
        .examples =
            "  stele mode\n"
            "  stele mode redis --yes\n"
            "  stele mode dual"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
