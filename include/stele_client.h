/*  stele_client - publish events with acks, send requests, subscribe to the feed

    One client is used by one thread. A client belongs to the process that created it: in a
    child (fork), its functions return STELE_EUNAVAILABLE, and the child creates its own, with
    a producer name of its own. A thread behind the client publishes: it batches events, sends
    them and keeps them until the broker has acked them. After a lost connection or a restart
    of the broker it resends what is not acked, and the broker stores each event once
    (doc/PROTOCOL.md section 2).

    Timeouts are milliseconds: 0 returns at once, -1 waits without limit. A signal that
    czmq treats as an interrupt (zsys_interrupted, such as Ctrl-C) ends a wait early,
    with STELE_ETIMEOUT.

        stele_client_t *client = stele_client_new ("my-orchestrator");
        stele_event_t *event = stele_event_new ("task.created");
        ...
        int64_t number = stele_client_publish (client, &event, 1000);
        if (number < 0 || stele_client_wait (client, number, 5000) != 0)
            puts (stele_client_error (client));
        ...
        stele_client_close (client, false, 5000);       // a good end; destroy alone is a crash
        stele_client_destroy (&client);

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
typedef struct _zsock_t zsock_t;        // Of czmq

/*  Create a client that publishes as 'producer': the permanent name of an
    orchestrator, 1 to 255 bytes, unique among running processes (a second one of
    the same name fences the first). NULL creates a client that only sends requests and
    subscribes: publishing returns STELE_EINVALID_FIELD. Connections are made when they are
    first needed. Caller owns return value.                                  */
STELE_EXPORT stele_client_t *
    stele_client_new (const char *producer);

/*  Stop and destroy the client, and set the caller's pointer to NULL. Sends what is
    batched, but does not wait for acks and sends no goodbye: unless stele_client_close was
    called before, the run ends as by a crash, and its tasks in progress are interrupted by
    its lease or by the next run of the producer.                            */
STELE_EXPORT void
    stele_client_destroy (stele_client_t **self_p);

/*  Settings, to be changed before the first publish, request or follow that uses them.
    Defaults: the endpoints that the environment variables STELE_EVENTS, STELE_REQUESTS and
    STELE_FEED name, or those of stele_library.h; a random UUID as instance; no lease
    (lease_ms 0); batches of at most 500 events, sent at most 2 ms after their first
    event. Strings are copied.                                               */
STELE_EXPORT void
    stele_client_set_events_endpoint (stele_client_t *self, const char *endpoint);
STELE_EXPORT void
    stele_client_set_requests_endpoint (stele_client_t *self, const char *endpoint);
STELE_EXPORT void
    stele_client_set_feed_endpoint (stele_client_t *self, const char *endpoint);

/*  Use the key in that file (NAME.key_secret of 'stele key new') for connections over tcp, which are
    then encrypted; the broker grants what the key's roles allow. ipc and inproc need no key, and ignore
    it. NULL: no key. Without this call, a client uses the file that the environment variable STELE_KEY
    names, if any. The file is read at once; call this before the first publish, request or follow.
    Returns 0, STELE_EIO (the file cannot be read), STELE_EINVALID_FIELD (it is not a key file of a
    client) or STELE_EUNAUTHORIZED (other users may read it: chmod 600), and then changes nothing.
    stele_client_error has the reason. Functions that connect return the same codes for STELE_KEY.

    If the broker refuses the connection (it does not know the key, needs one, uses none, or is not the
    broker of the key), every wait ends at once with STELE_EUNAUTHORIZED, and stele_client_error has the
    reason and the way out. Events that were published stay with the client, which tries
    again every second.                                                      */
STELE_EXPORT int
    stele_client_set_key (stele_client_t *self, const char *path);

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

/*  The name of the producer was made for this run, and will not be used again: after its goodbye, or the
    end of its lease, the broker lists it no longer, unless tasks in progress belong to it. */
STELE_EXPORT void
    stele_client_set_anonymous (stele_client_t *self);

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

/*  Continue although the ledger lacks events of this producer that the spool records as
    acked, or is another ledger (by default the producer ends with STELE_EBEHIND or
    STELE_ELEDGER). Events that still wait are published there; events that were acked
    and lost are not.                                                        */
STELE_EXPORT void
    stele_client_set_accept_loss (stele_client_t *self);

/*  Mask secrets (keys, tokens, passwords) in events before they leave this process or reach the spool,
    with the rules of redact.rules, and those of a file of the same form (NULL: none). A mask is
    "\xc2\xabredacted:RULE:MARK\xc2\xbb"; the mark is that of an HMAC under 'key', 32 random bytes that the
    caller keeps, so that the same secret has the same mask in every run. Without a key (NULL) masks have no
    mark. The event gets the key 'redacted' (doc/PROTOCOL.md section 3). Off by default: the
    broker masks, too. Returns 0, or STELE_EINVALID_FIELD: stele_client_error has the reason (the
    file, or a library that was built without redaction), and nothing is masked. */
STELE_EXPORT int
    stele_client_set_redact (stele_client_t *self, const char *rules_file, const void *key);

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

/*  Publish an event. An event without a 'time' gets the current one. Returns its number
    (1, 2, 3 ... in this client; a spool continues after the events that it held), or:

      STELE_ETIMEOUT   the window was full for timeout_ms
      STELE_EUNAUTHORIZED  the window is full, and the broker refuses the connection (stele_client_set_key)
      STELE_EFULL      the spool is full (stele_client_set_spool)
      STELE_ETOO_LARGE the event is larger than a message to this broker may be; it
                       received no number, and later events may be published
      STELE_ESECRET    an id of the event contains a secret (stele_client_set_redact): the same
      STELE_EFENCED, STELE_EGAP, STELE_EPROTOCOL, STELE_EUNAUTHORIZED, STELE_EINVALID_FIELD
      (the endpoint, or the name of the producer), STELE_EIO (the spool), STELE_EBEHIND (the
      broker's ledger lost events that it had acked), STELE_ELEDGER (the broker returned with
      another ledger) or STELE_EUNAVAILABLE (the client is closed, or was created before fork):
                       this producer has ended and publishes nothing more

    After STELE_ETIMEOUT, STELE_EFULL and the STELE_EUNAUTHORIZED of a full window the event stays the
    caller's, to be published again or destroyed. In all other cases, success included, it is taken or
    destroyed, and the caller's pointer is set to NULL.

    The window is full when twice the broker's window of events, or 64 MiB, are not yet
    acked or refused. An event larger than 64 KiB also waits for the first connection to
    a broker, which reports its limit (not with a spool).                    */
STELE_EXPORT int64_t
    stele_client_publish (stele_client_t *self, stele_event_t **event_p, int timeout_ms);

/*  Publish several events, with the ownership of each as above; with a spool all are
    accepted, with one sync, or none. After a code with which the event stays the caller's, events
    that were not accepted do (without a spool, some may have been accepted). Returns the number of
    the last event, or a code as above.                                      */
STELE_EXPORT int64_t
    stele_client_publish_all (stele_client_t *self, stele_event_t **events, size_t count,
        int timeout_ms);

/*  Wait until the broker has welcomed this run. Everything that follows from its hello is
    then durable: an older run of the producer is fenced, and its tasks that were in progress
    are interrupted. Call it before you query which tasks to resume. Returns 0,
    STELE_ETIMEOUT, STELE_EUNAUTHORIZED (at once: the broker refuses the connection, see
    stele_client_set_key; after timeout_ms: this process may not use the ipc socket of the broker),
    or the code that ended this producer.                                    */
STELE_EXPORT int
    stele_client_ready (stele_client_t *self, int timeout_ms);

/*  Send what is batched, and wait until the event of that number is acked or refused.
    Returns 0 if it is durable, its code if it was refused (stele_client_error has the
    broker's reason), STELE_ETIMEOUT or STELE_EUNAUTHORIZED as above, or the code that
    ended this producer.                                                     */
STELE_EXPORT int
    stele_client_wait (stele_client_t *self, int64_t number, int timeout_ms);

/*  Send what is batched, and wait until every event is acked or refused. Returns 0;
    STELE_ETIMEOUT or STELE_EUNAUTHORIZED as above; the code that ended this producer; or, when
    all are settled, the code of the first refusal that the caller has not heard of, from the
    receipt function, from stele_client_wait or from this function. stele_client_error has the
    broker's reason, stele_client_refusal all of them.                       */
STELE_EXPORT int
    stele_client_flush (stele_client_t *self, int timeout_ms);

/*  End this run well: flush, as above and with the same results, and send goodbye. Nothing
    can be published afterwards. Tasks of this producer that are still in progress are treated
    as after a crash: interrupted by the lease, or by the next run. With 'keep', which is for
    programs that only report the work of others, they are left as they are.
    Without 'keep', no goodbye is sent if events were left unacked.          */
STELE_EXPORT int
    stele_client_close (stele_client_t *self, bool keep, int timeout_ms);

/*  Process acks that have arrived, without waiting. Returns the number of events that
    are not yet acked or refused, STELE_EUNAUTHORIZED (without a spool: the broker refuses the
    connection, see stele_client_set_key), or the code that ended this producer.  */
STELE_EXPORT int64_t
    stele_client_poll (stele_client_t *self);

/*  A socket that is readable when acks or refusals have arrived, for zpoller or zloop_reader:
    call stele_client_poll then, nothing else. Owned by the client, and valid until it is
    destroyed. NULL: this client cannot publish (see stele_client_error).    */
STELE_EXPORT zsock_t *
    stele_client_socket (stele_client_t *self);

/*  Number of refused events since the client was created.                   */
STELE_EXPORT int64_t
    stele_client_refused (const stele_client_t *self);

/*  A refusal, by its index from 0 in the order of arrival; its message is valid until the next
    call. False if there is none, or if more than 65,536 came after it.      */
STELE_EXPORT bool
    stele_client_refusal (const stele_client_t *self, int64_t index, stele_receipt_t *receipt);

/*  After a wait without an ack, query the broker (request 'stats') for the reason. Returns
    one sentence: the broker holds acks back and why, or it runs without trouble, or this
    process may not use its socket. NULL: no answer within timeout_ms. The text of
    stele_client_error is unchanged. Caller owns return value and frees it with free().  */
STELE_EXPORT char *
    stele_client_trouble (stele_client_t *self, int timeout_ms);

/*  Send a request, one msgpack map {"op":..., ...} or its JSON text, and wait for the
    answer (doc/PROTOCOL.md section 4). Returns 0 and the answer's bytes or text, which the
    caller frees with free(), also if the broker answers "ok":false. Otherwise returns
    STELE_ETIMEOUT (no answer within timeout_ms), STELE_EMALFORMED (the request's JSON does
    not parse, or the answer is not one msgpack map), STELE_EINVALID_FIELD (the endpoint),
    STELE_EUNAUTHORIZED (this process may not use the ipc socket, or the broker refuses the
    connection, see stele_client_set_key) or STELE_EUNAVAILABLE (no socket, or the client was
    created before fork), and leaves the outputs unchanged.
    A request that timed out may be repeated at once.                        */
STELE_EXPORT int
    stele_client_request (stele_client_t *self, const void *request, size_t request_size,
        int timeout_ms, void **answer, size_t *answer_size);
STELE_EXPORT int
    stele_client_request_json (stele_client_t *self, const char *request,
        int timeout_ms, char **answer);

#define STELE_FOLLOW_LIVE (-2)

/*  Subscribe to committed events whose feed topic matches 'topic', from the position after
    'after'. A topic is type/ID. "" matches all; a complete topic, "task.updated/build-7", only
    itself; one that ends with '/' or '*', or has no '/', is a prefix: "task.", "task.updated/",
    "task.updated/build-*". -1 starts with the next event that is committed (this
    queries the broker for the head, for at most a second). Events committed before,
    events lost by the feed, and content that the feed leaves out are fetched with
    events.read: stele_client_next returns every position once, in order and complete. A key without
    the role query may not do that, and stele_client_next returns STELE_EUNAUTHORIZED: STELE_FOLLOW_LIVE
    starts with the next event, too, but reads nothing. Events that are committed while there is no connection
    are then not returned, and content that the feed leaves out is missing ("content_omitted").
    Returns 0, STELE_EINVALID_FIELD (an invalid endpoint), STELE_EUNAUTHORIZED (this process
    may not use the ipc socket) or STELE_EUNAVAILABLE (no socket). A second call replaces the
    subscription.                                                            */
STELE_EXPORT int
    stele_client_follow (stele_client_t *self, const char *topic, int64_t after);

/*  The same for a program that keeps 'after' (from 0) together with the id of the ledger (request 'info') and continues
    later: if the broker has another ledger now, stele_client_next returns STELE_EBEHIND, and never one of its events. The first event
    may take a second longer, until the feed has confirmed its ledger.       */
STELE_EXPORT int
    stele_client_follow_ledger (stele_client_t *self, const char *ledger, const char *topic, int64_t after);

/*  Every event of the subscription up to this position was returned: the value of 'after' to continue from. It also
    grows by events that are not of the subscription. -1: there is no subscription, or it is not known yet. */
STELE_EXPORT int64_t
    stele_client_followed (const stele_client_t *self);

/*  The same for all events of one task: every type whose name begins with "task.", and those of its
    sessions, "session.", which the broker is asked for once per session (session.get; so not with
    STELE_FOLLOW_LIVE).                                                      */
STELE_EXPORT int
    stele_client_follow_task (stele_client_t *self, const char *task_id, int64_t after);

/*  Wait for the next event of the subscription. Returns 0 and the event, which the caller
    owns; STELE_ETIMEOUT; STELE_EUNAUTHORIZED (the broker refuses the connection, see
    stele_client_set_key); or the code of a failure to fetch missing events. Another call
    resumes at the same position, and no event is lost. STELE_EMALFORMED also skips an
    event that cannot be decoded. STELE_EBEHIND: the ledger ends before events that this
    subscription has returned, or is another ledger; its positions are reused, so call
    stele_client_follow again.                                               */
STELE_EXPORT int
    stele_client_next (stele_client_t *self, int timeout_ms, stele_event_t **event);

/*  A descriptor of the subscription for poll, epoll or zloop: it is readable (POLLIN) when stele_client_next may
    return an event, and at least once a second. Then call stele_client_next with the timeout 0, once or until
    STELE_ETIMEOUT; do not read from the descriptor. It stays the same until the next
    stele_client_follow or the end of the client, which close it. -1: there is no subscription,
    or this process has no descriptor left.                                  */
STELE_EXPORT int
    stele_client_fd (stele_client_t *self);

/*  Text of the last failure, "" if there was none. Valid until the next call. */
STELE_EXPORT const char *
    stele_client_error (const stele_client_t *self);

#ifdef __cplusplus
}
#endif

#endif
