/*  ingest_internal - the actor that writes, between its files

      ingest.c            the loop: batches, holding back, checkpoints, start and stop
      ingest_sockets.c    what comes in and what goes out, frame by frame
      ingest_mode.c       the request to run in another mode

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INGEST_INTERNAL_H_INCLUDED
#define STELE_INGEST_INTERNAL_H_INCLUDED

#include "broker/common/mode.h"
#include "broker/common/send_quota.h"
#include "broker/ingest/writer.h"

/*  Of messages in one batch; what comes on top is at most one of them. While the storage takes no
    writes, requests beyond it are refused.                                  */
#define STELE_BATCH_BYTES (32 * 1024 * 1024)

typedef struct {
    const stele_settings_t *settings;
    zsock_t *pipe;
    zsock_t *events;                // ROUTER
    zsock_t *pipeline;              // PULL, or NULL
    zsock_t *mailbox;               // ROUTER
    zsock_t *head;                  // PUB
    stele_writer_t *writer;
    stele_pack_t *pack;
    stele_send_quota_t *errors;         // That peers have not read
    stele_input_t *ahead;           // Received, and not taken yet: they wait for the one before them
    int ahead_count;
    size_t ahead_bytes;
    int64_t announced;              // Head that was last said
    int retry_ms;
    int64_t retry_us;               // Steady clock: when to try again while holding
    int64_t listened_us;            // Steady clock: when leases were last looked at
    bool is_full;                   // Why it holds back: no room
    bool postponed_reported;        // The upkeep of the ledger is postponed
    int64_t alarmed_us;
    int64_t mode_said_us;
    bool paused;
    bool terminated;
    bool failed;
} stele_ingest_t;

//  -- ingest.c ----------------------------------------------------------------------

/*  End the batch: commit it, then send its answers and say the head. 'code' is what went
    wrong while it was filled, 0 for nothing.                                */
void
    stele_ingest_settle (stele_ingest_t *self, int code);

/*  Say the head to who follows, where it has moved.                         */
void
    stele_ingest_announce (stele_ingest_t *self);

/*  Storage failed for good: say so to the supervisor and to the log.        */
void
    stele_ingest_fail (stele_ingest_t *self);

//  -- ingest_sockets.c ---------------------------------------------------------------

/*  A socket that strangers talk to, NULL with the refusal.                  */
zsock_t *
    stele_ingest_bind (stele_ingest_t *self, int type, const char *endpoint, stele_refusal_t *refusal);

/*  Take one message of the events socket, the pipeline, the mailbox. Return whether there
    was one; *code is then what the writer said to it.                       */
bool
    stele_ingest_take_event (stele_ingest_t *self, int *code);
void
    stele_ingest_drop_ahead (stele_ingest_t *self);
bool
    stele_ingest_take_pipeline (stele_ingest_t *self, int *code);
bool
    stele_ingest_take_request (stele_ingest_t *self, int *code);

/*  Send the answers of the batch that is durable.                           */
void
    stele_ingest_send_answers (stele_ingest_t *self);

/*  One ack for all that a peer could not be sent before: a stele_flush_ack_fn; arg is
    the stele_ingest_t.                                                      */
bool
    stele_ingest_flush_ack (const void *id, size_t size, const stele_roster_entry_t *member, void *arg);

//  -- ingest_mode.c -----------------------------------------------------------------

void
    stele_ingest_say_mode (stele_ingest_t *self);

/*  Between batches: what has been taken is committed first, unless it is held back, then it
    runs again in the mode that is set now.                                  */
int
    stele_ingest_set_mode (stele_ingest_t *self, stele_mode_t wanted, stele_refusal_t *refusal);

/*  Answer the request 'mode' into the pack.                                 */
void
    stele_ingest_answer_mode (stele_ingest_t *self, zmq_msg_t *body);

#endif
