/*  test_time - the three forms of a time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "stele_error.h"
#include "wire/event/event_codec.h"

static int64_t
s_parse (const char *text)
{
    int64_t time_us = INT64_MIN;
    int rc = stele_time_parse (text, strlen (text), &time_us);
    assert_true (rc == 0? time_us != INT64_MIN: rc == STELE_EINVALID_FIELD && time_us == INT64_MIN);
    return time_us;
}

static void
s_prints (int64_t time_us, const char *expected)
{
    char text [32];
    stele_time_print (time_us, text, sizeof text);
    assert_string_equal (text, expected);
    assert_true (s_parse (text) == time_us);
}

static void
test_time_rfc3339_is_read (void **state)
{
    (void) state;
    static const struct { const char *text; int64_t time_us; } times [] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1970-01-01 00:00:00.000001Z", 1 },
        { "1969-12-31T23:59:59.999999Z", -1 },
        { "2026-01-31T23:59:59.123456Z", 1769903999123456 },
        { "2026-02-01T01:29:59.123456+01:30", 1769903999123456 },
        { "2026-01-31T15:59:59.123456-08:00", 1769903999123456 },
        { "2026-01-31T23:59:59.1Z", 1769903999100000 },
        { "2026-01-31T23:59:59.123456789Z", 1769903999123456 },
        { "2024-02-29T00:00:00Z", 1709164800000000 },
        { "2000-02-29T12:00:00-00:00", 951825600000000 },
        { "0001-01-01T00:00:00Z", -62135596800000000 },
        { "9999-12-31T23:59:59.999999Z", 253402300799999999 },
        { "2016-12-31T23:59:60Z", 1483228800000000 },
        { "2016-12-31T23:59:60.5Z", 1483228800500000 },
        { "2016-12-31T15:59:60-08:00", 1483228800000000 }
    };
    for (size_t i = 0; i < sizeof times / sizeof times [0]; i++)
        if (s_parse (times [i].text) != times [i].time_us)
            fail_msg ("%s is not %lld", times [i].text, (long long) times [i].time_us);
}

static void
test_time_malformed_text_is_refused (void **state)
{
    (void) state;
    static const char *const times [] = {
        "", "now", "2026", "2026-01-31", "2026-01-31T23:59:59", "2026-01-31T23:59Z",
        "2026-1-31T23:59:59Z", "26-01-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z", "2026-01-31T12:30:60Z",
        "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59.1234567890Z", "2026-01-31T23:59:59,5Z",
        "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+01:60", "2026-01-31T23:59:59+0100",
        "2026-01-31T23:59:59+1:00", "2026-01-31T23:59:59Z ", " 2026-01-31T23:59:59Z",
        "2026-01-31T23:59:59ZZ", "2026-01-31X23:59:59Z", "2026/01/31T23:59:59Z", "+026-01-31T23:59:59Z",
        "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z"
    };
    for (size_t i = 0; i < sizeof times / sizeof times [0]; i++)
        if (s_parse (times [i]) != INT64_MIN)
            fail_msg ("'%s' was taken", times [i]);
    int64_t time_us;
    assert_int_equal (stele_time_parse ("2026-01-31T23:59:59Z\0", 21, &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (stele_time_parse (NULL, 0, &time_us), STELE_EINVALID_FIELD);
}

static void
test_time_cut_off_text_is_refused_at_every_length (void **state)
{
    (void) state;
    static const char text [] = "2026-01-31T23:59:59.123456+01:00";
    int64_t time_us;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *copy = malloc (size + 1);
        memcpy (copy, text, size);
        assert_int_equal (stele_time_parse (copy, size, &time_us), STELE_EINVALID_FIELD);
        free (copy);
    }
}

static void
test_time_prints_and_reads_back_the_same (void **state)
{
    (void) state;
    s_prints (0, "1970-01-01T00:00:00.000000Z");
    s_prints (-1, "1969-12-31T23:59:59.999999Z");
    s_prints (1769903999123456, "2026-01-31T23:59:59.123456Z");
    s_prints (951782400000000, "2000-02-29T00:00:00.000000Z");
    s_prints (-62135596800000000, "0001-01-01T00:00:00.000000Z");
    s_prints (253402300799999999, "9999-12-31T23:59:59.999999Z");
    char text [32];
    for (int64_t day = -719162; day <= 2932896; day++) {
        int64_t time_us = day * 86400000000 + (day & 0xffff);
        stele_time_print (time_us, text, sizeof text);
        int64_t again;
        assert_int_equal (stele_time_parse (text, strlen (text), &again), 0);
        assert_true (again == time_us);
    }
}

static void
test_time_outside_the_calendar_prints_within_the_buffer (void **state)
{
    (void) state;
    char text [32];
    stele_time_print (INT64_MAX, text, sizeof text);
    assert_true (strlen (text) < sizeof text);
    stele_time_print (INT64_MIN, text, sizeof text);
    assert_true (strlen (text) < sizeof text);
}

#define UNPACK(bytes, time_us) stele_time_unpack (bytes, sizeof (bytes) - 1, time_us)

static void
test_time_msgpack_forms_are_read (void **state)
{
    (void) state;
    int64_t time_us;
    assert_int_equal (UNPACK ("\x05", &time_us), 0);
    assert_int_equal (time_us, 5);
    assert_int_equal (UNPACK ("\xff", &time_us), 0);
    assert_true (time_us == -1);
    //  timestamp 32, 64 and 96
    assert_int_equal (UNPACK ("\xd6\xff\xff\xff\xff\xff", &time_us), 0);
    assert_true (time_us == 4294967295000000);
    assert_int_equal (UNPACK ("\xd7\xff\xee\x6b\x27\xfc\x00\x00\x00\x01", &time_us), 0);
    assert_true (time_us == 1999999);
    assert_int_equal (UNPACK ("\xc7\x0c\xff\x00\x00\x03\xe8\xff\xff\xff\xff\xff\xff\xff\xff", &time_us), 0);
    assert_true (time_us == -999999);
    assert_int_equal (UNPACK ("\xb4""1970-01-01T00:00:01Z", &time_us), 0);
    assert_true (time_us == 1000000);
}

static void
test_time_other_msgpack_is_refused (void **state)
{
    (void) state;
    int64_t time_us;
    assert_int_equal (UNPACK ("\xc0", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xc3", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xcb\x3f\xf0\0\0\0\0\0\0", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xd3\x80\0\0\0\0\0\0\0", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xd6\x01\0\0\0\0", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xd5\xff\0\0", &time_us), STELE_EINVALID_FIELD);
    //  A billion nanoseconds are a second too many
    assert_int_equal (UNPACK ("\xd7\xff\xee\x6b\x28\x00\x00\x00\x00\x01", &time_us), STELE_EINVALID_FIELD);
    assert_int_equal (UNPACK ("\xc7\x0c\xff\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", &time_us), STELE_EINVALID_FIELD);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_time_rfc3339_is_read),
        cmocka_unit_test (test_time_malformed_text_is_refused),
        cmocka_unit_test (test_time_cut_off_text_is_refused_at_every_length),
        cmocka_unit_test (test_time_prints_and_reads_back_the_same),
        cmocka_unit_test (test_time_outside_the_calendar_prints_within_the_buffer),
        cmocka_unit_test (test_time_msgpack_forms_are_read),
        cmocka_unit_test (test_time_other_msgpack_is_refused)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
