/*  test_params - tests of stele_params_t

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "talk.h"
#include "broker/operations/params.h"

static stele_pack_t *s_request;
static stele_params_t s_params;

static stele_params_t *
s_open (const char *json)
{
    stele_pack_destroy (&s_request);
    s_request = talk_pack ("%s", json);
    assert_int_equal (stele_params_check (&s_params, stele_pack_data (s_request),
        stele_pack_size (s_request), 1000), 0);
    return &s_params;
}

static int
s_teardown (void **state)
{
    (void) state;
    stele_pack_destroy (&s_request);
    return 0;
}

static void
s_assert_refused (const char *field, const char *message)
{
    assert_int_equal (s_params.refusal.code, STELE_EBAD_REQUEST);
    assert_string_equal (s_params.refusal.field, field);
    assert_string_equal (s_params.refusal.message, message);
}

static void
test_params_not_a_map_is_refused (void **state)
{
    (void) state;
    static const char *const bodies [] = {
        "", "\xc1", "\x93\x01\x02\x03", "\x80\x80", "\x81\xa1", "\xdf\xff\xff\xff\xff", "{}"
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies [0]; i++) {
        assert_int_equal (stele_params_check (&s_params, bodies [i], strlen (bodies [i]), 1000),
            STELE_EBAD_REQUEST);
        assert_true (strlen (s_params.refusal.message) > 20);
    }
}

static void
test_params_too_many_elements_is_refused (void **state)
{
    (void) state;
    stele_pack_t *pack = talk_pack ("{'a':[1,2,3,4,5,6,7,8]}");
    assert_int_equal (stele_params_check (&s_params, stele_pack_data (pack),
        stele_pack_size (pack), 5), STELE_EBAD_REQUEST);
    stele_pack_destroy (&pack);
}

static void
test_params_absent_and_nil_give_defaults (void **state)
{
    (void) state;
    stele_params_t *params = s_open ("{'n':null,'b':null,'t':null,'i':null,'w':null}");
    assert_false (stele_params_has (params, "n"));
    assert_int_equal (stele_params_number (params, "n", 7, 1, 9), 7);
    assert_int_equal (stele_params_number (params, "absent", 8, 1, 9), 8);
    assert_true (stele_params_bool (params, "b", true));
    assert_null (stele_params_text (params, "t").text);
    assert_int_equal (stele_params_time (params, "i"), 0);
    assert_int_equal (stele_params_words (params, "w", STELE_VOCABULARY_TASK_STATE), 0);
    assert_int_equal (params->refusal.code, 0);
}

static void
test_params_values_are_read (void **state)
{
    (void) state;
    stele_params_t *params = s_open ("{'n':42,'b':true,'t':'','i':'task-1',"
        "'at':'1970-01-01T00:00:01.5Z','us':1700000000000000}");
    assert_int_equal (stele_params_number (params, "n", 7, 1, 100), 42);
    assert_true (stele_params_bool (params, "b", false));
    stele_span_t text = stele_params_text (params, "t");
    assert_non_null (text.text);
    assert_int_equal (text.size, 0);
    stele_span_t id = stele_params_id (params, "i");
    assert_int_equal (id.size, 6);
    assert_memory_equal (id.text, "task-1", 6);
    assert_int_equal (stele_params_time (params, "at"), 1500000);
    assert_int_equal (stele_params_time (params, "us"), 1700000000000000);
    assert_int_equal (params->refusal.code, 0);
}

static void
test_params_one_word_or_several_are_read (void **state)
{
    (void) state;
    stele_params_t *params = s_open ("{'one':'failed','two':['queued','running'],'none':[],"
        "'roles':['a','b'],'role':'c'}");
    assert_int_equal (stele_params_words (params, "one", STELE_VOCABULARY_TASK_STATE),
        1 << STELE_TASK_FAILED);
    assert_int_equal (stele_params_words (params, "two", STELE_VOCABULARY_TASK_STATE),
        1 << STELE_TASK_QUEUED | 1 << STELE_TASK_RUNNING);
    assert_int_equal (stele_params_words (params, "none", STELE_VOCABULARY_TASK_STATE), 0);
    stele_span_t texts [STELE_PARAMS_VALUES];
    assert_int_equal (stele_params_texts (params, "roles", texts), 2);
    assert_memory_equal (texts [1].text, "b", 1);
    assert_int_equal (stele_params_texts (params, "role", texts), 1);
    assert_memory_equal (texts [0].text, "c", 1);
    assert_int_equal (params->refusal.code, 0);
}

static void
test_params_wrong_value_is_named (void **state)
{
    (void) state;
    stele_params_number (s_open ("{'limit':5000}"), "limit", 100, 1, 1000);
    s_assert_refused ("limit", "limit takes an integer from 1 to 1000, not 5000");
    stele_params_number (s_open ("{'limit':'ten'}"), "limit", 100, 1, 1000);
    s_assert_refused ("limit", "limit takes an integer from 1 to 1000, not 'ten'");
    stele_params_number (s_open ("{'after':-1}"), "after", 0, 0, INT64_MAX);
    s_assert_refused ("after", "after takes an integer of at least 0, not -1");
    stele_params_number (s_open ("{'after':1.5}"), "after", 0, 0, INT64_MAX);
    s_assert_refused ("after", "after takes an integer of at least 0, not the float 1.5");
    stele_params_bool (s_open ("{'total':1}"), "total", false);
    s_assert_refused ("total", "total takes true or false, not 1");
    stele_params_id (s_open ("{}"), "task_id");
    s_assert_refused ("task_id", "task_id is missing: it takes text of 1 to 255 bytes of UTF-8");
    stele_params_id (s_open ("{'task_id':''}"), "task_id");
    s_assert_refused ("task_id", "task_id takes text of 1 to 255 bytes of UTF-8, not ''");
    stele_params_id (s_open ("{'task_id':['x']}"), "task_id");
    s_assert_refused ("task_id", "task_id takes text of 1 to 255 bytes of UTF-8, not an array");
    stele_params_time (s_open ("{'date_from':'yesterday'}"), "date_from");
    s_assert_refused ("date_from", "date_from takes a time (RFC 3339 text such as "
        "2026-01-31T23:59:59Z, microseconds since 1970, or a timestamp), not 'yesterday'");
    stele_params_words (s_open ("{'states':['queued','lost']}"), "states",
        STELE_VOCABULARY_TASK_STATE);
    s_assert_refused ("states", "states takes queued, starting, running, paused, completing, passed, "
        "failed, error, cancelled or timeout, not 'lost'");
    stele_params_words (s_open ("{'states':[3]}"), "states", STELE_VOCABULARY_TASK_STATE);
    s_assert_refused ("states", "states takes a word or an array of words, not 3");
}

static void
test_params_first_refusal_stays (void **state)
{
    (void) state;
    stele_params_t *params = s_open ("{'limit':0,'total':3}");
    stele_params_number (params, "limit", 100, 1, 1000);
    stele_params_bool (params, "total", false);
    stele_params_fail (params, STELE_ENOT_FOUND, "x", "too late");
    s_assert_refused ("limit", "limit takes an integer from 1 to 1000, not 0");
}

static void
test_params_too_many_values_are_refused (void **state)
{
    (void) state;
    char json [1024] = "{'roles':['r'";
    for (int i = 0; i < STELE_PARAMS_VALUES; i++)
        strcat (json, ",'r'");
    strcat (json, "]}");
    stele_span_t texts [STELE_PARAMS_VALUES];
    stele_params_texts (s_open (json), "roles", texts);
    s_assert_refused ("roles", "roles takes at most 64 values, not 65");
}

static void
test_params_invalid_utf8_is_refused_and_shown_clean (void **state)
{
    (void) state;
    static const char body [] = "\x81\xa7task_id\xa3" "a\xff\n";
    assert_int_equal (stele_params_check (&s_params, body, sizeof body - 1, 1000), 0);
    stele_params_id (&s_params, "task_id");
    s_assert_refused ("task_id", "task_id takes text of 1 to 255 bytes of UTF-8, not 'a?" "?'");
}

static void
test_params_long_text_is_shown_short (void **state)
{
    (void) state;
    //  59 bytes, then letters of two bytes: the cut is not inside one
    char text [256] = "";
    memset (text, 'x', 59);
    for (int i = 0; i < 50; i++)
        strcat (text, "\xc3\xa9");
    char shown [80];
    stele_params_show ((stele_span_t) { text, strlen (text) }, shown);
    assert_int_equal (strlen (shown), 62);
    assert_string_equal (shown + 58, "x...");
    static const char hidden [] = "a\xe2\x80\xae" "b\xc2\x9b";
    stele_params_show ((stele_span_t) { hidden, sizeof hidden - 1 }, shown);
    assert_string_equal (shown, "a?b?");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_params_not_a_map_is_refused),
        cmocka_unit_test (test_params_too_many_elements_is_refused),
        cmocka_unit_test_teardown (test_params_absent_and_nil_give_defaults, s_teardown),
        cmocka_unit_test_teardown (test_params_values_are_read, s_teardown),
        cmocka_unit_test_teardown (test_params_one_word_or_several_are_read, s_teardown),
        cmocka_unit_test_teardown (test_params_wrong_value_is_named, s_teardown),
        cmocka_unit_test_teardown (test_params_first_refusal_stays, s_teardown),
        cmocka_unit_test_teardown (test_params_too_many_values_are_refused, s_teardown),
        cmocka_unit_test (test_params_invalid_utf8_is_refused_and_shown_clean),
        cmocka_unit_test (test_params_long_text_is_shown_short)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
