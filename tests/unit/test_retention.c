/*  test_retention - which snapshots of a repository are kept

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "repository/snapshots.h"

#define MAX    1000
#define DAY_US (86400 * (int64_t) 1000000)
#define NOON   (1772452800 * (int64_t) 1000000)     // 2026-03-02T12:00:00Z, a Monday

typedef struct {
    stele_snapshot_entry_t entries [MAX];
    bool remove [MAX];
    size_t count, removed;
} s_case_t;

static void
s_add (s_case_t *self, int64_t time_us)
{
    assert_true (self->count < MAX);
    self->entries [self->count] = (stele_snapshot_entry_t) {
        .facts = { .position = (int64_t) self->count + 1 }, .time_us = time_us, .sound = true
    };
    self->count++;
}

static void
s_choose (s_case_t *self, int64_t daily, int64_t weekly, int64_t monthly)
{
    const stele_retention_t retention = { daily, weekly, monthly };
    self->removed = stele_retention_choose (&retention, self->entries, self->count, self->remove);
}

static void
test_retention_one_per_day_keeps_days_weeks_and_months (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    for (int day = 0; day < 400; day++)
        s_add (&self, NOON + day * DAY_US);
    s_choose (&self, 30, 8, 12);
    //  The last day is 2027-04-05, a Monday: 30 days, two Sundays before them that end the other weeks (one of them is
    //  the last day of February, too), and the last days of 9 more months
    size_t kept = self.count - self.removed;
    assert_int_equal (kept, 30 + 2 + 9);
    for (int day = 370; day < 400; day++)
        assert_false (self.remove [day]);
    assert_true (self.remove [368]);        // A Friday
}

static void
test_retention_several_per_day_keeps_the_newest (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    for (int hour = 0; hour < 10; hour++)
        s_add (&self, NOON + hour * DAY_US / 24);
    s_choose (&self, 30, 8, 12);
    assert_int_equal (self.removed, 9);
    assert_false (self.remove [9]);
}

static void
test_retention_clock_jumps_a_year_ahead_removes_nothing_more (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    for (int day = 0; day < 29; day++)
        s_add (&self, NOON + day * DAY_US);
    s_add (&self, NOON + 394 * DAY_US);
    s_choose (&self, 30, 8, 12);
    assert_int_equal (self.removed, 0);
}

static void
test_retention_clock_set_back_keeps_the_one_from_the_future (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    s_add (&self, NOON);
    s_add (&self, NOON + 365 * DAY_US);     // Its time is later than that of the next ones
    for (int day = 1; day < 5; day++)
        s_add (&self, NOON + day * DAY_US);
    s_choose (&self, 2, 1, 1);
    assert_false (self.remove [1]);
    assert_false (self.remove [5]);
    assert_false (self.remove [4]);
    assert_true (self.remove [2]);
}

static void
test_retention_newest_is_kept_whatever_the_time (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    s_add (&self, NOON + DAY_US);
    s_add (&self, 0);                       // A clock that starts at 1970
    s_choose (&self, 1, 1, 1);
    assert_int_equal (self.removed, 0);
}

static void
test_retention_unsound_is_neither_counted_nor_removed (void **state)
{
    (void) state;
    s_case_t self = { .count = 0 };
    for (int day = 0; day < 3; day++)
        s_add (&self, NOON + day * DAY_US);
    self.entries [2].sound = false;
    s_choose (&self, 1, 1, 1);
    assert_false (self.remove [2]);
    assert_false (self.remove [1]);
    assert_true (self.remove [0]);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_retention_one_per_day_keeps_days_weeks_and_months),
        cmocka_unit_test (test_retention_several_per_day_keeps_the_newest),
        cmocka_unit_test (test_retention_clock_jumps_a_year_ahead_removes_nothing_more),
        cmocka_unit_test (test_retention_clock_set_back_keeps_the_one_from_the_future),
        cmocka_unit_test (test_retention_newest_is_kept_whatever_the_time),
        cmocka_unit_test (test_retention_unsound_is_neither_counted_nor_removed)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
