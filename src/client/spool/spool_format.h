/*  spool_format - the bytes of a spool: three blocks, then records

       0  identity   the producer, and the number of the first event in this file
    4096  base       sequence = number + base; of which ledger. Absent until a broker was met
    8192  acked      all up to this number are settled
   12288  records    magic, size, number, synced, checksum, bytes of the event; gapless numbers

    Every block and record has a checksum; integers are little-endian. 'synced' of a record is
    how far the file was on stable storage when the record was written: so what a crash may
    tear (at or after 'synced' of every whole record that follows) can be told from what was
    damaged later.

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
#define STELE_SPOOL_HEAD     32     // Of a record, before the event's bytes

typedef struct {
    char producer [256];
    int64_t first;
} stele_spool_identity_t;

typedef struct {
    char ledger [64];
    int64_t base;
} stele_spool_base_t;

typedef struct {
    uint32_t size;                  // Of the event
    int64_t number;
    int64_t synced;
} stele_spool_record_t;

/*  Each packs into a block of STELE_SPOOL_BLOCK bytes, or reads one: false where it is not whole. */
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

/*  The head of a record, STELE_SPOOL_HEAD bytes, of the event that follows it; and back: false
    where it is none, or its size is above size_max.                         */
void
    stele_spool_pack_head (unsigned char *head, const stele_spool_record_t *record,
        const void *event);
bool
    stele_spool_read_head (const unsigned char *head, int64_t size_max,
        stele_spool_record_t *record);

/*  Do these bytes belong to that head?                                      */
bool
    stele_spool_is_whole (const unsigned char *head, const void *event, size_t size);

#endif
