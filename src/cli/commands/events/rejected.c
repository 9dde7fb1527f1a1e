/*  rejected - stele rejected: refused events, and the reasons

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "cli/view/cell.h"
#include "cli/shared/pages.h"
#include "cli/view/value.h"

typedef struct {
    const char *producer;
    int64_t retry, limit;
    bool all;
} args_t;

static const cli_option_t s_options [] = {
    { "producer", 0, "NAME", "list only events of this producer", CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "all", 'a', NULL, "also list events that a retry has accepted", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    { "limit", 'n', "N", "list at most the first N events", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "retry", 0, "N", "submit rejected event number N again, as if it arrived now",
        CLI_NUMBER, offsetof (args_t, retry), 1, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "NUMBER", CLI_RIGHT, 0 },
    { "TIME", 0, 0 },
    { "PRODUCER", CLI_CUT | CLI_ID, 10 },
    { "SEQUENCE", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "CODE", 0, 0 },
    { "TYPE", CLI_OPTIONAL, 0 },
    { "SUBJECT", CLI_CUT | CLI_ID | CLI_OPTIONAL, 10 },
    { "RETRIED", CLI_OPTIONAL, 0 },
    { "MESSAGE", CLI_CUT, 20 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, json_t *row, void *arg)
{
    (void) arg;
    const json_t *event = json_object_get (row, "event");
    cli_cell (table, row, "id");
    cli_cell_time (table, row, "time");
    cli_cell (table, row, "producer");
    cli_cell (table, row, "sequence");
    cli_cell (table, row, "code");
    cli_cell (table, event, "type");
    cli_cell (table, event, json_object_get (event, "task_id")? "task_id": "session_id");
    cli_cell_time (table, row, "retried_at");
    cli_cell (table, row, "message");
}

//  Not accepted: print the reason. Returns the exit status.
static int
s_report_reason (const json_t *refusal)
{
    const char *code = cli_value_string (refusal, "code");
    const char *message = cli_value_string (refusal, "message");
    if (code && strcmp (code, "not_found") == 0) {
        cli_report ("%s", message? message: code);
        return CLI_NO;
    }
    cli_report ("refused again: %s: %s", code? code: "internal", message? message: "");
    return EX_DATAERR;
}

static int
s_retry (cli_t *self, int64_t number)
{
    json_t *request = cli_request ("rejected.retry");
    json_object_set_new (request, "id", json_integer (number));
    json_t *answer = cli_ask (self, request);
    if (!answer)
        return self->status;
    const json_t *rejected = json_object_get (answer, "rejected");
    int status = EX_OK;
    if (self->json)
        cli_print_answer (self);
    if (json_array_size (rejected))
        status = s_report_reason (json_array_get (rejected, 0));
    else
    if (!self->json)
        printf ("%" PRId64 " accepted\n", number);
    json_decref (answer);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    if (args->retry)
        return s_retry (self, args->retry);
    json_t *request = cli_request ("rejected.list");
    cli_request_text (request, "producer", args->producer);
    if (!args->all)
        json_object_set_new (request, "open", json_true ());
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "rejected", .limit = args->limit, .columns = s_columns, .row = s_row,
        .none = "no rejected events", .more = CLI_MORE_LIMIT
    });
}

const cli_command_t cli_cmd_rejected = {
    .name = "rejected",
    .summary = "refused events, and the reasons",
    .usage = {
        .usage = "stele rejected [OPTION]...\nstele rejected --retry N",
        .about = "An event that is malformed or breaks a rule is refused, and kept with the reason. If it became "
                 "valid later, for example because its task was created since, submit it again with --retry.",
        .examples =
            "  stele rejected --producer nightly\n"
            "  stele rejected --json | jq -c '.rejected[].event'\n"
            "  stele rejected --retry 12"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
