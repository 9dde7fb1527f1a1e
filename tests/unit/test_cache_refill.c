/*  test_cache_refill - the tasks that ended recently, in a Redis that was empty

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cache_fixture.h"

#define S 1000000
#define MANY 700                    // More than a few transactions

static void
s_metric (fixture_t *self, const char *id)
{
    self->event->type = STELE_TASK_METRIC_RECORDED;
    fixture_text (self, STELE_TASK_ID, id);
    fixture_text (self, STELE_NAME, "tokens");
    stele_record_set_integer (self->event, STELE_VALUE, 7);
    fixture_append (self);
}

static void
s_output (fixture_t *self, const char *id)
{
    self->event->type = STELE_TASK_OUTPUT_ADDED;
    fixture_text (self, STELE_TASK_ID, id);
    stele_record_set_word (self->event, STELE_OUTPUT_TYPE, STELE_VOCABULARY_OUTPUT_TYPE, 1);
    fixture_text (self, STELE_CONTENT, "text");
    fixture_append (self);
}

static void
s_ended (fixture_t *self, const char *id)
{
    fixture_created (self, id, "coder");
    fixture_changed (self, id, STELE_TASK_PASSED, NULL);
}

//  Tasks that ended before the time from which Redis keeps them, some with later events, and many after it
static int64_t
s_fill_ledger (fixture_t *self)
{
    int64_t now_us = stele_clock_us ();
    fixture_begin (self);
    s_ended (self, "old");
    s_ended (self, "old-output");
    s_ended (self, "old-both");
    s_ended (self, "old-retried");
    s_ended (self, "old-active");
    fixture_commit_at (self, now_us - 2 * FIXTURE_TTL_S * S);
    fixture_begin (self);
    s_output (self, "old-output");
    s_output (self, "old-both");
    s_metric (self, "old-retried");
    char id [16];
    for (int i = 0; i < MANY; i++) {
        snprintf (id, sizeof id, "task-%d", i);
        s_ended (self, id);
    }
    s_metric (self, "old-both");
    fixture_changed (self, "old-retried", STELE_TASK_QUEUED, NULL);
    fixture_changed (self, "old-retried", STELE_TASK_FAILED, "no \xe2\x82\xac left");
    fixture_changed (self, "old-active", STELE_TASK_QUEUED, NULL);
    s_metric (self, "task-1");
    s_output (self, "task-2");
    fixture_commit_at (self, now_us - 10 * S);
    return MANY + 3;                // old-output, old-both, old-retried
}

static void
s_assert_all (fixture_t *self, int64_t ended)
{
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:old"), 0);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), ended - 1);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:failed"), 1);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:queued"), 1);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:old-retried last_error"), "no \xe2\x82\xac left");
    int64_t left_ms = fixture_count (self, "PTTL " P ":task:old-both");
    assert_true (left_ms > 0 && left_ms <= (FIXTURE_TTL_S - 10) * 1000);
    assert_int_equal (fixture_count (self, "PTTL " P ":task:old-active"), -1);
    fixture_check (self, false);
    fixture_assert_counts (self, ended + 1, 0, 0, 0);
}

static void
test_refill_writes_each_task_that_ended_once (void **state)
{
    fixture_t *self = *state;
    int64_t ended = s_fill_ledger (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_all (self, ended);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "applied"), ended + 1);
}

//  What changed since the rebuild began comes from the log as always
static void
test_refill_leaves_later_changes_to_the_log (void **state)
{
    fixture_t *self = *state;
    int64_t ended = s_fill_ledger (self);
    fixture_until (self, STELE_CACHE_CATCHING_UP);
    fixture_begin (self);
    fixture_changed (self, "task-3", STELE_TASK_QUEUED, NULL);
    fixture_changed (self, "task-4", STELE_TASK_QUEUED, NULL);
    fixture_changed (self, "task-4", STELE_TASK_PASSED, NULL);
    fixture_commit_at (self, stele_clock_us () - 10 * S);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:task-3 state"), "queued");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:task-4 attempt"), "2");
    fixture_check (self, false);
    fixture_assert_counts (self, ended + 1, 0, 0, 0);
}

//  Redis dies between the transactions of a step
static void
test_refill_of_a_redis_that_dies_starts_over (void **state)
{
    fixture_t *self = *state;
    int64_t ended = s_fill_ledger (self);
    fixture_until (self, STELE_CACHE_CATCHING_UP);
    redis_server_kill (self->server);
    fixture_until (self, STELE_CACHE_AWAY);
    redis_server_start (self->server);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_all (self, ended);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        FIXTURE_TEST (test_refill_writes_each_task_that_ended_once),
        FIXTURE_TEST (test_refill_leaves_later_changes_to_the_log),
        FIXTURE_TEST (test_refill_of_a_redis_that_dies_starts_over)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
