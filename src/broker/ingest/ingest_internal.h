/*  ingest_internal - the actor that writes: one class in three files

      ingest.c            the loop: batches, holding back, checkpoints, start and stop
      ingest_sockets.c    receives and sends messages, frame by frame
      ingest_mode.c       the request to change the mode

    The loop calls the other two; neither calls back. A request 'mode' waits in 'mode_request' until the
    loop has ended the batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INGEST_INTERNAL_H_INCLUDED
#define STELE_INGEST_INTERNAL_H_INCLUDED

#include "broker/access/access.h"
#include "broker/common/announcement.h"
#include "broker/common/mode.h"
#include "broker/common/send_quota.h"
#include "broker/ingest/writer.h"

/*  Most bytes of messages per batch; the last message may exceed it. While storage does not take
    writes, further requests are refused.                                    */
#define STELE_BATCH_BYTES (32 * 1024 * 1024)

typedef struct {
    const stele_settings_t *settings;
    zsock_t *pipe;
    zsock_t *events;                // ROUTER
    zsock_t *pipeline;              // PULL, or NULL
    stele_access_t *events_guard, *pipeline_guard;  // NULL: they need no key
    zsock_t *mailbox;               // ROUTER
    zsock_t *head;                  // PUB
    stele_writer_t *writer;
    stele_pack_t *pack;
    stele_send_quota_t *errors;     // Bytes of errors that peers have not read
    stele_input_t *ahead;           // Received but not taken yet: they wait for the one before them
    int ahead_count;
    size_t ahead_bytes;
    stele_announcement_t announced; // The latest
    int64_t announced_us;           // Steady clock
    int retry_ms;
    int64_t retry_us;               // Steady clock: when to try again while holding
    int64_t listened_us;            // Steady clock: when the sockets were last read
    int64_t drained_us;             // Steady clock: when nothing was left in them
    bool holding_reported;          // That it holds back was logged
    bool is_full;                   // It holds back because the disk is full
    bool scrub_reported;            // That contents of erased tasks are still in a file was logged
    bool postponed_reported;        // That the upkeep of the ledger is postponed was logged
    int64_t mode_said_us;           // Steady clock: mode redis was last logged
    stele_input_t *mode_request;    // Received, and to be answered between batches; NULL: none
    bool mode_failed;               // A change of mode lost what only the open transaction had: stop
    int64_t alive_us;               // Steady clock: last sign of life during a rescue
    bool paused;
    bool terminated;
    bool failed;
} stele_ingest_t;

//  -- ingest_sockets.c ---------------------------------------------------------------

/*  Bind a public socket, with its limits, and set its guard. NULL with the refusal. Caller owns return value. */
zsock_t *
    stele_ingest_bind (stele_ingest_t *self, int type, const char *endpoint, stele_refusal_t *refusal);

/*  Take one message of the events socket, the pipeline or the mailbox. Returns whether there was
    one; then *code is the result of the writer. A request 'mode' is kept in 'mode_request'. */
bool
    stele_ingest_take_event (stele_ingest_t *self, int *code);
bool
    stele_ingest_take_pipeline (stele_ingest_t *self, int *code);
bool
    stele_ingest_take_request (stele_ingest_t *self, int *code);

/*  Drop messages that were received but not taken.                          */
void
    stele_ingest_drop_ahead (stele_ingest_t *self);

/*  Send what the pack holds as the answer to that request.                  */
void
    stele_ingest_answer (stele_ingest_t *self, const stele_input_t *request);

/*  Send the answers of the batch, which is durable now.                     */
void
    stele_ingest_send_answers (stele_ingest_t *self);

/*  Send one ack in place of all that could not be sent to this peer: a stele_flush_ack_fn, whose
    arg is the stele_ingest_t.                                               */
bool
    stele_ingest_flush_ack (const void *id, size_t size, const stele_roster_entry_t *member, void *arg);

//  -- ingest_mode.c -----------------------------------------------------------------

/*  Log the mode.                                                            */
void
    stele_ingest_say_mode (stele_ingest_t *self);

/*  Switch, between batches. A batch that is held back runs again in the new mode.
    Returns 0, or a code with the refusal; sets 'mode_failed'.               */
int
    stele_ingest_set_mode (stele_ingest_t *self, stele_mode_t wanted, stele_refusal_t *refusal);

/*  Do what 'mode_request' asks for, between batches, and pack its answer.   */
void
    stele_ingest_answer_mode (stele_ingest_t *self);

/*  Take its audit event, with whose commit the answer in the pack is sent if 'waits'. False: it is not
    recorded, since it only queries the mode, or was malformed. *code is the result of the writer. */
bool
    stele_ingest_audit_mode (stele_ingest_t *self, bool waits, int *code);

#endif
