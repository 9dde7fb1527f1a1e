/*  lifecycle - the table of legal transitions

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "model/lifecycle.h"

#define BIT(state) (1u << (state))
#define ANY  (BIT (STELE_TASK_STATE_END) - 2)
#define RETRY BIT (STELE_TASK_QUEUED)

//  From a state (row) to the set of states that may follow it
static const unsigned s_next [STELE_TASK_STATE_END] = {
    [STELE_TASK_QUEUED]     = ANY,
    [STELE_TASK_STARTING]   = ANY,
    [STELE_TASK_RUNNING]    = ANY,
    [STELE_TASK_PAUSED]     = ANY,
    [STELE_TASK_COMPLETING] = ANY,
    [STELE_TASK_PASSED]     = RETRY | BIT (STELE_TASK_PASSED),
    [STELE_TASK_FAILED]     = RETRY | BIT (STELE_TASK_FAILED),
    [STELE_TASK_ERROR]      = RETRY | BIT (STELE_TASK_ERROR),
    [STELE_TASK_CANCELLED]  = RETRY | BIT (STELE_TASK_CANCELLED),
    [STELE_TASK_TIMEOUT]    = RETRY | BIT (STELE_TASK_TIMEOUT)
};

bool
stele_lifecycle_terminal (stele_task_state_t state)
{
    return state >= STELE_TASK_TERMINAL_FROM;
}

bool
stele_lifecycle_legal (const stele_lifecycle_t *self, stele_task_state_t to)
{
    assert (self->state > 0 && self->state < STELE_TASK_STATE_END);
    unsigned next = self->interrupted? ANY: s_next [self->state];
    return (next & BIT (to)) != 0;
}

void
stele_lifecycle_move (stele_lifecycle_t *self, stele_task_state_t to,
    int64_t time_us, bool with_error, bool by_broker)
{
    assert (stele_lifecycle_legal (self, to));
    if (to == STELE_TASK_RUNNING && self->started_at == 0)
        self->started_at = time_us;
    self->completed_at = stele_lifecycle_terminal (to)? time_us: 0;
    if (by_broker)
        self->interruptions++;
    else
    if (with_error)
        self->error_count++;
    if (to == STELE_TASK_QUEUED && stele_lifecycle_terminal (self->state))
        self->retries++;
    self->interrupted = by_broker;
    self->state = to;
}
