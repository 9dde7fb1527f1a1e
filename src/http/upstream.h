/*  upstream - requests to the broker and their answers, without waiting

    One DEALER for all requests of the process. With a list of endpoints, of nodes that share a log, it is connected to one
    of them; a request that only the writer executes is sent to the node that this one names as the writer, over a second one, once:
    if that does not write either, or cannot be reached, the answer is not_writer. The caller gives a function that is called once with
    the answer, or with the reason why there is none: the broker cannot be reached, the connection
    was lost, or the time is over. Requests are sent only while the broker is connected, so that none
    waits for it, to be delivered when its client is gone.

    Its descriptors become readable when there is something to receive; they are edge-triggered
    (ZMQ_FD), so call http_upstream_receive before every wait.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_UPSTREAM_H_INCLUDED
#define STELE_HTTP_UPSTREAM_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "client/connection/key.h"
#include "http/access.h"
#include "model/refusal.h"
#include "wire/pack.h"

typedef struct http_upstream http_upstream_t;

/*  Take an answer: one checked map of msgpack, valid during the call. NULL: there is none, for the
    reason in the refusal.                                                   */
typedef void (http_answer_fn) (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

/*  Connect to the endpoint of requests, or the first of a list, over tcp with 'key' (NULL: none; it must outlive the
    upstream). NULL with a refusal: the endpoint is invalid. 'connected' is called after each new connection. Caller owns
    return value.                                                            */
http_upstream_t *
    http_upstream_new (const char *endpoints, const stele_key_t *key, void (*connected) (void *arg), void *arg,
        stele_refusal_t *refusal);

/*  Calls no function of an open request.                                    */
void
    http_upstream_destroy (http_upstream_t **self_p);

/*  The descriptors to wait for. Returns their number.                       */
#define HTTP_UPSTREAM_DESCRIPTORS 4
size_t
    http_upstream_descriptors (const http_upstream_t *self, int descriptors [HTTP_UPSTREAM_DESCRIPTORS]);

/*  Send the pack, one map, for an actor, and keep 'answer' for timeout_ms. The broker answers with what the actor may see; NULL
    is this server itself, and where there are no tokens. Returns a token above 0. If the actor is not valid any more, returns
    STELE_EUNAUTHORIZED; if the broker is not connected or too many requests are open, STELE_EUNAVAILABLE; with the refusal, and
    calls nothing.                                                           */
int64_t
    http_upstream_send (http_upstream_t *self, const stele_pack_t *pack, const http_actor_t *actor, int timeout_ms,
        http_answer_fn *answer, void *arg, stele_refusal_t *refusal);

/*  The answer is not wanted any more: its function will not be called.      */
void
    http_upstream_forget (http_upstream_t *self, int64_t token);

/*  Receive everything that is there, call the functions, and end requests whose time is over.
    Returns whether there was anything.                                      */
bool
    http_upstream_receive (http_upstream_t *self);

bool
    http_upstream_connected (const http_upstream_t *self);

/*  Has the broker refused the connection (no key, an unknown one)? NULL, or the reason, which stays valid until the next
    call of http_upstream_receive.                                           */
const stele_refusal_t *
    http_upstream_refused (const http_upstream_t *self);

/*  libzmq does not connect again after a refusal, nor to another node: is it time to? Then call http_upstream_reconnect,
    which closes descriptors and makes new ones.                             */
bool
    http_upstream_is_due (const http_upstream_t *self);
void
    http_upstream_reconnect (http_upstream_t *self);

#endif
