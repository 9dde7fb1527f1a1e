/*  mode - stele mode: show or set what acks wait for

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/ask.h"
#include "cli/shared/value.h"

#define SWITCH_MS 60000             // Leaving mode redis commits its events first

static void
s_print (const json_t *answer)
{
    const char *mode = cli_value_string (answer, "mode");
    printf ("%s\n", mode? mode: "");
    if (mode && strcmp (mode, "redis") == 0)
        cli_report ("PERSISTENCE IS OFF: acks wait for Redis only; %s events are not in the ledger. "
            "'stele mode dual' writes them to the ledger",
            cli_format_count (json_integer_value (json_object_get (answer, "only_in_redis"))).text);
}

static bool
s_is_mode (const char *word)
{
    return strcmp (word, "dual") == 0 || strcmp (word, "sqlite") == 0 || strcmp (word, "redis") == 0;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) arguments;
    if (operands->count && !s_is_mode (operands->items [0]))
        return cli_usage_error ("mode", "'%s' is not a mode; use dual, sqlite or redis", operands->items [0]);
    json_t *request = cli_request ("mode");
    if (operands->count)
        cli_request_text (request, "mode", operands->items [0]);
    json_t *answer = cli_ask_long (self, request, SWITCH_MS);
    if (!answer)
        return self->status;
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
        .usage = "stele mode [dual|sqlite|redis]",
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
            "here lasts until the broker restarts; the setting 'mode' is the one that it starts with.",
        .examples =
            "  stele mode\n"
            "  stele mode redis\n"
            "  stele mode dual"
    },
    .operands_max = 1,
    .run = s_run
};
