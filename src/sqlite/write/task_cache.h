/*  task_cache - what tasks do, in memory for the length of a batch and a while longer

    The writer's cache of task_states: an event changes the task here, and the row is
    written once a batch however many events changed it. The counts by state, role,
    provider and model move with it. It keeps at most 65,536 tasks, some 350 bytes
    each (23 MB), and of those that have ended only the last 4,096.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TASK_CACHE_H_INCLUDED
#define STELE_TASK_CACHE_H_INCLUDED

#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

//  Ids are long and random, or short and numbered: eight bytes at a time, well mixed
static inline unsigned
stele_task_cache_hash (const char *id, size_t size)
{
    uint64_t hash = size;
    for (; size >= 8; size -= 8, id += 8) {
        uint64_t part;
        memcpy (&part, id, 8);
        hash = (hash ^ part) * UINT64_C (0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    uint64_t part = 0;
    memcpy (&part, id, size);
    hash = (hash ^ part) * UINT64_C (0x9e3779b97f4a7c15);
    return (unsigned) (hash ^ hash >> 32);
}
#undef HASH_FUNCTION
#define HASH_FUNCTION(key, size, hash) ((hash) = stele_task_cache_hash ((const char *) (key), (size)))
#define HASH_NONFATAL_OOM 1         // What was not added has no table
#include <uthash.h>
#include "model/lifecycle.h"
#include "sqlite/sql/codes.h"

typedef struct {
    int64_t state, role, provider, model;
} stele_count_key_t;

typedef struct stele_task {
    UT_hash_handle hh;
    struct stele_task *next_ended;
    bool dirty;
    bool ended;                     // In the queue of those that may be forgotten soon
    bool is_new;                    // No row in task_states yet
    int64_t key;                    // tasks.id
    stele_lifecycle_t life;
    int flags;                      // Without INTERRUPTED: that is life.interrupted
    int64_t role, provider, model;  // words
    int64_t owner;                  // producers.id
    int64_t since;                  // Seconds: the times of its events count from there
    int64_t created_at, updated_at;
    int64_t last_error_at;
    int64_t last_history, last_output, last_metric;
    int64_t position;
    stele_count_key_t counted;      // As task_states and task_counts have it; state 0: not there
    int64_t indexed_created_at;     // As the index has it
    int64_t ordered_at;             // Time of its last event (zone_map.h)
    bool unordered;                 // Known as such
    size_t id_size;
    char id [];
} stele_task_t;

typedef struct stele_task_cache stele_task_cache_t;

/*  NULL where the statements cannot be prepared.                            */
stele_task_cache_t *
    stele_task_cache_new (sqlite3 *db);
void
    stele_task_cache_destroy (stele_task_cache_t **self_p);

/*  Find a task by its id. *task is NULL where there is none. Returns 0 or a storage error. */
int
    stele_task_cache_find (stele_task_cache_t *self, const char *id, size_t size, stele_task_t **task);

/*  A task that is not in the ledger yet, with state queued and no flags. The caller
    inserts the row of tasks.                                                */
stele_task_t *
    stele_task_cache_add (stele_task_cache_t *self, const char *id, size_t size, int64_t key);

/*  Its row has to be written before the commit.                             */
void
    stele_task_cache_touch (stele_task_cache_t *self, stele_task_t *task);

/*  Write what was touched. Returns 0 or a storage error.                    */
int
    stele_task_cache_flush (stele_task_cache_t *self);

/*  After a commit: keep the memory bounded. After a rollback: forget all.   */
void
    stele_task_cache_trim (stele_task_cache_t *self);
void
    stele_task_cache_forget (stele_task_cache_t *self);

#endif
