/*  lifecycle - which state of a task may follow which

    One pure table (protocol section 3). The writer asks it before it commits,
    time travel asks it again while it replays.

             +------------------ retry (queued only) ------------------+
             v                                                         |
        +---------+   any non-terminal state to any state   +----------+--------+
     -->| queued  |---------------------------------------->| passed    failed  |
        | starting|                                         | error   cancelled |
        | running |<--- truth returns, from a task that --- | timeout           |
        | paused  |     the broker itself interrupted       +-------------------+
        | complet.|                                              terminal
        +---------+

    The same state again is always legal. 'interrupted' says that the broker,
    not a producer, ended the task: then any state is legal again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIFECYCLE_H_INCLUDED
#define STELE_LIFECYCLE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/vocabulary.h"

/*  The fields of a task that its states move. Times are microseconds since
    the Unix epoch, 0 is "not set".                                          */
typedef struct {
    stele_task_state_t state;
    bool interrupted;               // Ended by the broker, not by a producer
    int64_t started_at;             // First time it ran
    int64_t completed_at;           // Reached a terminal state
    int64_t error_count;            // State changes with an error_message
} stele_lifecycle_t;

bool
    stele_lifecycle_terminal (stele_task_state_t state);

/*  May a task in this condition be moved to 'to'?                           */
bool
    stele_lifecycle_legal (const stele_lifecycle_t *self, stele_task_state_t to);

/*  Move it. The transition has to be legal. 'with_error' says that the event
    carries an error_message, 'by_broker' that the broker interrupts the task. */
void
    stele_lifecycle_move (stele_lifecycle_t *self, stele_task_state_t to,
        int64_t time_us, bool with_error, bool by_broker);

#endif
