/*  stele_client - publish with acks, ask, follow

    One client is used by one thread; a process that forks makes its own. Publishing
    runs on a thread behind it: events are batched, sent, and kept until the
    broker has acked them; a lost connection or a restarted broker is repaired
    by resending, and what was stored already is not stored twice
    (doc/PROTOCOL.md section 2).

    A wait ends early, as STELE_ETIMEOUT, when a signal arrives that czmq takes for an
    interrupt (zsys_interrupted): Ctrl-C works.

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

/*  A client that publishes as 'producer': the name of an orchestrator for
    good, at most 255 bytes, unique among those that run at the same time (a
    second one of the same name fences the first). NULL for a client that
    only asks and follows. Nothing is connected before it is needed. Caller
    owns return value.                                                       */
STELE_EXPORT stele_client_t *
    stele_client_new (const char *producer);

/*  Stop and destroy; does not wait for acks (see stele_client_flush), but says
    goodbye, so that running tasks are not taken for dead. Sets the caller's
    pointer to NULL.                                                         */
STELE_EXPORT void
    stele_client_destroy (stele_client_t **self_p);

/*  Settings: before the first publish, request or follow. Defaults: the
    endpoints of stele.h; a random UUID as instance; no lease; flush at 500
    events or 2 ms after the first one, whichever comes first.               */
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

/*  Number the first event 'sequence' instead of going on after the last durable
    one. Events up to that one are then duplicates and stored once only: for
    sending a file again after a crash. A sequence the broker has not reached
    (a gap) is refused with sequence_gap.                                    */
STELE_EXPORT void
    stele_client_set_first_sequence (stele_client_t *self, int64_t sequence);

/*  What is published comes back from an export: an event that says 'interrupted' was
    written by a broker, and keeps that; and the running tasks of these events are
    not this producer's, so that its end does not interrupt them.            */
STELE_EXPORT void
    stele_client_set_restore (stele_client_t *self, bool restore);

/*  Keep events in a file of this producer's until a broker has acked them: what
    stele_client_publish returned for is durable then, on this machine at first, and is
    sent when a broker is there, by this run or by a later one that names the same file, once.
    Publishing does not wait for a broker: STELE_EFULL when more than bytes_max wait
    (stele_client_set_spool_max; 256 MiB), or the disk is full (the event stays the caller's, to be
    tried again), STELE_EIO when the file cannot be written. What the file held
    from earlier runs is sent first, and numbered first: the first event of this client gets the
    number after those. One process at a time has it open (STELE_EBUSY), for one producer
    (STELE_EINVALID_FIELD); it is opened by the first publish, flush or poll, which then fail.
    More than the window is handed over during calls of this client: one that is idle for
    long calls stele_client_poll now and then. stele_client_set_first_sequence has no effect. */
STELE_EXPORT void
    stele_client_set_spool (stele_client_t *self, const char *path);
STELE_EXPORT void
    stele_client_set_spool_max (stele_client_t *self, int64_t bytes_max);

/*  Whose spool is in that file? NULL where there is none. Caller owns return value. */
STELE_EXPORT char *
    stele_client_spool_producer (const char *path);

/*  Go on with a ledger that has less of this producer than the spool knows to be
    acked, or with another ledger (else the producer ends with STELE_EBEHIND, STELE_ELEDGER): what
    still waits is published there, what was acked and lost is not.          */
STELE_EXPORT void
    stele_client_set_accept_loss (stele_client_t *self);

/*  What became of one event, or of a run of them.                           */
typedef enum {
    STELE_ACKED,                    // 'number' and all before it are durable (or refused before)
    STELE_REFUSED                   // 'number' was refused for good: code, message
} stele_fate_t;

typedef struct {
    stele_fate_t fate;
    int64_t number;                 // The number that stele_client_publish gave
    int64_t position;               // ACKED: position in the ledger; 0 where it is not known
                                    // (a duplicate, or the ack was lost with a connection)
    bool duplicate;                 // ACKED: was durable before this client started
    int code;                       // REFUSED: STELE_E...
    const char *message;            // REFUSED: for a person; valid during the call
} stele_receipt_t;

typedef void (stele_receipt_fn) (const stele_receipt_t *receipt, void *arg);

/*  Be told of acks and refusals. Called in the caller's own thread, from within
    stele_client_publish, _wait, _flush and _poll; it must not destroy the client.
    Where the word of a refusal was lost with a connection, the event counts as
    acked here: the broker keeps it, with the reason (rejected.list).         */
STELE_EXPORT void
    stele_client_on_receipt (stele_client_t *self, stele_receipt_fn *fn, void *arg);

/*  Publish an event. Takes ownership of it and sets the caller's pointer to
    NULL, also on failure. Returns its number, 1, 2, 3 ... in this client, or:
    STELE_ETIMEOUT where the window was full for timeout_ms (nothing was taken:
    the event is still the caller's and the pointer not NULL), STELE_ETOO_LARGE (larger than
    a message to this broker may be; it gets no number, and the next one may be published),
    or the code that ended this producer: STELE_EFENCED, STELE_EGAP, STELE_EPROTOCOL,
    STELE_EUNAUTHORIZED, STELE_EBEHIND (the broker came back with a ledger that lost events that
    it had acked), STELE_ELEDGER (with another ledger), STELE_EINVALID_FIELD (the endpoint).
    Full is twice the window of the broker, or 64 MiB, unacked. Before the broker was
    first met, only events under 64 KiB are taken. timeout_ms -1 waits for ever.  */
STELE_EXPORT int64_t
    stele_client_publish (stele_client_t *self, stele_event_t **event_p, int timeout_ms);

/*  Publish several at once: with a spool they are synced together, all or none. Takes
    ownership of each, as above, and sets the pointers to NULL; on STELE_ETIMEOUT and STELE_EFULL those
    that were not taken stay the caller's (without a spool some may have been taken).
    Returns the number of the last, or a code as above.                      */
STELE_EXPORT int64_t
    stele_client_publish_all (stele_client_t *self, stele_event_t **events, size_t count,
        int timeout_ms);

/*  Wait until the event of that number is acked or refused, and send what is
    batched now. Returns 0 when it is durable, its code when it was refused (the last
    65,536 refusals are remembered), STELE_ETIMEOUT, or the code that ended this
    producer.                                                                */
STELE_EXPORT int
    stele_client_wait (stele_client_t *self, int64_t number, int timeout_ms);

/*  Send what is batched now and wait until everything is acked or refused.
    Returns 0 (refusals are told to the receipt function and counted), STELE_ETIMEOUT,
    or the code that ended this producer.                                    */
STELE_EXPORT int
    stele_client_flush (stele_client_t *self, int timeout_ms);

/*  Take in acks that have arrived, without waiting. Returns how many events
    are not yet acked or refused, or the code that ended this producer.      */
STELE_EXPORT int64_t
    stele_client_poll (stele_client_t *self);

/*  Refusals since the start.                                                */
STELE_EXPORT int64_t
    stele_client_refused (const stele_client_t *self);

/*  Ask: one map of msgpack {"op":..., ...} (or its JSON) and its answer
    (doc/PROTOCOL.md section 4). The answer's bytes or text are the caller's, freed
    with free(); set also when the broker answers "ok":false, which is no
    failure here. Returns 0, STELE_ETIMEOUT (nobody answered within timeout_ms),
    or STELE_EMALFORMED (the request's JSON does not parse; the answer is not msgpack).
    A request that timed out may be asked again at once.                      */
STELE_EXPORT int
    stele_client_request (stele_client_t *self, const void *request, size_t request_size,
        int timeout_ms, void **answer, size_t *answer_size);
STELE_EXPORT int
    stele_client_request_json (stele_client_t *self, const char *request,
        int timeout_ms, char **answer);

/*  Follow what is committed: events whose feed topic begins with 'topic' ("" for
    all), from the position after 'after'; -1 begins with the next one that is
    committed (it asks the broker for the head, for at most a second). What was
    committed before, and what the feed lost, is fetched with events.read, so
    that every position is seen once and in order, with its content
    whole. Returns 0, or STELE_EINVALID_FIELD for an endpoint that cannot be. A second
    call begins anew.                                                        */
STELE_EXPORT int
    stele_client_follow (stele_client_t *self, const char *topic, int64_t after);

/*  The next event. Caller owns *event. Returns 0, STELE_ETIMEOUT, or the code of a
    failed repair; calling again goes on where it was, and nothing is lost. STELE_EBEHIND: the
    ledger ends before what was seen already, since an end of it was lost; follow anew. */
STELE_EXPORT int
    stele_client_next (stele_client_t *self, int timeout_ms, stele_event_t **event);

/*  Text of the last failure, "" if there was none. Valid until the next call. */
STELE_EXPORT const char *
    stele_client_error (const stele_client_t *self);

#ifdef __cplusplus
}
#endif

#endif
