/*  spool_internal - the state of a spool, for the files of the class

    spool.c works on an open spool, spool_open.c opens and closes it and determines what the
    file holds. Both use spool_file.c, which reads and writes the file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SPOOL_INTERNAL_H_INCLUDED
#define STELE_SPOOL_INTERNAL_H_INCLUDED

#include "client/spool/spool.h"
#include "client/spool/spool_format.h"

#define STELE_SPOOL_EVENT_MAX 1073741824    // Bytes; a head with a larger size is no record

//  Numbers in the file never restart; those of spool.h start at 1 when the spool is opened. The
//  difference is 'skip'.
struct stele_spool {
    char *path;
    int lock;                       // Handle of PATH.lock, locked while the spool is open
    int handle;
    stele_spool_identity_t identity;
    stele_spool_base_t base;
    bool has_base;
    int64_t bytes_max;
    int64_t skip;
    int64_t acked, next, end;       // Last settled, next to hand over, last: numbers of the file
    int64_t acked_offset;           // Start of the first record that is not settled
    int64_t next_offset;
    int64_t end_offset;
    bool broken;                    // A sync or a cut failed: the content of the file is unknown
    unsigned char *buffer;          // Event of one record
    size_t buffer_size;
    bool loaded;                    // 'record' and 'buffer' hold the next event
    stele_spool_record_t record;
};

//  PATH followed by a suffix. Caller frees return value.
char *
    stele_spool_join (const char *path, const char *suffix);

//  STELE_EFULL or STELE_EIO for an errno.
int
    stele_spool_code (int reason);

//  Write all bytes at 'offset'; not synced. False, with errno, on failure.
bool
    stele_spool_write (int handle, const void *data, size_t size, int64_t offset);

//  Read the record at 'offset' into the buffer. Returns 1 if it is complete, 0 if it is not, or
//  STELE_EIO, with errno.
int
    stele_spool_load (stele_spool_t *self, int64_t offset, stele_spool_record_t *record);

//  Replace the file, atomically and synced, by one without the settled records; creates it if
//  there is none. Returns 0, or STELE_EIO or STELE_EFULL, with errno: the old file remains.
int
    stele_spool_rewrite (stele_spool_t *self);

#endif
