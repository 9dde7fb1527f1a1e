/*  task_view - the latest records of changed tasks, for streams with view=tasks

    At most once per second, the tasks that changed are fetched with one request, for all streams of an actor. A
    stream for which more than 400 tasks changed in the meantime gets their number only: its client
    reads the list again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_TASK_VIEW_H_INCLUDED
#define STELE_HTTP_TASK_VIEW_H_INCLUDED

#include "http/hub.h"

typedef struct http_task_view http_task_view_t;

http_task_view_t *
    http_task_view_new (struct http_server *server);

void
    http_task_view_destroy (http_task_view_t **self_p);

/*  Call with each tick of the hub: begins a round if it is time and tasks have changed up to 'position'. */
void
    http_task_view_tick (http_task_view_t *self, http_stream_t *streams, int64_t position);

/*  The stream ends                                                          */
void
    http_task_view_forget (http_task_view_t *self, http_stream_t *stream);

/*  A task changed, for all open streams that are live (http_stream_is_open): one set serves all of them. */
void
    http_task_view_take (http_task_view_t *self, const char *task_id);

/*  Forget these: their positions are void, or no stream is left.            */
void
    http_task_view_reset (http_task_view_t *self);

#endif
