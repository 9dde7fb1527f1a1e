/*  migrate - stele migrate: import the records of an earlier system

    Everything is read and turned into events first. The first event is published only if all can
    be, and if the ledger has none of the tasks. The producer is named after the hash of the events,
    so the same command completes an interrupted migration.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/files/digest.h"
#include "cli/files/outfile.h"
#include "cli/shared/ask.h"
#include "cli/shared/push.h"
#include "cli/terminal/text.h"
#include "migrate/migrate.h"

#define REDIS_TIMEOUT_MS 5000
#define PATTERN "task_status:*"
#define CONFLICTS_SHOWN 10

typedef struct {
    const char *sqlite, *redis, *pattern, *to;
    bool dry_run;
} args_t;

static const cli_option_t s_options [] = {
    { "from-sqlite", 0, "FILE", "read this database of the earlier system (a copy is read, the file is not changed)",
        CLI_TEXT, offsetof (args_t, sqlite), 0, NULL },
    { "from-redis", 0, "URL", "read the keys of the earlier system in this Redis (redis://HOST:PORT/DB or unix:///PATH)",
        CLI_TEXT, offsetof (args_t, redis), 0, NULL },
    { "pattern", 0, "P", "with --from-redis, read the keys that match P (" PATTERN ")", CLI_TEXT, offsetof (args_t, pattern), 0, NULL },
    { "dry-run", 'n', NULL, "report what would be imported, and every guess; publish nothing",
        CLI_FLAG, offsetof (args_t, dry_run), 0, NULL },
    { "to", 0, "FILE", "write the events to FILE for 'stele import' instead of publishing them",
        CLI_TEXT, offsetof (args_t, to), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_t *cli;
    const args_t *args;
    stele_migrate_t *migrate;
    FILE *events;                   // Unnamed file
    char producer [64];
    int64_t conflicts;
} s_migrate_t;

//  -- the report ----------------------------------------------------------------------

static void
s_print_json (json_t *line)
{
    char *text = json_dumps (line, JSON_COMPACT);
    cli_text_print_json (stdout, text? text: "{}", text? strlen (text): 2);
    putchar ('\n');
    free (text);
    json_decref (line);
}

static void
s_guess (const char *table, const char *id, const char *what, void *arg)
{
    s_migrate_t *self = arg;
    if (self->cli->json) {
        json_t *line = json_pack ("{ssss}", "table", table, "odd", what);
        json_object_set_new (line, "id", json_string (id));
        s_print_json (line);
        return;
    }
    fputs (table, stdout);
    putchar (' ');
    cli_text_print (stdout, id, strlen (id), 0, CLI_CUT_END);
    fputs (": ", stdout);
    cli_text_print (stdout, what, strlen (what), 0, CLI_CUT_END);
    putchar ('\n');
}

static void
s_report (s_migrate_t *self)
{
    stele_migrate_counts_t counts = stele_migrate_counts (self->migrate);
    const struct { const char *name; int64_t count; } rows [] = {
        { "tasks", counts.tasks }, { "task_history", counts.history }, { "task_outputs", counts.outputs },
        { "task_metrics", counts.metrics }, { "cli_sessions", counts.sessions },
        { "cli_session_commands", counts.commands }, { "user_preferences", counts.preferences },
        { "events", counts.events }, { "odd", counts.odd }, { "failed", counts.failed }
    };
    json_t *line = json_object ();
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++)
        if (self->cli->json)
            json_object_set_new (line, rows [i].name, json_integer (rows [i].count));
        else
        if (rows [i].count || i >= 7)
            printf ("%-22s %s\n", strcmp (rows [i].name, "odd") == 0? "guesses": rows [i].name,
                cli_format_count (rows [i].count).text);
    if (self->cli->json) {
        json_object_set_new (line, "producer", json_string (self->producer));
        s_print_json (line);
    }
    else
        json_decref (line);
    cli_flush_stdout ();
}

//  -- steps ---------------------------------------------------------------------------

static int
s_read (s_migrate_t *self)
{
    char error [1024] = "";
    const args_t *args = self->args;
    int rc = args->sqlite?
        stele_migrate_from_sqlite (self->migrate, args->sqlite, error, sizeof error):
        stele_migrate_from_redis (self->migrate, args->redis, args->pattern? args->pattern: PATTERN,
            cli_timeout (self->cli, REDIS_TIMEOUT_MS), error, sizeof error);
    if (rc == 0)
        return EX_OK;
    cli_report ("%s: nothing was migrated", *error? error: stele_error_text (rc));
    return rc == STELE_EINVALID_FIELD? EX_USAGE: rc == STELE_EUNAVAILABLE? EX_UNAVAILABLE:
        args->sqlite && access (args->sqlite, R_OK)? EX_NOINPUT: EX_DATAERR;
}

//  Write all events to one file, in order; the hash of its content names the producer
static int
s_collect (s_migrate_t *self)
{
    char digest [CLI_DIGEST_SIZE];
    self->events = tmpfile ();
    if (!self->events || stele_migrate_write (self->migrate, self->events)
    ||  cli_digest_file (fileno (self->events), digest)) {
        cli_report ("cannot write the events to a temporary file: %s (TMPDIR sets the folder)", strerror (errno));
        return EX_IOERR;
    }
    snprintf (self->producer, sizeof self->producer, "migrate-%s", digest);
    return EX_OK;
}

static int
s_write_file (s_migrate_t *self, const char *path)
{
    cli_outfile_t *file = cli_outfile_open (path, false);
    if (!file) {
        cli_report ("%s: %s", path, strerror (errno));
        return EX_CANTCREAT;
    }
    int64_t events = stele_migrate_counts (self->migrate).events;
    int rc = stele_migrate_write (self->migrate, cli_outfile_stream (file));
    if (rc == 0)
        rc = cli_outfile_finish (file);
    if (rc)
        cli_report ("%s: %s", path, strerror (errno));
    else
        fprintf (stderr, "%s event%s written to %s, for 'stele import'\n", cli_format_count (events).text,
            events == 1? "": "s", strcmp (path, "-") == 0? "standard output": path);
    cli_outfile_close (&file);
    return rc? EX_IOERR: EX_OK;
}

static bool
s_check_task (const char *task_id, void *arg)
{
    s_migrate_t *self = arg;
    json_t *request = cli_request ("task.get");
    cli_request_text (request, "task_id", task_id);
    json_t *answer = cli_ask_or_none (self->cli, request);
    if (!answer)
        return self->cli->status == CLI_NO;
    json_decref (answer);
    if (self->conflicts++ < CONFLICTS_SHOWN)
        cli_report ("the ledger already has task '%s'", task_id);
    return true;
}

//  Was this migration started before? If not, the ledger must have none of its tasks.
static int
s_check_ledger (s_migrate_t *self)
{
    json_t *request = cli_request ("producer.get");
    cli_request_text (request, "producer", self->producer);
    json_t *answer = cli_ask_or_none (self->cli, request);
    if (answer) {
        //  Its events have the sequences 1, 2, 3...
        const json_t *producer = json_object_get (answer, "producer");
        bool complete = json_integer_value (json_object_get (producer, "sequence"))
            >= stele_migrate_counts (self->migrate).events;
        json_decref (answer);
        fputs (complete? "this migration was complete already: nothing is stored again\n":
            "this migration was started before: continuing\n", stderr);
        return EX_OK;
    }
    if (self->cli->status != CLI_NO)
        return self->cli->status;
    self->cli->status = EX_OK;
    stele_migrate_tasks (self->migrate, s_check_task, self);
    if (self->cli->status != EX_OK && self->cli->status != CLI_NO)
        return self->cli->status;
    if (self->conflicts == 0)
        return EX_OK;
    cli_report ("the ledger already has %s of these tasks: nothing was migrated. Migrate into another ledger, "
        "or write the events to a file (--to) and remove those tasks from it",
        cli_format_count (self->conflicts).text);
    return EX_DATAERR;
}

static int
s_publish (s_migrate_t *self)
{
    int status = s_check_ledger (self);
    if (status)
        return status;
    cli_push_t how = {
        .command = "migrate", .producer = self->producer, .sequence = 1, .restore = true
    };
    return cli_push (self->cli, &how, fileno (self->events));
}

static int
s_run_all (s_migrate_t *self)
{
    int status = s_read (self);
    if (status == EX_OK)
        status = s_collect (self);
    if (status)
        return status;
    s_report (self);
    stele_migrate_counts_t counts = stele_migrate_counts (self->migrate);
    if (counts.failed) {
        cli_report ("%s record%s cannot be published, see above: nothing was migrated",
            cli_format_count (counts.failed).text, counts.failed == 1? "": "s");
        return EX_DATAERR;
    }
    if (self->args->dry_run)
        return EX_OK;
    if (self->args->to)
        return s_write_file (self, self->args->to);
    return counts.events? s_publish (self): EX_OK;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    if (!args->sqlite == !args->redis)
        return cli_usage_error ("migrate", "use one of --from-sqlite FILE and --from-redis URL");
    if (args->pattern && !args->redis)
        return cli_usage_error ("migrate", "--pattern needs --from-redis");
    if (args->dry_run && args->to)
        return cli_usage_error ("migrate", "--dry-run writes no file; it cannot be used with --to");
    s_migrate_t self = { .cli = cli, .args = args };
    self.migrate = stele_migrate_new (s_guess, &self);
    int status = s_run_all (&self);
    stele_migrate_destroy (&self.migrate);
    if (self.events)
        fclose (self.events);
    return status;
}

const cli_command_t cli_cmd_migrate = {
    .name = "migrate",
    .summary = "import the records of an earlier system",
    .usage = {
        .usage = "stele migrate --from-sqlite FILE | --from-redis URL [OPTION]...",
        .about =
            "Read the database of an earlier system, or the keys task_status:ID that it left in Redis, and publish "
            "events that lead to the same records: states, times, errors, history, outputs, metrics, sessions and "
            "preferences. The source is not changed.\n"
            "\n"
            "Every guess is reported, record by record. States, columns and values that Stele does not know are kept under "
            "the key 'migrated': for a task in its metadata, for other rows in the event. Try --dry-run first.",
        .after =
            "All or nothing: everything is read and checked before the first event is published, and nothing is published if "
            "a record cannot be, or if the ledger already has one of the tasks. If publishing is interrupted, "
            "run the same command on the same source again: it completes the migration and stores nothing twice.",
        .examples =
            "  stele migrate --from-sqlite tasks.db --dry-run\n"
            "  stele migrate --from-sqlite tasks.db\n"
            "  stele migrate --from-redis redis://127.0.0.1:6379 --pattern 'task_status:*'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
