/*  lead_job - calls of the shared log that may take long, in a thread of their own

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/memory.h"
#include "base/thread.h"
#include "broker/ingest/lead_job.h"

enum { IDLE, RUNNING, DONE, ABANDONED };

struct stele_lead_job {
    stele_shared_log_t *log;
    atomic_int state;
    int wake;                       // eventfd
    stele_job_result_t result;
};

stele_lead_job_t *
stele_lead_job_new (stele_shared_log_t *log)
{
    stele_lead_job_t *self = STELE_NEW (stele_lead_job_t);
    self->log = log;
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert (self->wake >= 0);
    return self;
}

static void
s_free (stele_lead_job_t *self)
{
    stele_shared_log_destroy (&self->log);
    close (self->wake);
    free (self);
}

void
stele_lead_job_destroy (stele_lead_job_t **self_p)
{
    assert (self_p);
    if (*self_p && atomic_exchange (&(*self_p)->state, ABANDONED) != RUNNING)
        s_free (*self_p);
    *self_p = NULL;
}

static void *
s_run (void *arg)
{
    stele_lead_job_t *self = arg;
    stele_job_result_t *result = &self->result;
    uint64_t one = 1;
    result->code = result->kind == STELE_JOB_LEAD? stele_shared_log_lead (self->log, &result->head):
        stele_shared_log_head (self->log, &result->head);
    //  Before the state: afterwards the object may be gone
    ssize_t rc = write (self->wake, &one, sizeof one);
    (void) rc;
    if (atomic_exchange (&self->state, DONE) == ABANDONED)
        s_free (self);
    return NULL;
}

void
stele_lead_job_start (stele_lead_job_t *self, stele_job_kind_t kind)
{
    assert (!stele_lead_job_busy (self));
    pthread_t thread;
    self->result = (stele_job_result_t) { .kind = kind };
    atomic_store (&self->state, RUNNING);
    if (stele_thread_start (&thread, s_run, self))
        pthread_detach (thread);
    else
        s_run (self);
}

bool
stele_lead_job_busy (const stele_lead_job_t *self)
{
    return atomic_load (&self->state) != IDLE;
}

bool
stele_lead_job_done (const stele_lead_job_t *self)
{
    return atomic_load (&self->state) == DONE;
}

bool
stele_lead_job_take (stele_lead_job_t *self, stele_job_result_t *result)
{
    if (!stele_lead_job_done (self))
        return false;
    uint64_t count;
    ssize_t rc = read (self->wake, &count, sizeof count);
    (void) rc;
    *result = self->result;
    atomic_store (&self->state, IDLE);
    return true;
}

int
stele_lead_job_fd (const stele_lead_job_t *self)
{
    return self->wake;
}
