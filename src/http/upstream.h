/*  upstream - requests to the broker and their answers, without waiting

    One DEALER for all requests of the process. The caller gives a function that is called once with
    the answer, or with the reason why there is none: the broker cannot be reached, the connection
    was lost, or the time is over. Requests are sent only while the broker is connected, so that none
    waits for it, to be delivered when its client is gone.

    Two descriptors become readable when there is something to receive; they are edge-triggered
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
#include "model/refusal.h"
#include "wire/pack.h"

typedef struct http_upstream http_upstream_t;

/*  Take an answer: one checked map of msgpack, valid during the call. NULL: there is none, for the
    reason in the refusal.                                                   */
typedef void (http_answer_fn) (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

/*  Connect to the endpoint of requests. NULL with a refusal: the endpoint is invalid. 'connected' is
    called after each new connection. Caller owns return value.              */
http_upstream_t *
    http_upstream_new (const char *endpoint, void (*connected) (void *arg), void *arg, stele_refusal_t *refusal);

/*  Calls no function of an open request.                                    */
void
    http_upstream_destroy (http_upstream_t **self_p);

/*  The descriptors to wait for; 'monitor' is -1 over inproc                 */
void
    http_upstream_descriptors (const http_upstream_t *self, int *answers, int *monitor);

/*  Send the pack, one map, and keep 'answer' for timeout_ms. Returns a token above 0. If the broker is not
    connected or too many requests are open, returns STELE_EUNAVAILABLE with the refusal, and calls
    nothing.                                                                 */
int64_t
    http_upstream_send (http_upstream_t *self, const stele_pack_t *pack, int timeout_ms, http_answer_fn *answer,
        void *arg, stele_refusal_t *refusal);

/*  The answer is not wanted any more: its function will not be called.      */
void
    http_upstream_forget (http_upstream_t *self, int64_t token);

/*  Receive everything that is there, call the functions, and end requests whose time is over.
    Returns whether there was anything.                                      */
bool
    http_upstream_receive (http_upstream_t *self);

bool
    http_upstream_connected (const http_upstream_t *self);

#endif
