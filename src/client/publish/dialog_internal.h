/*  dialog_internal - the state of a dialog, for dialog.c and dialog_receive.c

    dialog_receive.c calls dialog.c, never the reverse.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DIALOG_INTERNAL_H_INCLUDED
#define STELE_DIALOG_INTERNAL_H_INCLUDED

#include "client/publish/dialog.h"
#include "stele_error.h"

typedef enum { HANDSHAKE, READY, ENDED } stele_dialog_state_t;

struct stele_dialog {
    stele_dialog_settings_t settings;       // Its strings are copies
    stele_outbox_t *outbox;
    stele_notices_t *notices;
    stele_dialog_state_t state;
    bool hello_due;
    bool greeted;                   // A welcome came on this connection
    bool follows;                   // The node of this connection is not the writer
    char writer [1024];             // ... and names it; "": it does not

    bool welcomed;                  // Set by the first welcome, with the following fields
    char ledger [64];
    int64_t offset;                 // Sequence of an event minus its number
    int64_t sent;                   // Highest sequence that this producer ever used
    int64_t durable;                // Highest sequence reported durable
    int64_t duplicates;             // Numbers up to this one were durable before the start
    int64_t window;
    int64_t bytes_max;
    int64_t heartbeat_ms;

    int64_t aside;                  // Number of the event that is too large, while it is not settled; 0: none
    int64_t aside_last;             // The last one that was set aside
    char aside_why [640];

    size_t batch_events;            // As set; less after messages that were too large
    bool due;                       // Send waiting events, full batch or not
    int64_t now_ms;
    int64_t waiting_since_ms;       // When the open batch got its first event
    int64_t held_ms;                // Send no batch before this time
    bool held_for_ack;              // ... or before the next ack
    int64_t sent_ms;                // When the last message was packed
    int64_t progress_ms;            // When the last event was settled, or sending began
    int stalls;                     // Consecutive handshakes because acks stalled
};

/*  A notice with the current counts.                                        */
stele_notice_t
    stele_dialog_notice (const stele_dialog_t *self, stele_notice_kind_t kind);

/*  stele_dialog_end with a printf format.                                   */
void
    stele_dialog_end_with (stele_dialog_t *self, int code, const char *format, ...)
    STELE_PRINTF (3, 4);

/*  All events up to 'number' are durable: settle them and notify the application.  */
void
    stele_dialog_settle (stele_dialog_t *self, int64_t number, int64_t position);

/*  The event that is too large is settled: it counts as refused.            */
void
    stele_dialog_refuse_aside (stele_dialog_t *self);

/*  The same for events that were durable before this client started.        */
void
    stele_dialog_settle_duplicates (stele_dialog_t *self);

#endif
