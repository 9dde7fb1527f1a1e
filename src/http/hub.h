/*  hub - the feed of the broker, passed on to all streams (Server-Sent Events)

    One subscription for the process. The hub has delivered every event up to its position: it detects a gap
    in the feed by the positions, and reads what is missing with events.read. A stream that is live has
    the hub's position, so what it gets is complete; one that is behind, because it has just been opened
    or its client reads slowly, reads the log itself until it has caught up (stream.h).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_HUB_H_INCLUDED
#define STELE_HTTP_HUB_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "client/connection/key.h"
#include "model/refusal.h"

typedef struct http_hub http_hub_t;
typedef struct http_stream http_stream_t;
struct http_server;

/*  Connect to the feed, over tcp with 'key' (NULL: none; it must outlive the hub). NULL with a refusal: the endpoint
    is invalid. Caller owns return value.                                    */
http_hub_t *
    http_hub_new (struct http_server *server, const char *feed, const stele_key_t *key, stele_refusal_t *refusal);

/*  All streams have ended before                                            */
void
    http_hub_destroy (http_hub_t **self_p);

/*  To wait for; edge-triggered, as those of upstream.h                      */
int
    http_hub_descriptor (const http_hub_t *self);

/*  The broker has refused the connection; the same as of upstream.h         */
const stele_refusal_t *
    http_hub_refused (const http_hub_t *self);
bool
    http_hub_is_due (const http_hub_t *self);
void
    http_hub_reconnect (http_hub_t *self);

/*  Receive from the feed. Returns whether there was anything.               */
bool
    http_hub_receive (http_hub_t *self);

/*  Call every 50 ms: sends what was collected, comments, changed tasks, and starts to read for those that
    are behind.                                                              */
void
    http_hub_tick (http_hub_t *self);

/*  The positions that streams have are void (another ledger): tell them, and continue at its head. */
void
    http_hub_reset (http_hub_t *self, const char *reason);

/*  Every event up to this was delivered; -1: not known                      */
int64_t
    http_hub_position (const http_hub_t *self);

/*  A page was read: start to read for other streams that are behind.        */
void
    http_hub_read (http_hub_t *self);

/*  Number of streams                                                        */
size_t
    http_hub_count (const http_hub_t *self);

#endif
