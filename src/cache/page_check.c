/*  page_check - compare records of the ledger with Redis, page by page

    Before each page the log is applied inside a read transaction, so that both sides
    are at the same position, and the transaction is short however many pages there are.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cache/page_check.h"
#include "cache/records/record_check.h"
#include "base/clock.h"

#define PAGE_RECORDS STELE_BATCH_RECORDS

void
stele_page_check_example (stele_page_check_t *check, const char *text, size_t size)
{
    if (check->example_count == STELE_PAGE_CHECK_EXAMPLES_MAX || size >= STELE_LAYOUT_KEY_MAX)
        return;
    for (size_t i = 0; i < check->example_count; i++)
        if (check->examples [i].size == size
        &&  memcmp (check->examples [i].text, text, size) == 0)
            return;
    stele_example_t *example = &check->examples [check->example_count++];
    memcpy (example->text, text, size);
    example->size = size;
}

//  -- one position on both sides -------------------------------------------------------

int
stele_page_check_end (stele_page_check_t *check, int rc)
{
    stele_reader_end (check->reader);
    check->cache->in_snapshot = false;
    return rc;
}

int
stele_page_check_begin (stele_page_check_t *check)
{
    stele_cache_t *self = check->cache;
    int rc = stele_cache_must_stop (self);
    if (rc)
        return rc;
    rc = stele_reader_begin (check->reader);
    if (rc < 0)
        return stele_cache_ledger_failed (self, check->reader, rc);
    self->in_snapshot = true;
    self->now_us = stele_clock_us ();
    int64_t head = stele_reader_head (check->reader);
    if (head < 0)
        rc = stele_cache_ledger_failed (self, check->reader, (int) head);
    else
        self->head = head;
    while (rc == 0 && self->position < head)
        rc = stele_cache_apply (self, check->reader, head);
    return rc? stele_page_check_end (check, rc): 0;
}

//  -- pages of records ------------------------------------------------------------------

static bool
s_expires_now (const stele_cache_t *self, const stele_item_t *item)
{
    return item->expires_ms && item->expires_ms <= self->now_us / 1000 + STELE_PAGE_CHECK_MARGIN_MS;
}

static void
s_count_verdict (stele_page_check_t *check, const stele_item_t *item, stele_verdict_t verdict)
{
    check->missing += verdict == STELE_VERDICT_MISSING;
    check->mismatched += verdict == STELE_VERDICT_MISMATCHED;
    if (verdict != STELE_VERDICT_EQUAL) {
        const stele_value_t *id = stele_item_id (item);
        stele_page_check_example (check, id->text, id->size);
    }
}

//  Compare the records of the batch, repair what differs, and empty the batch

static int
s_compare (stele_page_check_t *check)
{
    stele_cache_t *self = check->cache;
    bool keep [STELE_BATCH_RECORDS];
    size_t wrong = 0;
    for (size_t i = 0; i < self->batch->count; i++)
        keep [i] = !s_expires_now (self, &self->batch->items [i]);
    stele_batch_keep (self->batch, keep);
    for (size_t i = 0; i < self->batch->count; i++)
        stele_record_check_queue (self->redis, &self->layout, &self->batch->items [i]);
    for (size_t i = 0; i < self->batch->count; i++) {
        const stele_item_t *item = &self->batch->items [i];
        stele_verdict_t verdict = stele_record_check_read (self->redis, item,
            self->terminal_ttl_us / 1000 + STELE_PAGE_CHECK_MARGIN_MS);
        if (!stele_redis_connected (self->redis))
            return stele_cache_connection_lost (self);
        s_count_verdict (check, item, verdict);
        check->tasks += item->is_task;
        check->sessions += !item->is_task;
        keep [i] = verdict != STELE_VERDICT_EQUAL;
        wrong += keep [i];
    }
    stele_batch_keep (self->batch, keep);
    if (!check->repair || wrong == 0) {
        stele_batch_clear (self->batch);
        return 0;
    }
    int rc = stele_cache_write (self, STELE_WRITE_REPLACE, NULL, 0);
    if (rc == 0)
        check->repaired += wrong;
    return rc;
}

//  -- pages of the ledger ------------------------------------------------------------------

static int
s_check_row (const stele_record_t *row, void *arg)
{
    stele_page_check_t *check = arg;
    if (check->rc == 0 && stele_batch_full (check->cache->batch))
        check->rc = s_compare (check);
    if (check->rc == 0)
        stele_batch_add (check->cache->batch, row, check->is_task);
    return 0;
}

int
stele_page_check_active (stele_page_check_t *check, int64_t *after)
{
    check->is_task = true;
    int rc = stele_page_check_begin (check);
    if (rc)
        return rc;
    int64_t last = stele_reader_active (check->reader, *after, PAGE_RECORDS, s_check_row, check);
    if (last < 0)
        return stele_page_check_end (check, stele_cache_ledger_failed (check->cache, check->reader,
            (int) last));
    stele_page_check_end (check, 0);
    rc = check->rc? check->rc: s_compare (check);
    if (rc)
        return rc;
    bool more = last > *after;
    *after = last;
    return !more;
}

int
stele_page_check_open_sessions (stele_page_check_t *check, int64_t *cursor)
{
    const uint32_t ended = 1u << STELE_SESSION_COMPLETED | 1u << STELE_SESSION_ERROR
        | 1u << STELE_SESSION_TERMINATED;
    const uint32_t all = (1u << STELE_SESSION_STATE_END) - 2;
    check->is_task = false;
    int rc = stele_page_check_begin (check);
    if (rc)
        return rc;
    int64_t next = 0;
    rc = stele_reader_sessions (check->reader, all & ~ended, (stele_span_t) { NULL, 0 },
        *cursor, PAGE_RECORDS, s_check_row, check, &next);
    if (rc < 0)
        return stele_page_check_end (check, stele_cache_ledger_failed (check->cache, check->reader, rc));
    stele_page_check_end (check, 0);
    rc = check->rc? check->rc: s_compare (check);
    if (rc)
        return rc;
    *cursor = next;
    return next == 0;
}

//  Check the ended records whose last event is in this piece of the log, (after, upto]

static int
s_check_changed (stele_page_check_t *check, int64_t after, int64_t upto)
{
    stele_cache_t *self = check->cache;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->changed_count; i++) {
        stele_item_t *item = NULL;
        rc = stele_cache_read_record (self, check->reader, &self->changed [i], &item);
        if (rc || !item)
            continue;
        int64_t position = stele_record_integer (item->record, STELE_POSITION, 0);
        if (!item->expires_ms || position <= after || position > upto)
            stele_batch_drop (self->batch);
        if (stele_batch_full (self->batch))
            rc = s_compare (check);
    }
    return rc;
}

int
stele_page_check_ended (stele_page_check_t *check, int64_t *after, int64_t upto)
{
    stele_cache_t *self = check->cache;
    if (*after >= upto)
        return 1;
    int rc = stele_page_check_begin (check);
    if (rc)
        return rc;
    int64_t last = stele_cache_changed_keys (self, check->reader, *after, upto);
    rc = last < 0? (int) last: s_check_changed (check, *after, last);
    stele_page_check_end (check, rc);
    if (rc == 0)
        rc = s_compare (check);
    if (rc)
        return rc;
    bool stuck = last == *after;
    *after = last;
    return stuck || last >= upto;
}
