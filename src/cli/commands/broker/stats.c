/*  stats - stele stats: counts, rates, latencies, lags and sizes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/view/cell.h"
#include "cli/view/owner.h"
#include "cli/view/findings.h"
#include "cli/view/page.h"
#include "cli/view/prometheus.h"
#include "cli/view/series_table.h"
#include "cli/shared/time_option.h"
#include "cli/view/value.h"

#define METRICS_MS 5000
#define PRODUCERS_MAX 20            // Shown; --json prints all

//  Move a member of the answer to its end: this puts the sections in order
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
        "search", "rollup", "segments", "seal", "consistency", "recovery"
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections [0]; i++)
        s_move_to_end (answer, sections [i]);
}

static void
s_drop_buckets_of (json_t *histogram)
{
    json_object_del (histogram, "sum");
    json_object_del (histogram, "buckets");
}

//  They are for monitoring: people read the percentiles
static void
s_drop_buckets (json_t *answer)
{
    const char *op;
    json_t *counts;
    s_drop_buckets_of (json_object_get (json_object_get (answer, "ingest"), "ack_us"));
    json_object_foreach (json_object_get (json_object_get (answer, "requests"), "by_op"), op, counts)
        s_drop_buckets_of (counts);
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

//  In the order of the answer: present ones first, then the last heard
static void
s_print_producers (const cli_t *self, const json_t *producers, int64_t total)
{
    size_t count = json_array_size (producers);
    if (count == 0)
        return;
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    for (size_t i = 0; i < count && i < PRODUCERS_MAX; i++) {
        const json_t *producer = json_array_get (producers, i);
        cli_cell (table, producer, "producer");
        cli_cell (table, producer, "sequence");
        cli_table_word (table, cli_owner_status (producer));
        cli_table_word (table, cli_owner_silence (producer).text);
        cli_table_word (table, cli_owner_lease (producer).text);
        cli_cell (table, producer, "instance");
    }
    putchar ('\n');
    cli_table_flush (table, stdout);
    int64_t shown = count < PRODUCERS_MAX? (int64_t) count: PRODUCERS_MAX;
    if (total > shown)
        printf ("not shown: %s. --json prints the first 1,000, --producer NAME any other\n",
            cli_format_counted (total - shown, "producer").text);
    cli_table_destroy (&table);
}

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    json_t *producers = json_incref (json_object_get (answer, "producers"));
    json_object_del (answer, "producers");
    int64_t total = json_integer_value (json_object_get (answer, "producers_total"));
    json_object_del (answer, "producers_total");
    json_object_del (answer, "ok");
    s_order (answer);
    s_drop_buckets (answer);
    cli_page_heading (self, "Broker at", self->requests);
    cli_page_sections (self, answer);
    s_print_producers (self, producers, total);
    json_decref (producers);
}

//  -- by group, between two times ----------------------------------------------------------

typedef struct {
    const char *by, *from, *to, *over, *step, *producer;
    int64_t limit;
    bool prometheus;
} args_t;

static const cli_option_t s_options [] = {
    { "producer", 0, "NAME", "print the state of this producer instead", CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "by", 'b', "WHAT", "report tasks by state, role, provider, model, hour, day or error; with --over, by state, role, provider, "
        "model or fingerprint (of failures)", CLI_TEXT, offsetof (args_t, by), 0, NULL },
    { "over", 0, "TIME", "report what happened per minute, hour or day since TIME, such as 7d",
        CLI_CALL, offsetof (args_t, over), 0, cli_take_time },
    { "step", 0, "STEP", "with --over, count per minute, hour or day (default: by the length of that time)",
        CLI_TEXT, offsetof (args_t, step), 0, NULL },
    { "from", 0, "TIME", "with --by, count only what happened at TIME or later (" CLI_TIMES ")",
        CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "since", 0, "TIME", "the same as --from", CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "to", 0, "TIME", "with --by or --over, count only what happened at TIME or earlier", CLI_CALL, offsetof (args_t, to), 0, cli_take_time },
    { "prometheus", 0, NULL, "print metrics in the text format of Prometheus, for the textfile collector of node_exporter", CLI_FLAG,
        offsetof (args_t, prometheus), 0, NULL },
    { "limit", 'n', "N", "with --by, print at most N groups (default: 100; with --over: 20)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_group_columns [] = {
    { "GROUP", CLI_CUT, 16 },
    { "TASKS", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "CREATED", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "COMPLETED", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "FAILED", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "WAIT P50", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "P90", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "P99", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "RUN P50", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "P90", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "P99", CLI_RIGHT | CLI_OPTIONAL, 0 },
    CLI_COLUMNS_END
};

static void
s_cell_spread (cli_table_t *table, const json_t *group, const char *key)
{
    static const char *const ranks [] = { "p50", "p90", "p99" };
    const json_t *spread = json_object_get (group, key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get (spread, ranks [i]);
        if (json_is_integer (value))
            cli_cell_duration (table, json_integer_value (value));
        else
            cli_table_word (table, NULL);
    }
}

static void
s_print_groups (cli_t *self, json_t *answer, void *arg)
{
    const char *by = arg;
    const json_t *groups = json_object_get (answer, "groups");
    cli_table_t *table = cli_table_new (s_group_columns, &self->style);
    for (size_t i = 0; i < json_array_size (groups); i++) {
        const json_t *group = json_array_get (groups, i);
        const json_t *name = json_object_get (group, by);
        if (json_is_integer (name))
            cli_table_word (table, cli_format_time (json_integer_value (name)).text);
        else
        if (json_is_string (name))
            cli_table_text (table, json_string_value (name), json_string_length (name));
        else
            cli_table_word (table, "(none)");
        cli_cell (table, group, "tasks");
        cli_cell (table, group, "created");
        cli_cell (table, group, "completed");
        cli_cell (table, group, "failed");
        s_cell_spread (table, group, "queue_us");
        s_cell_spread (table, group, "run_us");
    }
    if (cli_table_rows (table) == 0)
        fputs ("no tasks in that time\n", stderr);
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
    if (json_integer_value (json_object_get (answer, "left_out")))
        fprintf (stderr, "%s more groups exist: raise --limit\n",
            cli_format_count (json_integer_value (json_object_get (answer, "left_out"))).text);
    if (json_is_false (json_object_get (answer, "complete")))
        fputs ("incomplete: not all tasks could be read in time; choose a shorter period\n", stderr);
}

//  'words' ends with NULL
static bool
s_is_one_of (const char *word, const char *const words [])
{
    for (size_t i = 0; words [i]; i++)
        if (strcmp (word, words [i]) == 0)
            return true;
    return false;
}

static int
s_report (cli_t *self, const args_t *args)
{
    static const char *const groups [] = { "state", "role", "provider", "model", "hour", "day", "error", NULL };
    if (!s_is_one_of (args->by, groups))
        return cli_usage_error ("stats",
            "'%s' is not a grouping; use state, role, provider, model, hour, day or error", args->by);
    json_t *request = cli_request ("stats.tasks");
    cli_request_text (request, "group_by", args->by);
    cli_request_time (request, "from", args->from);
    cli_request_time (request, "to", args->to);
    if (args->limit)
        json_object_set_new (request, "limit", json_integer (args->limit));
    return cli_ask_and_print (self, request, s_print_groups, (void *) args->by);
}

//  -- over time --------------------------------------------------------------------------

static void
s_print_series (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    cli_series_print (answer, &self->style);
}

static int
s_series (cli_t *self, const args_t *args)
{
    static const char *const groups [] = { "state", "role", "provider", "model", "fingerprint", NULL };
    static const char *const steps [] = { "minute", "hour", "day", NULL };
    if (args->from)
        return cli_usage_error ("stats", "--from cannot be used together with --over: --over TIME says since when");
    if (args->by && !s_is_one_of (args->by, groups))
        return cli_usage_error ("stats",
            "'%s' is not a grouping over time; use state, role, provider, model or fingerprint", args->by);
    if (args->step && !s_is_one_of (args->step, steps))
        return cli_usage_error ("stats", "'%s' is not a step; use minute, hour or day", args->step);
    json_t *request = cli_request ("stats.series");
    cli_request_time (request, "from", args->over);
    cli_request_time (request, "to", args->to);
    cli_request_text (request, "by", args->by);
    cli_request_text (request, "step", args->step);
    if (args->limit)
        json_object_set_new (request, "limit", json_integer (args->limit));
    return cli_ask_and_print (self, request, s_print_series, NULL);
}

static void
s_print_producer (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    const json_t *producer = json_object_get (answer, "producer");
    char life [CLI_OWNER_TEXT];
    cli_page_heading (self, "Producer", cli_value_string (producer, "producer"));
    cli_page_line (self, "status", cli_owner_status (producer));
    cli_page_line (self, "", cli_owner_life (producer, life));
    cli_page_field (self, "sequence", producer, "sequence");
    cli_page_field (self, "instance", producer, "instance");
}

//  Without an answer, stele_up is 0: a file of old numbers would look healthy
static int
s_print_metrics (cli_t *self)
{
    int code = 0, timeout_ms = cli_timeout (self, METRICS_MS);
    json_t *stats = cli_try (self, cli_request ("stats"), timeout_ms, &code);
    json_t *findings = stats? cli_findings (stats, stele_clock_us ()): json_array ();
    if (!stats)
        cli_finding_add (findings, "no_answer", CLI_LEVEL_DOWN, stele_clock_us (), -1, "", "%s", stele_error_text (code));
    cli_prometheus_print (stdout, false, stats, findings);
    cli_flush_stdout ();
    int status = stats? 0: cli_report_failure (self, code, timeout_ms);
    json_decref (findings);
    json_decref (stats);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    if (args->producer && (args->by || args->over || args->step || args->from || args->to || args->limit))
        return cli_usage_error ("stats", "--producer cannot be used together with --by, --over and their options");
    if (args->producer) {
        json_t *request = cli_request ("producer.get");
        cli_request_text (request, "producer", args->producer);
        return cli_ask_and_print (self, request, s_print_producer, NULL);
    }
    if (args->prometheus)
        return args->by || args->over? cli_usage_error ("stats", "--prometheus cannot be used together with --by or --over"):
            s_print_metrics (self);
    if (args->over)
        return s_series (self, args);
    if (args->step)
        return cli_usage_error ("stats", "--step needs --over");
    if (args->by)
        return s_report (self, args);
    if (args->from || args->to || args->limit)
        return cli_usage_error ("stats", "--from, --to and --limit need --by");
    return cli_ask_and_print (self, cli_request ("stats"), s_print, NULL);
}

const cli_command_t cli_cmd_stats = {
    .name = "stats",
    .summary = "counts, rates, latencies, lags and sizes of a broker",
    .usage = {
        .usage = "stele stats [OPTION]...",
        .after = "With --by, report tasks between two times instead: how many exist, were created, completed and "
                 "failed, and how long they waited and ran (percentiles 50, 90 and 99).\n"
                 "With --over, report what happened per minute, hour or day since a time, or since then per group: these "
                 "numbers are counted as events arrive, so a year is reported as quickly as a day.",
        .about = "How the broker is doing: tasks by state, role and provider; contents of the ledger; lag of "
                 "Redis; latency of acks; producers; results of the last recovery and the last check.",
        .examples =
            "  stele stats\n"
            "  stele stats --json | jq .redis.lag_events\n"
            "  stele stats --by role --from 2026-01-01T00:00:00Z\n"
            "  stele stats --by error -n 20\n"
            "  stele stats --over 7d\n"
            "  stele stats --over 30d --by fingerprint\n"
            "  stele stats --producer nightly\n"
            "  stele stats --prometheus >stele.prom.new && mv stele.prom.new /var/lib/node_exporter/stele.prom\n"
            "  watch -n 2 stele stats"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
