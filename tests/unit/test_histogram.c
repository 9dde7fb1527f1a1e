/*  test_histogram - percentiles of durations, and extreme values

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/common/histogram.h"

static void
test_histogram_empty_is_zero (void **state)
{
    (void) state;
    stele_histogram_t *histogram = stele_histogram_new ();
    assert_int_equal (stele_histogram_count (histogram), 0);
    assert_int_equal (stele_histogram_percentile (histogram, 99), 0);
    stele_histogram_destroy (&histogram);
    assert_null (histogram);
}

static void
test_histogram_percentiles_are_close (void **state)
{
    (void) state;
    stele_histogram_t *histogram = stele_histogram_new ();
    for (int64_t value = 1; value <= 100000; value++)
        stele_histogram_record (histogram, value);
    assert_int_equal (stele_histogram_count (histogram), 100000);
    static const double percents [] = { 1, 10, 50, 90, 99, 99.9 };
    for (size_t i = 0; i < sizeof percents / sizeof percents [0]; i++) {
        int64_t exact = (int64_t) (percents [i] * 1000);
        int64_t told = stele_histogram_percentile (histogram, percents [i]);
        assert_true (told >= exact);
        assert_true (told <= exact + exact / 16 + 1);
    }
    assert_int_equal (stele_histogram_percentile (histogram, 100), 100000);
    stele_histogram_destroy (&histogram);
}

static void
test_histogram_extremes_stay_inside (void **state)
{
    (void) state;
    stele_histogram_t *histogram = stele_histogram_new ();
    stele_histogram_record (histogram, -5);
    assert_int_equal (stele_histogram_percentile (histogram, 100), 0);
    stele_histogram_record (histogram, INT64_MAX);
    assert_true (stele_histogram_percentile (histogram, 100) > 1000000000000);
    assert_int_equal (stele_histogram_max (histogram),
        stele_histogram_percentile (histogram, 100));
    stele_histogram_destroy (&histogram);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_histogram_empty_is_zero),
        cmocka_unit_test (test_histogram_percentiles_are_close),
        cmocka_unit_test (test_histogram_extremes_stay_inside)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
