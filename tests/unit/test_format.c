/*  test_format - numbers and times as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>
#include "cli/terminal/format.h"

static void
test_format_count_groups_thousands (void **state)
{
    (void) state;
    assert_string_equal (cli_format_count (0).text, "0");
    assert_string_equal (cli_format_count (999).text, "999");
    assert_string_equal (cli_format_count (47814).text, "47,814");
    assert_string_equal (cli_format_count (-1234567).text, "-1,234,567");
    assert_string_equal (cli_format_count (-123).text, "-123");
    assert_string_equal (cli_format_count (INT64_MAX).text, "9,223,372,036,854,775,807");
    assert_string_equal (cli_format_count (INT64_MIN).text, "-9,223,372,036,854,775,808");
}

static void
test_format_size_has_its_unit (void **state)
{
    (void) state;
    assert_string_equal (cli_format_size (0).text, "0 B");
    assert_string_equal (cli_format_size (1023).text, "1023 B");
    assert_string_equal (cli_format_size (1024).text, "1.0 KiB");
    assert_string_equal (cli_format_size (1048575).text, "1.0 MiB");
    assert_string_equal (cli_format_size (150 * 1024).text, "150 KiB");
    assert_string_equal (cli_format_size (INT64_MAX).text, "8192 PiB");
}

static void
test_format_duration_has_its_unit (void **state)
{
    (void) state;
    assert_string_equal (cli_format_duration (0).text, "0 s");
    assert_string_equal (cli_format_duration (999).text, "999 us");
    assert_string_equal (cli_format_duration (12345).text, "12.3 ms");
    assert_string_equal (cli_format_duration (500000).text, "500 ms");
    assert_string_equal (cli_format_duration (999600).text, "1.00 s");
    assert_string_equal (cli_format_duration (4200000).text, "4.20 s");
    assert_string_equal (cli_format_duration (59999999).text, "1m 00s");
    assert_string_equal (cli_format_duration (192000000).text, "3m 12s");
    assert_string_equal (cli_format_duration (7500000000).text, "2h 05m");
    assert_string_equal (cli_format_duration (-273600000000).text, "-3d 04h");
}

static void
test_format_share_is_all_only_when_all (void **state)
{
    (void) state;
    assert_string_equal (cli_format_share (1).text, "100 %");
    assert_string_equal (cli_format_share (0.9999999).text, "99.99 %");
    assert_string_equal (cli_format_share (0.5).text, "50.00 %");
}

static void
test_format_real_reads_back (void **state)
{
    (void) state;
    assert_string_equal (cli_format_real (0.1).text, "0.1");
    assert_string_equal (cli_format_real (1e21).text, "1e+21");
    assert_true (strtod (cli_format_real (0.1 + 0.2).text, NULL) == 0.1 + 0.2);
    assert_string_equal (cli_format_real (-0.0).text, "-0");
    assert_string_equal (cli_format_real (NAN).text, "NaN");
    assert_string_equal (cli_format_real (-INFINITY).text, "-Infinity");
}

static void
test_format_digits_and_durations_of_any_size (void **state)
{
    (void) state;
    assert_string_equal (cli_format_digits ("18446744073709551615").text, "18,446,744,073,709,551,615");
    assert_string_equal (cli_format_count (INT64_MIN).text, "-9,223,372,036,854,775,808");
    assert_string_equal (cli_format_duration_real (1e303).text, "1e+297 s");
    assert_string_equal (cli_format_duration_real (-1e303).text, "-1e+297 s");
    assert_string_equal (cli_format_duration_real (-5e6).text, "-5.00 s");
    assert_string_equal (cli_format_duration_real (1500).text, "1.5 ms");
    assert_string_equal (cli_format_duration_real (NAN).text, "NaN");
    assert_string_equal (cli_format_duration_real (INFINITY).text, "Infinity");
}

static void
test_format_time_to_the_second (void **state)
{
    (void) state;
    assert_string_equal (cli_format_time (1769903999123456).text, "2026-01-31T23:59:59Z");
    assert_string_equal (cli_format_time (-500000).text, "1969-12-31T23:59:59Z");
    assert_string_equal (cli_format_time (INT64_C (-30628713600000000)).text, "0999-06-01T00:00:00Z");
    assert_string_equal (cli_format_time (INT64_C (-62135596800000000)).text, "0001-01-01T00:00:00Z");
    assert_string_equal (cli_format_time (INT64_C (253402300799999999)).text, "9999-12-31T23:59:59Z");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_format_count_groups_thousands),
        cmocka_unit_test (test_format_size_has_its_unit),
        cmocka_unit_test (test_format_duration_has_its_unit),
        cmocka_unit_test (test_format_share_is_all_only_when_all),
        cmocka_unit_test (test_format_real_reads_back),
        cmocka_unit_test (test_format_digits_and_durations_of_any_size),
        cmocka_unit_test (test_format_time_to_the_second)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
