/*  restore - make a ledger from a repository

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RESTORE_H_INCLUDED
#define STELE_RESTORE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

/*  Called with the step that is running: "restoring" (bytes), "replaying" (events), "verifying" (0 of 0). May be called
    often.                                                                   */
typedef void (stele_restore_fn) (const char *step, int64_t done, int64_t total, void *arg);

typedef struct {
    int64_t position;               // Restore up to this event; -1: all, or as 'time_us' says
    int64_t time_us;                // Restore what was committed at or before this time; 0: not by time
    bool snapshot;                  // Restore the newest snapshot as it is, without segments: a shared log has the rest
    stele_restore_fn *progress;     // May be NULL
    void *arg;
} stele_restore_options_t;

typedef struct {
    char ledger_id [40];            // Of the restored ledger
    int64_t position;               // Of its last event that the repository has
    int64_t end;                    // Last position that the repository has
    char snapshot [48];             // It was restored from this one; "": from segments alone
    int64_t replayed;               // Events from segments
    int64_t erased;                 // Events that were erased later: an audit event after 'position' records that
    int archives;                   // Archives next to it that were restored
    bool complete;                  // It has all; false: it has another id, and a row in losses
    char skipped [400];             // Damaged snapshots that were not used, with the reason; "": none
} stele_restored_t;

/*  Restore the repository at 'path' to a new ledger at 'target': the newest snapshot that is not after the wanted end,
    then the segments. The result is verified before it gets its name. A complete one keeps the id of the ledger, so that
    producers continue where they were; an earlier one gets a new id, and a row in losses that names the
    events that it does not have. The archives that the snapshot needs are restored next to it, unless it is of a version that
    copied none; one that is there already must be the same file. Returns 0, or a code with the refusal: STELE_EEXISTS if there is a file 'target', or
    one of those that belong to a ledger there; STELE_ENOT_FOUND if the repository does not have that moment. Then
    there is no file 'target'.                                               */
int
    stele_repository_restore (const char *path, const char *target, const stele_restore_options_t *options,
        stele_restored_t *restored, stele_refusal_t *refusal);

#endif
