/*  test_lines - lines of any length from a pipe

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "cli/files/interrupt.h"
#include "cli/files/lines.h"

static void
s_write (int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t count = write (fd, text, size);
        if (count < 0)
            _exit (1);
        text += count;
        size -= (size_t) count;
    }
}

static void
s_expect (cli_lines_t *self, const char *expected)
{
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 5000, &text, &size), CLI_LINE);
    assert_int_equal (size, strlen (expected));
    assert_memory_equal (text, expected, size);
}

static void
test_lines_of_a_pipe_are_split (void **state)
{
    (void) state;
    int fds [2];
    assert_int_equal (pipe (fds), 0);
    cli_lines_t *self = cli_lines_new (fds [0]);
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 0, &text, &size), CLI_LINE_NONE);
    s_write (fds [1], "one\n\nth", 7);
    s_expect (self, "one");
    s_expect (self, "");
    assert_int_equal (cli_lines_next (self, 0, &text, &size), CLI_LINE_NONE);
    s_write (fds [1], "ree\nfour", 8);
    s_expect (self, "three");
    assert_int_equal (cli_lines_number (self), 3);
    close (fds [1]);
    s_expect (self, "four");
    assert_int_equal (cli_lines_next (self, 0, &text, &size), CLI_LINE_END);
    assert_int_equal (cli_lines_number (self), 4);
    cli_lines_destroy (&self);
    assert_null (self);
    close (fds [0]);
}

/*  A child that writes a line of that many bytes, and a short one           */
static pid_t
s_writer (int fds [2], size_t size)
{
    assert_int_equal (pipe (fds), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        char block [65536];
        memset (block, 'x', sizeof block);
        for (size_t left = size; left; left -= left < sizeof block? left: sizeof block)
            s_write (fds [1], block, left < sizeof block? left: sizeof block);
        s_write (fds [1], "\nshort\n", 7);
        _exit (0);
    }
    close (fds [1]);
    return child;
}

static void
test_lines_long_one_is_whole (void **state)
{
    (void) state;
    int fds [2];
    size_t long_size = 9 * 1000 * 1000;
    pid_t child = s_writer (fds, long_size);
    cli_lines_t *self = cli_lines_new (fds [0]);
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 10000, &text, &size), CLI_LINE);
    assert_int_equal (size, long_size);
    s_expect (self, "short");
    cli_lines_destroy (&self);
    close (fds [0]);
    assert_int_equal (waitpid (child, NULL, 0), child);
}

static void
test_lines_too_long_one_is_skipped (void **state)
{
    (void) state;
    int fds [2];
    pid_t child = s_writer (fds, CLI_LINE_BYTES_MAX + 5000000);
    cli_lines_t *self = cli_lines_new (fds [0]);
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 10000, &text, &size), CLI_LINE_TOO_LONG);
    assert_int_equal (cli_lines_number (self), 1);
    s_expect (self, "short");
    assert_int_equal (cli_lines_number (self), 2);
    cli_lines_destroy (&self);
    close (fds [0]);
    assert_int_equal (waitpid (child, NULL, 0), child);
}

static void
test_lines_signal_ends_the_wait (void **state)
{
    (void) state;
    int fds [2];
    assert_int_equal (pipe (fds), 0);
    cli_interrupt_catch ();
    cli_lines_t *self = cli_lines_new (fds [0]);
    kill (getpid (), SIGINT);           // Blocked, so it is pending now
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 10000, &text, &size), CLI_LINE_INTERRUPTED);
    assert_int_equal (cli_interrupts (), 1);
    cli_lines_destroy (&self);
    close (fds [0]);
    close (fds [1]);
}

static void
test_lines_unreadable_fail (void **state)
{
    (void) state;
    int fds [2];
    assert_int_equal (pipe (fds), 0);
    cli_lines_t *self = cli_lines_new (fds [1]);    // Cannot be read
    close (fds [0]);
    const char *text;
    size_t size;
    assert_int_equal (cli_lines_next (self, 1000, &text, &size), CLI_LINE_FAILED);
    assert_int_equal (errno, EBADF);
    cli_lines_destroy (&self);
    close (fds [1]);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lines_of_a_pipe_are_split),
        cmocka_unit_test (test_lines_long_one_is_whole),
        cmocka_unit_test (test_lines_too_long_one_is_skipped),
        cmocka_unit_test (test_lines_signal_ends_the_wait),
        cmocka_unit_test (test_lines_unreadable_fail)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
