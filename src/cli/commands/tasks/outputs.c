/*  outputs - stele outputs: what a task printed or produced

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "cli/view/cell.h"
#include "cli/shared/pages.h"
#include "cli/view/value.h"
#include "cli/shared/words.h"

typedef struct {
    cli_list_t types;
    int64_t limit, tail;
    bool raw;
} args_t;

static const cli_option_t s_options [] = {
    { "type", 0, "TYPE", "only outputs of this type: stdout, stderr, log, artifact, commit or diagnostic",
        CLI_LIST, offsetof (args_t, types), 0, NULL },
    { "limit", 'n', "N", "print at most the first N outputs", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "tail", 0, "N", "print only the last N outputs", CLI_NUMBER, offsetof (args_t, tail), 1, NULL },
    { "raw", 0, NULL, "print the unchanged contents, one after another, including escape sequences",
        CLI_FLAG, offsetof (args_t, raw), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", CLI_SPARE_LATE, 0 },
    { "TYPE", 0, 0 },
    { "SIZE", CLI_RIGHT, 0 },
    { "FILE", CLI_CUT | CLI_ID | CLI_OPTIONAL | CLI_SPARE, 12 },
    { "COMMIT", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 },
    { "CONTENT", CLI_CUT, 12 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, json_t *row, void *arg)
{
    (void) arg;
    cli_cell (table, row, "id");
    cli_cell_time (table, row, "timestamp");
    cli_cell (table, row, "output_type");
    cli_cell_content_size (table, row, "content");
    cli_cell (table, row, "file_path");
    cli_cell (table, row, "commit_hash");
    cli_cell_preview (table, row, "content");
}

static void
s_row_raw (cli_t *self, json_t *row, void *arg)
{
    (void) self;
    (void) arg;
    size_t size;
    char *content = cli_value_content (json_object_get (row, "content"), &size);
    if (content)
        fwrite (content, 1, size, stdout);
    free (content);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->tail && args->limit)
        return cli_usage_error ("outputs", "--tail and --limit cannot be used together");
    self->tail = args->tail;
    if (args->raw && self->json)
        return cli_usage_error ("outputs", "--raw and --json cannot be used together");
    if (cli_check_words ("outputs", "an output type", &args->types, STELE_VOCABULARY_OUTPUT_TYPE))
        return EX_USAGE;
    json_t *request = cli_request ("task.outputs");
    cli_request_id (request, "task_id", operands->items [0]);
    cli_request_list (request, "types", &args->types);
    if (args->raw) {
        json_t *next = NULL;
        int status = cli_ask_pages (self, request, "outputs", args->limit, s_row_raw, NULL, NULL, &next);
        cli_report_more (self, next, CLI_MORE_LIMIT);
        return status;
    }
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "outputs", .limit = args->limit, .columns = s_columns, .row = s_row,
        .none = "no outputs", .more = CLI_MORE_LIMIT
    });
}

const cli_command_t cli_cmd_outputs = {
    .name = "outputs",
    .summary = "what a task printed or produced",
    .usage = {
        .usage = "stele outputs [OPTION]... ID",
        .about = "The outputs of a task, oldest first: the first line of each, or the whole contents with --raw.",
        .examples =
            "  stele outputs build-7\n"
            "  stele outputs build-7 --type stderr --raw | less -R\n"
            "  stele outputs build-7 --type artifact --limit 1 --raw > patch.diff"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
