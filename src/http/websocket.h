/*  websocket - read the frames of a WebSocket's client, and write those of its server (RFC 6455), without I/O

    Strict: a frame without a mask, with reserved bits or an unknown opcode, a length that is not in its shortest form, a control frame
    in fragments, a continuation of nothing, and text that is not UTF-8 end the connection. No extension is supported.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_WEBSOCKET_H_INCLUDED
#define STELE_HTTP_WEBSOCKET_H_INCLUDED

#include <stdint.h>
#include "http/scan.h"

#define HTTP_WEBSOCKET_MAX      65536   // Bytes of a message from a client, of all its fragments
#define HTTP_WEBSOCKET_FRAGMENTS 1024   // Of a message
#define HTTP_WEBSOCKET_CONTROL    125   // Bytes of a control frame
#define HTTP_WEBSOCKET_HEAD        14   // Bytes of the longest head

typedef enum {
    HTTP_WEBSOCKET_CONTINUATION = 0, HTTP_WEBSOCKET_TEXT = 1, HTTP_WEBSOCKET_BINARY = 2,
    HTTP_WEBSOCKET_CLOSE = 8, HTTP_WEBSOCKET_PING = 9, HTTP_WEBSOCKET_PONG = 10
} http_websocket_opcode_t;

//  Codes of a close
#define HTTP_WEBSOCKET_NORMAL       1000
#define HTTP_WEBSOCKET_PROTOCOL     1002
#define HTTP_WEBSOCKET_UNSUPPORTED  1003
#define HTTP_WEBSOCKET_NO_CODE      1005    // Never sent
#define HTTP_WEBSOCKET_NOT_UTF8     1007
#define HTTP_WEBSOCKET_POLICY       1008
#define HTTP_WEBSOCKET_TOO_LARGE    1009

/*  A message, or a control frame; its data is valid until the next call     */
typedef struct {
    http_websocket_opcode_t opcode; // Not CONTINUATION
    const char *data;
    size_t size;
    int code;                       // Of a CLOSE: that of the client, or NO_CODE
} http_websocket_message_t;

/*  A reader. All zero at first.                                             */
typedef struct {
    uint8_t head [HTTP_WEBSOCKET_HEAD];
    size_t head_size;               // Bytes of the head of the frame that have arrived
    bool in_payload;
    bool final;
    http_websocket_opcode_t opcode; // Of the frame
    uint8_t mask [4];
    size_t size;                    // Of the payload, and how much of it has arrived
    size_t arrived;
    char control [HTTP_WEBSOCKET_CONTROL];
    http_websocket_opcode_t of;     // Opcode of the message that is in fragments; CONTINUATION: none
    size_t fragments;
    char *message;
    size_t message_size, message_room;
} http_websocket_t;

/*  Free what it holds                                                       */
void
    http_websocket_clear (http_websocket_t *self);

/*  The same between two messages: most connections are silent               */
void
    http_websocket_trim (http_websocket_t *self);

/*  Read bytes that follow those of the last call. Sets *used, and returns 1 with a message: call it again with the rest; 0: all
    bytes were used; or, below 0, the negative code to close the connection with. Then read no more. */
int
    http_websocket_read (http_websocket_t *self, const void *data, size_t size, size_t *used, http_websocket_message_t *message);

/*  Write the head of a frame that is a whole message. Returns its size.     */
size_t
    http_websocket_write_head (http_websocket_opcode_t opcode, size_t size, char head [HTTP_WEBSOCKET_HEAD]);

/*  The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key. False: the key is not base64 of 16 bytes. */
bool
    http_websocket_accept (http_span_t key, char accept [29]);

#endif
