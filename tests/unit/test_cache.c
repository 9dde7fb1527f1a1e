/*  test_cache - contents of Redis while the follower runs, and after every fault of a
    Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <pthread.h>
#include "cache_fixture.h"

#define S 1000000

//  Three tasks, one of them terminal, and a session

static void
s_story (fixture_t *self)
{
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_created (self, "two", "tester");
    fixture_changed (self, "one", STELE_TASK_RUNNING, NULL);
    fixture_created (self, "three", "coder");
    fixture_changed (self, "three", STELE_TASK_FAILED, "it broke");
    fixture_session (self, "s", STELE_SESSION_RUNNING);
    fixture_commit (self);
}

static void
s_assert_story (fixture_t *self)
{
    assert_string_equal (fixture_redis (self, "HGET " P ":task:one state"), "running");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:two state"), "queued");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:three state"), "failed");
    assert_string_equal (fixture_redis (self, "HGET " P ":session:s state"), "running");
    assert_string_equal (fixture_redis (self, "GET " P ":ledger"),
        stele_ledger_id (self->ledger));
    assert_int_equal (fixture_count (self, "GET " P ":position"),
        stele_ledger_head (self->ledger));
    assert_int_equal (fixture_count (self, "EXISTS " P ":rebuilding"), 0);
    fixture_check (self, false);
    fixture_assert_counts (self, 3, 0, 0, 0);
    assert_int_equal (fixture_number (self, "sessions"), 1);
}

static void
test_cache_bad_options_are_refused (void **state)
{
    (void) state;
    stele_refusal_t refusal;
    stele_cache_options_t options = { .url = "nonsense", .prefix = P, .terminal_ttl_s = 1 };
    assert_null (stele_cache_new (&options, &refusal));
    assert_int_equal (refusal.code, STELE_EINVALID_FIELD);
    options.url = "redis://localhost";
    options.prefix = "";
    assert_null (stele_cache_new (&options, &refusal));
    assert_string_equal (refusal.field, "redis-prefix");
}

static void
test_cache_empty_ledger_becomes_live (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "GET " P ":position"), "0");
    assert_string_equal (fixture_redis (self, "GET " P ":ledger"),
        stele_ledger_id (self->ledger));
    assert_int_equal (fixture_step (self), 1000);
}

static void
test_cache_task_has_the_fields_of_its_live_record (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    self->event->type = STELE_TASK_CREATED;
    fixture_text (self, STELE_TASK_ID, "one");
    fixture_text (self, STELE_TITLE, "");
    fixture_text (self, STELE_DESCRIPTION, "long");
    fixture_text (self, STELE_ROLE, "coder");
    stele_record_set_bool (self->event, STELE_FULL_ACCESS, true);
    stele_record_set_json (self->event, STELE_METADATA, "{}", 2);
    stele_record_set_integer (self->event, STELE_TIME, 1234567);
    fixture_append (self);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);

    static const char *const expected [] [2] = {
        { "task_id", "one" }, { "title", "" }, { "role", "coder" }, { "state", "queued" },
        { "full_access", "true" }, { "target_dir", "." }, { "user_id", "default" },
        { "created_at", "1234567" }, { "updated_at", "1234567" }, { "error_count", "0" },
        { "attempt", "1" }, { "interruptions", "(nil)" },
        { "position", "1" }, { "description", "(nil)" }, { "metadata", "(nil)" },
        { "started_at", "(nil)" }, { "interrupted", "(nil)" }
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected [0]; i++)
        assert_string_equal (fixture_redis (self, "HGET " P ":task:one %s", expected [i] [0]),
            expected [i] [1]);
    assert_int_equal (fixture_count (self, "HLEN " P ":task:one"), 12);
    assert_string_equal (fixture_redis (self, "ZSCORE " P ":tasks:queued one"), "1234567");
    assert_int_equal (fixture_count (self, "PTTL " P ":task:one"), -1);
}

static void
test_cache_change_leaves_no_stale_field_nor_set (void **state)
{
    fixture_t *self = *state;
    static const stele_task_state_t states [] = { STELE_TASK_RUNNING, STELE_TASK_PAUSED,
        STELE_TASK_FAILED, STELE_TASK_QUEUED, STELE_TASK_PASSED };
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    for (size_t i = 0; i < sizeof states / sizeof states [0]; i++) {
        fixture_begin (self);
        fixture_changed (self, "one", states [i], NULL);
        fixture_commit (self);
        fixture_until (self, STELE_CACHE_LIVE);
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, states [i]);
        assert_string_equal (fixture_redis (self, "HGET " P ":task:one state"), word);
        int members = 0;
        for (int each = 1; each < STELE_TASK_STATE_END; each++)
            members += fixture_count (self, "ZCARD " P ":tasks:%s",
                stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, each));
        assert_int_equal (members, 1);
        assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:%s", word), 1);
        bool terminal = stele_lifecycle_terminal (states [i]);
        assert_int_equal (fixture_count (self, "HEXISTS " P ":task:one completed_at"), terminal);
        assert_int_equal (fixture_count (self, "PTTL " P ":task:one") > 0, terminal);
    }
    fixture_check (self, false);
    fixture_assert_counts (self, 1, 0, 0, 0);
}

static void
test_cache_story_is_followed (void **state)
{
    fixture_t *self = *state;
    fixture_until (self, STELE_CACHE_LIVE);
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:three last_error"), "it broke");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:three error_count"), "1");
    fixture_stats (self);
    assert_string_equal (fixture_string (self, "state"), "live");
    assert_int_equal (fixture_number (self, "position"), stele_ledger_head (self->ledger));
    assert_int_equal (fixture_number (self, "lag_events"), 0);
    assert_int_equal (fixture_number (self, "lag_ms"), 0);
    assert_int_equal (fixture_number (self, "errors"), 0);
}

static void
test_cache_many_tasks_take_several_transactions (void **state)
{
    fixture_t *self = *state;
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_begin (self);
    for (int i = 0; i < 3000; i++) {
        char id [32];
        snprintf (id, sizeof id, "task-%d", i);
        fixture_created (self, id, "coder");
        if (i % 3 == 0)
            fixture_changed (self, id, STELE_TASK_PASSED, NULL);
    }
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:queued"), 2000);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), 1000);
    fixture_check (self, false);
    fixture_assert_counts (self, 3000, 0, 0, 0);
}

static void
test_cache_large_records_pass_in_pieces (void **state)
{
    fixture_t *self = *state;
    const size_t size = 1 << 20;
    char *error = malloc (size + 1);
    memset (error, 'e', size);
    error [size] = 0;
    fixture_begin (self);
    for (int i = 0; i < 15; i++) {
        char id [32];
        snprintf (id, sizeof id, "task-%d", i);
        fixture_created (self, id, "coder");
        fixture_changed (self, id, i % 2? STELE_TASK_FAILED: STELE_TASK_RUNNING, error);
    }
    fixture_commit (self);
    free (error);
    fixture_until (self, STELE_CACHE_LIVE);         // By a rebuild
    fixture_check (self, false);
    fixture_assert_counts (self, 15, 0, 0, 0);
    fixture_meddle (self, "SET " P ":position 0");
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);         // By the log alone
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "applied"), 15);
    assert_true (fixture_number (self, "batches") >= 4);
    for (int i = 0; i < 15; i++)
        fixture_meddle (self, "HDEL " P ":task:task-%d last_error", i);
    fixture_check (self, true);
    assert_int_equal (fixture_number (self, "repaired"), 15);
    fixture_check (self, false);
    fixture_assert_counts (self, 15, 0, 0, 0);
}

//  -- Redis comes and goes -------------------------------------------------------------

static void
test_cache_away_says_why_once_and_catches_up (void **state)
{
    fixture_t *self = *state;
    redis_server_kill (self->server);
    s_story (self);
    int wait_ms = fixture_step (self);
    assert_true (wait_ms > 0 && wait_ms <= 100);
    assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
    assert_non_null (strstr (self->news, "is away"));
    self->news [0] = 0;
    poll (NULL, 0, wait_ms + 1);
    fixture_step (self);
    assert_string_equal (self->news, "");
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "errors"), 2);
    assert_int_equal (fixture_number (self, "lag_events"), stele_ledger_head (self->ledger));
    assert_non_null (strstr (fixture_string (self, "last_error"), self->server->socket));

    redis_server_start (self->server);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    assert_non_null (strstr (self->news, "rebuilt"));
}

static void
test_cache_restarted_goes_on_from_the_position_in_redis (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_open_cache (self);
    fixture_begin (self);
    fixture_changed (self, "two", STELE_TASK_RUNNING, NULL);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:two state"), "running");
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 0);
    assert_int_equal (fixture_number (self, "applied"), 1);
}

static void
test_cache_redis_killed_and_empty_is_rebuilt (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    redis_server_kill (self->server);
    fixture_begin (self);
    fixture_created (self, "four", "coder");
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_AWAY);
    redis_server_start (self->server);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:four state"), "queued");
    fixture_check (self, false);
    fixture_assert_counts (self, 4, 0, 0, 0);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 2);
    assert_int_equal (fixture_number (self, "reconnects"), 1);
}

static void
test_cache_flushed_while_idle_is_noticed_and_rebuilt (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "FLUSHALL");
    fixture_until (self, STELE_CACHE_AWAY);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    assert_non_null (strstr (self->news, "not where it was left"));
}

static void
test_cache_flushed_before_a_write_is_noticed_before_it (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "FLUSHALL");
    fixture_begin (self);
    fixture_changed (self, "two", STELE_TASK_RUNNING, NULL);
    fixture_commit (self);
    fixture_step (self);
    assert_int_equal (fixture_count (self, "DBSIZE"), 0);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "HGET " P ":task:one state"), "running");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:two state"), "running");
}

static void
test_cache_frozen_redis_holds_up_a_step_for_a_second_at_most (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    //  Among others on the machine it may be longer, though not each time
    int64_t took_us = INT64_MAX;
    for (int i = 0; i < 20 && took_us >= 2 * S; i++) {
        redis_server_freeze (self->server);
        fixture_begin (self);
        fixture_changed (self, "two", i % 2? STELE_TASK_PAUSED: STELE_TASK_RUNNING, NULL);
        fixture_commit (self);
        int64_t began_us = stele_clock_us ();
        fixture_step (self);
        took_us = stele_clock_us () - began_us;
        assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
        assert_non_null (strstr (self->news, "no answer within 1000 ms"));
        redis_server_thaw (self->server);
        fixture_until (self, STELE_CACHE_LIVE);
        assert_string_equal (fixture_redis (self, "HGET " P ":task:two state"), i % 2? "paused": "running");
    }
    assert_true (took_us < 2 * S);
    fixture_check (self, false);
    fixture_assert_counts (self, 3, 0, 0, 0);
}

static void
test_cache_back_off_doubles_up_to_five_seconds (void **state)
{
    fixture_t *self = *state;
    redis_server_kill (self->server);
    int longest = 0;
    for (int tries = 0; tries < 3; tries++) {
        int wait_ms = fixture_step (self);
        assert_true (wait_ms > longest && wait_ms <= 100 << tries);
        longest = wait_ms;
        //  A head that is announced meanwhile does not make it try earlier
        fixture_step (self);
        fixture_stats (self);
        assert_int_equal (fixture_number (self, "errors"), tries + 1);
        poll (NULL, 0, wait_ms + 1);
    }
}

//  -- Redis holds something else ---------------------------------------------------------

static void
test_cache_keys_of_wrong_types_are_replaced (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "SET " P ":task:one x");
    fixture_meddle (self, "LPUSH " P ":tasks:running x");
    fixture_meddle (self, "LPUSH " P ":position x");
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);

    fixture_meddle (self, "DEL " P ":tasks:running");
    fixture_meddle (self, "SET " P ":tasks:running x");
    fixture_meddle (self, "DEL " P ":task:one");
    fixture_meddle (self, "SADD " P ":task:one x");
    fixture_begin (self);
    fixture_changed (self, "one", STELE_TASK_RUNNING, NULL);
    fixture_commit (self);
    fixture_step (self);
    assert_non_null (strstr (self->news, "WRONGTYPE"));
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "TYPE " P ":tasks:running"), "zset");
    s_assert_story (self);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 2);
}

static void
test_cache_keys_that_are_stale_go_in_a_rebuild (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "HSET " P ":task:ghost state running");
    fixture_meddle (self, "HSET " P ":session:ghost state running");
    fixture_meddle (self, "ZADD " P ":tasks:running 1 ghost");
    fixture_meddle (self, "SET other:task:ghost x");
    fixture_meddle (self, "SET {stele}:else x");
    for (int i = 0; i < 5000; i++)
        fixture_meddle (self, "HSET " P ":task:ghost-%d state running", i);
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    assert_int_equal (fixture_count (self, "EXISTS other:task:ghost {stele}:else"), 2);
}

static void
test_cache_prefix_with_glob_characters_wipes_its_own_keys_only (void **state)
{
    fixture_t *self = *state;
    self->options.prefix = "a*[b]?";
    fixture_open_cache (self);
    fixture_meddle (self, "HSET %s:task:ghost state running", "a*[b]?");
    fixture_meddle (self, "HSET %s:task:ghost state running", "axxb?");
    fixture_meddle (self, "HSET %s:task:ghost state running", "aXbY");
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "EXISTS %s:task:ghost", "a*[b]?"), 0);
    assert_int_equal (fixture_count (self, "EXISTS %s:task:ghost", "axxb?"), 1);
    assert_int_equal (fixture_count (self, "EXISTS %s:task:ghost", "aXbY"), 1);
    assert_int_equal (fixture_count (self, "EXISTS %s:task:one", "a*[b]?"), 1);
}

static void
test_cache_other_ledger_is_not_overwritten_while_its_broker_runs (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    char first [64];
    snprintf (first, sizeof first, "%s", stele_ledger_id (self->ledger));
    stele_cache_t *running = self->cache;
    self->cache = NULL;
    fixture_open_ledger (self, "b.db");
    fixture_open_cache (self);
    fixture_step (self);
    int wait_ms = fixture_step (self);
    assert_true (wait_ms > 4000);
    assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
    fixture_stats (self);
    assert_non_null (strstr (fixture_string (self, "last_error"), first));
    assert_non_null (strstr (self->text, "use another prefix or db, or stop that broker"));
    assert_string_equal (fixture_redis (self, "HGET " P ":task:one state"), "running");

    //  What the text says helps
    self->options.prefix = "other";
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    self->options.prefix = P;
    stele_cache_destroy (&running);
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:one"), 0);
    const char *line = strstr (self->news, "warning: Redis at ");
    assert_non_null (line);
    assert_non_null (strstr (line, "HELD LEDGER"));
    assert_non_null (strstr (line, "whose broker is gone"));
}

static void
test_cache_taken_over_in_its_sleep_leaves_redis_to_the_other (void **state)
{
    fixture_t *self = *state;
    fixture_until (self, STELE_CACHE_LIVE);
    poll (NULL, 0, 2100);                           // Its hold is due again
    fixture_meddle (self, "MSET " P ":ledger other " P ":holder other");
    fixture_until (self, STELE_CACHE_AWAY);
    assert_string_equal (fixture_redis (self, "GET " P ":holder"), "other");
    for (int i = 0; i < 3; i++)
        poll (NULL, 0, fixture_step (self) % 200);
    assert_string_equal (fixture_redis (self, "GET " P ":holder"), "other");
    assert_string_equal (fixture_redis (self, "GET " P ":ledger"), "other");
}

static void *
s_take (void *arg)
{
    fixture_t *self = arg;
    for (int i = 0; i < 2; i++)
        fixture_step (self);        // Connect; align
    return NULL;
}

//  Two brokers that read at the same moment that nobody holds Redis
static void
test_cache_taken_by_two_at_once_is_kept_by_one (void **state)
{
    fixture_t *self = *state;
    fixture_t other = { .options = self->options };
    strcpy (other.folder, self->folder);
    fixture_open_ledger (&other, "b.db");
    fixture_open_cache (&other);
    //  Reads pass, writes wait: both read before one writes
    fixture_meddle (self, "CLIENT PAUSE 400 WRITE");
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_take, &other), 0);
    s_take (self);
    pthread_join (thread, NULL);
    assert_int_equal ((stele_cache_state (self->cache) == STELE_CACHE_AWAY)
        + (stele_cache_state (other.cache) == STELE_CACHE_AWAY), 1);
    stele_cache_destroy (&other.cache);
    stele_reader_close (&other.reader);
    stele_ledger_close (&other.ledger);
}

static void
test_cache_redis_ahead_of_the_ledger_is_reported_and_rebuilt (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "SET " P ":position 1000");
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_non_null (strstr (self->news, "has 1000 events and the ledger has 6"));
    s_assert_story (self);
}

static void
test_cache_rebuild_that_dies_starts_over (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    while (stele_cache_state (self->cache) != STELE_CACHE_REBUILDING)
        fixture_step (self);
    fixture_step (self);
    assert_int_equal (fixture_count (self, "EXISTS " P ":rebuilding"), 1);
    assert_int_equal (fixture_count (self, "EXISTS " P ":position"), 0);
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
}

static void
test_cache_flushed_in_a_rebuild_starts_over (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    for (int steps = 2; steps < 6; steps++) {
        for (int i = 0; i < steps; i++)
            fixture_step (self);
        fixture_meddle (self, "FLUSHALL");
        fixture_until (self, STELE_CACHE_LIVE);
        s_assert_story (self);
        fixture_meddle (self, "FLUSHALL");
        fixture_open_cache (self);
    }
}

static void
test_cache_changes_during_a_rebuild_are_not_lost (void **state)
{
    fixture_t *self = *state;
    for (int steps = 1; steps <= 6; steps++) {
        char id [3] [32];
        fixture_begin (self);
        for (int i = 0; i < 3; i++) {
            snprintf (id [i], sizeof id [i], "%d-%d", steps, i);
            fixture_created (self, id [i], "coder");
        }
        fixture_changed (self, id [0], STELE_TASK_FAILED, NULL);
        fixture_commit (self);
        for (int i = 0; i < steps; i++)
            fixture_step (self);
        fixture_begin (self);
        fixture_changed (self, id [0], STELE_TASK_QUEUED, NULL);
        fixture_changed (self, id [1], STELE_TASK_PASSED, NULL);
        fixture_changed (self, id [2], STELE_TASK_RUNNING, NULL);
        fixture_commit (self);
        fixture_until (self, STELE_CACHE_LIVE);
        fixture_check (self, false);
        fixture_assert_counts (self, 3 * steps, 0, 0, 0);
        fixture_meddle (self, "FLUSHALL");
        fixture_open_cache (self);
    }
}

static void
test_cache_older_redis_after_a_rebuild_is_caught_up (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "FLUSHALL");
    fixture_meddle (self, "MSET " P ":ledger %s " P ":position 0 " P ":layout 2", stele_ledger_id (self->ledger));
    fixture_until (self, STELE_CACHE_AWAY);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 1);
}

//  The broker before had no attempt in its records, and no key with a version
static void
test_cache_redis_of_an_earlier_version_is_rebuilt (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "GET " P ":layout"), "2");
    fixture_meddle (self, "DEL " P ":layout");
    fixture_meddle (self, "HDEL " P ":task:one attempt");
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 1);
    assert_string_equal (fixture_redis (self, "GET " P ":layout"), "2");
    assert_string_equal (fixture_redis (self, "HGET " P ":task:one attempt"), "1");
    s_assert_story (self);
}

static void
test_cache_full_redis_is_waited_for (void **state)
{
    fixture_t *self = *state;
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "CONFIG SET maxmemory 1");
    s_story (self);
    fixture_step (self);
    assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
    assert_non_null (strstr (self->news, "refuses to write: OOM"));
    assert_non_null (strstr (self->news, "raise maxmemory"));
    //  It connects again and again, and is away all the time
    int64_t since_ms = stele_clock_steady_ms ();
    int64_t reconnects = 0;
    while (reconnects < 2) {
        poll (NULL, 0, fixture_step (self));
        assert_int_equal (stele_cache_state (self->cache), STELE_CACHE_AWAY);
        fixture_stats (self);
        reconnects = fixture_number (self, "reconnects");
    }
    assert_true (fixture_number (self, "state_ms") >= stele_clock_steady_ms () - since_ms - 100);
    assert_string_equal (fixture_string (self, "cause"), "memory");
    assert_non_null (strstr (fixture_string (self, "remedy"), "maxmemory"));
    fixture_meddle (self, "CONFIG SET maxmemory 0");
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_story (self);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 1);
}

static void
test_cache_policy_that_drops_keys_is_warned_of_once (void **state)
{
    fixture_t *self = *state;
    fixture_meddle (self, "CONFIG SET maxmemory-policy allkeys-lru");
    fixture_until (self, STELE_CACHE_LIVE);
    assert_non_null (strstr (self->news, "maxmemory-policy allkeys-lru"));
    self->news [0] = 0;
    fixture_meddle (self, "FLUSHALL");
    fixture_until (self, STELE_CACHE_AWAY);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_null (strstr (self->news, "maxmemory-policy"));
}

//  -- time -----------------------------------------------------------------------------

//  Redis is told what is left, and its answer is some time later
static void
s_assert_expires (fixture_t *self, const char *key, int64_t time_us)
{
    char command [200];
    snprintf (command, sizeof command, "PEXPIRETIME %s", key);
    long long late_ms = fixture_count (self, command) - time_us / 1000;
    assert_true (late_ms >= -1 && late_ms < 5000);
}

static void
test_cache_commit_in_the_future_counts_as_now (void **state)
{
    fixture_t *self = *state;
    int64_t now_us = stele_clock_us ();
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_changed (self, "one", STELE_TASK_PASSED, NULL);
    fixture_commit_at (self, now_us + 40ll * 365 * 86400 * S);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_expires (self, P ":task:one", now_us + FIXTURE_TTL_S * S);

    //  A key that lives longer, as 0.1.0 wrote it, is corrected
    fixture_meddle (self, "PEXPIRE " P ":task:one 9999999999");
    fixture_check (self, true);
    fixture_assert_counts (self, 1, 0, 0, 1);
    s_assert_expires (self, P ":task:one", now_us + FIXTURE_TTL_S * S);
}

static void
test_cache_clock_set_back_while_it_was_away_needs_no_rebuild (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_commit_at (self, stele_clock_us () + 40ll * 365 * 86400 * S);
    fixture_until (self, STELE_CACHE_LIVE);
    stele_cache_destroy (&self->cache);
    fixture_begin (self);
    fixture_created (self, "two", "coder");
    fixture_commit (self);
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_stats (self);
    assert_int_equal (fixture_number (self, "rebuilds"), 0);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:two"), 1);
}

static void
test_cache_terminal_expires_after_the_commit_of_its_last_event (void **state)
{
    fixture_t *self = *state;
    int64_t committed_us = stele_clock_us () - 40 * S;
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_changed (self, "one", STELE_TASK_PASSED, NULL);
    fixture_session (self, "ended", STELE_SESSION_COMPLETED);
    fixture_session (self, "open", STELE_SESSION_RUNNING);
    fixture_commit_at (self, committed_us);
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_expires (self, P ":task:one", committed_us + FIXTURE_TTL_S * S);
    s_assert_expires (self, P ":session:ended", committed_us + FIXTURE_TTL_S * S);
    assert_int_equal (fixture_count (self, "PTTL " P ":session:open"), -1);

    fixture_begin (self);
    fixture_changed (self, "one", STELE_TASK_QUEUED, NULL);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "PTTL " P ":task:one"), -1);
}

static void
test_cache_rebuild_brings_back_active_and_recent_ones (void **state)
{
    fixture_t *self = *state;
    int64_t now_us = stele_clock_us ();
    fixture_begin (self);
    fixture_created (self, "old-active", "coder");
    fixture_created (self, "old-passed", "coder");
    fixture_created (self, "old-then-new", "coder");
    fixture_changed (self, "old-passed", STELE_TASK_PASSED, NULL);
    fixture_session (self, "old-open", STELE_SESSION_RUNNING);
    fixture_session (self, "old-ended", STELE_SESSION_COMPLETED);
    fixture_commit_at (self, now_us - 2 * FIXTURE_TTL_S * S);
    fixture_begin (self);
    fixture_created (self, "new-active", "coder");
    fixture_changed (self, "old-then-new", STELE_TASK_PASSED, NULL);
    fixture_session (self, "new-ended", STELE_SESSION_COMPLETED);
    fixture_commit_at (self, now_us - 10 * S);
    fixture_until (self, STELE_CACHE_LIVE);

    assert_int_equal (fixture_count (self, "EXISTS " P ":task:old-active " P ":task:new-active "
        P ":task:old-then-new " P ":session:old-open " P ":session:new-ended"), 5);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:old-passed " P ":session:old-ended"), 0);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), 1);
    fixture_check (self, false);
    fixture_assert_counts (self, 3, 0, 0, 0);
    assert_int_equal (fixture_number (self, "sessions"), 2);
}

static void
test_cache_catch_up_over_expired_ones_leaves_nothing_of_them (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_commit_at (self, stele_clock_us () - 3ll * FIXTURE_TTL_S * S);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_begin (self);
    fixture_changed (self, "one", STELE_TASK_PASSED, NULL);
    fixture_commit_at (self, stele_clock_us () - 2 * FIXTURE_TTL_S * S);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:one"), 0);
    assert_int_equal (fixture_count (self, "EXISTS " P ":tasks:queued " P ":tasks:passed"), 0);
}

static void
test_cache_sweep_takes_expired_ones_out_of_their_sets (void **state)
{
    fixture_t *self = *state;
    self->options.terminal_ttl_s = 30;
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    int64_t passed_us = stele_clock_us () - 25 * S;     // They expire in five seconds
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_created (self, "two", "coder");
    fixture_created (self, "three", "coder");
    fixture_changed (self, "one", STELE_TASK_PASSED, NULL);
    fixture_changed (self, "two", STELE_TASK_PASSED, NULL);
    fixture_commit_at (self, passed_us);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), 2);

    //  Two is retried before it expires, and passes again later
    fixture_begin (self);
    fixture_changed (self, "two", STELE_TASK_QUEUED, NULL);
    fixture_changed (self, "two", STELE_TASK_PASSED, NULL);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    int64_t left_ms = 30100 - (stele_clock_us () - passed_us) / 1000;
    poll (NULL, 0, left_ms > 0? (int) left_ms: 0);
    assert_int_equal (fixture_count (self, "EXISTS " P ":task:one"), 0);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), 2);
    fixture_check (self, false);                    // It sweeps first
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:passed"), 1);
    assert_string_equal (fixture_redis (self, "ZSCORE " P ":tasks:passed one"), "(nil)");
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:queued"), 1);
    assert_int_equal (fixture_count (self, "GET " P ":swept"), 5);
    fixture_assert_counts (self, 2, 0, 0, 0);
}

static void
test_cache_expired_then_retried_leaves_its_old_set (void **state)
{
    fixture_t *self = *state;
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_begin (self);
    fixture_created (self, "one", "coder");
    fixture_changed (self, "one", STELE_TASK_FAILED, NULL);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "DEL " P ":task:one");    // As if it had expired
    fixture_begin (self);
    fixture_changed (self, "one", STELE_TASK_QUEUED, NULL);
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "EXISTS " P ":tasks:failed"), 0);
    assert_int_equal (fixture_count (self, "ZCARD " P ":tasks:queued"), 1);
}

//  -- earlier versions, requests ---------------------------------------------------------

static void
test_cache_legacy_keys_are_written_where_asked_for (void **state)
{
    fixture_t *self = *state;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_int_equal (fixture_count (self, "EXISTS task_status:one"), 0);
    fixture_meddle (self, "FLUSHALL");
    self->options.legacy_keys = true;
    fixture_open_cache (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "GET task_status:three"),
        "{\"id\":\"three\",\"role\":\"coder\",\"branch\":\"auto/coder/three\",\"state\":\"failed\","
        "\"last_error\":\"it broke\",\"provider\":null,\"model\":null}");
    long long ttl = fixture_count (self, "TTL task_status:three");
    assert_true (ttl > 86390 && ttl <= 86400);

    fixture_begin (self);
    fixture_changed (self, "nobody", STELE_TASK_RUNNING, NULL);     // A placeholder
    fixture_commit (self);
    fixture_until (self, STELE_CACHE_LIVE);
    assert_string_equal (fixture_redis (self, "GET task_status:nobody"),
        "{\"id\":\"nobody\",\"role\":\"unknown\",\"branch\":\"auto/unknown/nobody\",\"state\":\"running\","
        "\"last_error\":null,\"provider\":null,\"model\":null}");
}

static void
test_cache_recover_task_brings_one_back (void **state)
{
    fixture_t *self = *state;
    stele_refusal_t refusal;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "DEL " P ":task:one");
    fixture_meddle (self, "ZADD " P ":tasks:error 1 one");
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 1);
    assert_int_equal (stele_cache_recover_task (self->cache, self->reader, "one", 3, self->pack,
        &refusal), 1);
    const void *task;
    size_t size;
    stele_token_t token = stele_scan_find (stele_pack_data (self->pack),
        stele_pack_size (self->pack), "task", &task, &size);
    assert_int_equal (token.kind, STELE_SCAN_MAP);
    assert_int_equal (stele_scan_find (task, size, "state", NULL, NULL).size, strlen ("running"));
    assert_int_equal (fixture_count (self, "EXISTS " P ":tasks:error"), 0);
    s_assert_story (self);

    assert_int_equal (stele_cache_recover_task (self->cache, self->reader, "none", 4, self->pack,
        &refusal), STELE_ENOT_FOUND);
    redis_server_kill (self->server);
    assert_int_equal (stele_cache_recover_task (self->cache, self->reader, "one", 3, self->pack,
        &refusal), STELE_EUNAVAILABLE);
    assert_non_null (strstr (refusal.message, "away"));
}

static void
test_cache_recover_brings_back_active_or_all (void **state)
{
    fixture_t *self = *state;
    stele_refusal_t refusal;
    s_story (self);
    fixture_until (self, STELE_CACHE_LIVE);
    for (int all = 0; all < 2; all++) {
        fixture_meddle (self, "DEL " P ":task:one " P ":task:two " P ":task:three");
        stele_pack_clear (self->pack);
        stele_pack_map (self->pack, 2);
        assert_int_equal (stele_cache_recover (self->cache, self->reader, all, self->pack,
            &refusal), 2);
        assert_int_equal (fixture_number (self, "restored"), 2 + all);
        assert_int_equal (fixture_count (self, "EXISTS " P ":task:one " P ":task:two"), 2);
        assert_int_equal (fixture_count (self, "EXISTS " P ":task:three"), all);
        const void *states;
        size_t size;
        stele_scan_find (stele_pack_data (self->pack), stele_pack_size (self->pack), "by_state",
            &states, &size);
        assert_int_equal (stele_scan_find (states, size, "running", NULL, NULL).integer, 1);
        assert_int_equal (stele_scan_find (states, size, "failed", NULL, NULL).integer, all);
    }
    s_assert_story (self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_cache_bad_options_are_refused),
        FIXTURE_TEST (test_cache_empty_ledger_becomes_live),
        FIXTURE_TEST (test_cache_task_has_the_fields_of_its_live_record),
        FIXTURE_TEST (test_cache_change_leaves_no_stale_field_nor_set),
        FIXTURE_TEST (test_cache_story_is_followed),
        FIXTURE_TEST (test_cache_many_tasks_take_several_transactions),
        FIXTURE_TEST (test_cache_large_records_pass_in_pieces),
        FIXTURE_TEST (test_cache_away_says_why_once_and_catches_up),
        FIXTURE_TEST (test_cache_restarted_goes_on_from_the_position_in_redis),
        FIXTURE_TEST (test_cache_redis_killed_and_empty_is_rebuilt),
        FIXTURE_TEST (test_cache_flushed_while_idle_is_noticed_and_rebuilt),
        FIXTURE_TEST (test_cache_flushed_before_a_write_is_noticed_before_it),
        FIXTURE_TEST (test_cache_frozen_redis_holds_up_a_step_for_a_second_at_most),
        FIXTURE_TEST (test_cache_back_off_doubles_up_to_five_seconds),
        FIXTURE_TEST (test_cache_keys_of_wrong_types_are_replaced),
        FIXTURE_TEST (test_cache_keys_that_are_stale_go_in_a_rebuild),
        FIXTURE_TEST (test_cache_prefix_with_glob_characters_wipes_its_own_keys_only),
        FIXTURE_TEST (test_cache_other_ledger_is_not_overwritten_while_its_broker_runs),
        FIXTURE_TEST (test_cache_taken_over_in_its_sleep_leaves_redis_to_the_other),
        FIXTURE_TEST (test_cache_taken_by_two_at_once_is_kept_by_one),
        FIXTURE_TEST (test_cache_redis_ahead_of_the_ledger_is_reported_and_rebuilt),
        FIXTURE_TEST (test_cache_rebuild_that_dies_starts_over),
        FIXTURE_TEST (test_cache_flushed_in_a_rebuild_starts_over),
        FIXTURE_TEST (test_cache_changes_during_a_rebuild_are_not_lost),
        FIXTURE_TEST (test_cache_older_redis_after_a_rebuild_is_caught_up),
        FIXTURE_TEST (test_cache_redis_of_an_earlier_version_is_rebuilt),
        FIXTURE_TEST (test_cache_full_redis_is_waited_for),
        FIXTURE_TEST (test_cache_policy_that_drops_keys_is_warned_of_once),
        FIXTURE_TEST (test_cache_commit_in_the_future_counts_as_now),
        FIXTURE_TEST (test_cache_clock_set_back_while_it_was_away_needs_no_rebuild),
        FIXTURE_TEST (test_cache_terminal_expires_after_the_commit_of_its_last_event),
        FIXTURE_TEST (test_cache_rebuild_brings_back_active_and_recent_ones),
        FIXTURE_TEST (test_cache_catch_up_over_expired_ones_leaves_nothing_of_them),
        FIXTURE_TEST (test_cache_sweep_takes_expired_ones_out_of_their_sets),
        FIXTURE_TEST (test_cache_expired_then_retried_leaves_its_old_set),
        FIXTURE_TEST (test_cache_legacy_keys_are_written_where_asked_for),
        FIXTURE_TEST (test_cache_recover_task_brings_one_back),
        FIXTURE_TEST (test_cache_recover_brings_back_active_or_all)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
