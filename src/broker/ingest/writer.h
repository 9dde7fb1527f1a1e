/*  writer - the batch: messages in, rows and answers out

    The rules of the ingest actor, free of sockets: it runs each message against the roster and the
    ledger within the open batch, and collects the answers in an outbox, which is sent after
    the commit. One class in five files, each of which calls only those below it:

      writer_run.c      a message to the file of its source; a rolled back batch once more
      writer_peer.c     hello, publish, ping, goodbye of producers; leases
      writer_request.c  publish and rejected.retry by request, the pipeline, statistics
      writer_audit.c    audit events
      writer.c          the batch: begin, store events, queue answers, commit, roll back

    Mode redis (redis_mode.h) is an object of its own, to which the writer passes each batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WRITER_H_INCLUDED
#define STELE_WRITER_H_INCLUDED

#include "broker/access/access.h"
#include "broker/access/delegate.h"
#include "broker/access/identity_frame.h"
#include "broker/common/histogram.h"
#include "broker/ingest/producer_news.h"
#include "broker/ingest/clock_watch.h"
#include "broker/ingest/disk_space.h"
#include "broker/ingest/roster.h"
#include "broker/ingest/screen.h"
#include "broker/common/settings.h"
#include "broker/operations/params.h"
#include "ledger/reader.h"
#include "wire/event/message.h"
#include "wire/pack.h"

typedef enum {
    STELE_FROM_PEER,                // Events socket: answers go to the routing id
    STELE_FROM_MAILBOX,             // Request: the answer goes to the routing id, with the token
    STELE_FROM_PIPELINE             // No answers
} stele_source_t;

/*  A message as it was received, kept until its batch is committed.         */
typedef struct stele_input {
    struct stele_input *next;
    stele_source_t source;
    int64_t received_us;            // Steady clock
    int connection;                 // Of a peer: the descriptor of its connection; -1: inproc
    const stele_identity_t *identity;   // Of the sender's key
    char peer [STELE_PEER_SIZE];    // Of a request: address of the sender; "": not known
    size_t checks, denials;         // Of access, in the runs so far
    bool again;                     // It waits for the next batch
    size_t id_size, token_size, size;
    char *id, *token, *data;        // In the same allocation
} stele_input_t;

/*  Copies the bytes; the identity is stele_identity_local. Caller owns return value, and frees it with
    free().                                                                  */
stele_input_t *
    stele_input_new (stele_source_t source, const void *id, size_t id_size,
        const void *token, size_t token_size, const void *data, size_t size);

/*  An answer, sent once the batch is durable.                               */
typedef struct stele_answer {
    struct stele_answer *next;
    stele_source_t to;
    int64_t received_us;            // Steady clock: of the first message that it acks; 0: none
    bool superseded;                // A later ack of the batch covers it
    bool is_error;                  // Of a message that was not taken: dropped if the peer does not read
    size_t id_size, token_size, size;
    char *id, *token, *data;
} stele_answer_t;

typedef struct {
    int64_t events, duplicates, rejected, batches, messages, errors, undeliverable;
    int64_t held_back, interrupted, behind, audited;
    int64_t batch_events_max;
    int64_t bytes;
} stele_writer_counts_t;

/*  Time spent per stage since the start, in nanoseconds. Decoding and storing are timed for one event
    in STELE_STAGE_SAMPLE, and multiplied by it.                             */
#define STELE_STAGE_SAMPLE 8
typedef struct {
    int64_t receive, decode, store, commit, ack, checkpoint;
} stele_stages_t;

typedef struct {
    const stele_settings_t *settings;
    stele_ledger_t *ledger;
    stele_roster_t *roster;
    stele_news_t *news;          // For the log; those of the open batch are not printed yet
    stele_screen_t *screen;         // Masks secrets in every event, or refuses it
    stele_record_t *event;
    stele_pack_t *pack;
    stele_pack_t *audit;            // The audit event of a request
    //  The batch
    bool open;                      // A transaction is open
    bool unmarked;                  // Without a shared log: the ledger has no mark of one
    int64_t batch_events;
    size_t batch_bytes;
    size_t retried_bytes;           // Of refused events that were retried
    int64_t batch_interrupted;      // Tasks, by the broker
    stele_input_t *inputs, **inputs_tail;
    stele_input_t **doubted_tail;   // While the batch is in doubt: after its last input; those that follow wait. NULL: it is not
    stele_input_t *later;           // They wait for the next batch
    stele_answer_t *kept_answers;   // Of a batch that the shared log has, and the ledger could not take yet
    stele_answer_t *answers, **answers_tail;
    int64_t batch_number;           // Of the queued answers
    int64_t batch_after;            // Last position before the batch
    bool full;                      // The next batch continues what an input does: with that one, and those after it
    int64_t commit_us;              // Wall clock: time of the commit
    int mode;                       // stele_mode_t
    struct stele_redis_mode *redis_mode;    // NULL in other modes (redis_mode.h)
    struct stele_lead *lead;        // This node in a shared log (lead.h); NULL: there is none
    char redis_mode_error [300];    // Why the batch could not be pushed to Redis
    //  The input that runs
    const stele_input_t *input;
    size_t checks, denials;         // Of access, in this run
    const stele_identity_t *identity;   // Of its sender
    void *refused;                  // Of a request: the list of its refused events
    stele_delegate_t delegate;      // Of a request
    //  Totals, and their values at the start of the batch
    stele_writer_counts_t counts, counts_before;
    stele_histogram_t *ack_us;
    stele_stages_t stages;
    bool holding;                   // Rolled back: messages are kept, not run
    int64_t started_us;             // Steady clock
    int64_t holding_since_us;       // Steady clock: since when it holds back, if it does
    int64_t mode_since_us;          // Steady clock: the mode was set
    stele_disk_space_t disk;
    stele_clock_watch_t clock;
    char error_text [1200];         // Why it holds back or failed
    char previous_ledger_id [40];   // Id before the last loss that was accepted; "": none
} stele_writer_t;

/*  Opens the ledger; NULL with the refusal if that fails. Caller owns return value. */
stele_writer_t *
    stele_writer_new (const stele_settings_t *settings, stele_refusal_t *refusal);
void
    stele_writer_destroy (stele_writer_t **self_p);

/*  Add a message to the batch and run it. Takes ownership. Returns 0, or a storage error: then the
    batch has been rolled back, and stele_writer_again runs all of it again.
    While holding, the message is only kept.                                 */
int
    stele_writer_take (stele_writer_t *self, stele_input_t *input);

/*  Take the messages that arrived while a batch was in doubt, or go on in this batch. Returns as stele_writer_take. */
int
    stele_writer_take_later (stele_writer_t *self);

/*  Interrupt the tasks of producers whose lease has expired. Returns 0 or a storage error. */
int
    stele_writer_expire (stele_writer_t *self);

/*  Interrupt running tasks, as the rule 'all' requires at a start, in a batch, which may be in doubt then. Returns their number, or
    a storage error. If it is that of 'batch-events', some may be left.      */
int64_t
    stele_writer_interrupt_some (stele_writer_t *self);

/*  Make the batch durable. Returns 0 (then 'answers' can be sent), or a storage error. */
int
    stele_writer_commit (stele_writer_t *self);

/*  Run the messages of a batch that was rolled back again, and commit. Returns 0 or a storage error. */
int
    stele_writer_again (stele_writer_t *self);

/*  The batch is in the shared log: commit the ledger, unless 'code' is an error by which it cannot. Returns as
    stele_writer_commit.                                                     */
int
    stele_writer_finish (stele_writer_t *self, int code);

/*  Free the answers after they were sent.                                   */
void
    stele_writer_sent (stele_writer_t *self);

/*  Pack the statistics: a map with the keys ingest, disk, clock and producers.           */
void
    stele_writer_pack_stats (stele_writer_t *self, stele_pack_t *pack);

/*  -- between the files of the writer ------------------------------------------ */

/*  Open the transaction unless it is open. Returns 0 or a storage error.    */
int
    stele_writer_begin (stele_writer_t *self);

/*  Roll back the open batch, but keep its messages.                         */
void
    stele_writer_rollback (stele_writer_t *self);

/*  Queue the contents of self->pack as an answer to the input that runs, or to another peer. The
    writer owns the answer.                                                  */
stele_answer_t *
    stele_writer_answer (stele_writer_t *self);
stele_answer_t *
    stele_writer_answer_to (stele_writer_t *self, const void *id, size_t id_size);

/*  Check the number of events of a message and the sequence of its first one (0: none). Returns 0,
    or a code with the refusal; *expected is set if there is a gap.          */
int
    stele_writer_check_sequence (const stele_writer_t *self, const stele_message_t *message,
        const stele_roster_entry_t *member, int64_t *expected, stele_refusal_t *refusal);

/*  Store the events of a message after its first 'skip'. Calls fn for each refused one with its
    index. *position becomes the position of the last event if it was stored, else 0.
    Returns 0 or a storage error.                                            */
typedef void (stele_refused_fn) (stele_writer_t *self, size_t index, int64_t sequence,
    const stele_refusal_t *refusal);
int
    stele_writer_store (stele_writer_t *self, const stele_message_t *message, size_t skip,
        stele_roster_entry_t *member, stele_refused_fn *fn, int64_t *position);

/*  Is an event that was refused with that code recorded with its bytes? Not if its sender may not publish it, and
    none of a key that is bound to users: no retry, which is not held to these users, may publish it either.  */
bool
    stele_writer_keeps_refused (const stele_writer_t *self, int code);

/*  Mark the run of a producer as expired and interrupt its tasks, in the open batch. If it has more than a batch may have,
    the rest follows in the next one, after which it is expired: so a restart between them continues. */
int
    stele_writer_expire_one (stele_writer_t *self, stele_roster_entry_t *member);

/*  Append an audit event, a packed map (operations/audit.h), in the open batch, which is opened if needed.
    Returns 0 or a storage error.                                            */
int
    stele_writer_audit (stele_writer_t *self, const void *event, size_t size);

/*  The same for the request that runs, which is answered so.                */
int
    stele_writer_audit_request (stele_writer_t *self, const stele_params_t *params, const stele_pack_t *answer);

/*  Refuse the request that runs with params->refusal, and record that if it concerns the audit. Returns 0 or a storage error. */
int
    stele_writer_audit_refusal (stele_writer_t *self, stele_params_t *params);

/*  Take an audit event as a message of its own, which a batch that was rolled back has again. When it is durable
    the request, if not NULL, is answered with 'answer'. Returns as stele_writer_take. */
int
    stele_writer_take_audit (stele_writer_t *self, const stele_input_t *request, const void *event, size_t size,
        const void *answer, size_t answer_size);

/*  For a check of access of the input that runs: NULL if an earlier run of it has made, and counted, that check. */
stele_access_t *
    stele_writer_access (stele_writer_t *self);

/*  Access was refused to the sender of the input that runs: note it (common/denied.h), unless an earlier run of it has. */
void
    stele_writer_denied (stele_writer_t *self, const char *operation, const stele_refusal_t *refusal);

/*  Take audit events of refused access that are due. Returns as stele_writer_take. */
int
    stele_writer_audit_denials (stele_writer_t *self);

/*  Record the loss that was accepted at this start, if one was, and commit. If storage cannot take it now,
    the batch is held back. Returns 0, or another storage error.             */
int
    stele_writer_audit_loss (stele_writer_t *self);

/*  Run the mailbox message "audit" in the open batch. Returns 0 or a storage error. */
int
    stele_writer_run_audit (stele_writer_t *self, stele_params_t *params);

/*  Run the request task.erase in the open batch. Returns 0 or a storage error. */
int
    stele_writer_run_erase (stele_writer_t *self, stele_params_t *params);

/*  Between batches: if it is due, erase some of the outputs that a task.erase has left. Returns 0 or STELE_EIO; other errors
    are in the statistics, and the step is tried again.                      */
int
    stele_writer_erase_step (stele_writer_t *self);

/*  Run the mailbox message "archive" in the open batch. Returns 0 or a storage error. */
int
    stele_writer_run_archive (stele_writer_t *self, stele_params_t *params);

/*  Run the input in the open batch. Return 0 or a storage error.            */
int
    stele_writer_run_peer (stele_writer_t *self);
int
    stele_writer_run_request (stele_writer_t *self);
int
    stele_writer_run_pipeline (stele_writer_t *self);

#endif
