/*  series_table - counts per minute, hour or day (stats.series) as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/terminal/sparkline.h"
#include "cli/view/cell.h"
#include "cli/view/series_table.h"
#include "cli/view/value.h"

#define TREND_COLUMNS 30

#define COUNT_COLUMNS \
    { "CREATED", CLI_RIGHT, 0 }, \
    { "STARTED", CLI_RIGHT, 0 }, \
    { "PASSED", CLI_RIGHT, 0 }, \
    { "FAILED", CLI_RIGHT, 0 }, \
    { "CANCELLED", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "INTERRUPTED", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "REJECTED", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "WAIT P50", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "P99", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 }, \
    { "RUN P50", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "P99", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 }, \
    { "TOKENS IN", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 }, \
    { "OUT", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 }, \
    { "COST", CLI_RIGHT | CLI_OPTIONAL, 0 }

static const cli_column_t s_step_columns [] = { { "TIME", 0, 0 }, COUNT_COLUMNS, CLI_COLUMNS_END };
static const cli_column_t s_group_columns [] = {
    { "GROUP", CLI_CUT, 16 }, COUNT_COLUMNS, { "CREATED OVER TIME", 0, 0 }, CLI_COLUMNS_END
};
static const cli_column_t s_state_columns [] = {
    { "STATE", 0, 0 }, { "TIMES", CLI_RIGHT, 0 }, { "OVER TIME", 0, 0 }, CLI_COLUMNS_END
};
static const cli_column_t s_failure_columns [] = {
    { "FAILURE", CLI_CUT, 20 }, { "TIMES", CLI_RIGHT, 0 }, { "FIRST", CLI_SPARE, 0 }, { "LAST", 0, 0 },
    { "LAST TASK", CLI_CUT | CLI_ID, 12 }, { "OVER TIME", 0, 0 }, CLI_COLUMNS_END
};

//  -- cells -------------------------------------------------------------------------------

//  Empty if it is zero or absent
static void
s_cell_some (cli_table_t *table, const json_t *map, const char *key)
{
    double number;
    if (cli_value_number (json_object_get (map, key), &number) && number != 0)
        cli_cell (table, map, key);
    else
        cli_table_word (table, NULL);
}

static void
s_cell_sum (cli_table_t *table, const json_t *map, const char *key, int decimals)
{
    double number;
    char text [40] = "";
    if (cli_value_number (json_object_get (map, key), &number) && number != 0)
        snprintf (text, sizeof text, "%.*f", decimals, number);
    cli_table_word (table, *text? text: NULL);
}

static void
s_cell_spread (cli_table_t *table, const json_t *counts, const char *key)
{
    const json_t *spread = json_object_get (counts, key);
    static const char *const ranks [] = { "p50", "p99" };
    for (int i = 0; i < 2; i++) {
        const json_t *value = json_object_get (spread, ranks [i]);
        if (value)
            cli_cell_duration (table, json_integer_value (value));
        else
            cli_table_word (table, NULL);
    }
}

static void
s_cells_of_counts (cli_table_t *table, const json_t *counts)
{
    const json_t *ended = json_object_get (counts, "ended");
    cli_cell (table, counts, "created");
    cli_cell (table, counts, "started");
    cli_cell (table, ended, "passed");
    cli_cell (table, counts, "failed");
    s_cell_some (table, ended, "cancelled");
    s_cell_some (table, counts, "interrupted");
    s_cell_some (table, counts, "rejected");
    s_cell_spread (table, counts, "wait_us");
    s_cell_spread (table, counts, "run_us");
    s_cell_sum (table, counts, "tokens_in", 0);
    s_cell_sum (table, counts, "tokens_out", 0);
    s_cell_sum (table, counts, "cost", 2);
}

//  One number per step from the first to the last of the answer, also of steps without a point
static void
s_cell_trend (cli_table_t *table, const json_t *answer, const json_t *series, const char *key)
{
    int64_t from = 0, to = 0, time = 0, step = json_integer_value (json_object_get (answer, "step_us"));
    cli_value_time (answer, "from", &from);
    cli_value_time (answer, "to", &to);
    size_t count = step > 0 && to > from? (size_t) ((to - from) / step): 0, i;
    double *values = stele_memory_new ((count + 1) * sizeof *values);
    const json_t *point;
    json_array_foreach (json_object_get (series, "points"), i, point)
        if (cli_value_time (point, "time", &time) && time >= from && time < to)
            cli_value_number (json_object_get (point, key), &values [(time - from) / step]);
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream (&text, &size);
    assert (file);
    cli_sparkline_print (file, values, count, TREND_COLUMNS);
    fclose (file);
    cli_table_text (table, text, strcspn (text, "\n"));
    free (text);
    free (values);
}

//  -- tables ------------------------------------------------------------------------------

static cli_table_t *
s_by_step (const json_t *answer, const cli_style_t *style)
{
    cli_table_t *table = cli_table_new (s_step_columns, style);
    const json_t *series = json_array_get (json_object_get (answer, "series"), 0), *points = json_object_get (series, "points");
    const json_t *point;
    size_t i;
    json_array_foreach (points, i, point) {
        cli_cell_time (table, point, "time");
        s_cells_of_counts (table, point);
    }
    if (json_array_size (points) > 1) {
        cli_table_word (table, "total");
        s_cells_of_counts (table, json_object_get (series, "total"));
    }
    return table;
}

static void
s_cell_name (cli_table_t *table, const json_t *series, const char *by)
{
    const json_t *name = json_object_get (series, by);
    if (json_is_string (name))
        cli_table_text (table, json_string_value (name), json_string_length (name));
    else
        cli_table_word (table, json_is_true (json_object_get (series, "other"))? "(other)": "(none)");
}

static void
s_add_group (cli_table_t *table, const json_t *answer, const json_t *series, const char *by)
{
    const json_t *total = json_object_get (series, "total");
    bool is_failure = strcmp (by, "fingerprint") == 0, is_state = strcmp (by, "state") == 0;
    s_cell_name (table, series, by);
    if (!is_failure && !is_state) {
        s_cells_of_counts (table, total);
        s_cell_trend (table, answer, series, "created");
        return;
    }
    cli_cell (table, total, "count");
    if (is_failure) {
        const json_t *task = json_array_get (json_object_get (series, "tasks"), 0);
        cli_cell_time (table, series, "first");
        cli_cell_time (table, series, "last");
        cli_table_word (table, json_string_value (task));
    }
    s_cell_trend (table, answer, series, "count");
}

static cli_table_t *
s_by_group (const json_t *answer, const cli_style_t *style, const char *by)
{
    cli_table_t *table = cli_table_new (strcmp (by, "fingerprint") == 0? s_failure_columns:
        strcmp (by, "state") == 0? s_state_columns: s_group_columns, style);
    const json_t *series;
    size_t i;
    json_array_foreach (json_object_get (answer, "series"), i, series)
        if (json_array_size (json_object_get (series, "points")))
            s_add_group (table, answer, series, by);
    return table;
}

void
cli_series_print (const json_t *answer, const cli_style_t *style)
{
    const char *by = cli_value_string (answer, "by");
    cli_table_t *table = by? s_by_group (answer, style, by): s_by_step (answer, style);
    if (cli_table_rows (table) == 0)
        fputs ("nothing happened in that time\n", stderr);
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
    int64_t left_out = json_integer_value (json_object_get (answer, "left_out"));
    int64_t lag = json_integer_value (json_object_get (answer, "lag_events")), from = 0, since = 0;
    if (left_out)
        fprintf (stderr, "%s more groups are in (other): raise --limit\n", cli_format_count (left_out).text);
    if (cli_value_time (answer, "from", &from) && cli_value_time (answer, "since", &since) && since > from && since > 0
    &&  strcmp (cli_value_string (answer, "step"), "day") != 0)
        fprintf (stderr, "%ss are kept since %s: use a longer --step for the time before\n",
            cli_value_string (answer, "step"), cli_format_time (since).text);
    if (strcmp (cli_value_string (answer, "state"), "building") == 0)
        fprintf (stderr, "incomplete: %s are not counted yet\n", cli_format_counted (lag, "event").text);
}
