/*  spool_format - the bytes of a spool: three blocks, then records

       0  identity   the producer, and the number of the first event in this file
    4096  base       sequence = number + base; id of the ledger. Zeros until the first welcome
    8192  acked      all events up to this number are settled
   12288  records    magic, size, number, synced, checksum, bytes of the event; no gap in numbers

    Every block and record has a checksum; integers are little-endian. 'synced' of a record is
    the length of the file on stable storage when the record was written. It separates what a
    crash may tear from damage: a record that is not complete was torn if no complete record
    after it has a 'synced' beyond its start, and was damaged later otherwise.
    A damaged base or acked block counts as absent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SPOOL_FORMAT_H_INCLUDED
#define STELE_SPOOL_FORMAT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STELE_SPOOL_BLOCK    512
#define STELE_SPOOL_IDENTITY 0
#define STELE_SPOOL_BASE     4096
#define STELE_SPOOL_ACKED    8192
#define STELE_SPOOL_RECORDS  12288
#define STELE_SPOOL_HEAD     32     // Bytes of a record before its event

typedef struct {
    char producer [256];
    int64_t first;
} stele_spool_identity_t;

typedef struct {
    char ledger [64];
    int64_t base;
} stele_spool_base_t;

typedef struct {
    uint32_t size;                  // Bytes of the event
    int64_t number;
    int64_t synced;
} stele_spool_record_t;

/*  Pack into, or read from, a block of STELE_SPOOL_BLOCK bytes. The readers return false if
    the block is not valid.                                                  */
void
    stele_spool_pack_identity (unsigned char *block, const stele_spool_identity_t *identity);
bool
    stele_spool_read_identity (const unsigned char *block, stele_spool_identity_t *identity);
void
    stele_spool_pack_base (unsigned char *block, const stele_spool_base_t *base);
bool
    stele_spool_read_base (const unsigned char *block, stele_spool_base_t *base);
void
    stele_spool_pack_acked (unsigned char *block, int64_t number);
bool
    stele_spool_read_acked (const unsigned char *block, int64_t *number);

/*  Pack or read the head of a record, STELE_SPOOL_HEAD bytes. The reader returns false if it
    is no head, or its event is larger than size_max; it does not check the checksum.  */
void
    stele_spool_pack_head (unsigned char *head, const stele_spool_record_t *record,
        const void *event);
bool
    stele_spool_read_head (const unsigned char *head, int64_t size_max,
        stele_spool_record_t *record);

/*  Does the checksum of that head match it and the event?                   */
bool
    stele_spool_is_whole (const unsigned char *head, const void *event, size_t size);

#endif
