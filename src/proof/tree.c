/*  tree - the Merkle tree over the events of a ledger (RFC 6962, section 2.1)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/memory.h"
#include "proof/tree.h"

struct stele_tree {
    EVP_MD_CTX *sha256;             // Reused: a new one per hash takes longer than the hash
};

stele_tree_t *
stele_tree_new (void)
{
    stele_tree_t *self = STELE_NEW (stele_tree_t);
    self->sha256 = EVP_MD_CTX_new ();
    int done = self->sha256 && EVP_DigestInit_ex (self->sha256, EVP_sha256 (), NULL);
    assert (done);
    return self;
}

void
stele_tree_destroy (stele_tree_t **self_p)
{
    stele_tree_t *self = *self_p;
    if (!self)
        return;
    EVP_MD_CTX_free (self->sha256);
    free (self);
    *self_p = NULL;
    //  What libcrypto keeps for this thread would be freed at its very end, for which no other thread waits
    OPENSSL_thread_stop ();
}

static stele_hash_t
s_hash (stele_tree_t *self, unsigned char prefix, const void *first, size_t first_size, const void *second,
    size_t second_size)
{
    stele_hash_t hash;
    int done = EVP_DigestInit_ex (self->sha256, NULL, NULL)
        && EVP_DigestUpdate (self->sha256, &prefix, 1)
        && EVP_DigestUpdate (self->sha256, first, first_size)
        && EVP_DigestUpdate (self->sha256, second, second_size)
        && EVP_DigestFinal_ex (self->sha256, hash.bytes, NULL);
    assert (done);
    return hash;
}

stele_hash_t
stele_tree_leaf (stele_tree_t *self, const void *line, size_t size)
{
    return s_hash (self, 0, line, size, "", 0);
}

stele_hash_t
stele_tree_node (stele_tree_t *self, const stele_hash_t *left, const stele_hash_t *right)
{
    return s_hash (self, 1, left->bytes, STELE_HASH_BYTES, right->bytes, STELE_HASH_BYTES);
}

//  The largest power of two below 'count', which is at least 2
static int64_t
s_split (int64_t count)
{
    return INT64_C (1) << (63 - __builtin_clzll ((unsigned long long) count - 1));
}

stele_hash_t
stele_tree_root (stele_tree_t *self, const stele_hash_t *nodes, int64_t count)
{
    if (count == 1)
        return nodes [0];
    if (count == 0) {
        stele_hash_t empty;
        int done = EVP_Digest ("", 0, empty.bytes, NULL, EVP_sha256 (), NULL);
        assert (done);
        return empty;
    }
    int64_t split = s_split (count);
    stele_hash_t left = stele_tree_root (self, nodes, split);
    stele_hash_t right = stele_tree_root (self, nodes + split, count - split);
    return stele_tree_node (self, &left, &right);
}

int
stele_tree_path (stele_tree_t *self, const stele_hash_t *nodes, int64_t count, int64_t index,
    stele_hash_t path [STELE_PATH_MAX])
{
    assert (index >= 0 && index < count);
    if (count == 1)
        return 0;
    int64_t split = s_split (count);
    bool is_left = index < split;
    int length = is_left? stele_tree_path (self, nodes, split, index, path):
        stele_tree_path (self, nodes + split, count - split, index - split, path);
    path [length] = is_left? stele_tree_root (self, nodes + split, count - split): stele_tree_root (self, nodes, split);
    return length + 1;
}
