/*  test_table - rows for people, within the width of the terminal

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
#include "cli/terminal/table.h"

static const cli_column_t s_columns [] = {
    { "TASK", CLI_CUT | CLI_ID, 8 },
    { "STATE", 0, 0 },
    { "ROLE", CLI_OPTIONAL, 0 },
    { "ERRORS", CLI_RIGHT, 0 },
    { "TITLE", CLI_CUT, 6 },
    CLI_COLUMNS_END
};

static void
s_add (cli_table_t *table, const char *task, const char *state, const char *role,
    const char *errors, const char *title)
{
    cli_table_word (table, task);
    cli_table_colour (table, cli_style_state (state), state);
    cli_table_word (table, role);
    cli_table_word (table, errors);
    cli_table_word (table, title);
}

static void
s_expect (cli_table_t *table, const char *expected)
{
    char *text;
    size_t size;
    FILE *file = open_memstream (&text, &size);
    assert_non_null (file);
    cli_table_flush (table, file);
    fclose (file);
    assert_string_equal (text, expected);
    free (text);
}

static void
test_table_without_rows_prints_nothing (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_expect (table, "");
    cli_table_destroy (&table);
    assert_null (table);
}

static void
test_table_columns_are_aligned (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "build-7", "passed", NULL, "0", "Build");
    s_add (table, "t", "running", NULL, "12", NULL);
    assert_int_equal (cli_table_rows (table), 2);
    s_expect (table,
        "TASK     STATE    ERRORS  TITLE\n"
        "build-7  passed        0  Build\n"
        "t        running      12\n");
    cli_table_destroy (&table);
}

static void
test_table_next_page_has_no_header (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "build-7", "passed", NULL, "0", "Build");
    s_expect (table, "TASK     STATE   ERRORS  TITLE\nbuild-7  passed       0  Build\n");
    s_add (table, "build-8", "failed", NULL, "1", "B");
    s_expect (table, "build-8  failed       1  B\n");
    // A column that was left out comes with a header that has it
    s_add (table, "build-9", "failed", "coder", "1", "B");
    s_expect (table, "TASK     STATE   ROLE   ERRORS  TITLE\nbuild-9  failed  coder       1  B\n");
    cli_table_destroy (&table);
}

static void
test_table_narrow_terminal_cuts_titles_before_ids (void **state)
{
    (void) state;
    cli_style_t style = { false, 44 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "workflow-1/step-1", "passed", NULL, "0", "A title of many words");
    s_expect (table,
        "TASK               STATE   ERRORS  TITLE\n"
        "workflow-1/step-1  passed       0  A title \xe2\x80\xa6\n");
    cli_table_destroy (&table);

    style.width = 34;
    table = cli_table_new (s_columns, &style);
    s_add (table, "workflow-1/step-1", "passed", NULL, "0", "A title of many words");
    s_expect (table,
        "TASK        STATE   ERRORS  TITLE\n"
        "work\xe2\x80\xa6tep-1  passed       0  A tit\xe2\x80\xa6\n");
    cli_table_destroy (&table);
}

static void
test_table_wide_characters_take_two_columns (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "\xe6\x97\xa5\xe6\x9c\xac", "passed", NULL, "0", "x");
    s_expect (table,
        "TASK  STATE   ERRORS  TITLE\n"
        "\xe6\x97\xa5\xe6\x9c\xac  passed       0  x\n");
    cli_table_destroy (&table);
}

static void
test_table_note_is_below_its_row (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "a", "failed", NULL, "1", "x");
    cli_table_note (table, CLI_RED, "one\n\033two", 8);
    s_add (table, "b", "passed", NULL, "0", "y");
    s_expect (table,
        "TASK  STATE   ERRORS  TITLE\n"
        "a     failed       1  x\n"
        "    one\n"
        "    \xe2\x90\x9btwo\n"
        "b     passed       0  y\n");
    cli_table_destroy (&table);
}

static void
test_table_hostile_cell_is_made_visible (void **state)
{
    (void) state;
    cli_style_t style = { false, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "a\033[2Jb", "passed", NULL, "0", "x\ny");
    s_expect (table,
        "TASK    STATE   ERRORS  TITLE\n"
        "a\xe2\x90\x9b[2Jb  passed       0  x\xe2\x90\x8ay\n");
    cli_table_destroy (&table);
}

static void
test_table_with_colour_has_bold_header_and_coloured_state (void **state)
{
    (void) state;
    cli_style_t style = { true, 0 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    s_add (table, "a", "passed", NULL, "0", "x");
    s_expect (table,
        "\033[1mTASK\033[0m  \033[1mSTATE\033[0m   \033[1mERRORS\033[0m  \033[1mTITLE\033[0m\n"
        "a     \033[32mpassed\033[0m       0  x\n");
    cli_table_destroy (&table);
}

static void
test_table_huge_cell_is_bounded (void **state)
{
    (void) state;
    cli_style_t style = { false, 60 };
    cli_table_t *table = cli_table_new (s_columns, &style);
    size_t size = 8 * 1024 * 1024;
    char *huge = malloc (size + 1);
    assert_non_null (huge);
    memset (huge, 'x', size);
    huge [size] = 0;
    s_add (table, "a", "passed", NULL, "0", huge);
    s_expect (table,
        "TASK  STATE   ERRORS  TITLE\n"
        "a     passed       0  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xe2\x80\xa6\n");
    free (huge);
    cli_table_destroy (&table);
}

int
main (void)
{
    setlocale (LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_table_without_rows_prints_nothing),
        cmocka_unit_test (test_table_columns_are_aligned),
        cmocka_unit_test (test_table_next_page_has_no_header),
        cmocka_unit_test (test_table_narrow_terminal_cuts_titles_before_ids),
        cmocka_unit_test (test_table_wide_characters_take_two_columns),
        cmocka_unit_test (test_table_note_is_below_its_row),
        cmocka_unit_test (test_table_hostile_cell_is_made_visible),
        cmocka_unit_test (test_table_with_colour_has_bold_header_and_coloured_state),
        cmocka_unit_test (test_table_huge_cell_is_bounded)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
