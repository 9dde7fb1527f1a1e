/*  task_cache - the states of tasks, in memory during a batch and for some time after

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/sql/id_codec.h"
#include "sqlite/sql/sql.h"
#include "sqlite/write/task_cache.h"
#include "stele_error.h"

#define CACHE_MAX 65536
#define ENDED_MAX 4096
#define GROWTH 22                       // Bytes of the numbers of most tasks at their end

typedef struct {
    UT_hash_handle hh;
    stele_count_key_t key;
    int64_t delta;
} s_count_t;

struct stele_task_cache {
    sqlite3_stmt *find;             // Separate from load: most tasks that are not in memory are new
    sqlite3_stmt *load;
    sqlite3_stmt *insert;
    sqlite3_stmt *update;           // Does not change indexed columns
    sqlite3_stmt *update_indexed;
    sqlite3_stmt *count;
    sqlite3_stmt *count_find;
    stele_task_t *cache;
    stele_task_t *last;             // Found last: the next event is often about the same task
    stele_task_t **dirty;           // To be written
    size_t dirty_count, dirty_room;
    bool forgot;                    // There was no memory to note one of them: the batch cannot be committed
    stele_task_t *ended, *last_ended;   // Oldest first
    int ended_count;
    s_count_t *counts;
};

static const char s_load_sql [] =
    "SELECT s.task, s.state, s.role, s.provider, s.model, s.flags, s.owner, s.created_at,"
    " s.updated_at, s.started_at, s.completed_at, s.error_count, s.last_error_at,"
    " s.last_history, s.last_output, s.last_metric, s.position, t.since, s.interruptions, s.retries"
    " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1";

#define COLUMNS "provider = ?3, model = ?4, flags = ?5, owner = ?6, updated_after = ?7," \
    " started_after = ?8, completed_after = ?9, error_count = ?10, last_error = ?11," \
    " last_history = ?12, last_output = ?13, last_metric = ?14, room = ?15," \
    " interruptions = ?18, retries = ?19"

static const char s_insert_sql [] =
    "INSERT INTO task_states (state, role, provider, model, flags, owner, updated_after,"
    " started_after, completed_after, error_count, last_error, last_history, last_output,"
    " last_metric, room, task, created_at, interruptions, retries) VALUES"
    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

static const char s_count_sql [] =
    "INSERT INTO task_count_rows (state, role, provider, model, count) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT DO UPDATE SET count = count + excluded.count";

stele_task_cache_t *
stele_task_cache_new (sqlite3 *db)
{
    stele_task_cache_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->find = stele_sql_prepare (db, "SELECT id FROM tasks WHERE task_id = ?1");
    self->load = stele_sql_prepare (db, s_load_sql);
    self->insert = stele_sql_prepare (db, s_insert_sql);
    self->update = stele_sql_prepare (db,
        "UPDATE task_states SET " COLUMNS " WHERE task = ?16");
    self->update_indexed = stele_sql_prepare (db,
        "UPDATE task_states SET state = ?1, role = ?2, created_at = ?17, " COLUMNS " WHERE task = ?16");
    self->count = stele_sql_prepare (db, s_count_sql);
    self->count_find = stele_sql_prepare (db, "SELECT id FROM task_count_rows"
        " WHERE state = ?1 AND role = ?2 AND provider = ?3 AND model = ?4");
    if (!self->find || !self->load || !self->insert || !self->update || !self->update_indexed || !self->count
    ||  !self->count_find)
        stele_task_cache_destroy (&self);
    return self;
}

void
stele_task_cache_destroy (stele_task_cache_t **self_p)
{
    assert (self_p);
    stele_task_cache_t *self = *self_p;
    if (!self)
        return;
    stele_task_cache_forget (self);
    free (self->dirty);
    sqlite3_finalize (self->find);
    sqlite3_finalize (self->load);
    sqlite3_finalize (self->insert);
    sqlite3_finalize (self->update);
    sqlite3_finalize (self->update_indexed);
    sqlite3_finalize (self->count);
    sqlite3_finalize (self->count_find);
    free (self);
    *self_p = NULL;
}

static stele_task_t *
s_task_new (stele_task_cache_t *self, const char *id, size_t size)
{
    stele_task_t *task = calloc (1, sizeof *task + size);
    if (!task)
        return NULL;
    memcpy (task->id, id, size);
    task->id_size = size;
    HASH_ADD_KEYPTR (hh, self->cache, task->id, size, task);
    if (!task->hh.tbl) {
        free (task);
        return NULL;
    }
    return task;
}

static void
s_load (stele_task_t *task, sqlite3_stmt *row)
{
    task->key = sqlite3_column_int64 (row, 0);
    task->life.state = sqlite3_column_int (row, 1);
    task->role = sqlite3_column_int64 (row, 2);
    task->provider = sqlite3_column_int64 (row, 3);
    task->model = sqlite3_column_int64 (row, 4);
    task->flags = sqlite3_column_int (row, 5) & ~STELE_TASK_FLAG_INTERRUPTED;
    task->life.interrupted = (sqlite3_column_int (row, 5) & STELE_TASK_FLAG_INTERRUPTED) != 0;
    task->owner = sqlite3_column_int64 (row, 6);
    task->created_at = sqlite3_column_int64 (row, 7);
    task->updated_at = sqlite3_column_int64 (row, 8);
    task->life.started_at = sqlite3_column_int64 (row, 9);
    task->life.completed_at = sqlite3_column_int64 (row, 10);
    task->life.error_count = sqlite3_column_int64 (row, 11);
    task->last_error_at = sqlite3_column_int64 (row, 12);
    task->last_history = sqlite3_column_int64 (row, 13);
    task->last_output = sqlite3_column_int64 (row, 14);
    task->last_metric = sqlite3_column_int64 (row, 15);
    task->position = sqlite3_column_int64 (row, 16);
    task->since = sqlite3_column_int64 (row, 17);
    task->life.interruptions = sqlite3_column_int64 (row, 18);
    task->life.retries = sqlite3_column_int64 (row, 19);
    task->counted = (stele_count_key_t) {
        task->life.state, task->role, task->provider, task->model
    };
    task->indexed_created_at = task->created_at;
    task->ordered_at = task->updated_at;
}

int
stele_task_cache_find (stele_task_cache_t *self, const char *id, size_t size, stele_task_t **task_p)
{
    if (self->last && self->last->id_size == size && memcmp (self->last->id, id, size) == 0) {
        *task_p = self->last;
        return 0;
    }
    HASH_FIND (hh, self->cache, id, size, *task_p);
    if (*task_p) {
        self->last = *task_p;
        return 0;
    }
    stele_id_bind (self->find, 1, id, size);
    int rc = stele_sql_step (self->find);
    if (rc == SQLITE_ROW) {
        sqlite3_bind_int64 (self->load, 1, sqlite3_column_int64 (self->find, 0));
        rc = stele_sql_step (self->load);
        *task_p = rc == SQLITE_ROW? s_task_new (self, id, size): NULL;
        if (*task_p)
            s_load (*task_p, self->load);
        else
        if (rc == SQLITE_ROW)
            rc = SQLITE_NOMEM;
        sqlite3_reset (self->load);
    }
    sqlite3_reset (self->find);
    return stele_sql_code (rc);
}

stele_task_t *
stele_task_cache_add (stele_task_cache_t *self, const char *id, size_t size, int64_t key)
{
    stele_task_t *task = s_task_new (self, id, size);
    if (!task)
        return NULL;
    task->key = key;
    task->is_new = true;
    task->life.state = STELE_TASK_QUEUED;
    return task;
}

void
stele_task_cache_touch (stele_task_cache_t *self, stele_task_t *task)
{
    if (task->dirty)
        return;
    if (self->dirty_count == self->dirty_room) {
        stele_task_t **dirty = stele_array_grow (self->dirty, &self->dirty_room,
            self->dirty_count + 1, sizeof *dirty);
        if (!dirty) {
            self->forgot = true;
            return;
        }
        self->dirty = dirty;
    }
    task->dirty = true;
    self->dirty [self->dirty_count++] = task;
}

static int
s_count (stele_task_cache_t *self, const stele_count_key_t *key, int64_t delta)
{
    s_count_t *count;
    HASH_FIND (hh, self->counts, key, sizeof *key, count);
    if (!count) {
        count = calloc (1, sizeof *count);
        if (!count)
            return STELE_ENO_MEMORY;
        count->key = *key;
        HASH_ADD (hh, self->counts, key, sizeof *key, count);
        if (!count->hh.tbl) {
            free (count);
            return STELE_ENO_MEMORY;
        }
    }
    count->delta += delta;
    return 0;
}

static void
s_bind_count (sqlite3_stmt *stmt, const stele_count_key_t *key)
{
    sqlite3_bind_int64 (stmt, 1, key->state);
    sqlite3_bind_int64 (stmt, 2, key->role);
    sqlite3_bind_int64 (stmt, 3, key->provider);
    sqlite3_bind_int64 (stmt, 4, key->model);
}

//  The row of a count. Returns 1, 0 if there is none yet, or a code.
static int
s_find_count (stele_task_cache_t *self, const stele_count_key_t *key, int64_t *id)
{
    s_bind_count (self->count_find, key);
    int rc = stele_sql_step (self->count_find);
    if (rc == SQLITE_ROW)
        *id = sqlite3_column_int64 (self->count_find, 0);
    sqlite3_reset (self->count_find);
    return rc == SQLITE_ROW? 1: stele_sql_code (rc);
}

//  Are the pending counts those that stele_task_cache_count gives? Returns 1, 0 or a code.
static int
s_find_counts (stele_task_cache_t *self, int64_t *more, int64_t *less)
{
    s_count_t *count, *next;
    *more = *less = 0;
    HASH_ITER (hh, self->counts, count, next) {
        if (count->delta == 0)
            continue;
        int64_t *id = count->delta == 1? more: less;
        int found = *id || (count->delta != 1 && count->delta != -1)? 0: s_find_count (self, &count->key, id);
        if (found != 1) {
            *more = *less = 0;
            return found;
        }
    }
    return 1;
}

static void
s_forget_counts (stele_task_cache_t *self)
{
    s_count_t *count, *next;
    HASH_ITER (hh, self->counts, count, next) {
        HASH_DELETE (hh, self->counts, count);
        free (count);
    }
}

int
stele_task_cache_count (stele_task_cache_t *self, int64_t *more, int64_t *less)
{
    int given = more? s_find_counts (self, more, less): 0;
    int code = given < 0? given: 0;
    s_count_t *count, *next;
    HASH_ITER (hh, self->counts, count, next)
        if (!given && code == 0 && count->delta != 0) {
            s_bind_count (self->count, &count->key);
            sqlite3_bind_int64 (self->count, 5, count->delta);
            code = stele_sql_run (self->count);
        }
    s_forget_counts (self);
    return code;
}

//  Bytes that SQLite uses for an integer
static int
s_bytes (int64_t number)
{
    uint64_t size = (uint64_t) (number < 0? ~number: number);
    return size < 2 && number >= 0? 0: size < 1u << 7? 1: size < 1u << 15? 2: size < 1u << 23? 3:
        size < 1u << 31? 4: size < (uint64_t) 1 << 47? 6: 8;
}

//  The numbers that a row gets during the life of its task. Growing rows would split their pages and
//  leave them half empty, so the row reserves the bytes that are still to come.
static void
s_bind_growing (sqlite3_stmt *stmt, const stele_task_t *task)
{
    const struct { int index; int64_t value, base; } numbers [] = {
        { 8, task->life.started_at, task->created_at },
        { 9, task->life.completed_at, task->created_at },
        { 11, task->last_error_at, task->key }, { 12, task->last_history, task->key },
        { 13, task->last_output, task->key }, { 14, task->last_metric, task->key }
    };
    sqlite3_bind_int64 (stmt, 7, task->updated_at - task->created_at);
    int used = s_bytes (task->updated_at - task->created_at)
        + s_bytes (task->life.state) + s_bytes (task->owner);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers [0]; i++) {
        if (numbers [i].value == 0) {
            sqlite3_bind_null (stmt, numbers [i].index);
            continue;
        }
        int64_t distance = numbers [i].value - numbers [i].base;
        sqlite3_bind_int64 (stmt, numbers [i].index, distance);
        used += s_bytes (distance);
    }
    if (used < GROWTH && !stele_lifecycle_terminal (task->life.state))
        sqlite3_bind_zeroblob (stmt, 15, GROWTH - used);
    else
        sqlite3_bind_null (stmt, 15);
}

static int
s_write (stele_task_cache_t *self, stele_task_t *task)
{
    stele_count_key_t now = { task->life.state, task->role, task->provider, task->model };
    bool indexed = task->counted.state != now.state || task->counted.role != now.role
        || task->indexed_created_at != task->created_at;
    sqlite3_stmt *stmt = task->is_new? self->insert: indexed? self->update_indexed: self->update;
    if (stmt != self->update) {
        sqlite3_bind_int64 (stmt, 1, now.state);
        stele_sql_bind_key (stmt, 2, now.role);
        sqlite3_bind_int64 (stmt, 17, task->created_at);
    }
    stele_sql_bind_key (stmt, 3, now.provider);
    stele_sql_bind_key (stmt, 4, now.model);
    sqlite3_bind_int (stmt, 5, task->flags
        | (task->life.interrupted? STELE_TASK_FLAG_INTERRUPTED: 0));
    stele_sql_bind_key (stmt, 6, task->owner);
    sqlite3_bind_int64 (stmt, 10, task->life.error_count);
    s_bind_growing (stmt, task);
    sqlite3_bind_int64 (stmt, 16, task->key);
    stele_sql_bind_key (stmt, 18, task->life.interruptions);
    stele_sql_bind_key (stmt, 19, task->life.retries);
    int code = stele_sql_run (stmt);
    if (code)
        return code;
    if (memcmp (&task->counted, &now, sizeof now) != 0) {
        code = task->counted.state? s_count (self, &task->counted, -1): 0;
        if (code == 0)
            code = s_count (self, &now, 1);
        if (code)
            return code;
    }
    task->counted = now;
    task->indexed_created_at = task->created_at;
    task->is_new = false;
    return 0;
}

//  Few events follow the end of a task: keep it only for a while
static void
s_queue_ended (stele_task_cache_t *self, stele_task_t *task)
{
    task->ended = true;
    task->next_ended = NULL;
    if (self->last_ended)
        self->last_ended->next_ended = task;
    else
        self->ended = task;
    self->last_ended = task;
    self->ended_count++;
}

//  Take the oldest from the queue
static stele_task_t *
s_next_ended (stele_task_cache_t *self)
{
    stele_task_t *task = self->ended;
    self->ended = task->next_ended;
    if (!self->ended)
        self->last_ended = NULL;
    self->ended_count--;
    task->ended = false;
    return task;
}

static int
s_compare (const void *one, const void *other)
{
    const stele_task_t *a = *(stele_task_t *const *) one, *b = *(stele_task_t *const *) other;
    return (a->key > b->key) - (a->key < b->key);
}

int
stele_task_cache_flush (stele_task_cache_t *self)
{
    //  The batch may be gone (stele_ledger_in_batch): these changes belong to it
    if (sqlite3_get_autocommit (sqlite3_db_handle (self->insert)))
        return STELE_EINTERNAL;
    if (self->forgot)
        return STELE_ENO_MEMORY;
    //  In ascending order new rows are appended, and fill their pages
    if (self->dirty_count > 1)
        qsort (self->dirty, self->dirty_count, sizeof *self->dirty, s_compare);
    for (size_t i = 0; i < self->dirty_count; i++) {
        stele_task_t *task = self->dirty [i];
        int code = s_write (self, task);
        if (code)
            return code;
        task->dirty = false;
        if (stele_lifecycle_terminal (task->life.state) && !task->ended)
            s_queue_ended (self, task);
    }
    self->dirty_count = 0;
    return 0;
}

static void
s_forget (stele_task_cache_t *self, stele_task_t *task)
{
    if (task == self->last)
        self->last = NULL;
    HASH_DELETE (hh, self->cache, task);
    free (task);
}

void
stele_task_cache_drop (stele_task_cache_t *self, const char *id, size_t size)
{
    stele_task_t *task;
    HASH_FIND (hh, self->cache, id, size, task);
    if (!task)
        return;
    assert (!task->dirty);
    stele_task_t *before = NULL, *at = task->ended? self->ended: NULL;
    for (; at && at != task; at = at->next_ended)
        before = at;
    if (at) {
        *(before? &before->next_ended: &self->ended) = task->next_ended;
        if (self->last_ended == task)
            self->last_ended = before;
        self->ended_count--;
    }
    s_forget (self, task);
}

void
stele_task_cache_trim (stele_task_cache_t *self)
{
    assert (self->dirty_count == 0);
    while (self->ended_count > ENDED_MAX) {
        stele_task_t *task = s_next_ended (self);
        //  Unless it was started again
        if (stele_lifecycle_terminal (task->life.state))
            s_forget (self, task);
    }
    if (HASH_COUNT (self->cache) <= CACHE_MAX)
        return;
    while (self->ended)
        s_next_ended (self);
    //  uthash iterates in the order of insertion: the oldest first
    stele_task_t *task, *next;
    HASH_ITER (hh, self->cache, task, next) {
        if (HASH_COUNT (self->cache) <= CACHE_MAX)
            break;
        s_forget (self, task);
    }
}

void
stele_task_cache_forget (stele_task_cache_t *self)
{
    self->dirty_count = 0;
    self->ended = self->last_ended = NULL;
    self->ended_count = 0;
    stele_task_t *task, *next;
    HASH_ITER (hh, self->cache, task, next)
        s_forget (self, task);
    self->forgot = false;
    s_forget_counts (self);
}
