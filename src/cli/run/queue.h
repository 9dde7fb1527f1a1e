/*  queue - events on their way from the thread that watches a command to the one that records it

    Any thread may call these functions. Events are in the order in which they were put.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_QUEUE_H_INCLUDED
#define STELE_CLI_QUEUE_H_INCLUDED

#include "stele_event.h"

typedef struct cli_queue cli_queue_t;

/*  Caller owns return value. Never NULL.                                    */
cli_queue_t *
    cli_queue_new (void);

/*  Destroy the queue and the events in it.                                  */
void
    cli_queue_destroy (cli_queue_t **self_p);

/*  Append an event. The queue takes it, and sets the caller's pointer to NULL.  */
void
    cli_queue_put (cli_queue_t *self, stele_event_t **event_p);

/*  No event follows.                                                        */
void
    cli_queue_close (cli_queue_t *self);

/*  End the wait of cli_queue_take, this one or the next.                     */
void
    cli_queue_wake (cli_queue_t *self);

/*  Take up to 'max' events, after waiting at most timeout_ms for the first. The caller owns them.
    Returns their number, 0 after the wait or cli_queue_wake, -1 if the queue is closed and empty. */
int
    cli_queue_take (cli_queue_t *self, stele_event_t **events, int max, int timeout_ms);

/*  Bytes of the events that were put, and that of them were taken and handled: those of the last
    cli_queue_take count as handled with the next one.                       */
int64_t
    cli_queue_put_bytes (cli_queue_t *self);
int64_t
    cli_queue_handled_bytes (cli_queue_t *self);

#endif
