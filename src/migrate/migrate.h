/*  migrate - what an earlier system kept, as events

    Reads all of a source, writes nothing to it, and makes the events that lead to the
    same records. What has no place in an event is kept beside it: in metadata of a
    task under the key "migrated", in other events under an unknown key of that name.
    Whatever had to be guessed is told, record by record.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MIGRATE_H_INCLUDED
#define STELE_MIGRATE_H_INCLUDED

#include <stdio.h>
#include <stdint.h>

typedef struct stele_migrate stele_migrate_t;

/*  Something that was odd about a record, and what was made of it.          */
typedef void (stele_migrate_odd_fn) (const char *table, const char *id, const char *what, void *arg);

/*  Caller owns return value.                                                */
stele_migrate_t *
    stele_migrate_new (stele_migrate_odd_fn *fn, void *arg);
void
    stele_migrate_destroy (stele_migrate_t **self_p);

/*  Read a source. 0, or a code with why in 'error': then there is nothing of use. */
int
    stele_migrate_from_sqlite (stele_migrate_t *self, const char *path,
        char *error, size_t error_size);
int
    stele_migrate_from_redis (stele_migrate_t *self, const char *url, const char *pattern,
        int timeout_ms, char *error, size_t error_size);

/*  Write the events, one JSON object a line, in the order of their times. The same source
    gives the same bytes. 0, or -1 with errno.                               */
int
    stele_migrate_write (stele_migrate_t *self, FILE *file);

typedef struct {
    int64_t tasks, history, outputs, metrics, sessions, commands, preferences;  // Rows read
    int64_t events;                 // Made of them
    int64_t odd;                    // Times the function was called
    int64_t failed;                 // Records with events that no broker would take: publish nothing
} stele_migrate_counts_t;

stele_migrate_counts_t
    stele_migrate_counts (const stele_migrate_t *self);

/*  Ids of the tasks, in the order they were read. A function that returns false ends it. */
typedef _Bool (stele_migrate_task_fn) (const char *task_id, void *arg);
void
    stele_migrate_tasks (const stele_migrate_t *self, stele_migrate_task_fn *fn, void *arg);

#endif
