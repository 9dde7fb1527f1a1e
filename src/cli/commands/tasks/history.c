/*  history - stele history: every change of a task, oldest first

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cli/view/cell.h"
#include "cli/view/owner.h"
#include "cli/terminal/text.h"
#include "cli/shared/pages.h"
#include "cli/view/value.h"

typedef struct {
    int64_t limit, tail;
} args_t;

static const cli_option_t s_options [] = {
    { "limit", 'n', "N", "print at most the first N changes", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "tail", 0, "N", "print only the last N changes", CLI_NUMBER, offsetof (args_t, tail), 1, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", CLI_SPARE_LATE, 0 },
    { "AFTER", CLI_RIGHT, 0 },
    { "FROM", CLI_OPTIONAL, 0 },
    { "TO", CLI_OPTIONAL, 0 },
    { "PROVIDER", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 },
    { "MODEL", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 },
    { "EVENT", CLI_SPARE_LATE, 0 },
    CLI_COLUMNS_END
};

//  The fields without a column, line by line: error, changes, details. Caller frees return value.
static char *
s_note (const json_t *row, size_t *size)
{
    static const struct { const char *key, *label; } parts [] = {
        { "error_message", "" }, { "changes", "changes " }, { "details", "details " }
    };
    char *note = NULL;
    FILE *file = open_memstream (&note, size);
    assert (file);
    if (json_is_true (json_object_get (row, "interrupted")))
        fputs ("interrupted: recorded by the broker\n", file);
    for (size_t i = 0; i < sizeof parts / sizeof parts [0]; i++) {
        const json_t *value = json_object_get (row, parts [i].key);
        if (!value || json_is_null (value))
            continue;
        size_t text_size;
        char *text = cli_value_text ("", value, &text_size);
        fputs (parts [i].label, file);
        fwrite (text, 1, text_size, file);
        if (text_size && text [text_size - 1] != '\n')
            fputc ('\n', file);
        free (text);
    }
    fclose (file);
    return note;
}

static void
s_row (cli_table_t *table, json_t *row, void *arg)
{
    int64_t *previous_us = arg;     // -1: this is the first row
    cli_cell (table, row, "id");
    cli_cell_time (table, row, "timestamp");
    int64_t time_us = 0;
    if (cli_value_time (row, "timestamp", &time_us) && *previous_us >= 0)
        cli_table_word (table, time_us < *previous_us? "?": cli_format_duration (time_us - *previous_us).text);
    else
        cli_table_word (table, NULL);
    *previous_us = time_us;
    cli_cell_state (table, row, "state_from");
    cli_cell_state (table, row, "state_to");
    cli_cell (table, row, "provider");
    cli_cell (table, row, "model");
    const char *type = cli_value_string (row, "type");
    cli_table_word (table, type && strncmp (type, "task.", 5) == 0? type + 5: type);

    size_t size;
    char *note = s_note (row, &size);
    bool failed = json_object_get (row, "error_message") != NULL;
    cli_table_note (table, failed? CLI_RED: CLI_DIM, note, size);
    free (note);
}

//  A line above the table: to whom the task belongs
static void
s_print_owner (cli_t *self, const char *task_id)
{
    json_t *request = cli_request ("task.status");
    cli_request_id (request, "task_id", task_id);
    json_t *answer = cli_ask_or_none (self, request);
    const json_t *owner = json_object_get (answer, "owner");
    if (owner) {
        char life [CLI_OWNER_TEXT], line [CLI_OWNER_TEXT + 300];
        int size = snprintf (line, sizeof line, "producer %s: %s", cli_value_string (owner, "producer"),
            cli_owner_life (owner, life));
        cli_text_print (stdout, line, (size_t) size, self->style.width, CLI_CUT_END);
        fputs ("\n\n", stdout);
    }
    json_decref (answer);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->tail && args->limit)
        return cli_usage_error ("history", "--tail and --limit cannot be used together");
    self->tail = args->tail;
    json_t *request = cli_request ("task.history");
    cli_request_id (request, "task_id", operands->items [0]);
    int64_t previous_us = -1;
    if (!self->json)
        s_print_owner (self, operands->items [0]);
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "history", .limit = args->limit, .columns = s_columns, .row = s_row, .arg = &previous_us,
        .none = "no history: there are events about this task, but none that creates or changes it",
        .more = CLI_MORE_LIMIT
    });
}

const cli_command_t cli_cmd_history = {
    .name = "history",
    .summary = "every change of a task, oldest first",
    .usage = {
        .usage = "stele history [OPTION]... ID",
        .about = "Every change of a task, oldest first: its time, the time since the previous change, both "
                 "states, provider, model and error.",
        .examples =
            "  stele history build-7\n"
            "  stele history build-7 --json | jq -r '.history[] | [.timestamp, .state_to] | @tsv'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
