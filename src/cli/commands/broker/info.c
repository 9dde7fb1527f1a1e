/*  info - stele info: versions, ledger, limits and endpoints

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/ask.h"
#include "cli/view/page.h"

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    json_object_del (answer, "ok");
    cli_page_heading (self, "Broker at", self->requests);
    cli_page_sections (self, answer);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    (void) operands;
    return cli_ask_and_print (self, cli_request ("info"), s_print, NULL);
}

const cli_command_t cli_cmd_info = {
    .name = "info",
    .summary = "versions, ledger, limits and endpoints of a broker",
    .usage = {
        .usage = "stele info [OPTION]...",
        .about = "Print the version of the broker and those of its libraries, the ID of its ledger, its limits "
                 "and its endpoints.",
        .examples =
            "  stele info\n"
            "  stele info --json | jq .limits"
    },
    .run = s_run
};
