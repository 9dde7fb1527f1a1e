/*  source - the events of a broker from a position on, and requests to it, for one target

    Used by one thread. While a target takes nothing, its source is paused: a subscriber that does not read would cost the broker
    memory. A source that is not paused reads the ledger first, then the feed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_SOURCE_H_INCLUDED
#define STELE_RELAY_SOURCE_H_INCLUDED

#include <jansson.h>
#include "relay/settings.h"
#include "stele_client.h"

typedef struct relay_source relay_source_t;

/*  Nothing is connected yet. Settings are borrowed. Caller owns return value. */
relay_source_t *
    relay_source_new (const relay_settings_t *settings);
void
    relay_source_destroy (relay_source_t **self_p);

/*  Text of the last failure                                                 */
const char *
    relay_source_error (const relay_source_t *self);

/*  Make that the text of the last failure. Returns the code.                */
int
    relay_source_fail (relay_source_t *self, int code, const char *why);

/*  Bound the wait for the answer of every request from now on. Without it: 5000 milliseconds. */
void
    relay_source_set_timeout (relay_source_t *self, int64_t timeout_ms);

/*  Send a request and wait for its answer. Returns 0 and the answer, which the caller owns, or a code of the
    client or of the broker.                                                 */
int
    relay_source_ask (relay_source_t *self, const json_t *request, json_t **answer);

/*  The record of a task after the event at a position. Returns 0 and the record, which the caller owns: NULL, if there was no such
    task; or a code.                                                         */
int
    relay_source_task (relay_source_t *self, const char *task_id, int64_t at, json_t **task);

/*  Subscribe to every event of a ledger after a position. Returns 0 or a code. */
int
    relay_source_follow (relay_source_t *self, const char *ledger, int64_t after);

/*  End the subscription, if there is one.                                   */
void
    relay_source_pause (relay_source_t *self);
bool
    relay_source_follows (const relay_source_t *self);

/*  The next event of the subscription, without waiting, as stele_client_next. */
int
    relay_source_next (relay_source_t *self, stele_event_t **event);

/*  Every event that this key may see up to this position was returned; -1: there is no subscription. */
int64_t
    relay_source_position (const relay_source_t *self);

/*  Readable when there may be a next event; -1: no subscription.            */
int
    relay_source_fd (relay_source_t *self);

/*  Read the event at a position. Returns 0 and the event, which the caller owns; STELE_ENOT_FOUND: this key cannot read one there;
    or a code.                                                               */
int
    relay_source_read (relay_source_t *self, int64_t position, stele_event_t **event);

#endif
