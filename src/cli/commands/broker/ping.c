/*  ping - stele ping: check that a broker answers, and how fast

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/view/value.h"

//  The answer, with the keys of 'stats' that show whether events are acked now
static void
s_print_json (json_t *answer, const json_t *ingest)
{
    static const char *const keys [] = { "mode", "holding", "trouble" };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++)
        if (json_object_get (ingest, keys [i]))
            json_object_set (answer, keys [i], json_object_get (ingest, keys [i]));
    json_dumpf (answer, stdout, JSON_COMPACT);
    putchar ('\n');
    cli_flush_stdout ();
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    (void) operands;
    int64_t start = stele_clock_steady_us ();
    self->mode_reported = true;         // See below
    json_t *answer = cli_ask (self, cli_request ("ping"));
    if (!answer)
        return self->status;
    int64_t time_us = stele_clock_steady_us () - start;
    json_t *ingest = cli_ask_trouble (self);
    if (self->json) {
        s_print_json (answer, ingest);
        json_decref (ingest);
        json_decref (answer);
        return EX_OK;
    }
    printf ("%s answered in %s, position %s\n", self->requests, cli_format_duration (time_us).text,
        cli_format_count (json_integer_value (json_object_get (answer, "position"))).text);
    const char *mode = cli_value_string (ingest, "mode");
    cli_report_holding (ingest);
    if (mode && strcmp (mode, "redis") == 0)
        cli_warn ("the broker is in mode redis: persistence is off. 'stele health' has more");
    json_decref (ingest);
    json_decref (answer);
    return EX_OK;
}

const cli_command_t cli_cmd_ping = {
    .name = "ping",
    .summary = "check that a broker answers, and how fast",
    .usage = {
        .usage = "stele ping [OPTION]...",
        .about = "Send a request to the broker and print how long the answer took, including the time to connect. "
                 "Report on stderr if acks are held back, or persistence is off (mode redis).",
        .after = "Exit status: 0 if the broker answers, whatever its state; 'stele health' judges that.",
        .examples =
            "  stele ping\n"
            "  until stele ping --timeout 1000; do :; done    # wait for a broker"
    },
    .run = s_run
};
