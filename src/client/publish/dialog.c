/*  dialog - the producer's side of the protocol: handshake, publish, acks

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
#include "base/memory.h"
#include "client/publish/dialog_internal.h"

#define DIALOG_BATCH_BYTES     1048576      // Larger batches gain nothing
#define DIALOG_FLIGHT_BYTES   67108864      // Unacked, as the protocol's limits allow
#define DIALOG_HEARTBEAT_MS       2000      // Until a welcome sets it
#define DIALOG_SILENCE_MIN_MS     3000
#define DIALOG_STALL_MAX_MS      60000
#define DIALOG_IDLE_MS           60000

static char *
s_copy (const char *text)
{
    return stele_memory_copy (text, strlen (text));
}

stele_dialog_t *
stele_dialog_new (const stele_dialog_settings_t *settings, int64_t now_ms)
{
    stele_dialog_t *self = STELE_NEW (stele_dialog_t);
    self->settings = *settings;
    self->settings.producer = s_copy (settings->producer);
    self->settings.instance = s_copy (settings->instance);
    if (settings->ledger)
        self->settings.ledger = s_copy (settings->ledger);
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
    free ((char *) self->settings.ledger);
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

const char *
stele_dialog_writer (const stele_dialog_t *self)
{
    return self->follows && self->state != ENDED? self->writer: NULL;
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
stele_dialog_disconnected (stele_dialog_t *self)
{
    self->greeted = self->follows = false;
    if (self->state == ENDED)
        return;
    self->state = HANDSHAKE;
    self->hello_due = false;
}

void
stele_dialog_handshake (stele_dialog_t *self)
{
    self->greeted = self->follows = false;
    if (self->state == ENDED)
        return;
    self->state = HANDSHAKE;
    self->hello_due = true;
}

//  -- to the application ------------------------------------------------------

stele_notice_t
stele_dialog_notice (const stele_dialog_t *self, stele_notice_kind_t kind)
{
    stele_notice_t notice;
    memset (&notice, 0, sizeof notice);     // The padding too: it is sent
    notice.kind = kind;
    notice.through = stele_outbox_first (self->outbox) - 1;
    notice.settled = stele_outbox_settled (self->outbox);
    notice.settled_bytes = stele_outbox_settled_bytes (self->outbox);
    notice.window = self->window;
    notice.bytes_max = self->bytes_max;
    notice.offset = self->offset;
    return notice;
}

void
stele_dialog_end_with (stele_dialog_t *self, int code, const char *format, ...)
{
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_ENDED);
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
stele_dialog_report_refusal (stele_dialog_t *self, int code, const char *message)
{
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_UNREACHED);
    notice.code = code;
    snprintf (notice.message, sizeof notice.message, "%s", message);
    stele_notices_put (self->notices, &notice);
}

void
stele_dialog_end (stele_dialog_t *self, int code, const char *message)
{
    if (self->state != ENDED)
        stele_dialog_end_with (self, code, "%s", message);
}

void
stele_dialog_refuse_aside (stele_dialog_t *self)
{
    stele_outbox_refuse (self->outbox, self->aside);
    self->progress_ms = self->now_ms;
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_REFUSED);
    notice.number = self->aside;
    notice.code = STELE_ETOO_LARGE;
    snprintf (notice.message, sizeof notice.message, "%s", self->aside_why);
    self->aside = 0;
    stele_notices_put (self->notices, &notice);
}

void
stele_dialog_settle (stele_dialog_t *self, int64_t number, int64_t position)
{
    int64_t first = stele_outbox_first (self->outbox);
    if (self->aside && number >= self->aside)
        stele_dialog_refuse_aside (self);
    stele_outbox_settle (self->outbox, number);
    if (stele_outbox_first (self->outbox) == first)
        return;
    self->progress_ms = self->now_ms;
    self->stalls = 0;
    stele_notice_t notice = stele_dialog_notice (self, STELE_NOTICE_ACKED);
    notice.number = number < notice.through? number: notice.through;
    notice.position = position;
    notice.duplicate = number <= self->duplicates;
    stele_notices_put (self->notices, &notice);
}

void
stele_dialog_settle_duplicates (stele_dialog_t *self)
{
    if (stele_outbox_first (self->outbox) > self->duplicates)
        return;
    int64_t last = stele_outbox_end (self->outbox) - 1;
    stele_dialog_settle (self, last < self->duplicates? last: self->duplicates, 0);
}

void
stele_dialog_put (stele_dialog_t *self, zmq_msg_t *event, int64_t now_ms)
{
    if (self->state == ENDED)
        return;
    self->now_ms = now_ms;
    if (stele_dialog_waiting (self) == 0)
        self->waiting_since_ms = now_ms;
    stele_outbox_put (self->outbox, event);
    stele_dialog_settle_duplicates (self);
}

//  -- to the broker -----------------------------------------------------------

static int64_t
s_in_flight (const stele_dialog_t *self)
{
    return stele_outbox_next (self->outbox) - stele_outbox_first (self->outbox);
}

static bool
s_window_open (const stele_dialog_t *self)
{
    return s_in_flight (self) < self->window
        && stele_outbox_wire_bytes (self->outbox) < DIALOG_FLIGHT_BYTES
        && self->now_ms >= self->held_ms
        //  One event that is too large at a time
        && !(self->aside && self->aside < stele_outbox_next (self->outbox));
}

//  Number of waiting events in the next batch; 0 if even the first is too large
static size_t
s_batch_count (const stele_dialog_t *self)
{
    int64_t count_max = self->window - s_in_flight (self);
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
            || self->now_ms >= self->waiting_since_ms + self->settings.delay_ms);
}

//  The next event was accepted when the broker allowed larger messages. It must not block those after it,
//  and has a sequence: keep it in a file, and send a note under its sequence, which the broker refuses and
//  keeps. False: it cannot be kept, the dialog has ended.
static bool
s_set_aside (stele_dialog_t *self, int64_t next)
{
    size_t size;
    const void *event = stele_outbox_event (self->outbox, next, &size);
    self->aside = next;
    if (self->aside_last == next)
        return true;                // It is sent again
    char name [300] = "";
    int used = snprintf (self->aside_why, sizeof self->aside_why, "the event has %zu bytes and does not fit into a message:"
        " the broker now allows %" PRId64, size, self->bytes_max);
    int code = self->settings.set_aside?
        self->settings.set_aside (next, event, size, self->aside_why, name, sizeof name, self->settings.keep_arg): 0;
    if (code) {
        stele_dialog_end_with (self, code, "event %" PRId64 " is too large for the broker, which now allows %" PRId64
            " bytes per message, and cannot be kept in %s", next, self->bytes_max, name);
        return false;
    }
    if (*name)
        snprintf (self->aside_why + used, sizeof self->aside_why - (size_t) used, "; it is kept in %s", name);
    self->aside_last = next;
    return true;
}

static void
s_pack_aside (const stele_dialog_t *self, stele_pack_t *pack)
{
    size_t size;
    stele_outbox_event (self->outbox, self->aside, &size);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "type", "event.too_large");
    stele_pack_key_integer (pack, "bytes", (int64_t) size);
    stele_pack_key_integer (pack, "max_bytes", self->bytes_max);
    stele_pack_map_end (pack);
}

static bool
s_pack_batch (stele_dialog_t *self, stele_pack_t *pack)
{
    if (!s_batch_due (self))
        return false;
    int64_t next = stele_outbox_next (self->outbox);
    size_t count = s_batch_count (self);
    bool aside = count == 0;
    if (aside && !s_set_aside (self, next))
        return false;
    count += aside;
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "publish");
    stele_pack_key_integer (pack, "sequence", next + self->offset);
    stele_pack_key (pack, "events");
    stele_pack_array (pack, count);
    if (aside)
        s_pack_aside (self, pack);
    for (size_t i = 0; i < count && !aside; i++) {
        size_t size;
        const void *event = stele_outbox_event (self->outbox, next + (int64_t) i, &size);
        stele_pack_packed (pack, event, size);
    }
    stele_pack_map_end (pack);
    if (s_in_flight (self) == 0)
        self->progress_ms = self->now_ms;
    stele_outbox_sent (self->outbox, count);
    int64_t last = next + (int64_t) count - 1 + self->offset;
    if (self->sent < last)
        self->sent = last;
    self->waiting_since_ms = self->now_ms;
    if (stele_dialog_waiting (self) == 0)
        self->due = false;
    return true;
}

//  Last sequence known to be acked; 0 if none is known, or a loss is accepted
static int64_t
s_acked (const stele_dialog_t *self)
{
    if (self->welcomed)
        return self->durable;
    return self->settings.ledger && !self->settings.accept_loss? self->settings.acked: 0;
}

static void
s_pack_hello (stele_dialog_t *self, stele_pack_t *pack)
{
    int64_t acked = s_acked (self);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "hello");
    stele_pack_key_integer (pack, "protocol", STELE_PROTOCOL);
    stele_pack_key_string (pack, "producer", self->settings.producer);
    stele_pack_key_string (pack, "instance", self->settings.instance);
    if (self->settings.lease_ms > 0)
        stele_pack_key_integer (pack, "lease_ms", self->settings.lease_ms);
    if (acked > 0)
        stele_pack_key_integer (pack, "acked", acked);
    if (self->settings.restore)
        stele_pack_key_bool (pack, "restore", true);
    if (self->settings.anonymous)
        stele_pack_key_bool (pack, "anonymous", true);
    stele_pack_map_end (pack);
    self->hello_due = false;
}

int64_t
stele_dialog_silence_ms (const stele_dialog_t *self)
{
    int64_t silence_ms = 3 * self->heartbeat_ms;
    return silence_ms > DIALOG_SILENCE_MIN_MS? silence_ms: DIALOG_SILENCE_MIN_MS;
}

//  Doubled with each stall: a broker whose disk is full holds acks back
static int64_t
s_stall_ms (const stele_dialog_t *self)
{
    int64_t stall_ms = stele_dialog_silence_ms (self) << self->stalls;
    return stall_ms < DIALOG_STALL_MAX_MS? stall_ms: DIALOG_STALL_MAX_MS;
}

static void
s_pack_ping (stele_pack_t *pack)
{
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "ping");
    stele_pack_map_end (pack);
}

bool
stele_dialog_pack_next (stele_dialog_t *self, int64_t now_ms, stele_pack_t *pack)
{
    self->now_ms = now_ms;
    stele_pack_clear (pack);
    if (self->state == READY && s_in_flight (self) > 0
    &&  now_ms >= self->progress_ms + s_stall_ms (self)) {
        //  Acks are missing: the welcome reports which events are durable
        if (s_stall_ms (self) < DIALOG_STALL_MAX_MS)
            self->stalls++;
        stele_dialog_handshake (self);
    }
    bool packed = false;
    if (self->hello_due) {
        s_pack_hello (self, pack);
        packed = true;
    }
    else
    if (self->state == READY) {
        packed = s_pack_batch (self, pack);
        if (!packed && self->state == READY && now_ms >= self->sent_ms + self->heartbeat_ms) {
            s_pack_ping (pack);
            packed = true;
        }
    }
    if (packed)
        self->sent_ms = now_ms;
    return packed;
}

bool
stele_dialog_greeted (const stele_dialog_t *self)
{
    return self->greeted;
}

void
stele_dialog_pack_goodbye (stele_dialog_t *self, bool keep, stele_pack_t *pack)
{
    assert (self->greeted);
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "goodbye");
    if (keep)
        stele_pack_key_bool (pack, "keep", true);
    stele_pack_map_end (pack);
}

static int64_t
s_earlier (int64_t one, int64_t other)
{
    return one < other? one: other;
}

int64_t
stele_dialog_deadline (const stele_dialog_t *self, int64_t now_ms)
{
    if (self->state != READY)
        return self->hello_due? now_ms: now_ms + DIALOG_IDLE_MS;
    int64_t deadline = self->sent_ms + self->heartbeat_ms;
    if (s_in_flight (self) > 0)
        deadline = s_earlier (deadline, self->progress_ms + s_stall_ms (self));
    if (stele_dialog_waiting (self) > 0) {
        if (now_ms < self->held_ms) {
            deadline = s_earlier (deadline, self->held_ms);
        }
        else
        if (s_window_open (self)) {
            deadline = s_earlier (deadline, self->waiting_since_ms + self->settings.delay_ms);
        }
    }
    return deadline;
}
