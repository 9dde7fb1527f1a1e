/*  top - stele top: a live view of the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/view/screen.h"
#include "cli/view/task_table.h"
#include "cli/view/value.h"
#include "cli/terminal/text.h"

#define HEAD_LINES 7                // Lines besides the tasks
#define ROWS_WITHOUT_TERMINAL 20
#define ASK_MS 1000                 // For an answer, before the view reports that there is none
#define SAMPLES 32
#define WINDOW_US 10000000          // Of the rates

typedef struct {
    int64_t interval_s, count;
} args_t;

static const cli_option_t s_options [] = {
    { "interval", 'i', "S", "update every S seconds (default: 1)", CLI_NUMBER, offsetof (args_t, interval_s), 1, NULL },
    { "count", 'n', "N", "stop after N updates", CLI_NUMBER, offsetof (args_t, count), 1, NULL },
    CLI_OPTIONS_END
};

//  -- rates --------------------------------------------------------------------------

//  Counters of the last updates: a rate is the difference of two of them, never an average since the
//  start of the broker
typedef struct {
    int64_t time_us [SAMPLES], position [SAMPLES], commits [SAMPLES];
    size_t count;                   // Ever; the ring holds the last ones
} s_rates_t;

typedef struct {
    cli_t *cli;
    cli_screen_t *screen;
    s_rates_t rates;
    json_t *stats, *tasks;          // The last answers; NULL: none yet
    int64_t answered_us, asked_us;  // Steady clock: last answer, and first question
    int64_t drawn_rows;             // Tasks that were requested
    bool failing;                   // The last question was not answered
} s_top_t;

static int64_t
s_number (const json_t *stats, const char *part, const char *key)
{
    return json_integer_value (json_object_get (json_object_get (stats, part), key));
}

static void
s_note_rates (s_rates_t *self, const json_t *stats, int64_t now_us)
{
    size_t slot = self->count++ % SAMPLES;
    self->time_us [slot] = now_us;
    self->position [slot] = s_number (stats, "ledger", "position");
    self->commits [slot] = s_number (stats, "ledger", "commits");
}

//  Per second, over the last updates within the window; -1: one update is not enough
static int64_t
s_rate (const s_rates_t *self, const int64_t *counters)
{
    if (self->count < 2)
        return -1;
    size_t newest = (self->count - 1) % SAMPLES, oldest = (self->count - 2) % SAMPLES;
    for (size_t back = 3; back <= self->count && back <= SAMPLES; back++) {
        size_t slot = (self->count - back) % SAMPLES;
        if (self->time_us [newest] - self->time_us [slot] > WINDOW_US)
            break;
        oldest = slot;
    }
    int64_t time_us = self->time_us [newest] - self->time_us [oldest];
    int64_t added = counters [newest] - counters [oldest];
    return time_us > 0 && added >= 0? (int64_t) ((double) added * 1e6 / (double) time_us + 0.5): -1;
}

//  -- lines, cut at the last column -------------------------------------------------------

typedef struct {
    const cli_style_t *style;
    size_t used;
} s_line_t;

static void
s_put (s_line_t *self, cli_colour_t colour, const char *format, ...) STELE_PRINTF (3, 4);

static void
s_put (s_line_t *self, cli_colour_t colour, const char *format, ...)
{
    char text [512];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    size_t left = self->style->width? self->style->width - self->used: sizeof text;
    if (self->style->width && self->used >= self->style->width)
        return;
    cli_style_begin (self->style, stdout, colour);
    self->used += cli_text_print (stdout, text, strlen (text), left, CLI_CUT_END);
    cli_style_end (self->style, stdout, colour);
}

static void
s_put_rate (s_line_t *line, const char *unit, int64_t rate)
{
    if (rate >= 0)
        s_put (line, CLI_PLAIN, "  %s %s/s", cli_format_count (rate).text, unit);
}

static cli_short_t
s_ack (const json_t *stats, const char *key)
{
    const json_t *ack = json_object_get (json_object_get (stats, "ingest"), "ack_us");
    if (json_integer_value (json_object_get (ack, "count")) == 0)
        return (cli_short_t) { "-" };
    return cli_format_duration ((int64_t) json_number_value (json_object_get (ack, key)));
}

//  Where, and how old this view is
static void
s_print_head (const s_top_t *self)
{
    s_line_t line = { &self->cli->style, 0 };
    int64_t now_us = stele_clock_steady_us ();
    s_put (&line, CLI_BOLD, "stele top");
    if (!self->stats)
        s_put (&line, self->failing? CLI_RED: CLI_PLAIN, "  no answer yet, %s; retrying",
            cli_format_age (now_us - self->asked_us).text);
    else
    if (self->failing)
        s_put (&line, CLI_RED, "  NO ANSWER for %s: this is the last view",
            cli_format_age (now_us - self->answered_us).text);
    else
        s_put (&line, CLI_PLAIN, "  %s ago", cli_format_age (now_us - self->answered_us).text);
    s_put (&line, CLI_PLAIN, "  %s", cli_format_time (stele_clock_us ()).text);
    if (self->stats)
        s_put (&line, CLI_PLAIN, "  up %s", cli_format_age (
            json_integer_value (json_object_get (self->stats, "uptime_s")) * 1000000).text);
    s_put (&line, CLI_DIM, "  %s", self->cli->requests);
    putchar ('\n');
}

static void
s_print_ingest (const s_top_t *self)
{
    s_line_t line = { &self->cli->style, 0 };
    const char *mode = cli_value_string (json_object_get (self->stats, "ingest"), "mode");
    const json_t *log = json_object_get (self->stats, "shared_log");
    const char *role = cli_value_string (log, "role");
    if (json_is_true (json_object_get (json_object_get (self->stats, "ingest"), "holding")))
        s_put (&line, CLI_RED, "ACKS ARE HELD BACK: %s  ", json_is_true (json_object_get (log, "in_doubt"))?
            "PostgreSQL does not confirm an append": "the ledger cannot be written");
    if (role)
        s_put (&line, CLI_PLAIN, "%s  ", role);
    if (json_integer_value (json_object_get (log, "lag_batches")))
        s_put (&line, CLI_YELLOW, "%s behind  ", cli_format_duration (json_integer_value (json_object_get (log, "lag_ms")) * 1000).text);
    if (mode && strcmp (mode, "redis") == 0)
        s_put (&line, CLI_RED, "mode redis: %s only in Redis  ",
            cli_format_counted (s_number (self->stats, "ingest", "only_in_redis"), "event").text);
    else
    if (mode && strcmp (mode, "dual") != 0)
        s_put (&line, CLI_PLAIN, "mode %s  ", mode);
    s_put (&line, CLI_PLAIN, "events %s", cli_format_count (s_number (self->stats, "ledger", "position")).text);
    s_put_rate (&line, "events", s_rate (&self->rates, self->rates.position));
    s_put_rate (&line, "commits", s_rate (&self->rates, self->rates.commits));
    s_put (&line, CLI_PLAIN, "  refused %s", cli_format_count (s_number (self->stats, "ledger", "rejected")).text);
    s_put (&line, CLI_PLAIN, "  ack since start p50 %s p99 %s", s_ack (self->stats, "p50").text,
        s_ack (self->stats, "p99").text);
    putchar ('\n');
}

static void
s_print_parts (const s_top_t *self)
{
    s_line_t line = { &self->cli->style, 0 };
    const json_t *redis = json_object_get (self->stats, "redis");
    const char *state = cli_value_string (redis, "state");
    const json_t *producers = json_object_get (self->stats, "producers");
    size_t present = 0;
    for (size_t i = 0; i < json_array_size (producers); i++) {
        const char *status = cli_value_string (json_array_get (producers, i), "status");
        present += status && strcmp (status, "present") == 0;
    }
    s_put (&line, CLI_PLAIN, "ledger %s", cli_format_size (s_number (self->stats, "ledger", "size_bytes")).text);
    s_put (&line, CLI_PLAIN, " wal %s", cli_format_size (s_number (self->stats, "ledger", "wal_bytes")).text);
    if (s_number (self->stats, "disk", "size_bytes"))
        s_put (&line, CLI_PLAIN, " free %s", cli_format_size (s_number (self->stats, "disk", "free_bytes")).text);
    bool well = state && (strcmp (state, "live") == 0 || strcmp (state, "off") == 0);
    s_put (&line, CLI_PLAIN, "  redis ");
    s_put (&line, well? CLI_GREEN: CLI_YELLOW, "%s", state? state: "?");
    int64_t lag = json_integer_value (json_object_get (redis, "lag_events"));
    if (lag)
        s_put (&line, CLI_PLAIN, " (%s behind)", cli_format_counted (lag, "event").text);
    s_put (&line, CLI_PLAIN, "  producers %zu of %zu", present, json_array_size (producers));
    putchar ('\n');
}

static void
s_print_states (const s_top_t *self)
{
    s_line_t line = { &self->cli->style, 0 };
    const json_t *tasks = json_object_get (self->stats, "tasks");
    s_put (&line, CLI_PLAIN, "tasks %s", cli_format_count (json_integer_value (json_object_get (tasks, "total"))).text);
    const char *state;
    json_t *count;
    json_object_foreach (json_object_get (tasks, "by_state"), state, count) {
        if (json_integer_value (count) == 0)
            continue;
        s_put (&line, CLI_PLAIN, "  ");
        s_put (&line, cli_style_state (state), "%s", state);
        s_put (&line, CLI_PLAIN, " %s", cli_format_count (json_integer_value (count)).text);
    }
    putchar ('\n');
}

static void
s_draw (const s_top_t *self)
{
    cli_screen_ask (self->screen);          // The size of the terminal may have changed
    cli_screen_begin (self->screen);
    s_print_head (self);
    if (self->stats) {
        s_print_ingest (self);
        s_print_parts (self);
        s_print_states (self);
        int64_t room = cli_screen_rows (self->screen, HEAD_LINES, self->drawn_rows);
        cli_table_t *table = cli_table_new (cli_tasks_columns ("updated_at"), &self->cli->style);
        for (size_t i = 0; i < json_array_size (self->tasks) && (int64_t) i < room; i++)
            cli_tasks_row (table, json_array_get (self->tasks, i), "updated_at");
        if (cli_screen_rows (self->screen, 0, INT64_MAX) > HEAD_LINES) {
            putchar ('\n');
            cli_table_flush (table, stdout);
        }
        cli_table_destroy (&table);
    }
    cli_screen_end (self->screen);
}

//  -- updates ---------------------------------------------------------------------------

//  Ask for the statistics and the tasks that changed last. Keeps the last answers if there is none.
static int
s_update (s_top_t *self)
{
    cli_t *cli = self->cli;
    int code, timeout_ms = cli_timeout (cli, ASK_MS);
    json_t *stats = cli_try (cli, cli_request ("stats"), timeout_ms, &code);
    self->failing = !stats;
    if (!stats)
        return code;
    if (cli->json) {
        cli_print_answer (cli);
        json_decref (stats);
        return 0;
    }
    self->answered_us = stele_clock_steady_us ();
    s_note_rates (&self->rates, stats, self->answered_us);
    json_decref (self->stats);
    self->stats = stats;
    self->drawn_rows = cli_screen_rows (self->screen, HEAD_LINES, ROWS_WITHOUT_TERMINAL);
    json_t *request = cli_request ("task.list");
    cli_request_text (request, "order", "updated_desc");
    json_object_set_new (request, "limit", json_integer (self->drawn_rows < CLI_PAGE_ROWS? self->drawn_rows: CLI_PAGE_ROWS));
    json_t *answer = cli_try (cli, request, timeout_ms, &code);
    if (answer) {
        json_decref (self->tasks);
        self->tasks = json_incref (json_object_get (answer, "tasks"));
    }
    json_decref (answer);
    return 0;
}

//  Wait for the next update. On a terminal the age of the view is redrawn every second.
static bool
s_wait (s_top_t *self, int64_t wait_ms)
{
    int64_t until_ms = stele_clock_steady_ms () + wait_ms;
    for (;;) {
        int64_t left_ms = until_ms - stele_clock_steady_ms ();
        if (left_ms < 0)
            left_ms = 0;
        if (!cli_screen_wait (self->screen, left_ms < 1000 || !isatty (STDOUT_FILENO)? left_ms: 1000))
            return false;
        if (stele_clock_steady_ms () >= until_ms)
            return true;
        if (!self->cli->json)
            s_draw (self);
    }
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    s_top_t top = { .cli = self, .screen = cli_screen_new (self), .asked_us = stele_clock_steady_us () };
    int code = 0;
    int64_t drawn = 0;
    if (isatty (STDOUT_FILENO) && !self->json)
        s_draw (&top);                      // Something at once: the first answer may take long
    bool waits = true, ended = false;
    while (waits && !ended) {
        code = s_update (&top);
        if (!self->json)
            s_draw (&top);
        waits = (code == 0 || code == STELE_ETIMEOUT || code == STELE_EUNAVAILABLE)
            && (args->count == 0 || ++drawn < args->count);
        ended = waits && !s_wait (&top, args->interval_s? args->interval_s * 1000: 1000);
    }
    cli_screen_destroy (&top.screen);
    json_decref (top.stats);
    json_decref (top.tasks);
    //  The user ended it: a broker that is away is no failure of the command
    return code && !ended? cli_report_failure (self, code, cli_timeout (self, ASK_MS)): EX_OK;
}

const cli_command_t cli_cmd_top = {
    .name = "top",
    .summary = "live view of the broker: rates, lags and the latest changes",
    .usage = {
        .usage = "stele top [OPTION]...",
        .about = "Show the number and rate of events (over the last 10 seconds), the latency of acks since the start, "
                 "the lag of Redis, the number of tasks per state and the tasks that changed last; updated every second "
                 "until q is pressed. The first line shows how old the view is. If the broker is away, wait for it.",
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
