/*  dialog - the producer's side of the protocol: handshake, publish, acks

    The state machine of doc/PROTOCOL.md section 2, without sockets or clocks: received
    bytes and the time go in; messages to send and notices for the application come out.
    Every disturbance is handled in one way: send hello, learn from the welcome which
    events are durable, resend those after them.

             HANDSHAKE ── welcome ──► READY
                 ▲                      │
                 └── new connection, ───┤ no_hello, not_writer, no ack for too long
                                        └── fenced, ledger lost, ... ──► ENDED

    An event is settled when it is acked or refused. The class spans two files: dialog.c
    has its state and packs messages, dialog_receive.c, on top of it, processes the
    broker's messages.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DIALOG_H_INCLUDED
#define STELE_DIALOG_H_INCLUDED

#include "client/publish/notice.h"
#include "client/publish/outbox.h"
#include "wire/pack.h"

/*  Most bytes that a publish message has besides its events.                */
#define STELE_DIALOG_OVERHEAD 64

/*  Store the numbering of events (sequence = number + offset, in the ledger of that id)
    durably; called before the first event is sent. Returns 0, or STELE_E...  */
typedef int (stele_keep_offset_fn) (int64_t offset, const char *ledger, void *arg);

/*  Keep an event that is too large for the broker now in a file, whose name 'name' gets. Returns 0, or
    STELE_E...                                                               */
typedef int (stele_set_aside_fn) (int64_t number, const void *event, size_t size, const char *why, char *name,
    size_t name_size, void *arg);

typedef struct {
    const char *producer;
    const char *instance;
    int64_t lease_ms;               // 0: none
    int64_t first_sequence;         // 0: continue after the last durable one
    int64_t delay_ms;               // Longest time that an event waits for a full batch
    size_t batch_events;
    bool restore;                   // The events come from an export
    bool anonymous;                 // The name was made for this run
    //  For a spool; without one, keep_offset is NULL
    stele_keep_offset_fn *keep_offset;
    stele_set_aside_fn *set_aside;
    void *keep_arg;
    const char *ledger;             // Id of the ledger of its sequences; NULL: none yet
    int64_t acked;                  // Last sequence that was acked in an earlier run
    int64_t given;                  // Last sequence that an earlier run may have sent
    bool accept_loss;               // Continue after the broker's last sequence, though more was acked
} stele_dialog_settings_t;

typedef struct stele_dialog stele_dialog_t;

/*  Times are milliseconds of a monotonic clock. Settings are copied. Caller owns
    return value.                                                            */
stele_dialog_t *
    stele_dialog_new (const stele_dialog_settings_t *settings, int64_t now_ms);

void
    stele_dialog_destroy (stele_dialog_t **self_p);

/*  Notices for the application; owned by the dialog.                        */
stele_notices_t *
    stele_dialog_notices (stele_dialog_t *self);

/*  Add an event: takes the message's content. Its number is one more than the last. */
void
    stele_dialog_put (stele_dialog_t *self, zmq_msg_t *event, int64_t now_ms);

/*  Make waiting events due now, whether or not they fill a batch.           */
void
    stele_dialog_flush (stele_dialog_t *self);

/*  The connection was lost: send nothing until stele_dialog_handshake.      */
void
    stele_dialog_disconnected (stele_dialog_t *self);

/*  Begin the handshake, on a new connection or again on the same: the next message is hello. */
void
    stele_dialog_handshake (stele_dialog_t *self);

/*  Report to the application that the broker refuses the connection, and why. The dialog does not end. */
void
    stele_dialog_report_refusal (stele_dialog_t *self, int code, const char *message);

/*  End the dialog for that reason, which is reported to the application.    */
void
    stele_dialog_end (stele_dialog_t *self, int code, const char *message);

/*  Process a message of the broker. Bytes that are no message of the protocol are ignored. */
void
    stele_dialog_receive (stele_dialog_t *self, const void *data, size_t size, int64_t now_ms);

/*  Pack the next message that is due: a hello, a batch or a ping. False if none is due.
    If the message cannot be sent, call stele_dialog_disconnected.           */
bool
    stele_dialog_pack_next (stele_dialog_t *self, int64_t now_ms, stele_pack_t *pack);

/*  Has the broker accepted this run? True from a welcome until the connection is lost, also if the
    dialog has ended meanwhile.                                              */
bool
    stele_dialog_greeted (const stele_dialog_t *self);

/*  Pack a goodbye; 'keep': tasks in progress are left as they are. Only if greeted.  */
void
    stele_dialog_pack_goodbye (stele_dialog_t *self, bool keep, stele_pack_t *pack);

/*  Time of the next message that may be due, unless something happens before. */
int64_t
    stele_dialog_deadline (const stele_dialog_t *self, int64_t now_ms);

bool
    stele_dialog_ended (const stele_dialog_t *self);

/*  Does the node at the other end follow another one? Then the endpoints that it names as those of the writer, "" if
    it names none, until the next handshake: connect there. NULL: it does not.  */
const char *
    stele_dialog_writer (const stele_dialog_t *self);

/*  Number of events that are not in flight yet.                             */
int64_t
    stele_dialog_waiting (const stele_dialog_t *self);

/*  A broker that sends nothing for that long is taken for lost.             */
int64_t
    stele_dialog_silence_ms (const stele_dialog_t *self);

#endif
