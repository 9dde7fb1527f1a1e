/*  lead_job - calls of the shared log that may take long, in a thread of their own

    To connect (names, hosts that do not answer), to read the head and to lead can take as long as the time-out of the
    log. The actor that writes answers requests meanwhile. One job runs at a time; while it does, it alone uses the log.

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
    STELE_JOB_LEAD                  // Connect, and lead
} stele_job_kind_t;

typedef struct {
    stele_job_kind_t kind;
    int code;                       // As stele_shared_log_head or _lead
    stele_log_head_t head;
} stele_job_result_t;

/*  Takes the log. Caller owns return value.                                 */
stele_lead_job_t *
    stele_lead_job_new (stele_shared_log_t *log);

/*  Does not wait for a job that runs: its thread then frees the object.     */
void
    stele_lead_job_destroy (stele_lead_job_t **self_p);

/*  Start a job; none runs.                                                  */
void
    stele_lead_job_start (stele_lead_job_t *self, stele_job_kind_t kind);

/*  Does a job run, or is there one whose result was not taken? Then the log is not to be used. */
bool
    stele_lead_job_busy (const stele_lead_job_t *self);

/*  Is there a result to take?                                               */
bool
    stele_lead_job_done (const stele_lead_job_t *self);

/*  Take the result of the job. False: there is none yet.                    */
bool
    stele_lead_job_take (stele_lead_job_t *self, stele_job_result_t *result);

/*  Descriptor that is readable when there is a result to take.              */
int
    stele_lead_job_fd (const stele_lead_job_t *self);

#endif
