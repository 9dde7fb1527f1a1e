/*  test_http_websocket - frames of a WebSocket, whole and in part, and the records of the earlier system

    tests/http/test_websocket.py has the table of frames that end a connection.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "http/compat/record.h"
#include "http/websocket.h"

//  Section 5.7 of RFC 6455: "Hello" with a mask
static const char s_hello [] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

static void
s_assert_message (const http_websocket_message_t *message, http_websocket_opcode_t opcode, const char *text)
{
    assert_int_equal (message->opcode, opcode);
    assert_int_equal (message->size, strlen (text));
    assert_memory_equal (message->data, text, message->size);
}

static void
test_websocket_example_of_the_rfc_is_read (void **state)
{
    (void) state;
    http_websocket_t reader = { .message = NULL };
    http_websocket_message_t message;
    size_t used;
    assert_int_equal (http_websocket_read (&reader, s_hello, sizeof s_hello - 1, &used, &message), 1);
    assert_int_equal (used, sizeof s_hello - 1);
    s_assert_message (&message, HTTP_WEBSOCKET_TEXT, "Hello");
    http_websocket_clear (&reader);
}

static void
test_websocket_part_of_a_frame_waits_for_the_rest (void **state)
{
    (void) state;
    http_websocket_t reader = { .message = NULL };
    http_websocket_message_t message;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof s_hello - 1; i++) {
            char *byte = malloc (1);        // Of exactly that size, for AddressSanitizer
            size_t used;
            *byte = s_hello [i];
            assert_int_equal (http_websocket_read (&reader, byte, 1, &used, &message), i == sizeof s_hello - 2);
            assert_int_equal (used, 1);
            free (byte);
        }
    s_assert_message (&message, HTTP_WEBSOCKET_TEXT, "Hello");
    http_websocket_clear (&reader);
}

static void
test_websocket_frame_without_a_mask_is_refused_by_its_second_byte (void **state)
{
    (void) state;
    http_websocket_t reader = { .message = NULL };
    http_websocket_message_t message;
    size_t used;
    assert_int_equal (http_websocket_read (&reader, "\x81", 1, &used, &message), 0);
    assert_int_equal (http_websocket_read (&reader, "\x05", 1, &used, &message), -HTTP_WEBSOCKET_PROTOCOL);
    http_websocket_clear (&reader);
}

static void
test_websocket_heads_have_the_shortest_form (void **state)
{
    (void) state;
    static const struct { size_t size; const char *head; size_t head_size; } cases [] = {
        { 0, "\x81\x00", 2 }, { 125, "\x81\x7d", 2 }, { 126, "\x81\x7e\x00\x7e", 4 }, { 65535, "\x81\x7e\xff\xff", 4 },
        { 65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        char head [HTTP_WEBSOCKET_HEAD];
        assert_int_equal (http_websocket_write_head (HTTP_WEBSOCKET_TEXT, cases [i].size, head), cases [i].head_size);
        assert_memory_equal (head, cases [i].head, cases [i].head_size);
    }
}

static void
test_websocket_accept_is_that_of_the_rfc (void **state)
{
    (void) state;
    char accept [29];
    assert_true (http_websocket_accept ((http_span_t) { "dGhlIHNhbXBsZSBub25jZQ==", 24 }, accept));
    assert_string_equal (accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false (http_websocket_accept ((http_span_t) { "dGhlIHNhbXBsZSBub25jZQ=", 23 }, accept));
    assert_false (http_websocket_accept ((http_span_t) { "!GhlIHNhbXBsZSBub25jZQ==", 24 }, accept));
    assert_false (http_websocket_accept ((http_span_t) { NULL, 0 }, accept));
}

static void
test_compat_time_has_no_offset_and_no_fraction_of_zero (void **state)
{
    (void) state;
    static const struct { int64_t us; bool seconds; const char *text; } cases [] = {
        { 1764432172924559, false, "2025-11-29T16:02:52.924559" }, { 1764432172924559, true, "2025-11-29T16:02:52" },
        { 1764432172000000, false, "2025-11-29T16:02:52" }, { 1764432172000001, false, "2025-11-29T16:02:52.000001" },
        { -1, false, "1969-12-31T23:59:59.999999" }, { -1000000, false, "1969-12-31T23:59:59" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        json_t *time = http_compat_time (cases [i].us, cases [i].seconds);
        assert_string_equal (json_string_value (time), cases [i].text);
        json_decref (time);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_websocket_example_of_the_rfc_is_read),
        cmocka_unit_test (test_websocket_part_of_a_frame_waits_for_the_rest),
        cmocka_unit_test (test_websocket_frame_without_a_mask_is_refused_by_its_second_byte),
        cmocka_unit_test (test_websocket_heads_have_the_shortest_form),
        cmocka_unit_test (test_websocket_accept_is_that_of_the_rfc),
        cmocka_unit_test (test_compat_time_has_no_offset_and_no_fraction_of_zero)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
