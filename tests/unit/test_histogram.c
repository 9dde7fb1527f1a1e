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
#include "wire/scan.h"

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

static void
test_histogram_pack_counts_below_powers_of_two (void **state)
{
    (void) state;
    static const int64_t times [] = { 0, 63, 64, 127, 128, 1 << 24, (1 << 24) - 1, 1 << 30 };
    stele_histogram_t *histogram = stele_histogram_new ();
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof times / sizeof times [0]; i++) {
        stele_histogram_record (histogram, times [i]);
        sum += times [i];
    }
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    stele_histogram_pack (histogram, pack);
    stele_pack_map_end (pack);
    const void *data;
    size_t size;
    assert_int_equal (stele_scan_find (stele_pack_data (pack), stele_pack_size (pack), "sum", NULL, NULL).integer, sum);
    assert_int_equal (stele_scan_find (stele_pack_data (pack), stele_pack_size (pack), "buckets", &data, &size).kind,
        STELE_SCAN_ARRAY);
    stele_scan_t scan = stele_scan_start (data, size);
    assert_int_equal (stele_scan_next (&scan).count, 19);
    assert_int_equal (stele_scan_next (&scan).integer, 2);         // Below 64
    assert_int_equal (stele_scan_next (&scan).integer, 4);         // 128
    for (int power = 8; power < 24; power++)
        assert_int_equal (stele_scan_next (&scan).integer, 5);
    assert_int_equal (stele_scan_next (&scan).integer, 6);         // 2^24
    stele_pack_destroy (&pack);
    stele_histogram_destroy (&histogram);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_histogram_empty_is_zero),
        cmocka_unit_test (test_histogram_percentiles_are_close),
        cmocka_unit_test (test_histogram_extremes_stay_inside),
        cmocka_unit_test (test_histogram_pack_counts_below_powers_of_two)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
