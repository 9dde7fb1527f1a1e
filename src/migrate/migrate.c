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
stele_migrate_new (const stele_migrate_options_t *options)
{
    convert_zone_t *zone = convert_zone_new (options->zone);
    if (!zone)
        return NULL;
    stele_migrate_t *self = STELE_NEW (stele_migrate_t);
    self->options = *options;
    self->zone = zone;
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
    convert_zone_destroy (&self->zone);
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
    for (size_t i = 0; i < self->task_count; i++) {
        size_t size;
        char *id = convert_decode (self->tasks [i], &size);
        bool more = fn (id, size, arg);
        free (id);
        if (!more)
            return;
    }
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

bool
stele_migrate_read_time (const stele_migrate_t *self, const json_t *value, int64_t *time_us)
{
    convert_time_t time;
    if (!convert_read_time (self->zone, value, &time))
        return false;
    *time_us = time.us;
    return true;
}

bool
stele_migrate_same_time (int64_t one_us, int64_t other_us)
{
    return convert_same_time (one_us, other_us);
}
