/*  test_fair_queue - tests of stele_fair_queue_t and stele_send_quota_t

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/requests/fair_queue.h"
#include "broker/common/send_quota.h"

static stele_request_t *
s_add (stele_pending_t *pending, stele_fair_queue_t *turns, const char *peer)
{
    zmsg_t *envelope = zmsg_new ();
    zmsg_addstr (envelope, peer);
    zframe_t *body = zframe_new (NULL, 1);
    stele_request_t *request = stele_pending_add (pending, &envelope, &body);
    assert_non_null (request);
    stele_fair_queue_add (turns, request);
    return request;
}

static void
test_turns_peers_come_one_after_the_other (void **state)
{
    (void) state;
    stele_pending_t *pending = stele_pending_new (100, 1000000);
    stele_fair_queue_t *turns = stele_fair_queue_new ();
    assert_null (stele_fair_queue_next (turns));
    stele_request_t *a1 = s_add (pending, turns, "a");
    stele_request_t *a2 = s_add (pending, turns, "a");
    stele_request_t *a3 = s_add (pending, turns, "a");
    stele_request_t *b1 = s_add (pending, turns, "b");
    stele_request_t *c1 = s_add (pending, turns, "c");
    assert_int_equal (stele_fair_queue_size (turns), 5);
    assert_ptr_equal (stele_fair_queue_next (turns), a1);
    assert_ptr_equal (stele_fair_queue_next (turns), b1);
    stele_fair_queue_remove (turns, c1);
    stele_request_t *b2 = s_add (pending, turns, "b");
    stele_fair_queue_remove (turns, a3);
    assert_ptr_equal (stele_fair_queue_next (turns), a2);
    assert_ptr_equal (stele_fair_queue_next (turns), b2);
    assert_null (stele_fair_queue_next (turns));
    assert_int_equal (stele_fair_queue_size (turns), 0);
    s_add (pending, turns, "d");
    stele_fair_queue_destroy (&turns);
    stele_pending_destroy (&pending);
}

static void
s_send (stele_send_quota_t *unread, zsock_t *socket, const char *peer, size_t size)
{
    zframe_t *frame = zframe_new (NULL, size);
    assert_int_equal (stele_send_quota_send (unread, peer, strlen (peer), &frame, socket), 0);
    assert_null (frame);
}

static void
test_unread_bounds_count_until_a_message_is_gone (void **state)
{
    (void) state;
    zsock_t *in = zsock_new (ZMQ_PULL);
    zsock_t *out = zsock_new (ZMQ_PUSH);
    assert_int_equal (zsock_bind (in, "inproc://unread"), 0);
    assert_int_equal (zsock_connect (out, "inproc://unread"), 0);
    stele_send_quota_t *unread = stele_send_quota_new (1000000, 3000000);
    assert_true (stele_send_quota_fits (unread, "a", 1, 2000000));      // One answer of any size
    s_send (unread, out, "a", 2000000);
    assert_int_equal (stele_send_quota_total (unread), 2000000);
    assert_false (stele_send_quota_fits (unread, "a", 1, 1));
    assert_true (stele_send_quota_stuck (unread, "a", 1));
    assert_false (stele_send_quota_stuck (unread, "b", 1));
    assert_true (stele_send_quota_fits (unread, "b", 1, 900000));
    s_send (unread, out, "b", 900000);
    assert_false (stele_send_quota_fits (unread, "b", 1, 200000));      // Its own bound
    assert_false (stele_send_quota_fits (unread, "c", 1, 200000));      // That of all
    assert_true (stele_send_quota_fits (unread, "c", 1, 1000));         // A small one, always
    for (int i = 0; i < 2; i++) {
        zframe_t *frame = zframe_recv (in);
        assert_non_null (frame);
        zframe_destroy (&frame);
    }
    assert_int_equal (stele_send_quota_total (unread), 0);
    assert_true (stele_send_quota_fits (unread, "a", 1, 1000));
    assert_false (stele_send_quota_stuck (unread, "a", 1));
    //  Destroy the quota while an answer is still in flight
    s_send (unread, out, "a", 100000);
    stele_send_quota_destroy (&unread);
    zsock_destroy (&out);
    zsock_destroy (&in);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_turns_peers_come_one_after_the_other),
        cmocka_unit_test (test_unread_bounds_count_until_a_message_is_gone)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
