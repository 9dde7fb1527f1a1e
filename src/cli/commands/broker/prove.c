/*  prove - stele prove: write a proof that events are in a sealed history

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "base/memory.h"
#include "cli/proof/history.h"
#include "cli/shared/cli.h"
#include "cli/terminal/progress.h"
#include "proof/erased.h"
#include "proof/seals.h"
#include "wire/base64.h"

#define EVENTS_MAX 10000            // Of a task

typedef struct {
    const char *note, *out;
    bool task;
} args_t;

static const cli_option_t s_options [] = {
    { "task", 0, NULL, "the argument is the ID of a task, even if it consists of digits", CLI_FLAG, offsetof (args_t, task), 0, NULL },
    { "note", 0, "NOTE", "prove with the checkpoint in file NOTE (default: the latest one with the ledger or repository)",
        CLI_TEXT, offsetof (args_t, note), 0, NULL },
    { "out", 'o', "FILE", "write the proof to FILE (default: stdout)", CLI_TEXT, offsetof (args_t, out), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_history_t history;
    stele_tree_t *tree;
    stele_seals_t *seals;           // NULL: all tiles are computed
    stele_note_t note;
    stele_hash_t *roots;            // Of the tiles, and of the incomplete one
    int64_t *positions;             // To prove, ascending
    size_t count, room;
    stele_hash_t leaves [STELE_TILE];   // Of the tile that was read last
    int64_t tile, leaf_count;       // -1: none
    size_t next;                    // Of the positions
    char *line;                     // Of the position that is proven
    size_t line_size;
    stele_refusal_t refusal;
} prove_t;

static int
s_failed (const prove_t *self, int code)
{
    cli_report ("%s", self->refusal.message);
    return code == STELE_ENOT_FOUND? CLI_NO: code == STELE_EIO? EX_IOERR: EX_DATAERR;
}

//  -- positions -------------------------------------------------------------------------

static int
s_on_row (const stele_record_t *row, void *arg)
{
    prove_t *self = arg;
    self->positions = stele_array_must_grow (self->positions, &self->room, self->count + 1, sizeof *self->positions);
    self->positions [self->count++] = stele_record_integer (row, STELE_ID, 0);
    return 0;
}

static int
s_ascending (const void *one, const void *other)
{
    int64_t left = *(const int64_t *) one, right = *(const int64_t *) other;
    return left < right? -1: left > right;
}

//  Positions of the events of a task
static int
s_find_task (prove_t *self, const char *id)
{
    static const stele_chain_t chains [] = { STELE_CHAIN_HISTORY, STELE_CHAIN_OUTPUTS, STELE_CHAIN_METRICS };
    if (!self->history.reader)
        return stele_refuse (&self->refusal, STELE_ELEDGER, NULL, "the events of a task can be found in a ledger only: give a position");
    int found = 1;
    for (size_t i = 0; i < sizeof chains / sizeof chains [0] && found == 1; i++) {
        stele_chain_filter_t filter = { .limit = EVENTS_MAX + 1 };
        int64_t next;
        found = stele_reader_chain (self->history.reader, chains [i], id, strlen (id), &filter, s_on_row, self, &next);
    }
    if (found < 0)
        return stele_refuse (&self->refusal, found, NULL, "%s", stele_reader_error (self->history.reader));
    if (found == 0)
        return stele_refuse (&self->refusal, STELE_ENOT_FOUND, NULL, "there is no task '%.200s'", id);
    if (self->count > EVENTS_MAX)
        return stele_refuse (&self->refusal, STELE_ETOO_LARGE, NULL, "the task has more than %d events: prove single positions",
            EVENTS_MAX);
    qsort (self->positions, self->count, sizeof *self->positions, s_ascending);
    //  Those that no checkpoint has yet
    size_t sealed = 0;
    while (sealed < self->count && self->positions [sealed] <= self->note.size)
        sealed++;
    if (sealed < self->count)
        cli_warn ("no checkpoint has the last %s of the task yet: they are left out",
            cli_format_counted ((int64_t) (self->count - sealed), "event").text);
    self->count = sealed;
    return sealed? 0: stele_refuse (&self->refusal, STELE_ENOT_FOUND, NULL, "no checkpoint has the events of the task yet");
}

static int
s_find (prove_t *self, const args_t *args, const char *what)
{
    if (args->task || strspn (what, "0123456789") != strlen (what) || strlen (what) > 18)
        return s_find_task (self, what);
    int64_t position = strtoll (what, NULL, 10);
    if (position < 1 || position > self->note.size)
        return stele_refuse (&self->refusal, STELE_ENOT_FOUND, NULL, "the checkpoint has positions 1 to %" PRId64 ", not %" PRId64,
            self->note.size, position);
    self->positions = STELE_NEW (int64_t);
    self->positions [self->count++] = position;
    return 0;
}

//  -- notes -----------------------------------------------------------------------------

//  The latest one that the history reaches
static void
s_on_note (const stele_note_t *note, const char *name, void *arg)
{
    prove_t *self = arg;
    (void) name;
    if (note->size > self->note.size && note->size <= cli_history_last (&self->history))
        self->note = *note;
}

static int
s_load_note (prove_t *self, const char *path)
{
    int code = path? stele_note_load (&self->note, path, &self->refusal):
        cli_history_notes (&self->history, s_on_note, self, &self->refusal);
    if (code == 0 && self->note.size == 0)
        code = stele_refuse (&self->refusal, STELE_ENOT_FOUND, NULL,
            "'%.300s' has no checkpoint yet: a broker with the setting 'seal' writes one soon after its events; or give one with --note",
            self->history.path);
    int64_t last = code? 0: cli_history_last (&self->history);
    if (code == 0 && self->note.size > last)
        code = stele_refuse (&self->refusal, STELE_ELEDGER, NULL, "the history ends at position %" PRId64 ", and the checkpoint at %"
            PRId64, last, self->note.size);
    return code;
}

//  -- tiles -----------------------------------------------------------------------------

static int
s_on_line (int64_t position, const char *line, size_t size, const stele_record_t *event, void *arg)
{
    prove_t *self = arg;
    (void) event;
    self->leaves [self->leaf_count++] = stele_erased_leaf (self->tree, line, size, NULL);
    if (self->next < self->count && self->positions [self->next] == position) {
        free (self->line);
        self->line = stele_memory_copy (line, size);
        self->line_size = size;
    }
    return 0;
}

//  Read the leaves of a tile, as far as the note has them
static int
s_read_tile (prove_t *self, int64_t tile)
{
    int64_t first = tile * STELE_TILE, end = first + STELE_TILE < self->note.size? first + STELE_TILE: self->note.size;
    self->tile = tile;
    self->leaf_count = 0;
    int code = cli_history_read (&self->history, first, end, s_on_line, self, &self->refusal);
    if (code == 0 && self->leaf_count < end - first)
        code = stele_refuse (&self->refusal, STELE_ELEDGER, NULL, "position %" PRId64 ": the event is missing", first + self->leaf_count + 1);
    return code;
}

//  The roots of all tiles; over them, the root has to be that of the note
static int
s_read_roots (prove_t *self)
{
    int64_t tiles = (self->note.size + STELE_TILE - 1) / STELE_TILE;
    int64_t known = self->seals? stele_seals_tiles (self->seals): 0;
    cli_progress_t progress = cli_progress_start (tiles, "tiles");
    int code = 0;
    self->roots = stele_memory_new ((size_t) tiles * sizeof *self->roots);
    for (int64_t i = 0; i < tiles && code == 0; i++) {
        bool complete = (i + 1) * STELE_TILE <= self->note.size;
        if (complete && i < known)
            self->roots [i] = stele_seals_roots (self->seals) [i];
        else
        if ((code = s_read_tile (self, i)) == 0)
            self->roots [i] = stele_tree_root (self->tree, self->leaves, self->leaf_count);
        cli_progress_show (&progress, i, i);
    }
    cli_progress_wipe (&progress);
    if (code)
        return code;
    stele_hash_t root = stele_tree_root (self->tree, self->roots, tiles);
    return memcmp (root.bytes, self->note.root.bytes, STELE_HASH_BYTES) == 0? 0: stele_refuse (&self->refusal, STELE_ELEDGER, NULL,
        "the history is not the one of the checkpoint: 'stele verify' finds what differs");
}

//  -- the proof -------------------------------------------------------------------------

static void
s_add_hash (json_t *path, const stele_hash_t *hash)
{
    char text [STELE_BASE64_SIZE (STELE_HASH_BYTES)];
    stele_base64_encode (hash->bytes, STELE_HASH_BYTES, text);
    json_array_append_new (path, json_stringn (text, sizeof text));
}

//  The path of a position: within its tile, then above the tiles
static int
s_prove_event (prove_t *self, json_t *events)
{
    int64_t position = self->positions [self->next], tile = (position - 1) / STELE_TILE;
    stele_hash_t path [2 * STELE_PATH_MAX];
    int code = s_read_tile (self, tile);
    if (code)
        return code;
    stele_hash_t root = stele_tree_root (self->tree, self->leaves, self->leaf_count);
    if (memcmp (root.bytes, self->roots [tile].bytes, STELE_HASH_BYTES) != 0)
        return stele_refuse (&self->refusal, STELE_ELEDGER, NULL, "positions %" PRId64 " to %" PRId64
            " are not those that were sealed: 'stele verify' finds what differs", tile * STELE_TILE + 1,
            tile * STELE_TILE + self->leaf_count);
    int length = stele_tree_path (self->tree, self->leaves, self->leaf_count, (position - 1) % STELE_TILE, path);
    length += stele_tree_path (self->tree, self->roots, (self->note.size + STELE_TILE - 1) / STELE_TILE, tile, path + length);
    json_t *hashes = json_array ();
    for (int i = 0; i < length; i++)
        s_add_hash (hashes, &path [i]);
    json_array_append_new (events, json_pack ("{sI so so}", "position", (json_int_t) position,
        "line", json_stringn (self->line, self->line_size), "path", hashes));
    return 0;
}

static int
s_write (const prove_t *self, const char *path, json_t *events)
{
    json_t *proof = json_pack ("{si so sO}", "format", 1, "checkpoint", json_stringn (self->note.text, self->note.text_size),
        "events", events);
    FILE *file = path && strcmp (path, "-")? fopen (path, "we"): stdout;
    bool written = file && json_dumpf (proof, file, JSON_COMPACT) == 0 && fputc ('\n', file) != EOF && fflush (file) == 0;
    if (!written)
        cli_report ("cannot write '%s': %s", path? path: "stdout", strerror (errno));
    if (file && file != stdout)
        fclose (file);
    json_decref (proof);
    return written? EX_OK: EX_IOERR;
}

static int
s_prove (prove_t *self, const args_t *args, const char *what)
{
    stele_refusal_t refusal;
    if (self->history.reader)
        self->seals = stele_seals_open (self->history.path, self->history.ledger_id, false, &refusal);
    int code = s_load_note (self, args->note);
    if (code == 0)
        code = s_find (self, args, what);
    if (code == 0)
        code = s_read_roots (self);
    json_t *events = json_array ();
    for (self->next = 0; self->next < self->count && code == 0; self->next++)
        code = s_prove_event (self, events);
    int status = code? s_failed (self, code): s_write (self, args->out, events);
    json_decref (events);
    return status;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    (void) cli;
    prove_t self = { .tile = -1 };
    int status = cli_history_open (&self.history, operands->items [1]);
    if (status)
        return status;
    self.tree = stele_tree_new ();
    if (self.history.kind == CLI_HISTORY_EXPORT)
        status = cli_usage_error ("prove", "'%s' is neither a ledger nor a repository of backups", operands->items [1]);
    else
        status = s_prove (&self, arguments, operands->items [0]);
    stele_tree_destroy (&self.tree);
    stele_seals_close (&self.seals);
    cli_history_close (&self.history);
    free (self.roots);
    free (self.positions);
    free (self.line);
    return status;
}

const cli_command_t cli_cmd_prove = {
    .name = "prove",
    .summary = "write a proof that events are in a sealed history",
    .usage = {
        .usage = "stele prove [OPTION]... POSITION|TASK LEDGER|REPOSITORY",
        .about =
            "Write a JSON object that proves that the event at POSITION, or all events of TASK, are in the history of a "
            "checkpoint: the events, the hashes from each to the root, and the signed checkpoint. Whoever has the public key can "
            "check it without Stele and without the rest of the history: examples/check_proof.py does so with Python and openssl. "
            "doc/PROOF.md describes it.",
        .after = "Exit status: 1 no checkpoint has the event, or there is no such task; 65 the history is not the one of the "
                 "checkpoint; 66 it cannot be read.",
        .examples =
            "  stele prove 4711 /var/lib/stele/stele.db --out 4711.proof\n"
            "  stele prove csv-export/tests stele.db | examples/check_proof.py ledger.seal_key"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 2,
    .operands_max = 2,
    .run = s_run
};
