/*  mode - stele mode: what an ack waits for

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/ask.h"
#include "cli/shared/value.h"

#define SWITCH_MS 60000             // What was only in Redis is committed

static void
s_print (const json_t *answer)
{
    const char *mode = cli_value_string (answer, "mode");
    printf ("%s\n", mode? mode: "");
    if (mode && strcmp (mode, "redis") == 0)
        cli_say ("PERSISTENCE IS OFF: acks wait for Redis only; %s events are not in the ledger. "
            "'stele mode dual' brings them there",
            cli_format_count (json_integer_value (json_object_get (answer, "only_in_redis"))).text);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) arguments;
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
    .summary = "what an ack waits for: tell it, or set it",
    .usage = {
        .usage = "stele mode [dual|sqlite|redis]",
        .about =
            "Say what the broker's acks wait for, or switch it while it runs.\n"
            "\n"
            "dual: the ledger, on stable storage; Redis follows. The default.\n"
            "sqlite: the same, and Redis is left alone.\n"
            "redis: Redis only. PERSISTENCE IS OFF: the ledger is not written, and the feed, lists and histories "
            "stand still. What is acked is as safe as that Redis is.",
        .after =
            "On the way back from redis everything that was acked is committed to the ledger, with its history and the "
            "positions that the acks said. A stop does that too, and after a crash the next start. Until a restart; the "
            "setting 'mode' says what a broker starts with.",
        .examples =
            "  stele mode\n"
            "  stele mode redis\n"
            "  stele mode dual"
    },
    .operands_max = 1,
    .run = s_run
};
