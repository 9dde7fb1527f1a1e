/*  test_event - the public class stele_event

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
#include <math.h>
#include "stele_event.h"

static stele_event_t *
s_from (const char *json)
{
    char error [200] = "";
    stele_event_t *event = stele_event_from_json (json, strlen (json), error, sizeof error);
    if (!event)
        fail_msg ("%s: %s", json, error);
    return event;
}

static void
s_not_from (const char *json, const char *reason)
{
    char error [200] = "";
    assert_null (stele_event_from_json (json, strlen (json), error, sizeof error));
    if (!strstr (error, reason))
        fail_msg ("%s: '%s' does not say '%s'", json, error, reason);
    assert_null (stele_event_from_json (json, strlen (json), NULL, 0));
    char small [8];
    assert_null (stele_event_from_json (json, strlen (json), small, sizeof small));
    assert_true (strlen (small) < sizeof small);
}

static void
s_prints (const stele_event_t *event, const char *expected)
{
    char *text = stele_event_to_json (event);
    assert_non_null (text);
    assert_string_equal (text, expected);
    free (text);
}

static void
test_event_fields_set_are_read (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("task.output_added");
    size_t size = 0;
    assert_string_equal (stele_event_type (event), "task.output_added");
    assert_int_equal (stele_event_position (event), 0);
    assert_int_equal (stele_event_set_string (event, "task_id", "t"), 0);
    assert_int_equal (stele_event_set_text (event, "file_path", "a\0b", 3), 0);
    assert_int_equal (stele_event_set_bytes (event, "content", "\xff\0", 2), 0);
    assert_int_equal (stele_event_set_integer (event, "file_size", 17), 0);
    assert_int_equal (stele_event_set_real (event, "mine", 2.5), 0);
    assert_int_equal (stele_event_set_bool (event, "flag", true), 0);
    assert_int_equal (stele_event_set_json (event, "map", "{\"a\":[1,null]}"), 0);
    assert_string_equal (stele_event_string (event, "task_id", NULL), "t");
    assert_memory_equal (stele_event_string (event, "file_path", &size), "a\0b", 4);
    assert_int_equal (size, 3);
    assert_memory_equal (stele_event_string (event, "content", &size), "\xff\0", 3);
    assert_int_equal (size, 2);
    assert_int_equal (stele_event_integer (event, "file_size", 0), 17);
    assert_true (stele_event_real (event, "file_size", 0) == 17.0);
    assert_true (stele_event_real (event, "mine", 0) == 2.5);
    assert_int_equal (stele_event_integer (event, "mine", 0), 2);
    assert_int_equal (stele_event_integer (event, "flag", 0), 1);
    assert_true (stele_event_has (event, "map"));
    assert_false (stele_event_has (event, "absent"));
    assert_null (stele_event_string (event, "absent", &size));
    assert_null (stele_event_string (event, "file_size", NULL));
    assert_int_equal (stele_event_integer (event, "task_id", -7), -7);
    assert_true (stele_event_real (event, "map", -7) == -7);
    s_prints (event, "{\"type\":\"task.output_added\",\"task_id\":\"t\",\"file_path\":\"a\\u0000b\","
        "\"content\":{\"$bin\":\"/wA=\"},\"file_size\":17,\"mine\":2.5,\"flag\":true,\"map\":{\"a\":[1,null]}}");
    stele_event_destroy (&event);
    assert_null (event);
    stele_event_destroy (&event);
}

static void
test_event_second_set_replaces_in_place (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("task.updated");
    stele_event_set_string (event, "task_id", "one");
    stele_event_set_string (event, "title", "x");
    size_t before;
    stele_event_data (event, &before);
    stele_event_set_string (event, "task_id", "another");
    stele_event_set_string (event, "type", "task.created");
    size_t after;
    stele_event_data (event, &after);
    assert_int_equal (after, before + 4);
    s_prints (event, "{\"type\":\"task.created\",\"task_id\":\"another\",\"title\":\"x\"}");
    stele_event_destroy (&event);
}

static void
test_event_set_refuses_what_is_not_utf8_or_json (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("task.updated");
    stele_event_set_string (event, "title", "kept");
    assert_int_equal (stele_event_set_string (event, "title", "\xff"), STELE_EMALFORMED);
    assert_int_equal (stele_event_set_text (event, "title", "a\xc3", 2), STELE_EMALFORMED);
    assert_int_equal (stele_event_set_string (event, "\xff", "a"), STELE_EMALFORMED);
    assert_int_equal (stele_event_set_json (event, "title", "{"), STELE_EMALFORMED);
    assert_int_equal (stele_event_set_json (event, "title", ""), STELE_EMALFORMED);
    assert_string_equal (stele_event_string (event, "title", NULL), "kept");
    stele_event_destroy (&event);
}

static void
test_event_set_json_takes_any_value (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("x");
    assert_int_equal (stele_event_set_json (event, "a", "5"), 0);
    assert_int_equal (stele_event_set_json (event, "b", "\"text\""), 0);
    assert_int_equal (stele_event_set_json (event, "c", "{\"$uint\":\"18446744073709551615\"}"), 0);
    assert_int_equal (stele_event_integer (event, "a", 0), 5);
    assert_string_equal (stele_event_string (event, "b", NULL), "text");
    assert_true (stele_event_real (event, "c", 0) == 18446744073709551615.0);
    assert_int_equal (stele_event_integer (event, "c", -1), -1);
    stele_event_destroy (&event);
}

static void
test_event_integer_of_a_real_out_of_range_is_otherwise (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("x");
    static const double reals [] = { NAN, INFINITY, -INFINITY, 0x1p63, -0x1.8p63 };
    for (size_t i = 0; i < sizeof reals / sizeof reals [0]; i++) {
        stele_event_set_real (event, "r", reals [i]);
        assert_int_equal (stele_event_integer (event, "r", 42), 42);
    }
    stele_event_set_real (event, "r", -0x1p63);
    assert_true (stele_event_integer (event, "r", 42) == INT64_MIN);
    stele_event_destroy (&event);
}

static void
test_event_time_reads_in_every_form (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("task.updated");
    stele_event_set_integer (event, "time", 1000000);
    assert_int_equal (stele_event_integer (event, "time", 0), 1000000);
    stele_event_set_string (event, "time", "1970-01-01T01:00:01+01:00");
    assert_int_equal (stele_event_integer (event, "time", 0), 1000000);
    stele_event_set_json (event, "time", "{\"$ext\":[-1,\"AAAAAQ==\"]}");
    assert_int_equal (stele_event_integer (event, "time", 0), 1000000);
    stele_event_set_string (event, "time", "noon");
    assert_int_equal (stele_event_integer (event, "time", 5), 5);
    stele_event_set_string (event, "title", "1970-01-01T00:00:01Z");
    assert_int_equal (stele_event_integer (event, "title", 5), 5);
    stele_event_destroy (&event);
}

static void
test_event_json_line_comes_back_the_same (void **state)
{
    (void) state;
    static const char *const lines [] = {
        "{\"type\":\"task.metric_recorded\",\"task_id\":\"t\",\"name\":\"n\",\"value\":0.1}",
        "{\"type\":\"task.metric_recorded\",\"position\":7,\"time\":\"2026-01-31T23:59:59.123456Z\",\"value\":1.0}",
        "{\"type\":\"x\",\"a\":{\"$float\":\"NaN\"},\"b\":{\"$bin\":\"AAE=\"},\"c\":{\"$map\":[[1,2]]},\"created_at\":\"mine\"}",
        "{\"type\":\"x\",\"\":null,\"d\":[[],{}],\"e\":\"\\u0000\xc3\xa9\"}",
        "{}"
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines [0]; i++) {
        stele_event_t *event = s_from (lines [i]);
        s_prints (event, lines [i]);
        size_t size;
        const void *data = stele_event_data (event, &size);
        stele_event_t *again = stele_event_decode (data, size, NULL, 0);
        assert_non_null (again);
        s_prints (again, lines [i]);
        size_t again_size;
        assert_memory_equal (stele_event_data (again, &again_size), data, size);
        assert_int_equal (again_size, size);
        stele_event_destroy (&again);
        stele_event_destroy (&event);
    }
}

static void
test_event_to_json_puts_type_and_position_first (void **state)
{
    (void) state;
    stele_event_t *event = s_from ("{\"z\":1,\"position\":7,\"a\":2,\"time\":0,\"type\":\"task.updated\"}\n");
    s_prints (event, "{\"type\":\"task.updated\",\"position\":7,\"z\":1,\"a\":2,\"time\":\"1970-01-01T00:00:00.000000Z\"}");
    assert_int_equal (stele_event_position (event), 7);
    stele_event_destroy (&event);
}

static void
test_event_record_prints_its_times (void **state)
{
    (void) state;
    stele_event_t *event = s_from ("{\"task_id\":\"t\",\"created_at\":0,\"completed_at\":1,\"metadata\":{\"time\":5}}");
    assert_string_equal (stele_event_type (event), "");
    s_prints (event, "{\"task_id\":\"t\",\"created_at\":\"1970-01-01T00:00:00.000000Z\","
        "\"completed_at\":\"1970-01-01T00:00:00.000001Z\",\"metadata\":{\"time\":5}}");
    stele_event_destroy (&event);
}

static void
test_event_from_json_says_why_not (void **state)
{
    (void) state;
    s_not_from ("", "not JSON");
    s_not_from ("[1]", "map");
    s_not_from ("5", "map");
    s_not_from ("{\"a\":1,\"a\":2}", "duplicate");
    s_not_from ("{\"a\":18446744073709551615}", "{\"$uint\":");
    s_not_from ("{\"$map\":[[1,2]]}", "key");
    s_not_from ("{\"$map\":[[\"a\",1],[\"a\",2]]}", "twice");
    s_not_from ("{\"a\":1} x", "not JSON");
}

static void
test_event_decode_says_why_not (void **state)
{
    (void) state;
    char error [100];
    assert_null (stele_event_decode ("\xc1", 1, error, sizeof error));
    assert_non_null (strstr (error, "0xc1"));
    assert_null (stele_event_decode ("\x81\xa1", 2, error, sizeof error));
    assert_null (stele_event_decode ("\x80\x80", 2, error, sizeof error));
    assert_null (stele_event_decode ("\x90", 1, error, sizeof error));
    assert_non_null (strstr (error, "map"));
    assert_null (stele_event_decode ("", 0, NULL, 0));
    assert_null (stele_event_decode ("\x82\xa1k\1\xa1k\1", 7, error, sizeof error));
    assert_non_null (strstr (error, "twice"));
}

static void
test_event_check_does_as_the_broker (void **state)
{
    (void) state;
    static const struct { const char *json; int code; const char *says; } events [] = {
        { "{\"type\":\"task.state_changed\",\"task_id\":\"t\",\"state\":\"running\"}", 0, "" },
        { "{\"type\":\"task.state_changed\",\"task_id\":\"t\"}", STELE_EMISSING_FIELD, "state" },
        { "{\"type\":\"task.state_changed\",\"task_id\":\"t\",\"state\":\"done\"}", STELE_EINVALID_FIELD, "queued" },
        { "{\"type\":\"nope\"}", STELE_EUNKNOWN_TYPE, "nope" },
        { "{}", STELE_EMISSING_FIELD, "type" }
    };
    for (size_t i = 0; i < sizeof events / sizeof events [0]; i++) {
        stele_event_t *event = s_from (events [i].json);
        char error [300] = "";
        assert_int_equal (stele_event_check (event, error, sizeof error), events [i].code);
        assert_non_null (strstr (error, events [i].says));
        stele_event_destroy (&event);
    }
}

static void
test_event_many_fields_are_kept (void **state)
{
    (void) state;
    stele_event_t *event = stele_event_new ("x");
    for (int i = 0; i < 1000; i++) {
        char name [16];
        snprintf (name, sizeof name, "f%d", i);
        stele_event_set_integer (event, name, i);
    }
    assert_int_equal (stele_event_integer (event, "f999", 0), 999);
    size_t size;
    const void *data = stele_event_data (event, &size);
    stele_event_t *again = stele_event_decode (data, size, NULL, 0);
    assert_int_equal (stele_event_integer (again, "f500", 0), 500);
    stele_event_destroy (&again);
    stele_event_destroy (&event);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_event_fields_set_are_read),
        cmocka_unit_test (test_event_second_set_replaces_in_place),
        cmocka_unit_test (test_event_set_refuses_what_is_not_utf8_or_json),
        cmocka_unit_test (test_event_set_json_takes_any_value),
        cmocka_unit_test (test_event_integer_of_a_real_out_of_range_is_otherwise),
        cmocka_unit_test (test_event_time_reads_in_every_form),
        cmocka_unit_test (test_event_json_line_comes_back_the_same),
        cmocka_unit_test (test_event_to_json_puts_type_and_position_first),
        cmocka_unit_test (test_event_record_prints_its_times),
        cmocka_unit_test (test_event_from_json_says_why_not),
        cmocka_unit_test (test_event_decode_says_why_not),
        cmocka_unit_test (test_event_check_does_as_the_broker),
        cmocka_unit_test (test_event_many_fields_are_kept)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
