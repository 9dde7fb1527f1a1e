/*  subscription - every committed event, once and in the order of positions

    The feed (SUB) is quick but may lose; the ledger (events.read) is whole.
    What the feed brings next in order is given as it is; whenever something
    may be missing, or was left out, the ledger is read up to there instead.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SUBSCRIPTION_H_INCLUDED
#define STELE_SUBSCRIPTION_H_INCLUDED

#include "model/refusal.h"
#include "stele_event.h"

typedef struct stele_subscription stele_subscription_t;

/*  Follow events whose topic begins with 'topic', after that position; -1: from now
    on. Caller owns return value. NULL for an endpoint that cannot be, with a refusal. */
stele_subscription_t *
    stele_subscription_new (const char *feed, const char *requests, const char *topic,
        int64_t after, stele_refusal_t *refusal);

void
    stele_subscription_destroy (stele_subscription_t **self_p);

/*  As stele_client_next.                                                    */
int
    stele_subscription_next (stele_subscription_t *self, int timeout_ms, stele_event_t **event,
        stele_refusal_t *refusal);

#endif
