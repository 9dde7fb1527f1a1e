/*  show - stele show: everything about one task on one page

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/shared/ask.h"
#include "cli/view/cell.h"
#include "cli/view/page.h"
#include "cli/view/task_page.h"
#include "cli/view/value.h"
#include "cli/terminal/sparkline.h"
#include "cli/terminal/text.h"

#define OUTPUTS 10                  // The last ones; 'stele outputs' prints all
#define ROWS 1000                   // Of history and metrics, the newest
#define SPARK_COLUMNS 40

typedef struct {
    json_t *answer, *task, *history, *outputs, *sessions, *metrics;
} s_page_t;

//  -- requests -----------------------------------------------------------------------

//  An array of the answer, NULL if the request failed
static json_t *
s_rows (cli_t *self, const char *op, const char *key, const char *task_id, int64_t limit, bool newest)
{
    json_t *request = cli_request (op);
    cli_request_id (request, "task_id", task_id);
    json_object_set_new (request, "limit", json_integer (limit));
    if (newest)
        cli_request_text (request, "order", "desc");
    json_t *answer = cli_ask (self, request);
    json_t *rows = json_incref (json_object_get (answer, key));
    json_decref (answer);
    return rows;
}

static bool
s_ask (cli_t *self, const char *task_id, s_page_t *page)
{
    json_t *request = cli_request ("task.get");
    cli_request_id (request, "task_id", task_id);
    page->answer = cli_ask (self, request);
    page->task = json_incref (json_object_get (page->answer, "task"));
    return page->task
        && (page->history = s_rows (self, "task.history", "history", task_id, ROWS, true))
        && (page->outputs = s_rows (self, "task.outputs", "outputs", task_id, OUTPUTS, true))
        && (page->sessions = s_rows (self, "session.list", "sessions", task_id, ROWS, false))
        && (page->metrics = s_rows (self, "task.metrics", "metrics", task_id, ROWS, true));
}

static void
s_clear (s_page_t *page)
{
    json_decref (page->answer);
    json_decref (page->task);
    json_decref (page->history);
    json_decref (page->outputs);
    json_decref (page->sessions);
    json_decref (page->metrics);
}

//  -- printing ----------------------------------------------------------------------

//  Rows arrive newest first, and are printed oldest first
static const json_t *
s_row (const json_t *rows, size_t index)
{
    return json_array_get (rows, json_array_size (rows) - 1 - index);
}

static void
s_section (const cli_t *self, const char *title, const json_t *rows, size_t most, const char *command)
{
    putchar ('\n');
    cli_page_heading (self, title, NULL);
    if (json_array_size (rows) == most)
        printf ("  (the last %zu; 'stele %s' prints all)\n", most, command);
}

static const char *
s_note (const json_t *row)
{
    const char *error = cli_value_string (row, "error_message");
    const char *type = cli_value_string (row, "type");
    if (error)
        return error;
    return type && strcmp (type, "task.updated") == 0? "updated": "";
}

static void
s_print_timeline (const cli_t *self, const json_t *history)
{
    static const cli_column_t columns [] = {
        { "TIME", 0, 0 }, { "STATE", 0, 0 }, { "DURATION", CLI_RIGHT, 0 }, { "BY", CLI_CUT | CLI_OPTIONAL, 8 },
        { "NOTE", CLI_CUT | CLI_OPTIONAL, 20 }, CLI_COLUMNS_END
    };
    s_section (self, "Timeline", history, ROWS, "history");
    cli_table_t *table = cli_table_new (columns, &self->style);
    for (size_t i = 0; i < json_array_size (history); i++) {
        const json_t *row = s_row (history, i);
        int64_t from, to;
        cli_cell_time (table, row, "timestamp");
        cli_cell_state (table, row, "state_to");
        if (i + 1 < json_array_size (history) && cli_value_time (row, "timestamp", &from)
        &&  cli_value_time (s_row (history, i + 1), "timestamp", &to) && to >= from)
            cli_cell_duration (table, to - from);
        else
            cli_table_word (table, NULL);
        cli_cell (table, row, cli_value_string (row, "model")? "model": "provider");
        cli_table_word (table, s_note (row));
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

static void
s_print_outputs (const cli_t *self, const json_t *outputs)
{
    static const cli_column_t columns [] = {
        { "TIME", 0, 0 }, { "OUTPUT", 0, 0 }, { "SIZE", CLI_RIGHT, 0 }, { "FILE", CLI_CUT | CLI_OPTIONAL, 12 },
        { "CONTENT", CLI_CUT | CLI_OPTIONAL, 20 }, CLI_COLUMNS_END
    };
    if (json_array_size (outputs) == 0)
        return;
    s_section (self, "Outputs", outputs, OUTPUTS, "outputs");
    cli_table_t *table = cli_table_new (columns, &self->style);
    for (size_t i = 0; i < json_array_size (outputs); i++) {
        const json_t *row = s_row (outputs, i);
        cli_cell_time (table, row, "timestamp");
        cli_cell (table, row, "output_type");
        cli_cell_content_size (table, row, "content");
        cli_cell (table, row, "file_path");
        cli_cell_preview (table, row, "content");
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

static void
s_print_sessions (const cli_t *self, const json_t *sessions)
{
    static const cli_column_t columns [] = {
        { "SESSION", CLI_CUT | CLI_ID, 16 }, { "STATE", 0, 0 }, { "TOOL", CLI_CUT, 8 },
        { "COMMANDS", CLI_RIGHT, 0 }, { "CREATED", 0, 0 }, { "DIRECTORY", CLI_CUT | CLI_OPTIONAL, 12 },
        CLI_COLUMNS_END
    };
    if (json_array_size (sessions) == 0)
        return;
    s_section (self, "Sessions", sessions, ROWS, "sessions");
    cli_table_t *table = cli_table_new (columns, &self->style);
    for (size_t i = 0; i < json_array_size (sessions); i++) {
        const json_t *row = s_row (sessions, i);
        cli_cell (table, row, "session_id");
        cli_cell_state (table, row, "state");
        cli_cell (table, row, "cli_tool");
        cli_cell (table, row, "command_count");
        cli_cell_time (table, row, "created_at");
        cli_cell (table, row, "current_directory");
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

//  One line: name, bars, last value and unit, number of values, lowest and highest
static void
s_print_metric (const cli_t *self, const json_t *metrics, const json_t *name)
{
    double *values = stele_memory_new (json_array_size (metrics) * sizeof (double));
    size_t count = 0;
    const char *unit = NULL;
    const json_t *low = NULL, *high = NULL, *last = NULL;
    double lowest = INFINITY, highest = -INFINITY;
    for (size_t i = 0; i < json_array_size (metrics); i++) {
        const json_t *row = s_row (metrics, i);
        const json_t *value = json_object_get (row, "value");
        if (!json_equal (json_object_get (row, "name"), name))
            continue;
        double number = NAN;
        cli_value_number (value, &number);
        if (!isnan (number) && (number < lowest || !low)) {
            lowest = number;
            low = value;
        }
        if (!isnan (number) && (number > highest || !high)) {
            highest = number;
            high = value;
        }
        last = value;
        values [count++] = number;
        unit = cli_value_string (row, "unit");
    }
    printf ("  ");
    size_t used = cli_text_print (stdout, json_string_value (name), json_string_length (name), 28,
        CLI_CUT_MIDDLE);
    printf ("%*s", used < 30? (int) (30 - used): 2, "");
    cli_style_begin (&self->style, stdout, CLI_CYAN);
    cli_sparkline_print (stdout, values, count, SPARK_COLUMNS);
    cli_style_end (&self->style, stdout, CLI_CYAN);
    if (count)
        printf ("  %s", cli_value_number_text (last).text);
    if (unit) {
        putchar (' ');
        cli_text_print (stdout, unit, strlen (unit), 16, CLI_CUT_END);
    }
    if (count > 1 && low)
        printf ("  (%zu, %s to %s)", count, cli_value_number_text (low).text, cli_value_number_text (high).text);
    putchar ('\n');
    free (values);
}

static void
s_print_metrics (const cli_t *self, const json_t *metrics)
{
    if (json_array_size (metrics) == 0)
        return;
    s_section (self, "Metrics", metrics, ROWS, "metrics");
    for (size_t i = 0; i < json_array_size (metrics); i++) {
        const json_t *name = json_object_get (s_row (metrics, i), "name");
        size_t first = 0;
        while (!json_equal (json_object_get (s_row (metrics, first), "name"), name))
            first++;
        if (json_is_string (name) && first == i)
            s_print_metric (self, metrics, name);
    }
}

static void
s_print_json (const s_page_t *page)
{
    json_t *whole = json_pack ("{s:O,s:O,s:O,s:O,s:O}", "task", page->task, "history", page->history,
        "outputs", page->outputs, "sessions", page->sessions, "metrics", page->metrics);
    static const char *const about [] = { "owner", "heard_at" };
    for (size_t i = 0; i < sizeof about / sizeof about [0]; i++)
        if (json_object_get (page->answer, about [i]))
            json_object_set (whole, about [i], json_object_get (page->answer, about [i]));
    char *text = json_dumps (whole, JSON_COMPACT | cli_value_precision (whole));
    assert (text);
    cli_text_print_json (stdout, text, strlen (text));
    putchar ('\n');
    free (text);
    json_decref (whole);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    s_page_t page = { .answer = NULL };
    int status = EX_OK;
    if (!s_ask (self, operands->items [0], &page))
        status = self->status;
    else
    if (self->json)
        s_print_json (&page);
    else {
        cli_task_print (self, page.answer);
        s_print_timeline (self, page.history);
        s_print_outputs (self, page.outputs);
        s_print_sessions (self, page.sessions);
        s_print_metrics (self, page.metrics);
    }
    s_clear (&page);
    return status;
}

const cli_command_t cli_cmd_show = {
    .name = "show",
    .summary = "everything about a task on one page",
    .usage = {
        .usage = "stele show [OPTION]... ID",
        .about = "One task on one page: its record, the timeline of its states, its last outputs, its "
                 "sessions, and each of its metrics as a row of bars.",
        .after = "With --json, one object, with the owner of the task and lists ordered newest first. At most 10 outputs and 1000 rows "
                 "of any other list are included: use history, outputs, metrics or sessions for all.",
        .examples =
            "  stele show build-7\n"
            "  stele show build-7 | less -R"
    },
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
