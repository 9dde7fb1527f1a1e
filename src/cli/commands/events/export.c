/*  export - stele export: write the log, or a table, to a file

    Everything is read page by page as of one position: that of the head at the start, or --at.
    So events that are committed meanwhile are not included, and memory does not depend on the size
    of the ledger.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/files/csv.h"
#include "cli/files/interrupt.h"
#include "cli/files/outfile.h"
#include "cli/files/rows.h"
#include "cli/shared/ask.h"
#include "cli/transfer/export_tables.h"
#include "cli/transfer/scope.h"
#include "cli/shared/time_option.h"
#include "cli/terminal/text.h"
#include "cli/view/value.h"
#include "cli/shared/words.h"
#include "cli/terminal/progress.h"

typedef struct {
    cli_scope_filter_t filter;
    cli_list_t types;
    const char *format, *table;
    int64_t at;
    bool force, spreadsheet;
} args_t;

static const cli_option_t s_options [] = {
    { "format", 'f', "FORMAT", "write events (for 'stele import'), or records as jsonl or csv (default: events; with --table: "
        "jsonl)", CLI_TEXT, offsetof (args_t, format), 0, NULL },
    { "table", 0, "TABLE", "export the records of TABLE: tasks, task_history, task_outputs, task_metrics, cli_sessions, "
        "cli_session_commands, user_preferences, rejected_events or audit_events", CLI_TEXT, offsetof (args_t, table), 0, NULL },
    { "at", 0, "N", "export as of position N (default: the head)", CLI_NUMBER, offsetof (args_t, at), 1, NULL },
    { "spreadsheet", 0, NULL, "protect a spreadsheet that opens the CSV: put ' before texts that it would run as formulas (they begin with "
        "= + - @ or a tab)", CLI_FLAG, offsetof (args_t, spreadsheet), 0, NULL },
    { "force", 0, NULL, "replace an existing file", CLI_FLAG, offsetof (args_t, force), 0, NULL },
    { "type", 0, "TYPE", "only events of this type, e.g. task.state_changed",
        CLI_LIST, offsetof (args_t, types), 0, NULL },
    { "task", 0, "ID", "only this task and what belongs to it", CLI_LIST, offsetof (args_t, filter.tasks), 0, NULL },
    { "state", 's', "STATE", "only tasks in this state at the position of the export",
        CLI_LIST, offsetof (args_t, filter.states), 0, NULL },
    { "role", 0, "ROLE", "only tasks with this role", CLI_LIST, offsetof (args_t, filter.roles), 0, NULL },
    { "provider", 0, "NAME", "only tasks with this provider", CLI_LIST, offsetof (args_t, filter.providers), 0, NULL },
    { "model", 0, "NAME", "only tasks with this model", CLI_LIST, offsetof (args_t, filter.models), 0, NULL },
    { "user", 0, "ID", "only tasks of this user", CLI_TEXT, offsetof (args_t, filter.user), 0, NULL },
    { "parent", 0, "ID", "only children of this task", CLI_TEXT, offsetof (args_t, filter.parent), 0, NULL },
    { "from", 0, "TIME", "only tasks created at TIME or later (" CLI_TIMES ")",
        CLI_CALL, offsetof (args_t, filter.from), 0, cli_take_time },
    { "since", 0, "TIME", "the same as --from", CLI_CALL, offsetof (args_t, filter.from), 0, cli_take_time },
    { "to", 0, "TIME", "only tasks created at TIME or earlier",
        CLI_CALL, offsetof (args_t, filter.to), 0, cli_take_time },
    CLI_OPTIONS_END
};

typedef struct {
    cli_t *cli;
    const args_t *args;
    const cli_export_table_t *table;
    bool csv;
    int64_t position;               // Everything is exported as of it
    int64_t rows;
    cli_scope_t *scope;
    cli_outfile_t *file;
    cli_progress_t progress;
    json_t *users;                  // Preferences by user_id, in the order of their first event
} s_export_t;

static bool
s_is (const s_export_t *self, int table)
{
    return self->table == &cli_export_tables [table];
}

//  -- rows ---------------------------------------------------------------------------

//  A terminal obeys what texts hold: it gets them escaped
static void
s_write_csv (const s_export_t *self, FILE *stream, const char *row, size_t size, json_t *record)
{
    if (stream != stdout || !isatty (STDOUT_FILENO)) {
        cli_csv_row (stream, self->table->columns, self->args->spreadsheet, row, size, record);
        return;
    }
    char *text = NULL;
    size_t text_size = 0;
    FILE *file = open_memstream (&text, &text_size);
    assert (file);
    cli_csv_row (file, self->table->columns, self->args->spreadsheet, row, size, record);
    fclose (file);
    cli_text_print_lines (stdout, text, text_size, 0, 0);
    free (text);
}

static void
s_write (s_export_t *self, const char *row, size_t size, json_t *record)
{
    FILE *stream = cli_outfile_stream (self->file);
    self->rows++;
    if (self->csv) {
        s_write_csv (self, stream, row, size, record);
        return;
    }
    //  Leave out positions, which belong to the ledger: the same events give the same file
    const char *position;
    size_t position_size;
    if (s_is (self, CLI_EXPORT_EVENTS) && cli_rows_member (row, size, "position", &position, &position_size)) {
        fwrite (row, 1, (size_t) (position - row), stream);
        fwrite (position + position_size, 1, (size_t) (row + size - position - position_size), stream);
    }
    else
        cli_text_print_json (stream, row, size);
    putc ('\n', stream);
}

//  Does a row pass the filter? 1, 0, or -1: the status is set
static int
s_passes (s_export_t *self, const json_t *row)
{
    if (self->table->kind == CLI_ROW_ALWAYS || !cli_scope_limits (self->scope))
        return 1;
    if (self->table->kind == CLI_ROW_IS_TASK)
        return cli_scope_task (self->scope, row);
    if (self->table->kind == CLI_ROW_NAMES_TASK)
        return cli_scope_row (self->scope, row);
    //  The row of a session has the filter of its task
    json_t *named = json_pack ("{sO*}", "task_id", json_object_get (row, "task_id"));
    int rc = cli_scope_row (self->scope, named);
    json_decref (named);
    return rc;
}

//  Write the rows of an answer that pass. 1 continue, 0 complete, -1 failed: the status is set.
static int
s_take_rows (s_export_t *self, const char *text, json_t *answer)
{
    json_t *records = json_object_get (answer, self->table->rows);
    cli_rows_t rows = cli_rows_start (text, self->table->rows);
    const char *row;
    size_t size;
    for (size_t i = 0; cli_rows_next (&rows, &row, &size); i++) {
        json_t *record = json_array_get (records, i);
        if (s_is (self, CLI_EXPORT_EVENTS)
        &&  json_integer_value (json_object_get (record, "position")) > self->position)
            return 0;
        int passes = s_passes (self, record);
        if (passes < 0)
            return -1;
        if (passes)
            s_write (self, row, size, record);
    }
    if (cli_outfile_flush (self->file)) {
        cli_report ("cannot write the file: %s", strerror (errno));
        self->cli->status = EX_IOERR;
        return -1;
    }
    return 1;
}

static json_t *
s_request (s_export_t *self, const json_t *cursor)
{
    json_t *request = cli_request (self->table->op);
    json_object_set_new (request, "limit", json_integer (CLI_PAGE_ROWS));
    if (strcmp (self->table->op, "table.read") == 0) {
        cli_request_text (request, "table", self->table->name);
        json_object_set_new (request, "at", json_integer (self->position));
    }
    if (s_is (self, CLI_EXPORT_EVENTS))
        cli_request_list (request, "types", &self->args->types);
    if (s_is (self, CLI_EXPORT_PREFERENCES))
        cli_request_text (request, "types", "preference.set");
    if (json_is_integer (cursor))
        json_object_set (request, strcmp (self->table->op, "events.read") == 0? "after": "cursor",
            (json_t *) cursor);
    return request;
}

//  Request page after page and pass each answer with its text to 'take'. Returns the exit status.
typedef int (s_take_fn) (s_export_t *self, const char *text, json_t *answer);

static int
s_read_pages (s_export_t *self, s_take_fn *take)
{
    json_t *cursor = NULL;
    int rc = 1;
    while (rc == 1) {
        json_t *answer = cli_ask (self->cli, s_request (self, cursor));
        json_decref (cursor);
        cursor = NULL;
        if (!answer)
            return self->cli->status;
        char *text = self->cli->text;
        self->cli->text = NULL;     // It must outlive the requests of 'take'
        rc = take (self, text, answer);
        free (text);
        cursor = json_incref (json_object_get (answer, "next"));
        json_decref (answer);
        if (!json_is_integer (cursor)
        || (strcmp (self->table->op, "events.read") == 0 && json_integer_value (cursor) >= self->position))
            break;
        cli_progress_show (&self->progress, json_integer_value (cursor), self->rows);
        if (cli_interrupts ()) {
            cli_progress_wipe (&self->progress);
            cli_report ("interrupted");
            self->cli->status = CLI_INTERRUPTED;
            rc = -1;
        }
    }
    json_decref (cursor);
    return rc < 0? self->cli->status: EX_OK;
}

//  -- preferences: rebuilt from their events ------------------------------------

static void
s_set_preferences (json_t *users, json_t *event)
{
    const char *const *columns = cli_export_tables [CLI_EXPORT_PREFERENCES].columns;
    const char *user = cli_value_string (event, "user_id");
    json_t *record = json_object_get (users, user? user: "default");
    if (!record) {
        record = json_object ();
        json_object_set_new (record, "user_id", json_string (user? user: "default"));
        for (size_t i = 1; columns [i]; i++)
            json_object_set_new (record, columns [i], json_null ());
        json_object_set (record, "created_at", json_object_get (event, "time"));
        json_object_set_new (users, user? user: "default", record);
    }
    for (size_t i = 1; i < 5; i++)
        if (json_object_get (event, columns [i]))
            json_object_set (record, columns [i], json_object_get (event, columns [i]));
    json_object_set (record, "updated_at", json_object_get (event, "time"));
    json_object_set (record, "position", json_object_get (event, "position"));
}

static int
s_take_preferences (s_export_t *self, const char *text, json_t *answer)
{
    (void) text;
    size_t i;
    json_t *event;
    json_array_foreach (json_object_get (answer, "events"), i, event) {
        if (json_integer_value (json_object_get (event, "position")) > self->position)
            return 0;
        s_set_preferences (self->users, event);
    }
    return 1;
}

static int
s_export_preferences (s_export_t *self)
{
    const char *const *columns = self->table->columns;
    self->users = json_object ();
    int status = s_read_pages (self, s_take_preferences);
    const char *user;
    json_t *record;
    void *after;
    if (status == EX_OK)
        json_object_foreach_safe (self->users, after, user, record) {
            if (self->args->filter.user && strcmp (self->args->filter.user, user) != 0)
                continue;
            for (size_t i = 1; columns [i]; i++)
                if (json_is_null (json_object_get (record, columns [i])))
                    json_object_del (record, columns [i]);
            char *row = json_dumps (record, JSON_COMPACT);
            assert (row);
            s_write (self, row, strlen (row), record);
            free (row);
        }
    json_decref (self->users);
    return status;
}

//  -- the command -------------------------------------------------------------------

static void
s_report_done (const s_export_t *self, const char *path)
{
    bool to_stdout = strcmp (path, "-") == 0;
    if (self->cli->json) {
        json_t *line = json_pack ("{sssssIsIss}", "format",
            self->csv? "csv": s_is (self, CLI_EXPORT_EVENTS)? "events": "jsonl", "table", self->table->name,
            "rows", (json_int_t) self->rows, "position", (json_int_t) self->position, "file", path);
        char *text = json_dumps (line, JSON_COMPACT);
        FILE *file = to_stdout? stderr: stdout;
        cli_text_print_json (file, text? text: "{}", text? strlen (text): 2);
        putc ('\n', file);
        free (text);
        json_decref (line);
        return;
    }
    fprintf (stderr, "%s %s exported, as of position %" PRId64 "\n", cli_format_count (self->rows).text,
        s_is (self, CLI_EXPORT_EVENTS)? "events": s_is (self, CLI_EXPORT_TASKS)? "tasks": "rows", self->position);
}

static int
s_write_all (s_export_t *self, const char *path)
{
    self->file = cli_outfile_open (path, self->args->force);
    if (!self->file) {
        if (errno == EEXIST)
            cli_report ("%s exists; use --force to replace it", path);
        else
            cli_report ("%s: %s", path, strerror (errno));
        return EX_CANTCREAT;
    }
    cli_interrupt_catch ();
    self->progress = cli_progress_start (self->position, "rows");
    if (self->csv)
        cli_csv_header (cli_outfile_stream (self->file), self->table->columns);
    int status = s_is (self, CLI_EXPORT_PREFERENCES)?
        s_export_preferences (self): s_read_pages (self, s_take_rows);
    cli_progress_wipe (&self->progress);
    if (status == EX_OK && cli_outfile_finish (self->file)) {
        cli_report ("%s: %s", path, strerror (errno));
        status = errno == EEXIST? EX_CANTCREAT: EX_IOERR;
    }
    cli_outfile_close (&self->file);
    if (status == EX_OK)
        s_report_done (self, path);
    return status;
}

static int
s_check (s_export_t *self)
{
    const args_t *args = self->args;
    const char *table = args->table? args->table: "events";
    const char *format = args->format? args->format: args->table? "jsonl": "events";
    bool events = strcmp (format, "events") == 0;
    self->csv = strcmp (format, "csv") == 0;
    if (!events && !self->csv && strcmp (format, "jsonl") != 0)
        return cli_usage_error ("export", "'%s' is not a format; use events, jsonl or csv", format);
    if (args->spreadsheet && !self->csv)
        return cli_usage_error ("export", "--spreadsheet applies to --format csv only");
    if (events && args->table)
        return cli_usage_error ("export", "--table exports records; use --format jsonl or csv");
    if (!events && !args->table)
        table = "tasks";
    for (size_t i = 0; i < CLI_EXPORT_TABLES; i++)
        if (strcmp (cli_export_tables [i].name, table) == 0 && (i != CLI_EXPORT_EVENTS || events))
            self->table = &cli_export_tables [i];
    if (!self->table)
        return cli_usage_error ("export", "'%s' is not a table; use tasks, task_history, task_outputs, task_metrics, "
            "cli_sessions, cli_session_commands, user_preferences, rejected_events or audit_events", table);
    if (args->at && s_is (self, CLI_EXPORT_REJECTED))
        return cli_usage_error ("export", "--at cannot be used with rejected_events: no earlier state of them exists");
    if (args->types.count && !s_is (self, CLI_EXPORT_EVENTS))
        return cli_usage_error ("export", "--type applies to events, not to records");
    int status = cli_check_words ("export", "a state", &args->filter.states, STELE_VOCABULARY_TASK_STATE);
    return status? status: cli_check_words ("export", "an event type", &args->types, STELE_VOCABULARY_EVENT_TYPE);
}

//  The position of which all pages are read
static int
s_find_position (s_export_t *self)
{
    json_t *answer = cli_ask (self->cli, cli_request ("ping"));
    if (!answer)
        return self->cli->status;
    int64_t head = json_integer_value (json_object_get (answer, "position"));
    json_decref (answer);
    self->position = self->args->at? self->args->at: head;
    if (self->position <= head)
        return EX_OK;
    cli_report ("position %" PRId64 " does not exist yet; the last one is %" PRId64, self->position, head);
    return EX_USAGE;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    s_export_t self = { .cli = cli, .args = arguments };
    int status = s_check (&self);
    if (status == EX_OK)
        status = s_find_position (&self);
    if (status)
        return status;
    self.scope = cli_scope_new (cli, &self.args->filter, self.position);
    if ((s_is (&self, CLI_EXPORT_REJECTED) || s_is (&self, CLI_EXPORT_PREFERENCES)) && cli_scope_limits (self.scope)
    && !(s_is (&self, CLI_EXPORT_PREFERENCES) && self.args->filter.user))
        status = cli_usage_error ("export", "%s does not belong to tasks; filters cannot be used", self.table->name);
    else
        status = s_write_all (&self, operands->items [0]);
    cli_scope_destroy (&self.scope);
    return status;
}

const cli_command_t cli_cmd_export = {
    .name = "export",
    .summary = "write events or tables to a file",
    .usage = {
        .usage = "stele export [OPTION]... FILE|-",
        .about =
            "Write the events of the ledger, or the records of a table, to a file, all as of one position, even while "
            "events are committed. Rows are in the order of their positions, so the same export gives the same "
            "bytes. The position is printed at the end.\n"
            "\n"
            "FILE appears when it is complete; an existing file is not replaced without --force. A filter selects tasks, "
            "as of that position, with everything that belongs to them. Events of users are exported only without a "
            "filter.",
        .after =
            "The format 'events' is for 'stele import', which rebuilds an identical ledger from it. Refused events are "
            "not included: use --table rejected_events. CSV follows RFC 4180; texts are unchanged, also those that a "
            "spreadsheet runs as formulas (--spreadsheet); fields without a column are in the column extra, as JSON; "
            "binary data is in base64, marked in the column NAME_encoding.",
        .examples =
            "  stele export backup.jsonl\n"
            "  stele export - | zstd > backup.jsonl.zst\n"
            "  stele export --table tasks --format csv --state failed failed.csv\n"
            "  stele export --task build-7 build-7.jsonl"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
