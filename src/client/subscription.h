/*  subscription - every committed event, once and in the order of positions

    The feed (SUB) is fast but may lose messages; the ledger (events.read) is complete. The
    next event in order is delivered from the feed. Whenever events may be missing, or the
    feed left out content, events are read from the ledger up to that position.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SUBSCRIPTION_H_INCLUDED
#define STELE_SUBSCRIPTION_H_INCLUDED

#include "client/connection/key.h"
#include "model/refusal.h"
#include "stele_event.h"

typedef struct stele_subscription stele_subscription_t;

/*  Subscribe to events that match 'topic' (stele_topic_set), or to those of the task with
    'task_id' if that is not NULL, after position 'after'; -1 starts with the next event, STELE_FOLLOW_LIVE too, without ever reading the
    ledger. 'key' as in link.h.
    Caller owns return value. NULL, with a refusal, for an invalid endpoint or if the process has no
    socket left.                                                             */
stele_subscription_t *
    stele_subscription_new (const char *feed, const char *requests, const stele_key_t *key, const char *topic,
        const char *task_id, int64_t after, stele_refusal_t *refusal);

void
    stele_subscription_destroy (stele_subscription_t **self_p);

/*  The positions are those of this ledger: nothing is returned before the feed has confirmed it. Call it before the first
    stele_subscription_next.                                                 */
void
    stele_subscription_expect (stele_subscription_t *self, const char *ledger);

/*  Every event up to this position was returned, or is not of the subscription; -1: not known yet. */
int64_t
    stele_subscription_position (const stele_subscription_t *self);

/*  See stele_client_next.                                                   */
int
    stele_subscription_next (stele_subscription_t *self, int timeout_ms, stele_event_t **event,
        stele_refusal_t *refusal);

/*  See stele_client_fd; -1 if there is no descriptor left.                  */
int
    stele_subscription_fd (stele_subscription_t *self);

#endif
