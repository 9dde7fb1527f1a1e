/*  follower - the actors that follow the log: feed, pipeline out, cache

    Each has a read-only connection, its own cursor, a mailbox that answers "stats", and
    hears the head after every commit. Catching up after an outage and running live
    are the same code: read the log from the cursor.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FOLLOWER_H_INCLUDED
#define STELE_FOLLOWER_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"
#include "ledger/reader.h"
#include "wire/pack.h"

/*  What followers are started with (borrowed for the actor's life).         */
typedef struct {
    const stele_settings_t *settings;
    int64_t head;                   // Committed when the actor was made
} stele_follower_args_t;

/*  What they share: embed it, fill it with _open, end it with _close.       */
typedef struct {
    const stele_settings_t *settings;
    zsock_t *pipe;
    zsock_t *mailbox;
    zsock_t *heads;
    stele_reader_t *reader;
    stele_pack_t *pack;
    int64_t head;
    bool unreadable;                // The last read of the ledger failed: wait before the next
} stele_follower_t;

/*  Returns 0, or a code with the refusal.                                   */
int
    stele_follower_open (stele_follower_t *self, zsock_t *pipe,
        const stele_follower_args_t *args, const char *name, stele_refusal_t *refusal);
void
    stele_follower_close (stele_follower_t *self);

/*  Take in the heads that were announced.                                   */
void
    stele_follower_hear (stele_follower_t *self);

/*  Note how a read of the ledger went: 'code' below 0 says it failed. Logged when it changes. */
void
    stele_follower_read (stele_follower_t *self, const char *name, int64_t position, int code);

/*  Next request of the mailbox: its frames, the caller owns them. NULL: none waits. */
zmsg_t *
    stele_follower_request (stele_follower_t *self);

/*  Answer it with what self->pack holds. Takes ownership of the request.    */
void
    stele_follower_answer (stele_follower_t *self, zmsg_t **request);

/*  The actors. After the start signal each says "READY", endpoint or "FAILED", reason. "DRAIN"
    is answered by "DRAINED" when it is at the head (the supervisor bounds the wait);
    "$TERM" ends it at once.
    The cache also says "ALIGNED" once, when Redis is at the head for the first time, with a
    frame of one msgpack map that says what was compared and repaired.        */
void
    stele_feed (zsock_t *pipe, void *args);
void
    stele_pipeline (zsock_t *pipe, void *args);
void
    stele_cache_follower (zsock_t *pipe, void *args);
void
    stele_search_follower (zsock_t *pipe, void *args);

#endif
