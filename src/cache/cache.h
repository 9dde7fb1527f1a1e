/*  cache - the live state in Redis, a follower of the ledger

    stele_cache_t applies the ledger to Redis; one thread owns it. stele_live_t
    reads one live record; each request worker has its own. Neither uses sockets
    of ZeroMQ nor threads: the actor of stele_cache_t is broker/followers/cache_follower.

    How it follows (protocol section 7). Redis stores the cursor: {stele}:ledger and
    {stele}:position, set in the same MULTI/EXEC as the records they belong to.
    A step reads which tasks and sessions the next events changed
    (stele_reader_touched), reads their records as they are NOW in one read
    transaction, and writes those: these already include later events of the same
    task, which are written again to no effect. After any error (reconnect,
    time-out, error reply) the position is read back; if Redis is empty, lost its
    position, or is ahead of the ledger, it is rebuilt: first the active tasks
    (stele_reader_active), then the log from the first commit inside terminal_ttl,
    by the same code. A Redis that another ledger has written is rebuilt in the same
    way once the broker of that ledger has stopped (see {stele}:holder); until then
    the state is "away", and the error contains the remedy. The same for a copy of this ledger, which
    has its id: {stele}:holder names the file too, and {stele}:committed, the time of
    the last commit, shows whether what is in Redis belongs to this history.

    Of the nodes of a shared log only the one that leads has a cache. {stele}:epoch is the epoch of the latest
    one that wrote. A higher one takes over at once; every transaction watches it, so that a former writer that
    was stopped and continues writes nothing.

    Terminal tasks: the hash expires terminal_ttl after the COMMIT of the task's last
    event, and its id is then removed from {stele}:tasks:STATE: the log from the sweep
    cursor {stele}:swept to the last position older than terminal_ttl identifies them.
    Sessions that have ended expire likewise.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CACHE_H_INCLUDED
#define STELE_CACHE_H_INCLUDED

#include "ledger/reader.h"
#include "wire/pack.h"

typedef struct stele_cache stele_cache_t;

typedef struct {
    const char *url;                // redis://host:port/db or unix:///path.sock?db=N
    const char *prefix;             // "{stele}"
    bool legacy_keys;
    int64_t terminal_ttl_s;
    int64_t check_interval_ms;      // Between two pages of the background check; 0: no check
    int64_t epoch;                  // Of the shared log that this node leads; 0: there is none
} stele_cache_options_t;

/*  Check the URL and create a cache that is not connected yet. Options are copied.
    Caller owns return value. NULL: the reason in the refusal (STELE_EINVALID_FIELD). */
stele_cache_t *
    stele_cache_new (const stele_cache_options_t *options, stele_refusal_t *refusal);

void
    stele_cache_destroy (stele_cache_t **self_p);

typedef enum {
    STELE_CACHE_AWAY,               // Redis is not reachable; retried with back-off
    STELE_CACHE_REBUILDING,
    STELE_CACHE_CATCHING_UP,
    STELE_CACHE_LIVE                // Was at the head at the last step
} stele_cache_state_t;

/*  Do a bounded piece of work (at most a few thousand records, or 1 s if Redis hangs):
    connect, align, apply, sweep. Returns how many milliseconds to wait before the next
    call unless a new head is announced: 0 if there is more to do. Never fails: errors
    are in the state and the statistics.                                     */
int
    stele_cache_step (stele_cache_t *self, stele_reader_t *reader, int64_t now_us);

stele_cache_state_t
    stele_cache_state (const stele_cache_t *self);

/*  Last position applied in Redis; 0: unknown.                              */
int64_t
    stele_cache_position (const stele_cache_t *self);

/*  The next message for the log (connected, away and why, rebuilt n tasks in s seconds,
    maxmemory-policy evicts keys). NULL: none. Owned by the cache.           */
const char *
    stele_cache_news (stele_cache_t *self);

/*  Is the message that was just returned a warning?                         */
bool
    stele_cache_news_is_warning (const stele_cache_t *self);

/*  Pack the statistics as ONE map: state ("live", "catching_up", "rebuilding", "away"),
    position, lag_events, lag_ms, applied (records), batches, rebuilds, reconnects, errors,
    evicted (keys, by Redis), repaired (records, by the background check), last_error, url.
    'head' and 'head_time_us' are the ledger's.                              */
void
    stele_cache_pack_stats (const stele_cache_t *self, int64_t head, int64_t head_time_us,
        int64_t now_us, stele_pack_t *pack);

/*  Requests (protocol section 4): each packs the entries of its answer after "ok" and
    "position" into the map that the caller has opened; returns the number of entries packed,
    or a code with the refusal (STELE_EUNAVAILABLE: Redis is away), after which the caller
    discards the map.
      recover_task   task                     of one task; STELE_ENOT_FOUND
      recover        restored, by_state       all active tasks, or all (with those inside terminal_ttl)
      check          checked, sessions, missing, extra, mismatched, repaired, examples,
                     consistent: every task and session that Redis must hold, field by
                     field, and every key of the layout, page by page, both sides at the
                     same position; 'repair' overwrites what differs
    recover and check block the cache until they are done (about 40,000 records per second),
    or until the function set by stele_cache_end_when returns true: STELE_EUNAVAILABLE. */
typedef bool (stele_cache_ends_fn) (void *arg);
void
    stele_cache_end_when (stele_cache_t *self, stele_cache_ends_fn *fn, void *arg);
int
    stele_cache_recover_task (stele_cache_t *self, stele_reader_t *reader,
        const char *task_id, size_t size, stele_pack_t *pack, stele_refusal_t *refusal);
int
    stele_cache_recover (stele_cache_t *self, stele_reader_t *reader, bool all,
        stele_pack_t *pack, stele_refusal_t *refusal);
int
    stele_cache_check (stele_cache_t *self, stele_reader_t *reader, bool repair,
        stele_pack_t *pack, stele_refusal_t *refusal);

/*  At the start of a broker, without a cache: the last position of that ledger that Redis has
    applied; 0 if it does not hold that ledger, or does not answer within a second. Copies
    "Redis at URL" into 'name'.                                              */
int64_t
    stele_cache_last_position (const stele_cache_options_t *options, const char *ledger_id,
        char *name, size_t name_size);

/*  -- reading one live record ---------------------------------------------------- */

typedef struct stele_live stele_live_t;

stele_live_t *
    stele_live_new (const stele_cache_options_t *options, stele_refusal_t *refusal);
void
    stele_live_destroy (stele_live_t **self_p);

typedef struct {
    const char *ledger_id;
    const char *file_id;            // stele_reader_file_id
} stele_live_source_t;

/*  Read the live record of a task into a cleared record (owned by its arena). Returns 1:
    found; 0: read it from the ledger instead, since Redis does not have it, is at a position
    below min_position, is kept by the broker of another ledger or of a copy, or did not answer within 50 ms (then there are no
    queries for one second).                                                 */
int
    stele_live_task (stele_live_t *self, const stele_live_source_t *source, const char *task_id,
        size_t size, int64_t min_position, stele_record_t *record);

/*  Announce a task: the first stele_live_task then asks for all that were announced at once, and those
    after it are answered from that. At most STELE_LIVE_EXPECTED; others are asked for one by one.  */
#define STELE_LIVE_EXPECTED 500     // As many as task.statuses takes
void
    stele_live_expect (stele_live_t *self, const char *task_id, size_t size);

/*  What was announced, and read ahead, is void.                             */
void
    stele_live_forget (stele_live_t *self);

#endif
