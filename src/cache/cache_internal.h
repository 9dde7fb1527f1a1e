/*  cache_internal - what the files of the follower share

    The follower is one state machine, in cache.c; the other cache_*.c are what
    it does in its states, and what requests ask of it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CACHE_INTERNAL_H_INCLUDED
#define STELE_CACHE_INTERNAL_H_INCLUDED

#include "cache/batch.h"
#include "cache/cache.h"
#include "cache/layout.h"
#include "cache/redis/redis.h"

#define STELE_CACHE_STEP_EVENTS 5000    // Of the log, looked at in one step

typedef enum {
    STELE_PHASE_AWAY,               // No connection
    STELE_PHASE_ALIGNING,           // Connected: where does this Redis stand?
    STELE_PHASE_WIPING,             // Rebuild: what is there goes
    STELE_PHASE_FILLING_TASKS,      // Rebuild: active tasks
    STELE_PHASE_FILLING_SESSIONS,   // Rebuild: sessions that have not ended
    STELE_PHASE_FOLLOWING           // The log from the cursor
} stele_phase_t;

typedef struct {
    bool is_task;
    int64_t key;
} stele_touch_t;

typedef struct {
    int64_t every_ms;               // 0: never
    int64_t due_ms;                 // Monotonic: the next page
    int64_t ask_ms;                 // and the next look for evictions
    int64_t task, session, ended;   // Where the next pages begin
    bool in_sessions;               // The active ones' turn is that of the sessions
    bool hurry;                     // Redis has evicted keys: until both have been gone through
    bool active_left, ended_left;
    int64_t evictions_seen;         // As Redis counts them
    int64_t found;                  // Put right and not yet told
} stele_scrub_t;

struct stele_cache {
    stele_layout_t layout;
    char url [STELE_REDIS_URL_MAX];
    char ledger_id [64];
    bool legacy_keys;
    int64_t terminal_ttl_us;
    stele_redis_t *redis;

    stele_phase_t phase;
    int64_t position;               // Applied in Redis; of the last look while away
    int64_t swept;
    int64_t head;                   // Of the ledger, when last looked
    bool at_head;
    bool in_snapshot;               // The caller has begun a read transaction
    bool must_rebuild;              // A transaction was done in part
    char token [48];                // In PREFIX:rebuilding: this rebuild, of this process
    int64_t fill_cursor;            // Key of the last task, session
    char scan_cursor [24];
    int64_t rebuild_start;          // Position from which the log is applied after the fill
    int64_t rebuild_head;           // Head before the fill: up to here it holds what is active; 0: no
    int64_t rebuild_began_ms;
    int64_t rebuilt_tasks;
    bool rebuild_told;

    int64_t now_us;                 // Wall clock of this step
    int64_t retry_ms;               // Monotonic: not before
    int64_t held_ms;                // When the holder's key was last set; 0: not by us
    int64_t checked_ms;             // Monotonic: Redis was last seen to be where it should be
    int64_t sweep_ms;               // Monotonic: next sweep
    int64_t following_ms;           // Monotonic: following since
    int wait_ms;                    // Back-off
    int64_t behind_position;        // The first event that Redis does not have
    int64_t behind_since_us;        // and when it was committed

    stele_batch_t *batch;
    stele_touch_t *touched;
    size_t touched_count;
    size_t touched_max;
    stele_pack_t *scratch;

    int64_t applied;
    int64_t batches;
    int64_t rebuilds;
    int64_t reconnects;
    int64_t errors;
    int64_t evicted;                // Keys that Redis dropped by itself
    int64_t repaired;               // Records that were put right without being asked to
    stele_scrub_t scrub;
    char last_error [512];
    char news [768];
    bool news_read;
    bool error_told;                // last_error was told since Redis was last right
    char policy [32];               // maxmemory-policy that was told
    stele_cache_ends_fn *ends;      // Asked between pages of what takes long
    void *ends_arg;
};

/*  -- cache.c: states, news, errors -------------------------------------------- */

/*  Something to say in the log.                                             */
void
    stele_cache_tell (stele_cache_t *self, const char *format, ...) STELE_PRINTF (2, 3);

/*  What Redis holds is in doubt: close the connection, keep the reason, count it, try
    again after the back-off. Returns STELE_EUNAVAILABLE.                    */
int
    stele_cache_doubt (stele_cache_t *self, const char *format, ...) STELE_PRINTF (2, 3);

/*  The same, the reason being the connection's own error text.              */
int
    stele_cache_lost (stele_cache_t *self);

/*  A read of the ledger failed with that code: keep the reason, return the code. */
int
    stele_cache_ledger_failed (stele_cache_t *self, stele_reader_t *reader, int code);

/*  -- cache_apply.c: records into Redis ------------------------------------------ */

typedef enum {
    STELE_WRITE_REPLACE,            // Whatever Redis holds of them
    STELE_WRITE_FILL                // Redis holds nothing of them: the rebuild has wiped
} stele_write_t;

/*  Write the batch, and move 'cursor' (NULL: none) to 'value', in one transaction; clears
    the batch. Nothing is written unless Redis stands where this cache left it:
    then, and after any error, it is in doubt. Returns 0 or STELE_EUNAVAILABLE. */
int
    stele_cache_write (stele_cache_t *self, stele_write_t how,
        const stele_key_t *cursor, int64_t value);

/*  See that Redis still stands where it was left, without writing.          */
int
    stele_cache_verify (stele_cache_t *self);

/*  Set when an item leaves Redis, by the commit of its last event. Returns 0 or an error. */
int
    stele_cache_set_expiry (stele_cache_t *self, stele_reader_t *reader, stele_item_t *item);

/*  Has it left Redis, or should have?                                       */
bool
    stele_cache_expired (const stele_cache_t *self, const stele_item_t *item);

/*  Which keys did the events in (after, upto] touch: into self->touched. Returns
    the last position looked at, or an error.                                */
int64_t
    stele_cache_touched (stele_cache_t *self, stele_reader_t *reader,
        int64_t after, int64_t upto);

/*  Read what a touch stands for into the batch. *item is NULL where the ledger has no
    such record. Returns 0 or an error.                                      */
int
    stele_cache_read_touch (stele_cache_t *self, stele_reader_t *reader,
        const stele_touch_t *touch, stele_item_t **item);

/*  Apply the next events after the cursor, at most STELE_CACHE_STEP_EVENTS.  */
int
    stele_cache_apply (stele_cache_t *self, stele_reader_t *reader, int64_t head);

/*  -- cache_rebuild.c -------------------------------------------------------------- */

int
    stele_cache_rebuild_begin (stele_cache_t *self, stele_reader_t *reader, const char *why);

/*  One piece of the work of the phase it is in.                             */
int
    stele_cache_rebuild_step (stele_cache_t *self, stele_reader_t *reader);

/*  -- cache_sweep.c ------------------------------------------------------------------ */

/*  Take terminal tasks that have left out of their sets, a bounded piece. Returns 1 when
    there is no more to do, 0 when there is, or an error.                    */
int
    stele_cache_sweep (stele_cache_t *self, stele_reader_t *reader);

/*  -- cache_scrub.c ------------------------------------------------------------------ */

/*  Compare a page of what Redis has to hold, when it is time, and put it right. At the head
    only. Returns 0 or an error.                                             */
int
    stele_cache_scrub (stele_cache_t *self, stele_reader_t *reader);

/*  -- for requests (cache_recover.c, cache_check.c) ------------------------------- */

/*  Be connected and at the head, within two seconds. Returns 0 or STELE_EUNAVAILABLE
    with a refusal.                                                          */
int
    stele_cache_ready (stele_cache_t *self, stele_reader_t *reader, stele_refusal_t *refusal);

/*  Is it time to end (stele_cache_end_when)? 0, or STELE_EUNAVAILABLE.      */
int
    stele_cache_ends (stele_cache_t *self);

/*  The request failed on the way: the last error is the reason. Returns 'rc'. */
int
    stele_cache_refuse_failed (stele_cache_t *self, int rc, stele_refusal_t *refusal);

#endif
