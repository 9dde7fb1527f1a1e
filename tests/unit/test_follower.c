/*  test_follower - how long a follower rests while many events arrive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "broker/followers/follower.h"

#define SECOND 1000

static void
test_follower_rests_twice_as_long_as_a_portion_took_under_load (void **state)
{
    (void) state;
    stele_follower_t follower = { .head = 1 };
    stele_follower_sample (&follower, 1 * SECOND);
    follower.head += 4000;
    stele_follower_sample (&follower, 2 * SECOND);
    assert_int_equal (stele_follower_rest_ms (&follower, stele_clock_steady_ms () - 100), 0);
    follower.head += 6000;
    stele_follower_sample (&follower, 3 * SECOND);
    assert_in_range (stele_follower_rest_ms (&follower, stele_clock_steady_ms () - 100), 200, 2 * SECOND);
}

static void
test_follower_does_not_rest_for_long_after_a_portion_that_hung (void **state)
{
    (void) state;
    stele_follower_t follower = { .loaded = true };
    assert_in_range (stele_follower_rest_ms (&follower, stele_clock_steady_ms () - 600 * SECOND), 1, 2 * SECOND);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_follower_rests_twice_as_long_as_a_portion_took_under_load),
        cmocka_unit_test (test_follower_does_not_rest_for_long_after_a_portion_that_hung),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
