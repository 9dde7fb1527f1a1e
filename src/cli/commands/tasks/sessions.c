/*  sessions - stele sessions: CLI sessions, or one with its commands

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/view/cell.h"
#include "cli/view/page.h"
#include "cli/shared/pages.h"
#include "cli/view/value.h"
#include "cli/shared/words.h"

typedef struct {
    cli_list_t states;
    const char *task;
    int64_t limit;
    bool all, failed;
} args_t;

static const cli_option_t s_options [] = {
    { "state", 's', "STATE", "only sessions in this state: initializing, starting, running, waiting_input, processing, "
        "completed, error or terminated", CLI_LIST, offsetof (args_t, states), 0, NULL },
    { "task", 0, "ID", "only sessions of this task", CLI_TEXT, offsetof (args_t, task), 0, NULL },
    { "limit", 'n', "N", "list at most N sessions (default: 100), or N commands of one session (default: all)",
        CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "failed", 0, NULL, "list the failed commands of all sessions instead, newest first",
        CLI_FLAG, offsetof (args_t, failed), 0, NULL },
    { "all", 'a', NULL, "list all sessions, without a limit", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    CLI_OPTIONS_END
};

//  -- the list --------------------------------------------------------------------

static const cli_column_t s_columns [] = {
    { "SESSION", CLI_CUT | CLI_ID, 12 },
    { "STATE", 0, 0 },
    { "TOOL", CLI_CUT, 8 },
    { "MODE", CLI_CUT | CLI_OPTIONAL, 6 },
    { "TASK", CLI_CUT | CLI_ID | CLI_OPTIONAL, 12 },
    { "COMMANDS", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "STARTED", 0, 0 },
    { "DURATION", CLI_RIGHT | CLI_OPTIONAL, 0 },
    CLI_COLUMNS_END
};

static void
s_row (cli_table_t *table, json_t *session, void *arg)
{
    (void) arg;
    cli_cell (table, session, "session_id");
    cli_cell_state (table, session, "state");
    cli_cell (table, session, "cli_tool");
    cli_cell (table, session, "mode");
    cli_cell (table, session, "task_id");
    cli_cell (table, session, "command_count");
    cli_cell_time (table, session, "created_at");
    int64_t from, to;
    if (cli_value_time (session, "created_at", &from) && cli_value_time (session, "completed_at", &to))
        cli_cell_duration (table, to - from);
    else
        cli_table_word (table, NULL);
}

static int
s_list (cli_t *self, const args_t *args)
{
    json_t *request = cli_request ("session.list");
    cli_request_list (request, "states", &args->states);
    cli_request_id (request, "task_id", args->task);
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "sessions", .limit = args->all? 0: args->limit? args->limit: 100, .columns = s_columns,
        .row = s_row, .none = "no sessions match", .more = CLI_MORE_ALL
    });
}

//  -- one -------------------------------------------------------------------------

static const cli_column_t s_command_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", 0, 0 },
    { "EXIT", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "DURATION", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "OUTPUT", CLI_RIGHT | CLI_OPTIONAL, 0 },
    { "COMMAND", CLI_CUT, 20 },
    CLI_COLUMNS_END
};

static void
s_command_row (cli_table_t *table, json_t *command, void *arg)
{
    (void) arg;
    cli_cell (table, command, "id");
    cli_cell_time (table, command, "timestamp");
    const json_t *exit_code = json_object_get (command, "exit_code");
    char number [24] = "";
    if (json_is_integer (exit_code))
        snprintf (number, sizeof number, "%lld", (long long) json_integer_value (exit_code));
    cli_table_colour (table, json_integer_value (exit_code)? CLI_RED: CLI_PLAIN, number);
    const json_t *took = json_object_get (command, "execution_time_ms");
    double took_ms;
    if (cli_value_number (took, &took_ms))
        cli_table_word (table, cli_format_duration_real (took_ms * 1000).text);
    else
        cli_table_word (table, NULL);
    cli_cell_content_size (table, command, "output");
    cli_cell_preview (table, command, "command");
}

static void
s_print_session (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    const json_t *session = json_object_get (answer, "session");
    cli_page_heading_field (self, "Session", session, "session_id");
    cli_page_state (self, "state", session, "state");
    cli_page_field (self, "tool", session, "cli_tool");
    cli_page_field (self, "mode", session, "mode");
    cli_page_field (self, "task", session, "task_id");
    cli_page_field (self, "directory", session, "current_directory");
    cli_page_field (self, "pid", session, "pid");
    if (json_is_true (json_object_get (session, "authentication_required")))
        cli_page_line (self, "authentication", "required");
    cli_page_field (self, "prompt", session, "auth_prompt");
    cli_page_field (self, "started", session, "created_at");
    cli_page_field (self, "updated", session, "updated_at");
    cli_page_field (self, "completed", session, "completed_at");
    cli_page_field (self, "commands", session, "command_count");
    if (json_integer_value (json_object_get (session, "command_count")))
        putchar ('\n');
}

static int
s_one (cli_t *self, const args_t *args, const char *id)
{
    json_t *request = cli_request ("session.get");
    cli_request_id (request, "session_id", id);
    int status = cli_ask_and_print (self, request, s_print_session, NULL);
    if (status)
        return status;
    request = cli_request ("session.commands");
    cli_request_id (request, "session_id", id);
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "commands", .limit = args->limit, .columns = s_command_columns, .row = s_command_row,
        .more = CLI_MORE_LIMIT
    });
}

//  -- commands that failed ----------------------------------------------------------

static const cli_column_t s_failed_columns [] = {
    { "SESSION", CLI_CUT | CLI_ID, 12 },
    { "TIME", 0, 0 },
    { "EXIT", CLI_RIGHT, 0 },
    { "COMMAND", CLI_CUT, 20 },
    CLI_COLUMNS_END
};

static void
s_failed_row (cli_table_t *table, json_t *command, void *arg)
{
    (void) arg;
    cli_cell (table, command, "session_id");
    cli_cell_time (table, command, "timestamp");
    cli_cell (table, command, "exit_code");
    cli_cell_preview (table, command, "command");
}

static int
s_failed (cli_t *self, const args_t *args)
{
    json_t *request = cli_request ("command.list");
    json_object_set_new (request, "failed", json_true ());
    //  The table has no column for outputs; --json includes them
    if (!self->json)
        json_object_set_new (request, "output_length", json_integer (0));
    return cli_ask_table (self, request, &(cli_list_view_t) {
        .key = "commands", .limit = args->all? 0: args->limit? args->limit: 100, .columns = s_failed_columns,
        .row = s_failed_row, .none = "no failed commands", .more = CLI_MORE_ALL
    });
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->all && args->limit)
        return cli_usage_error ("sessions", "--all and --limit cannot be used together");
    if (args->failed && (operands->count || args->states.count || args->task))
        return cli_usage_error ("sessions", "--failed lists the commands of all sessions; use it without ID, --state and --task");
    if (cli_check_words ("sessions", "a session state", &args->states, STELE_VOCABULARY_SESSION_STATE))
        return EX_USAGE;
    if (args->failed)
        return s_failed (self, args);
    if (operands->count == 0)
        return s_list (self, args);
    if (args->states.count || args->task)
        return cli_usage_error ("sessions", "--state and --task apply to the list, not to one session");
    return s_one (self, args, operands->items [0]);
}

const cli_command_t cli_cmd_sessions = {
    .name = "sessions",
    .summary = "CLI sessions of tasks, or one with its commands",
    .usage = {
        .usage = "stele sessions [OPTION]... [ID]",
        .about = "Without ID, list the sessions, newest first. With ID, print that session and every command "
                 "executed in it.",
        .after = "With --json and ID, the first line is the session; each following line is a page of its commands.",
        .examples =
            "  stele sessions --state running\n"
            "  stele sessions session-7\n"
            "  stele sessions --failed -n 20\n"
            "  stele sessions session-7 --json | jq -r 'select(.commands) | .commands[].command'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
