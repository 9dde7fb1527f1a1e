/*  test_json_fields - members of a JSON object become fields again; damage is detected

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sqlite/sql/json_fields.h"
#include "stele_error.h"

//  From an exact copy, so that reading past its end is seen
static int
s_set (const char *text, size_t size, stele_record_t *record)
{
    char *copy = malloc (size? size: 1);
    memcpy (copy, text, size);
    int rc = stele_json_fields_set (copy, size, STELE_VOCABULARY_TASK_STATE, record);
    free (copy);
    return rc;
}

static void
s_assert_text (const stele_record_t *record, stele_field_t field, const char *text, size_t size)
{
    assert_int_equal (record->values [field].kind, STELE_VALUE_TEXT);
    assert_int_equal (record->values [field].size, size);
    assert_memory_equal (record->values [field].text, text, size);
}

static void
test_members_of_every_kind_are_set (void **state)
{
    (void) state;
    static const char text [] = "{\"branch\":\"a\\u0000\\n\\\"\\\\\\u20ac\\ud83d\\ude00\xc3\xa9\",\"description\":null,"
        "\"full_access\":true,\"metadata\":{\"a\":[\"}\",{\"b\":\"\\\"\"}]},\"pid\":9223372036854775807,"
        "\"exit_code\":-9223372036854775808,\"state\":\"running\",\"title\":\"\"}";
    stele_record_t *record = stele_record_new ();
    stele_record_set_text (record, STELE_DESCRIPTION, "x", 1);
    assert_int_equal (s_set (text, sizeof text - 1, record), 0);
    static const char branch [] = "a\0\n\"\\\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";
    s_assert_text (record, STELE_BRANCH, branch, sizeof branch - 1);
    s_assert_text (record, STELE_TITLE, "", 0);
    assert_false (stele_record_has (record, STELE_DESCRIPTION));
    assert_int_equal (record->values [STELE_FULL_ACCESS].integer, 1);
    assert_int_equal (record->values [STELE_METADATA].kind, STELE_VALUE_JSON);
    assert_int_equal (record->values [STELE_METADATA].size, strlen ("{\"a\":[\"}\",{\"b\":\"\\\"\"}]}"));
    assert_true (record->values [STELE_PID].integer == INT64_MAX);
    assert_true (record->values [STELE_EXIT_CODE].integer == INT64_MIN);
    assert_int_equal (record->values [STELE_STATE].integer, STELE_TASK_RUNNING);

    //  Cut anywhere, it is no object any more
    for (size_t cut = 0; cut < sizeof text - 1; cut++)
        assert_int_equal (s_set (text, cut, record), STELE_ELEDGER);
    stele_record_destroy (&record);
}

static void
test_members_of_empty_object_are_none (void **state)
{
    (void) state;
    stele_record_t *record = stele_record_new ();
    assert_int_equal (s_set ("{}", 2, record), 0);
    stele_record_destroy (&record);
}

static void
test_members_that_were_not_written_are_refused (void **state)
{
    (void) state;
    static const char *const texts [] = {
        "[]", "{}x", "{\"title\"}", "{\"title\":}", "{\"title\":1}", "{\"title\":true}", "{\"unknown\":1}", "{\"\":1}",
        "{\"state\":\"nowhere\"}", "{\"full_access\":\"true\"}", "{\"full_access\":1}", "{\"metadata\":[]}",
        "{\"metadata\":\"x\"}", "{\"pid\":9223372036854775808}", "{\"pid\":1.5}", "{\"pid\":-}", "{\"pid\":}",
        "{\"title\":\"\\x\"}", "{\"title\":\"\\u12\"}", "{\"title\":\"\\ud800\"}", "{\"title\":\"\\udc00\\ud800\"}",
        "{\"title\":\"\\ud800\\u0041\"}", "{\"title\":\"a\" \"b\"}", "{,\"title\":\"a\"}", "{\"title\":\"a\",}"
    };
    stele_record_t *record = stele_record_new ();
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++)
        if (s_set (texts [i], strlen (texts [i]), record) != STELE_ELEDGER)
            fail_msg ("%s was accepted", texts [i]);
    stele_record_destroy (&record);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_members_of_every_kind_are_set),
        cmocka_unit_test (test_members_of_empty_object_are_none),
        cmocka_unit_test (test_members_that_were_not_written_are_refused)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
