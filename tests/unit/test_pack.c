/*  test_pack - maps that count their keys, and arrays that grow

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/memory.h"
#include "wire/map.h"
#include "wire/pack.h"

static void
test_pack_map_begin_nested_counts_each_map (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    assert_non_null (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "a", 1);
    stele_pack_key (pack, "in");
    stele_pack_map_begin (pack);
    stele_pack_key_bool (pack, "b", true);
    stele_pack_map_end (pack);
    stele_pack_key_string (pack, "c", NULL);
    stele_pack_map_end (pack);
    static const unsigned char expected [] = "\x83\xa1" "a\x01\xa2" "in\x81\xa1" "b\xc3\xa1" "c\xc0";
    assert_int_equal (stele_pack_size (pack), sizeof expected - 1);
    assert_memory_equal (stele_pack_data (pack), expected, sizeof expected - 1);
    stele_pack_destroy (&pack);
}

static void
test_pack_map_begin_of_many_keys_is_one_checked_map (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    assert_non_null (pack);
    stele_pack_map_begin (pack);
    for (int i = 0; i < 1000; i++) {
        char key [16];
        snprintf (key, sizeof key, "k%d", i);
        stele_pack_key_integer (pack, key, i);
    }
    stele_pack_map_end (pack);
    stele_map_t map;
    assert_int_equal (stele_map_open (&map, stele_pack_data (pack), stele_pack_size (pack)), 0);
    int64_t value = 0;
    assert_true (stele_map_integer (&map, "k999", &value));
    assert_int_equal (value, 999);
    stele_pack_destroy (&pack);
}

static void
test_pack_rewind_into_a_map_that_was_begun_forgets_it (void **state)
{
    (void) state;
    stele_pack_t *pack = stele_pack_new ();
    assert_non_null (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "a", 1);
    stele_pack_rewind (pack, 0);
    stele_pack_map_begin (pack);
    stele_pack_map_end (pack);
    assert_int_equal (stele_pack_size (pack), 1);
    assert_memory_equal (stele_pack_data (pack), "\x80", 1);
    stele_pack_destroy (&pack);
}

static void
test_array_grow_keeps_items_and_refuses_what_cannot_be (void **state)
{
    (void) state;
    size_t room = 0;
    int *numbers = NULL;
    for (int i = 0; i < 1000; i++) {
        numbers = stele_array_must_grow (numbers, &room, (size_t) i + 1, sizeof *numbers);
        numbers [i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal (numbers [i], i);
    size_t before = room;
    assert_null (stele_array_grow (numbers, &room, SIZE_MAX / 2, sizeof *numbers));
    assert_int_equal (room, before);
    assert_int_equal (numbers [999], 999);
    free (numbers);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_pack_map_begin_nested_counts_each_map),
        cmocka_unit_test (test_pack_map_begin_of_many_keys_is_one_checked_map),
        cmocka_unit_test (test_pack_rewind_into_a_map_that_was_begun_forgets_it),
        cmocka_unit_test (test_array_grow_keeps_items_and_refuses_what_cannot_be)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
