/*  migrate - convert the records of an earlier system into events

    Reads a whole source, writes nothing to it, and creates the events that lead to the
    same records. Values without a place in an event are kept under the key "migrated":
    in the metadata of a task, in other events as an unknown key. Every guess is
    reported, record by record.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MIGRATE_H_INCLUDED
#define STELE_MIGRATE_H_INCLUDED

#include <stdio.h>
#include <stdint.h>

typedef struct stele_migrate stele_migrate_t;

/*  Reports something unusual about a record, and how it was resolved.       */
typedef void (stele_migrate_odd_fn) (const char *table, const char *id, const char *what, void *arg);

/*  Caller owns return value.                                                */
stele_migrate_t *
    stele_migrate_new (stele_migrate_odd_fn *fn, void *arg);
void
    stele_migrate_destroy (stele_migrate_t **self_p);

/*  Read a source. Returns 0, or a code with the reason in 'error': then discard the object. */
int
    stele_migrate_from_sqlite (stele_migrate_t *self, const char *path,
        char *error, size_t error_size);
int
    stele_migrate_from_redis (stele_migrate_t *self, const char *url, const char *pattern,
        int timeout_ms, char *error, size_t error_size);

/*  Write the events in the order of their times, one JSON object per line. The same source
    gives the same bytes. Returns 0, or -1 with errno.                       */
int
    stele_migrate_write (stele_migrate_t *self, FILE *file);

typedef struct {
    int64_t tasks, history, outputs, metrics, sessions, commands, preferences;  // Rows read
    int64_t events;                 // Created
    int64_t odd;                    // Reports
    int64_t failed;                 // Records with events that a broker would refuse: publish nothing
} stele_migrate_counts_t;

stele_migrate_counts_t
    stele_migrate_counts (const stele_migrate_t *self);

/*  Call fn for the ids of the tasks, in the order they were read, until it returns false. */
typedef _Bool (stele_migrate_task_fn) (const char *task_id, void *arg);
void
    stele_migrate_tasks (const stele_migrate_t *self, stele_migrate_task_fn *fn, void *arg);

#endif
