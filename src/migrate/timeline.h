/*  timeline - the events of one task, completed so that they lead to its old record

    A record of the ledger is computed from events. So the rows of a task's history
    become events, and where these do not lead to the values of its row (state,
    times, errors, provider, model), they are reconciled with it, with the fewest changes:

      times              a time of whole seconds equals a time within that second: the one
                         with a fraction is used
      started_at, completed_at   a row within two seconds of it is moved to that time; else
                                 an event is inserted
      error_count, last_error    missing messages are added to rows that can have them, or
                                 events inserted; surplus ones are kept in 'migrated'
      an illegal transition      queued is inserted (a retry)
      the last state             is set, if the history ends in another one
      a time before the one of the previous event    becomes that, so that no duration is negative
      updated_at, provider, model    a task.updated at the end

    Inserted events are marked in 'migrated'; moved ones keep their own time there.

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
    json_t *event;                  // Without type, time, task_id and state
    json_t *kept;                   // For 'migrated'
    bool is_error;                  // It has an error_message
} timeline_step_t;

typedef struct {
    convert_t *convert;             // Of the row of the task, for reports
    const char *task_id;
    //  Values of the row; times 0: not set
    stele_task_state_t state;
    int64_t created_us, updated_us, started_us, completed_us;
    int64_t error_count;            // -1: unknown
    json_t *last_error;             // NULL: none, or unknown
    bool has_last_error;            // The row has the column
    json_t *provider, *model;       // NULL: none
    json_t *first_provider, *first_model;   // Those at its creation, as its history has them; NULL: unknown
    json_t *user;
    //  The timeline
    stele_task_state_t first;       // State at its creation
    bool has_creation;              // A row of its history was read
    timeline_step_t *steps;
    size_t count, room;
    //  The events emitted so far
    int64_t order_us;               // Lowest order of the next step
    int64_t last_order_us, last_time_us;
} timeline_t;

/*  Append a step. Takes the objects. Owned by the timeline, valid until the next call. */
timeline_step_t *
    timeline_add (timeline_t *self, int64_t time_us, stele_task_state_t state, json_t *event, json_t *kept);

/*  Reconcile the steps, which are in order, with the row.                   */
void
    timeline_reconcile (timeline_t *self);

/*  Emit the steps, after task.created.                                      */
void
    timeline_emit (timeline_t *self);

/*  Mark the task as failed if it is unfinished and the migration interrupts such tasks. Call after timeline_close. */
void
    timeline_interrupt (timeline_t *self);

/*  Order of an event that is not a step (an output, for example), to be emitted next. */
int64_t
    timeline_order (timeline_t *self, int64_t time_us);

/*  Emit the last event, if one is needed.                                   */
void
    timeline_close (timeline_t *self, const json_t *title);

void
    timeline_clear (timeline_t *self);

#endif
