/*  migrate - what an earlier system kept, as events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/convert.h"

stele_migrate_t *
stele_migrate_new (stele_migrate_odd_fn *fn, void *arg)
{
    stele_migrate_t *self = calloc (1, sizeof *self);
    assert (self);
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
    stele_event_sort_destroy (&self->spool);
    free (self);
    *self_p = NULL;
}

void
migrate_task_known (stele_migrate_t *self, const char *task_id)
{
    if (self->task_count == self->task_room) {
        self->task_room = self->task_room? self->task_room * 2: 1024;
        self->tasks = realloc (self->tasks, self->task_room * sizeof *self->tasks);
        assert (self->tasks);
    }
    self->tasks [self->task_count] = strdup (task_id);
    assert (self->tasks [self->task_count]);
    self->task_count++;
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
    return stele_event_sort_write (self->spool, file);
}
