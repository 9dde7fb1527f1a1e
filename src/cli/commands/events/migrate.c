/*  migrate - stele migrate: import the records of an earlier system

    Everything is read and turned into events first. The first event is published only if all can be. Of
    a source that the ledger has in part, only what is new is published. The producer is named after the
    hash of the events, so the same command completes an interrupted migration.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/transfer/kinds.h"
#include "cli/files/digest.h"
#include "cli/files/outfile.h"
#include "cli/shared/ask.h"
#include "cli/transfer/push.h"
#include "cli/terminal/text.h"
#include "migrate/delta.h"
#include "migrate/migrate.h"
#include "migrate/verify/verify.h"

#define REDIS_TIMEOUT_MS 5000
#define PATTERN "task_status:*"
#define SESSION_PATTERN "cli_session:*"

typedef struct {
    const char *sqlite, *redis, *pattern, *to, *zone;
    bool dry_run, verbose, skip, interrupt, verify;
} args_t;

static const cli_option_t s_options [] = {
    { "from-sqlite", 0, "FILE", "read this database of the earlier system (a copy is read, the file is not changed)",
        CLI_TEXT, offsetof (args_t, sqlite), 0, NULL },
    { "from-redis", 0, "URL", "read the keys of the earlier system in this Redis (redis://HOST:PORT/DB or unix:///PATH)",
        CLI_TEXT, offsetof (args_t, redis), 0, NULL },
    { "pattern", 0, "PATTERN", "with --from-redis, read the keys that match PATTERN (default: " PATTERN " and " SESSION_PATTERN ")",
        CLI_TEXT, offsetof (args_t, pattern), 0, NULL },
    { "zone", 0, "ZONE", "time zone of times that have none: a name such as Europe/Berlin, an offset such as +02:00, local, or UTC (default: UTC)",
        CLI_TEXT, offsetof (args_t, zone), 0, NULL },
    { "interrupt", 0, NULL, "mark tasks that are still running, starting or completing as failed and interrupted",
        CLI_FLAG, offsetof (args_t, interrupt), 0, NULL },
    { "skip", 0, NULL, "leave out records that cannot be published, and list them, instead of publishing nothing",
        CLI_FLAG, offsetof (args_t, skip), 0, NULL },
    { "dry-run", 'n', NULL, "report what would be imported, and every guess; publish nothing",
        CLI_FLAG, offsetof (args_t, dry_run), 0, NULL },
    { "verify", 0, NULL, "compare the ledger with the source, field by field; publish nothing. The exit status is 1 if they differ",
        CLI_FLAG, offsetof (args_t, verify), 0, NULL },
    { "verbose", 'v', NULL, "print every guess or difference, not one line per kind", CLI_FLAG, offsetof (args_t, verbose), 0, NULL },
    { "to", 0, "FILE", "write the events to FILE for 'stele import' instead of publishing them",
        CLI_TEXT, offsetof (args_t, to), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_t *cli;
    const args_t *args;
    stele_migrate_t *migrate;
    cli_kinds_t *kinds;             // Guesses, or with --verify differences
    stele_verify_t *verify;         // NULL: --verify was not given
    FILE *events, *added;           // Unnamed files: all events, and those that the ledger does not have
    char producer [64];
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
s_add_guess (const char *table, const char *id, size_t id_size, const char *what, void *arg)
{
    s_migrate_t *self = arg;
    //  A verification repeats no guesses
    if (!self->verify)
        cli_kinds_add (self->kinds, table, id, id_size, what);
}

static void
s_add_difference (const char *table, const char *id, size_t id_size, const char *what, void *arg)
{
    s_migrate_t *self = arg;
    cli_kinds_add (self->kinds, table, id, id_size, what);
}

static void
s_take_record (const char *table, const json_t *id, const json_t *columns, void *arg)
{
    s_migrate_t *self = arg;
    stele_verify_record (self->verify, table, id, columns);
}

static void
s_report (s_migrate_t *self)
{
    stele_migrate_counts_t counts = stele_migrate_counts (self->migrate);
    const struct { const char *name; int64_t count; } rows [] = {
        { "tasks", counts.tasks }, { "task_history", counts.history }, { "task_outputs", counts.outputs },
        { "task_metrics", counts.metrics }, { "cli_sessions", counts.sessions },
        { "cli_session_commands", counts.commands }, { "user_preferences", counts.preferences },
        { "events", counts.events }, { "odd", counts.odd }, { "failed", counts.failed },
        { "unfinished", counts.unfinished }, { "interrupted", counts.interrupted }
    };
    cli_kinds_print (self->kinds);
    json_t *line = json_object ();
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++)
        if (self->cli->json)
            json_object_set_new (line, rows [i].name, json_integer (rows [i].count));
        else
        if (rows [i].count || (i >= 7 && i < 10))
            printf ("%-22s %s\n", i == 8? "guesses": i == 9 && self->args->skip? "skipped": rows [i].name,
                cli_format_count (rows [i].count).text);
    if (self->cli->json) {
        json_object_set_new (line, "producer", json_string (self->producer));
        s_print_json (line);
    }
    else
        json_decref (line);
    cli_flush_stdout ();
    if (counts.unfinished && !self->args->interrupt)
        fprintf (stderr, "%s task%s still at work (running, starting or completing): imported as such. No producer owns "
            "them, so nothing ends them by itself; --interrupt marks them as failed\n",
            cli_format_count (counts.unfinished).text, counts.unfinished == 1? " is": "s are");
}

//  -- steps ---------------------------------------------------------------------------

static int
s_read (s_migrate_t *self)
{
    char error [1024] = "";
    const args_t *args = self->args;
    const char *patterns [] = { args->pattern? args->pattern: PATTERN, args->pattern? NULL: SESSION_PATTERN, NULL };
    int rc = args->sqlite?
        stele_migrate_from_sqlite (self->migrate, args->sqlite, error, sizeof error):
        stele_migrate_from_redis (self->migrate, args->redis, patterns,
            cli_timeout (self->cli, REDIS_TIMEOUT_MS), error, sizeof error);
    if (rc == 0)
        return EX_OK;
    cli_report ("%s; nothing was migrated", *error? error: stele_error_text (rc));
    return rc == STELE_EINVALID_FIELD? EX_USAGE: rc == STELE_EUNAVAILABLE? EX_UNAVAILABLE:
        args->sqlite && access (args->sqlite, R_OK)? EX_NOINPUT: EX_DATAERR;
}

static int
s_report_file (void)
{
    cli_report ("cannot write the events to a temporary file: %s (TMPDIR sets the directory)", strerror (errno));
    return EX_IOERR;
}

//  The hash of the events names the producer. 0, or -1 with errno
static int
s_name_producer (s_migrate_t *self, FILE *events)
{
    char digest [CLI_DIGEST_SIZE];
    if (fflush (events) || cli_digest_file (fileno (events), digest))
        return -1;
    snprintf (self->producer, sizeof self->producer, "migrate-%s", digest);
    return 0;
}

//  Write all events to one file, in order
static int
s_collect (s_migrate_t *self)
{
    self->events = tmpfile ();
    if (!self->events || stele_migrate_write (self->migrate, self->events) || s_name_producer (self, self->events))
        return s_report_file ();
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

static json_t *
s_ask (json_t *request, bool *none, void *arg)
{
    s_migrate_t *self = arg;
    self->cli->status = EX_OK;
    json_t *answer = cli_ask_or_none (self->cli, request);
    *none = !answer && self->cli->status == CLI_NO;
    return answer;
}

//  Was this migration started before? 1: yes, 0: no, -1: the broker did not answer
static int
s_was_started (s_migrate_t *self)
{
    json_t *request = cli_request ("producer.get");
    cli_request_text (request, "producer", self->producer);
    json_t *answer = cli_ask_or_none (self->cli, request);
    if (!answer)
        return self->cli->status == CLI_NO? 0: -1;
    //  Its events have the sequences 1, 2, 3...
    const json_t *producer = json_object_get (answer, "producer");
    bool complete = json_integer_value (json_object_get (producer, "sequence"))
        >= stele_migrate_counts (self->migrate).events;
    json_decref (answer);
    fputs (complete? "this migration was complete already: nothing is stored again\n":
        "this migration was started before: continuing\n", stderr);
    return 1;
}

//  Leave out what the ledger has. Sets self->added if it has a part of the records
static int
s_reduce (s_migrate_t *self)
{
    stele_asker_t asker = { s_ask, self };
    stele_delta_options_t options = { &asker, self->args->redis != NULL, s_add_guess, self };
    stele_delta_counts_t counts;
    self->added = tmpfile ();
    int rc = self->added? stele_delta (self->events, self->added, &options, &counts): -1;
    if (rc == -2)
        return self->cli->status? self->cli->status: EX_UNAVAILABLE;
    if (rc || (counts.subjects && s_name_producer (self, self->added)))
        return s_report_file ();
    self->cli->status = EX_OK;
    if (counts.subjects == 0) {
        //  All of it is new: the producer keeps the name of all events
        fclose (self->added);
        self->added = NULL;
        return EX_OK;
    }
    cli_kinds_print (self->kinds);
    cli_flush_stdout ();
    fprintf (stderr, "the ledger already has %s of these records: ", cli_format_count (counts.subjects).text);
    fprintf (stderr, "%s new event%s\n", cli_format_count (counts.added).text, counts.added == 1? "": "s");
    return EX_OK;
}

static int
s_publish (s_migrate_t *self)
{
    int started = s_was_started (self);
    if (started < 0)
        return self->cli->status;
    int status = started? EX_OK: s_reduce (self);
    if (status)
        return status;
    cli_push_t how = {
        .command = "migrate", .producer = self->producer, .sequence = 1, .restore = true
    };
    int fd = fileno (self->added? self->added: self->events);
    if (lseek (fd, 0, SEEK_SET) < 0)
        return s_report_file ();
    return cli_push (self->cli, &how, fd);
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
    if (counts.failed && !self->args->skip) {
        cli_report ("%s record%s cannot be published (see above); nothing was migrated. --skip leaves them out",
            cli_format_count (counts.failed).text, counts.failed == 1? "": "s");
        return EX_DATAERR;
    }
    if (self->args->dry_run)
        return EX_OK;
    if (self->args->to)
        return s_write_file (self, self->args->to);
    return counts.events? s_publish (self): EX_OK;
}

//  -- verification --------------------------------------------------------------------

static int
s_report_verified (s_migrate_t *self)
{
    stele_verify_counts_t counts = stele_verify_counts (self->verify);
    cli_kinds_print (self->kinds);
    if (self->cli->json)
        s_print_json (json_pack ("{sIsIsIsI}", "records", (json_int_t) counts.records, "fields", (json_int_t) counts.fields,
            "kept", (json_int_t) counts.kept, "differences", (json_int_t) counts.differences));
    else {
        printf ("%-22s %s\n", "records", cli_format_count (counts.records).text);
        printf ("%-22s %s\n", "fields", cli_format_count (counts.fields).text);
        printf ("%-22s %s\n", "kept in migrated", cli_format_count (counts.kept).text);
        printf ("%-22s %s\n", "differences", cli_format_count (counts.differences).text);
    }
    cli_flush_stdout ();
    return counts.differences? CLI_NO: EX_OK;
}

static int
s_run_verify (s_migrate_t *self)
{
    stele_verify_set_source (self->verify, self->migrate);
    int status = s_read (self);
    if (status)
        return status;
    if (stele_verify_end (self->verify))
        return self->cli->status? self->cli->status: EX_UNAVAILABLE;
    return s_report_verified (self);
}

//  -- the command ---------------------------------------------------------------------

static int
s_check_args (const args_t *args)
{
    if (!args->sqlite == !args->redis)
        return cli_usage_error ("migrate", "use one of --from-sqlite FILE and --from-redis URL");
    if (args->pattern && !args->redis)
        return cli_usage_error ("migrate", "--pattern needs --from-redis");
    if (args->dry_run && args->to)
        return cli_usage_error ("migrate", "--dry-run writes no file; it cannot be used with --to");
    if (args->verify && (args->dry_run || args->to || args->skip || args->interrupt))
        return cli_usage_error ("migrate", "--verify publishes nothing; it cannot be used with --dry-run, --to, --skip or --interrupt");
    return EX_OK;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    int status = s_check_args (args);
    if (status)
        return status;
    s_migrate_t self = { .cli = cli, .args = args };
    stele_asker_t asker = { s_ask, &self };
    stele_migrate_options_t options = { .odd_fn = s_add_guess, .record_fn = args->verify? s_take_record: NULL, .arg = &self,
        .zone = args->zone, .interrupt = args->interrupt, .skip = args->skip };
    self.migrate = stele_migrate_new (&options);
    if (!self.migrate)
        return cli_usage_error ("migrate", "--zone takes UTC, local, an offset such as +02:00, or a name of the time zone "
            "database such as Europe/Berlin; '%s' is none", args->zone);
    self.kinds = cli_kinds_new (args->verify? "difference": "odd", cli->json, args->verbose);
    if (args->verify)
        self.verify = stele_verify_new (&asker, s_add_difference, &self);
    status = args->verify? s_run_verify (&self): s_run_all (&self);
    stele_verify_destroy (&self.verify);
    cli_kinds_destroy (&self.kinds);
    stele_migrate_destroy (&self.migrate);
    if (self.events)
        fclose (self.events);
    if (self.added)
        fclose (self.added);
    return status;
}

const cli_command_t cli_cmd_migrate = {
    .name = "migrate",
    .summary = "import the records of an earlier system",
    .usage = {
        .usage = "stele migrate --from-sqlite FILE | --from-redis URL [OPTION]...",
        .about =
            "Read the database of an earlier system, or the keys task_status:ID and cli_session:ID that it left in Redis, "
            "and publish events that lead to the same records: states, times, errors, history, outputs, metrics, sessions "
            "and preferences. The source is not changed.\n"
            "\n"
            "Every guess is reported: one line per kind, with a count and up to three ids. States, columns and values that "
            "Stele does not know are kept under the key 'migrated': for a task in its metadata, for other rows in the event. "
            "Text that is too long is cut, and the rest becomes an output. Try --dry-run first, and --verify afterwards.",
        .after =
            "Everything is read and checked before the first event is published, and nothing is published if a record cannot "
            "be (see --skip). Run it again at any time, with the same source, a later copy of it, or with Redis after SQLite: "
            "only what the ledger does not have is published, and of a record only a newer state. An interrupted migration is "
            "completed by the same command.",
        .examples =
            "  stele migrate --from-sqlite tasks.db --dry-run\n"
            "  stele migrate --from-sqlite tasks.db --zone Europe/Berlin\n"
            "  stele migrate --from-sqlite tasks.db --verify\n"
            "  stele migrate --from-redis redis://127.0.0.1:6379 --pattern 'task_status:*'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
