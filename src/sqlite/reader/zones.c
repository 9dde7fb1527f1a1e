/*  zones - the zones of the log, cached

    Only the last zone changes: the others are read once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "sqlite/reader/reader_internal.h"

size_t
reader_zones (stele_reader_t *self, const reader_zone_t **zones)
{
    int64_t from = 0;
    if (self->zone_count > 0)
        from = self->zones [--self->zone_count].zone;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_ZONES,
        "SELECT zone, min_time, max_time, min_created, max_created, min_task FROM zones"
        " WHERE zone >= ?1 ORDER BY zone", from);
    while (reader_step (self, statement) == 1) {
        reader_zone_t *grown = stele_array_grow (self->zones, &self->zone_room, self->zone_count + 1, sizeof *grown);
        if (!grown) {
            reader_fail (self, STELE_ENO_MEMORY, "out of memory");
            break;
        }
        self->zones = grown;
        self->zones [self->zone_count++] = (reader_zone_t) {
            .zone = sqlite3_column_int64 (statement, 0),
            .min_time = sqlite3_column_int64 (statement, 1),
            .max_time = sqlite3_column_int64 (statement, 2),
            .min_created = sqlite3_column_int64 (statement, 3),
            .max_created = sqlite3_column_int64 (statement, 4),
            .min_task = sqlite3_column_int64 (statement, 5)
        };
    }
    *zones = self->zones;
    return self->zone_count;
}

bool
reader_zone_keys (stele_reader_t *self, int64_t from, int64_t to, int64_t events, reader_keys_t *keys)
{
    const reader_zone_t *zones;
    size_t count = reader_zones (self, &zones), matching = 0;
    for (size_t i = 0; i < count; i++)
        matching += zones [i].min_time <= to && zones [i].max_time >= from;
    if ((int64_t) matching * STELE_ZONE > events)
        return false;
#define TASKS_OF(table) "SELECT position - task_back FROM " table " WHERE position BETWEEN ?1 AND ?2"
    for (size_t i = 0; i < count && self->status == 0; i++) {
        if (zones [i].min_time > to || zones [i].max_time < from)
            continue;
        int64_t first = zones [i].zone * STELE_ZONE;
        sqlite3_stmt *statement = reader_with_key (self, SLOT_ZONE_KEYS,
            TASKS_OF ("task_history") " UNION ALL " TASKS_OF ("task_outputs")
            " UNION ALL " TASKS_OF ("task_metrics"), first);
        if (statement)
            sqlite3_bind_int64 (statement, 2, first + STELE_ZONE - 1);
        reader_keys_collect (self, statement, keys);
    }
    reader_keys_sort (keys);
    return true;
}

int
stele_reader_first_time (stele_reader_t *self, int64_t *time_us)
{
    //  The first event may be of another user
    if (self->scope.count) {
        *time_us = INT64_MIN;
        return 1;
    }
    int rc = reader_enter (self);
    if (rc)
        return rc;
    const reader_zone_t *zones;
    size_t count = reader_zones (self, &zones);
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (zones [i].min_time < first)
            first = zones [i].min_time;
    rc = (int) reader_leave (self, count > 0);
    if (rc == 1)
        *time_us = first;
    return rc;
}
