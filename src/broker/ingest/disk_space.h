/*  disk_space - free space on the disk of the ledger, and when it will be used up

    Samples of the last ten minutes give the rate at which the free space shrinks, whichever program uses it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DISK_SPACE_H_INCLUDED
#define STELE_DISK_SPACE_H_INCLUDED

#include <stdint.h>
#include "wire/pack.h"

#define STELE_DISK_SAMPLES 60
#define STELE_DISK_SAMPLE_US 10000000       // Interval of two samples
#define STELE_DISK_KNOWN_US 60000000        // Time that the samples must span to give a rate

/*  All zero: no sample yet                                                  */
typedef struct {
    int64_t time_us [STELE_DISK_SAMPLES];   // Steady clock
    int64_t free_bytes [STELE_DISK_SAMPLES];
    int count, next;                // Ring: 'next' is overwritten next
    int64_t size_bytes;             // Of the file system
    int64_t due_us;                 // Steady clock: next sample
} stele_disk_space_t;

/*  Add a sample, or replace the last one by it if the next one is not due.   */
void
    stele_disk_space_refresh (stele_disk_space_t *self, int64_t now_us, const char *path);

/*  Add a sample.                                                            */
void
    stele_disk_space_note (stele_disk_space_t *self, int64_t now_us, int64_t free_bytes, int64_t size_bytes);

/*  Take a sample of the file system of this file, if one is due. */
void
    stele_disk_space_sample (stele_disk_space_t *self, int64_t now_us, const char *path);

/*  Bytes per second by which the free space shrinks; 0: it does not, or is unknown yet. */
int64_t
    stele_disk_space_growth (const stele_disk_space_t *self);

/*  Seconds until the free space is used up at that rate; -1: it does not shrink, or is unknown yet. */
int64_t
    stele_disk_space_full_in_s (const stele_disk_space_t *self);

/*  Pack the key 'disk', in a map that was begun.                            */
void
    stele_disk_space_pack (const stele_disk_space_t *self, stele_pack_t *pack);

#endif
