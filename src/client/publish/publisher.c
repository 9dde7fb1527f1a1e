/*  publisher - the application's side of publishing

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "client/connection/permission.h"
#include "client/publish/publisher.h"
#include "client/connection/wait.h"
#include "base/tsan.h"

#define PUBLISHER_WINDOW         65536      // Until a welcome sets it
#define PUBLISHER_WAITING_BYTES 67108864    // Handed over and not settled
#define PUBLISHER_SAFE_BYTES     65536      // Size of an event that every broker accepts
#define PUBLISHER_SPOOL_BYTES 16777216      // Largest message, until a welcome sets it
#define PUBLISHER_NOTICES_MAX     1000

struct stele_publisher {
    zactor_t *sender;               // NULL after stele_publisher_leave
    zsock_t *pair;
    char *endpoint;                 // The broker's
    size_t batch_events;
    stele_receipt_fn *fn;
    void *arg;
    stele_spool_t *spool;           // NULL: none
    int64_t published;              // Number of the last event
    int64_t handed;                 // Number of the last one that the sender has
    int64_t handed_bytes;
    int64_t in_batch;               // Events since the last command to the sender
    int64_t polled_ms;              // When notices were last received
    int64_t through;                // All up to this number are settled
    int64_t settled;
    int64_t settled_bytes;
    int64_t window;
    int64_t bytes_max;              // 0 before the first welcome
    stele_refusal_t unreached;      // The broker refuses the connection; code 0: it does not
    char follows [640];             // What the last node answered that is not the writer; "": none did
    stele_refusal_t ended;          // Why this producer has ended; code 0: it has not
    stele_refusals_t *refusals;
};

static void
    s_hand_over_spooled (stele_publisher_t *self);
static void
    s_take_last_notices (stele_publisher_t *self);
static void
    s_end (stele_publisher_t *self, int code, const char *message);

//  Resume with the state of earlier runs, from the spool
static void
s_resume (stele_publisher_t *self, stele_dialog_settings_t *dialog)
{
    int64_t offset;
    const char *ledger;
    self->published = stele_spool_end (self->spool);
    dialog->keep_offset = stele_spool_keep_offset;
    dialog->set_aside = stele_spool_set_aside;
    dialog->keep_arg = self->spool;
    if (!stele_spool_offset (self->spool, &offset, &ledger))
        return;
    dialog->ledger = ledger;
    dialog->acked = offset;
    dialog->given = offset + self->published;
}

stele_publisher_t *
stele_publisher_new (const stele_sender_settings_t *settings, stele_spool_t **spool_p)
{
    stele_publisher_t *self = STELE_NEW (stele_publisher_t);
    self->batch_events = settings->dialog.batch_events;
    self->window = PUBLISHER_WINDOW;
    self->endpoint = stele_memory_copy (settings->endpoint, strlen (settings->endpoint));
    self->refusals = stele_refusals_new ();
    self->pair = zsock_new (ZMQ_PAIR);
    assert (self->pair);
    zsock_set_sndhwm (self->pair, 0);
    zsock_set_rcvhwm (self->pair, PUBLISHER_NOTICES_MAX);
    zsock_set_linger (self->pair, 0);

    zuuid_t *name = zuuid_new ();
    assert (name);
    char endpoint [80];
    snprintf (endpoint, sizeof endpoint, "inproc://stele-publisher-%s", zuuid_str (name));
    zuuid_destroy (&name);
    int rc = zsock_bind (self->pair, "%s", endpoint);
    assert (rc == 0);

    stele_sender_settings_t copy = *settings;
    copy.pair = endpoint;
    if (spool_p && *spool_p) {
        self->spool = *spool_p;
        *spool_p = NULL;
        s_resume (self, &copy.dialog);
    }
    self->sender = zactor_new (stele_sender, &copy);
    assert (self->sender);
    STELE_TSAN_ACQUIRE (&copy);
    if (self->spool)
        s_hand_over_spooled (self);
    return self;
}

static void
s_free (stele_publisher_t **self_p)
{
    stele_publisher_t *self = *self_p;
    stele_refusals_destroy (&self->refusals);
    free (self->endpoint);
    free (self);
    *self_p = NULL;
}

void
stele_publisher_destroy (stele_publisher_t **self_p)
{
    if (!*self_p)
        return;
    stele_publisher_t *self = *self_p;
    stele_publisher_leave (self, STELE_GOODBYE_NONE);
    zsock_destroy (&self->pair);
    s_free (self_p);
}

void
stele_publisher_abandon (stele_publisher_t **self_p)
{
    if (!*self_p)
        return;
    stele_spool_abandon (&(*self_p)->spool);
    s_free (self_p);
}

void
stele_publisher_leave (stele_publisher_t *self, stele_goodbye_t goodbye)
{
    if (!self->sender)
        return;
    if (goodbye != STELE_GOODBYE_NONE)
        zmq_send (zsock_resolve (self->sender),
            goodbye == STELE_GOODBYE_KEEP? STELE_SENDER_ASIDE: STELE_SENDER_LEAVE, 5, 0);
    zactor_destroy (&self->sender);
    if (self->spool)
        STELE_TSAN_ACQUIRE (self->spool);
    s_take_last_notices (self);
    stele_spool_close (&self->spool);
    s_end (self, STELE_EUNAVAILABLE, "the client is closed: create another one to publish");
}

zsock_t *
stele_publisher_socket (stele_publisher_t *self)
{
    return self->pair;
}

void
stele_publisher_on_receipt (stele_publisher_t *self, stele_receipt_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

const stele_refusals_t *
stele_publisher_refusals (const stele_publisher_t *self)
{
    return self->refusals;
}

//  -- notices of the sender ----------------------------------------------------

static void
s_end (stele_publisher_t *self, int code, const char *message)
{
    if (self->ended.code == 0)
        stele_refuse (&self->ended, code, NULL, "%s", message);
}

//  Note the numbering in the spool. The sender's thread has stored it for the first welcome; if the
//  ledger's id changes later, it is stored here.
static void
s_note_offset (stele_publisher_t *self, const stele_notice_t *notice)
{
    int64_t offset;
    const char *ledger;
    if (stele_spool_offset (self->spool, &offset, &ledger)
    &&  offset == notice->offset && strcmp (ledger, notice->message) == 0)
        return;
    if (stele_spool_keep_offset (notice->offset, notice->message, self->spool))
        s_end (self, STELE_EIO, "the spool cannot be written");
    stele_spool_note_offset (self->spool, notice->offset, notice->message);
}

static void
s_settle_spool (stele_publisher_t *self)
{
    int64_t through = self->through < self->handed? self->through: self->handed;
    if (through > 0 && stele_spool_settle (self->spool, through))
        s_end (self, STELE_EIO, "the spool cannot be written");
}

static void
s_take_notice (stele_publisher_t *self, const stele_notice_t *notice)
{
    self->through = notice->through;
    self->settled = notice->settled;
    self->settled_bytes = notice->settled_bytes;
    if (notice->kind == STELE_NOTICE_ENDED) {
        s_end (self, notice->code, notice->message);
        return;
    }
    if (notice->kind == STELE_NOTICE_UNREACHED) {
        stele_refuse (&self->unreached, notice->code, "key", "%s", notice->message);
        return;
    }
    if (notice->kind == STELE_NOTICE_FOLLOWS) {
        snprintf (self->follows, sizeof self->follows, "%s", notice->message);
        return;
    }
    if (notice->window > 0) {
        self->window = notice->window;
        self->bytes_max = notice->bytes_max;
    }
    if (notice->kind == STELE_NOTICE_WELCOME) {
        self->unreached.code = 0;
        *self->follows = 0;
        if (self->spool)
            s_note_offset (self, notice);
        return;
    }
    if (notice->kind == STELE_NOTICE_REFUSED)
        stele_refusals_add (self->refusals, notice->number, notice->code, notice->message, self->fn != NULL);
    if (!self->fn)
        return;
    stele_receipt_t receipt = {
        .fate = notice->kind == STELE_NOTICE_REFUSED? STELE_REFUSED: STELE_ACKED,
        .number = notice->number,
        .position = notice->position,
        .duplicate = notice->duplicate,
        .code = notice->code,
        .message = notice->message
    };
    self->fn (&receipt, self->arg);
}

static void
s_take_waiting (stele_publisher_t *self)
{
    stele_notice_t notice;
    void *pair = zsock_resolve (self->pair);
    self->polled_ms = zclock_mono ();
    while (zmq_recv (pair, &notice, sizeof notice, ZMQ_DONTWAIT) == (int) sizeof notice)
        s_take_notice (self, &notice);
    if (self->spool)
        s_settle_spool (self);
}

static void
s_take_notices (stele_publisher_t *self)
{
    s_take_waiting (self);
    if (self->spool)
        s_hand_over_spooled (self);
}

//  The sender has stopped: its last notices are for the spool
static void
s_take_last_notices (stele_publisher_t *self)
{
    self->fn = NULL;
    if (self->spool)
        s_take_waiting (self);
}

//  Wait for a notice. False after the deadline, or if the broker refuses the connection.
static bool
s_wait_notice (stele_publisher_t *self, int64_t deadline_ms)
{
    if (self->unreached.code)
        return false;
    zmq_pollitem_t item = { .socket = zsock_resolve (self->pair), .events = ZMQ_POLLIN };
    if (stele_wait_poll (&item, 1, deadline_ms) <= 0)
        return false;
    s_take_notices (self);
    return true;
}

//  -- events and commands to the sender ----------------------------------------

static void
s_command (stele_publisher_t *self, const char *command)
{
    //  If the pipe is full, the sender has commands to wake up for
    zmq_send (zsock_resolve (self->sender), command, strlen (command), ZMQ_DONTWAIT);
    self->in_batch = 0;
}

static bool
s_has_room (const stele_publisher_t *self, size_t size)
{
    if (self->handed - self->settled >= 2 * self->window)
        return false;
    //  An event larger than the limit passes if no other waits
    int64_t waiting = self->handed_bytes - self->settled_bytes;
    if (waiting > 0 && waiting + (int64_t) size > PUBLISHER_WAITING_BYTES)
        return false;
    return self->bytes_max > 0 || size <= PUBLISHER_SAFE_BYTES;
}

static void
s_hand_over (stele_publisher_t *self, const void *event, size_t size)
{
    zmq_msg_t message;
    int rc = zmq_msg_init_size (&message, size);
    assert (rc == 0);
    memcpy (zmq_msg_data (&message), event, size);
    STELE_TSAN_RELEASE (zmq_msg_data (&message));
    rc = zmq_msg_send (&message, zsock_resolve (self->pair), 0);
    assert (rc >= 0);
    self->handed_bytes += (int64_t) size;
    self->handed++;
    if (++self->in_batch >= (int64_t) self->batch_events && self->batch_events > 1)
        s_command (self, STELE_SENDER_BATCH);
}

//  Hand over events that wait in the spool, while there is room
static void
s_hand_over_spooled (stele_publisher_t *self)
{
    const void *event;
    size_t size;
    stele_refusal_t refusal = { 0 };
    while (self->ended.code == 0 && stele_spool_next (self->spool, &event, &size, &refusal)
        && s_has_room (self, size)) {
        s_hand_over (self, event, size);
        stele_spool_pass (self->spool);
    }
    if (refusal.code && self->ended.code == 0)
        s_end (self, refusal.code, refusal.message);
}

int64_t
stele_publisher_unsettled (const stele_publisher_t *self)
{
    return self->published - self->settled;
}

static const char *
s_events_are (const stele_publisher_t *self)
{
    return stele_publisher_unsettled (self) == 1? "event is": "events are";
}

//  The wait is over. The reason may be that the broker refuses the connection, or this process may not use the socket.
static int
s_timeout (const stele_publisher_t *self, stele_refusal_t *refusal, const char *what)
{
    if (self->unreached.code) {
        *refusal = self->unreached;
        return refusal->code;
    }
    if (self->bytes_max == 0 && stele_permission_check (self->endpoint, refusal))
        return STELE_EUNAUTHORIZED;
    if (*self->follows)
        return stele_refuse (refusal, STELE_ETIMEOUT, NULL, "%s: no node of %.160s writes; the last one that answered: %s", what,
            self->endpoint, self->follows);
    return stele_refuse (refusal, STELE_ETIMEOUT, NULL, "%s", what);
}

static int
s_timeout_unsettled (const stele_publisher_t *self, stele_refusal_t *refusal, const char *why)
{
    char what [160];
    snprintf (what, sizeof what, "%" PRId64 " %s not acked yet%s", stele_publisher_unsettled (self),
        s_events_are (self), why);
    return s_timeout (self, refusal, what);
}

static int
s_wait_room (stele_publisher_t *self, size_t size, int64_t deadline_ms, stele_refusal_t *refusal)
{
    while (!s_has_room (self, size) && !self->ended.code) {
        s_command (self, STELE_SENDER_FLUSH);
        if (!s_wait_notice (self, deadline_ms))
            return s_timeout_unsettled (self, refusal, ": the broker does not keep up, or is unreachable");
    }
    return 0;
}

static bool
s_too_large (const stele_publisher_t *self, size_t size, stele_refusal_t *refusal)
{
    int64_t bytes_max = self->bytes_max;
    //  An event that no broker accepts would block the spool for ever
    if (bytes_max == 0 && self->spool)
        bytes_max = PUBLISHER_SPOOL_BYTES;
    if (bytes_max == 0 || (int64_t) size <= bytes_max - STELE_DIALOG_OVERHEAD)
        return false;
    stele_refuse (refusal, STELE_ETOO_LARGE, NULL, "the event has %zu bytes, "
        "the broker accepts messages of at most %" PRId64 ": split the event, or raise message-bytes of the broker",
        size, bytes_max);
    return true;
}

int64_t
stele_publisher_put (stele_publisher_t *self, const void *event, size_t size,
    int timeout_ms, stele_refusal_t *refusal)
{
    //  Polling costs more than handing over, so once per millisecond is enough
    if (self->polled_ms != zclock_mono ())
        s_take_notices (self);
    int code = s_has_room (self, size)? 0: s_wait_room (self, size, stele_wait_deadline (timeout_ms), refusal);
    if (code)
        return self->unreached.code? code: STELE_ETIMEOUT;
    if (self->ended.code) {
        *refusal = self->ended;
        return self->ended.code;
    }
    if (s_too_large (self, size, refusal))
        return STELE_ETOO_LARGE;
    s_hand_over (self, event, size);
    return ++self->published;
}

int64_t
stele_publisher_spool (stele_publisher_t *self, const stele_spool_event_t *events,
    size_t count, stele_refusal_t *refusal)
{
    if (self->polled_ms != zclock_mono ())
        s_take_notices (self);
    if (self->ended.code) {
        *refusal = self->ended;
        return self->ended.code;
    }
    for (size_t i = 0; i < count; i++)
        if (s_too_large (self, events [i].size, refusal))
            return STELE_ETOO_LARGE;
    int code = stele_spool_append (self->spool, events, count, refusal);
    if (code)
        return code;
    self->published += (int64_t) count;
    s_hand_over_spooled (self);
    return self->published;
}

int
stele_publisher_ready (stele_publisher_t *self, int timeout_ms, stele_refusal_t *refusal)
{
    int64_t deadline_ms = stele_wait_deadline (timeout_ms);
    s_take_notices (self);
    while (self->bytes_max == 0 || self->ended.code) {
        if (self->ended.code) {
            *refusal = self->ended;
            return self->ended.code;
        }
        if (!s_wait_notice (self, deadline_ms))
            return s_timeout (self, refusal, "no welcome from the broker in time");
    }
    return 0;
}

int
stele_publisher_wait (stele_publisher_t *self, int64_t number, int timeout_ms,
    stele_refusal_t *refusal)
{
    if (number < 1 || number > self->published)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "number", "there is no event %" PRId64 " to wait for: "
            "the last one of this client is %" PRId64, number, self->published);
    int64_t deadline_ms = stele_wait_deadline (timeout_ms);
    bool flush_sent = false;
    s_take_notices (self);
    while (true) {
        stele_refused_t *refused = stele_refusals_find (self->refusals, number);
        if (refused) {
            stele_refusals_report_one (self->refusals, refused);
            return stele_refuse (refusal, refused->code, NULL, "event %" PRId64 " was refused: %s",
                number, refused->message);
        }
        if (number <= self->through)
            return 0;
        if (self->ended.code) {
            *refusal = self->ended;
            return self->ended.code;
        }
        if (!flush_sent)
            s_command (self, STELE_SENDER_FLUSH);
        flush_sent = true;
        if (!s_wait_notice (self, deadline_ms)) {
            char what [80];
            snprintf (what, sizeof what, "event %" PRId64 " was not acked in time", number);
            return s_timeout (self, refusal, what);
        }
    }
}

//  Returns the code of the first refusal that the caller has not heard of; 0 if there is none
static int
s_report_refused (stele_publisher_t *self, stele_refusal_t *refusal)
{
    const stele_refused_t *first;
    int64_t count = stele_refusals_report (self->refusals, &first);
    if (!first)
        return 0;
    char more [64] = "";
    if (count > 1)
        snprintf (more, sizeof more, " (and %" PRId64 " more: see stele_client_refusal)", count - 1);
    return stele_refuse (refusal, first->code, NULL, "event %" PRId64 " was refused: %s%s", first->number,
        first->message, more);
}

int
stele_publisher_flush (stele_publisher_t *self, int timeout_ms, stele_refusal_t *refusal)
{
    int64_t deadline_ms = stele_wait_deadline (timeout_ms);
    s_take_notices (self);
    if (self->settled < self->published && self->ended.code == 0)
        s_command (self, STELE_SENDER_FLUSH);
    while (self->settled < self->published) {
        if (self->ended.code) {
            *refusal = self->ended;
            return self->ended.code;
        }
        if (!s_wait_notice (self, deadline_ms))
            return s_timeout_unsettled (self, refusal, "");
    }
    return s_report_refused (self, refusal);
}

int64_t
stele_publisher_poll (stele_publisher_t *self, stele_refusal_t *refusal)
{
    s_take_notices (self);
    if (self->ended.code) {
        *refusal = self->ended;
        return self->ended.code;
    }
    //  A spool keeps the events until the broker lets this client in
    if (self->unreached.code && !self->spool) {
        *refusal = self->unreached;
        return self->unreached.code;
    }
    return stele_publisher_unsettled (self);
}

bool
stele_publisher_ended (const stele_publisher_t *self)
{
    return self->ended.code != 0;
}
