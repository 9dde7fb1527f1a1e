/*  router_internal - what the files of the front share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROUTER_INTERNAL_H_INCLUDED
#define STELE_ROUTER_INTERNAL_H_INCLUDED

#include "broker/requests/router.h"
#include "broker/operations/query.h"
#include "broker/requests/request_stats.h"
#include "broker/requests/fair_queue.h"
#include "broker/common/send_quota.h"

struct stele_router {
    stele_requests_args_t args;
    zsock_t *peers;                 // ROUTER
    zsock_t *workers;               // ROUTER
    zsock_t *heads;                 // SUB
    bool waits;                     // Some request may wait for a head
    zsock_t *mailboxes [STELE_MAILBOX_COUNT];   // DEALER; NULL: not there
    stele_pending_t *pending;
    stele_fair_queue_t *queue;           // Requests for workers
    zlist_t *idle;                  // Identities of workers
    stele_query_t query;            // To answer itself; its reader is NULL where there is Redis
    int64_t reading_us;             // What it has spent on that in this step,
    int64_t reads_from_us;          // and since when it does so (again)
    stele_request_stats_t *tally;
    stele_send_quota_t *unread;
    int64_t dropped;                // Answers that had nobody to take them
    int64_t withheld;               // Answers that were refused, others being unread
    int64_t head;
    int mode;                       // stele_mode_t, as the writer said last
    stele_pack_t *pack;
    zframe_t *endpoints;
    zframe_t *recovery;
    zframe_t *consistency;          // The last check, its answer's entries
    zframe_t *parts [STELE_MAILBOX_COUNT];      // Of the statistics, the last ones that came,
    int64_t parts_us [STELE_MAILBOX_COUNT];     // and when
};

//  More elements than the largest publish has; checking them takes some milliseconds
#define STELE_ROUTER_ELEMENTS_MAX 4000000

extern const char *const stele_mailbox_names [STELE_MAILBOX_COUNT];

/*  The time from now in which a request has to be answered, or go on.       */
void
    stele_router_set_time (stele_router_t *self, stele_request_t *request, int64_t time_ms);

/*  Answer with a refusal; the request is gone then.                         */
void
    stele_router_refuse (stele_router_t *self, stele_request_t *request,
        const stele_refusal_t *refusal);

/*  Answer with what a worker or a mailbox said; takes ownership of it.      */
void
    stele_router_forward (stele_router_t *self, stele_request_t *request, zframe_t **answer_p);

/*  Answer here and now what is a point read, if this front can, and holds up nobody by it; false:
    somebody else has to.                                                    */
bool
    stele_router_answers (stele_router_t *self, stele_request_t *request);

/*  -- router_workers.c -------------------------------------------------------- */

/*  Into the queue for workers.                                              */
void
    stele_router_queue (stele_router_t *self, stele_request_t *request);

/*  Give idle workers what is queued.                                        */
void
    stele_router_feed_workers (stele_router_t *self);

/*  Take one answer; false: there was none.                                  */
bool
    stele_router_take_from_worker (stele_router_t *self);

/*  -- router_mailboxes.c ------------------------------------------------------------- */

void
    stele_router_mail (stele_router_t *self, stele_mailbox_t mailbox,
        stele_request_t *request, int64_t time_ms);

/*  Ask every mailbox for its statistics.                                    */
void
    stele_router_gather (stele_router_t *self, stele_request_t *request);

bool
    stele_router_take_from_mailbox (stele_router_t *self, stele_mailbox_t mailbox);

#endif
