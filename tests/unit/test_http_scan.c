/*  test_http_scan - heads of HTTP requests, whole and in part

    tests/http/test_malformed.py has the table of refused requests.

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
#include "http/hosts.h"
#include "http/output.h"
#include "http/reply.h"
#include "http/routes.h"
#include "http/scan.h"
#include "http/target.h"

static const char s_post [] =
    "POST /v1/tasks/a%2Fb/recover?x=1+2&y=%C3%BC&z HTTP/1.1\r\n"
    "Host: localhost:5580\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n"
    "Accept-Encoding: br;q=1.0, GZIP;q=0.5\r\nConnection: close\r\nX-Other: \t some thing \t\r\n\r\n";

static void
test_http_scan_head_is_read (void **state)
{
    (void) state;
    http_head_t head;
    assert_int_equal (http_scan (s_post, sizeof s_post - 1, &head), sizeof s_post - 1);
    assert_int_equal (head.method, HTTP_POST);
    assert_int_equal (head.content_length, 12);
    assert_true (head.expects_continue);
    assert_false (head.keep_alive);
    assert_true (http_span_is (head.fields [HTTP_HOST], "LOCALHOST:5580"));
    assert_null (head.fields [HTTP_ORIGIN].data);
}

//  Each byte more is either still not enough, or the whole head: never another meaning
static void
test_http_scan_part_of_a_head_waits_for_the_rest (void **state)
{
    (void) state;
    http_head_t head;
    for (size_t size = 0; size < sizeof s_post - 1; size++) {
        char *part = malloc (size + 1);         // Of exactly that size, for AddressSanitizer
        memcpy (part, s_post, size);
        assert_int_equal (http_scan (part, size, &head), 0);
        free (part);
    }
    char *more = malloc (sizeof s_post + 5);
    memcpy (more, s_post, sizeof s_post - 1);
    memcpy (more + sizeof s_post - 1, "GET /x", 6);
    assert_int_equal (http_scan (more, sizeof s_post + 5, &head), sizeof s_post - 1);
    free (more);
}

static void
test_http_scan_limits_are_exact (void **state)
{
    (void) state;
    http_head_t head;
    char *data = calloc (1, HTTP_HEAD_MAX + 100);
    int at = sprintf (data, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset (data + at, 'x', HTTP_HEAD_MAX);
    memcpy (data + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal (http_scan (data, HTTP_HEAD_MAX, &head), HTTP_HEAD_MAX);
    memcpy (data + HTTP_HEAD_MAX - 4, "xx\r\n\r\n", 6);
    assert_int_equal (http_scan (data, HTTP_HEAD_MAX + 2, &head), -431);
    at = sprintf (data, "GET /");
    memset (data + at, 'x', HTTP_TARGET_MAX);
    strcpy (data + at + HTTP_TARGET_MAX - 1, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true (http_scan (data, strlen (data), &head) > 0);
    assert_int_equal (head.target.size, HTTP_TARGET_MAX);
    memset (data + at, 'x', HTTP_TARGET_MAX);
    strcpy (data + at + HTTP_TARGET_MAX, "x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal (http_scan (data, strlen (data), &head), -414);
    free (data);
}

static http_span_t
s_span (const char *text)
{
    return (http_span_t) { text, strlen (text) };
}

static void
test_http_scan_lists_of_words (void **state)
{
    (void) state;
    assert_true (http_span_lists (s_span ("br;q=1.0, GZIP;q=0.5"), "gzip"));
    assert_true (http_span_lists (s_span ("gzip"), "gzip"));
    assert_false (http_span_lists (s_span ("gzip;q=0"), "gzip"));
    assert_false (http_span_lists (s_span ("gzip; q=0.000"), "gzip"));
    assert_true (http_span_lists (s_span ("gzip; q=0.001"), "gzip"));
    assert_false (http_span_lists (s_span ("xgzip, gzipx"), "gzip"));
    assert_false (http_span_lists ((http_span_t) { NULL, 0 }, "gzip"));
}

static void
test_http_target_is_decoded_after_it_is_split (void **state)
{
    (void) state;
    http_head_t head;
    http_target_t target;
    const char *why;
    http_scan (s_post, sizeof s_post - 1, &head);
    assert_int_equal (http_target_parse (&target, head.target, &why), 0);
    assert_int_equal (target.segment_count, 4);
    assert_string_equal (target.segments [2].data, "a/b");
    assert_string_equal (http_target_param (&target, "x").data, "1 2");
    assert_string_equal (http_target_param (&target, "y").data, "\xc3\xbc");
    assert_string_equal (http_target_param (&target, "z").data, "");
    assert_null (http_target_param (&target, "w").data);
    char allow [64];
    const http_route_t *route = http_route_find (HTTP_POST, &target, allow);
    assert_ptr_equal (route, &http_routes [HTTP_ROUTE_TASK_RECOVER]);
    assert_string_equal (http_route_segment (route, &target, "task_id").data, "a/b");
    assert_null (http_route_find (HTTP_GET, &target, allow));
    assert_string_equal (allow, "POST");
}

//  The longest target with the most parts fits
static void
test_http_target_of_many_parts_fits (void **state)
{
    (void) state;
    char text [HTTP_TARGET_MAX + 1] = "/";
    http_target_t *target = malloc (sizeof *target);
    const char *why;
    for (int i = 0; i < HTTP_PARAMS_MAX; i++)
        strcat (text, i? "&a": "?a");
    size_t used = strlen (text);
    memset (text + used, 'b', sizeof text - 1 - used);
    text [sizeof text - 1] = 0;
    assert_int_equal (http_target_parse (target, s_span (text), &why), 0);
    assert_int_equal (target->param_count, HTTP_PARAMS_MAX);
    free (target);
}

static void
test_http_next_page_replaces_the_cursor_alone (void **state)
{
    (void) state;
    http_target_t target;
    const char *why;
    char next [HTTP_NEXT_SIZE];
    assert_int_equal (http_target_parse (&target, s_span ("/v1/tasks?states=a%2Cb&cursor=old&xcursor=1"), &why), 0);
    assert_true (http_reply_next (&target, "cursor", "new", "", next));
    assert_string_equal (next, "/v1/tasks?states=a%2Cb&xcursor=1&cursor=new");
}

static void
test_http_range_parts (void **state)
{
    (void) state;
    size_t first = 99, count = 99;
    static const struct { const char *range; int rc; size_t first, count; } rows [] = {
        { "bytes=0-0", 1, 0, 1 }, { "bytes=2-4", 1, 2, 3 }, { "bytes=8-", 1, 8, 2 }, { "bytes=-3", 1, 7, 3 },
        { "bytes=-30", 1, 0, 10 }, { "bytes=5-500", 1, 5, 5 }, { "bytes=9-9", 1, 9, 1 },
        { "bytes=10-", -416, 0, 0 }, { "bytes=-0", -416, 0, 0 }, { "bytes=10-20", -416, 0, 0 },
        { "bytes=4-2", 0, 0, 0 }, { "bytes=0-1,3-4", 0, 0, 0 }, { "lines=0-1", 0, 0, 0 }, { "bytes=-", 0, 0, 0 },
        { "bytes=", 0, 0, 0 }, { "bytes=a-b", 0, 0, 0 }
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++) {
        assert_int_equal (http_output_range (s_span (rows [i].range), 10, &first, &count), rows [i].rc);
        if (rows [i].rc == 1) {
            assert_int_equal (first, rows [i].first);
            assert_int_equal (count, rows [i].count);
        }
    }
}

static void
test_http_hosts_are_those_of_this_machine_and_added_ones (void **state)
{
    (void) state;
    http_hosts_t hosts = { 0 };
    http_hosts_add (&hosts, "stele.example.org");
    static const char *const allowed [] = { "localhost", "LocalHost:80", "127.0.0.1:5580", "127.1.2.3", "[::1]", "[::1]:80",
        "stele.example.org", "STELE.example.org:443" };
    static const char *const refused [] = { "localhost.", "example.org", "127.0.0.1.example.org", "128.0.0.1", "127.1",
        "[::2]", "xstele.example.org", "stele.example.org.", "0.0.0.0" };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed [0]; i++)
        assert_true (http_hosts_allow (&hosts, s_span (allowed [i])));
    for (size_t i = 0; i < sizeof refused / sizeof refused [0]; i++)
        assert_false (http_hosts_allow (&hosts, s_span (refused [i])));
    http_hosts_clear (&hosts);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_http_scan_head_is_read),
        cmocka_unit_test (test_http_scan_part_of_a_head_waits_for_the_rest),
        cmocka_unit_test (test_http_scan_limits_are_exact),
        cmocka_unit_test (test_http_scan_lists_of_words),
        cmocka_unit_test (test_http_target_is_decoded_after_it_is_split),
        cmocka_unit_test (test_http_target_of_many_parts_fits),
        cmocka_unit_test (test_http_next_page_replaces_the_cursor_alone),
        cmocka_unit_test (test_http_range_parts),
        cmocka_unit_test (test_http_hosts_are_those_of_this_machine_and_added_ones)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
