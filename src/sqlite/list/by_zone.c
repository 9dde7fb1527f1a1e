/*  by_zone - tasks in any order, by the zones of the log

    The log is the index: a task's last change is its last event, its end the
    event that ended it. So the latest changed are met from the end of the log
    backwards, zone by zone, each zone by the bounds of its times: a zone is
    read when nothing that is left can come before what it may hold, and a row
    is handed out when no zone that is left may come before it. In a log that is
    mostly in order that is a zone or two a page; in any other it is still right.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // qsort_r
#include <assert.h>
#include <stdlib.h>
#include "sqlite/list/list.h"

typedef struct {
    int64_t bound;                  // No row of it comes before this time
    const reader_zone_t *zone;
} s_zone_t;

typedef struct {
    reader_list_t *list;
    int64_t from, to;               // Of the list, in its order
    s_zone_t *zones;                // Best bound first
    size_t count;
    reader_founds_t heap;           // Found, not handed out yet: the first in order at the top
    reader_keys_t touched;          // Met in this zone, to be evaluated
    reader_found_t last;            // Handed out last: a task may be met twice
    bool bounded;                   // All before this bound has been handed out
    int64_t bound;
    bool full;
} s_walk_t;

//  -- a heap of what was found ----------------------------------------------------------

static bool
s_before (const s_walk_t *walk, size_t one, size_t other)
{
    const reader_found_t *a = &walk->heap.rows [one], *b = &walk->heap.rows [other];
    return reader_list_before (walk->list, a->time, a->key, b->time, b->key);
}

static void
s_swap (s_walk_t *walk, size_t one, size_t other)
{
    reader_found_t row = walk->heap.rows [one];
    walk->heap.rows [one] = walk->heap.rows [other];
    walk->heap.rows [other] = row;
}

static void
s_push (s_walk_t *walk, const reader_found_t *row)
{
    //  What comes before the bound has been handed out: this was met before
    if (row->time < walk->from || row->time > walk->to
    ||  (walk->bounded && (walk->list->ascending? row->time < walk->bound: row->time > walk->bound))
    ||  reader_list_passed (walk->list, row->time, row->key))
        return;
    if (reader_founds_add (walk->list->reader, &walk->heap, row))
        return;
    for (size_t i = walk->heap.count - 1; i > 0 && s_before (walk, i, (i - 1) / 2); i = (i - 1) / 2)
        s_swap (walk, i, (i - 1) / 2);
}

static reader_found_t
s_pop (s_walk_t *walk)
{
    reader_found_t top = walk->heap.rows [0];
    walk->heap.rows [0] = walk->heap.rows [--walk->heap.count];
    for (size_t i = 0;;) {
        size_t first = i, child = 2 * i + 1;
        if (child < walk->heap.count && s_before (walk, child, first))
            first = child;
        if (child + 1 < walk->heap.count && s_before (walk, child + 1, first))
            first = child + 1;
        if (first == i)
            return top;
        s_swap (walk, i, first);
        i = first;
    }
}

//  Hand out what comes before the bound
static void
s_hand_out (s_walk_t *walk, bool all, int64_t bound)
{
    reader_list_t *list = walk->list;
    walk->bounded = !all;
    walk->bound = bound;
    while (!walk->full && walk->heap.count > 0) {
        const reader_found_t *top = &walk->heap.rows [0];
        if (!all && !(list->ascending? top->time < bound: top->time > bound))
            return;
        reader_found_t row = s_pop (walk);
        if (row.key == walk->last.key && row.time == walk->last.time)
            continue;
        walk->last = row;
        walk->full = reader_list_take (list, row.time, row.key, row.past);
    }
}

//  -- the rows of a zone -----------------------------------------------------------------

//  ?1 to ?2 are the positions; a touched task (its row moved on) comes with ?3 1
#define JOIN " e JOIN states_plain s ON s.task = e.position - e.task_back" \
    " WHERE e.position BETWEEN ?1 AND ?2 AND "
#define UPDATED(table) "SELECT " READER_BRIEF_COLUMNS ", e.position FROM " table JOIN \
    "(?3 OR s.position = e.position)"
static const char *const s_row_sql [] = {
    //  Created: those that are first met here, and those whose task.created came late
    "SELECT " READER_BRIEF_COLUMNS ", 0 FROM states_plain s"
        " WHERE s.task BETWEEN ?1 AND ?2 AND ?3 IS NOT NULL"
        " UNION ALL SELECT " READER_BRIEF_COLUMNS ", 0 FROM task_history" JOIN
        "e.kind = 1 AND e.state_from IS NOT NULL",
    UPDATED ("task_history") " UNION ALL " UPDATED ("task_outputs")
        " UNION ALL " UPDATED ("task_metrics"),
    //  Completed: also what ended here, was tried again, and ended again elsewhere
    "SELECT " READER_BRIEF_COLUMNS ", 0 FROM task_history" JOIN
        "e.state_to >= 6 AND (?3 OR s.completed_at IS NOT NULL)"
};

static void
s_add_row (s_walk_t *walk, sqlite3_stmt *statement)
{
    reader_list_t *list = walk->list;
    reader_brief_t brief;
    reader_brief_fill (&brief, statement, 0);
    if (list->is_past && !reader_list_as_of_untouched (list, &brief)) {
        if (list->lazy && brief.key <= list->position && !reader_keys_has (&list->unordered, brief.key))
            reader_keys_add (list->reader, &walk->touched, brief.key);
        return;
    }
    int64_t time = reader_brief_time (&brief, list->ask->order);
    int64_t position = sqlite3_column_int64 (statement, READER_BRIEF_COUNT);
    bool here = !position || position == brief.position;
    reader_found_t row = { time, brief.key, false };
    if (here && time && time >= walk->from && time <= walk->to && reader_filter_passes (&list->filter, &brief))
        s_push (walk, &row);
}

//  Returns the units that it took
static int64_t
s_read_zone (s_walk_t *walk, const reader_zone_t *zone)
{
    reader_list_t *list = walk->list;
    stele_reader_t *self = list->reader;
    int kind = (int) list->ask->order / 2;
    int64_t units = 500;
    int64_t last = zone->zone * STELE_ZONE + STELE_ZONE - 1;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_WALK + kind, s_row_sql [kind],
        zone->zone * STELE_ZONE);
    if (statement) {
        sqlite3_bind_int64 (statement, 2, last < list->position? last: list->position);
        sqlite3_bind_int (statement, 3, list->lazy);
    }
    for (; reader_step (self, statement) == 1; units += 2)
        s_add_row (walk, statement);
    reader_keys_sort (&walk->touched);
    for (size_t i = 0; i < walk->touched.count && self->status == 0; i++, units += 40) {
        reader_found_t row;
        if (reader_list_as_of_evaluate (list, walk->touched.keys [i], &row) == 1)
            s_push (walk, &row);
    }
    walk->touched.count = 0;
    return units;
}

//  -- which zones, in which order --------------------------------------------------------

static int
s_compare (const void *one, const void *other, void *arg)
{
    const s_zone_t *a = one, *b = other;
    const reader_list_t *list = arg;
    if (a->bound == b->bound)
        return (a->zone < b->zone) - (a->zone > b->zone);
    return (a->bound < b->bound) == list->ascending? -1: 1;
}

static void
s_choose_zones (s_walk_t *walk)
{
    reader_list_t *list = walk->list;
    const reader_zone_t *zones;
    size_t count = reader_zones (list->reader, &zones);
    bool created = list->ask->order <= STELE_ORDER_CREATED_ASC;
    walk->zones = malloc ((count + 1) * sizeof *walk->zones);
    if (!walk->zones) {
        reader_fail (list->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < count && zones [i].zone * STELE_ZONE <= list->position; i++) {
        int64_t min = created? zones [i].min_created: zones [i].min_time;
        int64_t max = created? zones [i].max_created: zones [i].max_time;
        if (max < walk->from || min > walk->to)
            continue;
        int64_t bound = list->ascending? (min < walk->from? walk->from: min):
            (max > walk->to? walk->to: max);
        walk->zones [walk->count++] = (s_zone_t) { bound, &zones [i] };
    }
    qsort_r (walk->zones, walk->count, sizeof *walk->zones, s_compare, list);
}

int
reader_list_by_zone (reader_list_t *list)
{
    s_walk_t walk = { .list = list };
    reader_list_bounds (list, &walk.from, &walk.to);
    s_choose_zones (&walk);
    size_t i = 0;
    for (; i < walk.count && list->reader->status == 0; i++) {
        s_hand_out (&walk, false, walk.zones [i].bound);
        if (walk.full)
            break;
        int64_t units = s_read_zone (&walk, walk.zones [i].zone);
        if (reader_overdue (list->reader))
            break;
        //  A place to go on from: what comes before the bound of the next zone is known. It has
        //  to be another than the one this zone began at, else nothing would be gained.
        bool last = i + 1 == walk.count;
        if (!last && walk.zones [i + 1].bound == walk.zones [i].bound)
            list->units -= units;
        else
        if (!last && !reader_list_spend (list, units, walk.zones [i + 1].bound,
                list->ascending? INT64_MIN: INT64_MAX))
            break;
    }
    s_hand_out (&walk, !list->cut, list->cut_time);
    free (walk.zones);
    reader_founds_free (&walk.heap);
    reader_keys_free (&walk.touched);
    return list->reader->status;
}
