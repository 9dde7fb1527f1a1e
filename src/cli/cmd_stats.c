/*  cmd_stats - stele stats: counts, rates, latencies, lags, sizes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/ask.h"
#include "cli/page.h"
#include "cli/value.h"

#define PRODUCERS_MAX 20            // Of all there ever were; --json has all that the answer has

/*  Move a member of the answer to its end, so that the sections come in the order
    in which people look for them                                            */
static void
s_move_to_end (json_t *answer, const char *key)
{
    json_t *value = json_incref (json_object_get (answer, key));
    json_object_del (answer, key);
    if (value)
        json_object_set_new (answer, key, value);
}

static void
s_order (json_t *answer)
{
    static const char *const sections [] = {
        "tasks", "sessions", "ledger", "redis", "ingest", "requests", "feed", "pipeline",
        "consistency", "recovery"
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections [0]; i++)
        s_move_to_end (answer, sections [i]);
}

static const cli_column_t s_columns [] = {
    { "PRODUCER", CLI_CUT | CLI_ID, 12 },
    { "SEQUENCE", CLI_RIGHT, 0 },
    { "STATUS", 0, 0 },
    { "SILENT", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "LEASE", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "INSTANCE", CLI_CUT | CLI_OPTIONAL, 8 },
    CLI_COLUMNS_END
};

static void
s_cell_ms (cli_table_t *table, const json_t *record, const char *key)
{
    int64_t ms = json_integer_value (json_object_get (record, key));
    cli_table_word (table, ms? cli_format_duration (ms * 1000).text: NULL);
}

static void
s_print_producers (const cli_t *self, const json_t *producers)
{
    size_t count = json_array_size (producers);
    if (count == 0)
        return;
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    for (size_t i = 0; i < count && i < PRODUCERS_MAX; i++) {
        const json_t *producer = json_array_get (producers, i);
        cli_cell (table, producer, "producer");
        cli_cell (table, producer, "sequence");
        cli_cell (table, producer, "status");
        s_cell_ms (table, producer, "silent_ms");
        s_cell_ms (table, producer, "lease_ms");
        cli_cell (table, producer, "instance");
    }
    putchar ('\n');
    cli_table_flush (table, stdout);
    if (count > PRODUCERS_MAX)
        printf ("and %zu more producers\n", count - PRODUCERS_MAX);
    cli_table_destroy (&table);
}

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    json_t *producers = json_incref (json_object_get (answer, "producers"));
    json_object_del (answer, "producers");
    json_object_del (answer, "ok");
    s_order (answer);
    cli_page_heading (self, "Broker at", self->requests);
    cli_page_sections (self, answer);
    s_print_producers (self, producers);
    json_decref (producers);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    (void) operands;
    return cli_ask_and_print (self, cli_request ("stats"), s_print, NULL);
}

const cli_command_t cli_cmd_stats = {
    .name = "stats",
    .summary = "counts, rates, latencies, lags and sizes of a broker",
    .usage = {
        .usage = "stele stats [OPTION]...",
        .about = "How the broker does: tasks by state, role and provider; what the ledger holds; how far "
                 "Redis is behind; how long acks take; who publishes; what the last recovery and the last "
                 "check found.",
        .examples =
            "  stele stats\n"
            "  stele stats --json | jq .redis.lag_events\n"
            "  watch -n 2 stele stats"
    },
    .run = s_run
};
