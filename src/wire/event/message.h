/*  message - decode a message of a producer (protocol section 2)

    One pass over one checked frame. The events of a publish are not decoded here, but
    returned as a span to walk (stele_scan_skip): each is decoded or refused separately.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MESSAGE_H_INCLUDED
#define STELE_MESSAGE_H_INCLUDED

#include "model/refusal.h"
#include "model/record.h"
#include "wire/scan.h"

typedef enum {
    STELE_OP_HELLO,
    STELE_OP_PUBLISH,
    STELE_OP_PING,
    STELE_OP_GOODBYE
} stele_message_op_t;

typedef struct {
    stele_message_op_t op;
    int64_t sequence;               // Of publish; 0: absent
    stele_scan_t events;            // Of publish: event_count objects
    size_t event_count;
    char producer [STELE_LIMIT_ID + 1];
    char instance [STELE_LIMIT_ID + 1];
    int64_t lease_ms;               // 0: none
    bool anonymous;                 // Its name was made for this run
    bool restore;                   // Its events are imported from an export
    bool keep;                      // Of goodbye: leave its tasks in progress as they are
    int64_t acked;                  // Of hello; 0: absent
} stele_message_t;

/*  Decode one frame of the events socket. Returns 0, or the code in the refusal. */
int
    stele_message_decode (const void *data, size_t size, stele_message_t *message,
        stele_refusal_t *refusal);

/*  The same for the request {"op":"publish"} (protocol section 4): producer required,
    sequence and restore optional. The frame must have passed stele_scan_check. */
int
    stele_message_decode_publish (const void *data, size_t size, stele_message_t *message,
        stele_refusal_t *refusal);

/*  The same for a frame of the pipeline: one event, or {"events":[...]}. The frame must have
    passed stele_scan_check.                                                 */
int
    stele_message_decode_pipeline (const void *data, size_t size, stele_message_t *message,
        stele_refusal_t *refusal);

#endif
