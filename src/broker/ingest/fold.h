/*  fold - apply what the writer of a shared log decided to the ledger of this node

    Each batch of the log becomes one transaction, with the same positions, numbers of producers and of
    refused events, and time of the commit. Nothing is decided: an operation that does not have the
    outcome that it had for the writer stops the node, as does one that this version does not know. The
    transaction also has the mark of the log, so that a restart continues after the last batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FOLD_H_INCLUDED
#define STELE_FOLD_H_INCLUDED

#include "ledger/ledger.h"
#include "log/batch.h"

typedef struct stele_fold stele_fold_t;

/*  The ledger is borrowed. Caller owns return value.                        */
stele_fold_t *
    stele_fold_new (stele_ledger_t *ledger);
void
    stele_fold_destroy (stele_fold_t **self_p);

/*  What the ledger has of the log of that ledger: *end, for stele_shared_log_read. A ledger without a mark
    has nothing of it: then the log has to start after its head. Returns 0, STELE_ELEDGER or a storage error,
    with a refusal.                                                          */
int
    stele_fold_end (stele_ledger_t *ledger, const char *ledger_id, stele_batch_end_t *end, stele_refusal_t *refusal);

/*  Keep in the open batch of the ledger that it has the log up to that batch.  */
int
    stele_fold_mark (stele_ledger_t *ledger, const stele_batch_t *batch);

/*  Fold one batch, which was checked against the chain (stele_batch_check). Returns 0; STELE_EPROTOCOL with a refusal: a
    later version wrote it, continue after the upgrade; STELE_ELEDGER with a refusal: the ledger and the log have
    diverged; STELE_EUNAVAILABLE with a refusal: it is about a task in an archive that this node cannot read; a storage error
    with a refusal. After an error nothing of the batch has happened.        */
int
    stele_fold_batch (stele_fold_t *self, const stele_batch_t *batch, stele_refusal_t *refusal);

#endif
