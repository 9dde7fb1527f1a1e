/*  metrics - stele metrics: metrics recorded for a task

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/view/cell.h"
#include "cli/shared/pages.h"

typedef struct {
    cli_list_t names;
    int64_t limit, tail;
} args_t;

static const cli_option_t s_options [] = {
    { "name", 0, "NAME", "only metrics with this name", CLI_LIST, offsetof (args_t, names), 0, NULL },
    { "limit", 'n', "N", "print at most the first N values", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "tail", 0, "N", "print only the last N values", CLI_NUMBER, offsetof (args_t, tail), 1, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", CLI_SPARE_LATE, 0 },
    { "METRIC", CLI_CUT, 12 },
    { "VALUE", CLI_RIGHT, 0 },
    { "UNIT", CLI_CUT | CLI_OPTIONAL, 6 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, json_t *row, void *arg)
{
    (void) arg;
    cli_cell (table, row, "id");
    cli_cell_time (table, row, "timestamp");
    cli_cell (table, row, "name");
    cli_cell (table, row, "value");
    cli_cell (table, row, "unit");
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->tail && args->limit)
        return cli_usage_error ("metrics", "--tail and --limit cannot be used together");
    self->tail = args->tail;
    json_t *request = cli_request ("task.metrics");
    cli_request_id (request, "task_id", operands->items [0]);
    cli_request_list (request, "names", &args->names);
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "metrics", .limit = args->limit, .columns = s_columns, .row = s_row,
        .none = "no metrics", .more = CLI_MORE_LIMIT
    });
}

const cli_command_t cli_cmd_metrics = {
    .name = "metrics",
    .summary = "metrics recorded for a task",
    .usage = {
        .usage = "stele metrics [OPTION]... ID",
        .about = "The metrics of a task, oldest first.",
        .examples =
            "  stele metrics build-7\n"
            "  stele metrics build-7 --name output_tokens --json | jq '[.metrics[].value] | add'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
