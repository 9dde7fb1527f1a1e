/*  scan - read the head of an HTTP/1.1 request: a pure function without I/O

    Strict (RFC 9110, 9112): what two programs could read in two ways is refused, so that a proxy in
    front never sees another request than this server does. Refused are, among others, a bare LF or
    CR, NUL, folded lines, a space before the colon, two of the same field where only one is
    allowed, a Content-Length that is not plain digits, and every Transfer-Encoding.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_SCAN_H_INCLUDED
#define STELE_HTTP_SCAN_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX    16384      // Bytes of a head, with the empty line
#define HTTP_TARGET_MAX   2048      // Bytes of a request target
#define HTTP_FIELDS_MAX    100      // Fields of a head

/*  Bytes inside the head, which the caller keeps; data is NULL if absent    */
typedef struct {
    const char *data;
    size_t size;
} http_span_t;

/*  X (constant, name)                                                       */
#define HTTP_METHODS(X) \
    X (HTTP_GET,     "GET") \
    X (HTTP_HEAD,    "HEAD") \
    X (HTTP_POST,    "POST") \
    X (HTTP_PUT,     "PUT") \
    X (HTTP_DELETE,  "DELETE") \
    X (HTTP_PATCH,   "PATCH") \
    X (HTTP_OPTIONS, "OPTIONS")

#define HTTP_METHOD_ENUM(constant, name) constant,
typedef enum { HTTP_METHODS (HTTP_METHOD_ENUM) HTTP_METHOD_COUNT } http_method_t;
#undef HTTP_METHOD_ENUM

/*  X (constant, name in lower case, 1 if the field may come once only)
    Fields that the server uses; all others are checked and skipped.         */
#define HTTP_FIELDS(X) \
    X (HTTP_HOST,              "host",              1) \
    X (HTTP_CONTENT_LENGTH,    "content-length",    1) \
    X (HTTP_TRANSFER_ENCODING, "transfer-encoding", 1) \
    X (HTTP_CONTENT_TYPE,      "content-type",      1) \
    X (HTTP_CONTENT_ENCODING,  "content-encoding",  1) \
    X (HTTP_EXPECT,            "expect",            1) \
    X (HTTP_AUTHORIZATION,     "authorization",     1) \
    X (HTTP_COOKIE,            "cookie",            1) \
    X (HTTP_ORIGIN,            "origin",            1) \
    X (HTTP_SEC_FETCH_SITE,    "sec-fetch-site",    1) \
    X (HTTP_RANGE,             "range",             1) \
    X (HTTP_IF_RANGE,          "if-range",          1) \
    X (HTTP_LAST_EVENT_ID,     "last-event-id",     1) \
    X (HTTP_MIN_POSITION,      "stele-min-position", 1) \
    X (HTTP_REQUEST_ID,        "x-request-id",      1) \
    X (HTTP_WEBSOCKET_KEY,     "sec-websocket-key", 1) \
    X (HTTP_WEBSOCKET_VERSION, "sec-websocket-version", 1) \
    X (HTTP_UPGRADE,           "upgrade",           0) \
    X (HTTP_IF_NONE_MATCH,     "if-none-match",     0) \
    X (HTTP_ACCEPT,            "accept",            0) \
    X (HTTP_ACCEPT_ENCODING,   "accept-encoding",   0) \
    X (HTTP_CONNECTION,        "connection",        0)

#define HTTP_FIELD_ENUM(constant, name, once) constant,
typedef enum { HTTP_FIELDS (HTTP_FIELD_ENUM) HTTP_FIELD_COUNT } http_field_t;
#undef HTTP_FIELD_ENUM

typedef struct {
    http_method_t method;
    http_span_t target;             // Path and query, without the scheme and host of an absolute form
    http_span_t fields [HTTP_FIELD_COUNT];  // Of a field that came several times, the first
    int64_t content_length;         // 0 if absent
    bool keep_alive;
    bool expects_continue;
    const char *why;                // Of a refusal, for a person
} http_head_t;

/*  Read a head at the start of the bytes. Returns its size, with the empty line; 0 if it is not complete
    yet (then fewer than HTTP_HEAD_MAX bytes are there, and none of them is wrong); or a negative
    status of HTTP: -400, -411, -414, -417, -431, -501 or -505, with 'why' set. After a refusal nothing else of
    the head is valid, and the connection must be closed.                    */
int
    http_scan (const char *data, size_t size, http_head_t *head);

/*  Is a value equal to a text, without regard to the case of ASCII?         */
bool
    http_span_is (http_span_t span, const char *text);

/*  Does a list of comma-separated words contain this one, without regard to case? Parameters of a word
    (";q=0.5") are skipped; with ";q=0" it does not count.                   */
bool
    http_span_lists (http_span_t span, const char *word);

const char *
    http_method_name (http_method_t method);

#endif
