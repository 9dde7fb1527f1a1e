/*  verify - stele verify: prove that a history is the one that was sealed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>
#include "base/memory.h"
#include "base/thread.h"
#include "cli/proof/difference.h"
#include "cli/proof/tiles.h"
#include "cli/shared/cli.h"
#include "cli/terminal/progress.h"
#include "wire/base64.h"

#define REPORTED_MAX 20             // Faults that are printed
#define KEYS_MAX 16
#define RANGES_MAX 8                // Ranges of faults that are named

typedef struct {
    const char *repository;
    cli_list_t keys, since;
    bool events_only;
    int64_t threads;                // 0: one per processor
} args_t;

static const cli_option_t s_options [] = {
    { "key", 'k', "FILE", "the public key of the seals, as 'stele key new --sign' writes it: notes must be signed with it; if the "
        "key was replaced, repeat the option: with one of them", CLI_LIST, offsetof (args_t, keys), 0, NULL },
    { "since", 0, "NOTE", "also compare with the checkpoint in file NOTE, kept from earlier; may be repeated",
        CLI_LIST, offsetof (args_t, since), 0, NULL },
    { "repository", 0, "DIR", "name what has changed by comparing the events with those in the repository of backups DIR",
        CLI_TEXT, offsetof (args_t, repository), 0, NULL },
    { "events-only", 0, NULL, "do not compare the tables that follow from the events, nor check the structure of the file",
        CLI_FLAG, offsetof (args_t, events_only), 0, NULL },
    { "threads", 0, "N", "read a ledger with N threads (default: one per processor, at most 8)",
        CLI_NUMBER, offsetof (args_t, threads), 1, NULL },
    CLI_OPTIONS_END
};

typedef struct { int64_t first, last; char text [400]; } s_range_t;

typedef struct {
    const cli_t *cli;
    const args_t *args;
    cli_history_t history;
    stele_seal_key_t *keys [KEYS_MAX];
    size_t key_count;
    stele_seals_t *seals;
    stele_verifier_t *verifier;
    stele_reader_t *readers [CLI_TILES_THREADS_MAX];    // Of a ledger: those of the threads besides this one
    size_t reader_count;
    stele_derive_t *derive;         // NULL: not wanted, or not possible
    int64_t strange;                // Position of the event that cannot follow those before it; 0: none
    stele_refusal_t reason;         // Why
    int64_t last;                   // Position up to which to read
    int64_t notes, signed_notes;    // Usable notes; of these, signed with the key
    int64_t faults;
    json_t *list;                   // Of the faults, as JSON
    s_range_t ranges [RANGES_MAX];  // Faults of the verifier
    int64_t range_count;            // All of them
    bool complete;                  // All events could be read
    cli_progress_t progress;
    stele_refusal_t refusal;
    bool begun;                     // One state of the ledger is kept
} verify_t;

//  -- faults ----------------------------------------------------------------------------

static void
s_report (verify_t *self, int64_t first, int64_t last, const char *fields, const char *text)
{
    if (++self->faults > REPORTED_MAX)
        return;
    cli_progress_wipe (&self->progress);
    json_t *fault = json_pack ("{ss ss*}", "text", text, "fields", fields);
    if (first) {
        json_object_set_new (fault, "position", json_integer (first));
        json_object_set_new (fault, "last", json_integer (last));
    }
    json_array_append_new (self->list, fault);
    if (!first)
        cli_report ("%s", text);
    else
    if (first == last)
        cli_report ("position %" PRId64 ": %s", first, text);
    else
        cli_report ("positions %" PRId64 " to %" PRId64 ": %s", first, last, text);
}

static void
s_on_fault (int64_t first, int64_t last, bool changed, const char *text, void *arg)
{
    verify_t *self = arg;
    if (self->range_count++ < RANGES_MAX) {
        s_range_t *range = &self->ranges [self->range_count - 1];
        bool other = changed && !self->args->repository && self->history.kind != CLI_HISTORY_REPOSITORY;
        range->first = first;
        range->last = last;
        snprintf (range->text, sizeof range->text, "%s%s", text, other? first == last? "; --repository DIR names its fields":
            "; --repository DIR names the events, and their fields": "");
    }
}

//  The text of a reader without the position, which s_report names
static const char *
s_without_position (const char *text, int64_t position)
{
    char prefix [40];
    size_t size = (size_t) snprintf (prefix, sizeof prefix, "position %" PRId64 ": ", position);
    return strncmp (text, prefix, size) == 0? text + size: text;
}

static bool
s_on_difference (int64_t position, const char *text, void *arg)
{
    verify_t *self = arg;
    s_report (self, position, position, NULL, text);
    return self->faults < REPORTED_MAX;
}

static void
s_on_field (int64_t position, const char *fields, void *arg)
{
    verify_t *self = arg;
    char text [500];
    snprintf (text, sizeof text, "the repository has another value of: %.400s", fields);
    s_report (self, position, position, fields, text);
}

//  Report the ranges with faults, and compare them with the repository
static void
s_name_ranges (verify_t *self)
{
    cli_history_t other;
    size_t count = self->range_count < RANGES_MAX? (size_t) self->range_count: RANGES_MAX;
    for (size_t i = 0; i < count; i++)
        s_report (self, self->ranges [i].first, self->ranges [i].last, NULL, self->ranges [i].text);
    self->faults += self->range_count - (int64_t) count;
    if (!self->args->repository || count == 0)
        return;
    int status = cli_history_open (&other, self->args->repository);
    int64_t last = status? 0: cli_history_last (&other);
    for (size_t i = 0; i < count && status == EX_OK; i++) {
        const s_range_t *range = &self->ranges [i];
        int64_t end = range->last < last? range->last: last;
        if (range->first <= end && cli_difference_find (&self->history, &other, range->first, end, s_on_field, self,
            &self->refusal) < 0)
            s_report (self, 0, 0, NULL, self->refusal.message);
    }
    if (status == EX_OK)
        cli_history_close (&other);
}

//  -- notes -----------------------------------------------------------------------------

static bool
s_is_signed (const verify_t *self, const stele_note_t *note)
{
    for (size_t i = 0; i < self->key_count; i++)
        if (stele_note_verify (note, self->keys [i]))
            return true;
    return false;
}

static void
s_add_note (verify_t *self, const stele_note_t *note, const char *name)
{
    char text [500];
    bool other = self->history.ledger_id && strcmp (note->ledger_id, self->history.ledger_id) != 0;
    bool forged = !other && self->key_count && !s_is_signed (self, note);
    if (other || forged) {
        snprintf (text, sizeof text, other? "%.400s is of another ledger": "%.400s is not signed with the key", name);
        s_report (self, 0, 0, NULL, text);
        return;
    }
    self->notes++;
    self->signed_notes += self->key_count > 0;
    if (note->size > 0)
        stele_verifier_add (self->verifier, note, name);
}

static void
s_on_note (const stele_note_t *note, const char *name, void *arg)
{
    s_add_note (arg, note, name);
}

static int
s_load_notes (verify_t *self)
{
    stele_note_t note;
    int status = EX_OK, code = cli_history_notes (&self->history, s_on_note, self, &self->refusal);
    if (code)
        s_report (self, 0, 0, NULL, self->refusal.message);
    for (size_t i = 0; i < self->args->since.count && status == EX_OK; i++) {
        code = stele_note_load (&note, self->args->since.items [i], &self->refusal);
        if (code == 0)
            s_add_note (self, &note, self->args->since.items [i]);
        else {
            cli_report ("--since: %s", self->refusal.message);
            status = code == STELE_ELEDGER? EX_DATAERR: EX_NOINPUT;
        }
    }
    return status;
}

//  -- read ------------------------------------------------------------------------------

static void
s_on_tile (const stele_tile_t *tile, const stele_derive_batch_t *batch, void *arg)
{
    verify_t *self = arg;
    stele_verifier_tile (self->verifier, tile);
    int64_t position = stele_verifier_position (self->verifier);
    cli_progress_show (&self->progress, position, position);
    if (self->derive && stele_derive_take (self->derive, batch, &position, &self->reason)) {
        //  The leaves tell whether it is the event that was sealed
        self->strange = position;
        stele_derive_destroy (&self->derive);
    }
}

//  -- tables and structure ------------------------------------------------------------------

static void
s_compare_tables (verify_t *self)
{
    int64_t code = self->derive && self->faults == 0? stele_derive_compare (self->derive, s_on_difference, self): 0;
    if (code < 0)
        s_report (self, 0, 0, NULL, stele_reader_error (self->history.reader));
}

typedef struct {
    stele_reader_t *reader;
    char *faults [REPORTED_MAX];
    size_t count;
    bool failed;
} s_structure_t;

static int
s_on_structure (const char *text, void *arg)
{
    s_structure_t *self = arg;
    self->faults [self->count++] = stele_memory_copy (text, strlen (text));
    return self->count == REPORTED_MAX;
}

static void *
s_check_structure (void *arg)
{
    s_structure_t *self = arg;
    self->failed = stele_reader_structure (self->reader, s_on_structure, self) < 0;
    return NULL;
}

static void
s_report_structure (verify_t *self, s_structure_t *structure)
{
    char line [500];
    for (size_t i = 0; i < structure->count; i++) {
        snprintf (line, sizeof line, "structure of the file: %.400s", structure->faults [i]);
        if (i == 0 || self->faults < REPORTED_MAX)
            s_report (self, 0, 0, NULL, line);
        free (structure->faults [i]);
    }
    if (structure->failed)
        s_report (self, 0, 0, NULL, stele_reader_error (structure->reader));
}

//  The structure with the reader of another thread, meanwhile, if there is one
static void
s_compare (verify_t *self)
{
    s_structure_t structure = { .reader = self->reader_count? self->readers [0]: self->history.reader };
    pthread_t thread;
    bool wanted = self->history.reader && !self->args->events_only;
    bool started = wanted && self->reader_count && stele_thread_start (&thread, s_check_structure, &structure);
    s_compare_tables (self);
    if (started)
        pthread_join (thread, NULL);
    else
    if (wanted)
        s_check_structure (&structure);
    s_report_structure (self, &structure);
}

static void
s_read (verify_t *self)
{
    stele_refusal_t refusal;
    self->progress = cli_progress_start (self->last, "events");
    int code = cli_tiles_read (&self->history, self->readers, self->reader_count, self->last, s_on_tile, self, &refusal);
    cli_progress_wipe (&self->progress);
    int64_t next = stele_verifier_position (self->verifier) + 1;
    self->complete = code == 0;
    if (self->complete)
        stele_verifier_end (self->verifier);
    else
        stele_verifier_stop (self->verifier);
    s_name_ranges (self);
    if (self->strange)
        s_report (self, self->strange, self->strange, NULL, self->reason.message);
    if (code)
        s_report (self, next, next, NULL, s_without_position (refusal.message, next));
    else
        s_compare (self);
}

//  -- results ---------------------------------------------------------------------------

static void
s_print_json (const verify_t *self, const char *root)
{
    json_t *line = json_pack ("{sb ss* sI sI sI sI sb ss* sO}", "good", self->faults == 0, "ledger_id", self->history.ledger_id,
        "position", (json_int_t) stele_verifier_position (self->verifier),
        "sealed", (json_int_t) stele_verifier_sealed (self->verifier),
        "proven", (json_int_t) stele_verifier_proven (self->verifier), "erased", (json_int_t) stele_verifier_erased (self->verifier),
        "signed", self->signed_notes > 0,
        "root", self->complete? root: NULL, "faults", self->list);
    json_dumpf (line, stdout, JSON_COMPACT);
    putchar ('\n');
    json_decref (line);
}

static void
s_print (const verify_t *self, const char *root)
{
    int64_t position = stele_verifier_position (self->verifier), proven = stele_verifier_proven (self->verifier);
    if (self->faults > REPORTED_MAX)
        cli_report ("%s more", cli_format_counted (self->faults - REPORTED_MAX, "fault").text);
    if (self->faults)
        return;
    printf ("%s, root %s\n", cli_format_counted (position, "event").text, root);
    if (position == 0 && self->history.kind == CLI_HISTORY_REPOSITORY)
        cli_warn ("nothing was verified, since '%.300s' has no segments: restore one of its snapshots, and verify that",
            self->history.path);
    if (proven)
        printf ("proven up to position %s by %s%s\n", cli_format_count (proven).text,
            cli_format_counted (self->notes, "checkpoint").text, self->signed_notes? ", signed with the key": "");
    if (stele_verifier_erased (self->verifier))
        printf ("%s erased by request: only their hashes are proven\n", cli_format_counted (stele_verifier_erased (self->verifier),
            "event").text);
    if (proven < position)
        cli_warn ("no checkpoint proves the %s after position %s yet", cli_format_counted (position - proven, "event").text,
            cli_format_count (proven).text);
    if (proven && !self->key_count)
        cli_warn ("the signatures were not verified: give --key FILE");
}

static int
s_finish (verify_t *self)
{
    char root [STELE_BASE64_SIZE (STELE_HASH_BYTES) + 1] = "";
    if (self->complete)
        stele_base64_encode (stele_verifier_root (self->verifier)->bytes, STELE_HASH_BYTES, root);
    if (self->key_count && self->signed_notes == 0 && self->faults == 0)
        s_report (self, 0, 0, NULL, "there is no checkpoint that is signed with the key");
    if (self->cli->json)
        s_print_json (self, root);
    else
        s_print (self, root);
    return self->faults? CLI_NO: EX_OK;
}

//  -- the command -----------------------------------------------------------------------

static int
s_begin (verify_t *self)
{
    long processors = sysconf (_SC_NPROCESSORS_ONLN);
    int64_t threads = self->args->threads? self->args->threads: processors < 1? 1: processors < 8? processors: 8;
    int count = cli_tiles_begin (&self->history, self->readers, (size_t) threads - 1);
    self->begun = count >= 0;
    self->reader_count = count > 0? (size_t) count: 0;
    return count < 0? count: 0;
}

//  Notes first: the state of the ledger, or of the segments, that is read afterwards has their events
static int
s_verify (verify_t *self)
{
    stele_refusal_t refusal;
    if (self->history.reader)
        self->seals = stele_seals_open (self->history.path, self->history.ledger_id, false, &refusal);
    if (self->history.reader && !self->seals && refusal.code != STELE_ENOT_FOUND)
        s_report (self, 0, 0, NULL, refusal.message);
    self->verifier = stele_verifier_new (self->seals, s_on_fault, self);
    int status = s_load_notes (self);
    if (status)
        return status;
    if (self->history.reader && s_begin (self)) {
        cli_report ("%s", stele_reader_error (self->history.reader));
        return EX_IOERR;
    }
    self->last = cli_history_last (&self->history);
    if (self->last < 0) {
        cli_report ("cannot find the end of '%s'", self->history.path);
        return EX_DATAERR;
    }
    if (self->history.reader && !self->args->events_only)
        self->derive = stele_derive_new (self->history.reader);
    s_read (self);
    return s_finish (self);
}

static int
s_load_keys (verify_t *self)
{
    stele_refusal_t refusal;
    if (self->args->threads > CLI_TILES_THREADS_MAX)
        return cli_usage_error ("verify", "--threads: at most %d", CLI_TILES_THREADS_MAX);
    if (self->args->keys.count > KEYS_MAX)
        return cli_usage_error ("verify", "--key: at most %d keys", KEYS_MAX);
    for (size_t i = 0; i < self->args->keys.count; i++) {
        self->keys [i] = stele_seal_key_load (self->args->keys.items [i], &refusal);
        if (!self->keys [i]) {
            cli_report ("--key: %s", refusal.message);
            return EX_NOINPUT;
        }
        self->key_count++;
    }
    return EX_OK;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    verify_t self = { .cli = cli, .args = arguments, .list = json_array () };
    int status = s_load_keys (&self);
    if (status == EX_OK && (status = cli_history_open (&self.history, operands->items [0])) == EX_OK) {
        status = s_verify (&self);
        if (self.begun)
            cli_tiles_end (&self.history, self.readers, self.reader_count);
        cli_history_close (&self.history);
    }
    stele_derive_destroy (&self.derive);
    stele_verifier_destroy (&self.verifier);
    stele_seals_close (&self.seals);
    for (size_t i = 0; i < self.key_count; i++)
        stele_seal_key_destroy (&self.keys [i]);
    json_decref (self.list);
    return status;
}

const cli_command_t cli_cmd_verify = {
    .name = "verify",
    .summary = "prove that a history is the one that was sealed",
    .usage = {
        .usage = "stele verify [OPTION]... LEDGER|REPOSITORY|EXPORT",
        .about =
            "Compute the hash of every event again from what is stored, and compare it with the checkpoints and hashes that the "
            "broker has written (its setting 'seal'): beside the ledger, in the repository of backups, and in the files of "
            "--since. What differs is named with its position. EXPORT is a file of all events, from 'stele export' or 'stele "
            "replay'; it has no checkpoints of its own, so give --since.\n"
            "\n"
            "Of a ledger, also compare the tables that follow from its events (tasks, their states, sums, sessions, preferences), "
            "and check the structure of the file. The ledger is only read; its broker may run, and its write-ahead log grows "
            "meanwhile. With --repository, the fields that differ are named.",
        .after =
            "A checkpoint proves nothing against a person who has the secret key and can write every copy of the history and of "
            "its checkpoints: keep some of them elsewhere. doc/PROOF.md describes the hashes exactly.\n"
            "\n"
            "Exit status: 1 something differs, or with --key no checkpoint is signed with it; 65 it is no ledger, repository or "
            "export; 66 it, a note or the key cannot be read.",
        .examples =
            "  stele verify /var/lib/stele/stele.db --key ledger.seal_key\n"
            "  stele verify /backup/stele --key ledger.seal_key --since 2026-03-02.note\n"
            "  stele verify stele.db --repository /backup/stele"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
