/*  top - stele top: a live view of the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/shared/screen.h"
#include "cli/shared/task_table.h"
#include "cli/shared/value.h"
#include "cli/terminal/text.h"

#define HEAD_LINES 7                // Lines besides the tasks
#define ROWS_WITHOUT_TERMINAL 20

typedef struct {
    int64_t interval_s, count;
} args_t;

static const cli_option_t s_options [] = {
    { "interval", 'i', "S", "update every S seconds (default: 1)", CLI_NUMBER, offsetof (args_t, interval_s), 1, NULL },
    { "count", 'n', "N", "stop after N updates", CLI_NUMBER, offsetof (args_t, count), 1, NULL },
    CLI_OPTIONS_END
};

//  Of the last update, for rates
typedef struct {
    int64_t position;
    double time_s;
} s_before_t;

static int64_t
s_number (const json_t *stats, const char *part, const char *key)
{
    return json_integer_value (json_object_get (json_object_get (stats, part), key));
}

static cli_short_t
s_ack (const json_t *stats, const char *key)
{
    const json_t *ack = json_object_get (json_object_get (stats, "ingest"), "ack_us");
    if (json_integer_value (json_object_get (ack, "count")) == 0)
        return (cli_short_t) { "-" };
    return cli_format_duration ((int64_t) json_number_value (json_object_get (ack, key)));
}

static void
s_print_head (const cli_t *self, const json_t *stats)
{
    cli_style_begin (&self->style, stdout, CLI_BOLD);
    printf ("stele top");
    cli_style_end (&self->style, stdout, CLI_BOLD);
    printf ("  ");
    cli_text_print (stdout, self->requests, strlen (self->requests), 40, CLI_CUT_MIDDLE);
    int64_t uptime_s = (int64_t) json_number_value (json_object_get (stats, "uptime_s"));
    printf ("  up %s  %s", cli_format_duration (uptime_s * 1000000).text,
        cli_format_time ((int64_t) time (NULL) * 1000000).text);
    const char *mode = cli_value_string (json_object_get (stats, "ingest"), "mode");
    if (mode && strcmp (mode, "dual") != 0) {
        bool redis = strcmp (mode, "redis") == 0;
        cli_style_begin (&self->style, stdout, redis? CLI_RED: CLI_PLAIN);
        printf ("  mode %s", mode);
        if (redis)
            printf (": %s events only in Redis", cli_format_count (s_number (stats, "ingest", "only_in_redis")).text);
        cli_style_end (&self->style, stdout, redis? CLI_RED: CLI_PLAIN);
    }
    putchar ('\n');
}

static void
s_print_ingest (const cli_t *self, const json_t *stats, s_before_t *before)
{
    int64_t position = s_number (stats, "ledger", "position");
    double now = (double) stele_clock_steady_us () / 1e6;
    printf ("events %s", cli_format_count (position).text);
    if (before->time_s > 0 && now > before->time_s)
        printf ("  %s/s", cli_format_count (
            (int64_t) ((double) (position - before->position) / (now - before->time_s))).text);
    *before = (s_before_t) { position, now };
    printf ("  ack p50 %s p99 %s", s_ack (stats, "p50").text, s_ack (stats, "p99").text);
    printf ("  refused %s", cli_format_count (s_number (stats, "ledger", "rejected")).text);
    if (json_is_true (json_object_get (json_object_get (stats, "ingest"), "holding"))) {
        cli_style_begin (&self->style, stdout, CLI_RED);
        printf ("  NO COMMITS: the ledger cannot be written");
        cli_style_end (&self->style, stdout, CLI_RED);
    }
    putchar ('\n');
}

static void
s_print_parts (const cli_t *self, const json_t *stats)
{
    const json_t *redis = json_object_get (stats, "redis");
    const char *state = cli_value_string (redis, "state");
    const json_t *producers = json_object_get (stats, "producers");
    size_t present = 0;
    for (size_t i = 0; i < json_array_size (producers); i++) {
        const char *status = cli_value_string (json_array_get (producers, i), "status");
        present += status && strcmp (status, "present") == 0;
    }
    printf ("ledger %s", cli_format_size (s_number (stats, "ledger", "size_bytes")).text);
    printf (" wal %s  redis ", cli_format_size (s_number (stats, "ledger", "wal_bytes")).text);
    bool well = state && (strcmp (state, "live") == 0 || strcmp (state, "off") == 0);
    cli_style_begin (&self->style, stdout, well? CLI_GREEN: CLI_YELLOW);
    fputs (state? state: "?", stdout);
    cli_style_end (&self->style, stdout, well? CLI_GREEN: CLI_YELLOW);
    int64_t lag = json_integer_value (json_object_get (redis, "lag_events"));
    if (lag)
        printf (" (%s events behind)", cli_format_count (lag).text);
    printf ("  producers %zu of %zu\n", present, json_array_size (producers));
}

static void
s_print_states (const cli_t *self, const json_t *stats)
{
    const json_t *tasks = json_object_get (stats, "tasks");
    printf ("tasks %s", cli_format_count (json_integer_value (json_object_get (tasks, "total"))).text);
    const char *state;
    json_t *count;
    json_object_foreach (json_object_get (tasks, "by_state"), state, count) {
        if (json_integer_value (count) == 0)
            continue;
        printf ("  ");
        cli_style_begin (&self->style, stdout, cli_style_state (state));
        fputs (state, stdout);
        cli_style_end (&self->style, stdout, cli_style_state (state));
        printf (" %s", cli_format_count (json_integer_value (count)).text);
    }
    putchar ('\n');
}

static void
s_draw (cli_t *self, cli_screen_t *screen, const json_t *stats, const json_t *tasks, s_before_t *before)
{
    cli_table_t *table = cli_table_new (cli_tasks_columns ("updated_at"), &self->style);
    cli_screen_begin (screen);
    s_print_head (self, stats);
    s_print_ingest (self, stats, before);
    s_print_parts (self, stats);
    s_print_states (self, stats);
    if (cli_screen_rows (screen, 0, INT64_MAX) > HEAD_LINES)
        putchar ('\n');
    else
        tasks = NULL;
    for (size_t i = 0; i < json_array_size (tasks); i++)
        cli_tasks_row (table, json_array_get (tasks, i), "updated_at");
    cli_table_flush (table, stdout);
    cli_screen_end (screen);
    cli_table_destroy (&table);
}

//  One update: the statistics and the tasks that changed last
static int
s_update (cli_t *self, cli_screen_t *screen, s_before_t *before)
{
    int64_t rows = cli_screen_rows (screen, HEAD_LINES, ROWS_WITHOUT_TERMINAL);
    cli_screen_ask (screen);
    json_t *stats = cli_ask (self, cli_request ("stats"));
    if (!stats)
        return self->status;
    if (self->json) {
        cli_print_answer (self);
        json_decref (stats);
        return EX_OK;
    }
    json_t *request = cli_request ("task.list");
    cli_request_text (request, "order", "updated_desc");
    json_object_set_new (request, "limit", json_integer (rows < CLI_PAGE_ROWS? rows: CLI_PAGE_ROWS));
    json_t *answer = cli_ask (self, request);
    if (answer)
        s_draw (self, screen, stats, json_object_get (answer, "tasks"), before);
    int status = answer? EX_OK: self->status;
    json_decref (answer);
    json_decref (stats);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    s_before_t before = { 0, 0 };
    cli_screen_t *screen = cli_screen_new (self);
    int status;
    int64_t drawn = 0;
    do
        status = s_update (self, screen, &before);
    while ((status == EX_OK || status == EX_UNAVAILABLE) && (args->count == 0 || ++drawn < args->count)
        && cli_screen_wait (screen, args->interval_s? args->interval_s * 1000: 1000));
    cli_screen_destroy (&screen);
    return status;
}

const cli_command_t cli_cmd_top = {
    .name = "top",
    .summary = "live view of the broker: rates, lags and the latest changes",
    .usage = {
        .usage = "stele top [OPTION]...",
        .about = "Show the number and rate of events, the latency of acks, the lag of Redis, the number of tasks "
                 "per state and the tasks that changed last; updated every second until q is pressed. If the "
                 "broker is away, wait for it.",
        .after = "If the output is not a terminal, updates are printed one after another. With --json, each update "
                 "is one line: the statistics as an object.",
        .examples =
            "  stele top\n"
            "  stele top --count 1"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
