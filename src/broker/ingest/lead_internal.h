/*  lead_internal - what the files of a node in a shared log have in common

      lead.c           the writer: append, doubt; answers of a node
      lead_follow.c    the follower: fold, take over; stop
      lead_start.c     the start: join the log, fold what it has
      lead_job.c       calls of the log that may take long, in a thread of their own

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEAD_INTERNAL_H_INCLUDED
#define STELE_LEAD_INTERNAL_H_INCLUDED

#include "broker/ingest/fold.h"
#include "broker/ingest/lead.h"
#include "broker/ingest/lead_job.h"
#include "log/shared_log.h"

#define STELE_LEAD_PATIENCE_MS 300      // For PostgreSQL, before a thread waits for it (lead_job.h): 'stats' has to be answered

struct stele_lead {
    stele_shared_log_t *log;        // Of the job, which uses it while it is busy
    stele_lead_job_t *job;
    stele_fold_t *fold;             // NULL: the start is not over
    stele_histogram_t *append_us;
    bool leads;
    bool in_doubt;
    bool ahead;                     // The log has the open batch, the ledger has not committed it
    bool stopped;                   // A later version wrote the log: this node folds no more
    bool full;                      // The ledger, or one of its archives, takes no batch for now: this node does not lead
    bool resigned;                  // This node stops
    bool cold;                      // It led at its start, and no other node led just before
    bool replicated;                // Commits of PostgreSQL waited for a standby when this node began to lead
    bool expired;                   // As of the last look at the head: no node leads
    bool reads;                     // The log has what the ledger lacks: it has folded some of it
    bool may_lead;                  // It tries to as soon as it has all that is safe
    bool skips;                     // What is read on after a page that could not be folded: it is dropped
    bool takes_over;                // It leads the log, but not all of it up to 'target' is folded
    stele_log_head_t target;
    stele_batch_end_t end;          // What the ledger has, or has with the open batch that the log has
    stele_batch_t batch;            // Of the open batch
    void *frame;                    // Its bytes
    int stored;                     // Code of the ledger for the rows of the open batch: it may have rolled them back by itself
    int64_t sent_us;                // Steady clock: the open batch was to be sent
    int64_t doubts;
    int64_t known;                  // Number of the last batch of the log, as of the last look at the head
    int64_t looked_ms;              // Steady clock: at the head
    int64_t failed_ms;              // Steady clock: the batches that were read last could not be folded; 0: they could
    int64_t current_ms;             // Steady clock: when the ledger last had all of the log that was known
    int64_t doubted_ms;             // Steady clock: since when the open batch is in doubt
    int64_t trouble_ms;             // Steady clock: since when there is 'trouble'
    int64_t alive_ms;               // Steady clock: last sign of life as the writer
    int64_t announced_us;           // Steady clock
    int64_t noted_ms, listed_ms;    // Steady clock: this node tried to note itself, and did
    stele_log_node_t nodes [STELE_LOG_NODES];   // As of 'listed_ms'
    int node_count;
    char writer_name [STELE_NODE_NAME_MAX + 1];
    char writer_events [STELE_NODE_ENDPOINTS_MAX + 1];      // Its endpoints; "": not known
    char writer_requests [STELE_NODE_ENDPOINTS_MAX + 1];
    char trouble [700];             // Why it does not follow; "": it does
};

/*  A job has ended that notes this node, or is another sign of life: keep what it has brought.  */
void
    stele_lead_take_note (stele_lead_t *self, const stele_job_result_t *result);

/*  Another node leads: *head describes it.                                  */
void
    stele_lead_follow (stele_writer_t *writer, const stele_log_head_t *head);

/*  This node leads now, with the log up to *head. If the ledger lacks some of it, the writer holds back, and
    stele_lead_resolve continues; otherwise it begins to decide. Returns 0 or a code as stele_lead_tick. */
int
    stele_lead_take_over (stele_writer_t *writer, const stele_log_head_t *head);

/*  While it takes over: read and fold more, for a slice of time. Returns 0 or a code as stele_lead_tick. */
int
    stele_lead_catch_up (stele_writer_t *writer);

/*  Start a job that leads, or tries to.                                     */
void
    stele_lead_try (stele_lead_t *self);

/*  Keep why this node does not follow; "": it does.                         */
void
    stele_lead_trouble (stele_lead_t *self, const char *text);

/*  This node has read the head, with that result. Returns as stele_lead_tick. */
int
    stele_lead_take_look (stele_writer_t *writer, int found, const stele_log_head_t *head);

#endif
