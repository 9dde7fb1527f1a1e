/*  cache_rebuild - rebuild a Redis that is empty or cannot be trusted

    Remove all keys of this prefix, write every active task and every session that has
    not ended, then set ledger and position: from there the log is applied as always,
    from the first commit inside terminal_ttl. Until then PREFIX:position does not
    exist: an interrupted rebuild starts over, and no reader uses the incomplete data.
    PREFIX:rebuilding identifies the rebuild, and disappears when Redis is flushed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "base/clock.h"

#define WIPE_KEYS 2000              // COUNT of one SCAN
#define FILL_RECORDS STELE_BATCH_RECORDS

//  Sets may be large or of a wrong type: UNLINK accepts either, and frees it later

static void
s_queue_unlink_sets (stele_cache_t *self)
{
    stele_redis_word (self->redis, "UNLINK");
    stele_redis_word (self->redis, self->layout.position.data);
    stele_redis_word (self->redis, self->layout.swept.data);
    stele_redis_word (self->redis, self->layout.committed.data);
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        stele_redis_word (self->redis, self->layout.sets [state].data);
    stele_redis_end (self->redis);
}

int
stele_cache_rebuild_begin (stele_cache_t *self, stele_reader_t *reader, const char *why)
{
    STELE_FAULT (rebuild_before);
    int64_t head = stele_reader_head (reader);
    int64_t start = head < 0? head:
        stele_reader_position_at (reader, self->now_us - self->terminal_ttl_us);
    if (start < 0)
        return stele_cache_ledger_failed (self, reader, (int) start);

    self->rebuild_began_ms = stele_clock_steady_ms ();
    snprintf (self->token, sizeof self->token, "%ld-%" PRId64 "-%" PRId64,
        (long) getpid (), self->now_us, self->rebuild_began_ms);
    int rc = stele_cache_guard (self);
    if (rc)
        return rc;
    stele_redis_multi (self->redis);
    s_queue_unlink_sets (self);
    stele_redis_command (self->redis, "SET", self->layout.rebuilding.data, self->token);
    rc = stele_cache_outcome (self, stele_redis_exec (self->redis), "refuses to be rebuilt");
    if (rc)
        return rc;

    stele_cache_report (self, "Redis at %s %s: rebuilding it", self->url, why);
    self->rebuild_start = start < head? start: head;
    self->rebuild_head = head;
    self->rebuilt_tasks = 0;
    self->rebuild_reported = false;
    self->position = 0;
    self->fill_cursor = 0;
    strcpy (self->scan_cursor, "0");
    self->phase = STELE_PHASE_WIPING;
    return 0;
}

//  Remove the task and session keys of a SCAN, unless a watched key has changed

static int
s_wipe_keys (stele_cache_t *self, const redisReply *keys)
{
    size_t count = 0;
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element [i];
        size_t size;
        if (key->type != REDIS_REPLY_STRING
        ||  (!stele_layout_id (&self->layout.task, key->str, key->len, &size)
        &&   !stele_layout_id (&self->layout.session, key->str, key->len, &size)))
            continue;
        if (count++ == 0) {
            stele_redis_multi (self->redis);
            stele_redis_word (self->redis, "UNLINK");
        }
        stele_redis_bytes (self->redis, key->str, key->len);
    }
    if (count == 0)
        return 0;
    stele_redis_end (self->redis);
    return stele_cache_outcome (self, stele_redis_exec (self->redis), "refuses to be rebuilt");
}

static int
s_wipe (stele_cache_t *self)
{
    STELE_FAULT (rebuild_wiping);
    int rc = stele_cache_guard (self);
    if (rc)
        return rc;
    char pattern [STELE_LAYOUT_PREFIX_MAX * 2 + 8];
    stele_layout_pattern (&self->layout, pattern);
    redisReply *reply = stele_redis_scan (self->redis, NULL, self->scan_cursor, pattern,
        WIPE_KEYS);
    if (!reply)
        return stele_cache_connection_lost (self);
    snprintf (self->scan_cursor, sizeof self->scan_cursor, "%s", reply->element [0]->str);
    rc = s_wipe_keys (self, reply->element [1]);
    freeReplyObject (reply);
    if (rc)
        return rc;
    if (strcmp (self->scan_cursor, "0") == 0)
        self->phase = STELE_PHASE_FILLING_TASKS;
    return 0;
}

typedef struct {
    stele_cache_t *cache;
    bool is_task;
    int rc;
} s_filling_t;

static int
s_fill_row (const stele_record_t *row, void *arg)
{
    s_filling_t *filling = arg;
    stele_cache_t *self = filling->cache;
    if (filling->rc)
        return 0;
    if (stele_batch_full (self->batch))
        filling->rc = stele_cache_write (self, STELE_WRITE_FILL, NULL, 0);
    if (filling->rc == 0) {
        stele_batch_add (self->batch, row, filling->is_task);
        self->rebuilt_tasks += filling->is_task;
    }
    return 0;
}

//  Active tasks have no expiry; they are read in the order of their keys, and changes to
//  tasks before the cursor are in the log after rebuild_start.

static int
s_fill_tasks (stele_cache_t *self, stele_reader_t *reader)
{
    STELE_FAULT (rebuild_filling_tasks);
    s_filling_t filling = { self, true, 0 };
    int64_t last = stele_reader_active (reader, self->fill_cursor, FILL_RECORDS,
        s_fill_row, &filling);
    if (last < 0)
        return stele_cache_ledger_failed (self, reader, (int) last);
    if (filling.rc)
        return filling.rc;
    if (last > self->fill_cursor)
        self->fill_cursor = last;
    else {
        self->fill_cursor = 0;
        self->phase = STELE_PHASE_FILLING_SESSIONS;
    }
    return stele_cache_write (self, STELE_WRITE_FILL, NULL, 0);
}

//  The last transaction of a rebuild: from now on this Redis has a position

static int
s_finish (stele_cache_t *self)
{
    stele_redis_t *redis = self->redis;
    int rc = stele_cache_guard (self);
    if (rc)
        return rc;
    STELE_FAULT (rebuild_finish);
    stele_redis_multi (redis);
    stele_redis_command (redis, "SET", self->layout.ledger.data, self->ledger_id);
    stele_redis_word (redis, "SET");
    stele_redis_word (redis, self->layout.position.data);
    stele_redis_integer (redis, self->rebuild_start);
    stele_redis_end (redis);
    stele_redis_word (redis, "SET");
    stele_redis_word (redis, self->layout.swept.data);
    stele_redis_integer (redis, self->rebuild_start);
    stele_redis_end (redis);
    stele_redis_word (redis, "SET");
    stele_redis_word (redis, self->layout.layout.data);
    stele_redis_integer (redis, STELE_LAYOUT_VERSION);
    stele_redis_end (redis);
    stele_redis_command (redis, "UNLINK", self->layout.rebuilding.data, NULL);
    rc = stele_cache_outcome (self, stele_redis_exec (redis), "refuses to be rebuilt");
    if (rc)
        return rc;

    self->rebuilds++;
    self->must_rebuild = false;
    self->position = self->rebuild_start;
    self->swept = self->rebuild_start;
    self->following_ms = stele_clock_steady_ms ();
    self->phase = STELE_PHASE_FOLLOWING;
    STELE_FAULT (rebuild_after);
    return 0;
}

static int
s_fill_sessions (stele_cache_t *self, stele_reader_t *reader)
{
    STELE_FAULT (rebuild_filling_sessions);
    const uint32_t ended = 1u << STELE_SESSION_COMPLETED | 1u << STELE_SESSION_ERROR
        | 1u << STELE_SESSION_TERMINATED;
    const uint32_t all = (1u << STELE_SESSION_STATE_END) - 2;
    s_filling_t filling = { self, false, 0 };
    int64_t next = 0;
    int rc = stele_reader_sessions (reader, all & ~ended, (stele_span_t) { NULL, 0 },
        self->fill_cursor, FILL_RECORDS, s_fill_row, &filling, &next);
    if (rc < 0)
        return stele_cache_ledger_failed (self, reader, rc);
    rc = filling.rc? filling.rc: stele_cache_write (self, STELE_WRITE_FILL, NULL, 0);
    if (rc)
        return rc;
    self->fill_cursor = next;
    return next? 0: s_finish (self);
}

int
stele_cache_rebuild_step (stele_cache_t *self, stele_reader_t *reader)
{
    int rc;
    if (self->phase == STELE_PHASE_WIPING)
        rc = s_wipe (self);
    else
    if (self->phase == STELE_PHASE_FILLING_TASKS)
        rc = s_fill_tasks (self, reader);
    else
        rc = s_fill_sessions (self, reader);
    stele_batch_clear (self->batch);
    return rc;
}
