/*  stuck - stele stuck: running tasks that have gone silent

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "cli/view/cell.h"
#include "cli/view/owner.h"
#include "cli/shared/pages.h"
#include "cli/view/value.h"

//  A longer silence is that of a clock that was wrong
#define SILENCE_MAX_US ((int64_t) 10 * 366 * 86400 * 1000000)

typedef struct {
    int64_t silent_s, limit;
    bool exit_code;
} args_t;

static const cli_option_t s_options [] = {
    { "silent", 's', "S", "report tasks without an event for more than S seconds (default: 300)", CLI_NUMBER, offsetof (args_t, silent_s), 1, NULL },
    { "limit", 'n', "N", "list at most N tasks (default: 100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "exit-code", 0, NULL, "exit with status 1 if a task is stuck", CLI_FLAG, offsetof (args_t, exit_code), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "TASK", CLI_CUT | CLI_ID, 16 },
    { "SILENT", CLI_RIGHT, 0 },
    { "PRODUCER", CLI_CUT | CLI_OPTIONAL, 8 },
    { "STATUS", CLI_OPTIONAL, 0 },
    { "HEARD", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 },
    { "LEASE", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 },
    { "ROLE", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 },
    { "TITLE", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 12 },
    CLI_COLUMNS_END
};

//  The owner of a task among the producers of the answer; NULL: none
static const json_t *
s_owner (const json_t *producers, const json_t *task)
{
    const char *name = cli_value_string (task, "producer");
    for (size_t i = 0; name && i < json_array_size (producers); i++) {
        const char *other = cli_value_string (json_array_get (producers, i), "producer");
        if (other && strcmp (other, name) == 0)
            return json_array_get (producers, i);
    }
    return NULL;
}

//  How long ago the broker heard of it, bounded by how long it runs if it heard of it since its start;
//  -1: unknown, since the clock of one of the two machines is wrong, or was
static int64_t
s_silence_us (const json_t *answer, const json_t *task)
{
    int64_t heard_us, now_us = stele_clock_us ();
    int64_t run_us = json_integer_value (json_object_get (answer, "run_ms")) * 1000;
    if (!cli_value_time (task, "heard_at", &heard_us) || heard_us > now_us || now_us - heard_us > SILENCE_MAX_US)
        return -1;
    bool in_run = run_us && json_integer_value (json_object_get (task, "position"))
        > json_integer_value (json_object_get (answer, "run_after"));
    return in_run && run_us < now_us - heard_us? run_us: now_us - heard_us;
}

//  The producers of an answer are next to its rows, so the rows are added here
static void
s_page (cli_t *self, json_t *answer, void *arg)
{
    (void) self;
    cli_table_t *table = arg;
    const json_t *tasks = json_object_get (answer, "tasks");
    size_t unknown = 0;
    for (size_t i = 0; i < json_array_size (tasks); i++) {
        const json_t *task = json_array_get (tasks, i);
        const json_t *owner = s_owner (json_object_get (answer, "producers"), task);
        cli_cell (table, task, "task_id");
        int64_t silence_us = s_silence_us (answer, task);
        cli_table_word (table, silence_us < 0? "?": cli_format_duration (silence_us).text);
        unknown += silence_us < 0;
        cli_cell (table, task, "producer");
        cli_table_word (table, owner? cli_owner_status (owner): NULL);
        cli_table_word (table, owner? cli_owner_silence (owner).text: NULL);
        cli_table_word (table, owner? cli_owner_lease (owner).text: NULL);
        cli_cell (table, task, "role");
        cli_cell (table, task, "title");
    }
    cli_table_flush (table, stdout);
    if (unknown)
        fputs ("'?': the clock of the broker, or of this machine, is wrong or was: see 'stele health'\n", stderr);
}

static void
s_row (cli_t *self, json_t *task, void *arg)
{
    (void) self;
    (void) task;
    (void) arg;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    json_t *request = cli_request ("task.stuck");
    if (args->silent_s)
        json_object_set_new (request, "silent_s", json_integer (args->silent_s));
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    json_t *next = NULL;
    int status = cli_ask_pages (self, request, "tasks", args->limit? args->limit: 100, s_row, s_page, table, &next);
    if (status == EX_OK && !self->json && cli_table_rows (table) == 0)
        fputs ("no task is stuck\n", stderr);
    cli_report_more (self, next, "raise --limit");
    cli_table_destroy (&table);
    return status == EX_OK && args->exit_code && self->rows? CLI_NO: status;
}

const cli_command_t cli_cmd_stuck = {
    .name = "stuck",
    .summary = "running tasks that have gone silent",
    .usage = {
        .usage = "stele stuck [OPTION]...",
        .about = "Tasks in state running of which the broker has heard nothing for more than S seconds, longest silence "
                 "first, each with its producer: when the broker last heard from it, and its lease.",
        .after = "The broker's clock counts, not the times that producers gave. STATUS is 'silent' for a producer without a "
                 "lease that sends nothing: it may be dead or busy. Exit status 0 whether there are such tasks or not; with "
                 "--exit-code, 1 if there are.",
        .examples =
            "  stele stuck\n"
            "  stele stuck --exit-code >/dev/null || mail -s 'tasks are stuck' operator\n"
            "  stele stuck --silent 3600 --json | jq -r '.tasks[].task_id'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
