/*  stuck - stele stuck: running tasks that have gone silent

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/shared/pages.h"
#include "cli/shared/task_table.h"

typedef struct {
    int64_t silent_s, limit;
} args_t;

static const cli_option_t s_options [] = {
    { "silent", 's', "S", "report tasks without an event for more than S seconds (default: 300)", CLI_NUMBER, offsetof (args_t, silent_s), 1, NULL },
    { "limit", 'n', "N", "list at most N tasks (default: 100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    CLI_OPTIONS_END
};

static void
s_row (cli_table_t *table, json_t *task, void *arg)
{
    (void) arg;
    cli_tasks_row (table, task, "updated_at");
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    json_t *request = cli_request ("task.stuck");
    if (args->silent_s)
        json_object_set_new (request, "silent_s", json_integer (args->silent_s));
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "tasks", .limit = args->limit? args->limit: 100, .columns = cli_tasks_columns ("updated_at"),
        .row = s_row, .none = "no task is stuck", .more = "raise --limit"
    });
}

const cli_command_t cli_cmd_stuck = {
    .name = "stuck",
    .summary = "running tasks that have gone silent",
    .usage = {
        .usage = "stele stuck [OPTION]...",
        .about = "Tasks in state running with no event for more than S seconds, longest silence first.",
        .examples =
            "  stele stuck\n"
            "  stele stuck --silent 3600 --json | jq -r '.tasks[].task_id'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
