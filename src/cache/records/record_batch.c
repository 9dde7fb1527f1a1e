/*  record_batch - copies of records read from the ledger, to be written to Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cache/records/record_batch.h"

stele_batch_t *
stele_batch_new (void)
{
    return STELE_NEW (stele_batch_t);
}

void
stele_batch_destroy (stele_batch_t **self_p)
{
    assert (self_p);
    stele_batch_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < STELE_BATCH_RECORDS; i++)
        stele_record_destroy (&self->items [i].record);
    free (self);
    *self_p = NULL;
}

void
stele_batch_clear (stele_batch_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        stele_record_clear (self->items [i].record);
    self->count = 0;
    self->bytes = 0;
}

bool
stele_batch_full (const stele_batch_t *self)
{
    return self->count == STELE_BATCH_RECORDS || self->bytes >= STELE_BATCH_BYTES;
}

stele_item_t *
stele_batch_add (stele_batch_t *self, const stele_record_t *row, bool is_task)
{
    assert (self->count < STELE_BATCH_RECORDS);
    stele_item_t *item = &self->items [self->count++];
    stele_record_t *record = item->record? item->record: stele_record_new ();
    memset (item, 0, sizeof *item);
    item->record = record;
    item->is_task = is_task;

    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        if (stele_layout_holds (row, field)) {
            record->values [field] = row->values [field];
            if (row->values [field].kind >= STELE_VALUE_TEXT)
                self->bytes += row->values [field].size;
        }
    int code = stele_record_own (record);
    assert (code == 0);
    if (is_task && !stele_record_has (record, STELE_ERROR_COUNT))
        stele_record_set_integer (record, STELE_ERROR_COUNT, 0);
    return item;
}

void
stele_batch_drop (stele_batch_t *self)
{
    assert (self->count);
    stele_record_clear (self->items [--self->count].record);
}

void
stele_batch_keep (stele_batch_t *self, const bool *keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (keep [i]) {
            //  Swap, do not overwrite: every slot owns a record
            stele_item_t item = self->items [kept];
            self->items [kept++] = self->items [i];
            self->items [i] = item;
        }
    while (self->count > kept)
        stele_batch_drop (self);
}

const stele_value_t *
stele_item_id (const stele_item_t *item)
{
    return &item->record->values [item->is_task? STELE_TASK_ID: STELE_SESSION_ID];
}

void
stele_item_key (const stele_item_t *item, const stele_layout_t *layout, stele_key_t *key)
{
    const stele_value_t *id = stele_item_id (item);
    if (item->is_task)
        stele_layout_task (layout, id->text, id->size, key);
    else
        stele_layout_session (layout, id->text, id->size, key);
}

bool
stele_batch_ended (const stele_record_t *record, bool is_task)
{
    int64_t state = stele_record_integer (record, STELE_STATE, 0);
    if (is_task)
        return state && stele_lifecycle_terminal ((stele_task_state_t) state);
    return state == STELE_SESSION_COMPLETED || state == STELE_SESSION_ERROR
        || state == STELE_SESSION_TERMINATED;
}
