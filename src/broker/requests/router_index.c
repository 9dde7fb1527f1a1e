/*  router_index - searches that wait for the index

    The index rests while many events arrive (broker/followers/search_follower.c). A search reads the newest
    events from the log itself, but no more than STELE_SEARCH_TAIL. If the index is further behind, the
    search waits for it, at most as long as a request may take.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/requests/router_internal.h"
#include "ledger/text_index.h"

//  A quarter of what a search reads from the log: the head moves on before a worker begins
#define NEAR (STELE_SEARCH_TAIL / 4)

static void
s_indexed (stele_request_t *request, void *self)
{
    stele_router_queue (self, request);
}

void
stele_router_take_indexed (stele_router_t *self)
{
    int64_t indexed;
    while (zmq_recv (zsock_resolve (self->index), &indexed, sizeof indexed, ZMQ_DONTWAIT) == sizeof indexed)
        self->indexed = indexed;
    if (self->indexing)
        stele_pending_reach (self->pending, STELE_PENDING_INDEXING,
            self->indexed < 0? INT64_MAX: self->indexed, s_indexed, self);
}

static bool
s_is_search (const stele_request_t *request)
{
    return request->operation == &stele_operations [STELE_OPERATION_TASK_LIST]
        && stele_scan_find (zframe_data (request->body), zframe_size (request->body), "search", NULL, NULL).kind
            == STELE_SCAN_TEXT;
}

bool
stele_router_waits_for_index (stele_router_t *self, stele_request_t *request)
{
    if (!s_is_search (request))
        return false;
    stele_router_take_indexed (self);
    if (self->indexed < 0 || self->head - self->indexed <= NEAR)
        return false;
    request->state = STELE_PENDING_INDEXING;
    request->min_position = self->head - NEAR;
    stele_router_set_time (self, request, self->args.settings->request_ms);
    self->indexing = true;
    stele_router_wake (self, STELE_MAILBOX_SEARCH);
    return true;
}
