/*  by_zone - a page in any order, from the zones of the log

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // qsort_r
#include <stdlib.h>
#include "sqlite/list/as_of.h"
#include "sqlite/list/by_zone.h"

//  Units of work, about a microsecond each
#define ZONE_UNITS 500
#define ROW_UNITS 2
#define EVALUATE_UNITS 40

typedef struct {
    int64_t bound;                  // No entry of it comes before this time
    const reader_zone_t *zone;
} s_zone_t;

typedef struct {
    reader_page_t *page;
    int64_t from, to;               // Bounds of the page
    s_zone_t *zones;                // In the order of their bounds
    size_t count;
    reader_entries_t heap;          // Not added to the page yet: the first in order at the top
    reader_keys_t changed;          // Met in this zone, to be evaluated
    reader_entry_t last;            // Added last: a task may be met twice
    bool bounded;                   // All before this bound has been added
    int64_t bound;
    bool full;
} s_scan_t;

//  -- a heap of entries ------------------------------------------------------------------

static bool
s_before (const s_scan_t *scan, size_t one, size_t other)
{
    const reader_entry_t *a = &scan->heap.items [one], *b = &scan->heap.items [other];
    return reader_page_before (scan->page, a->time, a->key, b->time, b->key);
}

static void
s_swap (s_scan_t *scan, size_t one, size_t other)
{
    reader_entry_t row = scan->heap.items [one];
    scan->heap.items [one] = scan->heap.items [other];
    scan->heap.items [other] = row;
}

static void
s_push (s_scan_t *scan, const reader_entry_t *row)
{
    //  Anything before the bound has been added already: this task was met before
    if (row->time < scan->from || row->time > scan->to
    ||  (scan->bounded && (scan->page->ascending? row->time < scan->bound: row->time > scan->bound))
    ||  reader_page_is_before_cursor (scan->page, row->time, row->key))
        return;
    if (reader_entries_add (scan->page->reader, &scan->heap, row))
        return;
    for (size_t i = scan->heap.count - 1; i > 0 && s_before (scan, i, (i - 1) / 2); i = (i - 1) / 2)
        s_swap (scan, i, (i - 1) / 2);
}

static reader_entry_t
s_pop (s_scan_t *scan)
{
    reader_entry_t top = scan->heap.items [0];
    scan->heap.items [0] = scan->heap.items [--scan->heap.count];
    for (size_t i = 0;;) {
        size_t first = i, child = 2 * i + 1;
        if (child < scan->heap.count && s_before (scan, child, first))
            first = child;
        if (child + 1 < scan->heap.count && s_before (scan, child + 1, first))
            first = child + 1;
        if (first == i)
            return top;
        s_swap (scan, i, first);
        i = first;
    }
}

//  Add what comes before the bound to the page
static void
s_add_before (s_scan_t *scan, bool all, int64_t bound)
{
    reader_page_t *page = scan->page;
    scan->bounded = !all;
    scan->bound = bound;
    while (!scan->full && scan->heap.count > 0) {
        const reader_entry_t *top = &scan->heap.items [0];
        if (!all && !(page->ascending? top->time < bound: top->time > bound))
            return;
        reader_entry_t row = s_pop (scan);
        if (row.key == scan->last.key && row.time == scan->last.time)
            continue;
        scan->last = row;
        scan->full = reader_page_add (page, row.time, row.key, row.as_of);
    }
}

//  -- the rows of a zone -----------------------------------------------------------------

//  ?1 to ?2 are the positions. ?3 is 1 if changed tasks (whose row has moved on) are to be met too.
//  ?4 is the code that the row's statement compares with.
#define JOIN " e JOIN states_plain s ON s.task = e.position - e.task_back" \
    " WHERE e.position BETWEEN ?1 AND ?2 AND "
#define UPDATED(table) "SELECT " READER_SUMMARY_COLUMNS ", e.position FROM " table JOIN \
    "(?3 OR s.position = e.position)"
static const struct {
    const char *sql;
    int code;
} s_by_time [] = {
    //  Created: tasks first met here, and those whose task.created came late
    { "SELECT " READER_SUMMARY_COLUMNS ", 0 FROM states_plain s"
        " WHERE s.task BETWEEN ?1 AND ?2 AND ?3 IS NOT NULL"
        " UNION ALL SELECT " READER_SUMMARY_COLUMNS ", 0 FROM task_history" JOIN
        "e.kind = ?4 AND e.state_from IS NOT NULL", STELE_HISTORY_CREATED },
    //  Updated
    { UPDATED ("task_history") " UNION ALL " UPDATED ("task_outputs")
        " UNION ALL " UPDATED ("task_metrics"), 0 },
    //  Completed: also tasks that ended here, were retried, and ended again elsewhere
    { "SELECT " READER_SUMMARY_COLUMNS ", 0 FROM task_history" JOIN
        "e.state_to >= ?4 AND (?3 OR s.completed_at IS NOT NULL)", STELE_TASK_PASSED },
    //  Heard: as updated
    { UPDATED ("task_history") " UNION ALL " UPDATED ("task_outputs")
        " UNION ALL " UPDATED ("task_metrics"), 0 }
};

static void
s_add_row (s_scan_t *scan, sqlite3_stmt *statement)
{
    reader_page_t *page = scan->page;
    reader_summary_t summary;
    reader_summary_fill (&summary, statement, 0);
    if (page->is_as_of && !reader_as_of_unchanged (page, &summary)) {
        if (page->lazy && summary.key <= page->position && !reader_keys_has (&page->unordered, summary.key))
            reader_keys_add (page->reader, &scan->changed, summary.key);
        return;
    }
    int64_t time = reader_summary_time (&summary, page->query->order);
    int64_t position = sqlite3_column_int64 (statement, READER_SUMMARY_COUNT);
    bool here = !position || position == summary.position;
    reader_entry_t row = { time, summary.key, false };
    if (here && time && time >= scan->from && time <= scan->to && reader_filter_passes (&page->filter, &summary))
        s_push (scan, &row);
}

//  Returns the units of work it took
static int64_t
s_read_zone (s_scan_t *scan, const reader_zone_t *zone)
{
    reader_page_t *page = scan->page;
    stele_reader_t *self = page->reader;
    int order = (int) page->query->order / 2;       // Without the direction
    int64_t units = ZONE_UNITS;
    int64_t last = zone->zone * STELE_ZONE + STELE_ZONE - 1;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_ZONE_ROWS + order, s_by_time [order].sql,
        zone->zone * STELE_ZONE);
    if (statement) {
        sqlite3_bind_int64 (statement, 2, last < page->position? last: page->position);
        sqlite3_bind_int (statement, 3, page->lazy);
        if (s_by_time [order].code)
            sqlite3_bind_int (statement, 4, s_by_time [order].code);
    }
    for (; reader_step (self, statement) == 1; units += ROW_UNITS)
        s_add_row (scan, statement);
    reader_keys_sort (&scan->changed);
    for (size_t i = 0; i < scan->changed.count && self->status == 0; i++, units += EVALUATE_UNITS) {
        reader_entry_t row;
        if (reader_as_of_evaluate (page, scan->changed.keys [i], &row) == 1)
            s_push (scan, &row);
    }
    scan->changed.count = 0;
    return units;
}

//  -- the zones to read, in order --------------------------------------------------------

static int
s_compare (const void *one, const void *other, void *arg)
{
    const s_zone_t *a = one, *b = other;
    const reader_page_t *page = arg;
    if (a->bound == b->bound)
        return (a->zone < b->zone) - (a->zone > b->zone);
    return (a->bound < b->bound) == page->ascending? -1: 1;
}

static void
s_choose_zones (s_scan_t *scan)
{
    reader_page_t *page = scan->page;
    const reader_zone_t *zones;
    size_t count = reader_zones (page->reader, &zones);
    bool by_created = page->query->order <= STELE_ORDER_CREATED_ASC;
    scan->zones = malloc ((count + 1) * sizeof *scan->zones);
    if (!scan->zones) {
        reader_fail (page->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < count && zones [i].zone * STELE_ZONE <= page->position; i++) {
        int64_t min = by_created? zones [i].min_created: zones [i].min_time;
        int64_t max = by_created? zones [i].max_created: zones [i].max_time;
        if (page->query->order >= STELE_ORDER_HEARD_DESC) {
            min = zones [i].zone * STELE_ZONE;
            max = min + STELE_ZONE - 1;
        }
        if (max < scan->from || min > scan->to)
            continue;
        int64_t bound = page->ascending? (min < scan->from? scan->from: min):
            (max > scan->to? scan->to: max);
        scan->zones [scan->count++] = (s_zone_t) { bound, &zones [i] };
    }
    qsort_r (scan->zones, scan->count, sizeof *scan->zones, s_compare, page);
}

int
reader_page_by_zone (reader_page_t *page)
{
    s_scan_t scan = { .page = page };
    reader_page_bounds (page, &scan.from, &scan.to);
    s_choose_zones (&scan);
    size_t i = 0;
    for (; i < scan.count && page->reader->status == 0; i++) {
        s_add_before (&scan, false, scan.zones [i].bound);
        if (scan.full)
            break;
        int64_t units = s_read_zone (&scan, scan.zones [i].zone);
        if (reader_overdue (page->reader))
            break;
        //  A cut needs a place to continue from: everything before the bound of the next zone is
        //  known. It must differ from this zone's own bound, else the next page would start here again.
        bool last = i + 1 == scan.count;
        if (!last && scan.zones [i + 1].bound == scan.zones [i].bound)
            page->units -= units;
        else
        if (!last && !reader_page_spend (page, units, scan.zones [i + 1].bound,
                page->ascending? INT64_MIN: INT64_MAX))
            break;
    }
    s_add_before (&scan, !page->cut, page->cut_time);
    free (scan.zones);
    reader_entries_free (&scan.heap);
    reader_keys_free (&scan.changed);
    return page->reader->status;
}
