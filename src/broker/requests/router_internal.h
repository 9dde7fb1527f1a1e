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

struct stele_front {
    stele_requests_args_t args;
    zsock_t *peers;                 // ROUTER
    zsock_t *workers;               // ROUTER
    zsock_t *heads;                 // SUB
    bool waits;                     // Some request may wait for a head
    zsock_t *mailboxes [STELE_MAILBOX_COUNT];   // DEALER; NULL: not there
    stele_pending_t *pending;
    stele_turns_t *queue;           // Requests for workers
    zlist_t *idle;                  // Identities of workers
    stele_query_t query;            // To answer itself; its reader is NULL where there is Redis
    int64_t reading_us;             // What it has spent on that in this step,
    int64_t reads_from_us;          // and since when it does so (again)
    stele_tally_t *tally;
    stele_unread_t *unread;
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
#define STELE_FRONT_ELEMENTS_MAX 4000000

extern const char *const stele_mailbox_names [STELE_MAILBOX_COUNT];

/*  The time from now in which a request has to be answered, or go on.       */
void
    stele_front_set_time (stele_front_t *self, stele_request_t *request, int64_t time_ms);

/*  Answer with a refusal; the request is gone then.                         */
void
    stele_front_refuse (stele_front_t *self, stele_request_t *request,
        const stele_refusal_t *refusal);

/*  Answer with what a worker or a mailbox said; takes ownership of it.      */
void
    stele_front_forward (stele_front_t *self, stele_request_t *request, zframe_t **answer_p);

/*  Answer here and now what is a point read, if this front can, and holds up nobody by it; false:
    somebody else has to.                                                    */
bool
    stele_front_answers (stele_front_t *self, stele_request_t *request);

/*  -- router_workers.c -------------------------------------------------------- */

/*  Into the queue for workers.                                              */
void
    stele_front_queue (stele_front_t *self, stele_request_t *request);

/*  Give idle workers what is queued.                                        */
void
    stele_front_feed_workers (stele_front_t *self);

/*  Take one answer; false: there was none.                                  */
bool
    stele_front_take_from_worker (stele_front_t *self);

/*  -- router_mailboxes.c ------------------------------------------------------------- */

void
    stele_front_mail (stele_front_t *self, stele_mailbox_t mailbox,
        stele_request_t *request, int64_t time_ms);

/*  Ask every mailbox for its statistics.                                    */
void
    stele_front_gather (stele_front_t *self, stele_request_t *request);

bool
    stele_front_take_from_mailbox (stele_front_t *self, stele_mailbox_t mailbox);

#endif
