/*  list - stele list: tasks by state, role, provider, date, text

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/pages.h"
#include "cli/view/screen.h"
#include "cli/view/task_table.h"
#include "cli/shared/time_option.h"
#include "cli/view/value.h"
#include "cli/shared/words.h"

#define LINES_AROUND 5              // Lines of a screen besides the rows

typedef struct {
    cli_list_t states, roles, providers, models, producers;
    const char *user, *parent, *from, *to, *order, *cursor;
    const char *updated_from, *updated_to, *completed_from, *completed_to, *search, *contains, *at;
    int64_t limit, interval_s;
    bool reverse, all, total, errors, no_errors, interrupted, watch;
} args_t;

static const cli_option_t s_options [] = {
    { "state", 's', "STATE", "only tasks in this state: queued, starting, running, paused, completing, passed, failed, "
        "error, cancelled or timeout", CLI_LIST, offsetof (args_t, states), 0, NULL },
    { "role", 0, "ROLE", "only tasks with this role", CLI_LIST, offsetof (args_t, roles), 0, NULL },
    { "provider", 0, "NAME", "only tasks with this provider", CLI_LIST, offsetof (args_t, providers), 0, NULL },
    { "model", 0, "NAME", "only tasks with this model", CLI_LIST, offsetof (args_t, models), 0, NULL },
    { "producer", 0, "NAME", "only tasks that belong to this producer", CLI_LIST, offsetof (args_t, producers), 0, NULL },
    { "interrupted", 0, NULL, "only tasks that the broker interrupted because their producer died, and that have not "
        "changed their state since", CLI_FLAG, offsetof (args_t, interrupted), 0, NULL },
    { "user", 0, "ID", "only tasks of this user", CLI_TEXT, offsetof (args_t, user), 0, NULL },
    { "parent", 0, "ID", "only children of this task", CLI_TEXT, offsetof (args_t, parent), 0, NULL },
    { "from", 0, "TIME", "only tasks created at TIME or later (" CLI_TIMES ")",
        CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "since", 0, "TIME", "the same as --from", CLI_CALL, offsetof (args_t, from), 0, cli_take_time },
    { "to", 0, "TIME", "only tasks created at TIME or earlier",
        CLI_CALL, offsetof (args_t, to), 0, cli_take_time },
    { "updated-from", 0, "TIME", "only tasks last changed at TIME or later",
        CLI_CALL, offsetof (args_t, updated_from), 0, cli_take_time },
    { "updated-to", 0, "TIME", "only tasks last changed at TIME or earlier",
        CLI_CALL, offsetof (args_t, updated_to), 0, cli_take_time },
    { "completed-from", 0, "TIME", "only tasks completed at TIME or later",
        CLI_CALL, offsetof (args_t, completed_from), 0, cli_take_time },
    { "completed-to", 0, "TIME", "only tasks completed at TIME or earlier",
        CLI_CALL, offsetof (args_t, completed_to), 0, cli_take_time },
    { "errors", 0, NULL, "only tasks with an error", CLI_FLAG, offsetof (args_t, errors), 0, NULL },
    { "no-errors", 0, NULL, "only tasks without an error", CLI_FLAG, offsetof (args_t, no_errors), 0, NULL },
    { "search", 0, "TEXT", "only tasks with all of these words, word prefixes or \"quoted phrases\" in title, "
        "description or last error, or with TEXT as a part of their ID", CLI_TEXT, offsetof (args_t, search), 0, NULL },
    { "contains", 0, "TEXT", "only tasks with TEXT anywhere in title or description, also inside a word (slower than --search)",
        CLI_TEXT, offsetof (args_t, contains), 0, NULL },
    { "at", 0, "WHEN", "list tasks as of WHEN: a position (after that event) or a time (" CLI_TIMES ")",
        CLI_CALL, offsetof (args_t, at), 0, cli_take_time },
    { "order", 0, "WHAT", "sort by created (the default), updated or completed, newest first",
        CLI_TEXT, offsetof (args_t, order), 0, NULL },
    { "reverse", 'r', NULL, "reverse the order: oldest first", CLI_FLAG, offsetof (args_t, reverse), 0, NULL },
    { "limit", 'n', "N", "list at most N tasks (default: 100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "all", 'a', NULL, "list all tasks, without a limit", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    { "cursor", 0, "C", "continue a list after cursor C, which the previous list printed",
        CLI_TEXT, offsetof (args_t, cursor), 0, NULL },
    { "watch", 'w', NULL, "refresh the list every 2 seconds, until q is pressed", CLI_FLAG, offsetof (args_t, watch), 0, NULL },
    { "interval", 0, "S", "refresh the list every S seconds instead of 2 (implies --watch)",
        CLI_NUMBER, offsetof (args_t, interval_s), 1, NULL },
    { "total", 0, NULL, "also print the total number of tasks that match", CLI_FLAG, offsetof (args_t, total), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_table_t *table;
    const char *time_key;
    int64_t total;                  // -1: not requested
} s_list_t;

static void
s_row (cli_t *self, json_t *task, void *arg)
{
    (void) self;
    s_list_t *list = arg;
    cli_tasks_row (list->table, task, list->time_key);
}

static void
s_page (cli_t *self, json_t *answer, void *arg)
{
    (void) self;
    s_list_t *list = arg;
    cli_table_flush (list->table, stdout);
    const json_t *total = json_object_get (answer, "total");
    if (json_is_integer (total))
        list->total = json_integer_value (total);
}

//  The order on the wire, NULL if the user's word is wrong
static const char *
s_order (const args_t *args)
{
    static const char *const orders [] [3] = {
        { "created", "created_desc", "created_asc" },
        { "updated", "updated_desc", "updated_asc" },
        { "completed", "completed_desc", "completed_asc" }
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders [0]; i++)
        if (strcmp (args->order? args->order: "created", orders [i][0]) == 0)
            return orders [i][args->reverse? 2: 1];
    return NULL;
}

static json_t *
s_request (const args_t *args, const char *order)
{
    json_t *request = cli_request ("task.list");
    cli_request_list (request, "states", &args->states);
    cli_request_list (request, "roles", &args->roles);
    cli_request_list (request, "providers", &args->providers);
    cli_request_list (request, "models", &args->models);
    cli_request_list (request, "producers", &args->producers);
    if (args->interrupted)
        json_object_set_new (request, "interrupted", json_true ());
    cli_request_id (request, "user_id", args->user);
    cli_request_id (request, "parent_id", args->parent);
    cli_request_time (request, "date_from", args->from);
    cli_request_time (request, "date_to", args->to);
    cli_request_time (request, "updated_from", args->updated_from);
    cli_request_time (request, "updated_to", args->updated_to);
    cli_request_time (request, "completed_from", args->completed_from);
    cli_request_time (request, "completed_to", args->completed_to);
    if (args->errors || args->no_errors)
        json_object_set_new (request, "has_error", json_boolean (args->errors));
    cli_request_text (request, "search", args->search);
    cli_request_text (request, "contains", args->contains);
    cli_request_time (request, "at", args->at);
    cli_request_text (request, "cursor", args->cursor);
    cli_request_text (request, "order", order);
    if (args->total)
        json_object_set_new (request, "total", json_true ());
    return request;
}

static void
s_report_end (cli_t *self, const s_list_t *list, const json_t *next)
{
    fflush (stdout);
    size_t rows = cli_table_rows (list->table);
    if (list->total >= 0)
        printf ("%s%s of %s tasks\n", rows? "\n": "", cli_format_count ((int64_t) rows).text,
            cli_format_count (list->total).text);
    else
    if (rows == 0)
        fputs ("no tasks match\n", stderr);
    cli_flush_stdout ();
    if (next && !self->json)
        fprintf (stderr, "more tasks follow: use --all, or --cursor %s\n", json_string_value (next));
}

//  -- watching ----------------------------------------------------------------------

static void
s_draw (cli_t *self, cli_screen_t *screen, const json_t *answer, const char *time_key)
{
    const json_t *tasks = json_object_get (answer, "tasks");
    cli_table_t *table = cli_table_new (cli_tasks_columns (time_key), &self->style);
    cli_screen_begin (screen);
    if (cli_value_string (answer, "mode"))
        printf ("mode redis: may be incomplete  ");
    printf ("%s of %s tasks at position %s\n\n",
        cli_format_count ((int64_t) json_array_size (tasks)).text,
        cli_format_count (json_integer_value (json_object_get (answer, "total"))).text,
        cli_format_count (json_integer_value (json_object_get (answer, "position"))).text);
    for (size_t i = 0; i < json_array_size (tasks); i++)
        cli_tasks_row (table, json_array_get (tasks, i), time_key);
    cli_table_flush (table, stdout);
    cli_screen_end (screen);
    cli_table_destroy (&table);
}

//  Refresh the first rows of the list. If the broker is away, wait for it.
static int
s_watch (cli_t *self, const args_t *args, const char *order, const char *time_key)
{
    cli_screen_t *screen = cli_screen_new (self);
    int status;
    do {
        int64_t limit = args->limit? args->limit: 100;
        int64_t rows = cli_screen_rows (screen, LINES_AROUND, limit);
        limit = rows < limit? rows: limit;
        json_t *request = s_request (args, order);
        json_object_set_new (request, "limit", json_integer (limit));
        json_object_set_new (request, "total", json_true ());
        cli_screen_ask (screen);
        json_t *answer = cli_ask (self, request);
        status = answer? EX_OK: self->status;
        if (answer && self->json)
            cli_print_answer (self);
        else
        if (answer)
            s_draw (self, screen, answer, time_key);
        json_decref (answer);
    } while ((status == EX_OK || status == EX_UNAVAILABLE || status == EX_TEMPFAIL)
        && cli_screen_wait (screen, args->interval_s? args->interval_s * 1000: 2000));
    cli_screen_destroy (&screen);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    const char *order = s_order (args);
    if (!order)
        return cli_usage_error ("list", "'%s' is not an order; use created, updated or completed", args->order);
    if (cli_check_words ("list", "a state", &args->states, STELE_VOCABULARY_TASK_STATE))
        return EX_USAGE;
    if (args->errors && args->no_errors)
        return cli_usage_error ("list", "--errors and --no-errors cannot be used together");
    if ((args->watch || args->interval_s) && (args->all || args->cursor))
        return cli_usage_error ("list", "--watch shows the first rows; it cannot be used with --all or --cursor");
    if (args->all && args->limit)
        return cli_usage_error ("list", "--all and --limit cannot be used together");

    const char *time_key = args->order && order [0] == 'u'? "updated_at":
                           args->order && order [1] == 'o'? "completed_at": "created_at";
    if (args->watch || args->interval_s)
        return s_watch (self, args, order, time_key);
    s_list_t list = { cli_table_new (cli_tasks_columns (time_key), &self->style), time_key, -1 };
    json_t *next = NULL;
    int status = cli_ask_pages (self, s_request (args, order), "tasks",
        args->all? 0: args->limit? args->limit: 100, s_row, s_page, &list, &next);
    if (status == EX_OK && !self->json)
        s_report_end (self, &list, next);
    json_decref (next);
    cli_table_destroy (&list.table);
    return status;
}

const cli_command_t cli_cmd_list = {
    .name = "list",
    .summary = "tasks by state, role, provider, date or text",
    .usage = {
        .usage = "stele list [OPTION]...",
        .about = "List the tasks that match every filter, newest first. A filter with several values, given "
                 "repeatedly or separated by commas, matches any of them ('\\,' is a comma inside a value).",
        .after = "With --json, each page of the answer is one line; 'next' is the cursor of the next page.",
        .examples =
            "  stele list --state failed,error --order updated\n"
            "  stele list --role coder --from 2026-01-01T00:00:00Z --total\n"
            "  stele list --state running --order updated --watch\n"
            "  stele list --search 'timeout \"connection refused\"' --state failed\n"
            "  stele list --producer nightly --interrupted\n"
            "  stele list --at 2026-01-31T23:59:59Z --state running\n"
            "  stele list --all --json | jq -r '.tasks[].task_id'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
