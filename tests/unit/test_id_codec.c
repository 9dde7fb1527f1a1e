/*  test_id_codec - ids are stored as bytes where shorter, and read back unchanged

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "sqlite/sql/id_codec.h"

static void
s_round (const char *text, size_t bytes)
{
    unsigned char packed [STELE_ID_BYTES];
    char again [STELE_ID_TEXT];
    assert_int_equal (stele_id_pack (text, strlen (text), packed), bytes);
    if (bytes == 0)
        return;
    assert_int_equal (stele_id_unpack (packed, bytes, again), strlen (text));
    assert_memory_equal (again, text, strlen (text));
}

static void
test_ids_uuid_or_hash_is_packed_and_comes_back (void **state)
{
    (void) state;
    s_round ("0b5cae2a-6e21-44f0-a2d3-a6e6dd4c7c1b", 16);
    s_round ("00000000-0000-0000-0000-000000000000", 16);
    s_round ("ffffffff-ffff-ffff-ffff-ffffffffffff", 16);
    s_round ("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", 20);
    s_round ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 32);
}

static void
test_ids_other_text_is_left (void **state)
{
    (void) state;
    s_round ("", 0);
    s_round ("task-17", 0);
    s_round ("0B5CAE2A-6E21-44F0-A2D3-A6E6DD4C7C1B", 0);
    s_round ("0b5cae2a-6e21-44f0-a2d3-a6e6dd4c7c1", 0);
    s_round ("0b5cae2a66e21-44f0-a2d3-a6e6dd4c7c1b", 0);
    s_round ("0b5cae2a-6e21-44f0-a2d3-a6e6dd4c7c1g", 0);
    s_round ("0b5cae2a6e2144f0a2d3a6e6dd4c7c1b", 0);
    s_round ("2fd4e1c67a2d28fced849ee1bb76e7391b93eb1 ", 0);
}

static void
test_ids_bytes_of_another_size_are_no_id (void **state)
{
    (void) state;
    char text [STELE_ID_TEXT];
    for (size_t size = 0; size <= STELE_ID_BYTES; size++)
        if (size != 16 && size != 20 && size != 32)
            assert_int_equal (stele_id_unpack ("0123456789abcdef0123456789abcdef", size, text), 0);
}

static int
s_equal (const stele_record_t *row, void *arg)
{
    const stele_value_t *id = &row->values [STELE_TASK_ID];
    assert_int_equal (id->size, strlen (arg));
    assert_memory_equal (id->text, arg, id->size);
    return 0;
}

//  A task is found by the text that it was given, and by no other
static void
test_ids_task_is_found_by_its_own_text_alone (void **state)
{
    fixture_t *self = *state;
    static const char *const ids [] = {
        "0b5cae2a-6e21-44f0-a2d3-a6e6dd4c7c1b", "0B5CAE2A-6E21-44F0-A2D3-A6E6DD4C7C1B",
        "0b5cae2a6e2144f0a2d3a6e6dd4c7c1b", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
    };
    for (size_t i = 0; i < 4; i++)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'%s','title':'t',"
            "'description':'d','role':'r','commit_hash':'%s','parent_id':'%s'}", 100 + (int) i, ids [i],
            ids [3], ids [0]);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal (stele_reader_task (self->reader, ids [i], strlen (ids [i]), s_equal,
            (void *) ids [i]), 1);
    assert_int_equal (stele_reader_task (self->reader, "\x0b\x5c\xae\x2a\x6e\x21\x44\xf0\xa2\xd3\xa6\xe6\xdd\x4c\x7c\x1b",
        16, s_equal, NULL), 0);

    stele_filter_t filter = { .limit = 10, .parent_id = { ids [0], 36 } };
    assert_int_equal (stele_reader_task_total (self->reader, &filter, &(bool) { false }), 4);
    filter.parent_id = (stele_span_t) { ids [1], 36 };
    assert_int_equal (stele_reader_task_total (self->reader, &filter, &(bool) { false }), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_ids_uuid_or_hash_is_packed_and_comes_back),
        cmocka_unit_test (test_ids_other_text_is_left),
        cmocka_unit_test (test_ids_bytes_of_another_size_are_no_id),
        cmocka_unit_test_setup_teardown (test_ids_task_is_found_by_its_own_text_alone,
            fixture_new, fixture_destroy)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
