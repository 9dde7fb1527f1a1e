/*  record_batch - copies of records read from the ledger, to be written to Redis

    A row of the ledger is valid during one call; Redis is written in pipelines. A batch
    copies as many records as one transaction of Redis takes, so that no read
    transaction of the ledger is open while waiting for Redis.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RECORD_BATCH_H_INCLUDED
#define STELE_RECORD_BATCH_H_INCLUDED

#include "cache/records/layout.h"
#include "model/lifecycle.h"
#include "model/record.h"

#define STELE_BATCH_RECORDS 500
#define STELE_BATCH_BYTES ((size_t) 4 << 20)

typedef struct {
    stele_record_t *record;         // Allocated on first use, then reused
    bool is_task;                   // Or a session
    int64_t expires_ms;             // Unix time when Redis drops it; 0: never
} stele_item_t;

typedef struct {
    stele_item_t items [STELE_BATCH_RECORDS];
    size_t count;
    size_t bytes;                   // Size of the texts in the records
} stele_batch_t;

stele_batch_t *
    stele_batch_new (void);

void
    stele_batch_destroy (stele_batch_t **self_p);

/*  Remove the records, keep the memory.                                     */
void
    stele_batch_clear (stele_batch_t *self);

/*  No room for another record?                                              */
bool
    stele_batch_full (const stele_batch_t *self);

/*  Copy a live record of a task or a session, without the fields that Redis does not hold.
    The batch must not be full. Owned by the batch, valid until it is cleared. */
stele_item_t *
    stele_batch_add (stele_batch_t *self, const stele_record_t *row, bool is_task);

/*  Remove the last record.                                                  */
void
    stele_batch_drop (stele_batch_t *self);

/*  Keep only the items whose flag is set; 'keep' has one flag per item.     */
void
    stele_batch_keep (stele_batch_t *self, const bool *keep);

/*  Id of an item's task or session, and its key in Redis.                   */
const stele_value_t *
    stele_item_id (const stele_item_t *item);
void
    stele_item_key (const stele_item_t *item, const stele_layout_t *layout, stele_key_t *key);

/*  Does the record expire: is it a terminal task or an ended session?       */
bool
    stele_batch_ended (const stele_record_t *record, bool is_task);

#endif
