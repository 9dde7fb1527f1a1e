/*  list - stele list: tasks by state, role, provider, date, text

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/ask.h"
#include "cli/shared/screen.h"
#include "cli/shared/task_table.h"
#include "cli/shared/value.h"

typedef struct {
    cli_list_t states, roles, providers, models;
    const char *user, *parent, *from, *to, *order, *cursor;
    const char *updated_from, *updated_to, *completed_from, *completed_to, *search, *at;
    int64_t limit, interval_s;
    bool reverse, all, total, errors, no_errors, watch;
} args_t;

static const cli_option_t s_options [] = {
    { "state", 's', "STATE", "in this state: queued, starting, running, paused, completing, passed, failed, "
        "error, cancelled, timeout", CLI_LIST, offsetof (args_t, states), 0, NULL },
    { "role", 0, "ROLE", "of this role", CLI_LIST, offsetof (args_t, roles), 0, NULL },
    { "provider", 0, "NAME", "of this provider", CLI_LIST, offsetof (args_t, providers), 0, NULL },
    { "model", 0, "NAME", "of this model", CLI_LIST, offsetof (args_t, models), 0, NULL },
    { "user", 0, "ID", "of this user", CLI_TEXT, offsetof (args_t, user), 0, NULL },
    { "parent", 0, "ID", "children of this task", CLI_TEXT, offsetof (args_t, parent), 0, NULL },
    { "from", 0, "TIME", "created then or later (RFC 3339)", CLI_TEXT, offsetof (args_t, from), 0, NULL },
    { "to", 0, "TIME", "created then or before", CLI_TEXT, offsetof (args_t, to), 0, NULL },
    { "updated-from", 0, "TIME", "last changed then or later", CLI_TEXT, offsetof (args_t, updated_from), 0, NULL },
    { "updated-to", 0, "TIME", "last changed then or before", CLI_TEXT, offsetof (args_t, updated_to), 0, NULL },
    { "completed-from", 0, "TIME", "ended then or later", CLI_TEXT, offsetof (args_t, completed_from), 0, NULL },
    { "completed-to", 0, "TIME", "ended then or before", CLI_TEXT, offsetof (args_t, completed_to), 0, NULL },
    { "errors", 0, NULL, "that had an error", CLI_FLAG, offsetof (args_t, errors), 0, NULL },
    { "no-errors", 0, NULL, "that had none", CLI_FLAG, offsetof (args_t, no_errors), 0, NULL },
    { "search", 0, "TEXT", "with these words in title, description or last error, the beginnings of words, "
        "\"quoted phrases\", or parts of ids", CLI_TEXT, offsetof (args_t, search), 0, NULL },
    { "at", 0, "WHEN", "as they were: after the event at that position (a number), or at that time (RFC 3339)",
        CLI_TEXT, offsetof (args_t, at), 0, NULL },
    { "order", 0, "WHAT", "latest first by created (the default), updated or completed",
        CLI_TEXT, offsetof (args_t, order), 0, NULL },
    { "reverse", 'r', NULL, "earliest first", CLI_FLAG, offsetof (args_t, reverse), 0, NULL },
    { "limit", 'n', "N", "at most N tasks (100)", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "all", 'a', NULL, "all of them, however many", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    { "cursor", 0, "C", "go on where a list ended; it says how", CLI_TEXT, offsetof (args_t, cursor), 0, NULL },
    { "watch", 'w', NULL, "show them again every two seconds, until q", CLI_FLAG, offsetof (args_t, watch), 0, NULL },
    { "interval", 0, "S", "the same, every S seconds", CLI_NUMBER, offsetof (args_t, interval_s), 1, NULL },
    { "total", 0, NULL, "also say how many there are in all", CLI_FLAG, offsetof (args_t, total), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_table_t *table;
    const char *time_key;
    int64_t total;                  // -1: not asked for
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

/*  The order on the wire, NULL where the user's word is none                */
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
    cli_request_text (request, "user_id", args->user);
    cli_request_text (request, "parent_id", args->parent);
    cli_request_time (request, "date_from", args->from);
    cli_request_time (request, "date_to", args->to);
    cli_request_time (request, "updated_from", args->updated_from);
    cli_request_time (request, "updated_to", args->updated_to);
    cli_request_time (request, "completed_from", args->completed_from);
    cli_request_time (request, "completed_to", args->completed_to);
    if (args->errors || args->no_errors)
        json_object_set_new (request, "has_error", json_boolean (args->errors));
    cli_request_text (request, "search", args->search);
    cli_request_time (request, "at", args->at);
    cli_request_text (request, "cursor", args->cursor);
    cli_request_text (request, "order", order);
    if (args->total)
        json_object_set_new (request, "total", json_true ());
    return request;
}

static void
s_say_end (cli_t *self, const s_list_t *list, const json_t *next)
{
    fflush (stdout);
    size_t rows = cli_table_rows (list->table);
    if (list->total >= 0)
        printf ("%s%s of %s tasks\n", rows? "\n": "", cli_format_count ((int64_t) rows).text,
            cli_format_count (list->total).text);
    else
    if (rows == 0)
        fputs ("no such tasks\n", stderr);
    cli_flush_stdout ();
    if (next && !self->json)
        fprintf (stderr, "there are more: --all, or --cursor %s\n", json_string_value (next));
}

//  -- watching ----------------------------------------------------------------------

static void
s_draw (cli_t *self, cli_screen_t *screen, const json_t *answer, const char *time_key)
{
    const json_t *tasks = json_object_get (answer, "tasks");
    cli_table_t *table = cli_tasks_table (time_key, &self->style);
    cli_screen_begin (screen);
    if (cli_value_string (answer, "mode"))
        printf ("mode redis: not all there is  ");
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

/*  The first rows of the list, again and again. A broker that is away is waited for. */
static int
s_watch (cli_t *self, const args_t *args, const char *order, const char *time_key)
{
    cli_screen_t *screen = cli_screen_new (self);
    int status;
    do {
        size_t rows = cli_screen_rows (screen);
        int64_t limit = args->limit? args->limit: 100;
        if (rows < SIZE_MAX)                    // Without what stands around the rows
            limit = rows < 6? 1: limit < (int64_t) rows - 5? limit: (int64_t) rows - 5;
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
    } while ((status == EX_OK || status == EX_UNAVAILABLE)
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
        return cli_say_usage ("list", "--order takes created, updated or completed, not '%s'", args->order);
    if (args->errors && args->no_errors)
        return cli_say_usage ("list", "--errors and --no-errors exclude each other");
    if ((args->watch || args->interval_s) && (args->all || args->cursor))
        return cli_say_usage ("list", "--watch shows the first rows: it goes with neither --all nor --cursor");
    if (args->all && args->limit)
        return cli_say_usage ("list", "--all and --limit exclude each other");

    const char *time_key = args->order && order [0] == 'u'? "updated_at":
                           args->order && order [1] == 'o'? "completed_at": "created_at";
    if (args->watch || args->interval_s)
        return s_watch (self, args, order, time_key);
    s_list_t list = { cli_tasks_table (time_key, &self->style), time_key, -1 };
    json_t *next = NULL;
    int status = cli_ask_pages (self, s_request (args, order), "tasks",
        args->all? 0: args->limit? args->limit: 100, s_row, s_page, &list, &next);
    if (status == EX_OK && !self->json)
        s_say_end (self, &list, next);
    json_decref (next);
    cli_table_destroy (&list.table);
    return status;
}

const cli_command_t cli_cmd_list = {
    .name = "list",
    .summary = "tasks by state, role, provider, date, text",
    .usage = {
        .usage = "stele list [OPTION]...",
        .about = "Tasks that pass every filter given, newest first. A filter given several times, or with "
                 "values separated by commas ('\\,' is a comma of a value), lets any of them pass.",
        .after = "With --json each page of the answer is one line; its 'next' is the cursor of what follows.",
        .examples =
            "  stele list --state failed,error --order updated\n"
            "  stele list --role coder --from 2026-01-01T00:00:00Z --total\n"
            "  stele list --state running --order updated --watch\n"
            "  stele list --search 'timeout \"connection refused\"' --state failed\n"
            "  stele list --at 2026-01-31T23:59:59Z --state running\n"
            "  stele list --all --json | jq -r '.tasks[].task_id'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
