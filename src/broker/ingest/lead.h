/*  lead - the part of a node in a shared log: it leads, or it follows

    With the setting shared-log, what is durable is the log (log/shared_log.h), and the ledger of each node is a
    fold of it. One node leads: it decides each batch in an open transaction of its ledger, appends what was
    decided, and commits and acks after that. The others fold batches as soon as they are safe, answer all
    questions, and answer what a writer takes with not_writer.

        following ── lead ──► leading ── append fails ──► in doubt ── lead, compare ──► leading
            ▲                    │ another node leads          │ another node leads
            └────────────────────┴─────────────────────────────┘

    In doubt, the batch may or may not be in the log. The transaction stays open, and nothing is decided
    meanwhile. To lead again is the barrier after which the log does not change behind this node: then it ends with
    this batch (commit, ack), or with the one before it (append it again, as it was decided), or
    with batches of others (roll back, fold, run the messages again). So no batch is decided twice.

    The writer owns it; all calls are between batches, unless stated otherwise.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEAD_H_INCLUDED
#define STELE_LEAD_H_INCLUDED

#include "broker/ingest/writer.h"

typedef struct stele_lead stele_lead_t;

/*  Connects to nothing yet. NULL with a refusal: the settings are wrong. Caller owns return value. */
stele_lead_t *
    stele_lead_new (const stele_settings_t *settings, stele_refusal_t *refusal);
void
    stele_lead_destroy (stele_lead_t **self_p);

/*  Does this node lead? True without a shared log.                          */
bool
    stele_lead_leads (const stele_lead_t *self);

/*  Is this the start of all nodes, not a take-over from another one? True without a shared log. */
bool
    stele_lead_is_cold (const stele_lead_t *self);

/*  The epoch in which it leads; 0: it does not, or there is no shared log.   */
int64_t
    stele_lead_epoch (const stele_lead_t *self);

/*  Is the open batch in doubt?                                              */
bool
    stele_lead_in_doubt (const stele_lead_t *self);

/*  Has the log a batch that the ledger could not take?                      */
bool
    stele_lead_is_ahead (const stele_lead_t *self);

/*  Is that so, or is a batch in doubt, or does the ledger lack what other nodes have written before this one leads? Then
    stele_lead_resolve comes before anything is decided.                     */
bool
    stele_lead_is_unsettled (const stele_lead_t *self);

/*  The open batch was committed.                                            */
void
    stele_lead_committed (stele_lead_t *self);

/*  Descriptor that is readable when the log has news, or has answered; -1: none. */
int
    stele_lead_fd (const stele_lead_t *self);

/*  Has the log answered, so that stele_lead_resolve has something to do?    */
bool
    stele_lead_has_answer (const stele_lead_t *self);

/*  At a start: create the log if there is none, fold what it has, and lead if no other node does. If the server
    does not answer, this node serves what it has, and follows later. Returns 0, or a code with the refusal: this ledger is none
    of that log, or the pipe has the command STOP.                           */
int
    stele_lead_start (stele_writer_t *writer, zsock_t *pipe, stele_refusal_t *refusal);

/*  At a start: while a batch is in doubt, wait for its end, as long as an append may take. Returns 0, also if it has not ended; or a
    code with the refusal: storage failed, or the pipe has the command STOP. */
int
    stele_lead_settle (stele_writer_t *writer, zsock_t *pipe, stele_refusal_t *refusal);

/*  In the open batch, before its commit: append it. Returns 0; STELE_EUNAVAILABLE: in doubt; a storage error. */
int
    stele_lead_append (stele_writer_t *writer);

/*  Resolve a doubt, or fold what the ledger lacks; never waits. Returns 1: the batch is in the log, and is
    open or was folded; 0: it was rolled back, and is not in the log, or there was none; STELE_EUNAVAILABLE: not resolved yet; or
    a storage error.                                                         */
int
    stele_lead_resolve (stele_writer_t *writer);

/*  Between batches, often: a sign of life of the leader; news of a follower, which leads if it can. 'drained': no
    message waits. Returns 0, or a storage error: also STELE_ELEDGER, the log and the ledger have diverged,
    with the reason in writer->error_text.                                   */
int
    stele_lead_tick (stele_writer_t *writer, bool drained);

/*  This node stops: let another one lead at once.                           */
void
    stele_lead_resign (stele_writer_t *writer);

/*  Queue not_writer as the answer to the input that runs.                   */
int
    stele_lead_refuse (stele_writer_t *writer);

/*  Pack node, role and epoch into a map that was begun.                     */
void
    stele_lead_key_node (const stele_writer_t *writer, stele_pack_t *pack);

/*  Pack the statistics: a map.                                              */
void
    stele_lead_pack_stats (const stele_writer_t *writer, stele_pack_t *pack);

#endif
