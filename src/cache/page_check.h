/*  page_check - compare records of the ledger with Redis, page by page

    For the check on request (cache_check) and the background check.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PAGE_CHECK_H_INCLUDED
#define STELE_PAGE_CHECK_H_INCLUDED

#include "cache/cache_internal.h"

#define STELE_PAGE_CHECK_EXAMPLES_MAX 20
//  A record that expires within this margin may be in Redis or not
#define STELE_PAGE_CHECK_MARGIN_MS 1000

typedef struct {
    char text [STELE_LAYOUT_KEY_MAX];
    size_t size;
} stele_example_t;

/*  Initialize with zeros, cache, reader and repair.                         */
typedef struct {
    stele_cache_t *cache;
    stele_reader_t *reader;
    bool repair;                    // Overwrite what differs
    bool removing;                  // A transaction that removes what is extra is queued
    bool is_task;                   // Whether the rows of this read are tasks
    int rc;                         // First error of a row function
    int64_t began_ms;
    int64_t tasks;
    int64_t sessions;
    int64_t missing;
    int64_t extra;
    int64_t mismatched;
    int64_t repaired;
    stele_example_t examples [STELE_PAGE_CHECK_EXAMPLES_MAX];
    size_t example_count;
} stele_page_check_t;

/*  Check one page: returns 1 after the last one, 0 if there are more, or an error. Cursors
    start at 0; that of the ended records at the position after which their last events are. */
int
    stele_page_check_active (stele_page_check_t *self, int64_t *cursor);
int
    stele_page_check_open_sessions (stele_page_check_t *self, int64_t *cursor);
int
    stele_page_check_ended (stele_page_check_t *self, int64_t *after, int64_t upto);

/*  Begin a read transaction and apply the log up to its head: both sides are then at one
    position. End it; returns 'rc'.                                          */
int
    stele_page_check_begin (stele_page_check_t *self);
int
    stele_page_check_end (stele_page_check_t *self, int rc);

/*  Add an id to the examples of the answer; duplicates and ids beyond the limit are dropped. */
void
    stele_page_check_example (stele_page_check_t *self, const char *text, size_t size);

#endif
