/*  follower - actors that follow the log: feed, pipeline, cache, search, rollup, segments, snapshots, archive, seals

    Each has a read-only connection, its own cursor and a mailbox that answers "stats", and receives the
    head after every commit, and whether this node leads its shared log. Catching up after an outage and running live are the same
    code: read the log from the cursor.

    A new follower is a source file with a stele_follower_class_t and an actor, and a row in
    STELE_FOLLOWERS.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FOLLOWER_H_INCLUDED
#define STELE_FOLLOWER_H_INCLUDED

#include <czmq.h>
#include "broker/common/announcement.h"
#include "broker/common/settings.h"
#include "ledger/reader.h"
#include "wire/pack.h"

/*  X (name, actor, setting, off, drains), in the order of their start
      setting   the follower runs unless this setting has the value 'off'
      drains    a stop waits until it is at the head; the others resume at the next start  */
#define STELE_FOLLOWERS(X) \
    X (FEED,     stele_feed,            feed,         "",     true) \
    X (PIPELINE, stele_pipeline,        pipeline_out, "",     true) \
    X (CACHE,    stele_cache_follower,  redis,        "none", true) \
    X (SEARCH,   stele_search_follower, ledger,       "",     false) \
    X (ROLLUP,   stele_rollup_follower, ledger,       "",     false) \
    X (SEGMENTS, stele_segment_follower, backup,      "",     true) \
    X (SNAPSHOT, stele_snapshot_follower, backup,     "",     false) \
    X (ARCHIVE,  stele_archive_follower, archive_after, "",   false) \
    X (SEAL,     stele_seal_follower,   seal,         "",     true)     // After SEGMENTS (broker.c: s_drain)

#define STELE_FOLLOWER_ENUM(name, actor, setting, off, drains) STELE_FOLLOWER_##name,
typedef enum { STELE_FOLLOWERS (STELE_FOLLOWER_ENUM) STELE_FOLLOWER_COUNT } stele_follower_id_t;
#undef STELE_FOLLOWER_ENUM

/*  The actors, for zactor_new; args is a stele_follower_args_t. After the start signal each sends
    "READY", endpoint or "FAILED", reason. It answers "DRAIN" with "DRAINED" once it is
    at the head (the supervisor bounds the wait), and ends at once on "$TERM".
    The cache also sends "ALIGNED" once, when Redis is at the head for the first time, with
    a msgpack map of what was compared and repaired.                         */
#define STELE_FOLLOWER_ACTOR(name, actor, setting, off, drains) void actor (zsock_t *pipe, void *args);
STELE_FOLLOWERS (STELE_FOLLOWER_ACTOR)
#undef STELE_FOLLOWER_ACTOR

/*  Arguments of the actors, borrowed until they end.                        */
typedef struct {
    const stele_settings_t *settings;
    stele_announcement_t begin;     // The latest one when the actor was started
} stele_follower_args_t;

/*  The state that all followers share. It is the first member of each follower's struct.  */
typedef struct {
    const stele_settings_t *settings;
    zsock_t *pipe;
    zsock_t *mailbox;               // ROUTER
    zsock_t *heads;                 // SUB
    stele_reader_t *reader;
    stele_pack_t *pack;
    int64_t head;                   // Latest that was received
    bool leads;                     // This node writes; false: it follows a shared log
    int64_t epoch;                  // Of the shared log, while it leads
    bool unreadable;                // The last read of the ledger failed: wait before the next
    bool loaded;                    // Many events arrived lately (stele_follower_sample)
    int64_t sampled_ms;             // Steady clock, and head, when their rate was measured
    int64_t sampled_head;
    //  Set by the class, in open or step
    char *endpoint;                 // For READY: where it listens; NULL: nowhere
    bool ignore_heads;              // A new head does not end the wait for the next step
    zmq_pollitem_t watched [2];     // Sockets of its own that do
    int watched_count;
} stele_follower_t;

/*  What makes the difference between them. 'self' starts with a stele_follower_t.  */
typedef struct {
    const char *name;               // Of the thread and the mailbox
    //  Start, with everything in stele_follower_t ready. Returns 0, or a code with the refusal.
    int (*open) (void *self, stele_refusal_t *refusal);
    //  Follow the log a bounded way. Returns milliseconds until the next step, if nothing comes before.
    int (*step) (void *self);
    //  Pack the answer to any request, the statistics, into follower.pack
    void (*pack_stats) (void *self);
    //  In place of pack_stats: answer all requests in the mailbox
    void (*answer_mailbox) (void *self);
    //  Is it at the head, or unable to get there now? NULL: nothing to wait for
    bool (*drained) (void *self);
    //  Free what open made, even if it failed or was not called
    void (*close) (void *self);
} stele_follower_class_t;

/*  The body of a follower's actor, from the start signal to the end.        */
void
    stele_follower_run (stele_follower_t *self, const stele_follower_class_t *class,
        zsock_t *pipe, const stele_follower_args_t *args);

/*  Bind a socket of the class, and set 'endpoint' to where it listens. Where it is set already, a socket that was just
    destroyed listened there: wait a bounded time until libzmq has closed it, in the background. Returns 0, or
    a code with the refusal.                                                 */
int
    stele_follower_bind (stele_follower_t *self, zsock_t *socket, const char *setting, const char *endpoint,
        stele_refusal_t *refusal);

/*  Note the result of a read of the ledger from that position; below 0 it failed. Logs a change. */
void
    stele_follower_read (stele_follower_t *self, const char *name, int64_t position, int code);

/*  A follower takes the processor, the caches and the disk from the writer. One that may lag rests while many
    events arrive: it measures their rate at each step, and rests after a portion twice as long as that took, at most two seconds. */
void
    stele_follower_sample (stele_follower_t *self, int64_t now_ms);

/*  Milliseconds to rest after a portion that was begun then (steady clock); 0 unless many events arrive. */
int64_t
    stele_follower_rest_ms (const stele_follower_t *self, int64_t begun_ms);

/*  Is it the request "catch_up": do not rest for some seconds? It gets no answer.  */
bool
    stele_follower_is_catch_up (zmsg_t *request);

/*  The next request in the mailbox, [id][token][body], with the frame of its identity if it has one; or
    NULL. Caller owns return value.                                          */
zmsg_t *
    stele_follower_request (stele_follower_t *self);

/*  Answer it with the contents of self->pack. Takes ownership of the request. */
void
    stele_follower_answer (stele_follower_t *self, zmsg_t **request);

#endif
