/*  pending - accepted requests that are not answered yet

    Bounded in number and bytes. A request is found by its token, which goes
    with it to workers and mailboxes; tokens are not used twice, so an answer
    that comes after its request has expired finds nothing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PENDING_H_INCLUDED
#define STELE_PENDING_H_INCLUDED

#include <czmq.h>
#include "broker/operations/operations.h"

/*  The actors that have a mailbox                                           */
#define STELE_MAILBOXES(X) \
    X (STELE_MAILBOX_WRITER,   "writer") \
    X (STELE_MAILBOX_CACHE,    "cache") \
    X (STELE_MAILBOX_FEED,     "feed") \
    X (STELE_MAILBOX_PIPELINE, "pipeline") \
    X (STELE_MAILBOX_SEARCH,   "search") \
    X (STELE_MAILBOX_ROLLUP,   "rollup") \
    X (STELE_MAILBOX_SEGMENTS, "segments") \
    X (STELE_MAILBOX_BACKUP,   "backup") \
    X (STELE_MAILBOX_ARCHIVE,  "archive") \
    X (STELE_MAILBOX_SEAL,     "seal")

#define STELE_MAILBOX_ENUM(constant, name) constant,
typedef enum { STELE_MAILBOXES (STELE_MAILBOX_ENUM) STELE_MAILBOX_COUNT } stele_mailbox_t;
#undef STELE_MAILBOX_ENUM

typedef enum {
    STELE_PENDING_WAITING,          // For min_position
    STELE_PENDING_INDEXING,         // A search that waits for the index
    STELE_PENDING_GATHERING,        // For the mailboxes' parts of the statistics
    STELE_PENDING_QUEUED,           // For an idle worker
    STELE_PENDING_WORKING,          // In a worker
    STELE_PENDING_MAILED,           // In a mailbox
    STELE_PENDING_AUDITED           // Done, and its audit event is with the writer
} stele_pending_state_t;

typedef struct stele_request {
    uint64_t token;
    stele_pending_state_t state;    // Set by the router
    const stele_operation_t *operation;
    const stele_identity_t *identity;   // Of the sender's key
    zmsg_t *envelope;               // Frames before the body: where the answer goes
    zframe_t *body;                 // NULL once it is sent on
    zframe_t *ignored;              // Names that the operation does not take, or NULL
    const char *secret;             // Rule of a secret in it, which no answer may quote; NULL: none
    int64_t arrived_us;
    int64_t min_position;           // For INDEXING: of the index
    int64_t wait_ms;                // For min_position
    zframe_t *audit;                // Its audit event as far as it is known (operations/audit.h); NULL: none
    zframe_t *answer;               // Sent once that event is durable
    zframe_t *parts [STELE_MAILBOX_COUNT];
    //  Private
    int64_t deadline_us;
    size_t bytes;
    struct stele_request *previous;
    struct stele_request *next;
} stele_request_t;

typedef struct stele_pending stele_pending_t;

stele_pending_t *
    stele_pending_new (size_t count_max, size_t bytes_max);

/*  Also destroys the requests.                                              */
void
    stele_pending_destroy (stele_pending_t **self_p);

/*  Add one; takes ownership of both. NULL: no room, and both remain the caller's. */
stele_request_t *
    stele_pending_add (stele_pending_t *self, zmsg_t **envelope_p, zframe_t **body_p);

/*  Remove and destroy one.                                                  */
void
    stele_pending_remove (stele_pending_t *self, stele_request_t *request);

/*  The request of a token; NULL: it was removed.                            */
stele_request_t *
    stele_pending_find (stele_pending_t *self, uint64_t token);

/*  When it expires; may be called again.                                    */
void
    stele_pending_set_deadline (stele_pending_t *self, stele_request_t *request,
        int64_t deadline_us);

/*  No deadline is earlier than this; INT64_MAX where there is none.         */
int64_t
    stele_pending_earliest (const stele_pending_t *self);

/*  Calls fn for every request whose deadline has come. It removes that one, or sets
    a new deadline, and touches no other.                                    */
typedef void (stele_pending_fn) (stele_request_t *request, void *arg);
void
    stele_pending_expire (stele_pending_t *self, int64_t now_us,
        stele_pending_fn *fn, void *arg);

/*  Calls fn for every request in this state that waits for this position or an earlier one. It
    changes the state of that one or removes it, and touches no other.       */
void
    stele_pending_reach (stele_pending_t *self, stele_pending_state_t state, int64_t position,
        stele_pending_fn *fn, void *arg);

/*  Calls fn for every request. It may remove that one.                      */
void
    stele_pending_each (stele_pending_t *self, stele_pending_fn *fn, void *arg);

/*  How many there are in a state.                                           */
size_t
    stele_pending_count (const stele_pending_t *self, stele_pending_state_t state);

#endif
