/*  sealer - hash the events of a ledger as they come, keep the roots of tiles, sign checkpoints

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "proof/erased.h"
#include "proof/line.h"
#include "proof/sealer.h"

struct stele_sealer {
    stele_reader_t *reader;
    const stele_seal_key_t *key;
    stele_tree_t *tree;
    stele_line_maker_t *lines;
    stele_seals_t *seals;
    char *note_path;
    stele_note_t note;
    bool confirmed;                 // The events up to the note have its root
    bool checking;                  // They have not, with the roots of the file: hash all of them again without it
    bool again;                     // This call began again with the first event
    bool repaired;
    stele_hash_t *checked;          // Roots of tiles meanwhile
    size_t checked_room;
    stele_hash_t leaves [STELE_TILE];   // Of the tile that is not complete
    int64_t position;
    stele_refusal_t *refusal;       // Of the current call
};

//  -- open ------------------------------------------------------------------------------

static int
s_load_note (stele_sealer_t *self, stele_refusal_t *refusal)
{
    int code = stele_note_load (&self->note, self->note_path, refusal);
    if (code == STELE_ELEDGER)
        return stele_refuse (refusal, STELE_EIO, "seal", "the file '%.300s' is damaged, it is no checkpoint: replace it with the newest one "
            "in checkpoints/ of the repository of backups, or verify the ledger ('stele verify') and move this file away", self->note_path);
    bool other = code == 0 && strcmp (self->note.ledger_id, stele_reader_ledger_id (self->reader)) != 0;
    //  Of a ledger that lost its end, or was restored as of an earlier moment: this one has a history of its own
    if (code == STELE_ENOT_FOUND || other)
        memset (&self->note, 0, sizeof self->note);
    else
    if (code == 0 && self->key && !stele_note_verify (&self->note, self->key))
        code = stele_refuse (refusal, STELE_ELEDGER, "seal", "'%.300s' is not signed with the key '%s': if the key was replaced, "
            "verify the ledger ('stele verify'), and move this file away", self->note_path, stele_seal_key_name (self->key));
    self->confirmed = self->note.size == 0;
    return code == STELE_ENOT_FOUND? 0: code;
}

//  Roots after the last note may not have reached the disk. The tile of its last event is hashed again: at that event the
//  root is compared.
static int
s_load_seals (stele_sealer_t *self, const char *ledger, stele_refusal_t *refusal)
{
    self->seals = stele_seals_open (ledger, stele_reader_ledger_id (self->reader), true, refusal);
    int64_t tiles = self->note.size? (self->note.size - 1) / STELE_TILE: 0;
    int code = self->seals? stele_seals_cut (self->seals, tiles, refusal): refusal->code;
    self->position = code? 0: stele_seals_tiles (self->seals) * STELE_TILE;
    return code;
}

stele_sealer_t *
stele_sealer_open (const char *ledger, stele_reader_t *reader, const stele_seal_key_t *key, stele_refusal_t *refusal)
{
    stele_sealer_t *self = STELE_NEW (stele_sealer_t);
    self->reader = reader;
    self->key = key;
    self->tree = stele_tree_new ();
    self->lines = stele_line_maker_new ();
    if (asprintf (&self->note_path, "%s" STELE_SEALS_NOTE_SUFFIX, ledger) < 0)
        abort ();
    if (s_load_note (self, refusal) || s_load_seals (self, ledger, refusal))
        stele_sealer_close (&self);
    return self;
}

void
stele_sealer_close (stele_sealer_t **self_p)
{
    stele_sealer_t *self = *self_p;
    if (!self)
        return;
    stele_seals_close (&self->seals);
    stele_line_maker_destroy (&self->lines);
    stele_tree_destroy (&self->tree);
    free (self->note_path);
    free (self->checked);
    free (self);
    *self_p = NULL;
}

int64_t
stele_sealer_position (const stele_sealer_t *self)
{
    return self->position;
}

const stele_note_t *
stele_sealer_note (const stele_sealer_t *self)
{
    return &self->note;
}

//  -- events ----------------------------------------------------------------------------

//  Root over everything that was hashed
static stele_hash_t
s_root (stele_sealer_t *self)
{
    int64_t tiles = self->position / STELE_TILE, open = self->position % STELE_TILE;
    stele_hash_t *roots = stele_memory_new ((size_t) (tiles + 1) * sizeof *roots);
    if (tiles)
        memcpy (roots, self->checking? self->checked: stele_seals_roots (self->seals), (size_t) tiles * sizeof *roots);
    if (open)
        roots [tiles] = stele_tree_root (self->tree, self->leaves, open);
    stele_hash_t root = stele_tree_root (self->tree, roots, tiles + (open != 0));
    free (roots);
    return root;
}

//  Begin again with the first event, which ends the read
static int
s_begin_again (stele_sealer_t *self, bool checking)
{
    self->checking = checking;
    self->again = true;
    self->position = 0;
    return 1;
}

//  The roots of the file may be damaged, or the events have changed since. The file tells which of them, so it is only made again
//  if the events prove right.
static int
s_confirm (stele_sealer_t *self)
{
    stele_hash_t root = s_root (self);
    bool equal = memcmp (root.bytes, self->note.root.bytes, STELE_HASH_BYTES) == 0;
    if (!equal && !self->checking && self->position > STELE_TILE)
        return s_begin_again (self, true);
    if (!equal)
        return stele_refuse (self->refusal, STELE_ELEDGER, "seal", "the events up to position %" PRId64 " are not those that were "
            "sealed: 'stele verify' finds which differ", self->note.size);
    if (!self->checking) {
        self->confirmed = true;
        return 0;
    }
    self->repaired = true;
    int code = stele_seals_cut (self->seals, 0, self->refusal);
    return code? code: s_begin_again (self, false);
}

//  The root of the tile that has just become complete
static int
s_end_tile (stele_sealer_t *self)
{
    stele_hash_t root = stele_tree_root (self->tree, self->leaves, STELE_TILE);
    if (!self->checking)
        return stele_seals_add (self->seals, &root, self->leaves, self->refusal);
    size_t tile = (size_t) (self->position / STELE_TILE);
    self->checked = stele_array_must_grow (self->checked, &self->checked_room, tile + 1, sizeof *self->checked);
    self->checked [tile] = root;
    return 0;
}

static int
s_take (const stele_record_t *row, void *arg)
{
    stele_sealer_t *self = arg;
    int64_t position = row->values [STELE_POSITION].integer;
    size_t size;
    if (position != self->position + 1)
        return stele_refuse (self->refusal, STELE_ELEDGER, "seal", "the event at position %" PRId64 " is missing",
            self->position + 1);
    const char *line = stele_line_make (self->lines, row, &size);
    if (!line)
        return stele_refuse (self->refusal, STELE_ELEDGER, "seal", "the event at position %" PRId64 " cannot be written as JSON",
            position);
    //  The hash of an erased event is an unknown key of it
    self->leaves [self->position % STELE_TILE] = row->extra.kind == STELE_VALUE_NONE? stele_tree_leaf (self->tree, line, size):
        stele_erased_leaf (self->tree, line, size, NULL);
    int code = position % STELE_TILE == 0? s_end_tile (self): 0;
    if (code)
        return code;
    self->position = position;
    return self->confirmed || position < self->note.size? 0: s_confirm (self);
}

int64_t
stele_sealer_follow (stele_sealer_t *self, int64_t limit, stele_refusal_t *refusal)
{
    int64_t begun = self->position;
    self->refusal = refusal;
    self->again = false;
    *refusal = (stele_refusal_t) { 0 };
    int code = stele_reader_events (self->reader, begun, limit, 0, s_take, self);
    if (code && refusal->code == 0)
        return stele_refuse (refusal, code, "ledger", "cannot read the ledger after position %" PRId64 ": %s", self->position,
            stele_reader_error (self->reader));
    if (code == 0 && self->again)
        return 0;
    if (code == 0 && self->position == begun && !self->confirmed)
        return stele_refuse (refusal, STELE_ELEDGER, "seal", "the ledger ends at position %" PRId64 ", but was sealed up to %"
            PRId64, self->position, self->note.size);
    return code? code: self->position - begun;
}

bool
stele_sealer_repaired (stele_sealer_t *self)
{
    bool repaired = self->repaired;
    self->repaired = false;
    return repaired;
}

int
stele_sealer_checkpoint (stele_sealer_t *self, stele_refusal_t *refusal)
{
    if (!self->confirmed || self->position <= self->note.size)
        return 0;
    stele_hash_t root = s_root (self);
    stele_note_t note;
    //  Roots first: a start trusts those that the note covers
    int code = stele_seals_sync (self->seals, refusal);
    if (code)
        return code;
    stele_note_write (&note, stele_reader_ledger_id (self->reader), self->position, &root, self->key);
    code = stele_note_save (&note, self->note_path, refusal);
    if (code == 0)
        self->note = note;
    return code? code: 1;
}
