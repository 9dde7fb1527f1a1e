/*  lead_job - calls of the shared log that may take long, in a thread of their own

    To connect (names, hosts that do not answer), to lead, to read the head or batches can take as long as the time-out of
    the log, and so can each statement if the server, or its standby, stands still. The actor that writes answers requests
    meanwhile. One job runs at a time; while it does, it alone uses the log.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEAD_JOB_H_INCLUDED
#define STELE_LEAD_JOB_H_INCLUDED

#include "log/shared_log.h"

typedef struct stele_lead_job stele_lead_job_t;

typedef enum {
    STELE_JOB_LOOK,                 // Connect, and read the head
    STELE_JOB_CREATE,               // Create the log unless it exists, and read the head
    STELE_JOB_LEAD,                 // Connect, and lead; then look whether the log has the batch in doubt
    STELE_JOB_READ,                 // A page of batches
    STELE_JOB_APPEND,               // Send the batch unless it was sent, and wait for its outcome
    STELE_JOB_NOTE,                 // Note this node, and list the others
    STELE_JOB_RENEW,
    STELE_JOB_RESIGN
} stele_job_kind_t;

/*  What a job needs besides the log                                         */
typedef struct {
    stele_batch_t *batch;           // To append; NULL: it was sent. It stays in place, also after stele_lead_job_destroy
    const char *role;               // To note
    char ledger_id [40];            // To create
    stele_batch_end_t end;          // What the ledger has: to create, to lead, to read, to note
    int64_t doubted;                // To lead: number of the batch in doubt; 0: none, or it was never sent
    unsigned char hash [STELE_BATCH_HASH];      // Of that one
    int64_t upto;                   // To read
} stele_job_input_t;

typedef struct {
    stele_job_kind_t kind;
    int code;                       // As the function of the log
    stele_log_head_t head;          // Of LOOK, CREATE and LEAD
    int has;                        // Of LEAD: 1: the log has the batch in doubt; 0; or a code, of which the refusal has the reason
    stele_refusal_t refusal;        // Of READ, and of 'has'
} stele_job_result_t;

/*  Takes the log. Caller owns return value.                                 */
stele_lead_job_t *
    stele_lead_job_new (stele_shared_log_t *log);

/*  Does not wait for a job that runs: the thread then frees the object, and false is returned. */
bool
    stele_lead_job_destroy (stele_lead_job_t **self_p);

/*  Start a job; none runs. 'input' may be NULL for those that need none.    */
void
    stele_lead_job_start (stele_lead_job_t *self, stele_job_kind_t kind, const stele_job_input_t *input);

/*  Does a job run, or is there one whose result was not taken? Then the log is not to be used. */
bool
    stele_lead_job_busy (const stele_lead_job_t *self);

/*  Does a job of that kind run, or is there one whose result was not taken? */
bool
    stele_lead_job_runs (const stele_lead_job_t *self, stele_job_kind_t kind);

/*  Is there a result to take?                                               */
bool
    stele_lead_job_done (const stele_lead_job_t *self);

/*  The batches that a job READ has brought, until its result is taken: as long as some are left, there is a result to take.
    NULL: it has failed, or has not ended. Owned by the object.              */
stele_log_page_t *
    stele_lead_job_page (const stele_lead_job_t *self);

/*  Is there a page of a job READ, and none that reads on after it? Then the log may be used until the next one starts. */
bool
    stele_lead_job_may_read_on (const stele_lead_job_t *self);

/*  Meanwhile, start a job READ for what follows that page, up to number 'upto'. The page is taken first, with a result of its own. */
void
    stele_lead_job_read_on (stele_lead_job_t *self, int64_t upto);

/*  Take the result of the job. False: there is none yet.                    */
bool
    stele_lead_job_take (stele_lead_job_t *self, stele_job_result_t *result);

/*  Wait for a result to take, at most wait_ms. False: there is none yet, or no job. */
bool
    stele_lead_job_wait (const stele_lead_job_t *self, int64_t wait_ms);

/*  The nodes that the last job NOTE has listed, until the next job starts.  */
const stele_log_node_t *
    stele_lead_job_nodes (const stele_lead_job_t *self);

/*  Descriptor that is readable when there is a result to take.              */
int
    stele_lead_job_fd (const stele_lead_job_t *self);

#endif
