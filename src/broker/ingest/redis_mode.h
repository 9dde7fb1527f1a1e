/*  redis_mode - mode redis: acks from Redis, while the ledger is not written

    The writer's batches go on as ever, but into a transaction of the ledger that stays
    open (sqlite/write/deferred); each is acked when a list in Redis has what it did
    (cache/pending_list): the events as they are in the log, whose tasks they set running, what
    was refused, the producers. The live records in Redis are kept from inside that
    transaction. On return it is committed, with the same positions; after a crash the
    list is appended to the ledger again, event by event.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_MODE_H_INCLUDED
#define STELE_REDIS_MODE_H_INCLUDED

#include "broker/common/mode.h"
#include "broker/ingest/writer.h"

/*  Begin: Redis has to answer. 0, or a code with a refusal.                 */
int
    stele_writer_enter_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

/*  End: what was acked meanwhile is in the ledger then. 0, or a code with a refusal; the detour
    goes on then, unless the ledger lost it (stele_writer_in_redis_mode).        */
int
    stele_writer_leave_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

/*  Forget it, without bringing it home: the list in Redis keeps what was acked. */
void
    stele_writer_drop_redis_mode (stele_writer_t *self);

bool
    stele_writer_in_redis_mode (const stele_writer_t *self);

/*  Before the batch is through: bring it to Redis. 0, or STELE_EBUSY (Redis does not
    answer), with the reason in 'trouble'.                                   */
int
    stele_writer_push_to_redis (stele_writer_t *self);

/*  After it, and when there is time: the live records. Bounded in time; what is not done is
    done the next time.                                                      */
void
    stele_writer_update_live_records (stele_writer_t *self);

/*  Remember whose events these were, for the owner of the tasks that they set running. */
void
    stele_writer_note_owner (stele_writer_t *self, int64_t first, int64_t last,
        const stele_roster_entry_t *member);

/*  At a start: what the run before acked and did not bring home. Returns how many events were
    appended, or a code with a refusal.                                      */
int64_t
    stele_writer_recover_redis_mode (stele_writer_t *self, stele_refusal_t *refusal);

/*  Events and bytes that are only in Redis so far.                          */
int64_t
    stele_writer_redis_mode_events (const stele_writer_t *self);

/*  -- mode_switch.c ------------------------------------------------------------------- */

/*  Switch, between batches. 0, or a code with a refusal: the mode is what it was. Where
    stele_writer_in_redis_mode is false though the mode is redis, the ledger lost what was
    taken: the broker has to stop, the next start brings it home.            */
int
    stele_mode_switch (stele_writer_t *writer, stele_mode_t wanted, stele_refusal_t *refusal);

/*  At a start, before the cache's actor runs: what a run before left in Redis, then the
    mode of the settings. 0, or a code with a refusal.                       */
int
    stele_mode_start (stele_writer_t *writer, stele_refusal_t *refusal);

#endif
