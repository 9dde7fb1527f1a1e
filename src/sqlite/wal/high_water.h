/*  high_water - how far the ledger was, in a small file beside it

    SQLite cannot tell that its write-ahead log was cut short, damaged or taken away, nor that the
    file is an older copy: what is left is whole, only shorter. So LEDGER.high-water holds
    what was acked last: the ledger's id, the position of its last event, the number
    of its last refused event.

    It is written after the commit and before the ack, into blocks that exist, and synced
    now and then (stele_high_water_sync), not with every batch:

      the process dies, by kill -9 too   the page cache keeps it: it is exact
      power is cut                        it may be what it was a second ago: it is behind the ledger then,
                                         which is synced at every commit, and proves that less

    It is never ahead of a ledger that is whole. There are two blocks, written in turn, so
    that a torn one leaves the other: what is read is the newest whole one.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HIGH_WATER_H_INCLUDED
#define STELE_HIGH_WATER_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

typedef struct stele_high_water stele_high_water_t;

typedef struct {
    char ledger_id [40];
    int64_t position;
    int64_t rejected;
    int64_t suspended;              // As of stele_high_water_suspend
} stele_mark_t;

/*  That of the ledger at 'path'; touches no file. Caller owns return value. */
stele_high_water_t *
    stele_high_water_new (const char *path);

/*  Syncs what is written.                                                   */
void
    stele_high_water_destroy (stele_high_water_t **self_p);

/*  Name of the file. Owned by the object.                                   */
const char *
    stele_high_water_path (const stele_high_water_t *self);

/*  Read the mark. 1: there is one. 0: no file. STELE_ELEDGER: it is damaged in both
    blocks; STELE_EIO: it cannot be read. Both with a refusal.               */
int
    stele_high_water_read (stele_high_water_t *self, stele_mark_t *mark,
        stele_refusal_t *refusal);

/*  Put a file with this mark in place of what is there, durably; then it can be set.
    Returns 0, or STELE_EIO or STELE_EFULL with a refusal.                   */
int
    stele_high_water_create (stele_high_water_t *self, const stele_mark_t *mark,
        stele_refusal_t *refusal);

/*  Write the mark over the older block of a file that was read or created. No system
    call where nothing changed. Returns 0, STELE_EIO, or STELE_EFULL (a file system that
    writes blocks elsewhere): then the mark before it stays, and the next one is tried. */
int
    stele_high_water_set (stele_high_water_t *self, int64_t position, int64_t rejected);

/*  Note, durably, that what is acked from now on is not in the ledger (stele_ledger_suspend), in
    blocks that exist: also where the disk is full. 'since' 0: that is over. Returns 0, STELE_EIO or
    STELE_EFULL.                                                             */
int
    stele_high_water_suspend (stele_high_water_t *self, int64_t since);
int64_t
    stele_high_water_suspended (const stele_high_water_t *self);

/*  Sync what was set, but where 'now' is false at most once a second. Returns 0 or
    STELE_EIO.                                                               */
int
    stele_high_water_sync (stele_high_water_t *self, bool now);

#endif
