/*  dialog - what a producer and the broker say to each other

    The producer's side of doc/PROTOCOL.md section 2 without sockets or
    clocks: bytes and the time go in, bytes to send and notices for the
    application come out. Every trouble is repaired in one way: say hello,
    learn from the welcome what is durable, send what is later.

              HANDSHAKE ── welcome ──► READY
                 ▲                      │
                 └── new connection, ───┤ no_hello, no ack for long
                                        └── fenced, ledger lost, ... ──► ENDED

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DIALOG_H_INCLUDED
#define STELE_DIALOG_H_INCLUDED

#include "client/publish/notice.h"
#include "client/publish/outbox.h"
#include "wire/pack.h"

/*  Bytes that a publish message has besides its events, at most.            */
#define STELE_DIALOG_OVERHEAD 64

/*  Keep how events are numbered (sequence = number + offset), durably, before the first is
    sent. Returns 0, or STELE_E...                                           */
typedef int (stele_keep_offset_fn) (int64_t offset, const char *ledger, void *arg);

typedef struct {
    const char *producer;
    const char *instance;
    int64_t lease_ms;               // 0: none
    int64_t first_sequence;         // 0: go on after the last durable one
    int64_t delay_ms;               // An event waits at most that long for a full batch
    size_t batch_events;
    bool restore;                   // The events come back from an export
    //  Of a spool: without one, keep_offset is NULL
    stele_keep_offset_fn *keep_offset;
    void *keep_arg;
    const char *ledger;             // That its sequences belong to; NULL: no broker was met yet
    int64_t acked;                  // Last sequence that was acked in an earlier run
    int64_t given;                  // Last one that an earlier run may have sent
    bool accept_loss;               // Go on where the broker is, though more was acked
} stele_dialog_settings_t;

typedef struct stele_dialog stele_dialog_t;

/*  Times are milliseconds of a clock that never goes back. Settings are copied.
    Caller owns return value.                                                */
stele_dialog_t *
    stele_dialog_new (const stele_dialog_settings_t *settings, int64_t now_ms);

void
    stele_dialog_destroy (stele_dialog_t **self_p);

/*  Notices for the application. Owned by the dialog.                        */
stele_notices_t *
    stele_dialog_notices (stele_dialog_t *self);

/*  Keep an event: takes the message's content. Its number is one more than the last. */
void
    stele_dialog_put (stele_dialog_t *self, zmq_msg_t *event, int64_t now_ms);

/*  Send what waits now, whether it makes a full batch or not.               */
void
    stele_dialog_flush (stele_dialog_t *self);

/*  There is no connection: say nothing until there is one.                  */
void
    stele_dialog_disconnected (stele_dialog_t *self);

/*  There is a connection, and nothing was said on it: greet.                */
void
    stele_dialog_handshake (stele_dialog_t *self);

/*  Nothing more can be done; the application is told why.                   */
void
    stele_dialog_end (stele_dialog_t *self, int code, const char *message);

/*  Take what the broker sent. What is no message of the protocol is ignored. */
void
    stele_dialog_receive (stele_dialog_t *self, const void *data, size_t size, int64_t now_ms);

/*  Pack the next message that is due: a hello, a batch, a ping. False where
    none is. If it cannot be sent, disconnected.                                     */
bool
    stele_dialog_pack_next (stele_dialog_t *self, int64_t now_ms, stele_pack_t *pack);

/*  Pack a goodbye. False where the broker does not know this producer now.  */
bool
    stele_dialog_pack_goodbye (stele_dialog_t *self, stele_pack_t *pack);

/*  When something may be due next, if nothing happens before.               */
int64_t
    stele_dialog_deadline (const stele_dialog_t *self, int64_t now_ms);

bool
    stele_dialog_ended (const stele_dialog_t *self);

/*  Events that are not on the wire.                                         */
int64_t
    stele_dialog_waiting (const stele_dialog_t *self);

/*  A broker that says nothing at all for that long is not there.            */
int64_t
    stele_dialog_silence_ms (const stele_dialog_t *self);

#endif
