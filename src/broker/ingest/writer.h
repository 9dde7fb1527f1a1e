/*  writer - the batch: messages in, rows and answers out

    What the ingest actor does with a message, free of sockets: it runs the message against
    the roster and the ledger inside the open batch, and collects the answers in
    an outbox that is sent after the commit.

      writer.c          the batch: begin, run, commit, run again
      writer_peer.c     hello, publish, ping, goodbye of producers; leases
      writer_request.c  publish and rejected.retry by request, the pipeline, statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WRITER_H_INCLUDED
#define STELE_WRITER_H_INCLUDED

#include "broker/common/histogram.h"
#include "broker/ingest/roster.h"
#include "broker/common/settings.h"
#include "ledger/reader.h"
#include "wire/message.h"
#include "wire/pack.h"

typedef enum {
    STELE_FROM_PEER,                // Events socket: answers go to its routing id
    STELE_FROM_MAILBOX,             // Request: the answer goes to routing id and token
    STELE_FROM_PIPELINE             // No answers
} stele_source_t;

/*  A message as it came, kept until its batch is committed.                 */
typedef struct stele_input {
    struct stele_input *next;
    stele_source_t source;
    int64_t received_us;            // Steady clock
    size_t id_size, token_size, size;
    char *id, *token, *data;        // Behind the struct
} stele_input_t;

stele_input_t *
    stele_input_new (stele_source_t source, const void *id, size_t id_size,
        const void *token, size_t token_size, const void *data, size_t size);

/*  An answer, sent when what it says is durable.                            */
typedef struct stele_answer {
    struct stele_answer *next;
    stele_source_t to;
    int64_t received_us;            // Of the first message that it acks; 0: none
    bool superseded;                // A later ack of the batch says it too
    bool is_error;                  // Said for what was not taken: a peer that reads nothing can do without
    size_t id_size, token_size, size;
    char *id, *token, *data;
} stele_answer_t;

typedef struct {
    int64_t events, duplicates, rejected, batches, messages, errors, undeliverable;
    int64_t held_back, interrupted, behind;
    int64_t batch_events_max;
    int64_t bytes;
} stele_writer_counts_t;

/*  Where the writer's time goes, nanoseconds since the start. Decoding and storing an event
    are timed for one event in STELE_STAGE_SAMPLE, and counted that often.   */
#define STELE_STAGE_SAMPLE 8
typedef struct {
    int64_t receive, decode, store, commit, ack, checkpoint;
} stele_stages_t;

typedef struct {
    const stele_settings_t *settings;
    stele_ledger_t *ledger;
    stele_roster_t *roster;
    stele_record_t *event;
    stele_pack_t *pack;
    //  The batch
    bool open;                      // A transaction is open
    int64_t batch_events;
    size_t batch_bytes;
    stele_input_t *inputs, **inputs_tail;
    stele_answer_t *answers, **answers_tail;
    int64_t batch_number;           // Of the answers that are there
    int64_t batch_after;            // The last position before it
    //  Mode redis: NULL in others (detour.h)
    int mode;                       // stele_mode_t
    struct stele_redis_mode *redis_mode;
    char redis_mode_error [300];
    //  The input that runs
    const stele_input_t *input;
    void *refused;                  // Of a request: where its refused events are listed
    //  Totals, and as they were at the begin of the batch
    stele_writer_counts_t counts, counts_before;
    stele_histogram_t *ack_us;
    stele_stages_t stages;
    bool holding;                   // Rolled back: messages are kept, not run
    stele_roster_entry_t *expiring;       // Whose lease ran out in this batch: it is no message
    int64_t started_us;             // Steady clock
    char error_text [600];             // Why it holds back or failed
    char alarm [800];               // A producer remembers acks of events that are not here
    char previous_ledger_id [40];             // Id before the last loss that was accepted; "": none
} stele_writer_t;

/*  NULL with a refusal where the ledger cannot be opened.                   */
stele_writer_t *
    stele_writer_new (const stele_settings_t *settings, stele_refusal_t *refusal);
void
    stele_writer_destroy (stele_writer_t **self_p);

/*  Take a message into the batch and run it. Takes ownership. Returns 0, or a storage error:
    then the batch has been rolled back and stele_writer_again runs all of it.
    While it holds, the message is only kept.                                */
int
    stele_writer_take (stele_writer_t *self, stele_input_t *input);

/*  Interrupt the tasks of producers whose lease has run out.                */
int
    stele_writer_expire (stele_writer_t *self);

/*  Apply rule 'all' at a start: every running task. Returns their number or an error. */
int64_t
    stele_writer_interrupt_all (stele_writer_t *self);

/*  Make the batch durable. On 0 the answers are ready to be sent, in 'answers'. */
int
    stele_writer_commit (stele_writer_t *self);

/*  Run the messages of a batch that was rolled back once more, and commit.  */
int
    stele_writer_again (stele_writer_t *self);

/*  Forget the answers after they were sent.                                 */
void
    stele_writer_sent (stele_writer_t *self);

/*  Statistics: packs one map with the keys ingest and producers.            */
void
    stele_writer_pack_stats (stele_writer_t *self, stele_pack_t *pack);

/*  -- between the files of the writer ------------------------------------------ */

/*  Open the transaction if it is not.                                       */
int
    stele_writer_begin (stele_writer_t *self);

/*  Take back everything of the open batch but its messages.                 */
void
    stele_writer_rollback (stele_writer_t *self);

/*  Put what self->pack holds into the outbox, for the input that runs.      */
stele_answer_t *
    stele_writer_answer (stele_writer_t *self);
stele_answer_t *
    stele_writer_answer_to (stele_writer_t *self, const void *id, size_t id_size);

/*  Store the events of a message that begin after its first 'skip'. For each that is
    refused fn is called with its index. *position becomes that of the last event
    if that was stored, else 0.                                               */
typedef void (stele_refused_fn) (stele_writer_t *self, size_t index, int64_t sequence,
    const stele_refusal_t *refusal);
int
    stele_writer_store (stele_writer_t *self, const stele_message_t *message, size_t skip,
        stele_roster_entry_t *member, stele_refused_fn *fn, int64_t *position);

/*  Run one message of each source in the open batch.                        */
int
    stele_writer_expire_one (stele_writer_t *self, stele_roster_entry_t *member);
int
    stele_writer_run_peer (stele_writer_t *self);
int
    stele_writer_run_request (stele_writer_t *self);
int
    stele_writer_run_pipeline (stele_writer_t *self);

#endif
