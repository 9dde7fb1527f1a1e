/*  test_rejects - lines that are not events, kept in a file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "cli/files/rejects.h"

typedef struct {
    char folder [32];
    char path [64];
    char content [4096];
} fixture_t;

static int
s_set_up (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    strcpy (self->folder, "rejects.XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/rejects.jsonl", self->folder);
    *state = self;
    return 0;
}

static int
s_tear_down (void **state)
{
    fixture_t *self = *state;
    unlink (self->path);
    rmdir (self->folder);
    free (self);
    return 0;
}

static void
s_expect_file (fixture_t *self, const char *expected)
{
    FILE *file = fopen (self->path, "rb");
    assert_non_null (file);
    self->content [fread (self->content, 1, sizeof self->content - 1, file)] = 0;
    fclose (file);
    assert_string_equal (self->content, expected);
}

static void
test_rejects_nothing_refused_creates_no_file (void **state)
{
    fixture_t *self = *state;
    cli_rejects_t *rejects = cli_rejects_new (self->path);
    assert_int_equal (cli_rejects_check (rejects), 0);
    assert_int_equal (cli_rejects_finish (rejects), 0);
    cli_rejects_destroy (&rejects);
    assert_int_equal (access (self->path, F_OK), -1);
}

static void
test_rejects_lines_are_kept_as_they_came (void **state)
{
    fixture_t *self = *state;
    cli_rejects_t *rejects = cli_rejects_new (self->path);
    assert_int_equal (cli_rejects_add (rejects, 2, "not JSON: '\"' expected", "{\"a\":\t\x1b[31m\xe2\x80\xae", 14), 0);
    assert_int_equal (cli_rejects_add (rejects, 3, "not UTF-8", "\xff\xfe", 2), 0);
    assert_int_equal (cli_rejects_add (rejects, 7, "NUL", "a\0b", 3), 0);
    assert_int_equal (cli_rejects_add (rejects, 9, "too long", NULL, 0), 0);
    assert_int_equal (cli_rejects_add (rejects, 10, "tag", "\xf3\xa0\x81\x81\xf0\x9f\x98\x80", 8), 0);
    assert_int_equal (cli_rejects_count (rejects), 5);
    assert_int_equal (cli_rejects_finish (rejects), 0);
    cli_rejects_destroy (&rejects);
    s_expect_file (self,
        "{\"line\":2,\"reason\":\"not JSON: '\\\"' expected\",\"text\":\"{\\\"a\\\":\\u0009\\u001b[31m\\u202e\"}\n"
        "{\"line\":3,\"reason\":\"not UTF-8\",\"text\":{\"$bin\":\"//4=\"}}\n"
        "{\"line\":7,\"reason\":\"NUL\",\"text\":\"a\\u0000b\"}\n"
        "{\"line\":9,\"reason\":\"too long\",\"text\":null}\n"
        "{\"line\":10,\"reason\":\"tag\",\"text\":\"\\udb40\\udc41\xf0\x9f\x98\x80\"}\n");
}

static void
test_rejects_existing_file_is_continued_after_a_torn_line (void **state)
{
    fixture_t *self = *state;
    FILE *file = fopen (self->path, "wb");
    fputs ("{\"line\":1}\n{\"li", file);
    fclose (file);
    cli_rejects_t *rejects = cli_rejects_new (self->path);
    assert_int_equal (cli_rejects_add (rejects, 4, "x", "", 0), 0);
    cli_rejects_destroy (&rejects);
    s_expect_file (self, "{\"line\":1}\n{\"li\n{\"line\":4,\"reason\":\"x\",\"text\":\"\"}\n");
}

static void
test_rejects_full_device_is_an_error (void **state)
{
    (void) state;
    cli_rejects_t *rejects = cli_rejects_new ("/dev/full");
    assert_int_equal (cli_rejects_add (rejects, 1, "x", "y", 1), -1);
    assert_int_equal (errno, ENOSPC);
    assert_int_equal (cli_rejects_count (rejects), 0);
    cli_rejects_destroy (&rejects);
}

static void
test_rejects_bad_path_is_found_before_it_is_needed (void **state)
{
    fixture_t *self = *state;
    cli_rejects_t *rejects = cli_rejects_new ("/no-such-folder/rejects");
    assert_int_equal (cli_rejects_check (rejects), -1);
    cli_rejects_destroy (&rejects);
    rejects = cli_rejects_new (self->folder);
    assert_int_equal (cli_rejects_check (rejects), -1);
    assert_int_equal (errno, EISDIR);
    cli_rejects_destroy (&rejects);
}

static void
test_rejects_input_file_is_recognized (void **state)
{
    fixture_t *self = *state;
    int fd = open (self->path, O_RDWR | O_CREAT, 0600);
    cli_rejects_t *rejects = cli_rejects_new (self->path);
    assert_true (cli_rejects_is_input (rejects, fd));
    cli_rejects_destroy (&rejects);
    rejects = cli_rejects_new (self->folder);
    assert_false (cli_rejects_is_input (rejects, fd));
    cli_rejects_destroy (&rejects);
    close (fd);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_rejects_nothing_refused_creates_no_file, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_rejects_lines_are_kept_as_they_came, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_rejects_existing_file_is_continued_after_a_torn_line, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_rejects_full_device_is_an_error, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_rejects_bad_path_is_found_before_it_is_needed, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_rejects_input_file_is_recognized, s_set_up, s_tear_down),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
