/*  test_endpoints - the list of nodes of a client

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "client/connection/endpoints.h"

static stele_endpoints_t *
s_new (const char *list, size_t count)
{
    stele_endpoints_t *self = stele_endpoints_new (list);
    assert_int_equal (stele_endpoints_count (self), count);
    return self;
}

//  The current endpoint, then the next ones
static void
s_check (const char *list, const char *first, const char *second, const char *third)
{
    stele_endpoints_t *self = stele_endpoints_new (list);
    const char *const expected [] = { first, second, third };
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal (stele_endpoints_current (self), expected [i]);
        stele_endpoints_next (self);
    }
    stele_endpoints_destroy (&self);
    assert_null (self);
}

static void
test_endpoints_list_goes_round (void **state)
{
    (void) state;
    s_check ("tcp://a:1", "tcp://a:1", "tcp://a:1", "tcp://a:1");
    s_check (" tcp://a:1 ,ipc:///b", "tcp://a:1", "ipc:///b", "tcp://a:1");
    s_check ("tcp://a:1,ipc:///b,inproc://c", "tcp://a:1", "ipc:///b", "inproc://c");
    //  A comma that no endpoint follows is a part of the path, or of what is refused later
    s_check ("ipc:///a,b,ipc:///c,", "ipc:///a,b", "ipc:///c,", "ipc:///a,b");
    s_check ("", "", "", "");
    s_check (",tcp://a:1", "", "tcp://a:1", "");
}

static void
test_endpoints_named_writer_is_visited_and_left (void **state)
{
    (void) state;
    stele_endpoints_t *self = s_new ("tcp://a:1,tcp://b:1", 2);
    assert_true (stele_endpoints_several (self));
    //  Of the list
    assert_true (stele_endpoints_go (self, "tcp://b:1"));
    assert_string_equal (stele_endpoints_current (self), "tcp://b:1");
    //  Of the same kind
    assert_true (stele_endpoints_go (self, "ipc:///x, tcp://c:1,tcp://d:1"));
    assert_string_equal (stele_endpoints_current (self), "tcp://c:1");
    stele_endpoints_next (self);
    assert_string_equal (stele_endpoints_current (self), "tcp://b:1");
    //  From a named one to one of the list
    assert_true (stele_endpoints_go (self, "tcp://c:1"));
    assert_true (stele_endpoints_go (self, "tcp://a:1"));
    stele_endpoints_next (self);
    assert_string_equal (stele_endpoints_current (self), "tcp://b:1");
    stele_endpoints_destroy (&self);

    self = s_new ("tcp://a:1", 1);
    assert_false (stele_endpoints_several (self));
    assert_true (stele_endpoints_go (self, "tcp://b:1"));
    assert_true (stele_endpoints_several (self));
    stele_endpoints_next (self);
    assert_false (stele_endpoints_several (self));
    assert_string_equal (stele_endpoints_current (self), "tcp://a:1");
    stele_endpoints_destroy (&self);
}

static void
test_endpoints_named_writer_of_another_kind_is_not_visited (void **state)
{
    (void) state;
    stele_endpoints_t *self = s_new ("ipc:///a,tcp://b:1,inproc://c", 3);
    static const char *const unusable [] = { "", "tcp://c:1", "inproc://d", "nonsense", "ipc://", "tcp://*:1" };
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        assert_false (stele_endpoints_go (self, unusable [i]));
        assert_string_equal (stele_endpoints_current (self), "ipc:///a");
    }
    stele_endpoints_next (self);
    assert_false (stele_endpoints_go (self, "tcp://*:1"));
    //  Of the list, whatever its kind
    assert_true (stele_endpoints_go (self, "inproc://c"));
    assert_false (stele_endpoints_go (self, "inproc://d"));
    assert_string_equal (stele_endpoints_current (self), "inproc://c");
    stele_endpoints_destroy (&self);
}

static void
test_endpoints_pause_and_patience_grow_up_to_a_limit (void **state)
{
    (void) state;
    assert_int_equal (stele_endpoints_pause_ms (0), 0);
    for (int i = 1; i < 100; i++) {
        assert_true (stele_endpoints_pause_ms (i) >= stele_endpoints_pause_ms (i - 1));
        assert_true (stele_endpoints_pause_ms (i) > 0 && stele_endpoints_pause_ms (i) <= 1000);
    }
    assert_int_equal (stele_endpoints_pause_ms (INT32_MAX), 1000);
    assert_int_equal (stele_endpoints_patience_ms (0), 1000);
    assert_int_equal (stele_endpoints_patience_ms (4), 2000);
    assert_int_equal (stele_endpoints_patience_ms (INT32_MAX), 6000);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_endpoints_list_goes_round),
        cmocka_unit_test (test_endpoints_named_writer_is_visited_and_left),
        cmocka_unit_test (test_endpoints_named_writer_of_another_kind_is_not_visited),
        cmocka_unit_test (test_endpoints_pause_and_patience_grow_up_to_a_limit)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
