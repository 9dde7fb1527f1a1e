/*  get - stele get: the full record of a task, now or at an earlier time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/ask.h"
#include "cli/shared/task_page.h"
#include "cli/shared/time_option.h"

typedef struct {
    const char *at;
} args_t;

static const cli_option_t s_options [] = {
    { "at", 0, "WHEN", "the record as of WHEN: a position (after that event) or a time (" CLI_TIMES ")",
        CLI_CALL, offsetof (args_t, at), 0, cli_take_time },
    CLI_OPTIONS_END
};

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    cli_task_print (self, answer);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    json_t *request = cli_request ("task.get");
    cli_request_id (request, "task_id", operands->items [0]);
    cli_request_time (request, "at", args->at);
    return cli_ask_and_print (self, request, s_print, NULL);
}

const cli_command_t cli_cmd_get = {
    .name = "get",
    .summary = "the full record of a task, now or at an earlier time",
    .usage = {
        .usage = "stele get [OPTION]... ID",
        .about = "Everything known about a task: what it should do, its state, who works on it, its times and "
                 "errors.",
        .examples =
            "  stele get build-7\n"
            "  stele get build-7 --at 2026-01-31T23:59:59Z\n"
            "  stele get build-7 --at 1200 --json | jq .task.state"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
