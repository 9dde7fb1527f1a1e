/*  fuzz_websocket - read bytes as frames of a WebSocket's client

    The messages must not depend on how many bytes came at a time, and text must be UTF-8.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "http/websocket.h"
#include "wire/scan.h"

//  What was read, as one number: of each message its opcode, size and bytes
static uint64_t
s_mix (uint64_t sum, const http_websocket_message_t *message)
{
    sum = (sum ^ (uint64_t) message->opcode ^ message->size << 8 ^ (uint64_t) message->code << 32) * 1099511628211u;
    for (size_t i = 0; i < message->size; i++)
        sum = (sum ^ (uint8_t) message->data [i]) * 1099511628211u;
    return sum;
}

static void
s_check (const http_websocket_message_t *message)
{
    bool control = message->opcode >= HTTP_WEBSOCKET_CLOSE;
    FUZZ_HOLDS (message->opcode != HTTP_WEBSOCKET_CONTINUATION);
    FUZZ_HOLDS (message->size <= (control? HTTP_WEBSOCKET_CONTROL: HTTP_WEBSOCKET_MAX));
    FUZZ_HOLDS (message->opcode != HTTP_WEBSOCKET_TEXT || stele_utf8_valid (message->data, message->size));
    FUZZ_HOLDS (message->opcode != HTTP_WEBSOCKET_CLOSE || message->code >= 1000);
}

//  In pieces of that many bytes
static uint64_t
s_read (const uint8_t *data, size_t size, size_t piece, int *end)
{
    http_websocket_t reader = { .message = NULL };
    uint64_t sum = 0;
    *end = 0;
    for (size_t at = 0; at < size && *end == 0;) {
        size_t left = size - at < piece? size - at: piece, used;
        http_websocket_message_t message;
        int rc = http_websocket_read (&reader, data + at, left, &used, &message);
        FUZZ_HOLDS (used <= left && (rc != 0 || used == left));
        at += used;
        if (rc > 0) {
            s_check (&message);
            sum = s_mix (sum, &message);
        }
        if (rc < 0) {
            FUZZ_HOLDS (rc <= -1002 && rc >= -1009);
            *end = rc;
        }
    }
    http_websocket_clear (&reader);
    return sum;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int whole, bytes, pieces;
    uint64_t sum = s_read (data, size, SIZE_MAX, &whole);
    FUZZ_HOLDS (s_read (data, size, 1, &bytes) == sum && bytes == whole);
    FUZZ_HOLDS (s_read (data, size, 7, &pieces) == sum && pieces == whole);
    return 0;
}
