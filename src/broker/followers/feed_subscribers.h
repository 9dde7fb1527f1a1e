/*  feed_subscribers - how many connections are subscribed to each topic, for a feed with keys

    With ZMQ_XPUB_MANUAL, libzmq delivers each 1 TOPIC and 0 TOPIC that a peer sends, however often it does, and when
    a connection ends, one 0 TOPIC without a sender for each topic to which that one was subscribed. It is
    not said which connection ended: so a connection is forgotten when a later one has its file descriptor.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FEED_SUBSCRIBERS_H_INCLUDED
#define STELE_FEED_SUBSCRIBERS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

typedef struct stele_feed_subscribers stele_feed_subscribers_t;

/*  Caller owns return value.                                                */
stele_feed_subscribers_t *
    stele_feed_subscribers_new (void);
void
    stele_feed_subscribers_destroy (stele_feed_subscribers_t **self_p);

/*  A connection has subscribed. Its id is never used again; its file descriptor may be, after it has ended (-1: not
    known). Is it the first of that topic?                                   */
bool
    stele_feed_subscribers_join (stele_feed_subscribers_t *self, const char *connection, int fd, const void *topic,
        size_t size);

/*  A connection has unsubscribed; NULL: a subscribed one has ended. Was it the last one of that topic? */
bool
    stele_feed_subscribers_leave (stele_feed_subscribers_t *self, const char *connection, const void *topic, size_t size);

#endif
