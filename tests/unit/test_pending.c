/*  test_pending - tests of stele_pending_t

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/requests/pending.h"

static stele_request_t *
s_add (stele_pending_t *pending, size_t size)
{
    zmsg_t *envelope = zmsg_new ();
    zmsg_addmem (envelope, "1234", 4);
    zframe_t *body = zframe_new (NULL, size);
    stele_request_t *request = stele_pending_add (pending, &envelope, &body);
    //  Takes ownership of both, or of neither
    assert_true ((request == NULL) == (envelope != NULL));
    assert_true ((request == NULL) == (body != NULL));
    zmsg_destroy (&envelope);
    zframe_destroy (&body);
    return request;
}

typedef struct {
    stele_pending_t *pending;
    int count;
    uint64_t tokens [8];
} s_seen_t;

static void
s_see_and_remove (stele_request_t *request, void *arg)
{
    s_seen_t *seen = arg;
    seen->tokens [seen->count++] = request->token;
    stele_pending_remove (seen->pending, request);
}

static void
test_pending_number_is_bounded (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (2, 1000);
    stele_request_t *first = s_add (pending, 1);
    assert_non_null (first);
    assert_non_null (s_add (pending, 1));
    assert_null (s_add (pending, 1));
    stele_pending_remove (pending, first);
    assert_non_null (s_add (pending, 1));
    assert_int_equal (stele_pending_count (pending, STELE_PENDING_WAITING), 2);
    stele_pending_destroy (&pending);
    assert_null (pending);
}

static void
test_pending_bytes_are_bounded (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (10, 100);
    //  A single request may be larger than the limit for all
    stele_request_t *large = s_add (pending, 500);
    assert_non_null (large);
    assert_null (s_add (pending, 1));
    stele_pending_remove (pending, large);
    assert_non_null (s_add (pending, 50));
    assert_null (s_add (pending, 50));
    assert_non_null (s_add (pending, 30));
    stele_pending_destroy (&pending);
}

static void
test_pending_late_token_finds_nothing (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (1, 100);
    stele_request_t *request = s_add (pending, 1);
    uint64_t token = request->token;
    assert_ptr_equal (stele_pending_find (pending, token), request);
    stele_pending_remove (pending, request);
    assert_null (stele_pending_find (pending, token));
    request = s_add (pending, 1);
    assert_null (stele_pending_find (pending, token));
    assert_ptr_equal (stele_pending_find (pending, request->token), request);
    stele_pending_destroy (&pending);
}

static void
test_pending_deadlines_expire_in_turn (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (4, 100);
    assert_true (stele_pending_earliest (pending) == INT64_MAX);
    uint64_t tokens [3];
    static const int64_t deadlines [] = { 300, 100, 200 };
    for (int i = 0; i < 3; i++) {
        stele_request_t *request = s_add (pending, 1);
        tokens [i] = request->token;
        stele_pending_set_deadline (pending, request, deadlines [i]);
    }
    assert_int_equal (stele_pending_earliest (pending), 100);
    s_seen_t seen = { .pending = pending };
    stele_pending_expire (pending, 99, s_see_and_remove, &seen);
    assert_int_equal (seen.count, 0);
    stele_pending_expire (pending, 200, s_see_and_remove, &seen);
    assert_int_equal (seen.count, 2);
    assert_int_equal (seen.tokens [0], tokens [1]);
    assert_int_equal (seen.tokens [1], tokens [2]);
    assert_int_equal (stele_pending_earliest (pending), 300);
    stele_pending_destroy (&pending);
}

static void
test_pending_position_releases_those_that_wait_for_it (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (4, 100);
    static const int64_t positions [] = { 7, 5, 9, 5 };
    stele_request_t *requests [4];
    for (int i = 0; i < 4; i++) {
        requests [i] = s_add (pending, 1);
        requests [i]->min_position = positions [i];
    }
    requests [3]->state = STELE_PENDING_QUEUED;
    uint64_t first = requests [0]->token, second = requests [1]->token;
    s_seen_t seen = { .pending = pending };
    stele_pending_reach (pending, STELE_PENDING_WAITING, 7, s_see_and_remove, &seen);
    assert_int_equal (seen.count, 2);
    assert_int_equal (seen.tokens [0], first);
    assert_int_equal (seen.tokens [1], second);
    stele_pending_each (pending, s_see_and_remove, &seen);
    assert_int_equal (seen.count, 4);
    stele_pending_destroy (&pending);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_pending_number_is_bounded),
        cmocka_unit_test (test_pending_bytes_are_bounded),
        cmocka_unit_test (test_pending_late_token_finds_nothing),
        cmocka_unit_test (test_pending_deadlines_expire_in_turn),
        cmocka_unit_test (test_pending_position_releases_those_that_wait_for_it)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
