/*  erase - remove the contents of a task, for the law, without removing its events

    Each event of an erased task keeps its row: position, type, time, ids, states, words such as role and provider. What it
    said is replaced by STELE_ERASED_TEXT, or gone, and the hash of its line (doc/PROOF.md) stays with it, as the key
    STELE_ERASED_LEAF of the event. So the history still has the same root.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ERASE_H_INCLUDED
#define STELE_ERASE_H_INCLUDED

#include "ledger/ledger.h"

#define STELE_ERASED_TEXT "(erased)"
#define STELE_ERASED_OPERATION "task.erase"

//  Key of the table meta, with the key of a task after it: its outputs are being erased, the next one is the value
#define STELE_ERASING_KEY "erasing."

/*  What is known of an erased task                                          */
typedef struct {
    int64_t task;                   // Position of its first event
    int64_t position;               // Of the audit.recorded that says so
    int64_t time_us;
    int64_t events;                 // Erased so far
    char reason [STELE_LIMIT_REASON + 1];
    bool rest;                      // The contents of some outputs are still there: stele_ledger_erase_step
} stele_erasure_t;

/*  Write the hash of the event's line, as hex digits. Returns 0 or a code.   */
typedef int (stele_leaf_fn) (const stele_record_t *event, char leaf [STELE_ERASED_LEAF_SIZE + 1], void *arg);

/*  In the open batch, erase what the task and its sessions still have. erasure->time_us and reason are set by the caller,
    and events to 0 (or to what the event that recorded it says), the others by this call: the next event of the batch has
    to be the one that records it. Nothing left to erase: *erasure is that of the earlier call. Returns the number of erased events, STELE_ENOT_FOUND, STELE_EBAD_REQUEST (it has not
    ended) or STELE_EUNAVAILABLE (its archive cannot be read) with a refusal, or a storage error. */
int64_t
    stele_ledger_erase (stele_ledger_t *self, const char *id, size_t size, stele_leaf_fn *fn, void *arg,
        stele_erasure_t *erasure, stele_refusal_t *refusal);

/*  The same for a ledger that is being restored, before the event that recorded it is appended; a task that does not exist is
    no error. Other events are left alone. Returns the number of erased events, or a code as stele_ledger_erase. */
int64_t
    stele_ledger_erase_again (stele_ledger_t *self, const stele_record_t *event, stele_leaf_fn *fn, void *arg,
        stele_refusal_t *refusal);

/*  Of a task with very many outputs, stele_ledger_erase leaves them: they are erased in steps, some at a time, in transactions
    of their own between batches. How long to wait for the next step, -1: there are none. */
int64_t
    stele_ledger_erase_wait_ms (const stele_ledger_t *self);

/*  Take such a step. Returns 1; 0: that was the last one; or a storage error: unless it is STELE_EIO, the step is tried again. */
int
    stele_ledger_erase_step (stele_ledger_t *self, stele_leaf_fn *fn, void *arg);

/*  Take all of them, without a rest. Returns 0 or a storage error.          */
int
    stele_ledger_erase_all (stele_ledger_t *self, stele_leaf_fn *fn, void *arg);

/*  Why the ledger, an archive, or the write-ahead log, may still have contents of erased tasks, and since when (steady clock): they
    could not be removed for some seconds, and that is tried again. NULL: they are gone, or will be. */
const char *
    stele_ledger_scrub_error (const stele_ledger_t *self, int64_t *since_ms);

/*  Was that task erased? Returns 1 with *erasure, 0 or a code.              */
int
    stele_reader_erasure (stele_reader_t *self, const char *id, size_t size, stele_erasure_t *erasure);

/*  Position of the last audit.recorded of an erased task, 0: none, or a code. */
int64_t
    stele_reader_last_erasure (stele_reader_t *self);

#endif
