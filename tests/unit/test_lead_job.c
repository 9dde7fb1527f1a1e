/*  test_lead_job - the thread of the shared log, over a log that only counts

    The functions of the log are those of this file: each takes as long as chance has it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "broker/ingest/lead_job.h"

#define ROUNDS 100
#define STEPS 100                   // At most, per round
#define PATIENCE_MS 60000

//  -- a log -------------------------------------------------------------------------------

struct stele_shared_log { int64_t calls; };
struct stele_log_page { int64_t next, last; };

static atomic_int s_destroyed;

//  Not atomic: only one thread uses the log at a time
static void
s_use (stele_shared_log_t *self)
{
    if (self->calls++ % 3 == 0)
        usleep (100);
}

int
stele_shared_log_head (stele_shared_log_t *self, stele_log_head_t *head)
{
    (void) head;
    s_use (self);
    return 1;
}

int
stele_shared_log_create (stele_shared_log_t *self, const char *ledger_id, int64_t position)
{
    (void) self; (void) ledger_id; (void) position;
    return 0;
}

int
stele_shared_log_lead (stele_shared_log_t *self, stele_log_head_t *head)
{
    (void) self; (void) head;
    return 1;
}

int
stele_shared_log_send (stele_shared_log_t *self, stele_batch_t *batch)
{
    (void) self; (void) batch;
    return 0;
}

int
stele_shared_log_poll (stele_shared_log_t *self, int64_t wait_ms)
{
    (void) self; (void) wait_ms;
    return 1;
}

int
stele_shared_log_note (stele_shared_log_t *self, const char *role, const stele_batch_end_t *end, stele_log_node_t *nodes)
{
    (void) self; (void) role; (void) end; (void) nodes;
    return 0;
}

int
stele_shared_log_renew (stele_shared_log_t *self)
{
    (void) self;
    return 0;
}

int
stele_shared_log_resign (stele_shared_log_t *self)
{
    (void) self;
    return 0;
}

void
stele_shared_log_destroy (stele_shared_log_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
    atomic_fetch_add (&s_destroyed, 1);
}

int
stele_shared_log_fetch (stele_shared_log_t *self, const stele_batch_end_t *end, int64_t upto, stele_log_page_t **page,
    stele_refusal_t *refusal)
{
    (void) refusal;
    s_use (self);
    *page = calloc (1, sizeof **page);
    assert_non_null (*page);
    (*page)->next = end->number + 1;
    (*page)->last = upto;
    return 0;
}

int
stele_log_page_next (stele_log_page_t *self, const stele_batch_end_t *end, stele_batch_t *batch, stele_refusal_t *refusal)
{
    (void) end; (void) refusal;
    batch->number = self->next;
    return self->next++ <= self->last;
}

int64_t
stele_log_page_last (const stele_log_page_t *self)
{
    return self->last;
}

void
stele_log_page_destroy (stele_log_page_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

//  -- tests -------------------------------------------------------------------------------

static stele_lead_job_t *
s_new (stele_shared_log_t **log)
{
    *log = calloc (1, sizeof **log);
    assert_non_null (*log);
    return stele_lead_job_new (*log);
}

static void
s_await (const stele_lead_job_t *job)
{
    struct pollfd item = { stele_lead_job_fd (job), POLLIN, 0 };
    assert_int_equal (poll (&item, 1, PATIENCE_MS), 1);
    assert_true (stele_lead_job_wait (job, PATIENCE_MS));
}

//  Start a job if there is none; fold what has come, and read on before its end. '*last': what was folded.
static void
s_step (stele_lead_job_t *job, stele_shared_log_t *log, int64_t *last)
{
    stele_job_result_t result;
    stele_refusal_t refusal;
    stele_batch_t batch;
    if (!stele_lead_job_busy (job)) {
        const stele_job_input_t input = { .end = { .number = *last }, .upto = *last + 3 };
        s_use (log);
        stele_lead_job_start (job, *last % 2? STELE_JOB_LOOK: STELE_JOB_READ, &input);
        *last += *last % 2;
        return;
    }
    s_await (job);
    stele_log_page_t *page = stele_lead_job_page (job);
    while (page && stele_log_page_next (page, &(stele_batch_end_t) { 0 }, &batch, &refusal) == 1) {
        assert_int_equal (batch.number, ++*last);
        if (*last % 5 && stele_lead_job_may_read_on (job)) {
            s_use (log);
            stele_lead_job_read_on (job, stele_log_page_last (page) + 2);
        }
    }
    assert_true (stele_lead_job_take (job, &result));
}

static void
test_lead_job_frees_what_it_uses_whenever_it_is_abandoned (void **state)
{
    (void) state;
    atomic_store (&s_destroyed, 0);
    for (int round = 0; round < ROUNDS; round++) {
        stele_shared_log_t *log;
        stele_lead_job_t *job = s_new (&log);
        int64_t last = 0;
        for (int i = 0; i < round % STEPS; i++)
            s_step (job, log, &last);
        bool busy = stele_lead_job_busy (job);
        assert_true (stele_lead_job_destroy (&job) || busy);
        assert_null (job);
    }
    for (int i = 0; i < PATIENCE_MS && atomic_load (&s_destroyed) < ROUNDS; i++)
        usleep (1000);
    assert_int_equal (atomic_load (&s_destroyed), ROUNDS);
}

//  A page that was read on does not take the place of the one before it
static void
test_lead_job_page_that_is_read_on_comes_after_the_one_before_it (void **state)
{
    (void) state;
    stele_shared_log_t *log;
    stele_job_result_t result;
    stele_lead_job_t *job = s_new (&log);
    const stele_job_input_t input = { .upto = 3 };
    stele_lead_job_start (job, STELE_JOB_READ, &input);
    s_await (job);
    stele_log_page_t *first = stele_lead_job_page (job);
    assert_true (stele_lead_job_may_read_on (job));
    stele_lead_job_read_on (job, 7);
    assert_false (stele_lead_job_may_read_on (job));
    assert_ptr_equal (stele_lead_job_page (job), first);
    assert_true (stele_lead_job_take (job, &result));
    assert_true (stele_lead_job_runs (job, STELE_JOB_READ));
    s_await (job);
    assert_int_equal (stele_log_page_last (stele_lead_job_page (job)), 7);
    assert_true (stele_lead_job_take (job, &result));
    assert_false (stele_lead_job_busy (job));
    //  No result is left to take
    struct pollfd item = { stele_lead_job_fd (job), POLLIN, 0 };
    assert_int_equal (poll (&item, 1, 0), 0);
    assert_true (stele_lead_job_destroy (&job));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lead_job_frees_what_it_uses_whenever_it_is_abandoned),
        cmocka_unit_test (test_lead_job_page_that_is_read_on_comes_after_the_one_before_it)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
