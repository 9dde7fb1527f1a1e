/*  test_live_record - read one live record: the record in Redis, or nothing, within the time limit

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cache_fixture.h"
#include "wire/event/event_codec.h"

static int
s_setup (void **state)
{
    fixture_setup (state);
    fixture_t *self = *state;
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_changed (self, "one", STELE_TASK_FAILED, "it broke");
    fixture_changed (self, "one", STELE_TASK_QUEUED, NULL);
    fixture_created (self, "two", "coder");
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    return 0;
}

static stele_live_t *
s_live (fixture_t *self)
{
    stele_refusal_t refusal;
    stele_live_t *live = stele_live_new (&self->options, &refusal);
    assert_non_null (live);
    return live;
}

static int
s_read (fixture_t *self, stele_live_t *live, const char *id, int64_t min_position)
{
    const stele_live_source_t source = { stele_ledger_id (self->ledger), stele_reader_file_id (self->reader) };
    stele_record_clear (self->event);
    return stele_live_task (live, &source, id, strlen (id), min_position,
        self->event);
}

//  There is one. After 50 ms without an answer, which a slow machine may need, none is tried for a second.
static void
s_expect (fixture_t *self, stele_live_t *live, const char *id, int64_t min_position)
{
    int found = s_read (self, live, id, min_position);
    for (int tries = 0; tries < 50 && found == 0; tries++) {
        poll (NULL, 0, 1050);
        found = s_read (self, live, id, min_position);
    }
    assert_int_equal (found, 1);
}

static int
s_pack_row (const stele_record_t *row, void *arg)
{
    stele_record_pack (row, arg);
    return 0;
}

static void
test_live_record_equals_that_of_the_ledger (void **state)
{
    fixture_t *self = *state;
    stele_live_t *live = s_live (self);
    s_expect (self, live, "one", 0);
    stele_pack_t *mine = stele_pack_new ();
    stele_record_pack (self->event, mine);
    stele_pack_clear (self->pack);
    assert_int_equal (stele_reader_task_live (self->reader, "one", 3, s_pack_row, self->pack), 1);
    assert_int_equal (stele_pack_size (mine), stele_pack_size (self->pack));
    assert_memory_equal (stele_pack_data (mine), stele_pack_data (self->pack),
        stele_pack_size (mine));
    stele_pack_destroy (&mine);
    stele_live_destroy (&live);
}

//  The node of a shared log that leads reads what it keeps; one that follows reads its ledger
static void
test_live_record_is_read_by_the_node_that_leads (void **state)
{
    fixture_t *self = *state;
    self->options.epoch = 3;
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    stele_live_t *live = s_live (self);
    s_expect (self, live, "one", 0);
    const char *file = stele_reader_file_id (self->reader);
    char start [200];
    snprintf (start, sizeof start, "%.*s", (int) strlen (file) - 1, file);
    const stele_live_source_t follower = { stele_ledger_id (self->ledger), start };
    assert_int_equal (stele_live_task (live, &follower, "one", 3, 0, self->event), 0);
    stele_live_destroy (&live);
}

static void
test_live_is_asked_no_more_than_it_can_know (void **state)
{
    fixture_t *self = *state;
    stele_live_t *live = s_live (self);
    const stele_live_source_t source = { stele_ledger_id (self->ledger), stele_reader_file_id (self->reader) };
    const stele_live_source_t another = { "another ledger", source.file_id };
    assert_int_equal (s_read (self, live, "nobody", 0), 0);
    s_expect (self, live, "one", 4);
    assert_int_equal (s_read (self, live, "one", 5), 0);
    assert_int_equal (stele_live_task (live, &another, "one", 3, 0, self->event), 0);
    const stele_live_source_t copy = { stele_ledger_id (self->ledger), "another file" };
    assert_int_equal (stele_live_task (live, &copy, "one", 3, 0, self->event), 0);
    char id [1000];
    memset (id, 'x', sizeof id);
    assert_int_equal (stele_live_task (live, &source, id, sizeof id, 0,
        self->event), 0);
    s_expect (self, live, "two", 0);
    stele_live_destroy (&live);
}

static void
test_live_record_that_makes_no_sense_is_not_there (void **state)
{
    fixture_t *self = *state;
    stele_live_t *live = s_live (self);
    static const char *const wrong [] [2] = {
        { "state", "nonsense" }, { "created_at", "x" }, { "error_count", "" },
        { "full_access", "maybe" }, { "task_id", "two" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++) {
        char before [256];
        snprintf (before, sizeof before, "%s",
            fixture_redis (self, "HGET " P ":task:one %s", wrong [i] [0]));
        fixture_meddle (self, "HSET " P ":task:one %s %s", wrong [i] [0], wrong [i] [1]);
        assert_int_equal (s_read (self, live, "one", 0), 0);
        for (int field = 0; field < STELE_FIELD_COUNT; field++)
            assert_false (stele_record_has (self->event, field));
        fixture_meddle (self, "HSET " P ":task:one %s %s", wrong [i] [0], before);
        s_expect (self, live, "one", 0);
    }
    fixture_meddle (self, "HSET " P ":task:one unknown_field x");
    s_expect (self, live, "one", 0);
    fixture_meddle (self, "DEL " P ":task:one");
    fixture_meddle (self, "SET " P ":task:one x");
    assert_int_equal (s_read (self, live, "one", 0), 0);
    fixture_meddle (self, "DEL " P ":position");
    assert_int_equal (s_read (self, live, "two", 0), 0);
    stele_live_destroy (&live);
}

static void
test_live_frozen_redis_is_waited_for_once_a_second (void **state)
{
    fixture_t *self = *state;
    stele_live_t *live = s_live (self);
    s_expect (self, live, "one", 0);
    redis_server_freeze (self->server);
    //  Among others on the machine it may be longer, though not each time
    bool short_wait = false, no_wait = false;
    for (int tries = 0; tries < 50 && !(short_wait && no_wait); tries++) {
        int64_t began_us = stele_clock_us ();
        assert_int_equal (s_read (self, live, "one", 0), 0);
        int64_t waited_us = stele_clock_us () - began_us;
        assert_true (waited_us >= 45000);
        short_wait |= waited_us < 500000;

        began_us = stele_clock_us ();
        for (int i = 0; i < 1000; i++)
            assert_int_equal (s_read (self, live, "one", 0), 0);
        no_wait |= stele_clock_us () - began_us < 45000;
        poll (NULL, 0, 1050);
    }
    assert_true (short_wait && no_wait);
    redis_server_thaw (self->server);
    s_expect (self, live, "one", 0);
    stele_live_destroy (&live);
}

static void
test_live_restarted_redis_is_connected_again_at_once (void **state)
{
    fixture_t *self = *state;
    stele_live_t *live = s_live (self);
    s_expect (self, live, "one", 0);
    //  At once is within 50 ms: one of several times
    int found = 0;
    for (int tries = 0; tries < 20 && found == 0; tries++) {
        redis_server_kill (self->server);
        redis_server_start (self->server);
        fixture_open_cache (self);
        fixture_until (self, STELE_CACHE_LIVE);
        found = s_read (self, live, "one", 0);
        if (found == 0)
            poll (NULL, 0, 1050);
    }
    assert_int_equal (found, 1);
    redis_server_kill (self->server);
    assert_int_equal (s_read (self, live, "one", 0), 0);
    stele_live_destroy (&live);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, fixture_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_live_record_equals_that_of_the_ledger),
        TEST (test_live_record_is_read_by_the_node_that_leads),
        TEST (test_live_is_asked_no_more_than_it_can_know),
        TEST (test_live_record_that_makes_no_sense_is_not_there),
        TEST (test_live_frozen_redis_is_waited_for_once_a_second),
        TEST (test_live_restarted_redis_is_connected_again_at_once)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
