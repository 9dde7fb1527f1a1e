/*  notice - messages from the sender's thread to the application's thread

    Notices are sent as values, one frame each. Acks are cumulative, so acks that the
    application has not yet received are merged into one: a slow application costs no
    memory, and the sender never waits for it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_NOTICE_H_INCLUDED
#define STELE_NOTICE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    STELE_NOTICE_WELCOME,           // The limits are known; .offset, and the ledger's id in .message
    STELE_NOTICE_ACKED,             // .number, .position, .duplicate
    STELE_NOTICE_REFUSED,           // .number, .code, .message
    STELE_NOTICE_UNREACHED,         // .code, .message: the broker refuses the connection, until the next WELCOME
    STELE_NOTICE_FOLLOWS,           // .message: that node is not the writer, until the next WELCOME
    STELE_NOTICE_ENDED              // .code, .message: this producer has ended
} stele_notice_kind_t;

typedef struct {
    stele_notice_kind_t kind;
    int code;
    bool duplicate;
    int64_t number;
    int64_t position;
    int64_t through;                // All events up to this number are settled
    int64_t settled;                // Number of settled events, in order or not
    int64_t settled_bytes;          // Bytes of the events up to 'through'
    int64_t window;                 // Limits of the last welcome
    int64_t bytes_max;
    int64_t offset;                 // Sequence of an event minus its number
    char message [640];             // As long as that of a refusal may be
} stele_notice_t;

typedef struct stele_notices stele_notices_t;

stele_notices_t *
    stele_notices_new (void);

void
    stele_notices_destroy (stele_notices_t **self_p);

/*  Queue a copy of a notice until it can be sent.                           */
void
    stele_notices_put (stele_notices_t *self, const stele_notice_t *notice);

/*  Send queued notices to a libzmq socket, as many as it accepts without waiting. True
    if none is left.                                                         */
bool
    stele_notices_send (stele_notices_t *self, void *socket);

#endif
