/*  fuzz_message - decode bytes as a frame of the events socket, a publish request, and the pipeline

    The span of events in a message must hold as many as announced, and each must be
    decoded or refused.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "wire/event/event_codec.h"
#include "wire/event/message.h"

static void
s_walk (stele_message_t *message)
{
    stele_record_t *record = stele_record_new ();
    const void *start;
    size_t size;
    for (size_t i = 0; i < message->event_count; i++) {
        FUZZ_HOLDS (message->events.next < message->events.end);
        stele_scan_skip (&message->events, &start, &size);
        FUZZ_HOLDS (size > 0 && message->events.next <= message->events.end);
        stele_refusal_t refusal = { 0 };
        stele_record_clear (record);
        int rc = stele_event_decode_record (start, size, record, &refusal);
        FUZZ_HOLDS (rc == refusal.code);
        FUZZ_HOLDS (rc == 0 || refusal.message [0]);
    }
    stele_record_destroy (&record);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stele_message_t message;
    stele_refusal_t refusal = { 0 };
    int rc = stele_message_decode (data, size, &message, &refusal);
    FUZZ_HOLDS (rc == refusal.code);
    if (rc == 0 && message.op == STELE_OP_PUBLISH)
        s_walk (&message);
    if (stele_scan_check (data, size, size, NULL))
        return 0;
    refusal.code = 0;
    if (stele_message_decode_publish (data, size, &message, &refusal) == 0)
        s_walk (&message);
    refusal.code = 0;
    if (stele_message_decode_pipeline (data, size, &message, &refusal) == 0)
        s_walk (&message);
    return 0;
}
