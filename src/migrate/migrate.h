/*  migrate - convert the records of an earlier system into events

    Reads a whole source, writes nothing to it, and creates the events that lead to the
    same records. Values without a place in an event are kept under the key "migrated":
    in the metadata of a task, in other events as an unknown key. What is too large for its
    field is cut, and the rest becomes an output. Every guess is reported, record by record.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MIGRATE_H_INCLUDED
#define STELE_MIGRATE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

typedef struct stele_migrate stele_migrate_t;

/*  Reports something unusual about a record, and how it was resolved. An id may hold NUL. */
typedef void (stele_migrate_odd_fn) (const char *table, const char *id, size_t id_size, const char *what, void *arg);

/*  Receives a record as it is in the source, after those that it belongs to: a task or session, then
    its rows. 'id' is that of its task, session or user in the ledger.       */
typedef void (stele_migrate_record_fn) (const char *table, const json_t *id, const json_t *columns, void *arg);

typedef struct {
    stele_migrate_odd_fn *odd_fn;
    stele_migrate_record_fn *record_fn;     // NULL: none
    void *arg;                              // Of both
    const char *zone;                       // Of times without a zone; NULL: UTC, with a report if they may be local
    bool interrupt;                         // Mark unfinished tasks as failed
    bool skip;                              // Leave out records that cannot be published
} stele_migrate_options_t;

/*  NULL: no such zone. Caller owns return value.                            */
stele_migrate_t *
    stele_migrate_new (const stele_migrate_options_t *options);
void
    stele_migrate_destroy (stele_migrate_t **self_p);

/*  Read a source; 'patterns' of keys end with NULL. Returns 0, or a code with the reason in 'error': then discard the object. */
int
    stele_migrate_from_sqlite (stele_migrate_t *self, const char *path,
        char *error, size_t error_size);
int
    stele_migrate_from_redis (stele_migrate_t *self, const char *url, const char *const *patterns,
        int timeout_ms, char *error, size_t error_size);

/*  Write the events in the order of their times, one JSON object per line. The same source
    gives the same bytes. Returns 0, or -1 with errno.                       */
int
    stele_migrate_write (stele_migrate_t *self, FILE *file);

typedef struct {
    int64_t tasks, history, outputs, metrics, sessions, commands, preferences;  // Rows read
    int64_t events;                 // Created
    int64_t odd;                    // Reports
    int64_t failed;                 // Records with events that a broker would refuse
    int64_t unfinished;             // Tasks that are running, starting or completing
    int64_t interrupted;            // Those of them that become failed
} stele_migrate_counts_t;

stele_migrate_counts_t
    stele_migrate_counts (const stele_migrate_t *self);

/*  Is it the time of a column, as read in the zone of the source? Returns its time in *time_us. */
bool
    stele_migrate_read_time (const stele_migrate_t *self, const json_t *value, int64_t *time_us);

/*  May these be the same time, if one of them was written with whole seconds only? */
bool
    stele_migrate_same_time (int64_t one_us, int64_t other_us);

/*  Call fn for the ids of the tasks, in the order they were read, until it returns false. */
typedef bool (stele_migrate_task_fn) (const char *task_id, size_t size, void *arg);
void
    stele_migrate_tasks (const stele_migrate_t *self, stele_migrate_task_fn *fn, void *arg);

#endif
