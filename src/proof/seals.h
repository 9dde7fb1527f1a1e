/*  seals - the file LEDGER.seals: the roots of the complete tiles of a ledger

    It begins with 64 bytes: "STELESL1", the number of leaves per tile (4 bytes, little-endian), the id of the ledger as
    text, and zeros. Then comes one record per tile: its root (32 bytes), and the first two bytes of each of its leaves.
    The root proves; the two bytes only tell which event of a tile has changed.

    Everything in it can be computed again from the ledger. It is trusted as far as a note confirms it (note.h).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEALS_H_INCLUDED
#define STELE_SEALS_H_INCLUDED

#include <stdbool.h>
#include "model/refusal.h"
#include "proof/tree.h"

//  Added to the path of the ledger: these roots, and the last note
#define STELE_SEALS_SUFFIX ".seals"
#define STELE_SEALS_NOTE_SUFFIX ".checkpoint"

typedef struct stele_seals stele_seals_t;

/*  Open the file beside the ledger at that path. For writing, it is created if it is missing, damaged, or of another
    ledger, with the mode of the ledger. For reading, NULL with STELE_ENOT_FOUND, or STELE_ELEDGER. A record that is cut off
    at the end is ignored. Caller owns return value. NULL: a refusal.        */
stele_seals_t *
    stele_seals_open (const char *ledger, const char *ledger_id, bool write, stele_refusal_t *refusal);
void
    stele_seals_close (stele_seals_t **self_p);

/*  Number of tiles, and their roots, in memory. Owned by the seals.         */
int64_t
    stele_seals_tiles (const stele_seals_t *self);
const stele_hash_t *
    stele_seals_roots (const stele_seals_t *self);

/*  Index of the first of these leaves, from the start of the tile, that differs from the record; -1: none. Also -1 if
    the record cannot be read.                                               */
int
    stele_seals_differing (const stele_seals_t *self, int64_t tile, const stele_hash_t *leaves, int count);

/*  For writing: keep the first tiles only; add the next one; make all of them durable. Return 0, STELE_EFULL or STELE_EIO
    with a refusal.                                                          */
int
    stele_seals_cut (stele_seals_t *self, int64_t tiles, stele_refusal_t *refusal);
int
    stele_seals_add (stele_seals_t *self, const stele_hash_t *root, const stele_hash_t leaves [STELE_TILE],
        stele_refusal_t *refusal);
int
    stele_seals_sync (stele_seals_t *self, stele_refusal_t *refusal);

#endif
