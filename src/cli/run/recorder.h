/*  recorder - a thread that makes the events of a run durable and sends them

    The thread that watches the command puts events into a queue, and never waits for the disk or
    the broker. The recorder stores them in a spool (slots.h), several with one sync, and a client
    of libstele sends them. If outputs cannot be stored (the spool or the disk is full), they are
    dropped and counted; other events are kept in memory and tried again until the end.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_RECORDER_H_INCLUDED
#define STELE_CLI_RECORDER_H_INCLUDED

#include "cli/run/queue.h"
#include "cli/shared/cli.h"

typedef struct cli_recorder cli_recorder_t;

/*  Start the thread, which opens the spool. 'producer' and 'spool' may be NULL (slots.h). Caller owns
    return value.                                                            */
cli_recorder_t *
    cli_recorder_new (const cli_t *cli, const char *task, const char *producer, const char *spool, bool quiet);

/*  The queue that it reads.                                                 */
cli_queue_t *
    cli_recorder_queue (cli_recorder_t *self);

/*  Wait until the broker has what was put into the queue, at most timeout_ms; if the broker is away,
    only until that is stored.                                               */
void
    cli_recorder_flush (cli_recorder_t *self, int timeout_ms);

/*  Store what is in the queue, wait a bounded time for the broker, warn if it does not have the
    events, and stop the thread. Sets the caller's pointer to NULL. False: the thread still runs, and may use sockets:
    leave the process by _exit(), since the messaging library aborts in exit() then.  */
bool
    cli_recorder_destroy (cli_recorder_t **self_p);

#endif
