/*  lifecycle - the legal transitions between the states of a task

    A table without state (protocol section 3). The writer checks it before it commits;
    reading a task as of an earlier time applies it again.

             +------------------ retry (queued only) ------------------+
             v                                                         |
        +---------+   any non-terminal state to any state   +----------+--------+
     -->| queued  |---------------------------------------->| passed    failed  |
        | starting|                                         | error   cancelled |
        | running |<--- any state, from a task that ------- | timeout           |
        | paused  |     the broker itself interrupted       +-------------------+
        | complet.|                                              terminal
        +---------+

    The same state again is always legal. After the broker, not a producer, ended the
    task ('interrupted'), any state is legal.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIFECYCLE_H_INCLUDED
#define STELE_LIFECYCLE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/vocabulary.h"

/*  The fields of a task that a change of state sets. Times are microseconds since
    the Unix epoch; 0: not set.                                              */
typedef struct {
    stele_task_state_t state;
    bool interrupted;               // Ended by the broker, not by a producer
    int64_t started_at;             // First time it ran
    int64_t completed_at;           // Reached a terminal state
    int64_t error_count;            // State changes of producers with an error_message
    int64_t interruptions;          // State changes by the broker
    int64_t retries;                // From a terminal state to queued
} stele_lifecycle_t;

bool
    stele_lifecycle_terminal (stele_task_state_t state);

/*  May the task change to 'to'?                                             */
bool
    stele_lifecycle_legal (const stele_lifecycle_t *self, stele_task_state_t to);

/*  Change the state. The transition must be legal. 'with_error': the event has an
    error_message; 'by_broker': the broker interrupts the task, which is no error of it. */
void
    stele_lifecycle_move (stele_lifecycle_t *self, stele_task_state_t to,
        int64_t time_us, bool with_error, bool by_broker);

#endif
