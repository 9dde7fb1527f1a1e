/*  router_internal - the state of the router, shared by its files

      router.c              peers in: check, route, expire; the loop over the sockets
      router_index.c        searches that wait for the index
      router_mailboxes.c    requests to the writer and the cache; statistics of all actors
      router_workers.c      requests to workers, and those that the router answers itself
      router_answers.c      answers and refusals to the peers
      router_secrets.c      secrets in requests, which no refusal may quote

    One class, whose files call only those below them in this list. An answer that makes a later
    position visible is noted in 'answered'; the loop then routes what waits for it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROUTER_INTERNAL_H_INCLUDED
#define STELE_ROUTER_INTERNAL_H_INCLUDED

#include "broker/requests/router.h"
#include "broker/access/access.h"
#include "broker/access/identity_frame.h"
#include "broker/common/send_quota.h"
#include "broker/operations/query.h"
#include "broker/requests/fair_queue.h"
#include "broker/requests/request_stats.h"
#include "redact/redactor.h"

struct stele_router {
    stele_query_args_t args;
    zsock_t *peers;                 // ROUTER
    stele_access_t *guard;          // Of peers; NULL: they need no key
    zsock_t *workers;               // ROUTER
    zsock_t *heads;                 // SUB
    zsock_t *index;                 // SUB: positions of the index for searches
    bool waits;                     // A request may be waiting for a head,
    bool indexing;                  //    and one for the index
    zsock_t *mailboxes [STELE_MAILBOX_COUNT];   // DEALER; NULL: no such actor
    stele_pending_t *pending;
    stele_fair_queue_t *queue;      // Requests for workers
    zlist_t *idle;                  // Identities of workers
    stele_query_t query;            // For point reads; its reader is NULL with Redis
    int64_t reading_us;             // Time spent on point reads in this step,
    int64_t reads_from_us;          // and when they may continue
    stele_request_stats_t *stats;
    stele_send_quota_t *quota;      // Of answers that peers have not read
    int64_t dropped;                // Answers that no peer was there to take
    int64_t withheld;               // Answers replaced by a refusal, too much being unread
    int64_t head;
    int64_t indexed;                // Position of the index; 0: not known yet; -1: do not wait for it
    int64_t answered;               // Latest position in an answer
    int mode;                       // stele_mode_t, from the writer's last answer
    stele_pack_t *pack;
    stele_redactor_t *redactor;     // NULL: secrets are not looked for
    zframe_t *endpoints;
    zframe_t *recovery;
    zframe_t *consistency;          // Entries of the last consistency.check
    zframe_t *parts [STELE_MAILBOX_COUNT];      // Last statistics of each actor,
    int64_t parts_us [STELE_MAILBOX_COUNT];     // and when they came
};

extern const char *const stele_mailbox_names [STELE_MAILBOX_COUNT];

/*  -- router_answers.c -------------------------------------------------------- */

/*  The time from now at which a request expires or moves on.                */
void
    stele_router_set_time (stele_router_t *self, stele_request_t *request, int64_t time_ms);

/*  Refuse what did not become a request. 'operation' NULL: unknown.         */
void
    stele_router_turn_away (stele_router_t *self, zmsg_t *envelope, const stele_operation_t *operation,
        const stele_refusal_t *refusal);

/*  Access was refused to what did not become a request, or to one: it will be recorded. The frame is one that
    the peer sent. Answers and refusals of requests note it themselves.      */
void
    stele_router_denied (stele_router_t *self, const stele_identity_t *identity, const stele_operation_t *operation,
        zframe_t *frame, const stele_refusal_t *refusal);

/*  Answer with a refusal, and destroy the request.                          */
void
    stele_router_refuse (stele_router_t *self, stele_request_t *request,
        const stele_refusal_t *refusal);

/*  Answer with what a worker or a mailbox answered, which this takes ownership of, and destroy
    the request.                                                             */
void
    stele_router_forward (stele_router_t *self, stele_request_t *request, zframe_t **answer_p);

/*  If the answer is an error and its request has a secret, replace it by one that does not quote the request. Before
    anything of it is recorded.                                              */
void
    stele_router_hide_answer (stele_router_t *self, const stele_request_t *request, zframe_t **answer_p);

/*  -- router_secrets.c -------------------------------------------------------- */

/*  Read the rules, unless the setting redact leaves secrets as they are. Returns 0, or a code with the refusal. */
int
    stele_router_open_secrets (stele_router_t *self, stele_refusal_t *refusal);

/*  The rule of a secret in a request, outside of the events of a publish; NULL: there is none. 'operation' NULL:
    unknown.                                                                 */
const char *
    stele_router_secret (stele_router_t *self, const stele_operation_t *operation, zframe_t *body);

/*  Refuse an actor whose name contains a secret: the log and the audit trail have it. Returns 0 or STELE_ESECRET. */
int
    stele_router_check_name (stele_router_t *self, const char *name, stele_refusal_t *refusal);

/*  Replace the text of a refusal, which may quote a request with a secret of that rule. */
void
    stele_router_hide (stele_refusal_t *refusal, const char *rule);

/*  -- router_workers.c -------------------------------------------------------- */

/*  Answer a point read at once, where this router can, and delays no other request by it; false:
    route it.                                                                */
bool
    stele_router_answers (stele_router_t *self, stele_request_t *request);

/*  Into the queue for workers.                                              */
void
    stele_router_queue (stele_router_t *self, stele_request_t *request);

/*  Send queued requests to idle workers.                                    */
void
    stele_router_feed_workers (stele_router_t *self);

/*  Take one answer; false: there was none.                                  */
bool
    stele_router_take_from_worker (stele_router_t *self);

/*  -- router_index.c ---------------------------------------------------------- */

/*  Hold a search back until the index is near the head, and have it catch up; false: it is, or this is no
    search.                                                                  */
bool
    stele_router_waits_for_index (stele_router_t *self, stele_request_t *request);

/*  Read the last position of the index, and queue the searches that waited for it. */
void
    stele_router_take_indexed (stele_router_t *self);

/*  -- router_mailboxes.c ------------------------------------------------------ */

/*  Have the index or the counts catch up, soon; without an answer.          */
void
    stele_router_wake (stele_router_t *self, stele_mailbox_t follower);

void
    stele_router_mail (stele_router_t *self, stele_mailbox_t mailbox,
        stele_request_t *request, int64_t time_ms);

/*  Request the statistics of every mailbox.                                 */
void
    stele_router_gather (stele_router_t *self, stele_request_t *request);

/*  A request to a mailbox got no answer in time: record that, if it is one that is recorded.  */
void
    stele_router_audit_expired (stele_router_t *self, const stele_request_t *request, const stele_refusal_t *refusal);

bool
    stele_router_take_from_mailbox (stele_router_t *self, stele_mailbox_t mailbox);

#endif
