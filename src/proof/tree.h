/*  tree - the Merkle tree over the events of a ledger (RFC 6962, section 2.1)

    The leaf of a position is the hash of its line, the canonical JSON of the event (protocol, section 10). Nodes of
    one tile, STELE_TILE leaves, have one root; the tree over these roots is the tree over all leaves, since a tile is
    a power of two.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TREE_H_INCLUDED
#define STELE_TREE_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

#define STELE_TILE 1024             // Leaves per tile
#define STELE_HASH_BYTES 32
#define STELE_PATH_MAX 64           // Most hashes of a path

typedef struct { unsigned char bytes [STELE_HASH_BYTES]; } stele_hash_t;

/*  A context of SHA-256, for one thread. Caller owns return value.          */
typedef struct stele_tree stele_tree_t;
stele_tree_t *
    stele_tree_new (void);
void
    stele_tree_destroy (stele_tree_t **self_p);

/*  Hash of a leaf: SHA-256 of a byte 0 and the line, without its end.       */
stele_hash_t
    stele_tree_leaf (stele_tree_t *self, const void *line, size_t size);

/*  Hash of two nodes: SHA-256 of a byte 1, the left and the right one.      */
stele_hash_t
    stele_tree_node (stele_tree_t *self, const stele_hash_t *left, const stele_hash_t *right);

/*  Root over 'count' nodes of the same height, of which only the last may be lower. 0: the hash of nothing. */
stele_hash_t
    stele_tree_root (stele_tree_t *self, const stele_hash_t *nodes, int64_t count);

/*  The hashes that lead from node 'index' to that root, from below. Returns their number, at most STELE_PATH_MAX. */
int
    stele_tree_path (stele_tree_t *self, const stele_hash_t *nodes, int64_t count, int64_t index,
        stele_hash_t path [STELE_PATH_MAX]);

#endif
