/*  test_clock_watch - a clock that steps, and events ahead of it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "broker/ingest/clock_watch.h"

#define S 1000000LL
#define WALL (1767225600 * S)

static void
test_clock_watch_first_look_and_corrections_are_no_step (void **state)
{
    (void) state;
    stele_clock_watch_t watch = { .steps = 0 };
    assert_int_equal (stele_clock_watch_compare (&watch, WALL, 100 * S, 90 * S), 0);
    assert_int_equal (stele_clock_watch_compare (&watch, WALL + 3 * S, 101 * S, 91 * S), 0);
    //  A machine that was suspended: the steady clock stood still, the other two did not
    assert_int_equal (stele_clock_watch_compare (&watch, WALL + 9003 * S, 9101 * S, 92 * S), 0);
    assert_int_equal (watch.steps, 0);
}

static void
test_clock_watch_step_is_returned_once (void **state)
{
    (void) state;
    stele_clock_watch_t watch = { .steps = 0 };
    stele_clock_watch_compare (&watch, WALL, 100 * S, 100 * S);
    assert_int_equal (stele_clock_watch_compare (&watch, WALL + 3601 * S, 101 * S, 101 * S), 3600 * S);
    assert_int_equal (stele_clock_watch_compare (&watch, WALL + 3602 * S, 102 * S, 102 * S), 0);
    assert_int_equal (stele_clock_watch_compare (&watch, WALL + 3 * S, 103 * S, 103 * S), -3600 * S);
    assert_int_equal (watch.steps, 2);
    assert_int_equal (watch.stepped_us, 103 * S);
}

static void
test_clock_watch_event_ahead_is_counted_with_its_producer (void **state)
{
    (void) state;
    stele_clock_watch_t watch = { .steps = 0 };
    stele_clock_watch_event (&watch, WALL * 2, "early");            // Nothing to compare with yet
    stele_clock_watch_compare (&watch, WALL, 100 * S, 100 * S);
    stele_clock_watch_event (&watch, WALL + STELE_CLOCK_AHEAD_US - 1, "near");
    assert_int_equal (watch.ahead, 0);
    stele_clock_watch_event (&watch, WALL + 86400 * S, "far");
    assert_int_equal (watch.ahead, 1);
    assert_int_equal (watch.ahead_us, 86400 * S);
    assert_string_equal (watch.ahead_producer, "far");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_clock_watch_first_look_and_corrections_are_no_step),
        cmocka_unit_test (test_clock_watch_step_is_returned_once),
        cmocka_unit_test (test_clock_watch_event_ahead_is_counted_with_its_producer)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
