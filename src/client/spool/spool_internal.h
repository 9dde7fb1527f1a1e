/*  spool_internal - the state of a spool, for the two files that are one class

    spool.c uses an open spool, spool_open.c finds out what a file holds.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SPOOL_INTERNAL_H_INCLUDED
#define STELE_SPOOL_INTERNAL_H_INCLUDED

#include "client/spool/spool.h"
#include "client/spool/spool_format.h"

#define STELE_SPOOL_EVENT_MAX 1073741824    // More in a record is no record

//  Numbers in the file go on for good; those of spool.h begin at 1: the difference is 'skip'.
struct stele_spool {
    char *path;
    int lock;                       // Held on PATH.lock as long as it is open
    int handle;
    stele_spool_identity_t identity;
    stele_spool_base_t base;
    bool has_base;
    int64_t bytes_max;
    int64_t skip;
    int64_t acked, next, end;       // Last settled, next to hand over, last: numbers of the file
    int64_t acked_offset;           // Where the first record begins that is not settled
    int64_t next_offset;
    int64_t end_offset;
    bool broken;                    // A sync failed: what the file holds is not known
    unsigned char *buffer;          // One record
    size_t buffer_size;
    bool loaded;                    // It is the next one
    stele_spool_record_t record;
};

//  Find out what the file holds; it is open and locked. Returns 0, or a code with the refusal.
int
    stele_spool_scan (stele_spool_t *self, const char *producer, stele_refusal_t *refusal);

//  Read the record at 'offset' into the buffer. 1: whole, 0: not, STELE_EIO.
int
    stele_spool_load (stele_spool_t *self, int64_t offset, stele_spool_record_t *record);

//  Put a file in place of what is there that has the records from the first which is not
//  settled on. Returns 0, or STELE_EIO or STELE_EFULL: then the old one stays.
int
    stele_spool_rewrite (stele_spool_t *self);

#endif
