/*  erased - the leaf of an event whose contents were erased

    Its line has the key erased_leaf, and that is its leaf: the hash of the line that it had before.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ERASED_H_INCLUDED
#define STELE_ERASED_H_INCLUDED

#include "ledger/ledger.h"
#include "model/record.h"
#include "proof/tree.h"

/*  The leaf of a line, erased or not. *erased (unless NULL) says which.     */
stele_hash_t
    stele_erased_leaf (stele_tree_t *tree, const char *line, size_t size, bool *erased);

/*  Is it the line of an event whose contents were erased?                   */
bool
    stele_erased_is (const char *line, size_t size);

/*  How many events the line says were erased: that of an audit.recorded of this ledger about task.erase; 0 for others. */
int64_t
    stele_erased_count (const char *line, size_t size);

/*  Hashes for an erasure: a stele_leaf_fn (ledger/erase.h) whose 'arg' is a stele_erased_t. */
typedef struct stele_erased stele_erased_t;
stele_erased_t *
    stele_erased_new (void);
void
    stele_erased_destroy (stele_erased_t **self_p);
int
    stele_erased_hash (const stele_record_t *event, char leaf [STELE_ERASED_LEAF_SIZE + 1], void *arg);

/*  Erase what is left of tasks with very many outputs (stele_ledger_erase_all). Returns 0, or a code with a refusal. */
int
    stele_erased_finish (stele_ledger_t *ledger, stele_refusal_t *refusal);

#endif
