/*  status - stele status: the live record of a task

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/ask.h"
#include "cli/shared/page.h"
#include "cli/shared/task_page.h"
#include "cli/shared/value.h"

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    cli_task_print (self, answer);
    cli_page_line (self, "read from", cli_value_string (answer, "source"));
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    json_t *request = cli_request ("task.status");
    cli_request_id (request, "task_id", operands->items [0]);
    int status = cli_ask_and_print (self, request, s_print, NULL);
    //  While acks are held back, what producers report now is not in the answer
    if (status == EX_OK && !self->json) {
        cli_flush_stdout ();
        json_t *ingest = cli_ask_trouble (self);
        cli_report_holding (ingest);
        json_decref (ingest);
    }
    return status;
}

const cli_command_t cli_cmd_status = {
    .name = "status",
    .summary = "the live record of a task",
    .usage = {
        .usage = "stele status [OPTION]... ID",
        .about = "The live record of a task, from Redis if it is there, otherwise from the ledger. "
                 "'stele get' prints the full record.",
        .examples =
            "  stele status build-7\n"
            "  stele status build-7 --json | jq -r .task.state"
    },
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
