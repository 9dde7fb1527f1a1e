/*  zone_map - bounds of the times in each zone of the log (the writer's side)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "sqlite/sql/sql.h"
#include "sqlite/write/zone_map.h"

struct stele_zone_map {
    sqlite3_stmt *find;
    sqlite3_stmt *save;
    sqlite3_stmt *unordered;
    int64_t zone;                   // -1: none is loaded
    bool empty;                     // No event about a task in it yet
    bool dirty;
    int64_t min_time, max_time;
    int64_t min_created, max_created;
    int64_t min_task;
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

int
stele_zone_map_flush (stele_zone_map_t *self)
{
    if (!self->dirty)
        return 0;
    sqlite3_bind_int64 (self->save, 1, self->zone);
    sqlite3_bind_int64 (self->save, 2, self->min_time);
    sqlite3_bind_int64 (self->save, 3, self->max_time);
    sqlite3_bind_int64 (self->save, 4, self->min_created);
    sqlite3_bind_int64 (self->save, 5, self->max_created);
    sqlite3_bind_int64 (self->save, 6, self->min_task);
    int code = stele_sql_run (self->save);
    if (code == 0)
        self->dirty = false;
    return code;
}

void
stele_zone_map_forget (stele_zone_map_t *self)
{
    self->zone = -1;
    self->dirty = false;
}

//  Load another zone: the next one at the end of the log, or the last one after an open.
static int
s_enter (stele_zone_map_t *self, int64_t zone)
{
    int code = stele_zone_map_flush (self);
    if (code)
        return code;
    sqlite3_bind_int64 (self->find, 1, zone);
    int rc = sqlite3_step (self->find);
    self->empty = rc != SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        self->min_time = sqlite3_column_int64 (self->find, 0);
        self->max_time = sqlite3_column_int64 (self->find, 1);
        self->min_created = sqlite3_column_int64 (self->find, 2);
        self->max_created = sqlite3_column_int64 (self->find, 3);
        self->min_task = sqlite3_column_int64 (self->find, 4);
    }
    sqlite3_reset (self->find);
    code = stele_sql_code (rc);
    self->zone = code? -1: zone;
    return code;
}

static void
s_widen (stele_zone_map_t *self, int64_t time, int64_t created, int64_t key)
{
    if (self->empty || time < self->min_time)
        self->min_time = time;
    if (self->empty || time > self->max_time)
        self->max_time = time;
    if (self->empty || created < self->min_created)
        self->min_created = created;
    if (self->empty || created > self->max_created)
        self->max_created = created;
    if (self->empty || key < self->min_task)
        self->min_task = key;
    self->empty = false;
    self->dirty = true;
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
