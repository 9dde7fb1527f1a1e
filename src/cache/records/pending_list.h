/*  pending_list - events acked in mode redis and not yet in the ledger, as a list in Redis

    In mode redis a batch is acked when this list has it. Each element is one msgpack map
    that the broker writes and reads back. The list belongs to one ledger; a rebuild of the
    cache does not touch its key, PREFIX-pending:LEDGER.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PENDING_LIST_H_INCLUDED
#define STELE_PENDING_LIST_H_INCLUDED

#include "model/refusal.h"

typedef struct stele_pending_list stele_pending_list_t;

/*  Create one that is not connected yet. NULL: invalid URL, see the refusal. Caller owns return value. */
stele_pending_list_t *
    stele_pending_list_new (const char *url, const char *prefix, const char *ledger_id,
        stele_refusal_t *refusal);
void
    stele_pending_list_destroy (stele_pending_list_t **self_p);

/*  Number of elements in Redis; connects if necessary. STELE_EUNAVAILABLE: no answer. */
int64_t
    stele_pending_list_length (stele_pending_list_t *self);

/*  Append an element after the first 'count', which were added before; elements beyond those
    (whose answers were lost) are dropped. Returns 0: Redis has it; STELE_ELEDGER: Redis lost
    some of the first 'count', add all of them again from the first (count 0);
    STELE_EUNAVAILABLE: unknown.                                             */
int
    stele_pending_list_add (stele_pending_list_t *self, int64_t count, const void *data, size_t size);

/*  Call fn for each element in order, until it returns non-zero. Returns 0, what fn returned,
    or STELE_EUNAVAILABLE.                                                   */
typedef int (stele_pending_list_fn) (const void *data, size_t size, void *arg);
int
    stele_pending_list_each (stele_pending_list_t *self, stele_pending_list_fn *fn, void *arg);

/*  Delete the list. Returns 0 or STELE_EUNAVAILABLE.                        */
int
    stele_pending_list_clear (stele_pending_list_t *self);

/*  Text of the last error. Owned by the list.                               */
const char *
    stele_pending_list_error (const stele_pending_list_t *self);

#endif
