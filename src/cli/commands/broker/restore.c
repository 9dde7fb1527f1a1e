/*  restore - stele restore: make a ledger from a repository of backups

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/cli.h"
#include "cli/shared/time_option.h"
#include "cli/terminal/progress.h"
#include "jansson.h"
#include "ledger/reader.h"
#include "repository/restore.h"

typedef struct {
    const char *at;
    bool snapshot;
} args_t;

static const cli_option_t s_options [] = {
    { "at", 0, "WHEN", "restore an earlier moment: a position, or a time: " CLI_TIMES, CLI_TEXT, offsetof (args_t, at), 0, NULL },
    { "snapshot", 0, NULL, "restore the newest snapshot alone, for a new node of a shared log: the log has the rest",
        CLI_FLAG, offsetof (args_t, snapshot), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_progress_t bar;
    const char *step;
} s_shown_t;

static void
s_show (const char *step, int64_t done, int64_t total, void *arg)
{
    s_shown_t *self = arg;
    if (!self->step || strcmp (step, self->step) != 0) {
        cli_progress_wipe (&self->bar);
        self->bar = cli_progress_start (total, strcmp (step, "restoring") == 0? "bytes": "events");
        self->step = step;
    }
    cli_progress_show (&self->bar, done, done);
}

//  A position is digits only: a time as a number of microseconds has more of them than any position
static int
s_read_at (const char *at, stele_restore_options_t *options)
{
    size_t size = strlen (at);
    if (size > 0 && size < 16 && strspn (at, "0123456789") == size)
        options->position = strtoll (at, NULL, 10);
    else
    if (cli_time_read (at, &options->time_us))
        return cli_usage_error ("restore", "--at: '%s' is neither a position nor a time; use a number, " CLI_TIMES, at);
    return EX_OK;
}

static void
s_print (const cli_t *self, const char *target, const stele_restored_t *restored)
{
    if (self->json) {
        json_t *line = json_pack ("{ss ss sI sI sI sb}", "ledger", target, "ledger_id", restored->ledger_id,
            "position", (json_int_t) restored->position, "end", (json_int_t) restored->end,
            "replayed", (json_int_t) restored->replayed, "complete", restored->complete);
        json_object_set_new (line, "archives", json_integer (restored->archives));
        json_object_set_new (line, "erased", json_integer (restored->erased));
        json_object_set_new (line, "snapshot", *restored->snapshot? json_string (restored->snapshot): json_null ());
        json_dumpf (line, stdout, JSON_COMPACT);
        putchar ('\n');
        json_decref (line);
        return;
    }
    printf ("%s: ledger %s, up to position %s (%s%s%s from segments), verified\n", target, restored->ledger_id,
        cli_format_count (restored->position).text, restored->snapshot, *restored->snapshot? ", ": "",
        cli_format_counted (restored->replayed, "event").text);
    if (restored->archives)
        printf ("%s next to it (%s.archive-YEAR)\n", cli_format_counted (restored->archives, "archive").text, target);
    if (restored->erased)
        cli_warn ("%s of it were erased after that moment, and are erased here: an audit event at position %" PRId64 " records it",
            cli_format_counted (restored->erased, "event").text, restored->position + 1);
    if (!restored->complete)
        cli_warn ("this is not all that the repository has: positions %" PRId64 " to %" PRId64 " are recorded as lost, and the "
            "ledger has a new id, so its backups need another folder", restored->position + 1, restored->end);
}

//  Snapshots of earlier versions have no copies of archives: these have to be put next to the restored ledger
static void
s_check_archives (const char *target)
{
    stele_refusal_t refusal = { 0 };
    stele_reader_t *reader = stele_reader_open (target, &refusal);
    if (!reader && refusal.code == STELE_EUNAVAILABLE)
        cli_warn ("%s has archives, and no broker starts without them: %s", target, refusal.message);
    stele_reader_close (&reader);
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    s_shown_t shown = { .step = NULL };
    stele_restore_options_t options = { .position = -1, .progress = s_show, .arg = &shown };
    stele_restored_t restored;
    stele_refusal_t refusal;
    if (args->at && args->snapshot)
        return cli_usage_error ("restore", "--at and --snapshot cannot be used together");
    options.snapshot = args->snapshot;
    int status = args->at? s_read_at (args->at, &options): EX_OK;
    if (status)
        return status;
    shown.bar = cli_progress_start (0, "bytes");
    int code = stele_repository_restore (operands->items [0], operands->items [1], &options, &restored, &refusal);
    cli_progress_wipe (&shown.bar);
    if (*restored.skipped)
        cli_warn ("%s; an older snapshot was used instead", restored.skipped);
    if (code) {
        cli_report ("%s", refusal.message);
        return code == STELE_ENOT_FOUND? EX_NOINPUT: code == STELE_ELEDGER? EX_DATAERR: code == STELE_EEXISTS? EX_CANTCREAT:
            EX_IOERR;
    }
    s_print (self, operands->items [1], &restored);
    s_check_archives (operands->items [1]);
    return EX_OK;
}

const cli_command_t cli_cmd_restore = {
    .name = "restore",
    .summary = "make a ledger from a repository of backups",
    .usage = {
        .usage = "stele restore [OPTION]... REPOSITORY LEDGER",
        .about =
            "Restore the folder of backups REPOSITORY to the new file LEDGER, and its archives to LEDGER.archive-YEAR, without a broker. The result is verified before it "
            "gets its name, and never replaces a file. Then start a broker with it: steled --ledger LEDGER.\n"
            "\n"
            "Without --at, all that the repository has is restored, and the ledger keeps its id: producers "
            "continue where they were, and what they had sent is not stored twice. If producers or Redis had acks of later events, "
            "which were lost with the disk, the broker detects it (ledger_behind).\n"
            "\n"
            "With --at, the ledger ends with the event at that position, or with the last commit at or before that time. It gets "
            "a new id, and records the later events as lost (stele info). If the backup has some of its events as erased ones, whose "
            "erasure came later, one more event records that.\n"
            "\n"
            "With --snapshot, the ledger is the newest snapshot, and keeps its id and its place in the shared log (setting "
            "shared-log): a broker that starts with it reads the rest from the log. Without --snapshot, a restored ledger has no "
            "place in that log, unless no segment is newer than the snapshot.",
        .after = "Exit status: 65 a backup is damaged; 66 there is no such repository, or it does not have that moment; 73 LEDGER, or "
                 "a file that belongs to it, exists; 74 it cannot be written.",
        .examples =
            "  stele restore /backup/stele /var/lib/stele/stele.db\n"
            "  stele restore /backup/stele before.db --at 2026-03-02T09:00:00Z\n"
            "  stele restore /backup/stele before.db --at 4711\n"
            "  stele restore --snapshot /backup/stele /var/lib/stele/stele.db"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 2,
    .operands_max = 2,
    .run = s_run
};
