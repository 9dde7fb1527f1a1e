/*  test_scan - the scanner against well-formed and hostile bytes

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
#include "stele_error.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define CHECK(bytes, max) stele_scan_check (bytes, sizeof (bytes) - 1, max, NULL)

static stele_token_t
s_one (const void *bytes, size_t size)
{
    assert_int_equal (stele_scan_check (bytes, size, 1, NULL), 0);
    stele_scan_t scan = stele_scan_start (bytes, size);
    stele_token_t token = stele_scan_next (&scan);
    assert_ptr_equal (scan.next, scan.end);
    assert_int_equal (stele_scan_next (&scan).kind, STELE_SCAN_END);
    return token;
}

#define ONE(bytes) s_one (bytes, sizeof (bytes) - 1)

static void
test_scan_every_integer_form_is_read (void **state)
{
    (void) state;
    assert_int_equal (ONE ("\x7f").integer, 127);
    assert_int_equal (ONE ("\xe0").integer, -32);
    assert_int_equal (ONE ("\xff").integer, -1);
    assert_int_equal (ONE ("\xcc\xff").integer, 255);
    assert_int_equal (ONE ("\xcd\xff\xff").integer, 65535);
    assert_int_equal (ONE ("\xce\xff\xff\xff\xff").integer, 4294967295);
    assert_true (ONE ("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff").integer == INT64_MAX);
    assert_int_equal (ONE ("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff").kind, STELE_SCAN_INTEGER);
    assert_int_equal (ONE ("\xd0\x80").integer, -128);
    assert_int_equal (ONE ("\xd1\x80\0").integer, -32768);
    assert_true (ONE ("\xd2\x80\0\0\0").integer == INT32_MIN);
    assert_true (ONE ("\xd3\x80\0\0\0\0\0\0\0").integer == INT64_MIN);
    stele_token_t token = ONE ("\xcf\x80\0\0\0\0\0\0\0");
    assert_int_equal (token.kind, STELE_SCAN_UNSIGNED);
    assert_true (token.natural == (uint64_t) INT64_MAX + 1);
}

static void
test_scan_every_scalar_form_is_read (void **state)
{
    (void) state;
    assert_int_equal (ONE ("\xc0").kind, STELE_SCAN_NIL);
    assert_int_equal (ONE ("\xc2").integer, 0);
    assert_int_equal (ONE ("\xc3").integer, 1);
    assert_true (ONE ("\xca\x3f\x80\0\0").real == 1.0);
    assert_true (ONE ("\xcb\xbf\xf8\0\0\0\0\0\0").real == -1.5);
    static const struct { const char *bytes; size_t size; stele_scan_kind_t kind; } spans [] = {
        { "\xa2hi", 3, STELE_SCAN_TEXT }, { "\xd9\x02hi", 4, STELE_SCAN_TEXT },
        { "\xda\0\x02hi", 5, STELE_SCAN_TEXT }, { "\xdb\0\0\0\x02hi", 7, STELE_SCAN_TEXT },
        { "\xc4\x02hi", 4, STELE_SCAN_BYTES }, { "\xc5\0\x02hi", 5, STELE_SCAN_BYTES },
        { "\xc6\0\0\0\x02hi", 7, STELE_SCAN_BYTES }, { "\xd5\xfbhi", 4, STELE_SCAN_EXT },
        { "\xc7\x02\xfbhi", 5, STELE_SCAN_EXT }, { "\xc8\0\x02\xfbhi", 6, STELE_SCAN_EXT },
        { "\xc9\0\0\0\x02\xfbhi", 8, STELE_SCAN_EXT }
    };
    for (size_t i = 0; i < sizeof spans / sizeof spans [0]; i++) {
        stele_token_t token = s_one (spans [i].bytes, spans [i].size);
        assert_int_equal (token.kind, spans [i].kind);
        assert_int_equal (token.size, 2);
        assert_memory_equal (token.data, "hi", 2);
        if (token.kind == STELE_SCAN_EXT)
            assert_int_equal (token.ext_type, -5);
    }
    assert_int_equal (ONE ("\xd4\x01\x01").size, 1);
    assert_int_equal (ONE ("\xd8\x01""0123456789abcdef").size, 16);
    assert_int_equal (ONE ("\xa0").size, 0);
}

static void
test_scan_check_cut_off_is_refused_at_every_length (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "text", "a text of more than thirty-one bytes, so str 8");
    stele_pack_string (pack, "list");
    stele_pack_array (pack, 5);
    stele_pack_real (pack, 1.5);
    stele_pack_integer (pack, -70000);
    stele_pack_bytes (pack, "\0\1", 2);
    stele_pack_ext (pack, 5, "xyz", 3);
    stele_pack_natural (pack, UINT64_MAX);
    stele_pack_key_bool (pack, "last", true);
    size_t size = stele_pack_size (pack);
    for (size_t cut = 0; cut < size; cut++) {
        //  A copy of its own, so that a read behind the end is seen
        char *copy = malloc (cut + 1);
        memcpy (copy, stele_pack_data (pack), cut);
        const char *why = NULL;
        assert_int_equal (stele_scan_check (copy, cut, 1000, &why), STELE_EMALFORMED);
        assert_non_null (why);
        free (copy);
    }
    assert_int_equal (stele_scan_check (stele_pack_data (pack), size, 1000, NULL), 0);
    stele_pack_destroy (&pack);
}

static void
test_scan_check_announced_count_beyond_bytes_is_refused (void **state)
{
    (void) state;
    assert_int_equal (CHECK ("\xdd\xff\xff\xff\xff", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xdf\xff\xff\xff\xff", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xdd\0\0\0\x02\xc0", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\x81\xc0", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xdb\xff\xff\xff\xff", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xc9\xff\xff\xff\xff\1", SIZE_MAX), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xdd\0\0\0\x02\xc0\xc0", SIZE_MAX), 0);
}

static void
test_scan_check_elements_over_budget_are_refused (void **state)
{
    (void) state;
    assert_int_equal (CHECK ("\x93\xc0\xc0\xc0", 4), 0);
    assert_int_equal (CHECK ("\x93\xc0\xc0\xc0", 3), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\x82\xc0\xc0\xc0\xc0", 5), 0);
    assert_int_equal (CHECK ("\x82\xc0\xc0\xc0\xc0", 4), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\xc0", 0), STELE_EMALFORMED);
    assert_int_equal (CHECK ("\x91\x91\x91\xc0", 3), STELE_EMALFORMED);
}

static void
test_scan_check_trailing_reserved_and_empty_are_refused (void **state)
{
    (void) state;
    const char *why = NULL;
    assert_int_equal (stele_scan_check ("\xc0\xc0", 2, 10, &why), STELE_EMALFORMED);
    assert_non_null (strstr (why, "after"));
    assert_int_equal (stele_scan_check ("\x91\xc1", 2, 10, &why), STELE_EMALFORMED);
    assert_non_null (strstr (why, "0xc1"));
    assert_int_equal (stele_scan_check (NULL, 0, 10, &why), STELE_EMALFORMED);
}

static void
test_scan_check_deep_nesting_costs_no_stack (void **state)
{
    (void) state;
    size_t size = 8 * 1024 * 1024;
    char *bytes = malloc (size);
    memset (bytes, 0x91, size);
    bytes [size - 1] = (char) 0xc0;
    assert_int_equal (stele_scan_check (bytes, size, SIZE_MAX, NULL), 0);
    assert_int_equal (stele_scan_depth (bytes, size, 16), 17);
    stele_scan_t scan = stele_scan_start (bytes, size);
    stele_scan_skip (&scan, NULL, NULL);
    assert_ptr_equal (scan.next, scan.end);
    free (bytes);
}

static void
test_scan_depth_counts_the_deepest_branch (void **state)
{
    (void) state;
    assert_int_equal (stele_scan_depth ("\xc0", 1, 16), 0);
    assert_int_equal (stele_scan_depth ("\x80", 1, 16), 1);
    assert_int_equal (stele_scan_depth ("\x92\x91\x90\xc0", 4, 16), 3);
    assert_int_equal (stele_scan_depth ("\x92\x91\x90\x90", 4, 2), 3);
    assert_int_equal (stele_scan_depth ("\x93\x90\x80\x90", 4, 16), 2);
    assert_int_equal (stele_scan_depth ("\x90", 1, 0), 1);
}

static void
test_scan_find_key_gives_value_and_bytes (void **state)
{
    (void) state;
    static const char map [] = "\x84\x01\xa1x\xa1\x61\x92\x01\x02\xa1\x62\xc3\xa2\x61\x62\x05";
    size_t map_size = sizeof map - 1;
    assert_int_equal (stele_scan_check (map, map_size, 100, NULL), 0);
    const void *data = NULL;
    size_t size = 0;
    assert_int_equal (stele_scan_find (map, map_size, "a", &data, &size).kind, STELE_SCAN_ARRAY);
    assert_int_equal (size, 3);
    assert_memory_equal (data, "\x92\x01\x02", 3);
    assert_int_equal (stele_scan_find (map, map_size, "ab", NULL, NULL).integer, 5);
    assert_int_equal (stele_scan_find (map, map_size, "abc", NULL, NULL).kind, STELE_SCAN_END);
    assert_int_equal (stele_scan_find ("\x91\xa1\x61", 3, "a", NULL, NULL).kind, STELE_SCAN_END);
}

static void
test_scan_random_bytes_are_read_within_bounds (void **state)
{
    (void) state;
    uint32_t seed = 12345;
    for (int round = 0; round < 200000; round++) {
        size_t size = round % 40;
        unsigned char *bytes = malloc (size + 1);
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes [i] = (unsigned char) (seed >> 24);
        }
        int rc = stele_scan_check (bytes, size, 100, NULL);
        stele_scan_t scan = stele_scan_start (bytes, size);
        stele_scan_skip (&scan, NULL, NULL);
        if (rc == 0)
            assert_ptr_equal (scan.next, scan.end);
        assert_true (stele_scan_depth (bytes, size, 5) <= 6);
        stele_scan_find (bytes, size, "a", NULL, NULL);
        free (bytes);
    }
}

static void
test_scan_utf8_follows_rfc_3629 (void **state)
{
    (void) state;
    static const char *const valid [] = {
        "", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "eight by\xc3\xa9 more of them"
    };
    static const char *const invalid [] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe0\xa0",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf0\x90\x80", "\xff", "\xfe", "eight by\xe9 more of them", "seven b\xc3"
    };
    for (size_t i = 0; i < sizeof valid / sizeof valid [0]; i++)
        assert_true (stele_utf8_valid (valid [i], strlen (valid [i])));
    for (size_t i = 0; i < sizeof invalid / sizeof invalid [0]; i++)
        assert_false (stele_utf8_valid (invalid [i], strlen (invalid [i])));
    assert_true (stele_utf8_valid ("a\0b", 3));
    assert_true (stele_utf8_valid (NULL, 0));
}

static void
test_scan_pack_open_containers_close_with_their_count (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    size_t map = stele_pack_open_map (pack);
    stele_pack_string (pack, "list");
    size_t array = stele_pack_open_array (pack);
    for (int i = 0; i < 70000; i++)
        stele_pack_integer (pack, i);
    stele_pack_close (pack, array, 70000);
    stele_pack_close (pack, map, 1);
    assert_int_equal (stele_scan_check (stele_pack_data (pack), stele_pack_size (pack), 80000, NULL), 0);
    stele_token_t list = stele_scan_find (stele_pack_data (pack), stele_pack_size (pack), "list", NULL, NULL);
    assert_int_equal (list.count, 70000);
    stele_pack_rewind (pack, map);
    stele_pack_nil (pack);
    assert_int_equal (stele_pack_size (pack), 1);
    stele_pack_clear (pack);
    assert_int_equal (stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
    assert_null (pack);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_scan_every_integer_form_is_read),
        cmocka_unit_test (test_scan_every_scalar_form_is_read),
        cmocka_unit_test (test_scan_check_cut_off_is_refused_at_every_length),
        cmocka_unit_test (test_scan_check_announced_count_beyond_bytes_is_refused),
        cmocka_unit_test (test_scan_check_elements_over_budget_are_refused),
        cmocka_unit_test (test_scan_check_trailing_reserved_and_empty_are_refused),
        cmocka_unit_test (test_scan_check_deep_nesting_costs_no_stack),
        cmocka_unit_test (test_scan_depth_counts_the_deepest_branch),
        cmocka_unit_test (test_scan_find_key_gives_value_and_bytes),
        cmocka_unit_test (test_scan_random_bytes_are_read_within_bounds),
        cmocka_unit_test (test_scan_utf8_follows_rfc_3629),
        cmocka_unit_test (test_scan_pack_open_containers_close_with_their_count)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
