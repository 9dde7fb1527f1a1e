/*  replay - the segments of a repository, written into a ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REPLAY_H_INCLUDED
#define STELE_REPLAY_H_INCLUDED

#include "ledger/ledger.h"
#include "repository/repository.h"

/*  Append what the segments have after the head of the ledger, up to and including position 'upto' (INT64_MAX: all):
    events with their positions, commits, owners, producers with their sequences, fences, refusals, losses, cursors of
    followers. The ledger is empty, or a restored snapshot: states that are older than what it has change nothing. An
    empty ledger gets the id of the repository's. 'progress' may be NULL; it is called about once per 10,000 events.
    A refusal leaves the ledger as of the last finished portion: throw it away. *unrecorded is the number of events that
    segments have as erased ones, because they were begun later, and whose erasure comes after 'upto'.
    Returns the head, or a code with the refusal.                            */
typedef void (stele_replay_fn) (int64_t position, void *arg);
int64_t
    stele_repository_replay (const stele_repository_t *self, stele_ledger_t *ledger, int64_t upto,
        stele_replay_fn *progress, void *arg, int64_t *unrecorded, stele_refusal_t *refusal);

#endif
