/*  publisher - the application's side of publishing

    Hands events over to the sender (sender.h), within bounds, and takes in
    what the sender tells: which are durable, which were refused. All in the
    application's thread.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PUBLISHER_H_INCLUDED
#define STELE_PUBLISHER_H_INCLUDED

#include "client/publish/sender.h"
#include "client/spool/spool.h"
#include "model/refusal.h"
#include "stele_client.h"

typedef struct stele_publisher stele_publisher_t;

/*  Start the sender. 'pair' of the settings, and what concerns the spool, is left to this
    class. With a spool (NULL: none), whose ownership it takes, events are durable there
    before they are handed over, and what the spool held comes first. Caller owns return
    value.                                                                   */
stele_publisher_t *
    stele_publisher_new (const stele_sender_settings_t *settings, stele_spool_t **spool_p);

/*  Stop the sender, which says goodbye; does not wait for acks.             */
void
    stele_publisher_destroy (stele_publisher_t **self_p);

/*  As stele_client_on_receipt.                                              */
void
    stele_publisher_on_receipt (stele_publisher_t *self, stele_receipt_fn *fn, void *arg);

/*  Put events into the spool, together. Returns the number of the last, or STELE_EFULL, STELE_EIO,
    STELE_ETOO_LARGE, or the code that ended the producer, with a refusal: then none was taken. */
int64_t
    stele_publisher_spool (stele_publisher_t *self, const stele_spool_event_t *events,
        size_t count, stele_refusal_t *refusal);

/*  Hand an event's bytes over (copied). Returns its number, or STELE_ETIMEOUT,
    STELE_ETOO_LARGE, or the code that ended the producer, with a refusal. Not with a spool. */
int64_t
    stele_publisher_put (stele_publisher_t *self, const void *event, size_t size,
        int timeout_ms, stele_refusal_t *refusal);

/*  As stele_client_wait, _flush, _poll and _refused.                        */
int
    stele_publisher_wait (stele_publisher_t *self, int64_t number, int timeout_ms,
        stele_refusal_t *refusal);
int
    stele_publisher_flush (stele_publisher_t *self, int timeout_ms, stele_refusal_t *refusal);
int64_t
    stele_publisher_poll (stele_publisher_t *self, stele_refusal_t *refusal);
int64_t
    stele_publisher_refused (const stele_publisher_t *self);

#endif
