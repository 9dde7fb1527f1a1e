/*  publisher - the application's side of publishing

    Hands events over to the sender (sender.h), within bounds, and processes its notices
    of durable and refused events. Runs in the application's thread.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PUBLISHER_H_INCLUDED
#define STELE_PUBLISHER_H_INCLUDED

#include "client/publish/refusals.h"
#include "client/publish/sender.h"
#include "client/spool/spool.h"
#include "model/refusal.h"
#include "stele_client.h"

typedef struct stele_publisher stele_publisher_t;

/*  Start the sender. This class sets 'pair' and the spool's part of the settings. Takes
    ownership of the spool (NULL: none): with one, events are durable there before they
    are handed over, and events of earlier runs come first. Caller owns return value.  */
stele_publisher_t *
    stele_publisher_new (const stele_sender_settings_t *settings, stele_spool_t **spool_p);

/*  Stop the sender, without a goodbye; does not wait for acks.              */
void
    stele_publisher_destroy (stele_publisher_t **self_p);

/*  The same in a process that is a child of the one that created it: release the files only,
    and leave the thread and the sockets, which are the parent's.            */
void
    stele_publisher_abandon (stele_publisher_t **self_p);

typedef enum {
    STELE_GOODBYE_NONE,             // As after a crash
    STELE_GOODBYE,
    STELE_GOODBYE_KEEP              // Tasks in progress are left as they are
} stele_goodbye_t;

/*  Stop the sender with that goodbye, and end this producer: publish returns STELE_EUNAVAILABLE. */
void
    stele_publisher_leave (stele_publisher_t *self, stele_goodbye_t goodbye);

/*  Wait for the first welcome. Returns 0, or, with a refusal, STELE_ETIMEOUT or the code that
    ended the producer.                                                      */
int
    stele_publisher_ready (stele_publisher_t *self, int timeout_ms, stele_refusal_t *refusal);

/*  Socket that is readable while notices of the sender wait; owned by the publisher. */
zsock_t *
    stele_publisher_socket (stele_publisher_t *self);

/*  See stele_client_on_receipt.                                             */
void
    stele_publisher_on_receipt (stele_publisher_t *self, stele_receipt_fn *fn, void *arg);

/*  Append events to the spool, all or none. Returns the number of the last, or, with a
    refusal and nothing appended, STELE_EFULL, STELE_EIO, STELE_ETOO_LARGE or the code that
    ended the producer.                                                      */
int64_t
    stele_publisher_spool (stele_publisher_t *self, const stele_spool_event_t *events,
        size_t count, stele_refusal_t *refusal);

/*  Without a spool: hand over a copy of an event's bytes. Returns its number, or, with a
    refusal, STELE_ETIMEOUT, STELE_EUNAUTHORIZED (there is no room, and the broker refuses the connection),
    STELE_ETOO_LARGE or the code that ended the producer.                    */
int64_t
    stele_publisher_put (stele_publisher_t *self, const void *event, size_t size,
        int timeout_ms, stele_refusal_t *refusal);

/*  See stele_client_wait, _flush and _poll.                                 */
int
    stele_publisher_wait (stele_publisher_t *self, int64_t number, int timeout_ms,
        stele_refusal_t *refusal);
int
    stele_publisher_flush (stele_publisher_t *self, int timeout_ms, stele_refusal_t *refusal);
int64_t
    stele_publisher_poll (stele_publisher_t *self, stele_refusal_t *refusal);

/*  Has this producer ended? Then it publishes nothing more.                 */
bool
    stele_publisher_ended (const stele_publisher_t *self);

/*  Number of events that are neither acked nor refused.                     */
int64_t
    stele_publisher_unsettled (const stele_publisher_t *self);

/*  The refusals; owned by the publisher.                                    */
const stele_refusals_t *
    stele_publisher_refusals (const stele_publisher_t *self);

#endif
