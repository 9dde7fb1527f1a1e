/*  test_time_option - times as people write them in options, and zones

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "cli/shared/time_option.h"
#include "cli/terminal/format.h"

#define SECOND 1000000LL
#define NOW_US (1767225600LL * SECOND + 45000 * SECOND)      // 2026-01-01T12:30:00Z

static const char *
s_read (const char *text)
{
    static cli_short_t shown;
    int64_t time_us;
    if (cli_time_read_at (text, NOW_US, &time_us))
        return NULL;
    shown = cli_format_time (time_us);
    return shown.text;
}

static void
test_time_option_takes_a_time_ago (void **state)
{
    (void) state;
    assert_int_equal (cli_zone_set ("UTC"), 0);
    assert_string_equal (s_read ("now"), "2026-01-01T12:30:00Z");
    assert_string_equal (s_read ("90s"), "2026-01-01T12:28:30Z");
    assert_string_equal (s_read ("30m"), "2026-01-01T12:00:00Z");
    assert_string_equal (s_read ("1h"), "2026-01-01T11:30:00Z");
    assert_string_equal (s_read ("-1h"), "2026-01-01T11:30:00Z");
    assert_string_equal (s_read ("1h ago"), "2026-01-01T11:30:00Z");
    assert_string_equal (s_read ("+1h"), "2026-01-01T13:30:00Z");
    assert_string_equal (s_read ("1d12h"), "2025-12-31T00:30:00Z");
    assert_string_equal (s_read ("2w"), "2025-12-18T12:30:00Z");
}

static void
test_time_option_takes_days (void **state)
{
    (void) state;
    assert_int_equal (cli_zone_set ("UTC"), 0);
    assert_string_equal (s_read ("today"), "2026-01-01T00:00:00Z");
    assert_string_equal (s_read ("yesterday"), "2025-12-31T00:00:00Z");
    assert_string_equal (s_read ("2026-03-01"), "2026-03-01T00:00:00Z");
    assert_int_equal (cli_zone_set ("+14:00"), 0);           // It is the 2nd there
    assert_string_equal (s_read ("today"), "2026-01-02T00:00:00+14:00");
    assert_string_equal (s_read ("yesterday"), "2026-01-01T00:00:00+14:00");
    assert_string_equal (s_read ("2026-03-01"), "2026-03-01T00:00:00+14:00");
}

static void
test_time_option_keeps_absolute_times (void **state)
{
    (void) state;
    assert_int_equal (cli_zone_set ("UTC"), 0);
    assert_string_equal (s_read ("2026-01-31T23:59:59Z"), "2026-01-31T23:59:59Z");
    assert_string_equal (s_read ("2026-01-31T23:59:59+02:00"), "2026-01-31T21:59:59Z");
    assert_string_equal (s_read ("1767225600000000"), "2026-01-01T00:00:00Z");
}

static void
test_time_option_refuses_what_is_no_time (void **state)
{
    (void) state;
    static const char *const texts [] = {
        "", "-", "+", "h", "1", "1x", "1hh", "1h2", "ago", " ago", "1.5h", "tomorow", "2026-02-30", "2026-13-01",
        "2026-01-31T25:00:00Z", "99999999999d", "1h ago ago"
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++)
        if (texts [i] [0] != '1' || texts [i] [1])          // "1" is a number of microseconds
            assert_null (s_read (texts [i]));
}

static void
test_zone_of_shown_times (void **state)
{
    (void) state;
    static const char *const wrong [] = { "", "+", "+25:00", "+02:60", "nowhere", "Europe/Atlantis", "../etc/passwd", "+2x" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++)
        assert_int_equal (cli_zone_set (wrong [i]), -1);
    static const char *const two [] = { "+02:00", "+0200", "+2", "+02" };
    for (size_t i = 0; i < sizeof two / sizeof two [0]; i++) {
        assert_int_equal (cli_zone_set (two [i]), 0);
        assert_string_equal (cli_format_time (NOW_US).text, "2026-01-01T14:30:00+02:00");
    }
    assert_int_equal (cli_zone_set ("-03:30"), 0);
    assert_string_equal (cli_format_time (NOW_US).text, "2026-01-01T09:00:00-03:30");
    setenv ("TZ", "XYZ-5:30", 1);
    assert_int_equal (cli_zone_set ("local"), 0);
    assert_string_equal (cli_format_time (NOW_US).text, "2026-01-01T18:00:00+05:30");
    assert_string_equal (s_read ("today"), "2026-01-01T00:00:00+05:30");
}

//  A number would be a position for 'at'
static void
test_time_option_is_sent_as_text (void **state)
{
    (void) state;
    assert_int_equal (cli_zone_set ("+02:00"), 0);
    json_t *request = json_object ();
    cli_request_time (request, "at", "2026-03-01");
    assert_string_equal (json_string_value (json_object_get (request, "at")), "2026-02-28T22:00:00.000000Z");
    cli_request_time (request, "at", "17");
    assert_int_equal (json_integer_value (json_object_get (request, "at")), 17);
    cli_request_time (request, "from", "1h");
    assert_true (json_is_string (json_object_get (request, "from")));
    json_decref (request);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_time_option_takes_a_time_ago),
        cmocka_unit_test (test_time_option_takes_days),
        cmocka_unit_test (test_time_option_keeps_absolute_times),
        cmocka_unit_test (test_time_option_refuses_what_is_no_time),
        cmocka_unit_test (test_zone_of_shown_times),
        cmocka_unit_test (test_time_option_is_sent_as_text)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
