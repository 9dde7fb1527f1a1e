/*  stuck - stele stuck: running tasks that nothing was heard of for long

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/ask.h"
#include "cli/shared/task_table.h"

typedef struct {
    int64_t silent_s, limit;
} args_t;

static const cli_option_t s_options [] = {
    { "silent", 's', "S", "silent for longer than S seconds (300)", CLI_NUMBER, offsetof (args_t, silent_s), 1, NULL },
    { "limit", 'n', "N", "at most N tasks (100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    CLI_OPTIONS_END
};

static void
s_row (cli_t *self, json_t *task, void *arg)
{
    (void) self;
    cli_tasks_row (arg, task, "updated_at");
}

static void
s_page (cli_t *self, json_t *answer, void *arg)
{
    (void) self;
    (void) answer;
    cli_table_flush (arg, stdout);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    json_t *request = cli_request ("task.stuck");
    if (args->silent_s)
        json_object_set_new (request, "silent_s", json_integer (args->silent_s));
    cli_table_t *table = cli_tasks_table ("updated_at", &self->style);
    json_t *next = NULL;
    int status = cli_ask_pages (self, request, "tasks", args->limit? args->limit: 100, s_row, s_page, table, &next);
    if (status == EX_OK && !self->json && cli_table_rows (table) == 0)
        fputs ("no such tasks\n", stderr);
    cli_say_more (self, next, "--limit N");
    cli_table_destroy (&table);
    return status;
}

const cli_command_t cli_cmd_stuck = {
    .name = "stuck",
    .summary = "running tasks that nothing was heard of for long",
    .usage = {
        .usage = "stele stuck [OPTION]...",
        .about = "Tasks in state running whose last event of any kind is longer ago than that, the longest "
                 "silent first.",
        .examples =
            "  stele stuck\n"
            "  stele stuck --silent 3600 --json | jq -r '.tasks[].task_id'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
