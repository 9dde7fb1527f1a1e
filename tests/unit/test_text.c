/*  test_text - text of producers, made safe to show

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/terminal/text.h"

typedef struct {
    char *text;
    size_t size;
    FILE *file;
} output_t;

static void
s_open (output_t *self)
{
    self->file = open_memstream (&self->text, &self->size);
    assert_non_null (self->file);
}

static void
s_expect (output_t *self, const char *expected)
{
    fclose (self->file);
    assert_string_equal (self->text, expected);
    free (self->text);
}

static void
s_check (const char *text, size_t columns, cli_cut_t cut, const char *expected, size_t used)
{
    output_t output;
    s_open (&output);
    assert_int_equal (cli_text_print (output.file, text, strlen (text), columns, cut), used);
    s_expect (&output, expected);
}

static void
test_text_plain_is_printed_as_it_is (void **state)
{
    (void) state;
    s_check ("build-7", 0, CLI_CUT_END, "build-7", 7);
    s_check ("", 5, CLI_CUT_END, "", 0);
    s_check ("na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac", 0, CLI_CUT_END, "na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac", 10);
}

static void
test_text_json_has_no_character_that_a_terminal_obeys (void **state)
{
    (void) state;
    output_t output;
    const char *json = "{\"a\":\"\xc2\x9b \xe2\x80\xae \x7f \\n \xf3\xa0\x81\x81 \xe4\xb8\xad\"}\n";
    s_open (&output);
    cli_text_print_json (output.file, json, strlen (json));
    s_expect (&output, "{\"a\":\"\\u009b \\u202e \\u007f \\n \\udb40\\udc41 \xe4\xb8\xad\"}\n");
    s_open (&output);
    cli_text_print_json_string (output.file, "a\0\"\\\x1b\xe2\x80\xa8", 8);
    s_expect (&output, "\"a\\u0000\\\"\\\\\\u001b\\u2028\"");
}

static void
test_text_nul_is_shown (void **state)
{
    (void) state;
    output_t output;
    s_open (&output);
    assert_int_equal (cli_text_print (output.file, "a\0b", 3, 0, CLI_CUT_END), 3);
    s_expect (&output, "a\xe2\x90\x80" "b");
}

static void
test_text_escape_sequence_is_made_visible (void **state)
{
    (void) state;
    s_check ("\033[31mred", 0, CLI_CUT_END, "\xe2\x90\x9b[31mred", 8);
    s_check ("a\r\n\tb\x7f", 0, CLI_CUT_END, "a\xe2\x90\x8d\xe2\x90\x8a\xe2\x90\x89" "b\xe2\x90\xa1", 6);
    s_check ("\xc2\x9b" "31m", 0, CLI_CUT_END, "\\u009b31m", 9);
}

static void
test_text_direction_mark_is_made_visible (void **state)
{
    (void) state;
    s_check ("a\xe2\x80\xae" "b", 0, CLI_CUT_END, "a\\u202eb", 8);
}

static void
test_text_broken_utf8_is_made_visible (void **state)
{
    (void) state;
    s_check ("a\xff" "b", 0, CLI_CUT_END, "a\\xffb", 6);
    s_check ("\xe2\x82", 0, CLI_CUT_END, "\\xe2\\x82", 8);
    s_check ("\xc0\xaf", 0, CLI_CUT_END, "\\xc0\\xaf", 8);      // Overlong
    s_check ("\xed\xa0\x80", 0, CLI_CUT_END, "\\xed\\xa0\\x80", 12);    // Surrogate
}

static void
test_text_too_wide_is_cut_with_ellipsis (void **state)
{
    (void) state;
    s_check ("0123456789", 10, CLI_CUT_END, "0123456789", 10);
    s_check ("0123456789", 9, CLI_CUT_END, "01234567\xe2\x80\xa6", 9);
    s_check ("0123456789", 9, CLI_CUT_MIDDLE, "0123\xe2\x80\xa6" "6789", 9);
    s_check ("0123456789", 1, CLI_CUT_END, "\xe2\x80\xa6", 1);
    // A wide character that does not fit leaves its column free
    s_check ("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, CLI_CUT_END, "\xe6\x97\xa5\xe2\x80\xa6", 3);
}

static void
test_text_width_stops_at_its_bound (void **state)
{
    (void) state;
    assert_int_equal (cli_text_width ("0123456789", 10, 0), 10);
    assert_int_equal (cli_text_width ("0123456789", 10, 4), 4);
    assert_int_equal (cli_text_width ("e\xcc\x81", 3, 0), 1);       // A combining accent
}

static void
test_text_lines_are_indented_and_bounded (void **state)
{
    (void) state;
    output_t output;
    s_open (&output);
    const char *text = "one\r\n\n\ttwo\033\nthree";
    assert_int_equal (cli_text_print_lines (output.file, text, strlen (text), 2, 3), 1);
    s_expect (&output, "  one\n\n  \ttwo\xe2\x90\x9b\n");
}

int
main (void)
{
    setlocale (LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_text_plain_is_printed_as_it_is),
        cmocka_unit_test (test_text_json_has_no_character_that_a_terminal_obeys),
        cmocka_unit_test (test_text_nul_is_shown),
        cmocka_unit_test (test_text_escape_sequence_is_made_visible),
        cmocka_unit_test (test_text_direction_mark_is_made_visible),
        cmocka_unit_test (test_text_broken_utf8_is_made_visible),
        cmocka_unit_test (test_text_too_wide_is_cut_with_ellipsis),
        cmocka_unit_test (test_text_width_stops_at_its_bound),
        cmocka_unit_test (test_text_lines_are_indented_and_bounded)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
