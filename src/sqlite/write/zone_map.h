/*  zone_map - where in the log which times are (the writer's side)

    Keeps, for each run of STELE_ZONE positions, the bounds of what its events
    about tasks say, so that a question about times reads only the zones that
    can have an answer; and notes the tasks whose events go against the order.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ZONE_MAP_H_INCLUDED
#define STELE_ZONE_MAP_H_INCLUDED

#include <sqlite3.h>
#include "sqlite/write/task_cache.h"

typedef struct stele_zone_map stele_zone_map_t;

/*  NULL where the statements cannot be prepared.                            */
stele_zone_map_t *
    stele_zone_map_new (sqlite3 *db);
void
    stele_zone_map_destroy (stele_zone_map_t **self_p);

/*  An event about the task, with that time, was appended at that position; 'created' says
    that it is its task.created. Returns 0 or a storage error.               */
int
    stele_zone_map_note (stele_zone_map_t *self, stele_task_t *task, int64_t position,
        int64_t time, bool created);

/*  Write what is not written yet, before a commit. Returns 0 or a storage error. */
int
    stele_zone_map_flush (stele_zone_map_t *self);

/*  After a rollback: what was noted is read again.                          */
void
    stele_zone_map_forget (stele_zone_map_t *self);

#endif
