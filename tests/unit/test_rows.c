/*  test_rows - rows of an answer as raw JSON text, and CSV of RFC 4180

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/files/csv.h"
#include "cli/files/rows.h"

//  -- rows ------------------------------------------------------------------------------

static void
s_assert_next (cli_rows_t *rows, const char *expected)
{
    const char *row;
    size_t size;
    assert_true (cli_rows_next (rows, &row, &size));
    assert_int_equal (size, strlen (expected));
    assert_memory_equal (row, expected, size);
}

static void
test_rows_of_an_answer_come_as_they_are (void **state)
{
    (void) state;
    cli_rows_t rows = cli_rows_start ("{\"ok\":true,\"rows\":[{\"a\":1.50},{\"b\":\"],}\\\"\",\"c\":[{}]}],\"next\":null}", "rows");
    const char *row;
    size_t size;
    s_assert_next (&rows, "{\"a\":1.50}");
    s_assert_next (&rows, "{\"b\":\"],}\\\"\",\"c\":[{}]}");
    assert_false (cli_rows_next (&rows, &row, &size));
}

static void
test_rows_of_a_key_that_is_only_inside_are_none (void **state)
{
    (void) state;
    const char *row;
    size_t size;
    cli_rows_t rows = cli_rows_start ("{\"x\":{\"rows\":[{}]},\"text\":\"\\\"rows\\\":[{}]\"}", "rows");
    assert_false (cli_rows_next (&rows, &row, &size));
    rows = cli_rows_start ("{\"rows\":[]}", "rows");
    assert_false (cli_rows_next (&rows, &row, &size));
    rows = cli_rows_start ("{\"rows\":[{\"cut", "rows");
    assert_false (cli_rows_next (&rows, &row, &size));
    rows = cli_rows_start ("", "rows");
    assert_false (cli_rows_next (&rows, &row, &size));
}

static void
s_assert_without (const char *row, const char *expected)
{
    const char *member;
    size_t size, row_size = strlen (row);
    assert_true (cli_rows_member (row, row_size, "position", &member, &size));
    char *left = calloc (1, row_size + 1);
    memcpy (left, row, (size_t) (member - row));
    strcat (left, member + size);
    assert_string_equal (left, expected);
    free (left);
}

static void
test_rows_member_taken_out_leaves_an_object (void **state)
{
    (void) state;
    s_assert_without ("{\"a\":{\"position\":1},\"position\":7}", "{\"a\":{\"position\":1}}");
    s_assert_without ("{\"position\":7,\"a\":1}", "{\"a\":1}");
    s_assert_without ("{\"a\":1,\"position\":7,\"b\":2}", "{\"a\":1,\"b\":2}");
    s_assert_without ("{\"position\":7}", "{}");
    const char *member;
    size_t size;
    assert_false (cli_rows_member ("{\"a\":\"position\"}", 16, "position", &member, &size));
}

//  -- CSV -------------------------------------------------------------------------------

static bool s_spreadsheet = false;

static void
s_assert_csv (cli_csv_columns_t columns, const char *row, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream (&text, &size);
    json_t *record = json_loads (row, JSON_ALLOW_NUL, NULL);
    assert_non_null (record);
    cli_csv_row (file, columns, s_spreadsheet, row, strlen (row), record);
    fclose (file);
    assert_string_equal (text, expected);
    json_decref (record);
    free (text);
}

static void
test_csv_fields_that_need_it_are_quoted (void **state)
{
    (void) state;
    static cli_csv_columns_t columns = { "a", "b", "c", NULL };
    s_assert_csv (columns, "{\"a\":\"x\",\"b\":\"y z\",\"c\":\"1\"}", "x,y z,1\r\n");
    s_assert_csv (columns, "{\"a\":\"x,y\",\"b\":\"say \\\"hi\\\"\",\"c\":\"one\\r\\ntwo\"}",
        "\"x,y\",\"say \"\"hi\"\"\",\"one\r\ntwo\"\r\n");
    s_assert_csv (columns, "{\"a\":\"\",\"c\":null}", "\"\",,\r\n");
}

static void
test_csv_formulas_are_texts_in_a_spreadsheet (void **state)
{
    (void) state;
    static cli_csv_columns_t columns = { "a", "b", "c", NULL };
    const char *row = "{\"a\":\"=HYPERLINK(\\\"x\\\")\",\"b\":\"-1+2\",\"c\":-5}";
    s_assert_csv (columns, row, "\"=HYPERLINK(\"\"x\"\")\",-1+2,-5\r\n");
    s_spreadsheet = true;
    s_assert_csv (columns, row, "\"'=HYPERLINK(\"\"x\"\")\",'-1+2,-5\r\n");
    s_assert_csv (columns, "{\"a\":\"@SUM\",\"b\":\"\\t=1\",\"c\":{\"$float\":\"-Infinity\"}}", "'@SUM,'\t=1,-Infinity\r\n");
    s_assert_csv (columns, "{\"a\":\"\",\"b\":\"a=b\",\"c\":\"'x\"}", "\"\",a=b,'x\r\n");
    s_spreadsheet = false;
}

static void
test_csv_numbers_and_maps_keep_their_text (void **state)
{
    (void) state;
    static cli_csv_columns_t columns = { "a", "b", "c", NULL };
    s_assert_csv (columns, "{\"a\":0.1,\"b\":true,\"c\":{\"k\":[1.50]}}", "0.1,true,\"{\"\"k\"\":[1.50]}\"\r\n");
    s_assert_csv (columns, "{\"a\":{\"$float\":\"NaN\"},\"b\":{\"$uint\":\"18446744073709551615\"}}",
        "NaN,18446744073709551615,\r\n");
}

static void
test_csv_bytes_say_their_encoding_and_extra_keeps_the_rest (void **state)
{
    (void) state;
    static cli_csv_columns_t columns = { "content", "content_encoding", "extra", NULL };
    s_assert_csv (columns, "{\"content\":{\"$bin\":\"AP8=\"}}", "AP8=,base64,\r\n");
    s_assert_csv (columns, "{\"content\":\"t\",\"x\":1,\"extra\":2}", "t,,\"{\"\"extra\"\":2,\"\"x\"\":1}\"\r\n");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_rows_of_an_answer_come_as_they_are),
        cmocka_unit_test (test_rows_of_a_key_that_is_only_inside_are_none),
        cmocka_unit_test (test_rows_member_taken_out_leaves_an_object),
        cmocka_unit_test (test_csv_fields_that_need_it_are_quoted),
        cmocka_unit_test (test_csv_formulas_are_texts_in_a_spreadsheet),
        cmocka_unit_test (test_csv_numbers_and_maps_keep_their_text),
        cmocka_unit_test (test_csv_bytes_say_their_encoding_and_extra_keeps_the_rest)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
