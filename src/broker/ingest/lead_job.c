/*  lead_job - calls of the shared log that may take long, in a thread of their own

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "broker/ingest/lead_job.h"

enum { IDLE, RUNNING, DONE, ABANDONED };

struct stele_lead_job {
    stele_shared_log_t *log;
    atomic_int state;
    bool started;                   // The thread
    pthread_t thread;
    sem_t begin;                    // A job waits for the thread, or the thread is to end: 'ends'
    bool ends;                      // Set while no job runs. A job that was started runs, also if it was abandoned first
    int wake;                       // eventfd, a semaphore: one for each result to take
    stele_job_input_t input;
    stele_job_result_t result;
    stele_log_page_t *page;         // What the job READ has brought
    stele_log_page_t *front;        // What the one before it has brought: it is taken first
    stele_log_node_t nodes [STELE_LOG_NODES];
};

stele_lead_job_t *
stele_lead_job_new (stele_shared_log_t *log)
{
    stele_lead_job_t *self = STELE_NEW (stele_lead_job_t);
    self->log = log;
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    assert (self->wake >= 0);
    int rc = sem_init (&self->begin, 0, 0);
    assert (rc == 0);
    return self;
}

static void
s_free (stele_lead_job_t *self)
{
    stele_log_page_destroy (&self->page);
    stele_log_page_destroy (&self->front);
    stele_shared_log_destroy (&self->log);
    close (self->wake);
    sem_destroy (&self->begin);
    free (self);
}

bool
stele_lead_job_destroy (stele_lead_job_t **self_p)
{
    assert (self_p);
    stele_lead_job_t *self = *self_p;
    if (!self)
        return true;
    *self_p = NULL;
    //  Read before the exchange: afterwards the thread may free the object
    bool started = self->started;
    pthread_t thread = self->thread;
    if (atomic_exchange (&self->state, ABANDONED) == RUNNING) {
        pthread_detach (thread);
        return false;
    }
    //  It runs no job, so it ends at once
    if (started) {
        self->ends = true;
        sem_post (&self->begin);
        pthread_join (thread, NULL);
    }
    s_free (self);
    return true;
}

static int
s_append (stele_lead_job_t *self)
{
    int code = self->input.batch? stele_shared_log_send (self->log, self->input.batch): 0;
    return code? code: stele_shared_log_poll (self->log, INT64_MAX);
}

//  Another node may create it meanwhile: an empty ledger joins that one
static int
s_create (stele_lead_job_t *self)
{
    int code = stele_shared_log_create (self->log, self->input.ledger_id, self->input.end.position);
    if (code && code != STELE_ELEDGER)
        return code;
    int found = stele_shared_log_head (self->log, &self->result.head);
    return found || code == 0? found: code;
}

//  Has the log, of which the head was read, the batch in doubt? 1, 0, or a code
static int
s_has (stele_lead_job_t *self)
{
    const stele_job_input_t *input = &self->input;
    const stele_batch_end_t *end = &self->result.head.end;
    stele_log_page_t *page = NULL;
    stele_batch_t batch;
    if (input->doubted == end->number && input->doubted)
        return memcmp (end->hash, input->hash, STELE_BATCH_HASH) == 0;
    if (input->doubted != input->end.number + 1 || end->number < input->doubted)
        return 0;
    int code = stele_shared_log_fetch (self->log, &input->end, input->doubted, &page, &self->result.refusal);
    if (code == 0)
        code = stele_log_page_next (page, &input->end, &batch, &self->result.refusal);
    bool same = code == 1 && memcmp (batch.hash, input->hash, STELE_BATCH_HASH) == 0;
    stele_log_page_destroy (&page);
    //  A later version wrote that one
    return code == STELE_EPROTOCOL? 0: code < 0? code: same;
}

static int
s_lead (stele_lead_job_t *self)
{
    int leads = stele_shared_log_lead (self->log, &self->result.head);
    if (leads >= 0)
        self->result.has = s_has (self);
    return leads;
}

static int
s_call (stele_lead_job_t *self)
{
    switch (self->result.kind) {
        case STELE_JOB_LOOK:
            return stele_shared_log_head (self->log, &self->result.head);
        case STELE_JOB_CREATE:
            return s_create (self);
        case STELE_JOB_LEAD:
            return s_lead (self);
        case STELE_JOB_READ:
            return stele_shared_log_fetch (self->log, &self->input.end, self->input.upto, &self->page, &self->result.refusal);
        case STELE_JOB_APPEND:
            return s_append (self);
        case STELE_JOB_NOTE:
            return stele_shared_log_note (self->log, self->input.role, &self->input.end, self->nodes);
        case STELE_JOB_RENEW:
            return stele_shared_log_renew (self->log);
        case STELE_JOB_RESIGN:
            return stele_shared_log_resign (self->log);
        //  No default: the compiler reports a job without a case
    }
    return STELE_EINTERNAL;
}

//  Run the job. False: the object is gone.
static bool
s_run (stele_lead_job_t *self)
{
    uint64_t one = 1;
    self->result.code = s_call (self);
    //  Before the state: afterwards the object may be gone
    ssize_t rc = write (self->wake, &one, sizeof one);
    (void) rc;
    if (atomic_exchange (&self->state, DONE) != ABANDONED)
        return true;
    s_free (self);
    return false;
}

//  One thread for all jobs: a follower runs hundreds of them in a second
static void *
s_loop (void *arg)
{
    stele_lead_job_t *self = arg;
    stele_thread_name ("log");
    do {
        while (sem_wait (&self->begin));
        if (self->ends)
            return NULL;
    } while (s_run (self));
    return NULL;
}

static void
s_start (stele_lead_job_t *self, stele_job_kind_t kind, const stele_job_input_t *input)
{
    self->result = (stele_job_result_t) { .kind = kind };
    self->input = input? *input: (stele_job_input_t) { 0 };
    atomic_store (&self->state, RUNNING);
    if (!self->started)
        self->started = stele_thread_start (&self->thread, s_loop, self);
    if (self->started)
        sem_post (&self->begin);
    else
        s_run (self);
}

void
stele_lead_job_start (stele_lead_job_t *self, stele_job_kind_t kind, const stele_job_input_t *input)
{
    assert (!stele_lead_job_busy (self));
    s_start (self, kind, input);
}

bool
stele_lead_job_may_read_on (const stele_lead_job_t *self)
{
    return !self->front && atomic_load (&self->state) == DONE && self->page;
}

void
stele_lead_job_read_on (stele_lead_job_t *self, int64_t upto)
{
    assert (stele_lead_job_may_read_on (self));
    const stele_job_input_t input = { .end = { .number = stele_log_page_last (self->page) }, .upto = upto };
    self->front = self->page;
    self->page = NULL;
    s_start (self, STELE_JOB_READ, &input);
}

bool
stele_lead_job_busy (const stele_lead_job_t *self)
{
    return atomic_load (&self->state) != IDLE;
}

bool
stele_lead_job_runs (const stele_lead_job_t *self, stele_job_kind_t kind)
{
    return stele_lead_job_busy (self) && self->result.kind == kind;
}

bool
stele_lead_job_done (const stele_lead_job_t *self)
{
    return self->front || atomic_load (&self->state) == DONE;
}

stele_log_page_t *
stele_lead_job_page (const stele_lead_job_t *self)
{
    return self->front? self->front: stele_lead_job_done (self)? self->page: NULL;
}

bool
stele_lead_job_take (stele_lead_job_t *self, stele_job_result_t *result)
{
    if (!stele_lead_job_done (self))
        return false;
    uint64_t one;
    ssize_t rc = read (self->wake, &one, sizeof one);
    (void) rc;
    if (self->front) {
        stele_log_page_destroy (&self->front);
        *result = (stele_job_result_t) { .kind = STELE_JOB_READ };
        return true;
    }
    stele_log_page_destroy (&self->page);
    *result = self->result;
    atomic_store (&self->state, IDLE);
    return true;
}

bool
stele_lead_job_wait (const stele_lead_job_t *self, int64_t wait_ms)
{
    struct pollfd item = { self->wake, POLLIN, 0 };
    int64_t until_ms = stele_clock_steady_ms () + wait_ms, left_ms = wait_ms;
    while (stele_lead_job_busy (self) && !stele_lead_job_done (self) && left_ms > 0) {
        //  Just before the state changes, the descriptor is readable
        if (poll (&item, 1, (int) left_ms) == 1)
            sched_yield ();
        left_ms = until_ms - stele_clock_steady_ms ();
    }
    return stele_lead_job_done (self);
}

const stele_log_node_t *
stele_lead_job_nodes (const stele_lead_job_t *self)
{
    return self->nodes;
}

int
stele_lead_job_fd (const stele_lead_job_t *self)
{
    return self->wake;
}
