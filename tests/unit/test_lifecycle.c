/*  test_lifecycle - every transition of a task

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
#include "model/lifecycle.h"

static bool
s_legal (stele_task_state_t from, stele_task_state_t to, bool interrupted)
{
    stele_lifecycle_t self = { .state = from, .interrupted = interrupted };
    return stele_lifecycle_legal (&self, to);
}

static void
test_lifecycle_every_pair_follows_the_rules (void **state)
{
    (void) state;
    for (int from = 1; from < STELE_TASK_STATE_END; from++)
        for (int to = 1; to < STELE_TASK_STATE_END; to++) {
            bool terminal = from >= STELE_TASK_PASSED;
            bool legal = !terminal || to == from || to == STELE_TASK_QUEUED;
            assert_int_equal (s_legal (from, to, false), legal);
            assert_true (s_legal (from, to, true));
        }
}

static void
test_lifecycle_last_five_states_are_terminal (void **state)
{
    (void) state;
    static const stele_task_state_t open [] = {
        STELE_TASK_QUEUED, STELE_TASK_STARTING, STELE_TASK_RUNNING, STELE_TASK_PAUSED, STELE_TASK_COMPLETING
    };
    static const stele_task_state_t terminal [] = {
        STELE_TASK_PASSED, STELE_TASK_FAILED, STELE_TASK_ERROR, STELE_TASK_CANCELLED, STELE_TASK_TIMEOUT
    };
    for (int i = 0; i < 5; i++) {
        assert_false (stele_lifecycle_terminal (open [i]));
        assert_true (stele_lifecycle_terminal (terminal [i]));
    }
}

static void
test_lifecycle_move_sets_times_and_counts_errors (void **state)
{
    (void) state;
    stele_lifecycle_t self = { .state = STELE_TASK_QUEUED };
    stele_lifecycle_move (&self, STELE_TASK_RUNNING, 10, false, false);
    assert_int_equal (self.started_at, 10);
    assert_int_equal (self.completed_at, 0);
    stele_lifecycle_move (&self, STELE_TASK_RUNNING, 20, true, false);
    assert_int_equal (self.started_at, 10);
    assert_int_equal (self.error_count, 1);
    stele_lifecycle_move (&self, STELE_TASK_FAILED, 30, true, false);
    assert_int_equal (self.completed_at, 30);
    assert_int_equal (self.error_count, 2);
    assert_int_equal (self.state, STELE_TASK_FAILED);
    assert_int_equal (self.interruptions, 0);
}

static void
test_lifecycle_interruption_is_no_error (void **state)
{
    (void) state;
    stele_lifecycle_t self = { .state = STELE_TASK_RUNNING, .error_count = 1 };
    stele_lifecycle_move (&self, STELE_TASK_FAILED, 20, true, true);
    assert_int_equal (self.error_count, 1);
    assert_int_equal (self.interruptions, 1);
    assert_int_equal (self.retries, 0);
}

static void
test_lifecycle_only_queued_after_an_end_is_a_retry (void **state)
{
    (void) state;
    stele_lifecycle_t self = { .state = STELE_TASK_RUNNING };
    stele_lifecycle_move (&self, STELE_TASK_QUEUED, 10, false, false);
    stele_lifecycle_move (&self, STELE_TASK_FAILED, 20, true, true);
    stele_lifecycle_move (&self, STELE_TASK_RUNNING, 30, false, false);     // The truth after an interruption
    stele_lifecycle_move (&self, STELE_TASK_PASSED, 40, false, false);
    assert_int_equal (self.retries, 0);
    stele_lifecycle_move (&self, STELE_TASK_QUEUED, 50, false, false);
    stele_lifecycle_move (&self, STELE_TASK_QUEUED, 60, false, false);
    assert_int_equal (self.retries, 1);
}

static void
test_lifecycle_retry_clears_completion_and_keeps_the_first_start (void **state)
{
    (void) state;
    stele_lifecycle_t self = { .state = STELE_TASK_FAILED, .started_at = 10, .completed_at = 30 };
    stele_lifecycle_move (&self, STELE_TASK_QUEUED, 40, false, false);
    assert_int_equal (self.completed_at, 0);
    assert_int_equal (self.started_at, 10);
    stele_lifecycle_move (&self, STELE_TASK_RUNNING, 50, false, false);
    assert_int_equal (self.started_at, 10);
}

static void
test_lifecycle_interrupted_task_may_go_anywhere_once (void **state)
{
    (void) state;
    stele_lifecycle_t self = { .state = STELE_TASK_RUNNING, .started_at = 10 };
    stele_lifecycle_move (&self, STELE_TASK_FAILED, 20, true, true);
    assert_true (self.interrupted);
    assert_true (stele_lifecycle_legal (&self, STELE_TASK_PASSED));
    stele_lifecycle_move (&self, STELE_TASK_PASSED, 30, false, false);
    assert_false (self.interrupted);
    assert_int_equal (self.completed_at, 30);
    assert_false (stele_lifecycle_legal (&self, STELE_TASK_RUNNING));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lifecycle_every_pair_follows_the_rules),
        cmocka_unit_test (test_lifecycle_last_five_states_are_terminal),
        cmocka_unit_test (test_lifecycle_move_sets_times_and_counts_errors),
        cmocka_unit_test (test_lifecycle_interruption_is_no_error),
        cmocka_unit_test (test_lifecycle_only_queued_after_an_end_is_a_retry),
        cmocka_unit_test (test_lifecycle_retry_clears_completion_and_keeps_the_first_start),
        cmocka_unit_test (test_lifecycle_interrupted_task_may_go_anywhere_once)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
