/*  timeline - the life of one task, told so that its record ends as it was

    A ledger has no record to write: it follows from events. So the rows of a task's
    history become events, and where they do not lead to what its row says (states,
    times, errors, who ran it), the timeline is mended, as little as possible:

      started_at, completed_at   of a row within two seconds of it is moved there; else
                                 an event is inserted at that time
      error_count, last_error    messages are put into the rows they belong to, or events
                                 with them inserted; those too many stay in 'migrated'
      a state that may not follow another     queued comes between (a retry)
      the last state             is set, where the history ends in another one
      updated_at, provider, model    a task.updated at the end

    What was inserted says so in 'migrated', what was moved keeps its own time there.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TIMELINE_H_INCLUDED
#define STELE_TIMELINE_H_INCLUDED

#include "migrate/convert.h"
#include "model/lifecycle.h"

typedef struct {
    int64_t time_us;
    stele_task_state_t state;
    json_t *event;                  // But type, time, task_id and state
    json_t *kept;                   // What 'migrated' will hold
    bool is_error;                  // It has an error_message
    bool is_creation;               // It may be no more than that the task was created
} timeline_step_t;

typedef struct {
    convert_t *convert;             // Of the row of the task: odd things are said about it
    const char *task_id;
    //  What the row says; times 0 are not set
    stele_task_state_t state;
    int64_t created_us, updated_us, started_us, completed_us;
    int64_t error_count;            // -1: not said
    json_t *last_error;             // NULL: none, or not said
    bool says_last_error;
    json_t *provider, *model;       // NULL: none
    json_t *user;
    //  The timeline
    stele_task_state_t first;       // State at its creation
    timeline_step_t *steps;
    size_t count, room;
    //  Of the events emitted so far
    int64_t order_us;               // Where the next event may not come before
    int64_t last_order_us, last_time_us;
} timeline_t;

/*  Add a step behind the others. Takes the objects.                         */
timeline_step_t *
    timeline_add (timeline_t *self, int64_t time_us, stele_task_state_t state, json_t *event, json_t *kept);

/*  Sort the steps by time (those of one time stay as they are), then mend them. */
void
    timeline_mend (timeline_t *self);

/*  Emit the steps. task.created has been.                                   */
void
    timeline_tell (timeline_t *self);

/*  An event of the task that is no step, an output say, was emitted at that time: returns
    its order.                                                               */
int64_t
    timeline_order (timeline_t *self, int64_t time_us);

/*  The last event, where one is needed.                                     */
void
    timeline_close (timeline_t *self, const char *title);

void
    timeline_clear (timeline_t *self);

#endif
