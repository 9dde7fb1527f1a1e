/*  dialog_receive - process the broker's messages to a producer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "client/publish/dialog_internal.h"
#include "wire/map.h"

#define DIALOG_HOLD_MS              20      // For errors that are still on their way
#define DIALOG_HOLD_WINDOW_MS     1000

//  -- welcome -------------------------------------------------------------------

//  Can this instance have sent a sequence that the broker has? If not, end.
static bool
s_sequence_ours (stele_dialog_t *self, int64_t sequence)
{
    if (sequence <= self->sent)
        return true;
    stele_dialog_end_with (self, STELE_EFENCED, "another instance publishes as %.80s: the broker has "
        "sequence %" PRId64 ", this instance has sent up to %" PRId64,
        self->settings.producer, sequence, self->sent);
    return false;
}

//  The ledger of a welcome
typedef struct {
    char id [64];
    char previous_ledger_id [64];   // Id before a loss was accepted there; "": none
    int64_t sequence;               // Last durable one of this producer
} s_ledger_t;

static bool
s_is_ledger (const s_ledger_t *ledger, const char *id)
{
    return strcmp (ledger->id, id) == 0 || strcmp (ledger->previous_ledger_id, id) == 0;
}

static void
s_end_behind (stele_dialog_t *self, int64_t sequence, int64_t acked)
{
    stele_dialog_end_with (self, STELE_EBEHIND, "the broker's ledger lost events: its last sequence of"
        " %.80s is %" PRId64 ", but %" PRId64 " was acked", self->settings.producer, sequence, acked);
}

//  Determine the sequences of the events of a spool. Events that may have been sent before keep their
//  sequences. They follow the broker's last sequence of this producer instead if the spool has not
//  met a broker yet, if the broker has later sequences than the spool ever gave, and if a loss is
//  accepted. False if the dialog has ended.
static bool
s_spool_offset (stele_dialog_t *self, const s_ledger_t *ledger, int64_t *offset)
{
    const stele_dialog_settings_t *settings = &self->settings;
    *offset = ledger->sequence;
    if (settings->ledger && !settings->accept_loss) {
        if (!s_is_ledger (ledger, settings->ledger)) {
            stele_dialog_end_with (self, STELE_ELEDGER, "the spool belongs to ledger %s, the broker has %s: "
                "check that it is the right broker", settings->ledger, ledger->id);
            return false;
        }
        if (ledger->sequence < settings->acked) {
            s_end_behind (self, ledger->sequence, settings->acked);
            return false;
        }
    }
    bool known = settings->ledger && s_is_ledger (ledger, settings->ledger);
    if (known && ledger->sequence >= settings->acked && ledger->sequence <= settings->given)
        *offset = settings->acked;
    if (known && *offset == settings->acked && strcmp (settings->ledger, ledger->id) == 0)
        return true;
    int code = settings->keep_offset (*offset, ledger->id, settings->keep_arg);
    if (code)
        stele_dialog_end_with (self, code, "the spool cannot be written: %s", stele_error_text (code));
    return code == 0;
}

static bool
s_first_welcome (stele_dialog_t *self, const s_ledger_t *ledger)
{
    int64_t first = self->settings.first_sequence;
    int64_t offset = first > 0? first - 1: ledger->sequence;
    if (offset > ledger->sequence) {
        stele_dialog_end_with (self, STELE_EGAP, "the first event would have sequence %" PRId64
            ", but the last one of the broker is %" PRId64 ": events between them are missing", first,
            ledger->sequence);
        return false;
    }
    if (self->settings.keep_offset && !s_spool_offset (self, ledger, &offset))
        return false;
    self->welcomed = true;
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger->id);
    self->offset = offset;
    self->duplicates = ledger->sequence - offset;
    self->sent = self->durable = ledger->sequence;
    return true;
}

static bool
s_later_welcome (stele_dialog_t *self, const s_ledger_t *ledger)
{
    if (!s_is_ledger (ledger, self->ledger)) {
        stele_dialog_end_with (self, STELE_ELEDGER, "the broker returned with another ledger: %s, it was %s",
            ledger->id, self->ledger);
        return false;
    }
    if (ledger->sequence < self->durable) {
        s_end_behind (self, ledger->sequence, self->durable);
        return false;
    }
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger->id);
    return s_sequence_ours (self, ledger->sequence);
}

//  Take the limits of a welcome; false if this version does not understand it
static bool
s_welcome_limits (stele_dialog_t *self, const stele_map_t *message)
{
    int64_t protocol, window, bytes_max, heartbeat_ms;
    if (!stele_map_integer (message, "protocol", &protocol) || protocol != STELE_PROTOCOL
    ||  !stele_map_integer (message, "window", &window) || window < 1
    ||  !stele_map_integer (message, "max_bytes", &bytes_max)
    ||  bytes_max < 2 * STELE_DIALOG_OVERHEAD)
        return false;
    self->window = window;
    self->bytes_max = bytes_max;
    if (stele_map_integer (message, "heartbeat_ms", &heartbeat_ms) && heartbeat_ms > 0)
        self->heartbeat_ms = heartbeat_ms;
    int64_t lease_ms = self->settings.lease_ms;
    if (lease_ms > 0 && self->heartbeat_ms > lease_ms / 3)
        self->heartbeat_ms = lease_ms / 3 + 1;
    return true;
}

static void
s_on_welcome (stele_dialog_t *self, const stele_map_t *message)
{
    s_ledger_t ledger = { .sequence = -1 };
    stele_map_text (message, "formerly", ledger.previous_ledger_id, sizeof ledger.previous_ledger_id);
    if (!s_welcome_limits (self, message)
    ||  !stele_map_integer (message, "sequence", &ledger.sequence) || ledger.sequence < 0
    ||  !stele_map_text (message, "ledger", ledger.id, sizeof ledger.id)) {
        stele_dialog_end_with (self, STELE_EPROTOCOL, "the broker's welcome is not that of protocol %d",
            STELE_PROTOCOL);
        return;
    }
    self->greeted = true;
    if (!(self->welcomed? s_later_welcome (self, &ledger): s_first_welcome (self, &ledger)))
        return;
    self->state = READY;
    self->hello_due = false;
    self->durable = ledger.sequence;
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_WELCOME);
    snprintf (notice.message, sizeof notice.message, "%s", self->ledger);
    stele_notices_put (self->notices, &notice);
    stele_dialog_settle_duplicates (self);
    stele_dialog_settle (self, ledger.sequence - self->offset, 0);
    stele_outbox_rewind (self->outbox, 0);
    self->progress_ms = self->now_ms;
    self->held_ms = 0;
    stele_dialog_flush (self);
}

//  -- ack and nak ----------------------------------------------------------------

static void
s_on_ack (stele_dialog_t *self, const stele_map_t *message)
{
    int64_t sequence, position = 0;
    if (self->state != READY || !stele_map_integer (message, "sequence", &sequence)
    ||  !s_sequence_ours (self, sequence))
        return;
    stele_map_integer (message, "position", &position);
    if (self->durable < sequence)
        self->durable = sequence;
    stele_dialog_settle (self, sequence - self->offset, position);
    if (self->held_for_ack)
        self->held_ms = 0;
}

static void
s_on_nak (stele_dialog_t *self, const stele_map_t *message)
{
    int64_t sequence;
    if (self->state != READY || !stele_map_integer (message, "sequence", &sequence)
    ||  !s_sequence_ours (self, sequence) || sequence <= self->offset)
        return;
    int64_t number = sequence - self->offset;
    if (self->durable < sequence)
        self->durable = sequence;
    if (number == self->aside) {
        stele_dialog_refuse_aside (self);
        return;
    }
    //  A refusal is reported even if an ack has already covered its event
    if (number >= stele_outbox_first (self->outbox)
    &&  !stele_outbox_refuse (self->outbox, number))
        return;
    self->progress_ms = self->now_ms;
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_REFUSED);
    notice.number = number;
    notice.code = stele_map_code (message, "code");
    stele_map_message (message, notice.message, sizeof notice.message);
    stele_notices_put (self->notices, &notice);
}

//  -- error ----------------------------------------------------------------------

static void
s_hold (stele_dialog_t *self, int64_t number, int64_t hold_ms)
{
    //  Messages in flight after the failed one fail too: wait for their errors, since each would
    //  otherwise cause everything to be sent again
    stele_outbox_rewind (self->outbox, number);
    self->held_ms = self->now_ms + hold_ms;
    self->held_for_ack = false;
    stele_dialog_flush (self);
}

static void
s_on_gap (stele_dialog_t *self, const stele_map_t *message)
{
    int64_t expected;
    if (!stele_map_integer (message, "expected", &expected)) {
        stele_dialog_handshake (self);
        return;
    }
    int64_t first = stele_outbox_first (self->outbox) + self->offset;
    if (expected < first) {
        stele_dialog_end_with (self, STELE_EGAP, "the broker expects sequence %" PRId64
            ", but events before %" PRId64 " were acked and are no longer kept", expected, first);
        return;
    }
    s_hold (self, expected - self->offset, DIALOG_HOLD_MS);
}

//  A whole message was refused: send smaller ones, or end
static void
s_on_bad_message (stele_dialog_t *self, int code, const char *text)
{
    //  The error of a message that was in flight: wait until all of them have arrived
    if (self->state == READY && self->now_ms < self->held_ms) {
        self->held_ms = self->now_ms + DIALOG_HOLD_MS;
        return;
    }
    if (self->state == HANDSHAKE || self->batch_events == 1) {
        stele_dialog_end_with (self, code, "%s", text);
        return;
    }
    self->batch_events = code == STELE_ETOO_LARGE? self->batch_events / 2: 1;
    s_hold (self, 0, DIALOG_HOLD_MS);
}

//  This node follows the one that writes. Each message in flight gets the same error.
static void
s_on_not_writer (stele_dialog_t *self, const stele_map_t *message, const char *text)
{
    if (self->follows)
        return;
    stele_dialog_disconnected (self);
    self->follows = true;
    if (!stele_map_text (message, "writer", self->writer, sizeof self->writer))
        *self->writer = 0;
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_FOLLOWS);
    snprintf (notice.message, sizeof notice.message, "%s", text);
    stele_notices_put (self->notices, &notice);
}

static void
s_on_error (stele_dialog_t *self, const stele_map_t *message)
{
    char text [640] = "";
    int code = stele_map_code (message, "code");
    stele_map_message (message, text, sizeof text);
    switch (code) {
        case STELE_EFENCED:
        case STELE_EBEHIND:
        case STELE_EPROTOCOL:
        case STELE_EUNAUTHORIZED:
            stele_dialog_end_with (self, code, "%s", text);
            break;
        case STELE_ENOT_WRITER:
            s_on_not_writer (self, message, text);
            break;
        case STELE_EMALFORMED:
        case STELE_EMISSING_FIELD:
        case STELE_EINVALID_FIELD:
        case STELE_ETOO_LARGE:
            s_on_bad_message (self, code, text);
            break;
        case STELE_ENO_HELLO:
            //  During the handshake a hello is in flight: the error is of an earlier message
            if (self->state == READY)
                stele_dialog_handshake (self);
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
            //  An internal error of the broker: it recovers, or the acks stall
            break;
    }
}

void
stele_dialog_receive (stele_dialog_t *self, const void *data, size_t size, int64_t now_ms)
{
    static const struct {
        const char *op;
        void (*take) (stele_dialog_t *self, const stele_map_t *message);
    } answers [] = {
        { "ack", s_on_ack },
        { "nak", s_on_nak },
        { "welcome", s_on_welcome },
        { "error", s_on_error }
    };
    stele_map_t message;
    char op [16];
    self->now_ms = now_ms;
    if (self->state == ENDED || stele_map_open (&message, data, size) != 0
    ||  !stele_map_text (&message, "op", op, sizeof op))
        return;
    for (size_t i = 0; i < sizeof answers / sizeof answers [0]; i++)
        if (strcmp (op, answers [i].op) == 0)
            answers [i].take (self, &message);
}
