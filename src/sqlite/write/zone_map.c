/*  zone_map - bounds of the times in each zone of the log (the writer's side)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "sqlite/sql/sql.h"
#include "sqlite/write/zone_map.h"

//  The bounds in the table may be wider than the true ones: a query then reads a zone in vain. So the upper
//  bounds, which move with almost every event, are written ahead of the time, and not with every commit.
#define AHEAD_US 60000000

typedef struct {
    int64_t min_time, max_time;
    int64_t min_created, max_created;
    int64_t min_task;
} s_bounds_t;

struct stele_zone_map {
    sqlite3_stmt *find;
    sqlite3_stmt *save;
    sqlite3_stmt *unordered;
    int64_t zone;                   // -1: none is loaded
    bool empty;                     // No event about a task in it yet
    bool is_saved;
    s_bounds_t bounds;              // True, or as they were found at an open
    s_bounds_t saved;               // In the table, if is_saved
};

stele_zone_map_t *
stele_zone_map_new (sqlite3 *db)
{
    stele_zone_map_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->zone = -1;
    self->find = stele_sql_prepare (db, "SELECT min_time, max_time, min_created, max_created, min_task"
        " FROM zones WHERE zone = ?1");
    self->save = stele_sql_prepare (db, "INSERT OR REPLACE INTO zones"
        " (zone, min_time, max_time, min_created, max_created, min_task) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    self->unordered = stele_sql_prepare (db, "INSERT OR IGNORE INTO unordered_tasks (task) VALUES (?1)");
    if (!self->find || !self->save || !self->unordered)
        stele_zone_map_destroy (&self);
    return self;
}

void
stele_zone_map_destroy (stele_zone_map_t **self_p)
{
    assert (self_p);
    stele_zone_map_t *self = *self_p;
    if (!self)
        return;
    sqlite3_finalize (self->find);
    sqlite3_finalize (self->save);
    sqlite3_finalize (self->unordered);
    free (self);
    *self_p = NULL;
}

static int
s_save (stele_zone_map_t *self, const s_bounds_t *bounds)
{
    sqlite3_bind_int64 (self->save, 1, self->zone);
    sqlite3_bind_int64 (self->save, 2, bounds->min_time);
    sqlite3_bind_int64 (self->save, 3, bounds->max_time);
    sqlite3_bind_int64 (self->save, 4, bounds->min_created);
    sqlite3_bind_int64 (self->save, 5, bounds->max_created);
    sqlite3_bind_int64 (self->save, 6, bounds->min_task);
    int code = stele_sql_run (self->save);
    self->saved = *bounds;
    self->is_saved = code == 0;
    return code;
}

static bool
s_within (const s_bounds_t *inner, const s_bounds_t *outer)
{
    return inner->min_time >= outer->min_time && inner->max_time <= outer->max_time
        && inner->min_created >= outer->min_created && inner->max_created <= outer->max_created
        && inner->min_task >= outer->min_task;
}

static int64_t
s_ahead (int64_t time)
{
    return time > INT64_MAX - AHEAD_US? INT64_MAX: time + AHEAD_US;
}

int
stele_zone_map_flush (stele_zone_map_t *self)
{
    if (self->zone < 0 || self->empty || (self->is_saved && s_within (&self->bounds, &self->saved)))
        return 0;
    s_bounds_t wide = self->bounds;
    wide.max_time = s_ahead (wide.max_time);
    wide.max_created = s_ahead (wide.max_created);
    return s_save (self, &wide);
}

void
stele_zone_map_forget (stele_zone_map_t *self)
{
    self->zone = -1;
}

//  Load another zone: the next one at the end of the log, or the last one after an open. The one
//  before gets its true bounds.
static int
s_enter (stele_zone_map_t *self, int64_t zone)
{
    int code = self->zone < 0 || self->empty? 0: s_save (self, &self->bounds);
    if (code)
        return code;
    sqlite3_bind_int64 (self->find, 1, zone);
    int rc = sqlite3_step (self->find);
    self->is_saved = rc == SQLITE_ROW;
    self->empty = !self->is_saved;
    if (self->is_saved)
        self->bounds = self->saved = (s_bounds_t) {
            .min_time = sqlite3_column_int64 (self->find, 0),
            .max_time = sqlite3_column_int64 (self->find, 1),
            .min_created = sqlite3_column_int64 (self->find, 2),
            .max_created = sqlite3_column_int64 (self->find, 3),
            .min_task = sqlite3_column_int64 (self->find, 4)
        };
    sqlite3_reset (self->find);
    code = stele_sql_code (rc);
    self->zone = code? -1: zone;
    return code;
}

static void
s_widen (stele_zone_map_t *self, int64_t time, int64_t created, int64_t key)
{
    s_bounds_t *bounds = &self->bounds;
    if (self->empty)
        *bounds = (s_bounds_t) { time, time, created, created, key };
    self->empty = false;
    if (time < bounds->min_time)
        bounds->min_time = time;
    if (time > bounds->max_time)
        bounds->max_time = time;
    if (created < bounds->min_created)
        bounds->min_created = created;
    if (created > bounds->max_created)
        bounds->max_created = created;
    if (key < bounds->min_task)
        bounds->min_task = key;
}

int
stele_zone_map_note (stele_zone_map_t *self, stele_task_t *task, int64_t position,
    int64_t time, bool created)
{
    int code = 0;
    if (position / STELE_ZONE != self->zone)
        code = s_enter (self, position / STELE_ZONE);
    if (code)
        return code;
    s_widen (self, time, task->created_at, task->key);
    bool first = position == task->key;
    if (!first && !task->unordered && (created || time < task->ordered_at)) {
        sqlite3_bind_int64 (self->unordered, 1, task->key);
        code = stele_sql_run (self->unordered);
        task->unordered = code == 0;
    }
    task->ordered_at = time;
    return code;
}
