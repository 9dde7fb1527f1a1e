/*  backup - stele backup: take a snapshot now; list, check and prune a repository

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/shared/ask.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/table.h"
#include "cli/view/value.h"
#include "repository/packed_file.h"
#include "repository/repository.h"
#include "repository/snapshots.h"

#define POLL_US 100000              // Between two looks at a snapshot that is being taken
#define MAX_AGE 26                  // Hours: a day, and time to take one

typedef struct {
    bool no_wait, full, dry_run;
    int64_t max_age_h, daily, weekly, monthly;
} args_t;

static const cli_option_t s_options [] = {
    { "no-wait", 0, NULL, "do not wait until the snapshot is taken and verified", CLI_FLAG, offsetof (args_t, no_wait), 0, NULL },
    { "max-age", 0, "HOURS", "check: fail if the newest snapshot is older (default: 26)",
        CLI_NUMBER, offsetof (args_t, max_age_h), 1, NULL },
    { "full", 0, NULL, "check: also restore every snapshot to the folder of temporary files, and verify it",
        CLI_FLAG, offsetof (args_t, full), 0, NULL },
    { "daily", 0, "N", "prune: keep the newest snapshot of each of so many days (default: 30)",
        CLI_NUMBER, offsetof (args_t, daily), 1, NULL },
    { "weekly", 0, "N", "prune: also of each of so many weeks (default: 8)", CLI_NUMBER, offsetof (args_t, weekly), 1, NULL },
    { "monthly", 0, "N", "prune: also of each of so many months (default: 12)",
        CLI_NUMBER, offsetof (args_t, monthly), 1, NULL },
    { "dry-run", 'n', NULL, "prune: only print which snapshots would be removed", CLI_FLAG, offsetof (args_t, dry_run), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "SNAPSHOT", 0, 0 },
    { "POSITION", CLI_RIGHT, 0 },
    { "TIME", 0, 0 },
    { "AGE", CLI_RIGHT, 0 },
    { "VERIFIED", 0, 0 },
    { "SIZE", CLI_RIGHT, 0 },
    { "FAULT", CLI_CUT | CLI_OPTIONAL, 10 },
    CLI_COLUMNS_END
};

//  -- a snapshot now --------------------------------------------------------------------------

static json_t *
s_ask (cli_t *self, bool start)
{
    json_t *request = cli_request ("backup");
    if (start)
        json_object_set_new (request, "start", json_true ());
    return cli_ask (self, request);
}

//  Wait for the end of the job with that number. The last answer, or NULL. Caller owns return value.
static json_t *
s_wait (cli_t *self, json_t *answer, int64_t number)
{
    cli_progress_t progress = cli_progress_start (0, "bytes");
    while (answer && json_integer_value (json_object_get (answer, "finished")) < number) {
        progress.total = json_integer_value (json_object_get (answer, "total_bytes"));
        int64_t done = json_integer_value (json_object_get (answer, "done_bytes"));
        cli_progress_show (&progress, done, done);
        json_decref (answer);
        usleep (POLL_US);
        answer = s_ask (self, false);
        //  A broker that was started again does not know of it
        if (answer && json_integer_value (json_object_get (answer, "number")) < number) {
            json_decref (answer);
            answer = NULL;
            cli_report ("the broker was started again meanwhile: whether the snapshot was taken, 'stele backup list' says");
            self->status = EX_IOERR;
        }
    }
    cli_progress_wipe (&progress);
    return answer;
}

static int
s_take (cli_t *self, const args_t *args)
{
    json_t *answer = s_ask (self, true);
    int64_t number = json_integer_value (json_object_get (answer, "number"));
    if (answer && !args->no_wait)
        answer = s_wait (self, answer, number);
    if (!answer)
        return self->status;
    const char *error = cli_value_string (answer, "last_error"), *name = cli_value_string (answer, "snapshot");
    int status = EX_OK;
    if (error && !args->no_wait) {
        cli_report ("the backup failed: %s", error);
        status = EX_IOERR;
    }
    if (self->json)
        cli_print_answer (self);
    else
    if (status == EX_OK && args->no_wait)
        printf ("started\n");
    else
    if (status == EX_OK)
        printf ("%s: as of position %s, verified, in %s\n", name? name: "",
            cli_format_count (json_integer_value (json_object_get (answer, "snapshot_position"))).text,
            cli_value_string (answer, "repository"));
    json_decref (answer);
    return status;
}

//  -- a repository ----------------------------------------------------------------------------

//  The folder: the argument, or the one of the broker. Caller owns return value; NULL, with self->status: none is known
static char *
s_repository (cli_t *self, const cli_operands_t *operands)
{
    if (operands->count > 1)
        return strdup (operands->items [1]);
    json_t *answer = s_ask (self, false);
    const char *path = answer? cli_value_string (answer, "repository"): NULL;
    char *copy = path? strdup (path): NULL;
    json_decref (answer);
    return copy;
}

static int
s_failed (const stele_refusal_t *refusal)
{
    cli_report ("%s", refusal->message);
    return refusal->code == STELE_ENOT_FOUND? EX_NOINPUT: refusal->code == STELE_ELEDGER? EX_DATAERR: EX_IOERR;
}

static void
s_print_json (const stele_snapshot_entry_t *entry, const char *fault)
{
    json_t *line = json_pack ("{ss sI}", "snapshot", entry->name, "position", (json_int_t) entry->facts.position);
    if (entry->time_us) {
        json_object_set_new (line, "time", json_string (cli_format_time (entry->time_us).text));
        json_object_set_new (line, "verified_at", json_string (cli_format_time (entry->verified_us).text));
        json_object_set_new (line, "bytes", json_integer (entry->file_bytes));
        json_object_set_new (line, "ledger_id", json_string (entry->facts.ledger_id));
    }
    json_object_set_new (line, "sound", json_boolean (!*fault));
    if (*fault)
        json_object_set_new (line, "fault", json_string (fault));
    json_dumpf (line, stdout, JSON_COMPACT);
    putchar ('\n');
    json_decref (line);
}

static void
s_print_row (cli_table_t *table, const stele_snapshot_entry_t *entry, const char *fault)
{
    bool known = entry->time_us != 0;
    cli_table_word (table, entry->name);
    cli_table_word (table, cli_format_count (entry->facts.position).text);
    cli_table_word (table, known? cli_format_time (entry->time_us).text: NULL);
    cli_table_word (table, known? cli_format_age (stele_clock_us () - entry->time_us).text: NULL);
    cli_table_word (table, known? cli_format_time (entry->verified_us).text: NULL);
    cli_table_word (table, known? cli_format_size (entry->file_bytes).text: NULL);
    cli_table_colour (table, CLI_RED, *fault? fault: NULL);
}

//  -- check -----------------------------------------------------------------------------------

static char *
s_join (const char *folder, const char *name)
{
    char *file;
    if (asprintf (&file, "%s/%s", folder, name) < 0)
        abort ();
    return file;
}

//  Expand and verify the copy of an archive next to the restored ledger
static int
s_verify_archive (const char *path, const stele_archive_copy_t *copy, const char *folder, const char *ledger,
    stele_refusal_t *refusal)
{
    char *file = stele_archive_copy_path (copy, path, ""), *scratch = s_join (folder, "archive");
    int64_t rc = stele_packed_file_expand (file, scratch, NULL, NULL, refusal);
    if (rc >= 0)
        rc = stele_snapshot_verify_archive (scratch, ledger, &copy->archive, NULL, NULL, refusal);
    unlink (scratch);
    free (scratch);
    free (file);
    return rc < 0? (int) rc: 0;
}

//  Those that the restored ledger names
static int
s_verify_archives (const char *path, const stele_snapshot_entry_t *entry, const char *folder, const char *ledger,
    stele_refusal_t *refusal)
{
    stele_snapshot_archive_t named [STELE_SNAPSHOT_ARCHIVES];
    int count = stele_snapshot_archives (ledger, named, refusal), code = count < 0? count: 0;
    for (int i = 0; i < count && code == 0; i++) {
        const stele_archive_copy_t *copy = stele_archive_copies_find (&entry->archives, named [i].year);
        code = copy? s_verify_archive (path, copy, folder, ledger, refusal): stele_refuse (refusal, STELE_ELEDGER, NULL,
            "its ledger needs the archive of %" PRId64 ", of which there is no copy", named [i].year);
    }
    return code;
}

//  Restore a snapshot to a temporary file, and verify it. The reason of a failure is in the entry.
static void
s_verify (const char *path, stele_snapshot_entry_t *entry)
{
    char scratch [] = "/tmp/stele-check-XXXXXX", *target = NULL, *file = stele_snapshots_path (path, entry->name, "db.zst");
    stele_refusal_t refusal = { 0 };
    stele_snapshot_facts_t facts;
    const char *folder = getenv ("TMPDIR");
    if (asprintf (&target, "%s%s", folder && *folder? folder: "", folder && *folder? scratch + 4: scratch) < 0)
        abort ();
    if (!mkdtemp (target))
        stele_refuse (&refusal, STELE_EIO, NULL, "cannot make a folder %s", target);
    else {
        char *copy = s_join (target, "db");
        int64_t rc = stele_packed_file_expand (file, copy, NULL, NULL, &refusal);
        if (rc >= 0 && stele_snapshot_verify (copy, NULL, NULL, &facts, &refusal) == 0
        && (facts.position != entry->facts.position || strcmp (facts.ledger_id, entry->facts.ledger_id) != 0))
            stele_refuse (&refusal, STELE_ELEDGER, NULL, "it is another ledger, or ends at position %" PRId64, facts.position);
        if (refusal.code == 0)
            s_verify_archives (path, entry, target, copy, &refusal);
        unlink (copy);
        rmdir (target);
        free (copy);
    }
    entry->sound = refusal.code == 0;
    snprintf (entry->fault, sizeof entry->fault, "%.*s", (int) sizeof entry->fault - 1, refusal.message);
    free (target);
    free (file);
}

//  What a check has found
typedef struct {
    int64_t sound, faults;          // Snapshots that can be restored; faults of snapshots and segments
    int64_t newest_us, newest;      // Of the snapshots: time, -1: none; position
    int64_t last;                   // The segments have every position up to this one
} s_found_t;

//  Every byte of the copies of archives that the snapshot names. Snapshots share them: one is read once.
static void
s_check_archives (const char *path, stele_snapshot_entry_t *entry, const stele_snapshot_entry_t *before)
{
    for (int i = 0; i < entry->archives.count && entry->sound; i++) {
        char sha256 [65];
        stele_refusal_t refusal = { 0 };
        const stele_archive_copy_t *copy = &entry->archives.items [i];
        const stele_archive_copy_t *read = before? stele_archive_copies_find (&before->archives, copy->archive.year): NULL;
        if (read && before->sound && strcmp (read->file, copy->file) == 0)
            continue;
        char *file = stele_archive_copy_path (copy, path, "");
        if (stele_archive_copy_hash (file, sha256, NULL, NULL, &refusal) || strcmp (sha256, copy->sha256) != 0) {
            entry->sound = false;
            snprintf (entry->fault, sizeof entry->fault, refusal.code? "its copy of an archive, %s, cannot be read":
                "its copy of an archive, %s, is damaged", copy->file);
        }
        free (file);
    }
}

static void
s_check_snapshots (const args_t *args, const char *path, stele_snapshot_entry_t *entries, size_t count, s_found_t *found)
{
    for (size_t i = 0; i < count; i++) {
        stele_snapshot_entry_t *entry = &entries [i];
        if (entry->sound)
            s_check_archives (path, entry, i? entry - 1: NULL);
        if (entry->sound && args->full)
            s_verify (path, entry);
        if (entry->sound) {
            found->sound++;
            found->newest_us = entry->time_us;
            found->newest = entry->facts.position;
        }
        else {
            found->faults++;
            cli_report ("snapshot %s: %s", entry->name, entry->fault);
        }
    }
}

static void
s_segment_fault (const char *file, int64_t first, int64_t last, const char *text, void *arg)
{
    (void) arg;
    cli_report ("segment %s, positions %" PRId64 " to %" PRId64 ": %s", file, first, last, text);
}

static int
s_check_segments (const char *path, s_found_t *found)
{
    stele_refusal_t refusal;
    stele_repository_t *repository = stele_repository_open (path, &refusal);
    if (!repository)
        return s_failed (&refusal);
    int64_t faults = stele_repository_check (repository, 1, s_segment_fault, NULL, &found->last, &refusal);
    stele_repository_close (&repository);
    if (faults < 0)
        return s_failed (&refusal);
    found->faults += faults;
    return EX_OK;
}

static void
s_print_found (const cli_t *self, const s_found_t *found, bool good, int64_t age_us)
{
    if (self->json) {
        json_t *line = json_pack ("{sb sI sI sI}", "good", good, "snapshots", (json_int_t) found->sound, "faults",
            (json_int_t) found->faults, "segments_last", (json_int_t) found->last);
        if (found->newest_us >= 0)
            json_object_set_new (line, "age_s", json_integer (age_us / 1000000));
        json_dumpf (line, stdout, JSON_COMPACT);
        putchar ('\n');
        json_decref (line);
        return;
    }
    if (found->newest_us >= 0)
        printf ("%s, the newest as of position %s, %s old; ", cli_format_counted (found->sound, "snapshot").text,
            cli_format_count (found->newest).text, cli_format_age (age_us).text);
    printf ("segments up to position %s\n", cli_format_count (found->last).text);
}

static int
s_check (cli_t *self, const args_t *args, const char *path, stele_snapshot_entry_t *entries, size_t count)
{
    s_found_t found = { .newest_us = -1 };
    int64_t max_age_us = (args->max_age_h? args->max_age_h: MAX_AGE) * 3600 * 1000000;
    s_check_snapshots (args, path, entries, count, &found);
    int status = s_check_segments (path, &found);
    if (status)
        return status;
    int64_t age_us = stele_clock_us () - found.newest_us;
    bool old = found.newest_us < 0 || age_us > max_age_us;
    if (found.newest_us < 0)
        cli_report ("%s has no snapshot that can be restored: segments do not have archives ('stele backup' takes a snapshot)", path);
    else
    if (old)
        cli_report ("the newest snapshot is %s old, more than %s: look at the log of the broker for backup_failed, and at 'stele "
            "health'", cli_format_age (age_us).text, cli_format_age (max_age_us).text);
    bool good = !old && found.faults == 0;
    s_print_found (self, &found, good, age_us);
    return good? EX_OK: CLI_NO;
}

//  -- list, prune -----------------------------------------------------------------------------

static int
s_list (cli_t *self, const stele_snapshot_entry_t *entries, size_t count)
{
    cli_table_t *table = self->json? NULL: cli_table_new (s_columns, &self->style);
    for (size_t i = count; i-- > 0; )
        if (table)
            s_print_row (table, &entries [i], entries [i].fault);
        else
            s_print_json (&entries [i], entries [i].fault);
    if (table)
        cli_table_flush (table, stdout);
    cli_table_destroy (&table);
    if (count == 0 && !self->json)
        cli_warn ("no snapshots yet; 'stele backup' takes one");
    return EX_OK;
}

static int
s_prune (const args_t *args, const char *path, const stele_snapshot_entry_t *entries, size_t count)
{
    const stele_retention_t retention = {
        .daily = args->daily? args->daily: 30, .weekly = args->weekly? args->weekly: 8,
        .monthly = args->monthly? args->monthly: 12
    };
    stele_refusal_t refusal;
    bool *remove = stele_memory_new (count + 1);
    size_t removed = stele_retention_choose (&retention, entries, count, remove);
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++)
        if (remove [i]) {
            code = args->dry_run? 0: stele_snapshots_remove (path, &entries [i], &refusal);
            if (code == 0)
                printf ("%s\n", entries [i].name);
        }
    if (code == 0 && !args->dry_run)
        code = stele_snapshots_remove_archives (path, entries, count, remove, &refusal);
    free (remove);
    if (code)
        return s_failed (&refusal);
    cli_warn ("%s %s", cli_format_counted ((int64_t) removed, "snapshot").text, args->dry_run? "would be removed": "removed");
    return EX_OK;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    const char *action = operands->count? operands->items [0]: NULL;
    if (!action)
        return s_take (self, args);
    bool is_list = strcmp (action, "list") == 0, is_check = strcmp (action, "check") == 0;
    if (!is_list && !is_check && strcmp (action, "prune") != 0)
        return cli_usage_error ("backup", "'%s' is not an action; use list, check or prune, or none to take a snapshot", action);
    char *path = s_repository (self, operands);
    if (!path)
        return self->status;
    stele_refusal_t refusal;
    stele_snapshot_entry_t *entries = NULL;
    int64_t count = stele_snapshots_list (path, &entries, &refusal);
    int status = count < 0? s_failed (&refusal): is_list? s_list (self, entries, (size_t) count):
        is_check? s_check (self, args, path, entries, (size_t) count): s_prune (args, path, entries, (size_t) count);
    free (entries);
    free (path);
    return status;
}

const cli_command_t cli_cmd_backup = {
    .name = "backup",
    .summary = "take, list and check backups of the ledger",
    .usage = {
        .usage = "stele backup [OPTION]...\nstele backup list|check|prune [OPTION]... [REPOSITORY]",
        .about =
            "Without an action: have the broker take a snapshot of its ledger, with its archives, now, in the folder of its setting 'backup', and wait "
            "until it is verified: restored to a temporary file, checked page by page, and compared with the ledger. Acks do not wait "
            "for it. The broker also takes one per day by itself.\n"
            "\n"
            "list: the snapshots of a repository, newest first. check: verify every byte of its segments, which have the events "
            "between snapshots, and of the copies of archives, and find damaged or missing files, gaps, and snapshots that are too old. prune: remove those that are not to be kept, as the broker does after each snapshot. These three read the "
            "folder REPOSITORY itself, on this machine, without the broker; without REPOSITORY they ask the broker for its folder.",
        .after =
            "prune keeps the newest snapshot of each of the last days, weeks and months that have one, in the order of "
            "positions: a clock that jumps ahead removes nothing. The newest snapshot is never removed.\n"
            "\n"
            "Exit status: 1 a snapshot or a segment is damaged or missing, or the newest snapshot is too old (check); 66 there is no such repository; 74 the snapshot "
            "failed; 75 the broker has no folder for backups.",
        .examples =
            "  stele backup\n"
            "  stele backup list\n"
            "  stele backup check --full /backup/stele\n"
            "  stele backup prune --dry-run --daily 7 /backup/stele"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 2,
    .run = s_run
};
