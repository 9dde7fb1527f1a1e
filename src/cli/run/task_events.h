/*  task_events - the events of a command that runs as a task

    Every function returns an event with the current time, which the caller owns.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TASK_EVENTS_H_INCLUDED
#define STELE_CLI_TASK_EVENTS_H_INCLUDED

#include <sys/resource.h>
#include "stele_event.h"

/*  Bytes of content in one output                                           */
#define CLI_OUTPUT_BYTES 65536

typedef struct {
    const char *task;
    const char *title;              // NULL: the command
    const char *role;
    const char *parent;             // NULL: none
    const char *user;               // NULL: that of the key, or the default user
    char *const *command;           // Up to NULL
} cli_task_t;

stele_event_t *
    cli_task_event_created (const cli_task_t *task);

stele_event_t *
    cli_task_event_state (const char *task, const char *state);

/*  The end of a command by its status of wait4, or by the errno with which it could not be started.
    'state' is the final one; 'timeout_s' is used if that is timeout.        */
stele_event_t *
    cli_task_event_end (const char *task, const char *state, int status, int error, double timeout_s);

/*  An output of that type: text if it is UTF-8, otherwise bytes.            */
stele_event_t *
    cli_task_event_output (const char *task, const char *type, const char *content, size_t size);

stele_event_t *
    cli_task_event_metric (const char *task, const char *name, double value, const char *unit);

#endif
