/*  high_water - the last acked position, in a small file next to the ledger

    SQLite cannot detect that its write-ahead log was cut short, damaged or removed, nor that the
    file is an older copy: what is left is valid, only shorter. So LEDGER.high-water holds
    what was acked last: the ledger's id, the position of its last event, the number
    of its last refused event.

    It is written after the commit and before the ack, over existing blocks, and synced about
    once per second (stele_high_water_sync), not with every batch:

      the process is killed   the page cache keeps it: it is exact
      a power cut             it may be a second old: then it is behind the ledger, which is
                              synced at every commit, and detects a little less

    It is never ahead of an undamaged ledger. There are two blocks, written in turn, so that
    one of them survives a torn write: the newest valid one counts.

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

/*  For the ledger at 'path'; touches no file. Caller owns return value. NULL: out of memory. */
stele_high_water_t *
    stele_high_water_new (const char *path);

/*  Sync what is written, and close.                                         */
void
    stele_high_water_destroy (stele_high_water_t **self_p);

/*  Name of the file. Owned by the object.                                   */
const char *
    stele_high_water_path (const stele_high_water_t *self);

/*  Read the mark. Returns 1: found. 0: no file. STELE_ELEDGER: both blocks are damaged;
    STELE_EIO: it cannot be read. Both with a refusal.                       */
int
    stele_high_water_read (stele_high_water_t *self, stele_mark_t *mark,
        stele_refusal_t *refusal);

/*  Create the file with this mark, or replace it, durably. Returns 0, or STELE_EIO or
    STELE_EFULL with a refusal.                                              */
int
    stele_high_water_create (stele_high_water_t *self, const stele_mark_t *mark,
        stele_refusal_t *refusal);

/*  Write the mark over the older block of a file that was read or created. No system
    call if nothing changed. Returns 0, STELE_EIO, or STELE_EFULL (a file system that writes
    blocks to new places): then the previous mark stays, and the next call tries again. */
int
    stele_high_water_set (stele_high_water_t *self, int64_t position, int64_t rejected);

/*  Note durably that what is acked from now on is not in the ledger (stele_ledger_suspend). It goes
    to existing blocks, so it works on a full disk. 'since' 0: that period is over. Returns 0,
    STELE_EIO or STELE_EFULL.                                                */
int
    stele_high_water_suspend (stele_high_water_t *self, int64_t since);
int64_t
    stele_high_water_suspended (const stele_high_water_t *self);

/*  Sync what was set; unless 'now', at most once per second. Returns 0 or STELE_EIO. */
int
    stele_high_water_sync (stele_high_water_t *self, bool now);

#endif
