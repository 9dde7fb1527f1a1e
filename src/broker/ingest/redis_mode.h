/*  redis_mode - mode redis: acks from Redis, while the ledger is not written

    Batches run as usual, but in one transaction of the ledger that stays open
    (sqlite/write/deferred). A batch is acked once a list in Redis (cache/records/pending_list) has its events
    as they are in the log, their producers, the state of the producers, and its rejected events.
    The live records in Redis are updated from within that transaction. Leaving the mode commits it,
    with the same positions. After a crash the list is appended to the ledger, event by event.

    The class spans redis_mode.c (enter, push, leave), redis_mode_recover.c (after a crash) and
    mode_switch.c (which mode, and the change). The loop calls stele_mode_start and _switch; the
    writer calls the functions after them for each batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_MODE_H_INCLUDED
#define STELE_REDIS_MODE_H_INCLUDED

#include "broker/common/mode.h"
#include "broker/ingest/writer.h"

/*  At a start, before the cache follower runs: recover what an earlier run left in Redis, then enter
    the mode of the settings. Returns 0, or a code with the refusal.         */
int
    stele_mode_start (stele_writer_t *writer, stele_refusal_t *refusal);

/*  Switch, between batches. Returns 0, or a code with the refusal: then the mode is unchanged, or sqlite
    if the cache follower does not answer. If the mode is still redis but the transaction of the
    ledger is gone (stele_ledger_suspended), the broker has to stop; the next start
    recovers the events from Redis.                                          */
int
    stele_mode_switch (stele_writer_t *writer, stele_mode_t wanted, stele_refusal_t *refusal);

/*  -- while writer->redis_mode is not NULL -------------------------------------------- */

/*  Note the producer of these positions, for the owner of tasks that they set running. */
void
    stele_writer_note_producer (stele_writer_t *self, int64_t first, int64_t last,
        const stele_roster_entry_t *member);

/*  Before the batch is acked: push it to Redis. Returns 0, STELE_EBUSY if Redis does not take it (with
    the reason in redis_mode_error), or an error of the ledger.              */
int
    stele_writer_push_to_redis (stele_writer_t *self);

/*  After the batch, and when idle: update the live records. Bounded in time; the next call
    continues.                                                               */
void
    stele_writer_update_live_records (stele_writer_t *self);

/*  Close it without writing to the ledger: the list in Redis keeps the acked events. Does nothing in
    other modes.                                                             */
void
    stele_writer_drop_redis_mode (stele_writer_t *self);

/*  Number of events that are only in Redis; 0 in other modes.               */
int64_t
    stele_writer_redis_mode_events (const stele_writer_t *self);

/*  -- between the files of this class --------------------------------------------------- */

/*  Enter: Redis has to answer. Returns 0, or a code with the refusal.       */
int
    stele_writer_enter_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

/*  Leave: commit the acked events to the ledger. Returns 0, or a code with the refusal: then mode redis
    continues, unless the ledger lost the transaction.                       */
int
    stele_writer_leave_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

/*  At a start: append to the ledger what an earlier run acked and did not write there. Returns the
    number of events, or a code with the refusal.                            */
int64_t
    stele_writer_recover_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

#endif
