/*  nodes - stele nodes: the brokers that share a log

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/ask.h"
#include "cli/view/cell.h"
#include "cli/view/value.h"

#define SILENT_MS 5000              // A node notes itself once a second

static const cli_column_t s_columns [] = {
    { "NODE", CLI_CUT, 8 },
    { "ROLE", 0, 0 },
    { "EPOCH", CLI_RIGHT, 0 },
    { "BATCH", CLI_RIGHT, 0 },
    { "BEHIND", CLI_RIGHT, 0 },
    { "POSITION", CLI_RIGHT, 0 },
    { "SEEN", 0, 0 },
    { "VERSION", 0, 0 },
    { "ENDPOINTS", CLI_OPTIONAL, 0 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, const json_t *node)
{
    int64_t silent_ms = json_integer_value (json_object_get (node, "silent_ms"));
    cli_cell (table, node, "node");
    cli_cell (table, node, "role");
    cli_cell (table, node, "epoch");
    cli_cell (table, node, "number");
    cli_cell (table, node, "lag_batches");
    cli_cell (table, node, "position");
    cli_table_colour (table, silent_ms > SILENT_MS? CLI_RED: CLI_PLAIN, silent_ms > SILENT_MS?
        cli_format_age (silent_ms * 1000).text: "now");
    cli_cell (table, node, "version");
    cli_cell (table, node, "endpoints");
}

static void
s_print (const cli_t *self, const json_t *shared)
{
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    json_t *node;
    size_t i;
    json_array_foreach (json_object_get (shared, "nodes"), i, node)
        s_row (table, node);
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
    const char *trouble = cli_value_string (shared, "trouble"), *name = cli_value_string (shared, "node");
    if (trouble)
        cli_warn ("%s does not follow: %s", name, trouble);
    if (json_is_true (json_object_get (shared, "in_doubt")))
        cli_warn ("%s leads, and waits for PostgreSQL: whether its last batch was appended is not known yet", name);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args, (void) operands;
    json_t *answer = cli_ask (self, cli_request ("stats"));
    const json_t *shared = json_object_get (answer, "shared_log");
    if (!answer)
        return self->status;
    int status = json_is_object (shared)? EX_OK: EX_CONFIG;
    if (status)
        cli_report ("this broker shares no log: it has no setting shared-log");
    else
    if (self->json) {
        json_dumpf (shared, stdout, JSON_COMPACT);
        putchar ('\n');
    }
    else
        s_print (self, shared);
    json_decref (answer);
    return status;
}

const cli_command_t cli_cmd_nodes = {
    .name = "nodes",
    .summary = "the brokers that share one log",
    .usage = {
        .usage = "stele nodes [OPTION]...",
        .about =
            "List the brokers that share the log of this one (setting shared-log): which one leads, the last batch and position that "
            "each has, how many batches that is behind the end of the log, and when it was last seen. Any of them answers. A broker "
            "notes itself once per second; without PostgreSQL the list is as of the last note.",
        .after = "Exit status: 78 the broker shares no log.",
        .examples =
            "  stele nodes\n"
            "  stele nodes --json | jq -r '.nodes[] | select(.silent_ms > 60000) | .node'"
    },
    .run = s_run
};
