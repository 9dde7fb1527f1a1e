/*  recover - stele recover: rebuild the live state in Redis from the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/ask.h"
#include "cli/view/page.h"
#include "cli/view/task_page.h"

#define RECOVER_TIMEOUT_MS 600000   // A million tasks take a while

typedef struct {
    bool active, all;
} args_t;

static const cli_option_t s_options [] = {
    { "active", 0, NULL, "rebuild the live records of all unfinished tasks", CLI_FLAG, offsetof (args_t, active), 0, NULL },
    { "all", 0, NULL, "rebuild the live records of all unfinished tasks, and of finished tasks that Redis still keeps",
        CLI_FLAG, offsetof (args_t, all), 0, NULL },
    CLI_OPTIONS_END
};

static void
s_print_task (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    cli_task_print (self, answer);
}

static void
s_print_scope (const cli_t *self, json_t *answer)
{
    json_object_del (answer, "ok");
    json_object_del (answer, "position");
    cli_page_members (self, answer);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    int scopes = (operands->count != 0) + args->active + args->all;
    if (scopes != 1)
        return cli_usage_error ("recover", scopes? "use only one of ID, --active or --all":
            "missing argument: ID, --active or --all");
    if (operands->count) {
        json_t *request = cli_request ("task.recover");
        cli_request_id (request, "task_id", operands->items [0]);
        int status = cli_ask_and_print (self, request, s_print_task, NULL);
        return status == EX_OK? EX_OK: cli_redis_status (self);
    }
    json_t *request = cli_request ("recover");
    cli_request_text (request, "scope", args->all? "all": "active");
    json_t *answer = cli_ask_long (self, request, RECOVER_TIMEOUT_MS);
    if (!answer)
        return cli_redis_status (self);
    if (self->json)
        cli_print_answer (self);
    else
        s_print_scope (self, answer);
    json_decref (answer);
    return EX_OK;
}

const cli_command_t cli_cmd_recover = {
    .name = "recover",
    .summary = "rebuild the live state in Redis from the ledger",
    .usage = {
        .usage = "stele recover [OPTION]... ID\nstele recover [OPTION]... --active | --all",
        .about = "Rebuild the live record of one task, or of many, in Redis from the ledger. The broker does this "
                 "automatically; use this to force it.",
        .after = "Exit status: 75 if Redis is away, 78 if the broker does not use Redis, 69 if no broker answers.",
        .examples =
            "  stele recover build-7\n"
            "  stele recover --active"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
