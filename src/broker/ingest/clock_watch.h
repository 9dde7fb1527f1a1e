/*  clock_watch - signs that the clock of this machine, or of a producer, is wrong

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLOCK_WATCH_H_INCLUDED
#define STELE_CLOCK_WATCH_H_INCLUDED

#include <stdint.h>
#include "model/field.h"
#include "wire/pack.h"

#define STELE_CLOCK_STEP_US     10000000    // A smaller change is a correction, not a step
#define STELE_CLOCK_AHEAD_US    300000000   // Events may be ahead of the broker by less

/*  All zero: nothing seen yet                                               */
typedef struct {
    int64_t wall_us, now_us;        // Wall clock and steady clock at the last comparison
    int64_t offset_us;              // Of the wall clock from the clock that runs on in a suspend; 0: not read yet
    int64_t steps;
    int64_t step_us;                // The last one; negative: it was set back
    int64_t stepped_us;             // Steady clock: when that was noticed
    int64_t ahead;                  // Events whose time is ahead of the broker
    int64_t ahead_us;               // The last one, and by how much
    int64_t ahead_seen_us;          // Steady clock
    char ahead_producer [STELE_LIMIT_ID + 1];
} stele_clock_watch_t;

/*  Compare two clocks, CLOCK_REALTIME and CLOCK_BOOTTIME. Returns by how much the first was set since the
    last call if that was a step; 0: it was not. 'now_us' is the steady clock. */
int64_t
    stele_clock_watch_compare (stele_clock_watch_t *self, int64_t wall_us, int64_t boot_us, int64_t now_us);

/*  The same with the clocks of now.                                         */
int64_t
    stele_clock_watch_look (stele_clock_watch_t *self);

/*  An event that arrived after the last comparison has that time. NULL: no producer. */
void
    stele_clock_watch_event (stele_clock_watch_t *self, int64_t time_us, const char *producer);

/*  Pack the key 'clock', in a map that was begun.                           */
void
    stele_clock_watch_pack (const stele_clock_watch_t *self, int64_t now_us, stele_pack_t *pack);

#endif
