/*  ping - stele ping: check that a broker answers, and how fast

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "cli/shared/ask.h"

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    (void) operands;
    int64_t start = stele_clock_steady_us ();
    json_t *answer = cli_ask (self, cli_request ("ping"));
    if (!answer)
        return self->status;
    if (self->json)
        cli_print_answer (self);
    else
        printf ("%s answered in %s, position %s\n", self->requests,
            cli_format_duration (stele_clock_steady_us () - start).text,
            cli_format_count (json_integer_value (json_object_get (answer, "position"))).text);
    json_decref (answer);
    return EX_OK;
}

const cli_command_t cli_cmd_ping = {
    .name = "ping",
    .summary = "check that a broker answers, and how fast",
    .usage = {
        .usage = "stele ping [OPTION]...",
        .about = "Send a request to the broker and print how long the answer took, including the time to connect.",
        .examples =
            "  stele ping\n"
            "  until stele ping --timeout 1000; do :; done    # wait for a broker"
    },
    .run = s_run
};
