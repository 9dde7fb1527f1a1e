/*  pending_list - what was acked while the ledger is not written, as a list in Redis

    In mode redis a batch is acked when this list has it. Each element is one map of
    msgpack that the broker makes and reads again. The list belongs to one ledger, and
    its key is outside of what the follower wipes: PREFIX-pending:LEDGER.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PENDING_LIST_H_INCLUDED
#define STELE_PENDING_LIST_H_INCLUDED

#include "model/refusal.h"

typedef struct stele_pending_list stele_pending_list_t;

/*  Not yet connected. NULL: the URL is none. Caller owns return value.      */
stele_pending_list_t *
    stele_pending_list_new (const char *url, const char *prefix, const char *ledger_id,
        stele_refusal_t *refusal);
void
    stele_pending_list_destroy (stele_pending_list_t **self_p);

/*  How many elements Redis has; connects where it has to. Negative: it does not answer. */
int64_t
    stele_pending_list_length (stele_pending_list_t *self);

/*  Add an element behind the first 'count', which were added before; what is beyond those (an
    element whose answer was lost) is dropped. 0: Redis has it. STELE_ELEDGER: it has fewer
    than 'count': they were lost, and have to be added again from the first (count 0).
    STELE_EUNAVAILABLE: nobody knows.                                        */
int
    stele_pending_list_add (stele_pending_list_t *self, int64_t count, const void *data, size_t size);

/*  Every element in order. A function that returns non-zero ends it. 0, what it returned, or
    STELE_EUNAVAILABLE.                                                      */
typedef int (stele_pending_list_fn) (const void *data, size_t size, void *arg);
int
    stele_pending_list_each (stele_pending_list_t *self, stele_pending_list_fn *fn, void *arg);

/*  Forget all of it. 0 or STELE_EUNAVAILABLE.                               */
int
    stele_pending_list_clear (stele_pending_list_t *self);

/*  Why Redis did not answer. Owned by the detour.                           */
const char *
    stele_pending_list_error (const stele_pending_list_t *self);

#endif
