/*  test_cache_epoch - one Redis and the nodes of a shared log: the latest writer keeps it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <poll.h>
#include "cache_fixture.h"

//  The node that led before: its ledger is a copy, in another file
static fixture_t *
s_former (fixture_t *self)
{
    char command [300];
    stele_refusal_t refusal;
    fixture_t *former = calloc (1, sizeof *former);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    snprintf (command, sizeof command, "cp %s/a.db %s/b.db", self->folder, self->folder);
    assert_int_equal (system (command), 0);
    fixture_open_ledger (self, "a.db");
    snprintf (former->path, sizeof former->path, "%s/b.db", self->folder);
    former->reader = stele_reader_open (former->path, &refusal);
    assert_non_null (former->reader);
    former->pack = self->pack;
    former->options = self->options;
    former->options.epoch = 7;
    self->options.epoch = 8;
    fixture_open_cache (former);
    fixture_open_cache (self);
    return former;
}

static void
s_end (fixture_t *former)
{
    stele_cache_destroy (&former->cache);
    stele_reader_close (&former->reader);
    free (former);
}

static void
s_create (fixture_t *self, const char *id)
{
    fixture_begin (self);
    fixture_created (self, id, "coder");
    fixture_commit (self);
}

static void
s_assert_kept (fixture_t *self, int tasks)
{
    char epoch [80];
    snprintf (epoch, sizeof epoch, "%s 8", stele_ledger_id (self->ledger));
    assert_string_equal (fixture_redis (self, "GET " P ":epoch"), epoch);
    assert_int_equal (fixture_count (self, "GET " P ":position"), stele_ledger_head (self->ledger));
    fixture_check (self, false);
    fixture_assert_counts (self, tasks, 0, 0, 0);
}

//  It does not wait until the hold of the former writer, which was killed, expires
static void
test_cache_of_a_later_epoch_takes_over_at_once (void **state)
{
    fixture_t *self = *state;
    s_create (self, "one");
    fixture_t *former = s_former (self);
    fixture_until (former, STELE_CACHE_LIVE);
    s_create (self, "two");
    fixture_until (self, STELE_CACHE_LIVE);
    assert_null (strstr (self->news, "copy"));
    assert_null (strstr (self->news, "rebuilding"));
    s_assert_kept (self, 2);
    s_end (former);
    //  Its end has not taken the hold away
    assert_int_equal (fixture_count (self, "EXISTS " P ":holder"), 1);
}

//  Stopped, and continued: the other one has written nothing, so neither ledger nor position have changed
static void
test_cache_of_a_former_epoch_notices_that_it_is_deposed (void **state)
{
    fixture_t *self = *state;
    s_create (self, "one");
    fixture_t *former = s_former (self);
    fixture_until (former, STELE_CACHE_LIVE);
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_until (former, STELE_CACHE_AWAY);
    fixture_stats (former);
    assert_non_null (strstr (fixture_string (former, "last_error"), "is kept by a later writer of the shared log, of epoch 8 (this node: 7)"));
    s_create (self, "two");
    fixture_until (self, STELE_CACHE_LIVE);
    s_assert_kept (self, 2);
    s_end (former);
}

static void
test_cache_of_a_former_epoch_does_not_return_when_the_latest_is_gone (void **state)
{
    fixture_t *self = *state;
    s_create (self, "one");
    fixture_t *former = s_former (self);
    fixture_until (self, STELE_CACHE_LIVE);
    s_create (self, "two");
    fixture_until (self, STELE_CACHE_LIVE);
    fixture_meddle (self, "DEL " P ":holder");
    for (int i = 0; i < 4; i++)
        fixture_step (former);
    assert_int_equal (stele_cache_state (former->cache), STELE_CACHE_AWAY);
    assert_int_equal (fixture_count (self, "EXISTS " P ":holder"), 0);
    s_assert_kept (self, 2);
    s_end (former);
}

static void
test_cache_deposed_in_a_rebuild_removes_nothing (void **state)
{
    fixture_t *self = *state;
    for (int steps = 0; steps < 5; steps++) {
        char id [16];
        snprintf (id, sizeof id, "task-%d", steps);
        s_create (self, id);
        fixture_t *former = s_former (self);
        fixture_meddle (self, "FLUSHALL");
        while (stele_cache_state (former->cache) != STELE_CACHE_REBUILDING)
            fixture_step (former);
        for (int i = 0; i < steps; i++)
            fixture_step (former);
        fixture_until (self, STELE_CACHE_LIVE);
        fixture_until (former, STELE_CACHE_AWAY);
        s_assert_kept (self, steps + 1);
        s_end (former);
    }
}

//  A database of the log that was restored has lower epochs: the message has the way out
static void
test_cache_of_a_restored_log_follows_after_the_remedy (void **state)
{
    fixture_t *self = *state;
    s_create (self, "one");
    fixture_t *former = s_former (self);
    fixture_until (self, STELE_CACHE_LIVE);
    stele_cache_destroy (&self->cache);
    for (int i = 0; i < 2; i++)
        fixture_step (former);
    fixture_stats (former);
    assert_non_null (strstr (fixture_string (former, "last_error"), "delete the key " P ":epoch"));
    fixture_meddle (self, "DEL " P ":epoch");
    fixture_open_cache (former);
    fixture_until (former, STELE_CACHE_LIVE);
    s_end (former);
}

//  A broker without a shared log, with a copy of the ledger, and a node keep each other out
static void
test_cache_of_a_copy_without_a_log_stays_away (void **state)
{
    fixture_t *self = *state;
    s_create (self, "one");
    fixture_t *copy = s_former (self);
    copy->options.epoch = 0;
    fixture_open_cache (copy);
    fixture_until (self, STELE_CACHE_LIVE);
    for (int i = 0; i < 2; i++)
        fixture_step (copy);
    fixture_stats (copy);
    assert_non_null (strstr (fixture_string (copy, "last_error"), "a copy of this one or its original"));
    stele_cache_destroy (&self->cache);
    fixture_open_cache (copy);
    fixture_until (copy, STELE_CACHE_LIVE);
    fixture_open_cache (self);
    for (int i = 0; i < 2; i++)
        fixture_step (self);
    fixture_stats (self);
    assert_non_null (strstr (fixture_string (self, "last_error"), "a copy of this one or its original"));
    s_end (copy);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        FIXTURE_TEST (test_cache_of_a_later_epoch_takes_over_at_once),
        FIXTURE_TEST (test_cache_of_a_former_epoch_notices_that_it_is_deposed),
        FIXTURE_TEST (test_cache_of_a_former_epoch_does_not_return_when_the_latest_is_gone),
        FIXTURE_TEST (test_cache_deposed_in_a_rebuild_removes_nothing),
        FIXTURE_TEST (test_cache_of_a_restored_log_follows_after_the_remedy),
        FIXTURE_TEST (test_cache_of_a_copy_without_a_log_stays_away)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
