/*  test_cache_check - every kind of difference between Redis and the ledger is found and repaired

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cache_fixture.h"

static int
s_setup (void **state)
{
    fixture_setup (state);
    fixture_t *self = *state;
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_changed (self, "one", STELE_TASK_RUNNING, NULL);
    fixture_created (self, "two", "coder");
    fixture_created (self, "three", "coder");
    fixture_changed (self, "three", STELE_TASK_FAILED, "it broke");
    fixture_session (self, "open", STELE_SESSION_RUNNING);
    fixture_session (self, "ended", STELE_SESSION_COMPLETED);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    return 0;
}

//  It is found, named, repaired, and then gone

static void
s_assert_found (fixture_t *self, int missing, int extra, int mismatched, const char *example)
{
    fixture_check (self, false);
    fixture_assert_counts (self, 3, missing, extra, mismatched);
    assert_int_equal (fixture_number (self, "repaired"), 0);
    const void *examples;
    size_t size;
    stele_scan_find (stele_pack_data (self->pack), stele_pack_size (self->pack), "examples",
        &examples, &size);
    stele_scan_t scan = stele_scan_start (examples, size);
    assert_int_equal (stele_scan_next (&scan).count, 1);
    stele_token_t token = stele_scan_next (&scan);
    snprintf (self->text, sizeof self->text, "%.*s", (int) token.size, token.data);
    assert_string_equal (self->text, example);

    fixture_check (self, true);
    fixture_assert_counts (self, 3, missing, extra, mismatched);
    assert_int_equal (fixture_number (self, "repaired"), missing + extra + mismatched);
    fixture_check (self, false);
    fixture_assert_counts (self, 3, 0, 0, 0);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "errors"), 0);
}

static void
test_cache_check_right_redis_is_consistent (void **state)
{
    fixture_t *self = *state;
    fixture_check (self, false);
    fixture_assert_counts (self, 3, 0, 0, 0);
    assert_int_equal (fixture_number (self, "sessions"), 2);
}

static void
test_cache_check_missing_hash_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "DEL " P ":task:one");
    s_assert_found (self, 1, 0, 0, "one");
    fixture_meddle (self, "DEL " P ":task:three");
    s_assert_found (self, 1, 0, 0, "three");
    fixture_meddle (self, "DEL " P ":session:open");
    s_assert_found (self, 1, 0, 0, "open");
    fixture_meddle (self, "DEL " P ":session:ended");
    s_assert_found (self, 1, 0, 0, "ended");
}

static void
test_cache_check_differing_hash_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "HSET " P ":task:one title other");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "HSET " P ":task:one more other");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "HDEL " P ":task:one title");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "HSET " P ":task:three last_error other");
    s_assert_found (self, 0, 0, 1, "three");
    fixture_meddle (self, "HSET " P ":session:open pid 1");
    s_assert_found (self, 0, 0, 1, "open");
}

static void
test_cache_check_wrong_expiry_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "EXPIRE " P ":task:one 1000");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "PERSIST " P ":task:three");
    s_assert_found (self, 0, 0, 1, "three");
}

static void
test_cache_check_wrong_type_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "DEL " P ":task:one");
    fixture_meddle (self, "SET " P ":task:one x");
    s_assert_found (self, 0, 0, 1, "one");
}

static void
test_cache_check_wrong_place_in_the_sets_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "ZADD " P ":tasks:running 1 one");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "ZREM " P ":tasks:running one");
    s_assert_found (self, 0, 0, 1, "one");
    fixture_meddle (self, "ZADD " P ":tasks:passed 1 one");
    s_assert_found (self, 0, 1, 0, "one");
    fixture_meddle (self, "ZADD " P ":tasks:passed 1 nobody");
    s_assert_found (self, 0, 1, 0, "nobody");
}

static void
test_cache_check_set_of_wrong_type_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "SET " P ":tasks:paused x");
    s_assert_found (self, 0, 1, 0, P ":tasks:paused");
}

static void
test_cache_check_extra_key_is_found (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "HSET " P ":task:ghost state running");
    s_assert_found (self, 0, 1, 0, "ghost");
    fixture_meddle (self, "HSET " P ":session:ghost state running");
    s_assert_found (self, 0, 1, 0, "ghost");
    fixture_meddle (self, "SET " P ":task:ghost x");
    s_assert_found (self, 0, 1, 0, "ghost");
}

static void
test_cache_check_terminal_that_should_have_left_is_extra (void **state)
{
    fixture_t *self = *state;
    int64_t long_ago_us = stele_clock_us () - 3 * FIXTURE_TTL_S * (int64_t) 1000000;
    fixture_open_ledger (self, "b.db");
    fixture_begin (self);
    fixture_created (self, "old", "coder");
    fixture_changed (self, "old", STELE_TASK_PASSED, NULL);
    fixture_commit_at (self, long_ago_us);
    fixture_meddle (self, "FLUSHALL");
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "HSET " P ":task:old state passed");
    fixture_meddle (self, "ZADD " P ":tasks:passed 1 old");
    fixture_check (self, true);
    fixture_assert_counts (self, 0, 0, 2, 0);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:old " P ":tasks:passed"), 0);
}

static void
test_cache_check_behind_catches_up_first (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    fixture_created (self, "four", "coder");
    fixture_changed (self, "one", STELE_TASK_PASSED, NULL);
    fixture_commit (self);
    fixture_check (self, false);
    fixture_assert_counts (self, 4, 0, 0, 0);
}

static void
test_cache_check_many_pages_name_twenty_examples (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    for (int i = 0; i < 1500; i++) {
        char id [32];
        snprintf (id, sizeof id, "task-%d", i);
        fixture_created (self, id, "coder");
        if (i % 2)
            fixture_changed (self, id, STELE_TASK_PASSED, NULL);
    }
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    for (int i = 0; i < 1500; i += 10) {
        fixture_meddle (self, "DEL " P ":task:task-%d", i);
        fixture_meddle (self, "HSET " P ":task:task-%d state error", i + 1);
        fixture_meddle (self, "HSET " P ":task:ghost-%d state error", i);
        fixture_meddle (self, "ZADD " P ":tasks:error 1 ghost-%d", i);
    }
    fixture_check (self, true);
    fixture_assert_counts (self, 1503, 150, 300, 150);
    assert_int_equal (fixture_number (self, "repaired"), 600);
    stele_token_t examples = stele_scan_find (stele_pack_data (self->pack),
        stele_pack_size (self->pack), "examples", NULL, NULL);
    assert_int_equal (examples.count, 20);
    fixture_check (self, false);
    fixture_assert_counts (self, 1503, 0, 0, 0);
}

static void
test_cache_check_redis_away_is_unavailable (void **state)
{
    fixture_t *self = *state;
    redis_server_kill (self->server);
    poll (NULL, 0, 1050);                           // The idle look is due
    stele_refusal_t refusal = { 0 };
    stele_pack_clear (self->pack);
    assert_int_equal (stele_cache_check (self->cache, self->reader, false, self->pack, &refusal),
        STELE_EUNAVAILABLE);
    assert_int_equal (refusal.code, STELE_EUNAVAILABLE);
    assert_non_null (strstr (refusal.message, "away"));
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, fixture_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_cache_check_right_redis_is_consistent),
        TEST (test_cache_check_missing_hash_is_found),
        TEST (test_cache_check_differing_hash_is_found),
        TEST (test_cache_check_wrong_expiry_is_found),
        TEST (test_cache_check_wrong_type_is_found),
        TEST (test_cache_check_wrong_place_in_the_sets_is_found),
        TEST (test_cache_check_set_of_wrong_type_is_found),
        TEST (test_cache_check_extra_key_is_found),
        TEST (test_cache_check_terminal_that_should_have_left_is_extra),
        TEST (test_cache_check_behind_catches_up_first),
        TEST (test_cache_check_many_pages_name_twenty_examples),
        TEST (test_cache_check_redis_away_is_unavailable)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
