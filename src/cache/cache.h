/*  cache - the live state in Redis, as a follower of the ledger

    stele_cache_t applies the ledger to Redis; one thread owns it. stele_live_t
    reads one live record; each request worker has its own. Neither knows
    sockets nor threads: the actor around stele_cache_t is broker/followers/cache_follower.

    How it follows (protocol section 7). Redis carries the cursor: {stele}:ledger and
    {stele}:position, moved in the same MULTI/EXEC as the records they stand for.
    A step looks which tasks and sessions the next events touched
    (stele_reader_touched), reads their records as they are NOW in one read
    transaction, and writes those: later events of the same task are then there
    already, and are written again to no effect. After any doubt (reconnect,
    time-out, error reply) the position is read back; where Redis is empty, lost its
    position, or is ahead of the ledger, it is rebuilt: a new generation from
    the active tasks (stele_reader_active), then the log from the first
    commit inside terminal_ttl, by the same code. What another ledger has written is
    taken over in the same way once its broker is gone ({stele}:holder says so), and not
    touched before: the state is "away", and the error says what to do.

    Terminal tasks: the hash expires terminal_ttl after the COMMIT of its last event,
    and its id leaves {stele}:tasks:STATE then: the log from the sweep cursor
    {stele}:swept to the last position older than terminal_ttl says which. Sessions that
    have ended expire likewise.

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
    int64_t scrub_ms;               // A page of records is compared in passing so often; 0: never
} stele_cache_options_t;

/*  Check the URL and make a cache that is not yet connected. Options are copied.
    Caller owns return value. NULL: the reason in the refusal (STELE_EINVALID_FIELD). */
stele_cache_t *
    stele_cache_new (const stele_cache_options_t *options, stele_refusal_t *refusal);

void
    stele_cache_destroy (stele_cache_t **self_p);

typedef enum {
    STELE_CACHE_AWAY,               // Not reachable; tries again with back-off
    STELE_CACHE_REBUILDING,
    STELE_CACHE_CATCHING_UP,
    STELE_CACHE_LIVE                // At the head when last looked
} stele_cache_state_t;

/*  Do a bounded piece of the work (at most a few thousand records, and 1 s when Redis
    hangs): connect, align, apply, sweep. Returns how long to wait, in milliseconds,
    before the next call if no new head is announced: 0 where there is more to do.
    Never fails: what went wrong is in the state and its error text.         */
int
    stele_cache_step (stele_cache_t *self, stele_reader_t *reader, int64_t now_us);

stele_cache_state_t
    stele_cache_state (const stele_cache_t *self);

/*  What Redis has applied; 0 where unknown.                                 */
int64_t
    stele_cache_position (const stele_cache_t *self);

/*  What happened last, for the log: changes when there is something new to say
    (connected, away and why, rebuilt n tasks in s seconds, maxmemory-policy
    can drop keys). NULL when there is nothing new. Owned by the cache.      */
const char *
    stele_cache_news (stele_cache_t *self);

/*  Its part of the statistics: packs ONE map with state ("live", "catching_up",
    "rebuilding", "away"), position, lag_events, lag_ms, applied (records), batches,
    rebuilds, reconnects, errors, evicted (keys, by Redis itself), repaired (records that were
    put right in passing), last_error, url. 'head' is the ledger's.            */
void
    stele_cache_pack_stats (const stele_cache_t *self, int64_t head, int64_t head_time_us,
        int64_t now_us, stele_pack_t *pack);

/*  Requests (protocol section 4): each packs the entries of its answer after "ok" and
    "position", so the caller opens the map; returns the number of entries packed, or
    a code with the refusal (STELE_EUNAVAILABLE: Redis is away).
      recover_task   task                     of one task; STELE_ENOT_FOUND
      recover        restored, by_state       all that are active, or all (with those inside terminal_ttl)
      check          checked, sessions, missing, extra, mismatched, repaired, examples,
                     consistent: every task and session that Redis has to hold, field by
                     field, and every key of the layout, page by page, both sides at the
                     same position; 'repair' puts right what differs
    recover and check go on until they are done, and the follower waits: a second for
    some 40,000 records; or until stele_cache_end_when says that it is time to end: STELE_EUNAVAILABLE. */
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

/*  Before any of it: how far does this Redis know that ledger to have been? 0 where it
    does not know it, or does not answer within a second. Whom was asked into 'name'. */
int64_t
    stele_cache_last_position (const stele_cache_options_t *options, const char *ledger_id,
        char *name, size_t name_size);

/*  -- reading one live record ---------------------------------------------------- */

typedef struct stele_live stele_live_t;

stele_live_t *
    stele_live_new (const stele_cache_options_t *options, stele_refusal_t *refusal);
void
    stele_live_destroy (stele_live_t **self_p);

/*  The live record of a task into a cleared record (owned by its arena).
    1: found. 0: Redis does not have it, its position is below min_position, it holds
    another ledger, or Redis did not answer in 50 ms (then it is left alone for a second):
    ask SQLite.                                                              */
int
    stele_live_task (stele_live_t *self, const char *ledger_id, const char *task_id,
        size_t size, int64_t min_position, stele_record_t *record);

#endif
