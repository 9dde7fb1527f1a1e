/*  audit - stele audit: who changed something on the broker, and to whom access was refused

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/view/cell.h"
#include "cli/shared/pages.h"
#include "cli/shared/time_option.h"
#include "cli/view/value.h"

#define OPERATIONS "mode, recover, task.recover, task.erase, consistency.check, rejected.retry, accept-loss, access.denied, key.added, " \
    "key.revoked, key.changed"

typedef struct {
    const char *who, *operation, *outcome, *from, *to;
    int64_t limit;
    bool all;
} args_t;

static const cli_option_t s_options [] = {
    { "who", 0, "NAME", "only what the key NAME did (local: without a key)", CLI_TEXT, offsetof (args_t, who), 0, NULL },
    { "operation", 0, "NAME", "only this operation, one of " OPERATIONS,
        CLI_TEXT, offsetof (args_t, operation), 0, NULL },
    { "outcome", 0, "CODE", "only this outcome: ok, or the code of an error, e.g. unauthorized",
        CLI_TEXT, offsetof (args_t, outcome), 0, NULL },
    { "from", 0, "TIME", "only at TIME or later (" CLI_TIMES ")", CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "since", 0, "TIME", "the same as --from", CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "to", 0, "TIME", "only at TIME or earlier", CLI_CALL, offsetof (args_t, to), 0, cli_take_time },
    { "limit", 'n', "N", "list at most N events (default: 100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "all", 'a', NULL, "list all, without a limit", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", 0, 0 },
    { "WHO", CLI_CUT, 8 },
    { "FROM", CLI_OPTIONAL, 0 },
    { "OPERATION", 0, 0 },
    { "TARGET", CLI_CUT | CLI_ID | CLI_OPTIONAL, 10 },
    { "OUTCOME", 0, 0 },
    { "COUNT", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "REQUEST", CLI_CUT | CLI_ID | CLI_OPTIONAL | CLI_SPARE, 8 },
    { "IMPORTED", CLI_OPTIONAL, 0 },
    { "DETAILS", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 20 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, json_t *event, void *arg)
{
    (void) arg;
    const char *outcome = cli_value_string (event, "outcome");
    cli_cell (table, event, "id");
    cli_cell_time (table, event, "timestamp");
    cli_cell (table, event, "who");
    cli_cell (table, event, "peer");
    cli_cell (table, event, "operation");
    cli_cell (table, event, "target");
    cli_table_colour (table, outcome && strcmp (outcome, "ok") != 0? CLI_RED: CLI_PLAIN, outcome);
    cli_cell (table, event, "count");
    cli_cell (table, event, "request_id");
    cli_table_word (table, json_is_true (json_object_get (event, "imported"))? "yes": NULL);
    cli_cell (table, event, "details");
}

static bool
s_is_operation (const char *name)
{
    const char *word = OPERATIONS;
    for (size_t size; (size = strcspn (word, ", ")) > 0; word += size + strspn (word + size, ", "))
        if (strlen (name) == size && memcmp (word, name, size) == 0)
            return true;
    return false;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    if (args->all && args->limit)
        return cli_usage_error ("audit", "--all and --limit cannot be used together");
    if (args->operation && !s_is_operation (args->operation))
        return cli_usage_error ("audit", "'%s' is not an operation that is recorded; use one of " OPERATIONS, args->operation);
    json_t *request = cli_request ("audit.list");
    cli_request_text (request, "who", args->who);
    cli_request_text (request, "operation", args->operation);
    cli_request_text (request, "outcome", args->outcome);
    cli_request_time (request, "from", args->from);
    cli_request_time (request, "to", args->to);
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "events", .limit = args->all? 0: args->limit? args->limit: 100, .columns = s_columns,
        .row = s_row, .none = "no audit events match", .more = CLI_MORE_ALL
    });
}

const cli_command_t cli_cmd_audit = {
    .name = "audit",
    .summary = "who changed something on the broker, and refused access",
    .usage = {
        .usage = "stele audit [OPTION]...",
        .about = "List the audit events, newest first: changes of the mode, recoveries, repairs, retries of rejected "
                 "events, accepted losses, changes of keys, and refused access, each with who did it, from where, and "
                 "the outcome. They are events of the ledger, of the type audit.recorded.",
        .examples =
            "  stele audit --since 7d\n"
            "  stele audit --operation access.denied\n"
            "  stele audit --who local --json | jq -c '.events[] | [.timestamp, .operation, .outcome]'\n"
            "  stele follow audit.recorded/"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
