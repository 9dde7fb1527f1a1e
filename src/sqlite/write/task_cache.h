/*  task_cache - the states of tasks, in memory during a batch and for some time after

    The writer's cache of task_states: an event changes the task here, and its row is
    written once per batch, however many events changed it. So are the counts by state,
    role, provider and model. It holds at most 65,536 tasks of about 350 bytes
    each (23 MB), and only the last 4,096 of those that have ended.

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
#define HASH_NONFATAL_OOM 1         // An entry without memory is not added, and has no table
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
    bool ended;                     // In the queue of tasks that are forgotten first
    bool is_new;                    // No row in task_states yet
    int64_t key;                    // tasks.id
    stele_lifecycle_t life;
    int flags;                      // Without INTERRUPTED: that is life.interrupted
    int64_t role, provider, model;  // words
    int64_t owner;                  // producers.id
    int64_t since;                  // Seconds: its events store their times relative to this
    int64_t created_at, updated_at;
    int64_t last_error_at;
    int64_t last_history, last_output, last_metric;
    int64_t position;
    stele_count_key_t counted;      // As stored in task_states and task_counts; state 0: not stored
    int64_t indexed_created_at;     // As stored in the index
    int64_t ordered_at;             // Time of its last event (zone_map.h)
    bool unordered;                 // Stored as such
    size_t id_size;
    char id [];
} stele_task_t;

typedef struct stele_task_cache stele_task_cache_t;

/*  NULL: the statements could not be prepared.                              */
stele_task_cache_t *
    stele_task_cache_new (sqlite3 *db);
void
    stele_task_cache_destroy (stele_task_cache_t **self_p);

/*  Find a task by its id; *task is NULL if there is none. Returns 0 or a storage error. */
int
    stele_task_cache_find (stele_task_cache_t *self, const char *id, size_t size, stele_task_t **task);

/*  Add a task that is not in the ledger yet, in state queued, without flags. The caller
    inserts the row of tasks. NULL: out of memory.                           */
stele_task_t *
    stele_task_cache_add (stele_task_cache_t *self, const char *id, size_t size, int64_t key);

/*  Mark its row to be written before the commit.                            */
void
    stele_task_cache_touch (stele_task_cache_t *self, stele_task_t *task);

/*  Write the rows of all touched tasks, but not the counts. Returns 0 or a storage error. */
int
    stele_task_cache_flush (stele_task_cache_t *self);

/*  Before a commit: write what the batch changes in the counts; if that is one task more in a row and
    one less in another, or either, only give the ids of these rows (0: none). NULL: write it in any case. */
int
    stele_task_cache_count (stele_task_cache_t *self, int64_t *more, int64_t *less);

/*  Forget a task whose row is written, and which leaves the ledger.         */
void
    stele_task_cache_drop (stele_task_cache_t *self, const char *id, size_t size);

/*  After a commit: remove the oldest tasks above the bound.                 */
void
    stele_task_cache_trim (stele_task_cache_t *self);

/*  After a rollback: forget everything.                                     */
void
    stele_task_cache_forget (stele_task_cache_t *self);

#endif
