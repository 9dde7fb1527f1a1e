/*  batch - one entry of the shared log: decided operations, compressed, in a chain of hashes

    The log (shared_log.h) holds batches with the numbers 1, 2, 3 … A batch is what one transaction of
    the writer decided, in order (wire/event/decisions.h), as one zstd frame. Each batch has a hash
    over its contents and the hash of the batch before it:

        hash = SHA-256 (previous hash, number, first, last, epoch, time, format, frame)

    with the integers as 8 bytes, big-endian, and the format as 4. So PostgreSQL can verify it:

        sha256 (previous || int8send (number) || int8send (first) || int8send (last) ||
            int8send (epoch) || int8send (time) || int4send (format) || batch)

    The hash before batch 1 is the SHA-256 of the text "stele log " and the id of the ledger: batches of
    another ledger do not fit. A log that lost acked batches and assigned their numbers again is
    detected by the hash, which numbers alone do not show.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LOG_BATCH_H_INCLUDED
#define STELE_LOG_BATCH_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

#define STELE_BATCH_HASH 32         // Bytes
#define STELE_BATCH_FORMAT 1        // The format that this version writes, and the highest that it reads
#define STELE_BATCH_BYTES_MAX (512 * 1024 * 1024)   // Of the operations, before compression

typedef struct {
    int64_t number;
    int64_t first, last;            // Positions of its events; without events, last is first - 1
    int64_t epoch;                  // Of the writer
    int64_t time_us;                // Of the commit
    int32_t format;
    unsigned char hash [STELE_BATCH_HASH];
    const void *data;               // The frame. Borrowed
    size_t size;
} stele_batch_t;

/*  The end of a log, or of what a ledger has of it.                         */
typedef struct {
    int64_t number;                 // Of the last batch; 0: none yet
    int64_t position;               // Of the last event
    int64_t epoch;
    unsigned char hash [STELE_BATCH_HASH];
} stele_batch_end_t;

/*  The end of the empty log of that ledger, whose events up to 'position' are not in the log. */
void
    stele_batch_start (stele_batch_end_t *end, const char *ledger_id, int64_t position);

/*  Set the number, 'first' and the hash of a batch that follows 'end'; all else is set.    */
void
    stele_batch_seal (stele_batch_t *self, const stele_batch_end_t *end);

/*  Move the end to that batch.                                              */
void
    stele_batch_advance (const stele_batch_t *self, stele_batch_end_t *end);

/*  Does the batch follow that end? Returns 0, or with a refusal: STELE_ELEDGER, the number, positions, epoch or
    hash do not fit; STELE_EPROTOCOL, a later version of Stele wrote it.     */
int
    stele_batch_check (const stele_batch_t *self, const stele_batch_end_t *end, stele_refusal_t *refusal);

/*  Compress operations as one frame. Caller owns return value, and frees it with free(). Never NULL. */
void *
    stele_batch_compress (const void *operations, size_t size, int level, size_t *frame_size);

/*  The operations of a batch. Caller owns return value, and frees it with free(). NULL with a refusal
    (STELE_ELEDGER): the frame is damaged or larger than STELE_BATCH_BYTES_MAX. */
void *
    stele_batch_expand (const stele_batch_t *self, size_t *size, stele_refusal_t *refusal);

#endif
