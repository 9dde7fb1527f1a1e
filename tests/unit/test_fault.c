/*  test_fault - rules of faults: their syntax, and the passes of a place that they match

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "fault/fault.h"
#include "stele_error.h"

static void
s_set (const char *rules)
{
    char error [256] = "";
    if (stele_fault_set (rules, error, sizeof error))
        fail_msg ("%s", error);
}

static void
s_assert_refused (const char *rules, const char *why)
{
    char error [256] = "";
    assert_int_equal (stele_fault_set (rules, error, sizeof error), -1);
    if (!strstr (error, why))
        fail_msg ("'%s' does not say '%s'", error, why);
}

static void
test_fault_without_rule_passes (void **state)
{
    (void) state;
    s_set (NULL);
    assert_int_equal (STELE_FAULT_CODE (commit_before), 0);
    assert_int_equal (stele_fault_hits (STELE_FAULT_AT_commit_before), 1);
}

static void
test_fault_with_count_fits_that_pass_only (void **state)
{
    (void) state;
    s_set ("commit_before:full:2");
    assert_int_equal (STELE_FAULT_CODE (commit_before), 0);
    assert_int_equal (STELE_FAULT_CODE (append_before), 0);
    assert_int_equal (STELE_FAULT_CODE (commit_before), STELE_EFULL);
    assert_int_equal (STELE_FAULT_CODE (commit_before), 0);
}

static void
test_fault_with_open_count_fits_from_there_on (void **state)
{
    (void) state;
    s_set ("commit_before:error:2+,append_before:nomem");
    assert_int_equal (STELE_FAULT_CODE (commit_before), 0);
    assert_int_equal (STELE_FAULT_CODE (commit_before), STELE_EIO);
    assert_int_equal (STELE_FAULT_CODE (commit_before), STELE_EIO);
    assert_int_equal (STELE_FAULT_CODE (append_before), STELE_ENO_MEMORY);
}

static int
s_status_of (const char *rules)
{
    s_set (rules);
    pid_t child = fork ();
    if (child == 0) {
        STELE_FAULT (feed_before);
        STELE_FAULT (feed_before);
        _exit (1);
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    return status;
}

static void
test_fault_kill_ends_the_process_at_its_pass (void **state)
{
    (void) state;
    int status = s_status_of ("feed_before:kill:2");
    assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    status = s_status_of ("feed_before:kill:3");
    assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 1);
    status = s_status_of ("feed_before:exit");
    assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 70);
}

static void
test_fault_wrong_rule_is_refused (void **state)
{
    (void) state;
    s_assert_refused ("no_such_place:kill", "unknown name");
    s_assert_refused ("commit_before", "unknown action");
    s_assert_refused ("commit_before:explode", "unknown action");
    s_assert_refused ("commit_before:kill:0", "invalid count");
    s_assert_refused ("commit_before:kill:x", "invalid count");
    s_assert_refused ("commit_before:sleep", "invalid time");
    s_assert_refused ("commit_before:hold", "invalid time or file");
    s_assert_refused ("commit_before:kill=3", "invalid time");
    s_assert_refused ("feed_before:error", "cannot return");
    s_assert_refused ("commit_after:full", "cannot return");
}

static void
test_fault_control_is_on_when_named (void **state)
{
    (void) state;
    s_set (NULL);
    assert_false (STELE_CONTROL (ack_before_commit));
    s_set ("ack_before_commit,feed_before:sleep=1,feed_before:hold=/no/such/file");
    assert_true (STELE_CONTROL (ack_before_commit));
    assert_false (STELE_CONTROL (sync_normal));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fault_without_rule_passes),
        cmocka_unit_test (test_fault_with_count_fits_that_pass_only),
        cmocka_unit_test (test_fault_with_open_count_fits_from_there_on),
        cmocka_unit_test (test_fault_kill_ends_the_process_at_its_pass),
        cmocka_unit_test (test_fault_wrong_rule_is_refused),
        cmocka_unit_test (test_fault_control_is_on_when_named)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
