/*  verifier - compare the lines of a history with notes and with the roots of its tiles

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "proof/erased.h"
#include "proof/verifier.h"

typedef struct {
    int64_t size;
    stele_hash_t root;
    char name [300];
} s_expected_t;

struct stele_verifier {
    const stele_seals_t *seals;
    stele_verifier_fn *fn;
    void *arg;
    stele_tree_t *tree;
    s_expected_t *notes;            // Ascending by size
    size_t note_count, note_room, next_note;
    stele_hash_t leaves [STELE_TILE];
    stele_hash_t *roots;            // Of the tiles, with room for one more
    size_t root_room;
    int64_t position;
    int64_t proven, sealed;
    int64_t erased, erased_recorded;    // Erased events; those that audit events say were erased
    //  A tile that differs from the seals, until a note tells which of the two is wrong: 0: none
    int64_t suspect_first, suspect_last;
    int64_t faults;
    stele_hash_t root;
};

stele_verifier_t *
stele_verifier_new (const stele_seals_t *seals, stele_verifier_fn *fn, void *arg)
{
    stele_verifier_t *self = STELE_NEW (stele_verifier_t);
    self->seals = seals;
    self->fn = fn;
    self->arg = arg;
    self->tree = stele_tree_new ();
    self->roots = stele_array_must_grow (NULL, &self->root_room, 1, sizeof *self->roots);
    return self;
}

void
stele_verifier_destroy (stele_verifier_t **self_p)
{
    stele_verifier_t *self = *self_p;
    if (!self)
        return;
    stele_tree_destroy (&self->tree);
    free (self->notes);
    free (self->roots);
    free (self);
    *self_p = NULL;
}

void
stele_verifier_add (stele_verifier_t *self, const stele_note_t *note, const char *name)
{
    self->notes = stele_array_must_grow (self->notes, &self->note_room, self->note_count + 1, sizeof *self->notes);
    size_t at = self->note_count++;
    for (; at > 0 && self->notes [at - 1].size > note->size; at--)
        self->notes [at] = self->notes [at - 1];
    self->notes [at] = (s_expected_t) { .size = note->size, .root = note->root };
    snprintf (self->notes [at].name, sizeof self->notes [at].name, "%s", name);
}

//  -- faults ----------------------------------------------------------------------------

static void
s_fault (stele_verifier_t *self, int64_t first, int64_t last, bool changed, const char *text)
{
    self->faults++;
    self->fn (first, last, changed, text, self->arg);
}

static void
s_report_suspect (stele_verifier_t *self)
{
    if (self->suspect_first)
        s_fault (self, self->suspect_first, self->suspect_last, true, self->suspect_first == self->suspect_last?
            "the event is not the one that was sealed": "an event of this tile is not the one that was sealed");
    self->suspect_first = 0;
}

//  -- tiles -----------------------------------------------------------------------------

static bool
s_equal (const stele_hash_t *one, const stele_hash_t *other)
{
    return memcmp (one->bytes, other->bytes, STELE_HASH_BYTES) == 0;
}

static void
s_end_tile (stele_verifier_t *self, stele_hash_t root)
{
    int64_t tile = self->position / STELE_TILE - 1;
    self->roots = stele_array_must_grow (self->roots, &self->root_room, (size_t) tile + 2, sizeof *self->roots);
    self->roots [tile] = root;
    if (!self->seals || tile >= stele_seals_tiles (self->seals))
        return;
    if (s_equal (&root, &stele_seals_roots (self->seals) [tile])) {
        self->sealed = self->position;
        return;
    }
    if (self->suspect_first)
        s_report_suspect (self);
    int differing = stele_seals_differing (self->seals, tile, self->leaves, STELE_TILE);
    self->suspect_first = differing < 0? tile * STELE_TILE + 1: tile * STELE_TILE + 1 + differing;
    self->suspect_last = differing < 0? self->position: self->suspect_first;
}

//  Root over all lines so far
static stele_hash_t
s_root (stele_verifier_t *self)
{
    int64_t tiles = self->position / STELE_TILE, open = self->position % STELE_TILE;
    if (open)
        self->roots [tiles] = stele_tree_root (self->tree, self->leaves, open);
    return stele_tree_root (self->tree, self->roots, tiles + (open != 0));
}

//  A tile whose root differs from the seals, although a note confirms it: the seals are wrong
static void
s_clear_suspect (stele_verifier_t *self, const s_expected_t *note)
{
    char text [500];
    if (!self->suspect_first || self->suspect_last > note->size)
        return;
    snprintf (text, sizeof text, "the events are those of %s, but the file of seals beside the ledger has another root for "
        "their tile: it is damaged", note->name);
    s_fault (self, (self->suspect_first - 1) / STELE_TILE * STELE_TILE + 1, self->suspect_last, false, text);
    self->suspect_first = 0;
}

static void
s_compare_note (stele_verifier_t *self)
{
    char text [500];
    const s_expected_t *note = &self->notes [self->next_note++];
    stele_hash_t root = s_root (self);
    if (s_equal (&root, &note->root)) {
        s_clear_suspect (self, note);
        self->proven = note->size;
        return;
    }
    //  What follows differs from later notes for the same reason
    if (self->suspect_first || self->faults) {
        s_report_suspect (self);
        return;
    }
    snprintf (text, sizeof text, "an event, or more, is not the one that %s proves", note->name);
    s_fault (self, self->proven + 1, note->size, true, text);
}

//  -- lines -----------------------------------------------------------------------------

void
stele_tile_add (stele_tile_t *self, stele_tree_t *tree, const char *line, size_t size, bool plain)
{
    bool erased = false;
    assert (self->count < STELE_TILE);
    self->leaves [self->count++] = plain? stele_tree_leaf (tree, line, size): stele_erased_leaf (tree, line, size, &erased);
    self->erased += erased;
    self->erased_recorded += plain? 0: stele_erased_count (line, size);
    if (self->count == STELE_TILE)
        self->root = stele_tree_root (tree, self->leaves, STELE_TILE);
}

void
stele_verifier_tile (stele_verifier_t *self, const stele_tile_t *tile)
{
    assert (self->position % STELE_TILE == 0);
    self->erased += tile->erased;
    self->erased_recorded += tile->erased_recorded;
    for (int i = 0; i < tile->count; i++) {
        self->leaves [i] = tile->leaves [i];
        self->position++;
        if (i == STELE_TILE - 1)
            s_end_tile (self, tile->root);
        while (self->next_note < self->note_count && self->notes [self->next_note].size == self->position)
            s_compare_note (self);
    }
}

void
stele_verifier_stop (stele_verifier_t *self)
{
    s_report_suspect (self);
}

int64_t
stele_verifier_end (stele_verifier_t *self)
{
    char text [500];
    s_report_suspect (self);
    self->root = s_root (self);
    if (self->next_note < self->note_count) {
        const s_expected_t *note = &self->notes [self->note_count - 1];
        snprintf (text, sizeof text, "these events are missing: %s proves that there were so many", note->name);
        s_fault (self, self->position + 1, note->size, false, text);
    }
    if (self->erased > self->erased_recorded) {
        snprintf (text, sizeof text, "%" PRId64 " events are erased, but the audit events about task.erase record %" PRId64
            ": contents were removed without a request", self->erased, self->erased_recorded);
        s_fault (self, 1, self->position, false, text);
    }
    return self->faults;
}

int64_t
stele_verifier_erased (const stele_verifier_t *self)
{
    return self->erased;
}

int64_t
stele_verifier_position (const stele_verifier_t *self)
{
    return self->position;
}

int64_t
stele_verifier_proven (const stele_verifier_t *self)
{
    return self->proven;
}

int64_t
stele_verifier_sealed (const stele_verifier_t *self)
{
    return self->sealed;
}

const stele_hash_t *
stele_verifier_root (const stele_verifier_t *self)
{
    return &self->root;
}
