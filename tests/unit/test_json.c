/*  test_json - msgpack to JSON and back, without loss

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
#include <locale.h>
#include <math.h>
#include "wire/json/json.h"
#include "wire/quote.h"
#include "wire/json/json_quick.h"
#include "wire/scan.h"

//  Canonical text of what JSON text packs into
static void
s_expect (const char *json, const char *canonical)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_record_t *record = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    const char *text;
    size_t size;
    if (stele_json_parse_pack (json, strlen (json), pack, &refusal))
        fail_msg ("%s: %s", json, refusal.message);
    assert_int_equal (stele_json_text (stele_pack_data (pack), stele_pack_size (pack), record,
        &text, &size, &refusal), 0);
    if (size != strlen (canonical) || memcmp (text, canonical, size) != 0)
        fail_msg ("%.*s is not %s", (int) size, text, canonical);
    stele_record_destroy (&record);
    stele_pack_destroy (&pack);
}

static void
s_refuse (const char *json, const char *reason)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_nil (pack);
    stele_refusal_t refusal = { 0 };
    assert_int_equal (stele_json_parse_pack (json, strlen (json), pack, &refusal), STELE_EMALFORMED);
    if (!strstr (refusal.message, reason))
        fail_msg ("%s: '%s' does not say '%s'", json, refusal.message, reason);
    assert_true (stele_utf8_valid (refusal.message, strlen (refusal.message)));
    assert_int_equal (stele_pack_size (pack), 1);
    stele_pack_destroy (&pack);
}

//  msgpack to text to msgpack: the same bytes where they were in their shortest form and order
static void
s_round_trip (const void *data, size_t size, const char *canonical)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_record_t *record = stele_record_new ();
    const char *text;
    size_t text_size;
    assert_int_equal (stele_scan_check (data, size, 1000, NULL), 0);
    assert_int_equal (stele_json_text (data, size, record, &text, &text_size, NULL), 0);
    if (canonical && (text_size != strlen (canonical) || memcmp (text, canonical, text_size) != 0))
        fail_msg ("%.*s is not %s", (int) text_size, text, canonical);
    assert_int_equal (stele_json_text_pack (text, text_size, pack), 0);
    if (stele_pack_size (pack) != size)
        fail_msg ("%.*s: %zu bytes, not %zu", (int) text_size, text, stele_pack_size (pack), size);
    assert_memory_equal (stele_pack_data (pack), data, size);
    stele_record_destroy (&record);
    stele_pack_destroy (&pack);
}

#define ROUND(bytes, canonical) s_round_trip (bytes, sizeof (bytes) - 1, canonical)

static void
test_json_integers_keep_type_and_digits (void **state)
{
    (void) state;
    ROUND ("\0", "0");
    ROUND ("\xff", "-1");
    ROUND ("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807");
    ROUND ("\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808");
    ROUND ("\xcf\x80\0\0\0\0\0\0\0", "{\"$uint\":\"9223372036854775808\"}");
    ROUND ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "{\"$uint\":\"18446744073709551615\"}");
    s_expect ("1", "1");
    s_expect ("1.0", "1.0");
    s_expect ("-0", "0");
}

static void
test_json_floats_keep_every_bit (void **state)
{
    (void) state;
    static const double reals [] = {
        0.0, -0.0, 1.0, -1.5, 0.1, 1.0 / 3, 1e15, 1e16, 1e17, 123456789012345678.0, 1e22, 1e23, 5e-324,
        2.2250738585072014e-308, 1.7976931348623157e308, 3.14159, 100000.0, -1e-7, 9007199254740993.0
    };
    stele_pack_t *pack = stele_pack_new ();
    for (size_t i = 0; i < sizeof reals / sizeof reals [0]; i++) {
        stele_pack_clear (pack);
        stele_pack_real (pack, reals [i]);
        s_round_trip (stele_pack_data (pack), stele_pack_size (pack), NULL);
    }
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        double real;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy (&real, &seed, sizeof real);
        if (!isfinite (real))
            continue;
        stele_pack_clear (pack);
        stele_pack_real (pack, real);
        s_round_trip (stele_pack_data (pack), stele_pack_size (pack), NULL);
    }
    stele_pack_destroy (&pack);
    ROUND ("\xcb\x7f\xf8\0\0\0\0\0\0", "{\"$float\":\"NaN\"}");
    ROUND ("\xcb\x7f\xf0\0\0\0\0\0\0", "{\"$float\":\"Infinity\"}");
    ROUND ("\xcb\xff\xf0\0\0\0\0\0\0", "{\"$float\":\"-Infinity\"}");
    ROUND ("\xcb\x80\0\0\0\0\0\0\0", "-0.0");
    s_expect ("0.1", "0.1");
    s_expect ("1e300", "1e+300");
}

static void
test_json_float32_becomes_the_same_double (void **state)
{
    (void) state;
    stele_record_t *record = stele_record_new ();
    const char *text;
    size_t size;
    assert_int_equal (stele_json_text ("\xca\x3f\xc0\0\0", 5, record, &text, &size, NULL), 0);
    assert_int_equal (size, 3);
    assert_memory_equal (text, "1.5", 3);
    stele_record_destroy (&record);
}

static void
test_json_text_bytes_and_extensions_come_back (void **state)
{
    (void) state;
    ROUND ("\xa0", "\"\"");
    ROUND ("\xab" "a\0\"\\/\b\f\n\r\t\x1f", "\"a\\u0000\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\"");
    ROUND ("\xa7\xc3\xa9\xf0\x9f\x98\x80\x7f", "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"");
    ROUND ("\xc4\0", "{\"$bin\":\"\"}");
    ROUND ("\xc4\x01\xff", "{\"$bin\":\"/w==\"}");
    ROUND ("\xc4\x02\0\x01", "{\"$bin\":\"AAE=\"}");
    ROUND ("\xc4\x03\0\x01\x02", "{\"$bin\":\"AAEC\"}");
    ROUND ("\xc4\x05hello", "{\"$bin\":\"aGVsbG8=\"}");
    ROUND ("\xd5\x05\x01\x02", "{\"$ext\":[5,\"AQI=\"]}");
    ROUND ("\xc7\x03\x80xyz", "{\"$ext\":[-128,\"eHl6\"]}");
    ROUND ("\xc7\0\x7f", "{\"$ext\":[127,\"\"]}");
    ROUND ("\x93\xc0\xc2\xc3", "[null,false,true]");
}

static void
test_json_all_bytes_survive_base64 (void **state)
{
    (void) state;
    unsigned char bytes [256];
    stele_pack_t *pack = stele_pack_new ();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes [i] = (unsigned char) (i * 7);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        stele_pack_clear (pack);
        stele_pack_bytes (pack, bytes, size);
        s_round_trip (stele_pack_data (pack), stele_pack_size (pack), NULL);
    }
    stele_pack_destroy (&pack);
}

static void
test_json_maps_of_any_key_come_back (void **state)
{
    (void) state;
    ROUND ("\x80", "{}");
    ROUND ("\x82\xa1\x61\x01\xa1\x62\x90", "{\"a\":1,\"b\":[]}");
    ROUND ("\x81\x01\x02", "{\"$map\":[[1,2]]}");
    ROUND ("\x82\xa1\x61\x01\x05\xc0", "{\"$map\":[[\"a\",1],[5,null]]}");
    ROUND ("\x81\xa2\0x\x01", "{\"$map\":[[\"\\u0000x\",1]]}");
    ROUND ("\x81\xa4$bin\xa4""AAEC", "{\"$map\":[[\"$bin\",\"AAEC\"]]}");
    ROUND ("\x81\xa1$\x01", "{\"$map\":[[\"$\",1]]}");
    ROUND ("\x81\xa4$map\x90", "{\"$map\":[[\"$map\",[]]]}");
    ROUND ("\x82\xa4$bin\x01\xa1z\x02", "{\"$bin\":1,\"z\":2}");
    ROUND ("\x81\x81\x01\x02\x81\x03\x04", "{\"$map\":[[{\"$map\":[[1,2]]},{\"$map\":[[3,4]]}]]}");
    ROUND ("\x81\xa0\x01", "{\"\":1}");
    ROUND ("\x81\xc4\x01k\x01", "{\"$map\":[[{\"$bin\":\"aw==\"},1]]}");
}

static void
test_json_keys_are_sorted_by_their_bytes (void **state)
{
    (void) state;
    s_expect ("{ \"b\" : 1, \"a\" : 2, \"B\":3, \"ab\":4, \"\":5, \"\xc3\xa9\":6, \"z\":7 }",
        "{\"\":5,\"B\":3,\"a\":2,\"ab\":4,\"b\":1,\"z\":7,\"\xc3\xa9\":6}");
    //  Of more keys than stay on the stack
    char json [2000] = "{";
    char sorted [2000] = "{";
    for (int i = 0; i < 100; i++) {
        sprintf (json + strlen (json), "%s\"k%02d\":%d", i? ",": "", 99 - i, i);
        sprintf (sorted + strlen (sorted), "%s\"k%02d\":%d", i? ",": "", i, 99 - i);
    }
    s_expect (strcat (json, "}"), strcat (sorted, "}"));
}

static void
test_json_text_refuses_what_it_cannot_keep (void **state)
{
    (void) state;
    stele_record_t *record = stele_record_new ();
    const char *text;
    size_t size;
    stele_refusal_t refusal;
    assert_int_equal (stele_json_text ("\x82\xa1k\x01\xa1k\x02", 7, record, &text, &size, &refusal),
        STELE_EMALFORMED);
    assert_string_equal (refusal.field, "k");
    assert_int_equal (stele_json_text ("\x82\x01\x01\x01\x02", 5, record, &text, &size, &refusal),
        STELE_EMALFORMED);
    assert_int_equal (stele_json_text ("\xa1\xff", 2, record, &text, &size, &refusal), STELE_EMALFORMED);
    assert_int_equal (stele_json_text ("\x81\xa1\xff\x01", 4, record, &text, &size, &refusal),
        STELE_EMALFORMED);
    char deep [STELE_LIMIT_NESTING + 3];
    memset (deep, 0x91, sizeof deep);
    deep [sizeof deep - 1] = 0;
    assert_int_equal (stele_json_text (deep, sizeof deep, record, &text, &size, &refusal), STELE_EMALFORMED);
    assert_int_equal (stele_json_text (deep + 1, sizeof deep - 1, record, &text, &size, &refusal), 0);
    stele_record_destroy (&record);
}

static void
test_json_text_over_the_limit_says_its_size (void **state)
{
    (void) state;
    size_t text_size = STELE_JSON_SIZE_MAX;
    char *big = calloc (1, text_size);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_text (pack, big, text_size);
    stele_record_t *record = stele_record_new ();
    const char *text = NULL;
    size_t size;
    assert_int_equal (stele_json_text (stele_pack_data (pack), stele_pack_size (pack), record,
        &text, &size, NULL), STELE_ETOO_LARGE);
    assert_int_equal (size, 2 + 6 * text_size);
    assert_null (text);
    stele_record_destroy (&record);
    stele_pack_destroy (&pack);
    free (big);
}

static void
test_json_text_of_a_map_with_too_many_entries_is_too_large (void **state)
{
    (void) state;
    uint32_t count = 4000000;
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 2);
    stele_pack_string (pack, "many");
    stele_pack_map (pack, count);
    for (uint32_t i = 0; i < 2 * count; i++)
        stele_pack_nil (pack);
    stele_pack_key_integer (pack, "more", 1);
    stele_record_t *record = stele_record_new ();
    const char *text;
    size_t size = 0;
    assert_int_equal (stele_json_text (stele_pack_data (pack), stele_pack_size (pack), record,
        &text, &size, NULL), STELE_ETOO_LARGE);
    assert_true (size > STELE_JSON_SIZE_MAX);
    assert_int_equal (stele_json_text_within ("\x81\xa1k\x01", 4, 7, record, &text, &size, NULL), 0);
    assert_int_equal (stele_json_text_within ("\x81\xa1k\x01", 4, 6, record, &text, &size, NULL),
        STELE_ETOO_LARGE);
    assert_int_equal (size, 7);
    stele_record_destroy (&record);
    stele_pack_destroy (&pack);
}

static void
test_json_parse_says_where_and_why (void **state)
{
    (void) state;
    s_refuse ("", "not JSON");
    s_refuse ("{", "not JSON");
    s_refuse ("{\"a\":1,\n\"b\":}", "line 2");
    s_refuse ("{} {}", "not JSON");
    s_refuse ("{\"a\":1,\"a\":2}", "duplicate");
    s_refuse ("{\"a\":\"\xff\"}", "not JSON");
    s_refuse ("{\"a\":\"\\ud800\"}", "not JSON");
    s_refuse ("{\"a\\u0000\":1}", "not JSON");
    s_refuse ("NaN", "not JSON");
    s_refuse ("18446744073709551615", "{\"$uint\":");
    s_refuse ("-9223372036854775809", "{\"$uint\":");
    s_refuse ("{\"$bin\":1}", "$bin");
    s_refuse ("{\"$bin\":\"A\"}", "$bin");
    s_refuse ("{\"$bin\":\"AAE\"}", "$bin");
    s_refuse ("{\"$bin\":\"AAF=\"}", "$bin");
    s_refuse ("{\"$bin\":\"A===\"}", "$bin");
    s_refuse ("{\"$bin\":\"AA=A\"}", "$bin");
    s_refuse ("{\"$bin\":\"A-_A\"}", "$bin");
    s_refuse ("{\"$uint\":1}", "$uint");
    s_refuse ("{\"$uint\":\"\"}", "$uint");
    s_refuse ("{\"$uint\":\"-1\"}", "$uint");
    s_refuse ("{\"$uint\":\"18446744073709551616\"}", "$uint");
    s_refuse ("{\"$uint\":\"1\\u0000\"}", "$uint");
    s_refuse ("{\"$float\":\"nan\"}", "$float");
    s_refuse ("{\"$ext\":[128,\"\"]}", "$ext");
    s_refuse ("{\"$ext\":[1]}", "$ext");
    s_refuse ("{\"$ext\":[1,2]}", "$ext");
    s_refuse ("{\"$map\":{}}", "$map");
    s_refuse ("{\"$map\":[[1]]}", "$map");
    s_refuse ("[{\"a\":{\"$map\":[1]}}]", "$map");
}

static void
test_json_parse_names_what_other_systems_write (void **state)
{
    (void) state;
    s_refuse ("{\"a\":\"x \\ud83d\"}", "unpaired surrogate \\ud83d at byte 9");
    s_refuse ("{\"a\":\"\\ude00\"}", "unpaired surrogate \\ude00 at byte 7");
    s_refuse ("{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "unpaired surrogate \\ud83d at byte 7");
    s_refuse ("{\"\\uDC00\":1}", "unpaired surrogate \\uDC00 at byte 3");
    s_refuse ("{\"a\":1,\n \"b\":\"\\ud83d\"}", "unpaired surrogate \\ud83d at line 2, column 7");
    s_refuse ("{\"a\":\"\\\\ud83d NaN\",\"b\":NaN}", "NaN at byte 24: write it as {\"$float\":\"NaN\"}");
    s_refuse ("[Infinity]", "Infinity at byte 2: write it as {\"$float\":\"Infinity\"}");
    s_refuse ("[1,-Infinity]", "-Infinity at byte 4: write it as {\"$float\":\"-Infinity\"}");
    s_refuse ("NaN", "NaN at byte 1");
    s_refuse ("{\"a\":\"\xff\"}", "0xff is not UTF-8 at byte 7: write bytes as {\"$bin\":");
    s_refuse ("{\"a\":\"\xed\xa0\xbd\"}", "0xed is not UTF-8 at byte 7");
    s_refuse ("{\"a\":1e400}", "real number overflow");
    //  Not blamed for an earlier fault
    s_refuse ("{\"a\" 1, \"b\":\"\\ud83d\"}", "':' expected");
    s_refuse ("{\"a\":\"\\ud83d", "not JSON");
    s_refuse ("{\"a\":\"\\", "not JSON");
    s_refuse ("{\"a\":\"\\ud8", "not JSON");
}

static char *
s_printed (const char *json, bool shown)
{
    stele_pack_t *pack = stele_pack_new ();
    assert_int_equal (stele_json_parse_pack (json, strlen (json), pack, NULL), 0);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), shown);
    stele_pack_destroy (&pack);
    return text;
}

static void
test_json_shown_to_people_has_no_character_that_a_terminal_obeys (void **state)
{
    (void) state;
    const char *json = "{\"\xe2\x80\xae\":\"\xc2\x9b\xc2\x85 \x7f \\u0000\\u001b \xe2\x80\xa8\xe2\x81\xa6 \xf3\xa0\x81\x81 "
        "\xe4\xb8\xad\xc3\xa9\xf0\x9f\x9a\x80\"}";
    char *text = s_printed (json, true);
    assert_string_equal (text, "{\"\\u202e\":\"\\u009b\\u0085 \\u007f \\u0000\\u001b \\u2028\\u2066 \\udb40\\udc41 "
        "\xe4\xb8\xad\xc3\xa9\xf0\x9f\x9a\x80\"}");
    //  It reads back as the same, and what is stored stays UTF-8
    char *again = s_printed (text, false);
    assert_string_equal (again, "{\"\xe2\x80\xae\":\"\xc2\x9b\xc2\x85 \x7f \\u0000\\u001b \xe2\x80\xa8\xe2\x81\xa6 \xf3\xa0\x81\x81 "
        "\xe4\xb8\xad\xc3\xa9\xf0\x9f\x9a\x80\"}");
    free (text);
    free (again);
}

static void
test_quote_hides_what_a_terminal_obeys (void **state)
{
    (void) state;
    char shown [STELE_QUOTE_SIZE];
    const char *text = "a\x1b\xc2\x9b\xe2\x80\xae\xe2\x81\xa7 \xe4\xb8\xad";
    assert_string_equal (stele_quote (shown, text, strlen (text)), "a???? \xe4\xb8\xad");
    assert_string_equal (stele_quote (shown, "\xff\xc2\x9b", 3), "???");
    assert_string_equal (stele_quote (shown, "", 0), "");
    char longer [64];
    memset (longer, 'x', sizeof longer);
    assert_string_equal (stele_quote (shown, longer, sizeof longer), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...");
}

static void
test_json_parse_deep_nesting_is_refused (void **state)
{
    (void) state;
    char json [4001];
    memset (json, '[', 2000);
    memset (json + 2000, ']', 2000);
    json [4000] = 0;
    s_refuse (json, "nested");
    memset (json, '[', 4000);
    s_refuse (json, "not JSON");
}

static void
test_json_other_dollar_keys_are_ordinary (void **state)
{
    (void) state;
    s_expect ("{\"$ref\":\"#/a\"}", "{\"$map\":[[\"$ref\",\"#/a\"]]}");
    s_expect ("{\"$bin\":1,\"x\":2}", "{\"$bin\":1,\"x\":2}");
}

//  The quick reader packs what the other one does, or nothing
static void
s_expect_quick (const char *json, bool expected)
{
    stele_pack_t *quick = stele_pack_new (), *slow = stele_pack_new ();
    stele_pack_nil (quick);
    bool packed = stele_json_quick_pack (json, strlen (json), quick);
    if (packed != expected)
        fail_msg ("%s is %s", json, packed? "packed": "not packed");
    if (packed) {
        size_t size, slow_size;
        assert_int_equal (stele_json_parse_pack (json, strlen (json), slow, NULL), 0);
        const unsigned char *data = stele_pack_data (quick);
        char *text = stele_json_line (data + 1, stele_pack_size (quick) - 1, false, &size);
        char *slow_text = stele_json_line (stele_pack_data (slow), stele_pack_size (slow), false, &slow_size);
        if (!text || size != slow_size || memcmp (text, slow_text, size) != 0)
            fail_msg ("%s is packed as %.*s", json, text? (int) size: 0, text? text: "");
        free (slow_text);
        free (text);
    }
    else
        assert_int_equal (stele_pack_size (quick), 1);
    stele_pack_destroy (&slow);
    stele_pack_destroy (&quick);
}

static void
test_json_quick_packs_the_same_or_nothing (void **state)
{
    (void) state;
    static const char *const plain [] = {
        "{}", "[]", "\"\"", "0", "-1", "999999999999999999", "-999999999999999999", "1.5", "-0.0", "1e300", "5e-324",
        "true", "false", "null", "[1,[],{\"a\":[null,true]},\"x\"]", "{\"a\":1,\"b\":{\"c\":\"d\"}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\"", "\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\"", "{\"\\n\":0}"
    };
    static const char *const rare [] = {
        "{\"$bin\":\"aGk=\"}", "{\"a\":{\"$map\":[[1,2]]}}", "1000000000000000000", "18446744073709551615", "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"", "{ }", "[1, 2]", "1e999", "-", "1.", "[1,]", "{\"a\":1,}", "{\"a\" :1}", "{\"a\"}", "[1", "{\"a\":1",
        "\"a", "\"\\", "\"\\u00", "tru", "nul", "", "1 ", "[]]", "+1", "01x", "NaN", "\"\\x\""
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        s_expect_quick (plain [i], true);
    for (size_t i = 0; i < sizeof rare / sizeof rare [0]; i++)
        s_expect_quick (rare [i], false);
    char deep [600];
    memset (deep, '[', 300);
    memset (deep + 300, ']', 300);
    deep [599] = 0;
    s_expect_quick (deep, false);
}

static void
test_json_text_pack_of_damaged_text_is_a_fault_of_the_ledger (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    size_t count;
    assert_int_equal (stele_json_text_pack ("{\"a\":", 5, pack), STELE_ELEDGER);
    assert_int_equal (stele_json_text_pack_entries ("[1]", 3, NULL, pack, &count), STELE_ELEDGER);
    assert_int_equal (stele_json_text_pack_entries ("{", 1, NULL, pack, &count), STELE_ELEDGER);
    assert_int_equal (stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
}

static void
s_prints (const char *json, bool times, const char *expected)
{
    stele_pack_t *pack = stele_pack_new ();
    assert_int_equal (stele_json_parse_pack (json, strlen (json), pack, NULL), 0);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), times);
    assert_non_null (text);
    assert_string_equal (text, expected);
    free (text);
    stele_pack_destroy (&pack);
}

static void
test_json_print_keeps_order_and_prints_times (void **state)
{
    (void) state;
    s_prints ("{\"ok\":true,\"task\":{\"task_id\":\"t\",\"created_at\":0,\"metadata\":{\"time\":1}}}", true,
        "{\"ok\":true,\"task\":{\"task_id\":\"t\",\"created_at\":\"1970-01-01T00:00:00.000000Z\","
        "\"metadata\":{\"time\":1}}}");
    s_prints ("{\"tasks\":[{\"updated_at\":1000000}]}", true,
        "{\"tasks\":[{\"updated_at\":\"1970-01-01T00:00:01.000000Z\"}]}");
    s_prints ("{\"tasks\":[{\"updated_at\":1000000}]}", false, "{\"tasks\":[{\"updated_at\":1000000}]}");
    s_prints ("{\"z\":1,\"a\":2}", true, "{\"z\":1,\"a\":2}");
    //  In an event only 'time' is the broker's; other keys are a producer's own
    s_prints ("{\"events\":[{\"type\":\"task.updated\",\"time\":0,\"created_at\":0,\"mine\":{\"time\":0}}]}", true,
        "{\"events\":[{\"type\":\"task.updated\",\"time\":\"1970-01-01T00:00:00.000000Z\","
        "\"created_at\":0,\"mine\":{\"time\":0}}]}");
    s_prints ("{\"time\":\"noon\",\"timestamp\":null,\"started_at\":9223372036854775807}", true,
        "{\"time\":\"noon\",\"timestamp\":null,\"started_at\":9223372036854775807}");
}

static void
test_json_print_of_no_msgpack_is_null (void **state)
{
    (void) state;
    assert_null (stele_json_print ("\xc1", 1, true));
    assert_null (stele_json_print ("\x81\xa1x", 3, true));
    assert_null (stele_json_print ("\xa1\xff", 2, true));
    assert_null (stele_json_print ("", 0, true));
}

static void
test_json_floats_do_not_depend_on_the_locale (void **state)
{
    (void) state;
    static const char *const locales [] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
    bool set = false;
    for (size_t i = 0; i < sizeof locales / sizeof locales [0] && !set; i++)
        set = setlocale (LC_NUMERIC, locales [i]) != NULL;
    if (!set)
        skip ();
    s_expect ("[1.5,1e300,-0.25]", "[1.5,1e+300,-0.25]");
    setlocale (LC_NUMERIC, "C");
}

//  Each byte at each place of a text that is otherwise plain
static void
test_json_text_is_escaped_wherever_it_has_to_be (void **state)
{
    (void) state;
    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 19; at++) {
            char text [20] = "abcdefghijklmnopqrs", expected [40], *escape;
            text [at] = (char) byte;
            stele_pack_t *pack = stele_pack_new ();
            stele_pack_text (pack, text, 19);
            size_t size = 0;
            char *line = stele_json_line (stele_pack_data (pack), stele_pack_size (pack), false, &size);
            char one [8] = { (char) byte, 0 };
            if (byte < 0x20)
                snprintf (one, sizeof one, "\\u%04x", byte);
            if (byte == '"' || byte == '\\')
                snprintf (one, sizeof one, "\\%c", byte);
            if (byte && byte < 0x20 && (escape = strchr ("\bb\ff\nn\rr\tt", byte)))
                snprintf (one, sizeof one, "\\%c", escape [1]);
            snprintf (expected, sizeof expected, "\"%.*s%s%s\"", (int) at, text, one, text + at + 1);
            if (byte >= 0x80)
                assert_null (line);
            else
            if (size != strlen (expected) || memcmp (line, expected, size) != 0)
                fail_msg ("%.*s is not %s", (int) size, line, expected);
            free (line);
            char *shown = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
            if (byte == 0x7f)
                snprintf (expected, sizeof expected, "\"%.*s\\u007f%s\"", (int) at, text, text + at + 1);
            if (byte < 0x80)
                assert_string_equal (shown, expected);
            free (shown);
            stele_pack_destroy (&pack);
        }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_json_integers_keep_type_and_digits),
        cmocka_unit_test (test_json_floats_keep_every_bit),
        cmocka_unit_test (test_json_float32_becomes_the_same_double),
        cmocka_unit_test (test_json_text_bytes_and_extensions_come_back),
        cmocka_unit_test (test_json_all_bytes_survive_base64),
        cmocka_unit_test (test_json_maps_of_any_key_come_back),
        cmocka_unit_test (test_json_keys_are_sorted_by_their_bytes),
        cmocka_unit_test (test_json_text_refuses_what_it_cannot_keep),
        cmocka_unit_test (test_json_text_over_the_limit_says_its_size),
        cmocka_unit_test (test_json_text_of_a_map_with_too_many_entries_is_too_large),
        cmocka_unit_test (test_json_parse_says_where_and_why),
        cmocka_unit_test (test_json_parse_names_what_other_systems_write),
        cmocka_unit_test (test_json_shown_to_people_has_no_character_that_a_terminal_obeys),
        cmocka_unit_test (test_quote_hides_what_a_terminal_obeys),
        cmocka_unit_test (test_json_parse_deep_nesting_is_refused),
        cmocka_unit_test (test_json_other_dollar_keys_are_ordinary),
        cmocka_unit_test (test_json_text_pack_of_damaged_text_is_a_fault_of_the_ledger),
        cmocka_unit_test (test_json_print_keeps_order_and_prints_times),
        cmocka_unit_test (test_json_print_of_no_msgpack_is_null),
        cmocka_unit_test (test_json_quick_packs_the_same_or_nothing),
        cmocka_unit_test (test_json_text_is_escaped_wherever_it_has_to_be),
        cmocka_unit_test (test_json_floats_do_not_depend_on_the_locale)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
