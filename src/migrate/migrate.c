/*  migrate - convert the records of an earlier system into events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/convert.h"

stele_migrate_t *
stele_migrate_new (stele_migrate_odd_fn *fn, void *arg)
{
    stele_migrate_t *self = STELE_NEW (stele_migrate_t);
    self->odd_fn = fn;
    self->odd_arg = arg;
    self->spellings = json_object ();
    return self;
}

void
stele_migrate_destroy (stele_migrate_t **self_p)
{
    stele_migrate_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->task_count; i++)
        free (self->tasks [i]);
    free (self->tasks);
    json_decref (self->spellings);
    stele_event_sort_destroy (&self->sort);
    free (self);
    *self_p = NULL;
}

void
migrate_add_task (stele_migrate_t *self, const char *task_id)
{
    self->tasks = stele_array_must_grow (self->tasks, &self->task_room, self->task_count + 1, sizeof *self->tasks);
    self->tasks [self->task_count++] = stele_memory_copy (task_id, strlen (task_id));
}

void
stele_migrate_tasks (const stele_migrate_t *self, stele_migrate_task_fn *fn, void *arg)
{
    for (size_t i = 0; i < self->task_count; i++)
        if (!fn (self->tasks [i], arg))
            return;
}

stele_migrate_counts_t
stele_migrate_counts (const stele_migrate_t *self)
{
    return self->counts;
}

int
stele_migrate_write (stele_migrate_t *self, FILE *file)
{
    return stele_event_sort_write (self->sort, file);
}
