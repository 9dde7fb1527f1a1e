/*  dialog_internal - the state of a dialog, for the two files that are one class

    dialog.c speaks to the broker, dialog_receive.c takes its answers.

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
    stele_dialog_settings_t settings;       // Its texts are copies
    stele_outbox_t *outbox;
    stele_notices_t *notices;
    stele_dialog_state_t state;
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
    int64_t waiting_since_ms;              // Events began to wait
    int64_t held_ms;                // Send nothing before
    bool held_for_ack;              // ... unless an ack comes
    int64_t sent_ms;
    int64_t progress_ms;            // Acks went on, or nothing was unacked
    int stalls;                     // In a row
};

/*  A notice with the counts as they are now.                                */
stele_notice_t
    stele_dialog_notice (const stele_dialog_t *self, stele_notice_kind_t kind);

/*  As stele_dialog_end, with a format.                                      */
void
    stele_dialog_end_with (stele_dialog_t *self, int code, const char *format, ...)
    STELE_PRINTF (3, 4);

/*  All events up to 'number' are durable: tell the application.             */
void
    stele_dialog_settle (stele_dialog_t *self, int64_t number, int64_t position);

/*  The same for those that were durable before this client started.         */
void
    stele_dialog_settle_duplicates (stele_dialog_t *self);

#endif
