/*  verifier - compare the lines of a history with notes and with the roots of its tiles

    The lines come from any source: a ledger, the segments of a repository, an export. Tiles are hashed on any thread, and
    compared in their order.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_VERIFIER_H_INCLUDED
#define STELE_VERIFIER_H_INCLUDED

#include "proof/note.h"
#include "proof/seals.h"

typedef struct stele_verifier stele_verifier_t;

/*  Called per fault: between these positions, both inclusive, something is not what was sealed. 'changed': one event of them,
    or more, is another one than was sealed.                                 */
typedef void (stele_verifier_fn) (int64_t first, int64_t last, bool changed, const char *text, void *arg);

/*  The seals are borrowed, and may be NULL. Caller owns return value.       */
stele_verifier_t *
    stele_verifier_new (const stele_seals_t *seals, stele_verifier_fn *fn, void *arg);
void
    stele_verifier_destroy (stele_verifier_t **self_p);

/*  Compare with a note as well, before the first event; 'name' is for faults. Copied. */
void
    stele_verifier_add (stele_verifier_t *self, const stele_note_t *note, const char *name);

/*  The events of a tile, or the first of them: set 'count' and the two sums to 0, and add their lines in order. The tree is that of
    the thread. 'plain': it is known that the event was not erased, and is no audit event.  */
typedef struct {
    stele_hash_t leaves [STELE_TILE];
    stele_hash_t root;              // Of all of them
    int count;
    int64_t erased, erased_recorded;    // Erased ones; those that audit events say were erased
} stele_tile_t;
void
    stele_tile_add (stele_tile_t *self, stele_tree_t *tree, const char *line, size_t size, bool plain);

/*  Compare the next tile, from the first on. Only the last one may have fewer than STELE_TILE events. */
void
    stele_verifier_tile (stele_verifier_t *self, const stele_tile_t *tile);

/*  No more tiles follow. Returns the number of faults.                      */
int64_t
    stele_verifier_end (stele_verifier_t *self);

/*  The next event cannot be read: report the faults of those before it.     */
void
    stele_verifier_stop (stele_verifier_t *self);

/*  Position of the last line; of the last note with which all lines before agree, 0: none; and of the last complete tile
    that has the root of the seals.                                          */
int64_t
    stele_verifier_position (const stele_verifier_t *self);
int64_t
    stele_verifier_proven (const stele_verifier_t *self);
int64_t
    stele_verifier_sealed (const stele_verifier_t *self);

/*  Number of lines whose contents were erased: their leaves are the hashes that they had before. */
int64_t
    stele_verifier_erased (const stele_verifier_t *self);

/*  Root over all lines, after the end.                                      */
const stele_hash_t *
    stele_verifier_root (const stele_verifier_t *self);

#endif
