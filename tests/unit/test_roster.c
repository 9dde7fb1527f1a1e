/*  test_roster - producers and peers, when a batch is committed or rolled back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "broker/ingest/roster.h"
#include "base/clock.h"

static stele_roster_t *
s_roster (void **state)
{
    fixture_t *self = *state;
    stele_roster_t *roster = stele_roster_new (self->ledger, 1000);
    assert_non_null (roster);
    return roster;
}

static void
test_roster_hello_taken_back_leaves_no_peer (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_bind (roster, "\x00\x01", 2, stele_roster_entry (roster, "a"), "run");
    assert_non_null (stele_roster_connection (roster, "\x00\x01", 2));
    stele_roster_rollback (roster);
    assert_null (stele_roster_connection (roster, "\x00\x01", 2));
    assert_int_equal (stele_roster_connection_count (roster), 0);
    stele_roster_destroy (&roster);
}

static void
test_roster_goodbye_taken_back_leaves_the_peer (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *member = stele_roster_entry (roster, "a");
    stele_roster_bind (roster, "x", 1, member, "run");
    stele_roster_commit (roster);
    stele_roster_unbind (roster, "x", 1);
    assert_null (stele_roster_connection (roster, "x", 1));
    stele_roster_rollback (roster);
    stele_connection_t *peer = stele_roster_connection (roster, "x", 1);
    assert_non_null (peer);
    assert_ptr_equal (peer->member, member);
    assert_string_equal (peer->instance, "run");
    stele_roster_destroy (&roster);
}

static void
test_roster_another_producer_on_a_connection_is_taken_back (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *first = stele_roster_entry (roster, "a");
    stele_roster_bind (roster, "x", 1, first, "one");
    stele_roster_commit (roster);
    stele_roster_bind (roster, "x", 1, stele_roster_entry (roster, "b"), "two");
    stele_roster_bind (roster, "x", 1, stele_roster_entry (roster, "c"), "three");
    stele_roster_rollback (roster);
    assert_ptr_equal (stele_roster_connection (roster, "x", 1)->member, first);
    assert_string_equal (stele_roster_connection (roster, "x", 1)->instance, "one");
    //  What is kept stays
    stele_roster_bind (roster, "x", 1, stele_roster_entry (roster, "b"), "two");
    stele_roster_commit (roster);
    stele_roster_rollback (roster);
    assert_string_equal (stele_roster_connection (roster, "x", 1)->instance, "two");
    stele_roster_destroy (&roster);
}

static void
s_count (const void *id, size_t size, void *arg)
{
    (void) id;
    (void) size;
    ++*(int *) arg;
}

static void
test_roster_fence_is_taken_back (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *member = stele_roster_entry (roster, "a");
    stele_roster_bind (roster, "x", 1, member, "old");
    stele_roster_commit (roster);
    int fenced = 0;
    stele_roster_fence (roster, member, "new", "none", 4, s_count, &fenced);
    assert_int_equal (fenced, 1);
    assert_true (stele_roster_connection (roster, "x", 1)->fenced);
    stele_roster_rollback (roster);
    assert_false (stele_roster_connection (roster, "x", 1)->fenced);
    //  Not the connection that sent the new hello
    assert_int_equal (stele_roster_fence (roster, member, "new", "x", 1, s_count, &fenced), 0);
    assert_int_equal (fenced, 1);
    assert_false (stele_roster_connection (roster, "x", 1)->fenced);
    stele_roster_destroy (&roster);
}

static stele_roster_entry_t *
s_leased (stele_roster_t *roster, const char *name, int64_t lease_ms)
{
    stele_roster_entry_t *member = stele_roster_entry (roster, name);
    member->now.status = STELE_PRODUCER_PRESENT;
    member->now.lease_ms = lease_ms;
    stele_roster_heard (roster, member);
    return member;
}

//  Whose lease runs out next; NULL: nobody's does for a while
static stele_roster_entry_t *
s_next_expired (stele_roster_t *roster, int64_t wait_ms)
{
    int64_t until_ms = stele_clock_steady_ms () + wait_ms;
    stele_roster_entry_t *member = NULL;
    while (!member && stele_clock_steady_ms () < until_ms) {
        usleep (1000);
        member = stele_roster_expired (roster);
    }
    return member;
}

static void
test_roster_leases_run_out_in_turn_and_those_that_are_prolonged_do_not (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *none = s_leased (roster, "none", 0);
    stele_roster_entry_t *soon = s_leased (roster, "soon", 20);
    stele_roster_entry_t *also = s_leased (roster, "also", 20);
    stele_roster_entry_t *later = s_leased (roster, "later", 300);
    stele_roster_entry_t *prolonged = s_leased (roster, "prolonged", 20);
    prolonged->now.lease_ms = 60000;
    stele_roster_heard (roster, prolonged);
    assert_ptr_equal (s_next_expired (roster, 5000), soon);
    assert_ptr_equal (s_next_expired (roster, 5000), also);
    assert_ptr_equal (s_next_expired (roster, 5000), later);
    assert_null (s_next_expired (roster, 50));
    //  Heard again, and with a shorter lease than any that is known
    s_leased (roster, "soon", 10);
    assert_ptr_equal (s_next_expired (roster, 5000), soon);
    assert_int_equal (none->lease_until_us, 0);
    stele_roster_destroy (&roster);
}

static void
test_roster_leases_of_any_length_are_taken_and_extended (void **state)
{
    stele_roster_t *roster = s_roster (state);
    s_leased (roster, "forever", INT64_MAX);
    s_leased (roster, "nearly", INT64_MAX / 1000);
    usleep (200000);
    stele_roster_entry_t *member = s_leased (roster, "a", 20);
    stele_roster_extend (roster, 200000);
    assert_null (s_next_expired (roster, 50));
    assert_ptr_equal (s_next_expired (roster, 5000), member);
    stele_roster_extend (roster, INT64_C (86400) * 1000000);
    assert_null (s_next_expired (roster, 20));
    stele_roster_destroy (&roster);
}

//  Of a node that takes over: it was in doubt for long before
static void
test_roster_read_during_a_stall_is_not_extended_by_what_was_before (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *member = s_leased (roster, "a", 20);
    stele_roster_extend (roster, INT64_C (3600) * 1000000);
    assert_ptr_equal (s_next_expired (roster, 10000), member);
    stele_roster_destroy (&roster);
}

//  Recovery of mode redis finds producers that the roster did not know
static void
test_roster_lease_that_is_found_after_a_start_runs_on (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *member = stele_roster_entry (roster, "a");
    member->now.lease_ms = 10;
    stele_roster_resume (roster, member);       // It has left
    assert_int_equal (member->lease_until_us, 0);
    member->now.status = STELE_PRODUCER_PRESENT;
    int64_t begun_ms = stele_clock_steady_ms ();
    stele_roster_resume (roster, member);
    assert_ptr_equal (s_next_expired (roster, 10000), member);
    assert_true (stele_clock_steady_ms () - begun_ms >= 1000);      // The grace
    stele_roster_destroy (&roster);
}

static void
test_roster_lease_that_ran_out_in_what_is_taken_back_runs_out_again (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *member = s_leased (roster, "a", 10);
    stele_roster_touch (roster, member);
    member->now.id = 1;
    stele_roster_commit (roster);
    assert_ptr_equal (s_next_expired (roster, 5000), member);
    stele_roster_touch (roster, member);
    member->now.status = STELE_PRODUCER_EXPIRED;
    //  Several in one batch
    stele_roster_entry_t *other = s_leased (roster, "b", 10);
    other->now.id = other->durable.id = 2;
    assert_ptr_equal (s_next_expired (roster, 5000), other);
    stele_roster_touch (roster, other);
    other->now.status = STELE_PRODUCER_EXPIRED;
    for (int i = 0; i < 2; i++) {
        stele_roster_rollback (roster);
        assert_true (member->expiring && other->expiring);
        assert_int_equal (member->now.status, STELE_PRODUCER_PRESENT);
        assert_null (s_next_expired (roster, 20));
        stele_roster_touch (roster, member);
        stele_roster_touch (roster, other);
    }
    member->now.status = other->now.status = STELE_PRODUCER_EXPIRED;
    stele_roster_commit (roster);
    assert_false (member->expiring || other->expiring);
    stele_roster_destroy (&roster);
}

static void
test_roster_lease_of_a_run_that_said_goodbye_runs_on_unless_it_keeps (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_entry_t *kept = s_leased (roster, "kept", 10);
    kept->now.status = STELE_PRODUCER_LEFT;
    stele_roster_entry_t *member = s_leased (roster, "a", 10);
    stele_roster_touch (roster, member);
    member->now.id = 1;
    member->now.status = STELE_PRODUCER_ENDED;
    stele_roster_commit (roster);
    assert_ptr_equal (s_next_expired (roster, 5000), member);
    assert_null (s_next_expired (roster, 20));
    //  As the writer does it, and the batch is rolled back
    stele_roster_touch (roster, member);
    member->now.status = STELE_PRODUCER_LEFT;
    stele_roster_rollback (roster);
    assert_true (member->expiring);
    //  After a start
    member->lease_until_us = 0;
    stele_roster_resume (roster, kept);
    assert_int_equal (kept->lease_until_us, 0);
    stele_roster_resume (roster, member);
    assert_true (member->lease_until_us > 0);
    stele_roster_destroy (&roster);
}

//  Who makes up names takes no memory
static void
test_roster_producer_whose_message_was_refused_is_forgotten (void **state)
{
    stele_roster_t *roster = s_roster (state);
    stele_roster_touch (roster, stele_roster_entry (roster, "refused"));
    stele_roster_entry_t *member = stele_roster_entry (roster, "taken");
    stele_roster_touch (roster, member);
    member->now.id = 1;
    stele_roster_commit (roster);
    assert_ptr_equal (stele_roster_next (roster, NULL), member);
    assert_null (stele_roster_next (roster, member));
    assert_ptr_equal (stele_roster_entry (roster, "taken"), member);
    stele_roster_destroy (&roster);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_roster_hello_taken_back_leaves_no_peer, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_goodbye_taken_back_leaves_the_peer, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_another_producer_on_a_connection_is_taken_back,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_fence_is_taken_back, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_leases_run_out_in_turn_and_those_that_are_prolonged_do_not,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_read_during_a_stall_is_not_extended_by_what_was_before,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_leases_of_any_length_are_taken_and_extended,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_lease_that_is_found_after_a_start_runs_on,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_lease_that_ran_out_in_what_is_taken_back_runs_out_again,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_lease_of_a_run_that_said_goodbye_runs_on_unless_it_keeps,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_roster_producer_whose_message_was_refused_is_forgotten,
            fixture_new, fixture_destroy)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
