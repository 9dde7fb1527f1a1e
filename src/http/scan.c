/*  scan - read the head of an HTTP/1.1 request: a pure function without I/O

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include <strings.h>
#include "http/scan.h"

#define METHOD_MAX 16

static const char *const s_methods [] = {
#define METHOD_NAME(constant, name) name,
    HTTP_METHODS (METHOD_NAME)
};

static const struct { const char *name; bool once; } s_fields [] = {
#define FIELD_ROW(constant, name, once) { name, once },
    HTTP_FIELDS (FIELD_ROW)
};

const char *
http_method_name (http_method_t method)
{
    return s_methods [method];
}

static int
s_refuse (http_head_t *head, int status, const char *why)
{
    head->why = why;
    return -status;
}

//  -- characters (RFC 9110 section 5.6.2, RFC 3986) ----------------------------------------

static bool
s_is_alphanumeric (unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
s_is_token (unsigned char c)
{
    return s_is_alphanumeric (c) || (c && strchr ("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
s_is_hex (unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

//  A character of a path or a query, except for '%'
static bool
s_is_target (unsigned char c)
{
    return s_is_alphanumeric (c) || (c && strchr ("-._~!$&'()*+,;=:@/?", c) != NULL);
}

//  A character of a value: no control character but the tab. Bytes from 0x80 on are opaque.
static bool
s_is_value (unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

bool
http_span_is (http_span_t span, const char *text)
{
    return span.data && span.size == strlen (text) && strncasecmp (span.data, text, span.size) == 0;
}

static http_span_t
s_trim (const char *data, size_t size)
{
    while (size && (*data == ' ' || *data == '\t')) {
        data++;
        size--;
    }
    while (size && (data [size - 1] == ' ' || data [size - 1] == '\t'))
        size--;
    return (http_span_t) { data, size };
}

bool
http_span_lists (http_span_t span, const char *word)
{
    while (span.size) {
        const char *comma = memchr (span.data, ',', span.size);
        size_t size = comma? (size_t) (comma - span.data): span.size;
        const char *semicolon = memchr (span.data, ';', size);
        size_t word_size = semicolon? (size_t) (semicolon - span.data): size;
        if (http_span_is (s_trim (span.data, word_size), word)) {
            //  "q=0", "q=0.", "q=0.000" exclude the word
            http_span_t rest = semicolon? s_trim (semicolon + 1, size - word_size - 1): (http_span_t) { NULL, 0 };
            bool weighted = rest.size >= 3 && strncasecmp (rest.data, "q=0", 3) == 0;
            for (size_t i = 3; i < rest.size && weighted; i++)
                weighted = rest.data [i] == '0' || rest.data [i] == '.';
            return !weighted;
        }
        span.data += size + (comma != NULL);
        span.size -= size + (comma != NULL);
    }
    return false;
}

//  -- the host ------------------------------------------------------------------------------

//  host [":" port], where host is a name, an IPv4 address or an IPv6 address in brackets
static bool
s_is_authority (http_span_t span)
{
    size_t at = 0;
    if (span.size && span.data [0] == '[') {
        for (at = 1; at < span.size && (s_is_hex ((unsigned char) span.data [at]) || span.data [at] == ':'
                || span.data [at] == '.'); at++);
        if (at < 4 || at >= span.size || span.data [at++] != ']')
            return false;
    }
    else
        while (at < span.size && (s_is_alphanumeric ((unsigned char) span.data [at])
                || span.data [at] == '-' || span.data [at] == '.' || span.data [at] == '_'))
            at++;
    if (at == 0 || at > 255)
        return false;
    if (at == span.size)
        return true;
    size_t digits = span.size - at - 1;
    if (span.data [at] != ':' || digits < 1 || digits > 5)
        return false;
    while (++at < span.size)
        if (span.data [at] < '0' || span.data [at] > '9')
            return false;
    return true;
}

//  -- the request line ------------------------------------------------------------------------

static int
s_check_target (http_head_t *head, http_span_t target)
{
    if (target.size == 0 || target.data [0] != '/')
        return s_refuse (head, 400, "the request target is neither a path nor http://HOST/PATH");
    for (size_t i = 0; i < target.size; i++) {
        unsigned char c = (unsigned char) target.data [i];
        if (c == '%') {
            if (i + 2 >= target.size || !s_is_hex ((unsigned char) target.data [i + 1])
            ||  !s_is_hex ((unsigned char) target.data [i + 2]))
                return s_refuse (head, 400, "a % in the request target is not followed by two hexadecimal digits");
            i += 2;
        }
        else
        if (!s_is_target (c))
            return s_refuse (head, 400, "the request target has a character that must be percent-encoded");
    }
    head->target = target;
    return 0;
}

//  An absolute form is split; its host is kept for s_check_host
static int
s_read_target (http_head_t *head, http_span_t target, http_span_t *authority)
{
    *authority = (http_span_t) { NULL, 0 };
    if (target.size > HTTP_TARGET_MAX)
        return s_refuse (head, 414, "the request target is longer than 2048 bytes: send filters with "
            "POST /v1/tasks/search");
    if (target.size > 7 && strncasecmp (target.data, "http://", 7) == 0) {
        authority->data = target.data + 7;
        while (7 + authority->size < target.size && target.data [7 + authority->size] != '/')
            authority->size++;
        target.data += 7 + authority->size;
        target.size -= 7 + authority->size;
        if (!s_is_authority (*authority))
            return s_refuse (head, 400, "the request target has no valid host");
    }
    return s_check_target (head, target);
}

static int
s_read_method (http_head_t *head, http_span_t method)
{
    if (method.size == 0 || method.size > METHOD_MAX)
        return s_refuse (head, 400, "the request does not begin with a method");
    for (size_t i = 0; i < method.size; i++)
        if (!s_is_token ((unsigned char) method.data [i]))
            return s_refuse (head, 400, "the method has a character that is not allowed");
    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        if (method.size == strlen (s_methods [i]) && memcmp (method.data, s_methods [i], method.size) == 0) {
            head->method = (http_method_t) i;
            return 0;
        }
    return s_refuse (head, 501, "the method is not known");
}

//  METHOD SP TARGET SP HTTP/1.1
static int
s_read_request_line (http_head_t *head, const char *line, size_t size, http_span_t *authority)
{
    const char *space = memchr (line, ' ', size);
    if (!space)
        return s_refuse (head, 400, "the request line is not METHOD TARGET HTTP/1.1");
    size_t method_size = (size_t) (space - line);
    int rc = s_read_method (head, (http_span_t) { line, method_size });
    if (rc)
        return rc;
    const char *target = space + 1;
    size_t left = size - method_size - 1;
    space = memchr (target, ' ', left);
    if (!space)
        return s_refuse (head, 400, "the request line has no version");
    size_t target_size = (size_t) (space - target);
    const char *version = space + 1;
    size_t version_size = left - target_size - 1;
    if (version_size != 8 || memcmp (version, "HTTP/", 5) != 0 || version [5] < '0' || version [5] > '9'
    ||  version [6] != '.' || version [7] < '0' || version [7] > '9')
        return s_refuse (head, 400, "the request line does not end with the version");
    if (memcmp (version, "HTTP/1.1", 8) != 0)
        return s_refuse (head, 505, "only HTTP/1.1 is supported");
    return s_read_target (head, (http_span_t) { target, target_size }, authority);
}

//  -- fields --------------------------------------------------------------------------------------

static int
s_keep_field (http_head_t *head, http_span_t name, http_span_t value)
{
    for (int i = 0; i < HTTP_FIELD_COUNT; i++) {
        if (!http_span_is (name, s_fields [i].name))
            continue;
        if (head->fields [i].data && s_fields [i].once)
            return s_refuse (head, 400, "a field that may come only once came twice");
        if (!head->fields [i].data)
            head->fields [i] = value;
        //  "close" counts in any of several fields
        if (i == HTTP_CONNECTION && http_span_lists (value, "close"))
            head->keep_alive = false;
        break;
    }
    return 0;
}

static int
s_read_field (http_head_t *head, const char *line, size_t size)
{
    if (line [0] == ' ' || line [0] == '\t')
        return s_refuse (head, 400, "a field is continued on a second line");
    size_t name_size = 0;
    while (name_size < size && s_is_token ((unsigned char) line [name_size]))
        name_size++;
    if (name_size == 0 || name_size == size || line [name_size] != ':')
        return s_refuse (head, 400, "a line of the head is not NAME: VALUE");
    for (size_t i = name_size + 1; i < size; i++)
        if (!s_is_value ((unsigned char) line [i]))
            return s_refuse (head, 400, "the value of a field has a control character");
    return s_keep_field (head, (http_span_t) { line, name_size },
        s_trim (line + name_size + 1, size - name_size - 1));
}

//  -- what the fields mean together ------------------------------------------------------------------

static int
s_check_host (http_head_t *head, http_span_t authority)
{
    http_span_t host = head->fields [HTTP_HOST];
    if (!host.data)
        return s_refuse (head, 400, "the field Host is missing");
    if (!s_is_authority (host))
        return s_refuse (head, 400, "the field Host is not HOST or HOST:PORT");
    //  A proxy may route by either of them
    if (authority.data
    && (authority.size != host.size || strncasecmp (authority.data, host.data, host.size) != 0))
        return s_refuse (head, 400, "the host of the request target is not that of the field Host");
    return 0;
}

static int
s_check_length (http_head_t *head)
{
    http_span_t length = head->fields [HTTP_CONTENT_LENGTH];
    if (head->fields [HTTP_TRANSFER_ENCODING].data)
        return length.data? s_refuse (head, 400, "Transfer-Encoding and Content-Length exclude each other"):
            s_refuse (head, 411, "Transfer-Encoding is not supported: send the body with Content-Length");
    if (!length.data)
        return 0;
    if (length.size < 1 || length.size > 18 || (length.size > 1 && length.data [0] == '0'))
        return s_refuse (head, 400, "Content-Length is not a number");
    for (size_t i = 0; i < length.size; i++) {
        if (length.data [i] < '0' || length.data [i] > '9')
            return s_refuse (head, 400, "Content-Length is not a number");
        head->content_length = head->content_length * 10 + (length.data [i] - '0');
    }
    if (head->content_length > 0 && head->method != HTTP_POST && head->method != HTTP_PUT
    &&  head->method != HTTP_PATCH)
        return s_refuse (head, 400, "a request with this method has no body");
    return 0;
}

static int
s_check (http_head_t *head, http_span_t authority)
{
    int rc = s_check_host (head, authority);
    if (rc == 0)
        rc = s_check_length (head);
    http_span_t expect = head->fields [HTTP_EXPECT];
    if (rc == 0 && expect.data) {
        if (!http_span_is (expect, "100-continue"))
            return s_refuse (head, 417, "the only expectation that is met is 100-continue");
        head->expects_continue = head->content_length > 0;
    }
    return rc;
}

//  Find the end of a line. Returns its size without CRLF; -1: not there yet; -2: a CR or LF alone, or a NUL.
static ptrdiff_t
s_line (const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data [i] == '\r')
            return i + 1 == size? -1: data [i + 1] == '\n'? (ptrdiff_t) i: -2;
        if (data [i] == '\n' || data [i] == 0)
            return -2;
    }
    return -1;
}

//  The head is not complete: refuse what would only be refused later, but would have to be kept until then
static int
s_incomplete (http_head_t *head, const char *data, size_t size, bool in_request_line)
{
    const char *space = in_request_line? memchr (data, ' ', size): NULL;
    if (in_request_line && size > METHOD_MAX && (!space || space - data > METHOD_MAX))
        return s_refuse (head, 400, "the request does not begin with a method");
    if (space && size - (size_t) (space - data) > HTTP_TARGET_MAX + 16)
        return s_refuse (head, 414, "the request target is longer than 2048 bytes");
    return 0;
}

int
http_scan (const char *data, size_t size, http_head_t *head)
{
    *head = (http_head_t) { .keep_alive = true };
    http_span_t authority = { NULL, 0 };
    size_t at = 0, lines = 0;
    size_t bound = size < HTTP_HEAD_MAX? size: HTTP_HEAD_MAX;
    while (true) {
        ptrdiff_t line = s_line (data + at, bound - at);
        if (line == -2)
            return s_refuse (head, 400, "a line of the head does not end with CR LF, or has a NUL");
        if (line == -1) {
            int rc = s_incomplete (head, data + at, bound - at, lines == 0);
            if (rc == 0 && bound == HTTP_HEAD_MAX)
                rc = s_refuse (head, 431, "the head is longer than 16 KiB");
            return rc;
        }
        int rc = 0;
        if (lines == 0)
            rc = s_read_request_line (head, data + at, (size_t) line, &authority);
        else
        if (line == 0)
            rc = s_check (head, authority);
        else
        if (lines > HTTP_FIELDS_MAX)
            rc = s_refuse (head, 431, "the head has more than 100 fields");
        else
            rc = s_read_field (head, data + at, (size_t) line);
        at += (size_t) line + 2;
        if (rc)
            return rc;
        if (lines++ && line == 0)
            return (int) at;
    }
}
