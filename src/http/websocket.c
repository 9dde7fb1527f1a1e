/*  websocket - read the frames of a WebSocket's client, and write those of its server (RFC 6455), without I/O

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <czmq.h>
#include "base/memory.h"
#include "http/websocket.h"
#include "wire/base64.h"
#include "wire/scan.h"

#define FINAL    0x80
#define RESERVED 0x70
#define MASKED   0x80
#define LENGTH_16 126               // The length follows in 2 bytes
#define LENGTH_64 127               // The length follows in 8 bytes

void
http_websocket_clear (http_websocket_t *self)
{
    free (self->message);
    *self = (http_websocket_t) { .message = NULL };
}

void
http_websocket_trim (http_websocket_t *self)
{
    if (self->in_payload || self->head_size || self->of != HTTP_WEBSOCKET_CONTINUATION)
        return;
    http_websocket_clear (self);
}

static bool
s_is_control (http_websocket_opcode_t opcode)
{
    return opcode >= HTTP_WEBSOCKET_CLOSE;
}

//  -- the head of a frame ----------------------------------------------------------------------------

//  Size of the whole head, by its first two bytes. One without a mask is refused as it is.
static size_t
s_head_size (const uint8_t *head)
{
    if (!(head [1] & MASKED))
        return 2;
    unsigned length = head [1] & ~MASKED;
    return 2 + (length == LENGTH_16? 2: length == LENGTH_64? 8: 0) + 4;
}

static uint64_t
s_length (const uint8_t *head)
{
    size_t bytes = s_head_size (head) - 6;
    uint64_t length = bytes? 0: head [1] & ~MASKED;
    for (size_t i = 0; i < bytes; i++)
        length = length << 8 | head [2 + i];
    return length;
}

//  Could a shorter form have said it?
static bool
s_is_padded (const uint8_t *head, uint64_t length)
{
    size_t size = s_head_size (head);
    return (size == 8 && length < LENGTH_16) || (size == 14 && length <= UINT16_MAX);
}

static bool
s_is_known (int opcode)
{
    return opcode <= HTTP_WEBSOCKET_BINARY || (opcode >= HTTP_WEBSOCKET_CLOSE && opcode <= HTTP_WEBSOCKET_PONG);
}

//  Returns 0, or the negative code
static int
s_begin_frame (http_websocket_t *self)
{
    const uint8_t *head = self->head;
    int opcode = head [0] & 0x0f;
    if ((head [0] & RESERVED) || !s_is_known (opcode) || !(head [1] & MASKED))
        return -HTTP_WEBSOCKET_PROTOCOL;
    uint64_t length = s_length (head);
    if (s_is_padded (head, length))
        return -HTTP_WEBSOCKET_PROTOCOL;
    self->final = head [0] & FINAL;
    self->opcode = (http_websocket_opcode_t) opcode;
    if (s_is_control (self->opcode)) {
        if (!self->final || length > HTTP_WEBSOCKET_CONTROL)
            return -HTTP_WEBSOCKET_PROTOCOL;
    }
    else
    if ((self->opcode == HTTP_WEBSOCKET_CONTINUATION) != (self->of != HTTP_WEBSOCKET_CONTINUATION))
        return -HTTP_WEBSOCKET_PROTOCOL;
    else
    if (length > HTTP_WEBSOCKET_MAX - self->message_size || ++self->fragments > HTTP_WEBSOCKET_FRAGMENTS)
        return -HTTP_WEBSOCKET_TOO_LARGE;
    else {
        if (self->opcode != HTTP_WEBSOCKET_CONTINUATION)
            self->of = self->opcode;
        self->message = stele_array_must_grow (self->message, &self->message_room, self->message_size + (size_t) length + 1, 1);
    }
    memcpy (self->mask, head + self->head_size - 4, 4);
    self->size = (size_t) length;
    self->arrived = 0;
    self->in_payload = true;
    return 0;
}

//  -- the end of a frame -------------------------------------------------------------------------------

//  RFC 6455, section 7.4
static bool
s_is_code (int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

//  Returns 1, or a negative code
static int
s_end_close (const http_websocket_t *self, http_websocket_message_t *message)
{
    const uint8_t *bytes = (const uint8_t *) self->control;
    message->code = self->size? bytes [0] << 8 | bytes [1]: HTTP_WEBSOCKET_NO_CODE;
    if (self->size == 1 || (self->size && !s_is_code (message->code)))
        return -HTTP_WEBSOCKET_PROTOCOL;
    return self->size < 3 || stele_utf8_valid (self->control + 2, self->size - 2)? 1: -HTTP_WEBSOCKET_NOT_UTF8;
}

//  Returns 1 with a message, 0: a fragment, or a negative code
static int
s_end_frame (http_websocket_t *self, http_websocket_message_t *message)
{
    self->in_payload = false;
    self->head_size = 0;
    if (s_is_control (self->opcode)) {
        *message = (http_websocket_message_t) { self->opcode, self->control, self->size, 0 };
        return self->opcode == HTTP_WEBSOCKET_CLOSE? s_end_close (self, message): 1;
    }
    self->message_size += self->size;
    if (!self->final)
        return 0;
    *message = (http_websocket_message_t) { self->of, self->message, self->message_size, 0 };
    self->of = HTTP_WEBSOCKET_CONTINUATION;
    self->message_size = self->fragments = 0;
    self->message [message->size] = 0;
    return message->opcode == HTTP_WEBSOCKET_TEXT && !stele_utf8_valid (message->data, message->size)?
        -HTTP_WEBSOCKET_NOT_UTF8: 1;
}

//  -- bytes --------------------------------------------------------------------------------------------------

//  Returns the bytes used
static size_t
s_read_head (http_websocket_t *self, const uint8_t *data, size_t size)
{
    size_t used = 0;
    while (used < size && (self->head_size < 2 || self->head_size < s_head_size (self->head)))
        self->head [self->head_size++] = data [used++];
    return used;
}

static size_t
s_read_payload (http_websocket_t *self, const uint8_t *data, size_t size)
{
    size_t left = self->size - self->arrived;
    size_t used = size < left? size: left;
    char *to = s_is_control (self->opcode)? self->control: self->message + self->message_size;
    for (size_t i = 0; i < used; i++, self->arrived++)
        to [self->arrived] = (char) (data [i] ^ self->mask [self->arrived % 4]);
    return used;
}

int
http_websocket_read (http_websocket_t *self, const void *data, size_t size, size_t *used, http_websocket_message_t *message)
{
    const uint8_t *bytes = data;
    *used = 0;
    while (*used < size || (self->in_payload && self->arrived == self->size)) {
        if (!self->in_payload) {
            *used += s_read_head (self, bytes + *used, size - *used);
            if (self->head_size < 2 || self->head_size < s_head_size (self->head))
                return 0;
            int code = s_begin_frame (self);
            if (code)
                return code;
        }
        *used += s_read_payload (self, bytes + *used, size - *used);
        if (self->arrived == self->size) {
            int rc = s_end_frame (self, message);
            if (rc)
                return rc;
        }
    }
    return 0;
}

size_t
http_websocket_write_head (http_websocket_opcode_t opcode, size_t size, char head [HTTP_WEBSOCKET_HEAD])
{
    size_t bytes = size < LENGTH_16? 0: size <= UINT16_MAX? 2: 8;
    head [0] = (char) (FINAL | opcode);
    head [1] = (char) (bytes == 0? (int) size: bytes == 2? LENGTH_16: LENGTH_64);
    for (size_t i = 0; i < bytes; i++)
        head [2 + i] = (char) (size >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

bool
http_websocket_accept (http_span_t key, char accept [29])
{
    static const char guid [] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char nonce [18];
    char text [24 + sizeof guid];
    if (key.size != 24 || stele_base64_decode (key.data, 24, nonce) != 16)
        return false;
    memcpy (text, key.data, 24);
    memcpy (text + 24, guid, sizeof guid);
    zdigest_t *digest = zdigest_new ();         // SHA-1
    zdigest_update (digest, (const byte *) text, sizeof text - 1);
    accept [stele_base64_encode (zdigest_data (digest), zdigest_size (digest), accept)] = 0;
    zdigest_destroy (&digest);
    return true;
}
