/*  zone_map - bounds of the times in each zone of the log (the writer's side)

    Stores, per zone of STELE_ZONE positions, the bounds of the times in its events
    about tasks, so that a query by time reads only zones that can match; and the
    tasks whose events are not in the order of time. The upper bounds of the last zone
    are written a minute ahead of its events: with one event per commit, writing them
    each time was a seventh of the log. Wider bounds only cost a query a zone.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ZONE_MAP_H_INCLUDED
#define STELE_ZONE_MAP_H_INCLUDED

#include <sqlite3.h>
#include "sqlite/write/task_cache.h"

typedef struct stele_zone_map stele_zone_map_t;

/*  NULL: the statements could not be prepared.                              */
stele_zone_map_t *
    stele_zone_map_new (sqlite3 *db);
void
    stele_zone_map_destroy (stele_zone_map_t **self_p);

/*  Note an event about the task: its position and time; 'created': it is the task's
    task.created. Returns 0 or a storage error.                              */
int
    stele_zone_map_note (stele_zone_map_t *self, stele_task_t *task, int64_t position,
        int64_t time, bool created);

/*  Write the bounds if those in the table do not hold, before a commit. Returns 0 or a storage error. */
int
    stele_zone_map_flush (stele_zone_map_t *self);

/*  After a rollback: forget what was noted.                                 */
void
    stele_zone_map_forget (stele_zone_map_t *self);

#endif
