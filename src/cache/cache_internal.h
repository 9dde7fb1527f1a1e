/*  cache_internal - stele_cache_t, a class of ten files and page_check

    Each file calls only those below it in this table.

      cache_check, cache_recover   requests: compare Redis with the ledger, restore records
      cache_request                for both: bring the cache to the head first
      cache                        constructor, state machine, statistics
      cache_align                  connect; follow, rebuild or keep off
      cache_background_check       compare a page of records now and then
      page_check                   compare a page of records, for both checks (a class of its own)
      cache_rebuild, cache_sweep   wipe and fill; remove terminal tasks from their sets
      cache_apply                  read what events changed, write it
      cache_write                  one transaction of Redis, guarded
      cache_error                  errors, log messages, disconnect and back-off

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CACHE_INTERNAL_H_INCLUDED
#define STELE_CACHE_INTERNAL_H_INCLUDED

#include "cache/records/record_batch.h"
#include "cache/cache.h"
#include "cache/records/layout.h"
#include "cache/redis/redis.h"
#include "cache/redis/redis_cause.h"

#define STELE_CACHE_STEP_EVENTS 5000    // Most events of the log read in one step
#define STELE_CACHE_WAIT_MIN_MS 100     // Back-off after a failed connection: it doubles
#define STELE_CACHE_WAIT_MAX_MS 5000

typedef enum {
    STELE_PHASE_AWAY,               // No connection
    STELE_PHASE_ALIGNING,           // Connected, the position in Redis is not read yet
    STELE_PHASE_WIPING,             // Rebuild: remove the existing keys
    STELE_PHASE_FILLING_TASKS,      // Rebuild: active tasks
    STELE_PHASE_FILLING_SESSIONS,   // Rebuild: sessions that have not ended
    STELE_PHASE_FOLLOWING           // Apply the log after the cursor
} stele_phase_t;

typedef struct {
    bool is_task;                   // Or a session
    int64_t key;                    // In the ledger
} stele_changed_key_t;

typedef struct {
    int64_t interval_ms;            // 0: never check
    int64_t due_ms;                 // Monotonic: next page
    int64_t info_due_ms;            // Monotonic: next query for evictions
    int64_t task, session, ended;   // Cursors of the next pages
    bool in_sessions;               // The next page of active records is one of sessions
    bool urgent;                    // Redis evicted keys: no pauses until one round is complete
    bool active_left, ended_left;   // What that round has still to check
    int64_t evictions_seen;         // evicted_keys of Redis at the last query
    int64_t unreported;             // Repaired since the last log message
} stele_background_check_t;

struct stele_cache {
    stele_layout_t layout;
    char url [STELE_REDIS_URL_MAX];
    char ledger_id [64];
    char holder [STELE_LAYOUT_HOLDER_MAX];     // Value of PREFIX:holder while this cache keeps Redis
    int64_t epoch;                  // Of a shared log; 0: none
    char epoch_text [STELE_LAYOUT_EPOCH_MAX];  // Value of PREFIX:epoch while this cache keeps Redis
    bool legacy_keys;
    int64_t terminal_ttl_us;
    stele_redis_t *redis;

    stele_phase_t phase;
    int64_t position;               // Applied in Redis; the last known one while away
    int64_t committed_us;           // When 'position' was committed, as in PREFIX:committed
    int64_t copy_first_ms;          // Monotonic: when a broker with a copy of this ledger was first seen; 0: never
    int64_t copy_last_ms;           //    and when last
    int64_t swept;
    int64_t head;                   // Of the ledger, when last read
    bool at_head;
    bool in_snapshot;               // The caller has begun a read transaction
    bool must_rebuild;              // Redis executed a transaction only in part
    char token [48];                // Value of PREFIX:rebuilding: this rebuild by this process
    int64_t fill_cursor;            // Key of the last task or session filled in
    char scan_cursor [24];
    int64_t rebuild_start;          // Position from which the log is applied after the fill
    int64_t rebuild_head;           // Head before the fill, which has every active record up to here; 0: none
    int64_t rebuild_began_ms;
    int64_t rebuilt_tasks;
    bool rebuild_reported;

    int64_t now_us;                 // Wall clock of this step
    int64_t retry_ms;               // Monotonic: next attempt to connect
    int64_t held_ms;                // Monotonic: when PREFIX:holder was last set; 0: not by this process
    int64_t checked_ms;             // Monotonic: when the position in Redis was last verified
    int64_t sweep_ms;               // Monotonic: next sweep
    int64_t following_ms;           // Monotonic: start of the following phase
    int wait_ms;                    // Next back-off
    int64_t lag_position;           // First event that Redis does not have
    int64_t lag_since_us;           // When it was committed
    stele_cache_state_t state_seen; // At the start of the last step,
    int64_t state_since_ms;         // monotonic: and since when

    stele_batch_t *batch;
    size_t sent;                    // Records in the transaction that was sent last
    stele_changed_key_t *changed;
    size_t changed_count;
    size_t changed_room;
    stele_pack_t *scratch;

    int64_t applied;
    int64_t batches;
    int64_t rebuilds;
    int64_t reconnects;
    int64_t errors;
    int64_t evicted;                // Keys that Redis evicted
    int64_t repaired;               // Records that the background check repaired
    stele_background_check_t background;
    char last_error [512];
    char news [768];
    bool news_read;
    bool news_is_warning;
    const stele_redis_cause_t *cause;   // Of last_error, if Redis is the cause
    bool failing;                   // Away, or connected again and nothing has worked yet: still away for others
    bool error_reported;            // last_error was reported since Redis last worked
    char policy [32];               // maxmemory-policy that was reported
    stele_cache_ends_fn *ends;      // Called between pages of long requests
    void *ends_arg;
};

/*  -- cache_error.c --------------------------------------------------------------- */

/*  Add a message for the log.                                               */
void
    stele_cache_report (stele_cache_t *self, const char *format, ...) STELE_PRINTF (2, 3);

/*  The same for what should not be.                                         */
#define stele_cache_warn(self, ...) \
    (stele_cache_report (self, __VA_ARGS__), (void) ((self)->news_is_warning = true))

/*  The contents of Redis are unknown: record the reason, close the connection, retry after the
    back-off. Returns STELE_EUNAVAILABLE.                                    */
int
    stele_cache_disconnect (stele_cache_t *self, const char *format, ...) STELE_PRINTF (2, 3);

/*  The same, with the connection's own error text.                          */
int
    stele_cache_connection_lost (stele_cache_t *self);

/*  The same, where Redis refuses: adds its error and what to do about it to 'what'. */
int
    stele_cache_refused (stele_cache_t *self, const char *what);

/*  Is that value of PREFIX:epoch one of a later writer of the same shared log? Then disconnects, and returns
    STELE_EUNAVAILABLE; otherwise 0.                                         */
int
    stele_cache_deposed (stele_cache_t *self, const redisReply *epoch);

/*  A read of the ledger failed with 'code': record the reason. Returns 'code'. */
int
    stele_cache_ledger_failed (stele_cache_t *self, stele_reader_t *reader, int code);

/*  Is the broker stopping (stele_cache_end_when)? 0, or STELE_EUNAVAILABLE.  */
int
    stele_cache_must_stop (stele_cache_t *self);

/*  -- cache_write.c --------------------------------------------------------------- */

typedef enum {
    STELE_WRITE_REPLACE,            // Whatever Redis holds of them
    STELE_WRITE_FILL                // Redis holds nothing of them: the rebuild has wiped it
} stele_write_t;

/*  Write the batch, and set 'cursor' (NULL: none) to 'value', in one transaction; clears
    the batch. Writes nothing and disconnects if Redis is not in the state this cache left it
    in; disconnects after any error. Returns 0 or STELE_EUNAVAILABLE.        */
int
    stele_cache_write (stele_cache_t *self, stele_write_t how,
        const stele_key_t *cursor, int64_t value);

/*  The same in two steps, for reading the ledger while Redis executes it. Nothing else may use
    the connection in between. _send returns an error if nothing was sent: then do not wait. */
int
    stele_cache_write_send (stele_cache_t *self, stele_write_t how,
        const stele_key_t *cursor, int64_t value);
int
    stele_cache_write_wait (stele_cache_t *self);

/*  Verify that Redis is in the state this cache left it in, without writing. Returns as above. */
int
    stele_cache_verify (stele_cache_t *self);

/*  The same, and watch the keys that show it until the transaction that follows. */
int
    stele_cache_guard (stele_cache_t *self);

/*  0 after a transaction that was executed, or an error; then it is disconnected. 'refuses' completes the message
    "Redis at URL ...".                                                      */
int
    stele_cache_outcome (stele_cache_t *self, stele_exec_t outcome, const char *refuses);

/*  Is the expiry of an item in the past?                                    */
bool
    stele_cache_expired (const stele_cache_t *self, const stele_item_t *item);

/*  -- cache_apply.c --------------------------------------------------------------- */

/*  Set the expiry of an item, by the commit time of its last event. Returns 0 or an error. */
int
    stele_cache_set_expiry (stele_cache_t *self, stele_reader_t *reader, stele_item_t *item);

/*  Read the keys that the events in (after, upto] changed into self->changed. Returns
    the last position read, or an error.                                     */
int64_t
    stele_cache_changed_keys (stele_cache_t *self, stele_reader_t *reader,
        int64_t after, int64_t upto);

/*  Read the record of a key into the batch. *item is NULL if the ledger has no such
    record. Returns 0 or an error.                                           */
int
    stele_cache_read_record (stele_cache_t *self, stele_reader_t *reader,
        const stele_changed_key_t *changed, stele_item_t **item);

/*  Apply the next events after the cursor, at most STELE_CACHE_STEP_EVENTS.  */
int
    stele_cache_apply (stele_cache_t *self, stele_reader_t *reader, int64_t head);

/*  -- cache_rebuild.c ------------------------------------------------------------- */

/*  Start a rebuild; 'why' completes the log message "Redis at URL ...". Returns 0 or an error. */
int
    stele_cache_rebuild_begin (stele_cache_t *self, stele_reader_t *reader, const char *why);

/*  Do one bounded piece of the current phase of the rebuild. Returns 0 or an error. */
int
    stele_cache_rebuild_step (stele_cache_t *self, stele_reader_t *reader);

/*  -- cache_sweep.c --------------------------------------------------------------- */

/*  Remove expired terminal tasks from their sets, a bounded piece. Returns 1 if none
    remain, 0 if there are more, or an error.                                */
int
    stele_cache_sweep (stele_cache_t *self, stele_reader_t *reader);

/*  -- cache_background_check.c ---------------------------------------------------- */

/*  Compare and repair a page of records, if it is due. At the head only. Returns 0 or an error. */
int
    stele_cache_background_check (stele_cache_t *self, stele_reader_t *reader);

/*  -- cache_align.c --------------------------------------------------------------- */

/*  Leave STELE_PHASE_AWAY. Returns 0 or STELE_EUNAVAILABLE.                 */
int
    stele_cache_connect (stele_cache_t *self);

/*  Leave STELE_PHASE_ALIGNING: for FOLLOWING, WIPING, or AWAY. Returns 0 or an error. */
int
    stele_cache_align (stele_cache_t *self, stele_reader_t *reader);

/*  Renew PREFIX:holder, the sign that this ledger's broker is running, unless another broker has
    set it meanwhile. Returns 0 or STELE_EUNAVAILABLE.                       */
int
    stele_cache_hold (stele_cache_t *self);

/*  -- cache_request.c ------------------------------------------------------------- */

/*  Step the cache until it is at the head, for at most two seconds. Returns 0, or
    STELE_EUNAVAILABLE with a refusal.                                       */
int
    stele_cache_ready (stele_cache_t *self, stele_reader_t *reader, stele_refusal_t *refusal);

/*  Refuse a request with last_error. Returns 'rc'.                          */
int
    stele_cache_refuse_failed (stele_cache_t *self, int rc, stele_refusal_t *refusal);

#endif
