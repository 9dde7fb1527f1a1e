/*  stele_client - publish events with acks, send requests, subscribe to the feed

    One client is used by one thread; a process that forks creates a client in each
    child. A thread behind the client publishes: it batches events, sends them and
    keeps them until the broker has acked them. After a lost connection or a restart
    of the broker it resends what is not acked, and the broker stores each event once
    (doc/PROTOCOL.md section 2).

    Timeouts are milliseconds: 0 returns at once, -1 waits without limit. A signal that
    czmq treats as an interrupt (zsys_interrupted, such as Ctrl-C) ends a wait early,
    with STELE_ETIMEOUT.

        stele_client_t *client = stele_client_new ("my-orchestrator");
        stele_event_t *event = stele_event_new ("task.created");
        ...
        int64_t number = stele_client_publish (client, &event, 1000);
        if (stele_client_wait (client, number, 5000) == 0)
            puts ("durable");

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLIENT_H_INCLUDED
#define STELE_CLIENT_H_INCLUDED

#include "stele_event.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _stele_client_t stele_client_t;

/*  Create a client that publishes as 'producer': the permanent name of an
    orchestrator, 1 to 255 bytes, unique among running processes (a second one of
    the same name fences the first). NULL creates a client that only sends requests and
    subscribes. Connections are made when they are first needed. Caller owns
    return value.                                                            */
STELE_EXPORT stele_client_t *
    stele_client_new (const char *producer);

/*  Stop and destroy the client, and set the caller's pointer to NULL. Sends what is
    batched and a goodbye, so that running tasks are not interrupted, but does not wait
    for acks (see stele_client_flush).                                       */
STELE_EXPORT void
    stele_client_destroy (stele_client_t **self_p);

/*  Settings, to be changed before the first publish, request or follow that uses them.
    Defaults: the endpoints of stele_library.h; a random UUID as instance; no lease
    (lease_ms 0); batches of at most 500 events, sent at most 2 ms after their first
    event. Strings are copied.                                               */
STELE_EXPORT void
    stele_client_set_events_endpoint (stele_client_t *self, const char *endpoint);
STELE_EXPORT void
    stele_client_set_requests_endpoint (stele_client_t *self, const char *endpoint);
STELE_EXPORT void
    stele_client_set_feed_endpoint (stele_client_t *self, const char *endpoint);
STELE_EXPORT void
    stele_client_set_instance (stele_client_t *self, const char *instance);
STELE_EXPORT void
    stele_client_set_lease (stele_client_t *self, int64_t lease_ms);
STELE_EXPORT void
    stele_client_set_batch (stele_client_t *self, size_t events_max, int64_t delay_ms);

/*  Give the first event this sequence, instead of the one after the last durable
    sequence of the producer. Events with durable sequences are then duplicates, which
    are acked but not stored again: use it to resend a file after a crash. A sequence
    that would leave a gap ends the producer with STELE_EGAP.                */
STELE_EXPORT void
    stele_client_set_first_sequence (stele_client_t *self, int64_t sequence);

/*  Publish events that were exported from a ledger: the mark 'interrupted', which a
    broker wrote, is kept, and running tasks of these events do not belong to this
    producer, so that its end does not interrupt them.                       */
STELE_EXPORT void
    stele_client_set_restore (stele_client_t *self, bool restore);

/*  Spool events in the file at 'path' until a broker has acked them. When
    stele_client_publish returns a number, the event is on stable storage of this
    machine, whether a broker is reachable or not. It is sent when one is, by this
    process or by a later one that opens the same spool, and stored once.

    Publishing does not wait for a broker. It returns STELE_EFULL if more than bytes_max
    bytes would wait (stele_client_set_spool_max, 256 MiB by default) or the disk is full
    (the event stays the caller's, to be retried), and STELE_EIO if the file cannot be
    written. Events left by earlier runs are numbered and sent before those of this one.

    One process at a time may open a spool (else STELE_EBUSY), and it belongs to one
    producer (else STELE_EINVALID_FIELD). The first publish, flush or poll opens it, and
    returns the code if that fails. Events beyond the window are handed to the sender
    during calls of this client: if it is idle for long, call stele_client_poll from time
    to time. stele_client_set_first_sequence has no effect with a spool.     */
STELE_EXPORT void
    stele_client_set_spool (stele_client_t *self, const char *path);
STELE_EXPORT void
    stele_client_set_spool_max (stele_client_t *self, int64_t bytes_max);

/*  Name of the producer whose spool is at 'path'; NULL if there is no spool. Caller owns
    return value and frees it with free().                                   */
STELE_EXPORT char *
    stele_client_spool_producer (const char *path);

/*  Continue although the ledger lacks events of this producer that the spool knows to be
    acked, or is another ledger (by default the producer ends with STELE_EBEHIND or
    STELE_ELEDGER). Events that still wait are published there; events that were acked
    and lost are not.                                                        */
STELE_EXPORT void
    stele_client_set_accept_loss (stele_client_t *self);

/*  Outcome of one event, or of a run of events.                             */
typedef enum {
    STELE_ACKED,                    // 'number' and all before it are durable (or were refused)
    STELE_REFUSED                   // 'number' was permanently refused: see code and message
} stele_fate_t;

typedef struct {
    stele_fate_t fate;
    int64_t number;                 // Number that stele_client_publish returned
    int64_t position;               // ACKED: position in the ledger; 0 if it is not known
                                    // (a duplicate, or the ack was lost with a connection)
    bool duplicate;                 // ACKED: was durable before this client started
    int code;                       // REFUSED: STELE_E...
    const char *message;            // REFUSED: for people; valid during the call
} stele_receipt_t;

typedef void (stele_receipt_fn) (const stele_receipt_t *receipt, void *arg);

/*  Call 'fn' for every ack and refusal. It runs in the caller's own thread, within
    stele_client_publish, _wait, _flush and _poll, and must not destroy the client.
    An event whose refusal was lost with a connection is reported as acked here: the
    broker keeps the event and the reason (request rejected.list).           */
STELE_EXPORT void
    stele_client_on_receipt (stele_client_t *self, stele_receipt_fn *fn, void *arg);

/*  Publish an event. Takes ownership of it and sets the caller's pointer to NULL, also
    on failure, except as stated below. Returns its number (1, 2, 3 ... in this client;
    a spool continues after the events that it held), or:

      STELE_ETIMEOUT   the window was full for timeout_ms; the event stays the caller's
      STELE_EFULL      the spool is full (stele_client_set_spool); stays the caller's
      STELE_ETOO_LARGE the event is larger than a message to this broker may be; it
                       received no number, and later events may be published
      STELE_EFENCED, STELE_EGAP, STELE_EPROTOCOL, STELE_EUNAUTHORIZED, STELE_EINVALID_FIELD
      (the endpoint), STELE_EIO (the spool), STELE_EBEHIND (the broker's ledger lost events
      that it had acked) or STELE_ELEDGER (the broker returned with another ledger):
                       this producer has ended and publishes nothing more

    The window is full when twice the broker's window of events, or 64 MiB, are not yet
    acked or refused. An event larger than 64 KiB also waits for the first connection to
    a broker, which reports its limit (not with a spool).                    */
STELE_EXPORT int64_t
    stele_client_publish (stele_client_t *self, stele_event_t **event_p, int timeout_ms);

/*  Publish several events; with a spool all are accepted, with one sync, or none. Takes
    ownership of each and sets the pointers to NULL, as above. On STELE_ETIMEOUT and
    STELE_EFULL, events that were not accepted stay the caller's (without a spool, some
    may have been accepted). Returns the number of the last event, or a code as above.  */
STELE_EXPORT int64_t
    stele_client_publish_all (stele_client_t *self, stele_event_t **events, size_t count,
        int timeout_ms);

/*  Send what is batched, and wait until the event of that number is acked or refused.
    Returns 0 if it is durable, its code if it was refused (the last 65,536 refusals are
    remembered), STELE_ETIMEOUT, or the code that ended this producer.       */
STELE_EXPORT int
    stele_client_wait (stele_client_t *self, int64_t number, int timeout_ms);

/*  Send what is batched, and wait until every event is acked or refused. Returns 0
    (refusals are counted and reported to the receipt function), STELE_ETIMEOUT, or the
    code that ended this producer.                                           */
STELE_EXPORT int
    stele_client_flush (stele_client_t *self, int timeout_ms);

/*  Process acks that have arrived, without waiting. Returns the number of events that
    are not yet acked or refused, or the code that ended this producer.      */
STELE_EXPORT int64_t
    stele_client_poll (stele_client_t *self);

/*  Number of refused events since the client was created.                   */
STELE_EXPORT int64_t
    stele_client_refused (const stele_client_t *self);

/*  Send a request, one msgpack map {"op":..., ...} or its JSON text, and wait for the
    answer (doc/PROTOCOL.md section 4). Returns 0 and the answer's bytes or text, which the
    caller frees with free(), also if the broker answers "ok":false. Otherwise returns
    STELE_ETIMEOUT (no answer within timeout_ms), STELE_EMALFORMED (the request's JSON does
    not parse, or the answer is not one msgpack map), STELE_EINVALID_FIELD (the endpoint)
    or STELE_EUNAVAILABLE (no socket), and leaves the outputs unchanged.
    A request that timed out may be repeated at once.                        */
STELE_EXPORT int
    stele_client_request (stele_client_t *self, const void *request, size_t request_size,
        int timeout_ms, void **answer, size_t *answer_size);
STELE_EXPORT int
    stele_client_request_json (stele_client_t *self, const char *request,
        int timeout_ms, char **answer);

/*  Subscribe to committed events whose feed topic matches 'topic', from the position after
    'after'. A topic is type/ID. "" matches all; a complete topic, "task.updated/build-7", only
    itself; one that ends with '/' or '*', or has no '/', is a prefix: "task.", "task.updated/",
    "task.updated/build-*". -1 starts with the next event that is committed (this
    queries the broker for the head, for at most a second). Events committed before,
    events lost by the feed, and content that the feed leaves out are fetched with
    events.read: stele_client_next returns every position once, in order and complete.
    Returns 0, STELE_EINVALID_FIELD (an invalid endpoint) or STELE_EUNAVAILABLE (no
    socket). A second call replaces the subscription.                        */
STELE_EXPORT int
    stele_client_follow (stele_client_t *self, const char *topic, int64_t after);

/*  The same for all events of one task: every type whose name begins with "task.". */
STELE_EXPORT int
    stele_client_follow_task (stele_client_t *self, const char *task_id, int64_t after);

/*  Wait for the next event of the subscription. Returns 0 and the event, which the caller
    owns; STELE_ETIMEOUT; or the code of a failure to fetch missing events. Another call
    resumes at the same position, and no event is lost. STELE_EMALFORMED also skips an
    event that cannot be decoded. STELE_EBEHIND: the ledger ends before events that this
    subscription has returned, or is another ledger; its positions are reused, so call
    stele_client_follow again.                                               */
STELE_EXPORT int
    stele_client_next (stele_client_t *self, int timeout_ms, stele_event_t **event);

/*  Text of the last failure, "" if there was none. Valid until the next call. */
STELE_EXPORT const char *
    stele_client_error (const stele_client_t *self);

#ifdef __cplusplus
}
#endif

#endif
