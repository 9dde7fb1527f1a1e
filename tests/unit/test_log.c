/*  test_log - the lines of the broker's log

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "broker/common/log.h"

#define TIME_US INT64_C (1764448227123456)

static void
s_line (const char *message, const char *expected)
{
    char *line = stele_log_line (false, false, TIME_US, STELE_LOG_INFO, "test", NULL, message);
    assert_memory_equal (line, "2025-11-29T20:30:27.123Z info steled: ", 38);
    assert_string_equal (line + 38, expected);
    free (line);
}

static void
test_log_line_text_escapes_what_acts (void **state)
{
    (void) state;
    s_line ("plain, \xc3\xa9 \xe6\x9e\x84 \xf0\x9f\x8e\x89", "plain, \xc3\xa9 \xe6\x9e\x84 \xf0\x9f\x8e\x89");
    s_line ("a\nb\r\t\x1b[31m\x7f", "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
    s_line ("\xc2\x9b" "31m\xc2\x85", "\\x9b31m\\x85");
    s_line ("\xe2\x80\xae \xe2\x80\xaa \xe2\x81\xa6 \xe2\x81\xa9 \xe2\x80\xa8 \xe2\x80\x8f",
        "\\u202e \\u202a \\u2066 \\u2069 \\u2028 \\u200f");
    s_line ("\xff \xc3 \xe2\x80", "\\xff \\xc3 \\xe2\\x80");
    s_line ("", "");
}

static void
test_log_line_journal_has_a_priority_and_no_time (void **state)
{
    (void) state;
    static const char *const expected [] = { "<3>steled: x", "<4>steled: x", "<6>steled: x", "<7>steled: x" };
    for (int level = STELE_LOG_ERROR; level <= STELE_LOG_DEBUG; level++) {
        char *line = stele_log_line (false, true, TIME_US, (stele_log_level_t) level, "test", NULL, "x");
        assert_string_equal (line, expected [level]);
        free (line);
    }
}

static void
test_log_line_json_is_json (void **state)
{
    (void) state;
    const char *name = "p\"\\\n\x1b\xc2\x9b\xe2\x80\xae\xff";
    char *line = stele_log_line (true, false, TIME_US, STELE_LOG_WARNING, "fenced",
        STELE_LOG_FIELDS (STELE_LOG_TEXT ("producer", name), STELE_LOG_NUMBER ("tasks", -7)), name);
    for (const char *at = line; *at; at++)
        assert_in_range ((unsigned char) *at, 0x20, 0x7e);
    json_t *root = json_loads (line, 0, NULL);
    assert_non_null (root);
    assert_string_equal (json_string_value (json_object_get (root, "time")), "2025-11-29T20:30:27.123Z");
    assert_string_equal (json_string_value (json_object_get (root, "level")), "warning");
    assert_string_equal (json_string_value (json_object_get (root, "event")), "fenced");
    const char *escaped = "p\"\\\n\x1b\xc2\x9b\xe2\x80\xae\xef\xbf\xbd";
    assert_string_equal (json_string_value (json_object_get (root, "message")), escaped);
    assert_string_equal (json_string_value (json_object_get (root, "producer")), escaped);
    assert_int_equal (json_integer_value (json_object_get (root, "tasks")), -7);
    json_decref (root);
    free (line);
}

static void
test_log_configure_sets_the_level (void **state)
{
    (void) state;
    stele_log_configure ("text", "warning");
    assert_true (stele_log_has (STELE_LOG_ERROR));
    assert_true (stele_log_has (STELE_LOG_WARNING));
    assert_false (stele_log_has (STELE_LOG_INFO));
    stele_log_configure ("json", "debug");
    assert_true (stele_log_has (STELE_LOG_DEBUG));
    stele_log_configure ("text", "info");
    assert_false (stele_log_has (STELE_LOG_DEBUG));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_log_line_text_escapes_what_acts),
        cmocka_unit_test (test_log_line_journal_has_a_priority_and_no_time),
        cmocka_unit_test (test_log_line_json_is_json),
        cmocka_unit_test (test_log_configure_sets_the_level)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
