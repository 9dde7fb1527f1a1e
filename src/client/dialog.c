/*  dialog - what a producer and the broker say to each other

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/dialog.h"
#include "client/peer.h"
#include "stele_error.h"

#define DIALOG_BATCH_BYTES     1048576      // Larger batches gain nothing
#define DIALOG_WIRE_BYTES     67108864      // Unacked, as the protocol's limits allow
#define DIALOG_HEARTBEAT_MS       2000      // Until a welcome says otherwise
#define DIALOG_SILENCE_MIN_MS     3000
#define DIALOG_STALL_MAX_MS      60000
#define DIALOG_HOLD_MS              20      // For errors that are still on their way
#define DIALOG_HOLD_WINDOW_MS     1000
#define DIALOG_IDLE_MS           60000

typedef enum { GREETING, READY, ENDED } state_t;

struct stele_dialog {
    stele_dialog_settings_t settings;       // Its texts are copies
    stele_outbox_t *outbox;
    stele_notices_t *notices;
    state_t state;
    bool hello_due;

    bool welcomed;                  // Once; from then on the following are known
    char ledger [64];
    int64_t offset;                 // Sequence of an event less its number
    int64_t sent;                   // Highest sequence that this producer ever used
    int64_t durable;                // Highest sequence told to be durable
    int64_t duplicates;             // Numbers up to this one were durable before
    int64_t window;
    int64_t bytes_max;
    int64_t heartbeat_ms;

    size_t batch_events;            // As set, less after too large messages
    bool due;                       // Send what is waiting, full batch or not
    int64_t now_ms;
    int64_t opened_ms;              // Events began to wait
    int64_t held_ms;                // Send nothing before
    bool held_for_ack;              // ... unless an ack comes
    int64_t spoke_ms;
    int64_t progress_ms;            // Acks went on, or nothing was unacked
    int stalls;                     // In a row
};

stele_dialog_t *
stele_dialog_new (const stele_dialog_settings_t *settings, int64_t now_ms)
{
    stele_dialog_t *self = (stele_dialog_t *) calloc (1, sizeof (stele_dialog_t));
    assert (self);
    self->settings = *settings;
    self->settings.producer = strdup (settings->producer);
    self->settings.instance = strdup (settings->instance);
    assert (self->settings.producer && self->settings.instance);
    self->outbox = stele_outbox_new ();
    self->notices = stele_notices_new ();
    self->batch_events = settings->batch_events;
    self->heartbeat_ms = DIALOG_HEARTBEAT_MS;
    self->now_ms = now_ms;
    return self;
}

void
stele_dialog_destroy (stele_dialog_t **self_p)
{
    stele_dialog_t *self = *self_p;
    if (!self)
        return;
    stele_outbox_destroy (&self->outbox);
    stele_notices_destroy (&self->notices);
    free ((char *) self->settings.producer);
    free ((char *) self->settings.instance);
    free (self);
    *self_p = NULL;
}

stele_notices_t *
stele_dialog_notices (stele_dialog_t *self)
{
    return self->notices;
}

bool
stele_dialog_ended (const stele_dialog_t *self)
{
    return self->state == ENDED;
}

bool
stele_dialog_hello_due (const stele_dialog_t *self)
{
    return self->hello_due;
}

int64_t
stele_dialog_waiting (const stele_dialog_t *self)
{
    return stele_outbox_end (self->outbox) - stele_outbox_next (self->outbox);
}

void
stele_dialog_flush (stele_dialog_t *self)
{
    self->due = stele_dialog_waiting (self) > 0;
}

void
stele_dialog_greet (stele_dialog_t *self)
{
    if (self->state == ENDED)
        return;
    self->state = GREETING;
    self->hello_due = true;
}

//  -- to the application ------------------------------------------------------

static stele_notice_t
s_notice (const stele_dialog_t *self, stele_notice_kind_t kind)
{
    stele_notice_t notice;
    memset (&notice, 0, sizeof notice);
    notice.kind = kind;
    notice.through = stele_outbox_first (self->outbox) - 1;
    notice.settled = stele_outbox_settled (self->outbox);
    notice.settled_bytes = stele_outbox_settled_bytes (self->outbox);
    notice.window = self->window;
    notice.bytes_max = self->bytes_max;
    return notice;
}

static void STELE_PRINTF (3, 4)
s_end (stele_dialog_t *self, int code, const char *format, ...)
{
    stele_notice_t notice = s_notice (self, STELE_NOTICE_ENDED);
    notice.code = code;
    va_list args;
    va_start (args, format);
    vsnprintf (notice.message, sizeof notice.message, format, args);
    va_end (args);
    stele_notices_put (self->notices, &notice);
    self->state = ENDED;
    self->hello_due = false;
}

void
stele_dialog_end (stele_dialog_t *self, int code, const char *message)
{
    if (self->state != ENDED)
        s_end (self, code, "%s", message);
}

//  All events up to 'number' are durable
static void
s_settle (stele_dialog_t *self, int64_t number, int64_t position)
{
    int64_t first = stele_outbox_first (self->outbox);
    stele_outbox_settle (self->outbox, number);
    if (stele_outbox_first (self->outbox) == first)
        return;
    self->progress_ms = self->now_ms;
    self->stalls = 0;
    stele_notice_t notice = s_notice (self, STELE_NOTICE_ACKED);
    notice.number = number < notice.through? number: notice.through;
    notice.position = position;
    notice.duplicate = number <= self->duplicates;
    stele_notices_put (self->notices, &notice);
}

static void
s_settle_duplicates (stele_dialog_t *self)
{
    if (stele_outbox_first (self->outbox) > self->duplicates)
        return;
    int64_t last = stele_outbox_end (self->outbox) - 1;
    s_settle (self, last < self->duplicates? last: self->duplicates, 0);
}

void
stele_dialog_put (stele_dialog_t *self, zmq_msg_t *event, int64_t now_ms)
{
    if (self->state == ENDED)
        return;
    self->now_ms = now_ms;
    if (stele_dialog_waiting (self) == 0)
        self->opened_ms = now_ms;
    stele_outbox_put (self->outbox, event);
    s_settle_duplicates (self);
}

//  -- to the broker -----------------------------------------------------------

static int64_t
s_on_wire (const stele_dialog_t *self)
{
    return stele_outbox_next (self->outbox) - stele_outbox_first (self->outbox);
}

static bool
s_window_open (const stele_dialog_t *self)
{
    return s_on_wire (self) < self->window
        && stele_outbox_wire_bytes (self->outbox) < DIALOG_WIRE_BYTES
        && self->now_ms >= self->held_ms;
}

//  How many waiting events make the next batch; 0 where even one is too large
static size_t
s_batch_count (const stele_dialog_t *self)
{
    int64_t count_max = self->window - s_on_wire (self);
    if (count_max > stele_dialog_waiting (self))
        count_max = stele_dialog_waiting (self);
    if (count_max > (int64_t) self->batch_events)
        count_max = (int64_t) self->batch_events;
    size_t bytes_max = (size_t) self->bytes_max - STELE_DIALOG_OVERHEAD;
    size_t batch_bytes = bytes_max / 2 < DIALOG_BATCH_BYTES? bytes_max / 2: DIALOG_BATCH_BYTES;
    size_t bytes = 0;
    int64_t next = stele_outbox_next (self->outbox);
    for (int64_t count = 0; count < count_max; count++) {
        size_t size;
        stele_outbox_event (self->outbox, next + count, &size);
        bytes += size;
        if (bytes > (count == 0? bytes_max: batch_bytes))
            return (size_t) count;
    }
    return (size_t) count_max;
}

static bool
s_batch_due (const stele_dialog_t *self)
{
    int64_t waiting = stele_dialog_waiting (self);
    return waiting > 0 && s_window_open (self)
        && (self->due || waiting >= (int64_t) self->batch_events
            || self->now_ms >= self->opened_ms + self->settings.delay_ms);
}

static bool
s_speak_batch (stele_dialog_t *self, stele_pack_t *pack)
{
    if (!s_batch_due (self))
        return false;
    int64_t next = stele_outbox_next (self->outbox);
    size_t count = s_batch_count (self);
    if (count == 0) {
        s_end (self, STELE_ETOO_LARGE, "event %" PRId64 " does not fit into the %" PRId64
            " bytes that the broker now allows a message", next, self->bytes_max);
        return false;
    }
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "op", "publish");
    stele_pack_key_integer (pack, "sequence", next + self->offset);
    stele_pack_string (pack, "events");
    stele_pack_array (pack, count);
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const void *event = stele_outbox_event (self->outbox, next + (int64_t) i, &size);
        stele_pack_packed (pack, event, size);
    }
    if (s_on_wire (self) == 0)
        self->progress_ms = self->now_ms;
    stele_outbox_sent (self->outbox, count);
    int64_t last = next + (int64_t) count - 1 + self->offset;
    if (self->sent < last)
        self->sent = last;
    self->opened_ms = self->now_ms;
    if (stele_dialog_waiting (self) == 0)
        self->due = false;
    return true;
}

static void
s_speak_hello (stele_dialog_t *self, stele_pack_t *pack)
{
    stele_pack_map (pack, self->settings.lease_ms > 0? 5: 4);
    stele_pack_key_string (pack, "op", "hello");
    stele_pack_key_integer (pack, "protocol", STELE_PROTOCOL);
    stele_pack_key_string (pack, "producer", self->settings.producer);
    stele_pack_key_string (pack, "instance", self->settings.instance);
    if (self->settings.lease_ms > 0)
        stele_pack_key_integer (pack, "lease_ms", self->settings.lease_ms);
    self->hello_due = false;
}

int64_t
stele_dialog_silence_ms (const stele_dialog_t *self)
{
    int64_t silence_ms = 3 * self->heartbeat_ms;
    return silence_ms > DIALOG_SILENCE_MIN_MS? silence_ms: DIALOG_SILENCE_MIN_MS;
}

//  Doubled each time, for a broker that holds back because its disk is full
static int64_t
s_stall_ms (const stele_dialog_t *self)
{
    int64_t stall_ms = stele_dialog_silence_ms (self) << self->stalls;
    return stall_ms < DIALOG_STALL_MAX_MS? stall_ms: DIALOG_STALL_MAX_MS;
}

bool
stele_dialog_speak (stele_dialog_t *self, int64_t now_ms, stele_pack_t *pack)
{
    self->now_ms = now_ms;
    stele_pack_clear (pack);
    if (self->state == READY && s_on_wire (self) > 0
    &&  now_ms >= self->progress_ms + s_stall_ms (self)) {
        //  The welcome will say what became of them
        if (s_stall_ms (self) < DIALOG_STALL_MAX_MS)
            self->stalls++;
        stele_dialog_greet (self);
    }
    bool spoken = false;
    if (self->hello_due) {
        s_speak_hello (self, pack);
        spoken = true;
    }
    else
    if (self->state == READY) {
        spoken = s_speak_batch (self, pack);
        if (!spoken && self->state == READY && now_ms >= self->spoke_ms + self->heartbeat_ms) {
            stele_pack_map (pack, 1);
            stele_pack_key_string (pack, "op", "ping");
            spoken = true;
        }
    }
    if (spoken)
        self->spoke_ms = now_ms;
    return spoken;
}

bool
stele_dialog_leave (stele_dialog_t *self, stele_pack_t *pack)
{
    if (self->state != READY)
        return false;
    stele_pack_clear (pack);
    stele_pack_map (pack, 1);
    stele_pack_key_string (pack, "op", "goodbye");
    return true;
}

static int64_t
s_sooner (int64_t one, int64_t other)
{
    return one < other? one: other;
}

int64_t
stele_dialog_deadline (const stele_dialog_t *self, int64_t now_ms)
{
    if (self->state != READY)
        return now_ms + DIALOG_IDLE_MS;
    int64_t deadline = self->spoke_ms + self->heartbeat_ms;
    if (s_on_wire (self) > 0)
        deadline = s_sooner (deadline, self->progress_ms + s_stall_ms (self));
    if (stele_dialog_waiting (self) > 0) {
        if (now_ms < self->held_ms) {
            deadline = s_sooner (deadline, self->held_ms);
        }
        else
        if (s_window_open (self)) {
            deadline = s_sooner (deadline, self->opened_ms + self->settings.delay_ms);
        }
    }
    return deadline;
}

//  -- from the broker ---------------------------------------------------------

//  Is a sequence that the broker knows one that this instance can have caused?
static bool
s_sequence_ours (stele_dialog_t *self, int64_t sequence)
{
    if (sequence <= self->sent)
        return true;
    s_end (self, STELE_EFENCED, "another one publishes as %.80s: the broker has sequence %" PRId64
        ", this instance had sent up to %" PRId64, self->settings.producer, sequence, self->sent);
    return false;
}

static bool
s_first_welcome (stele_dialog_t *self, const char *ledger, int64_t sequence)
{
    int64_t first = self->settings.first_sequence;
    if (first > sequence + 1) {
        s_end (self, STELE_EGAP, "the first event was to have sequence %" PRId64
            ", but the broker has %" PRId64 " only: events are missing between", first, sequence);
        return false;
    }
    self->welcomed = true;
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger);
    self->offset = first > 0? first - 1: sequence;
    self->duplicates = sequence - self->offset;
    self->sent = self->durable = sequence;
    return true;
}

static bool
s_later_welcome (stele_dialog_t *self, const char *ledger, int64_t sequence)
{
    if (strcmp (ledger, self->ledger) != 0) {
        s_end (self, STELE_ELEDGER, "the broker came back with another ledger: %s, it was %s",
            ledger, self->ledger);
        return false;
    }
    if (sequence < self->durable) {
        s_end (self, STELE_ELEDGER, "the broker came back with a ledger that lost events: its last "
            "sequence is %" PRId64 ", but %" PRId64 " was acked", sequence, self->durable);
        return false;
    }
    return s_sequence_ours (self, sequence);
}

//  Limits of a welcome; false where it is none that this version understands
static bool
s_welcome_limits (stele_dialog_t *self, const stele_peer_t *message)
{
    int64_t protocol, window, bytes_max, heartbeat_ms;
    if (!stele_peer_integer (message, "protocol", &protocol) || protocol != STELE_PROTOCOL
    ||  !stele_peer_integer (message, "window", &window) || window < 1
    ||  !stele_peer_integer (message, "max_bytes", &bytes_max)
    ||  bytes_max < 2 * STELE_DIALOG_OVERHEAD)
        return false;
    self->window = window;
    self->bytes_max = bytes_max;
    if (stele_peer_integer (message, "heartbeat_ms", &heartbeat_ms) && heartbeat_ms > 0)
        self->heartbeat_ms = heartbeat_ms;
    int64_t lease_ms = self->settings.lease_ms;
    if (lease_ms > 0 && self->heartbeat_ms > lease_ms / 3)
        self->heartbeat_ms = lease_ms / 3 + 1;
    return true;
}

static void
s_on_welcome (stele_dialog_t *self, const stele_peer_t *message)
{
    int64_t sequence;
    char ledger [sizeof self->ledger];
    if (!s_welcome_limits (self, message)
    ||  !stele_peer_integer (message, "sequence", &sequence) || sequence < 0
    ||  !stele_peer_text (message, "ledger", ledger, sizeof ledger)) {
        s_end (self, STELE_EPROTOCOL, "the broker's welcome is not one of protocol %d",
            STELE_PROTOCOL);
        return;
    }
    if (!(self->welcomed? s_later_welcome (self, ledger, sequence):
            s_first_welcome (self, ledger, sequence)))
        return;
    self->state = READY;
    self->hello_due = false;
    self->durable = sequence;
    stele_notice_t notice = s_notice (self, STELE_NOTICE_WELCOME);
    stele_notices_put (self->notices, &notice);
    s_settle_duplicates (self);
    s_settle (self, sequence - self->offset, 0);
    stele_outbox_rewind (self->outbox, 0);
    self->progress_ms = self->now_ms;
    self->held_ms = 0;
    stele_dialog_flush (self);
}

static void
s_on_ack (stele_dialog_t *self, const stele_peer_t *message)
{
    int64_t sequence, position = 0;
    if (self->state != READY || !stele_peer_integer (message, "sequence", &sequence)
    ||  !s_sequence_ours (self, sequence))
        return;
    stele_peer_integer (message, "position", &position);
    if (self->durable < sequence)
        self->durable = sequence;
    s_settle (self, sequence - self->offset, position);
    if (self->held_for_ack)
        self->held_ms = 0;
}

static void
s_on_nak (stele_dialog_t *self, const stele_peer_t *message)
{
    int64_t sequence;
    if (self->state != READY || !stele_peer_integer (message, "sequence", &sequence)
    ||  !s_sequence_ours (self, sequence) || sequence <= self->offset)
        return;
    int64_t number = sequence - self->offset;
    if (self->durable < sequence)
        self->durable = sequence;
    //  One that an ack has covered already is told nevertheless
    if (number >= stele_outbox_first (self->outbox)
    &&  !stele_outbox_refuse (self->outbox, number))
        return;
    self->progress_ms = self->now_ms;
    stele_notice_t notice = s_notice (self, STELE_NOTICE_REFUSED);
    notice.number = number;
    notice.code = stele_peer_code (message, "code");
    stele_peer_text (message, "message", notice.message, sizeof notice.message);
    stele_notices_put (self->notices, &notice);
}

static void
s_hold (stele_dialog_t *self, int64_t number, int64_t hold_ms)
{
    //  What was sent after the message that failed fails too: let those errors
    //  pass, or each would make everything be sent once more
    stele_outbox_rewind (self->outbox, number);
    self->held_ms = self->now_ms + hold_ms;
    self->held_for_ack = false;
    stele_dialog_flush (self);
}

static void
s_on_gap (stele_dialog_t *self, const stele_peer_t *message)
{
    int64_t expected;
    if (!stele_peer_integer (message, "expected", &expected)) {
        stele_dialog_greet (self);
        return;
    }
    int64_t first = stele_outbox_first (self->outbox) + self->offset;
    if (expected < first) {
        s_end (self, STELE_EGAP, "the broker expects sequence %" PRId64
            ", but what is before %" PRId64 " was acked and is gone", expected, first);
        return;
    }
    s_hold (self, expected - self->offset, DIALOG_HOLD_MS);
}

//  A whole message was refused: smaller ones, or there is no way on
static void
s_on_bad_message (stele_dialog_t *self, int code, const char *text)
{
    if (self->state == GREETING || self->batch_events == 1) {
        s_end (self, code, "%s", text);
        return;
    }
    self->batch_events = code == STELE_ETOO_LARGE? self->batch_events / 2: 1;
    s_hold (self, 0, DIALOG_HOLD_MS);
}

static void
s_on_error (stele_dialog_t *self, const stele_peer_t *message)
{
    char text [256] = "";
    int code = stele_peer_code (message, "code");
    stele_peer_text (message, "message", text, sizeof text);
    switch (code) {
        case STELE_EFENCED:
        case STELE_EPROTOCOL:
        case STELE_EUNAUTHORIZED:
            s_end (self, code, "%s", text);
            break;
        case STELE_EMALFORMED:
        case STELE_EMISSING_FIELD:
        case STELE_EINVALID_FIELD:
        case STELE_ETOO_LARGE:
            s_on_bad_message (self, code, text);
            break;
        case STELE_ENO_HELLO:
            //  While greeting, a hello is on its way: this is about something older
            if (self->state == READY)
                stele_dialog_greet (self);
            break;
        case STELE_EGAP:
            if (self->state == READY)
                s_on_gap (self, message);
            break;
        case STELE_EWINDOW:
            if (self->state == READY) {
                s_hold (self, 0, DIALOG_HOLD_WINDOW_MS);
                self->held_for_ack = true;
            }
            break;
        default:
            //  A trouble of the broker's own: it ends, or the acks stall
            break;
    }
}

void
stele_dialog_answer (stele_dialog_t *self, const void *data, size_t size, int64_t now_ms)
{
    static const struct {
        const char *op;
        void (*take) (stele_dialog_t *self, const stele_peer_t *message);
    } answers [] = {
        { "ack", s_on_ack },
        { "nak", s_on_nak },
        { "welcome", s_on_welcome },
        { "error", s_on_error }
    };
    stele_peer_t message;
    char op [16];
    self->now_ms = now_ms;
    if (self->state == ENDED || stele_peer_open (&message, data, size) != 0
    ||  !stele_peer_text (&message, "op", op, sizeof op))
        return;
    for (size_t i = 0; i < sizeof answers / sizeof answers [0]; i++)
        if (strcmp (op, answers [i].op) == 0)
            answers [i].take (self, &message);
}
