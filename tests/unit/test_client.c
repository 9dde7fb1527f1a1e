/*  test_client - a client and a real broker in one process

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <poll.h>
#include <czmq.h>
#include "client_fixture.h"

#define MANY 20000

//  -- clients ------------------------------------------------------------------------

static int64_t
s_publish_metric (stele_client_t *client, int value)
{
    stele_event_t *event = stele_event_new ("task.metric_recorded");
    stele_event_set_string (event, "task_id", "t");
    stele_event_set_string (event, "name", "n");
    stele_event_set_integer (event, "value", value);
    return stele_client_publish (client, &event, TIMEOUT_MS);
}

static void
s_publish_many (stele_client_t *client, int from, int to)
{
    for (int value = from; value <= to; value++)
        assert_true (s_publish_metric (client, value) > 0);
}

static void
s_flush (stele_client_t *client)
{
    if (stele_client_flush (client, TIMEOUT_MS) != 0)
        fail_msg ("flush: %s", stele_client_error (client));
}

//  Expect the event of that position next
static stele_event_t *
s_next (stele_client_t *client, int64_t position)
{
    stele_event_t *event = NULL;
    int rc = stele_client_next (client, TIMEOUT_MS, &event);
    if (rc != 0)
        fail_msg ("%s instead of position %d: %s", stele_error_name (rc), (int) position,
            stele_client_error (client));
    assert_int_equal (stele_event_position (event), position);
    return event;
}

//  The ledger has these metrics, in order, each once
static void
s_assert_metrics (const broker_t *broker, int64_t after, int from, int to)
{
    stele_client_t *reader = s_client_new (broker, NULL);
    assert_int_equal (stele_client_follow (reader, "", after), 0);
    for (int value = from; value <= to; value++) {
        stele_event_t *event = s_next (reader, ++after);
        assert_int_equal (stele_event_integer (event, "value", -1), value);
        stele_event_destroy (&event);
    }
    stele_event_t *event = NULL;
    assert_int_equal (stele_client_next (reader, 50, &event), STELE_ETIMEOUT);
    stele_client_destroy (&reader);
}

//  -- publish ------------------------------------------------------------------------

typedef struct {
    int64_t acked, position, refused, duplicates;
} receipts_t;

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    receipts_t *receipts = (receipts_t *) arg;
    if (receipt->fate == STELE_REFUSED) {
        receipts->refused++;
        return;
    }
    assert_true (receipt->number > receipts->acked);
    receipts->acked = receipt->number;
    receipts->position = receipt->position;
    if (receipt->duplicate)
        receipts->duplicates = receipt->number;
}

static void
s_test_many (const char *transport)
{
    broker_t *broker = s_broker_new (transport);
    stele_client_t *client = s_client_new (broker, "p");
    receipts_t receipts = { 0 };
    stele_client_on_receipt (client, s_on_receipt, &receipts);
    s_publish_many (client, 1, MANY);
    s_flush (client);
    assert_int_equal (receipts.acked, MANY);
    assert_int_equal (receipts.position, MANY);
    assert_int_equal (stele_client_poll (client), 0);
    stele_client_destroy (&client);
    s_assert_metrics (broker, 0, 1, MANY);
    s_broker_destroy (broker);
}

static void
test_client_many_events_over_ipc_are_acked (void **state)
{
    (void) state;
    s_test_many ("ipc");
}

static void
test_client_many_events_over_inproc_are_acked (void **state)
{
    (void) state;
    s_test_many ("inproc");
}

static void
s_test_restart (const char *transport)
{
    broker_t *broker = s_broker_new (transport);
    stele_client_t *client = s_client_new (broker, "p");
    for (int round = 0; round < 4; round++) {
        s_publish_many (client, round * 5000 + 1, round * 5000 + 5000);
        assert_int_equal (stele_client_wait (client, round * 5000 + 1, TIMEOUT_MS), 0);
        s_broker_restart (broker);
    }
    s_flush (client);
    stele_client_destroy (&client);
    s_assert_metrics (broker, 0, 1, 20000);
    s_broker_destroy (broker);
}

static void
test_client_restarts_of_the_broker_lose_and_duplicate_nothing (void **state)
{
    (void) state;
    s_test_restart ("ipc");
}

static void
test_client_restarts_over_inproc_lose_and_duplicate_nothing (void **state)
{
    (void) state;
    s_test_restart ("inproc");
}

static void
test_client_started_before_the_broker_publishes_when_it_starts (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    zactor_destroy (&broker->actor);
    stele_client_t *client = s_client_new (broker, "p");
    s_publish_many (client, 1, 100);
    assert_int_equal (stele_client_flush (client, 10), STELE_ETIMEOUT);
    assert_int_equal (stele_client_poll (client), 100);
    s_broker_start (broker);
    s_flush (client);
    stele_client_destroy (&client);
    s_assert_metrics (broker, 0, 1, 100);
    s_broker_destroy (broker);
}

static void
test_client_refused_event_is_reported_and_the_rest_is_stored (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    receipts_t receipts = { 0 };
    stele_client_on_receipt (client, s_on_receipt, &receipts);
    s_publish_state (client, "t", "running");
    s_publish_state (client, "t", "passed");
    int64_t bad = s_publish_state (client, "t", "running");
    s_publish_metric (client, 1);
    int64_t worse = s_publish_state (client, "t", "no such state");
    s_flush (client);
    assert_int_equal (receipts.refused, 2);
    assert_int_equal (stele_client_refused (client), 2);
    assert_int_equal (stele_client_wait (client, bad, 0), STELE_EILLEGAL);
    assert_int_equal (stele_client_wait (client, worse, 0), STELE_EINVALID_FIELD);
    assert_int_equal (stele_client_wait (client, 4, 0), 0);
    stele_client_destroy (&client);
    s_assert_metrics (broker, 2, 1, 1);
    s_broker_destroy (broker);
}

static void
test_client_same_sequences_again_are_duplicates (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    for (int round = 1; round <= 2; round++) {
        receipts_t receipts = { 0 };
        stele_client_t *client = s_client_new (broker, "p");
        stele_client_on_receipt (client, s_on_receipt, &receipts);
        stele_client_set_first_sequence (client, 1);
        s_publish_many (client, 1, round * 1000);
        s_flush (client);
        assert_int_equal (receipts.duplicates, (round - 1) * 1000);
        assert_int_equal (receipts.position, round * 1000);
        stele_client_destroy (&client);
    }
    s_assert_metrics (broker, 0, 1, 2000);
    s_broker_destroy (broker);
}

static void
test_client_second_instance_fences_the_first (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *first = s_client_new (broker, "p");
    stele_client_t *second = s_client_new (broker, "p");
    s_publish_metric (first, 1);
    s_flush (first);
    s_publish_metric (second, 2);
    s_flush (second);
    int64_t number = s_publish_metric (first, 99);
    if (number > 0)
        number = stele_client_wait (first, number, TIMEOUT_MS);
    assert_int_equal (number, STELE_EFENCED);
    stele_client_destroy (&first);
    stele_client_destroy (&second);
    s_assert_metrics (broker, 0, 1, 2);
    s_broker_destroy (broker);
}

static void
test_client_new_ledger_under_a_client_ends_it (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    s_publish_metric (client, 1);
    s_flush (client);
    snprintf (broker->ledger, sizeof broker->ledger, "%s/other.db", broker->folder);
    s_broker_restart (broker);
    int64_t number = s_publish_metric (client, 2);
    if (number > 0)
        number = stele_client_wait (client, number, TIMEOUT_MS);
    assert_int_equal (number, STELE_EBEHIND);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_large_events_are_published (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    assert_int_equal (stele_client_follow (reader, "task.output_added/", -1), 0);
    char *content = (char *) malloc (8000000);
    for (size_t i = 0; i < 8000000; i++)
        content [i] = (char) (i * i >> 7);
    for (size_t size = 1000; size <= 8000000; size *= 20) {
        stele_event_t *event = stele_event_new ("task.output_added");
        stele_event_set_string (event, "task_id", "t");
        stele_event_set_string (event, "output_type", "artifact");
        stele_event_set_bytes (event, "content", content, size);
        assert_true (stele_client_publish (client, &event, TIMEOUT_MS) > 0);
    }
    s_flush (client);
    assert_int_equal (stele_client_refused (client), 0);
    size_t got, size = 1000;
    for (int64_t position = 1; position <= 4; position++, size *= 20) {
        stele_event_t *event = s_next (reader, position);
        const char *text = stele_event_string (event, "content", &got);
        assert_non_null (text);
        assert_int_equal (got, size);
        assert_memory_equal (text, content, size);
        stele_event_destroy (&event);
    }
    free (content);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

//  -- follow --------------------------------------------------------------------------

static void
s_test_follow_restarts (const char *transport)
{
    broker_t *broker = s_broker_new (transport);
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    s_publish_many (client, 1, 3000);
    s_flush (client);
    assert_int_equal (stele_client_follow (reader, "", 1000), 0);
    int64_t position = 1000;
    for (int round = 1; round <= 3; round++) {
        int last = 3000 + round * 3000;
        s_publish_many (client, last - 2999, last);
        while (position < last - 1500) {
            stele_event_t *event = s_next (reader, ++position);
            assert_int_equal (stele_event_integer (event, "value", -1), position);
            stele_event_destroy (&event);
        }
        s_broker_restart (broker);
    }
    s_flush (client);
    while (position < 12000) {
        stele_event_t *event = s_next (reader, ++position);
        stele_event_destroy (&event);
    }
    stele_event_t *event = NULL;
    assert_int_equal (stele_client_next (reader, 50, &event), STELE_ETIMEOUT);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_follows_over_restarts_every_position_once (void **state)
{
    (void) state;
    s_test_follow_restarts ("ipc");
}

static void
test_client_follows_over_restarts_over_inproc (void **state)
{
    (void) state;
    s_test_follow_restarts ("inproc");
}

static void
test_client_follows_a_topic_only (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    s_publish_state (client, "a1", "running");
    s_publish_state (client, "b1", "running");
    s_flush (client);
    assert_int_equal (stele_client_follow (reader, "task.state_changed/a*", 0), 0);
    stele_event_t *event = s_next (reader, 1);
    stele_event_destroy (&event);
    int64_t position = 2;
    for (int round = 0; round < 4; round++) {
        s_publish_many (client, 1, 1500);
        s_publish_state (client, "b1", "running");
        s_publish_state (client, "a1", "running");
        if (round == 2)
            s_broker_restart (broker);
        s_flush (client);
        position += 1502;
        event = s_next (reader, position);
        assert_string_equal (stele_event_string (event, "task_id", NULL), "a1");
        stele_event_destroy (&event);
    }
    assert_int_equal (stele_client_next (reader, 50, &event), STELE_ETIMEOUT);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

//  A complete topic is that one only, also where it begins another one, on the feed and from the ledger
static void
test_client_follows_an_exact_topic_and_one_task (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *exact = s_client_new (broker, NULL), *task = s_client_new (broker, NULL);
    stele_event_t *event;
    s_publish_state (client, "build-70", "running");        // 1
    s_publish_state (client, "build-7", "running");
    s_flush (client);
    assert_int_equal (stele_client_follow (exact, "task.state_changed/build-7", 0), 0);
    assert_int_equal (stele_client_follow_task (task, "build-7", 0), 0);
    for (int round = 0; round < 3; round++) {
        int64_t position = round * 2 + 2;
        event = s_next (exact, position);
        stele_event_destroy (&event);
        event = s_next (task, position);
        assert_string_equal (stele_event_string (event, "task_id", NULL), "build-7");
        stele_event_destroy (&event);
        s_publish_state (client, "build-70", round % 2? "running": "paused");
        s_publish_state (client, "build-7", round % 2? "running": "paused");
        s_flush (client);
    }
    event = s_next (exact, 8);
    stele_event_destroy (&event);
    assert_int_equal (stele_client_next (exact, 50, &event), STELE_ETIMEOUT);
    stele_client_destroy (&task);
    stele_client_destroy (&exact);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

//  Every event by poll alone, from the ledger and from the feed, over a restart of the broker
static void
test_client_descriptor_is_readable_with_every_event (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    assert_int_equal (stele_client_fd (reader), -1);
    s_publish_state (client, "t", "running");
    s_flush (client);
    assert_int_equal (stele_client_follow (reader, "task.", 0), 0);
    struct pollfd item = { .fd = stele_client_fd (reader), .events = POLLIN };
    assert_true (item.fd >= 0);
    int idle = 0;
    for (int64_t position = 1; position <= 6;) {
        assert_int_equal (poll (&item, 1, TIMEOUT_MS), 1);
        stele_event_t *event = NULL;
        int rc = stele_client_next (reader, 0, &event);
        if (rc == STELE_ETIMEOUT) {
            //  A descriptor that is always readable would need far more
            assert_true (++idle < 500);
            continue;
        }
        assert_int_equal (rc, 0);
        assert_int_equal (stele_event_position (event), position++);
        stele_event_destroy (&event);
        if (position == 4)
            s_broker_restart (broker);
        if (position <= 6) {
            s_publish_state (client, "t", position % 2? "running": "paused");
            s_flush (client);
        }
    }
    assert_int_equal (stele_client_fd (reader), item.fd);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_slow_follower_misses_nothing (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    assert_int_equal (stele_client_follow (reader, "task.metric_recorded/", -1), 0);
    //  More than all queues in between can hold, and no one reads them
    s_publish_many (client, 1, MANY);
    s_flush (client);
    for (int64_t position = 1; position <= MANY; position++) {
        stele_event_t *event = s_next (reader, position);
        stele_event_destroy (&event);
    }
    s_publish_metric (client, MANY + 1);
    stele_event_t *event = s_next (reader, MANY + 1);
    stele_event_destroy (&event);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_follow_from_now_starts_with_the_next (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    s_publish_many (client, 1, 10);
    s_flush (client);
    assert_int_equal (stele_client_follow (reader, "", -1), 0);
    stele_event_t *event = NULL;
    for (int i = 0; i < 10; i++)
        assert_int_equal (stele_client_next (reader, 0, &event), STELE_ETIMEOUT);
    s_publish_metric (client, 11);
    event = s_next (reader, 11);
    assert_int_equal (stele_event_integer (event, "value", -1), 11);
    stele_event_destroy (&event);
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_short_timeouts_lose_no_event (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    stele_client_t *reader = s_client_new (broker, NULL);
    s_publish_many (client, 1, 5000);
    s_flush (client);
    assert_int_equal (stele_client_follow (reader, "", 0), 0);
    int64_t deadline_ms = zclock_mono () + TIMEOUT_MS;
    for (int64_t position = 1; position <= 5000; ) {
        stele_event_t *event = NULL;
        int rc = stele_client_next (reader, 0, &event);
        assert_true (zclock_mono () < deadline_ms);
        if (rc == STELE_ETIMEOUT)
            continue;
        assert_int_equal (rc, 0);
        assert_int_equal (stele_event_position (event), position++);
        stele_event_destroy (&event);
    }
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

//  -- request ---------------------------------------------------------------------------

static void
s_test_requests (const char *transport)
{
    broker_t *broker = s_broker_new (transport);
    stele_client_t *client = s_client_new (broker, NULL);
    char *answer = NULL;
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS,
        &answer), 0);
    assert_non_null (strstr (answer, "\"ok\":true"));
    free (answer);
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"no such\"}", TIMEOUT_MS,
        &answer), 0);
    assert_non_null (strstr (answer, "unknown_op"));
    free (answer);
    //  A request that waits in the broker and times out here
    answer = NULL;
    assert_int_equal (stele_client_request_json (client,
        "{\"op\":\"ping\",\"min_position\":1000,\"timeout_ms\":60000}", 50, &answer),
        STELE_ETIMEOUT);
    assert_null (answer);
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS,
        &answer), 0);
    free (answer);
    s_broker_restart (broker);
    if (streq (transport, "inproc")) {
        assert_int_equal (stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS,
            &answer), 0);
        free (answer);
    }
    void *bytes;
    size_t size;
    assert_int_equal (stele_client_request (client, "junk", 4, TIMEOUT_MS, &bytes, &size), 0);
    json_t *value = talk_unpack (bytes, size);
    assert_string_equal (talk_text (value, "error/code"), "bad_request");
    json_decref (value);
    free (bytes);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_requests_over_ipc_are_answered (void **state)
{
    (void) state;
    s_test_requests ("ipc");
}

static void
test_client_requests_over_inproc_are_answered (void **state)
{
    (void) state;
    s_test_requests ("inproc");
}

static int
s_setup (void **state)
{
    (void) state;
    zsys_set_logstream (NULL);
    zsys_handler_set (NULL);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_client_many_events_over_ipc_are_acked),
        cmocka_unit_test (test_client_many_events_over_inproc_are_acked),
        cmocka_unit_test (test_client_restarts_of_the_broker_lose_and_duplicate_nothing),
        cmocka_unit_test (test_client_restarts_over_inproc_lose_and_duplicate_nothing),
        cmocka_unit_test (test_client_started_before_the_broker_publishes_when_it_starts),
        cmocka_unit_test (test_client_refused_event_is_reported_and_the_rest_is_stored),
        cmocka_unit_test (test_client_same_sequences_again_are_duplicates),
        cmocka_unit_test (test_client_second_instance_fences_the_first),
        cmocka_unit_test (test_client_new_ledger_under_a_client_ends_it),
        cmocka_unit_test (test_client_large_events_are_published),
        cmocka_unit_test (test_client_follows_over_restarts_every_position_once),
        cmocka_unit_test (test_client_follows_over_restarts_over_inproc),
        cmocka_unit_test (test_client_follows_a_topic_only),
        cmocka_unit_test (test_client_follows_an_exact_topic_and_one_task),
        cmocka_unit_test (test_client_descriptor_is_readable_with_every_event),
        cmocka_unit_test (test_client_slow_follower_misses_nothing),
        cmocka_unit_test (test_client_follow_from_now_starts_with_the_next),
        cmocka_unit_test (test_client_short_timeouts_lose_no_event),
        cmocka_unit_test (test_client_requests_over_ipc_are_answered),
        cmocka_unit_test (test_client_requests_over_inproc_are_answered)
    };
    return cmocka_run_group_tests (tests, s_setup, NULL);
}
